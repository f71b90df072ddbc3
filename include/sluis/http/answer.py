"""What a vendor answered, read whole or not at all: no half a body ever reaches a connector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

#: No answer is read beyond this; who asks for lists makes its pages smaller on ``TOO_LARGE``. Measured in November 2026
#: on the real orders of UCI's Online Retail: a page of 100 holds 1.2 MB (at most 1.7), the largest order (1,114 lines)
#: 0.4 MB, the 100 largest of a year together 8.1 MB. JSON grows in memory, up to 16 times where it is made of empty
#: lists, so the cap means 256 MiB of a worker at worst; deeper nesting than Python's own limit is a broken body.
LARGEST_BODY = 16 * 1024 * 1024
#: Code of the ``Defect`` for an answer beyond the cap.
TOO_LARGE = "answer_too_large"
#: How many opening brackets are tried when something was printed before the JSON.
_TRIES = 50
#: Digits of a whole number that is read as ``int``.
_LONGEST_INT = 40


@dataclass(frozen=True)
class Answer:
    """One answer. ``body`` is the parsed JSON (fractions as ``Decimal``) and ``None`` when there was none.

    ``repr`` shows neither body nor headers. ``headers`` finds names in any case.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)
    request_id: str | None = None

    def number(self, header: str) -> int | None:
        """Return a header as a whole number, ``None`` where it is absent or is no number."""
        return whole_number(self.headers.get(header))


class BodyTooLarge(Exception):
    """The body passes the cap; the rest was not read."""


class BrokenBody(Exception):
    """The body began as JSON and does not end as JSON: it was cut off."""


class ForeignBody(Exception):
    """The body is not JSON. ``json_inside`` tells that JSON stands in it, after or before other text."""

    def __init__(self, *, json_inside: bool) -> None:
        super().__init__()
        self.json_inside = json_inside


def whole_number(text: str | None) -> int | None:
    """Read a header value such as ``150``; ``None`` for absence and for anything else."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _whole(text: str) -> int | Decimal:
    """Read a whole number; one of thousands of digits, which ``int`` refuses, stays one odd value in its body."""
    return int(text) if len(text) <= _LONGEST_INT else Decimal(text)


def _fraction(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return Decimal("NaN")


_DECODER = json.JSONDecoder(parse_float=_fraction, parse_int=_whole, parse_constant=_no_constant)


def parse_body(raw: bytes) -> Any:
    """Parse a body; ``None`` when it is empty. Raises ``BrokenBody`` or ``ForeignBody``, never with its content.

    A byte order mark is dropped: WordPress plugins that were saved with one print it before every answer.
    """
    try:
        text = raw.decode("utf-8-sig").strip("\ufeff \t\r\n")
    except UnicodeDecodeError:
        raise (BrokenBody() if raw.lstrip()[:1] in (b"{", b"[") else ForeignBody(json_inside=False)) from None
    if not text:
        return None
    value, end = _decode_at(text, 0)
    if end == len(text):
        return value
    if end > 0:
        raise ForeignBody(json_inside=True)
    if _has_json_inside(text):
        raise ForeignBody(json_inside=True)
    if text[0] in "{[" or text[0] == '"':
        raise BrokenBody
    raise ForeignBody(json_inside=False)


def _decode_at(text: str, start: int) -> tuple[Any, int]:
    """Return the value that starts there and where it ends, or ``(None, 0)``."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, 0
    return value, end


def _has_json_inside(text: str) -> bool:
    """Whether an object or array stands behind other text and reaches the end of the body."""
    if text[0] in "{[":
        return False
    position = -1
    for _ in range(_TRIES):
        found = [at for at in (text.find("{", position + 1), text.find("[", position + 1)) if at >= 0]
        if not found:
            return False
        position = min(found)
        if _decode_at(text, position)[1] == len(text):
            return True
    return False
