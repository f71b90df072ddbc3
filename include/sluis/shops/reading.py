"""Reads a shop's JSON field by field and says, without the value, which field was wrong.

Shared by the shop connectors: each has its own mapping, all of them refuse the same way. Whatever a shop sends, a
reader raises ``WrongField`` and nothing else: one odd value makes one order wait, never a run fail.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from stdnum import iban

from sluis.core.money import round_cents
from sluis.core.personal import NOBODY, Personal

_HIDDEN = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"[ \t\u00a0]+")
#: A product's name is cut here before its tags are sought: that search takes time that grows with the square.
_LONGEST_NAME = 5000
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
#: Longer than any number that a shop means; reading longer ones costs time.
_LONGEST_DECIMAL = 100
#: More decimals than any shop shows, and few enough to count with exactly.
_MOST_DECIMALS = 25
#: Ids are at most unsigned 64-bit.
_ID = re.compile(r"(?=.*[1-9])[0-9]{1,20}")
_YEARS = range(1970, 3000)
#: What a code may be made of (a status, a payment method): no space and no ``@``, so no name and no address.
_CODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}")
_ORDER_NUMBER = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9._/#-]{0,39}")
_NUMBER_FILLING = re.compile(r"[._/#-]")
#: What the digits of a telephone number look like, in the countries next door.
_TELEPHONE = re.compile(
    r"0[1-9]\d{7,11}"  # national: 0612345678; a number filled up with two zeros or more is none
    r"|00[1-9]\d{9,}"  # international: 0031612345678
    r"|31[1-9]\d{8}|324\d{8}|491[567]\d{8,9}"  # international without 00: Dutch; Belgian and German mobile
)
#: Account number of the Dutch kind, also with a wrong check digit; and a Dutch VAT number.
_ACCOUNT = re.compile(r"[A-Z]{2}\d{2}[A-Z]{4}\d{10}|NL\d{9}B\d{2}", re.IGNORECASE)


class WrongField(Exception):
    """A field is missing or malformed. ``field`` is its path (``line_items[0].total``); the value is not kept."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def plain_text(raw: str) -> str:
    """Return a product's name as a person reads it: entities resolved, tags and control characters gone."""
    text = _TAG.sub(" ", _HIDDEN.sub(" ", raw[:_LONGEST_NAME]))
    text = _TAG.sub(" ", html.unescape(text))
    return _SPACES.sub(" ", _CONTROL.sub(" ", text)).strip()


def is_order_number(text: str) -> bool:
    """Whether a text may be shown as an order's number: it goes to logs, reports and the books, so no person in it.

    Letters, digits and ``. _ / # -``, at most 40, with a digit; no e-mail address, no forged log field, no account
    number, no Dutch VAT number, no telephone number. Plain decimal numbers pass, also those filled up with zeros
    (``0000012345``); ten digits behind one zero are a telephone number. What it cannot tell: nine digits that are one
    without its zero, and a name with a digit behind it that was typed as a number.
    """
    if not _ORDER_NUMBER.fullmatch(text):
        return False
    bare = _NUMBER_FILLING.sub("", text)
    return not (_TELEPHONE.fullmatch(bare) or _ACCOUNT.fullmatch(bare) or iban.is_valid(bare, check_country=False))


def identity(row: Any, key: str = "id") -> str | None:
    """Return the id in a row of a list, ``None`` where there is none or the row is no object."""
    try:
        return Reader(row).identifier(key)
    except WrongField:
        return None


def scalar(value: Any) -> str | None:
    """Return a text, number or whole number as text; ``None`` for everything else, and for a text without UTF-8."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 200 else None
    if isinstance(value, Decimal):
        return str(value)
    return value.strip() if isinstance(value, str) and not _SURROGATE.search(value) else None


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
        """Return a text (numbers count as text); ``default`` stands for absent and null.

        Half of a surrogate pair is refused: no store, hash or package takes it.
        """
        value = self._raw.get(key)
        if value is None and default is not None:
            return default
        text = scalar(value)
        if text is None:
            raise WrongField(self.at(key))
        return text

    def code(self, key: str, default: str | None = None) -> str:
        """Return a word of the shop's own, such as a status; refused where it could be a text that somebody typed."""
        text = self.text(key, default)
        if text != default and not _CODE.fullmatch(text):
            raise WrongField(self.at(key))
        return text

    def order_number(self, key: str) -> str:
        """Return what merchant and customer call an order; see ``is_order_number``."""
        text = self.text(key)
        if not is_order_number(text):
            raise WrongField(self.at(key))
        return text

    def personal(self, key: str) -> Personal:
        """Return a text about a person; empty where the shop has none."""
        text = self.text(key, "")
        return Personal(text) if text else NOBODY

    def identifier(self, key: str) -> str:
        """Return an id (a positive whole number) as text."""
        text = scalar(self._raw.get(key))
        if text is None or not _ID.fullmatch(text):
            raise WrongField(self.at(key))
        return text

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return a truth."""
        value = self._raw.get(key, default)
        if isinstance(value, bool):
            return value
        raise WrongField(self.at(key))

    def number(self, key: str) -> Decimal:
        """Return a decimal number below 10^12, with at most 25 decimals."""
        text = scalar(self._raw.get(key))
        if text is None or len(text) > _LONGEST_DECIMAL or not _NUMBER.fullmatch(text):
            raise WrongField(self.at(key))
        number = Decimal(text)
        # By their exponents, not by arithmetic: 1e999999 has no room in a calculation.
        if number.adjusted() >= 12 or int(number.as_tuple().exponent) < -_MOST_DECIMALS:
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
        # The last years of the calendar have no time in another zone.
        if moment is None or moment.year not in _YEARS:
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
