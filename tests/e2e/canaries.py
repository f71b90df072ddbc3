"""Markers: unique words for all that says something of a person, and the byte strings that betray them in any form.

A *needle* is one byte string to look for: plain, any case, URL-encoded, JSON- or HTML-escaped, UTF-16, base64 (both
alphabets, at each of its three alignments), hex (as PostgreSQL shows ``bytea``), and the unkeyed SHA-256 and MD5 of
what is a person's or an order's number. A form that contains another needle is left out: finding that one finds it too.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import count
from typing import NamedTuple
from urllib.parse import quote, quote_plus

LETTERS = "bcdfghjkmnpqrstvwxz"


class Kind(StrEnum):
    """What a marker says of somebody; each kind may stand in other places (tests/e2e/allowed.py)."""

    PERSON = "person"  #: a name, an address, a number of a person: a direct identifier
    ORDER_NUMBER = "order_number"  #: what merchant and customer call the order
    ORDER_ID = "order_id"  #: the shop's own key of an order, a refund or a line
    BOOKS_ID = "books_id"  #: the accounting package's key of a document or a debtor
    UNKEYED = "unkeyed"  #: an order's number or id, hashed without a key: anybody could have guessed it


class Needle(NamedTuple):
    """A byte string to look for; ``exact``: its case matters, else it is given in lower case."""

    form: bytes
    exact: bool
    kind: Kind


class Canaries:
    """The markers of one test: personal texts hold ``word``, personal numbers ``digits``; ``address`` is of the net."""

    def __init__(self) -> None:
        self.word = "".join(secrets.choice(LETTERS) for _ in range(14))
        self.digits = str(secrets.randbelow(8 * 10**10) + 10**10)
        base = secrets.randbelow(10**7)
        self.business = f"BE0{base:07d}{97 - base % 97:02d}"  #: a Belgian VAT number with a right check digit
        self.address = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}:{secrets.token_hex(2)}::7"
        self.order = "".join(secrets.choice(LETTERS) for _ in range(10)).upper()
        self.first_id = (secrets.randbelow(8 * 10**8) + 10**8) * 1000  #: the shop's ids count on from it
        self._books_ids: set[str] = set()
        self._hashed: set[str] = set()
        self._numbers = count(1)

    def text(self, field: str) -> str:
        """A marker for a field of text, with a character that every encoding writes in another way."""
        return f"{self.word}{field}é&'+/"

    def number(self) -> str:
        """The number of a new order."""
        return f"{self.order}.{next(self._numbers)}"

    def hashed(self, values: Iterable[str]) -> None:
        """Remember numbers and ids whose hash without a key must stand nowhere."""
        self._hashed |= set(values)

    def in_books(self, ids: Iterable[str]) -> None:
        """Remember the ids that the books gave."""
        self._books_ids |= set(ids)

    def needles(self, *kinds: Kind) -> tuple[Needle, ...]:
        """What to look for, the fewest that cover all forms; without ``kinds`` all of them."""
        return tuple(sorted(needle for kind in kinds or tuple(Kind) for needle in self._of(kind)))

    def _of(self, kind: Kind) -> Iterator[Needle]:
        if kind is Kind.BOOKS_ID:  # digits with nothing to fold or to escape, and many: only as they are
            yield from (Needle(value.encode(), False, kind) for value in self._books_ids)
            return
        found: set[tuple[bytes, bool]] = set()
        if kind is Kind.UNKEYED:
            found.update(digest for value in self._hashed for digest in _digests(value))
        else:
            found.update(form for value in self._values(kind) for form in _forms(value))
        if kind is Kind.PERSON:
            numbers = (self.digits, f"NL{self.digits}", f"+{self.digits}", self.business, self.business[2:])
            for value in (*numbers, self.address, f"{self.word}@example.com", f"tr_{self.word}"):
                found.update(_digests(value))
        for form, exact in found:
            if not any(_covers(other, (form, exact)) for other in found if other != (form, exact)):
                yield Needle(form, exact, kind)

    def _values(self, kind: Kind) -> tuple[str, ...]:
        if kind is Kind.PERSON:
            return self.word, self.digits, self.address, self.business[2:]
        return (self.order,) if kind is Kind.ORDER_NUMBER else (str(self.first_id)[:9],)


def _digests(value: str) -> Iterator[tuple[bytes, bool]]:
    for digest in (hashlib.sha256(value.encode()), hashlib.md5(value.encode())):
        yield digest.digest(), True
        yield digest.hexdigest().encode(), False


def _forms(value: str) -> Iterator[tuple[bytes, bool]]:
    for text in (value, quote(value, safe=""), quote_plus(value), html.escape(value), json.dumps(value)[1:-1]):
        yield text.lower().encode(), False
    for written in {value, value.lower(), value.upper(), value.capitalize()}:
        raw = written.encode()
        yield raw.hex().encode(), False
        yield written.encode("utf-16-le"), True
        for shift in range(3):
            inner = base64.b64encode(b"\0" * shift + raw)[(0, 2, 3)[shift] :]
            whole = inner[: -(4 if (shift + len(raw)) % 3 else 0) or None]
            yield whole, True
            yield whole.translate(bytes.maketrans(b"+/", b"-_")), True


def _covers(one: tuple[bytes, bool], other: tuple[bytes, bool]) -> bool:
    """Whether whatever holds ``other`` holds ``one``."""
    if one[1]:
        return other[1] and one[0] in other[0]
    return one[0] in other[0].lower()
