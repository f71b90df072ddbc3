"""A value that belongs to a person and shows itself to nobody.

``repr``, ``str``, ``format`` and JSON show a mask; it cannot be pickled. Three places may call ``reveal``: a
connector's mapping, the core's VAT decision (postcode, VAT number) and the pseudonym maker; a test walks the calls.
The transit codec, which encrypts what it writes, is the only one that may serialise the value (``REVEAL``).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, GetCoreSchemaHandler, SerializationInfo
from pydantic_core import CoreSchema, core_schema

MASK = "•••"
#: Key of the pydantic serialisation context under which the transit codec, and nobody else, gets the value.
REVEAL = "sluis_transit_reveal"
#: What a credential may be made of: visible ASCII. Anything else breaks the header it stands in, and the HTTP
#: libraries then raise with the whole header in their message.
_CREDENTIAL = re.compile(r"[\x21-\x7e]+")


class Personal:
    """A text about a person. Equality and truth work on the value; everything that prints shows ``•••``."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value. Allowed in three places only (see the module's docstring)."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Personal) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Personal, self._value))

    def __repr__(self) -> str:
        return f"Personal({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a personal value is never pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a personal value has no state to copy")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _parse, serialization=core_schema.plain_serializer_function_ser_schema(_serialise, info_arg=True)
        )


def _parse(value: object) -> Personal:
    if isinstance(value, Personal):
        return value
    if isinstance(value, str):
        return Personal(value)
    raise ValueError("expected a text")


def _serialise(value: Personal, info: SerializationInfo) -> str:
    context = info.context
    return value._value if isinstance(context, dict) and context.get(REVEAL) is True else MASK


def _credential(value: Personal) -> Personal:
    text = value._value.strip()
    if not text:
        raise ValueError("empty")
    if not _CREDENTIAL.fullmatch(text):
        raise ValueError("has a space, a line break or another character that no credential has; paste it again")
    return Personal(text)


NOBODY = Personal("")
#: A key, secret or token: visible ASCII only; what stands around it (the line break of a file) is taken off.
Credential = Annotated[Personal, AfterValidator(_credential)]
