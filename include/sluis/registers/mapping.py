"""From a VAT number to what VIES wants to read, and from its answer to what may be kept of it.

The one place of this room that opens a number. Of an answer four fields are looked at; the name and address beside
them are never touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sluis.core import vat_numbers
from sluis.core.evidence import VatCheck
from sluis.core.personal import Personal

SOURCE = "VIES"
#: The member states as VIES writes them, with Northern Ireland (goods only); everything else it refuses.
_MEMBERS = "AT BE BG CY CZ DE DK EE EL ES FI FR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK XI"
MEMBER_STATES = frozenset(_MEMBERS.split())
#: What VIES may write into its number of a consultation; it goes into the books' evidence and the log.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CODE = re.compile(r"[A-Z][A-Z0-9_-]{2,39}")
#: Numbers this short are found inside other texts by chance.
_CHANCE = 5

#: It is no number that the register could have: a definite answer, and no.
NO_NUMBER = "INVALID_INPUT"
#: The merchant's own number was refused, not the customer's.
REQUESTER_REFUSED = "INVALID_REQUESTER_INFO"
#: Too many ask at once; a moment later it may work.
_MOST = ("GLOBAL_MAX_CONCURRENT_REQ", "MS_MAX_CONCURRENT_REQ")
BUSY = frozenset(name + suffix for name in _MOST for suffix in ("", "_TIME"))


@dataclass(frozen=True)
class Question:
    """What is asked. ``body`` holds the number: it is sent, and shown to nobody."""

    member_state: str
    number: str = field(repr=False)
    requester: tuple[str, str] | None = field(default=None, repr=False)

    def body(self) -> dict[str, str]:
        """Return the JSON of ``check-vat-number``; the requester's number makes VIES give a consultation number."""
        asked = {"countryCode": self.member_state, "vatNumber": self.number}
        if self.requester is not None:
            asked |= {"requesterMemberStateCode": self.requester[0], "requesterNumber": self.requester[1]}
        return asked


@dataclass(frozen=True)
class Said:
    """What VIES said. ``code`` is its reason where it did not answer (a word in capitals, never a text)."""

    state: Literal["valid", "invalid", "unverified"]
    request_id: str | None = None
    code: str = ""

    def at(self, moment: datetime) -> VatCheck:
        """Return the evidence: the moment is ours, for a clock that all entries share."""
        return VatCheck(state=self.state, checked_at=moment, request_id=self.request_id, source=SOURCE)


def question(number: Personal, country: str, requester: str) -> Question | None:
    """Return what to ask of a number; ``None`` where no member state could have given it.

    A ``requester`` that is not well-formed is left out: VIES would refuse the whole question for it.
    """
    parts = vat_numbers.parts(number.reveal(), country)
    if parts is None or parts[0] not in MEMBER_STATES:
        return None
    own = vat_numbers.parts(requester)
    return Question(parts[0], parts[1], own if own is not None and own[0] in MEMBER_STATES else None)


def said(body: Any, asked: Question) -> Said:
    """Read an answer. Only a plain yes or no about the very number that was asked counts as one.

    An error stands beside ``valid: false`` in some answers, so it is looked at first.
    """
    if not isinstance(body, dict):
        return Said("unverified", code="ODD_ANSWER")
    code = _error(body, asked)
    if code == NO_NUMBER:
        return Said("invalid", code=code)
    valid = body.get("valid")
    if code:
        return Said("unverified", code=code)
    if not isinstance(valid, bool) or not _same(body, asked):
        return Said("unverified", code="ODD_ANSWER")
    return Said("valid" if valid else "invalid", _request_id(body.get("requestIdentifier"), asked))


def _error(body: dict[str, Any], asked: Question) -> str:
    """Return the code of an answer that is none, empty for one that is."""
    wrappers = body.get("errorWrappers")
    named = [entry.get("error") for entry in wrappers if isinstance(entry, dict)] if isinstance(wrappers, list) else []
    told = body.get("userError")
    if told not in (None, "", "VALID", "INVALID"):
        named.append(told)
    if not named and not wrappers and body.get("actionSucceed", True) is True:
        return ""
    codes = (name for name in named if isinstance(name, str) and _CODE.fullmatch(name) and not _repeats(name, asked))
    return next(codes, "UNKNOWN_ERROR")


def _same(body: dict[str, Any], asked: Question) -> bool:
    """Whether the answer speaks of the number asked, where it repeats it at all."""
    country, number = body.get("countryCode", asked.member_state), body.get("vatNumber", asked.number)
    return (country, number) == (asked.member_state, asked.number)


def _request_id(value: Any, asked: Question) -> str | None:
    fits = isinstance(value, str) and _REQUEST_ID.fullmatch(value) and not _repeats(value, asked)
    return value if fits else None


def _repeats(text: str, asked: Question) -> bool:
    """Whether a text that would be kept or logged holds the number that was asked, however it is written.

    The shortest numbers (Romania has some of two digits) stand in any text by chance: they count behind their country.
    """
    bare, number = re.sub(r"[^0-9A-Z]", "", text.upper()), asked.number.upper()
    return bare == number or asked.member_state + number in bare or (len(number) > _CHANCE and number in bare)
