"""Models to bytes and back, for the transit store only: the one user of ``REVEAL``, because what it writes is
encrypted.

A chunk is JSON Lines, compressed; every line names its model. Amounts travel as texts, moments in ISO 8601.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from sluis.core.frozen import Frozen
from sluis.core.invoice import DocumentOutcome, Prepared
from sluis.core.order import Order, Unreadable
from sluis.core.personal import REVEAL
from sluis.core.run import RunFacts
from sluis.errors import Defect

#: What may stand in transit, by the name it is written under.
MODELS: dict[str, type[Frozen]] = {
    "order": Order,
    "unreadable": Unreadable,
    "prepared": Prepared,
    "outcome": DocumentOutcome,
    "facts": RunFacts,
}
_NAMES = {model: name for name, model in MODELS.items()}


def encode(items: Sequence[Frozen]) -> bytes:
    """Return the bytes of a chunk, personal values included: they may leave the process encrypted only.

    Raises ``Defect`` (never showing content) for a text that has no UTF-8 form (half of a surrogate pair).
    """
    lines = []
    for item in items:
        name = _NAMES.get(type(item))
        if name is None:
            raise Defect(f"a {type(item).__name__} does not pass through transit", code="transit_model")
        lines.append(f'{{"{name}":{_json(item)}}}')
    return zlib.compress("\n".join(lines).encode())


def decode(data: bytes) -> list[Frozen]:
    """Return the items of a chunk; raises ``Defect`` (never showing content) when it cannot be read."""
    try:
        # Not splitlines(): it also breaks at U+0085, U+2028 and U+2029, which stand unescaped inside a JSON text.
        lines = zlib.decompress(data).decode().split("\n") if data else []
        return [_item(line) for line in lines if line]
    except (zlib.error, UnicodeDecodeError, json.JSONDecodeError, KeyError, StopIteration, ValidationError):
        raise Defect(
            "a chunk in transit cannot be read by this version of sluis: clear the run from extract on",
            code="transit_unreadable",
        ) from None


def _json(item: Frozen) -> str:
    try:
        return item.model_dump_json(context={REVEAL: True})
    except PydanticSerializationError:
        raise Defect("a text has no UTF-8 form and does not pass through transit", code="transit_text") from None


def _item(line: str) -> Frozen:
    entry = json.loads(line, parse_float=str)
    name = next(iter(entry))
    return MODELS[name].model_validate(entry[name])
