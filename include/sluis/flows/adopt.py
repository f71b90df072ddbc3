"""Cut-over: link what stands in the books already, so that it is not booked a second time.

Documents booked by hand or by a former connector are found by reference (with the integration's prefix or without it),
total and date (``adopt_match``); only matches are stored, the rest is listed for a person. A former connector's own way
of numbering is told by a pattern; until then its documents show up as ``other_number``. Whether an order is bookable
*now* does not matter here, because a former connector may have booked it on another status: statuses, payment and start
date are not looked at. An order that the core makes no invoice of is linked too; should a later version make one, its
unknown content sends it to quarantine as changed, never to a second booking.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from datetime import UTC, date, datetime, timedelta

from sluis.core.figures import Figures, figures_of
from sluis.core.frozen import Frozen
from sluis.core.invoice import Decision, DocumentKind, Prepared, Result
from sluis.core.money import Amount, cents, from_cents
from sluis.core.order import Order
from sluis.core.settings import IntegrationSettings
from sluis.errors import Defect, Refused
from sluis.flows import restoring
from sluis.flows.adopt_match import NEAR, Candidate, Link, Match, match, other_numbers
from sluis.flows.evidence import Gathering
from sluis.flows.period import days
from sluis.flows.wiring import Session
from sluis.ports import Booked
from sluis.store.bookings import Booking, BookingState
from sluis.store.locks import administration_lock

#: How long a run that is writing to the administration is waited for.
LOCK_WAIT = timedelta(minutes=2)
#: Stands for the content of a document that was linked although the core makes no invoice of it: equals no other.
UNKNOWN_CONTENT = bytes(32)
_ROWS_PER_QUERY = 500
#: Where the order's number (of a credit note: our own number of it) stands in a former connector's references.
NUMBER = "{number}"
_FOR_A_PERSON = (Link.GONE, Link.DIFFERENT, Link.AMBIGUOUS, Link.CONFLICT, Link.OTHER_NUMBER)


class AdoptLine(Frozen):
    """A document that a person may want to look at. Totals with VAT, signed; dates as shop and books have them."""

    link: Link
    kind: DocumentKind
    order_number: str
    reference: str
    shop_total: Amount
    books_total: Amount | None
    currency: str
    shop_date: date
    books_date: date | None
    what: str | None  #: a code: ``total``, ``date``, ``currency``, ``twice_in_books``, a reason of quarantine, ...


class LinkTotal(Frozen):
    """Documents per outcome and currency; ``total`` with VAT, signed."""

    link: Link
    currency: str
    documents: int
    total: Amount


class Adoption(Frozen):
    """What a period (both days included) held. ``dry_run``: nothing was stored, ``linked`` would be."""

    merchant: str
    integration: str
    start: date
    end: date
    dry_run: bool
    stored: int  #: rows written to the store: the documents that are linked from now on
    totals: tuple[LinkTotal, ...]
    lines: tuple[AdoptLine, ...]  #: what is odd, and credit notes that the books do not have

    @property
    def for_a_person(self) -> bool:
        """Whether something may be booked twice once the integration is live, or is missing in the books."""
        return any(line.link in _FOR_A_PERSON for line in self.lines)


def adopt(session: Session, start: date, end: date, *, dry_run: bool = False, patterns: Sequence[str] = ()) -> Adoption:
    """Link the books' documents with the shop's orders dated in a period; raises what the connectors raise.

    ``patterns`` say how a former connector made its references, e.g. ``WC-{number}`` (``Defect("pattern")`` for one
    without the number). Writes bookings and no run report.

    Holds the administration's lock meanwhile (``RetryLater("administration_busy")``). Doing it twice changes nothing.
    """
    if any(NUMBER not in pattern for pattern in patterns):
        raise Defect(f"a reference pattern holds {NUMBER}, e.g. WC-{NUMBER}", code="pattern")
    window = days(start, end, session.integration.settings)
    with administration_lock(session.conn, session.integration.administration_key, LOCK_WAIT):
        if not dry_run:
            session.bookings.key_references(session.reference_key)
        gathering = Gathering(session, keep=not dry_run)
        candidates = [c for page in session.shop.read(window, by="dated")
                      for order in page.documents if isinstance(order, Order)
                      for c in _candidates(session, gathering, order, patterns)]  # fmt: skip
        dates = [start, end, *(candidate.issue_date for candidate in candidates)]
        books = list(session.package.documents(min(dates) - NEAR, max(dates) + NEAR))
        run_id = f"adopt__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
        known = list(_known(session, match(candidates, books), {booked.external_id for booked in books}))
        matches = [_linked(session, found, run_id, dry_run) for found in other_numbers(known, books)]
        if not dry_run:
            restoring.adopted(session, start, end)
    return _report(session, matches, books, (start, end), dry_run=dry_run)


# ------------------------------------------------------------------------------------------------------ candidates


def _candidates(session: Session, gathering: Gathering, order: Order, patterns: Sequence[str]) -> Iterator[Candidate]:
    """Every document of an order as the books may hold it, whatever its status and date.

    One that waits for a register's answer may stand there as well as any other.
    """
    settings = session.integration.settings
    real = {
        _key(decision)
        for decision in gathering.prepared(order, settings)
        if isinstance(decision, Prepared) or decision.result is Result.DEFERRED
    }
    for decision in gathering.prepared(order, _open_settings(settings, order.status)):
        kind, document_id = _key(decision)
        common = {
            "kind": kind,
            "document_key": session.pseudonyms.document_key(session.integration.code, kind, document_id),
            "order_number": order.number,
            "bookable": (kind, document_id) in real,
        }
        if isinstance(decision, Prepared):
            invoice = decision.invoice
            yield Candidate(
                **common, references=_references(invoice.invoice_number, settings, patterns),
                currency=invoice.currency, total_cents=kind.sign * cents(invoice.owed),
                vat_cents=kind.sign * cents(invoice.total_vat),
                issue_date=invoice.issue_date, fingerprint=session.pseudonyms.fingerprint(invoice),
                figures=figures_of(invoice), payment_method=invoice.payment_method, evidence=invoice.evidence,
            )  # fmt: skip
        elif decision.issue_date is not None and decision.result in (Result.QUARANTINED, Result.DEFERRED):
            called = settings.reference_prefix + order.number if kind is DocumentKind.INVOICE else None
            yield Candidate(
                **common, references=_references(called, settings, patterns) if called else (),
                currency=decision.currency, total_cents=cents(decision.total), vat_cents=cents(decision.vat),
                issue_date=decision.issue_date, fingerprint=None, reason=decision.reason,
            )  # fmt: skip


def _open_settings(settings: IntegrationSettings, status: str) -> IntegrationSettings:
    return settings.model_copy(
        update={"start_date": date.min, "trigger_statuses": {"*": (status,)}, "require_paid": {"*": False}}
    )


def _key(decision: Decision) -> tuple[DocumentKind, str]:
    document = decision.invoice if isinstance(decision, Prepared) else decision
    return document.kind, document.document_id


def _references(reference: str, settings: IntegrationSettings, patterns: Sequence[str]) -> tuple[str, ...]:
    bare = reference.removeprefix(settings.reference_prefix)
    return tuple(dict.fromkeys([reference, bare, *(pattern.replace(NUMBER, bare) for pattern in patterns)]))


# --------------------------------------------------------------------------------------------------------- storing


def _known(session: Session, matches: Sequence[Match], there: Set[str]) -> Iterator[Match]:
    """Tell apart what the store has already: one query for many documents. ``there``: the ids that the books hold."""
    for first in range(0, len(matches), _ROWS_PER_QUERY):
        part = matches[first : first + _ROWS_PER_QUERY]
        rows = session.bookings.latest([(m.candidate.kind, m.candidate.document_key) for m in part])
        for found in part:
            yield _with_row(found, rows.get((found.candidate.kind, found.candidate.document_key)), there)


def _with_row(found: Match, row: Booking | None, there: Set[str]) -> Match:
    if row is None or row.state is not BookingState.BOOKED:
        return found
    if row.external_id is not None and row.external_id not in there:  # deleted there; perhaps entered again by hand
        again = found.booked is not None and found.link is Link.LINKED
        return found.model_copy(update={"link": Link.ALREADY_LINKED if again else Link.GONE, "what": None})
    if found.link is Link.LINKED and found.booked is not None and found.booked.external_id != row.external_id:
        return found.model_copy(update={"link": Link.CONFLICT, "what": "already_booked"})
    answers = (*found.called_so, row.external_id) if row.external_id else found.called_so
    return found.model_copy(update={"link": Link.ALREADY_LINKED, "what": None, "called_so": answers})


def _linked(session: Session, found: Match, run_id: str, dry_run: bool) -> Match:
    if found.link is not Link.LINKED or found.booked is None or dry_run:
        return found
    try:
        _store(session, found.candidate, found.booked, run_id)
    except (Refused, Defect) as error:
        return found.model_copy(update={"link": Link.CONFLICT, "what": error.code})
    session.quarantine.close(found.candidate.kind, found.candidate.document_key, "adopted")
    return found


def _store(session: Session, candidate: Candidate, booked: Booked, run_id: str) -> None:
    session.bookings.adopt(
        kind=candidate.kind,
        document_key=candidate.document_key,
        revision=0,
        reference=booked.reference,
        reference_key=session.reference_key(booked.reference),
        order_number=candidate.order_number,
        fingerprint=candidate.fingerprint or UNKNOWN_CONTENT,
        total_cents=candidate.total_cents,
        vat_cents=candidate.vat_cents,
        currency=candidate.currency,
        issue_date=booked.issue_date,
        run_id=run_id,
        external_id=booked.external_id,
        debtor_id=booked.debtor_id,
        package_total_cents=cents(booked.total_with_vat),
        package_vat_cents=cents(booked.total_vat),
        figures=_agreed_figures(candidate, booked),
        payment_method=candidate.payment_method,
        evidence=candidate.evidence,
    )


def _agreed_figures(candidate: Candidate, booked: Booked) -> Figures | None:
    """Return what a later correction may take back: our figures, where the books have the VAT that they say.

    Who booked it on other rates or accounts must correct it himself: without figures a change waits for a person.
    """
    if candidate.figures is None:
        return None
    off = abs(cents(booked.total_vat) - candidate.vat_cents)
    return candidate.figures if off <= sum(figure.lines for figure in candidate.figures) else None


# ------------------------------------------------------------------------------------------------------- reporting


def _report(
    session: Session, matches: Sequence[Match], books: Sequence[Booked], period: tuple[date, date], *, dry_run: bool
) -> Adoption:
    sums: dict[tuple[Link, str], tuple[int, int]] = {}
    for found in matches:
        _add(sums, found.link, found.candidate.currency, found.candidate.total_cents)
    answered = {external_id for found in matches for external_id in found.called_so}
    for booked in books:
        if booked.external_id not in answered and period[0] <= booked.issue_date <= period[1]:
            _add(sums, Link.NOT_IN_SHOP, booked.currency, cents(booked.total_with_vat))
    links = list(Link)
    return Adoption(
        merchant=session.integration.merchant,
        integration=session.integration.code,
        start=period[0],
        end=period[1],
        dry_run=dry_run,
        stored=0 if dry_run else sum(found.link is Link.LINKED for found in matches),
        totals=tuple(
            LinkTotal(
                link=link,
                currency=currency,
                documents=sums[link, currency][0],
                total=from_cents(sums[link, currency][1]),
            )
            for link, currency in sorted(sums, key=lambda key: (links.index(key[0]), key[1]))
        ),
        lines=tuple(_line(found) for found in matches if _worth_a_look(found)),
    )


def _add(sums: dict[tuple[Link, str], tuple[int, int]], link: Link, currency: str, total_cents: int) -> None:
    count, total = sums.get((link, currency), (0, 0))
    sums[link, currency] = (count + 1, total + total_cents)


def _worth_a_look(found: Match) -> bool:
    """What is odd; and a credit note that is missing, because a former connector may have called it otherwise."""
    if found.link in _FOR_A_PERSON:
        return True
    if found.link is Link.NOT_IN_BOOKS:
        return found.candidate.kind is DocumentKind.CREDIT_NOTE
    return found.link is Link.LINKED and found.what is not None


def _line(found: Match) -> AdoptLine:
    candidate, booked = found.candidate, found.booked
    return AdoptLine(
        link=found.link,
        kind=candidate.kind,
        order_number=candidate.order_number,
        reference=booked.reference if booked else (candidate.references or ("",))[0],
        shop_total=from_cents(candidate.total_cents),
        books_total=booked.total_with_vat if booked else None,
        currency=candidate.currency,
        shop_date=candidate.issue_date,
        books_date=booked.issue_date if booked else None,
        what=found.what,
    )
