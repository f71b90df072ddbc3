"""Reads a shop's JSON field by field and says, without the value, which field was wrong.

Shared by the shop connectors: each has its own mapping, all of them refuse the same way.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sluis.core.money import round_cents
from sluis.core.personal import NOBODY, Personal

_HIDDEN = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"[ \t\u00a0]+")


class WrongField(Exception):
    """A field is missing or malformed. ``field`` is its path (``line_items[0].total``); the value is not kept."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def plain_text(raw: str) -> str:
    """Return a product's name as a person reads it: entities resolved, tags and control characters gone."""
    text = _TAG.sub(" ", _HIDDEN.sub(" ", raw))
    text = _TAG.sub(" ", html.unescape(text))
    return _SPACES.sub(" ", _CONTROL.sub(" ", text)).strip()


class Reader:
    """One JSON object and where it stands."""

    def __init__(self, raw: Any, path: str = "") -> None:
        if not isinstance(raw, dict):
            raise WrongField(path or "(the whole answer)")
        self._raw: dict[str, Any] = raw
        self._path = path

    def at(self, key: str) -> str:
        """Return the path of a field."""
        return f"{self._path}.{key}" if self._path else key

    def has(self, key: str) -> bool:
        """Whether the field is there with something in it."""
        return self._raw.get(key) not in (None, "")

    def value(self, key: str) -> Any:
        """Return a field as it came; raises ``WrongField`` when it is absent."""
        if key not in self._raw:
            raise WrongField(self.at(key))
        return self._raw[key]

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text (numbers count as text); ``default`` stands for absent and null."""
        value = self._raw.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, str):
            return value.strip()
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            return str(value)
        raise WrongField(self.at(key))

    def personal(self, key: str) -> Personal:
        """Return a text about a person; empty where the shop has none."""
        text = self.text(key, "")
        return Personal(text) if text else NOBODY

    def identifier(self, key: str) -> str:
        """Return an id (a positive whole number) as text."""
        value = self._raw.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise WrongField(self.at(key))
        text = str(value).strip()
        if not (text.isascii() and text.isdigit() and text.strip("0")):
            raise WrongField(self.at(key))
        return text

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return a truth."""
        value = self._raw.get(key, default)
        if isinstance(value, bool):
            return value
        raise WrongField(self.at(key))

    def number(self, key: str) -> Decimal:
        """Return a finite decimal number."""
        value = self._raw.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
            raise WrongField(self.at(key))
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise WrongField(self.at(key)) from None
        if not number.is_finite() or abs(number) >= Decimal(10) ** 12:
            raise WrongField(self.at(key))
        return number

    def amount(self, key: str) -> Decimal:
        """Return an amount in whole cents; a fraction of a cent is refused."""
        number = self.number(key)
        if number != round_cents(number):
            raise WrongField(self.at(key))
        return round_cents(number)

    def rounded(self, key: str) -> Decimal:
        """Return an amount rounded half up to the cent, for fields that a shop may show with more decimals."""
        return round_cents(self.number(key))

    def moment(self, key: str) -> datetime:
        """Return a moment in UTC; a time without a zone counts as UTC, so use it for ``_gmt`` fields only."""
        value = self._raw.get(key)
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None or moment.year < 1970:
            raise WrongField(self.at(key))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

    def moment_or_none(self, key: str) -> datetime | None:
        """As ``moment``; ``None`` for absent, null and empty."""
        return self.moment(key) if self.has(key) else None

    def child(self, key: str) -> Reader:
        """Return an object inside this one."""
        return Reader(self.value(key), self.at(key))

    def items(self, key: str, *, optional: bool = False) -> Iterator[Reader]:
        """Yield the objects of a list."""
        value = self._raw.get(key) if optional else self.value(key)
        if value is None and optional:
            return
        if not isinstance(value, list):
            raise WrongField(self.at(key))
        for index, item in enumerate(value):
            yield Reader(item, f"{self.at(key)}[{index}]")
