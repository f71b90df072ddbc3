"""Which document of the shop is which of the books: same reference and total, dates near. Pure; nothing is guessed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from enum import StrEnum

from sluis.core.evidence import NO_EVIDENCE, Evidence
from sluis.core.figures import Figures
from sluis.core.frozen import Frozen
from sluis.core.invoice import DocumentKind
from sluis.core.money import cents
from sluis.ports import Booked

#: How far the dates of one document may lie apart in shop and books.
NEAR = timedelta(days=5)


class Link(StrEnum):
    """What became of a document of the shop, or of the books."""

    LINKED = "linked"  #: stands in the books and is linked now
    ALREADY_LINKED = "already_linked"  #: was booked or linked before
    GONE = "gone"  #: was booked or linked before, and does not stand in the books any more (or at a date far away)
    DIFFERENT = "different"  #: same reference, but another total, currency or date
    AMBIGUOUS = "ambiguous"  #: several candidates, in the shop or in the books
    CONFLICT = "conflict"  #: the store has this reference, or this document, for something else
    OTHER_NUMBER = "other_number"  #: no reference fits, yet the books have this total at a near date: for a person
    NOT_IN_BOOKS = "not_in_books"  #: in the shop only: going live books it
    NOT_BOOKABLE = "not_bookable"  #: in the shop only, and not to be booked (status, start date, waiting for a person)
    NOT_IN_SHOP = "not_in_shop"  #: in the books only


class Candidate(Frozen):
    """A document of the shop as it is looked for in the books. Cents signed: a credit note is below zero."""

    kind: DocumentKind
    document_key: bytes
    order_number: str
    references: tuple[str, ...]  #: with the integration's prefix, without it, and as a former connector called it
    total_cents: int
    vat_cents: int
    currency: str
    issue_date: date
    fingerprint: bytes | None  #: ``None``: the core makes no invoice of it (``reason`` says why)
    bookable: bool  #: a run would book it as things stand
    reason: str | None = None
    figures: Figures | None = None  #: what it holds, where the core made an invoice of it
    payment_method: str = ""
    evidence: Evidence = NO_EVIDENCE


class Match(Frozen):
    """A candidate with what was found of it. ``what``: a code, where something is odd."""

    candidate: Candidate
    link: Link
    booked: Booked | None = None
    what: str | None = None
    called_so: tuple[str, ...] = ()  #: the package's ids of all documents that answer to it


def match(candidates: Sequence[Candidate], books: Sequence[Booked]) -> list[Match]:
    """Return one match per candidate, in their order. ``LINKED`` here says: may be linked."""
    by_reference: dict[str, list[Booked]] = defaultdict(list)
    for booked in books:
        by_reference[booked.reference].append(booked)
    called = Counter(reference for candidate in candidates for reference in set(candidate.references))
    matches = [_match(candidate, by_reference, called) for candidate in candidates]
    taken = Counter(m.booked.external_id for m in matches if m.link is Link.LINKED and m.booked is not None)
    return list(_only_once(matches, taken))


def other_numbers(matches: Sequence[Match], books: Sequence[Booked]) -> list[Match]:
    """Point out what the books may hold under a number of another kind: same total and currency, dates near.

    Only for documents that going live would book, and only among documents that answer to no other. Equal totals are
    common, so this links nothing: a person looks, and says how the references are made.
    """
    answered = {external_id for found in matches for external_id in found.called_so}
    free: dict[tuple[str, int], list[Booked]] = defaultdict(list)
    for booked in books:
        if booked.external_id not in answered:
            free[booked.currency, cents(booked.total_with_vat)].append(booked)
    return [_other_number(found, free) if found.link is Link.NOT_IN_BOOKS else found for found in matches]


def _other_number(found: Match, free: dict[tuple[str, int], list[Booked]]) -> Match:
    candidate = found.candidate
    alike = [b for b in free.get((candidate.currency, candidate.total_cents), ()) if _difference(candidate, b) is None]
    if not alike or candidate.total_cents == 0:
        return found
    nearest = min(alike, key=lambda b: (abs(b.issue_date - candidate.issue_date), b.external_id))
    what = "same_total" if len(alike) == 1 else f"same_total_{len(alike)}_times"
    ids = tuple(booked.external_id for booked in alike)
    return found.model_copy(update={"link": Link.OTHER_NUMBER, "booked": nearest, "what": what, "called_so": ids})


def _match(candidate: Candidate, books: dict[str, list[Booked]], called: Counter[str]) -> Match:
    found = [booked for reference in candidate.references for booked in books.get(reference, ())]
    if not found:
        return Match(candidate=candidate, link=Link.NOT_IN_BOOKS if candidate.bookable else Link.NOT_BOOKABLE)
    same = [booked for booked in found if _difference(candidate, booked) is None]
    link, booked, what = Link.LINKED, (same or found)[0], candidate.reason
    if any(called[reference] > 1 and reference in books for reference in candidate.references):
        link, what = Link.AMBIGUOUS, "number_repeats_in_shop"
    elif len(same) > 1:
        link, what = Link.AMBIGUOUS, "twice_in_books"
    elif not same:
        link, what = Link.DIFFERENT, _difference(candidate, booked)
    called_so = tuple(one.external_id for one in found)
    return Match(candidate=candidate, link=link, booked=booked, what=what, called_so=called_so)


def _difference(candidate: Candidate, booked: Booked) -> str | None:
    if booked.currency != candidate.currency:
        return "currency"
    if cents(booked.total_with_vat) != candidate.total_cents:
        return "total"
    return "date" if abs(booked.issue_date - candidate.issue_date) > NEAR else None


def _only_once(matches: Sequence[Match], taken: Counter[str]) -> Iterator[Match]:
    """One document of the books answers to one of the shop, or to none."""
    for found in matches:
        if found.link is Link.LINKED and found.booked is not None and taken[found.booked.external_id] > 1:
            yield found.model_copy(update={"link": Link.AMBIGUOUS, "what": "number_repeats_in_shop"})
        else:
            yield found
