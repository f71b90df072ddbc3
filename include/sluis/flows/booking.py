"""Exactly once: claim, create, record. A claim without an answer is looked up in the books before any new create.

The order of steps is the protocol (DESIGN.md section 4): the debtor first (its creation is idempotent by our own key),
then the claim (committed), then one create, then the package's id (committed). Killed between any two of them, the next
run finds either no row (nothing was sent), a claim (look it up), or a booking (nothing to do).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sluis.core import reasons
from sluis.core.invoice import Decision, DocumentKind, DocumentOutcome, Invoice, Prepared, Result
from sluis.core.invoicing import called_after, outcome
from sluis.core.money import cents, from_cents
from sluis.errors import OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater
from sluis.flows.patience import Patience
from sluis.flows.wiring import Session
from sluis.ports import Booked, Debtor
from sluis.store.bookings import Booking, BookingState

log = logging.getLogger("sluis.booking")

#: How long an unanswered create may still be on its way inside the package before its absence proves anything.
SETTLE = timedelta(seconds=60)
#: After so many answers in a row that the package is away, the rest of the batch waits for another try.
PATIENCE = 3
#: How far a person may have moved the date of a document that we booked.
NEAR = timedelta(days=31)
#: How the run ids of ``flows.adopt`` begin; Airflow's begin with the type of the run.
ADOPT_RUN = "adopt__"
#: Skipped for a cause that lies in time and not in the order: it says nothing about what stands in the books.
_OF_THE_PAST = {reasons.BEFORE_START, reasons.TOO_OLD}

Key = tuple[DocumentKind, bytes]


@dataclass
class Booker:
    """Books the documents of one run into one administration; the caller holds the administration's lock."""

    session: Session
    run_id: str  #: the mark of this run's bookings (``Reports.mark``)
    matched_debtors: Mapping[str, str] = field(default_factory=dict)  #: contacts of before go-live, by customer key
    settle: timedelta = SETTLE
    patience: Patience = field(default_factory=Patience)
    sleep: Callable[[float], None] = time.sleep
    _rows: dict[Key, Booking] = field(default_factory=dict)
    _reported: dict[str, bool] = field(default_factory=dict)  # whether a run has a report, asked once
    _debtors: dict[str, str] = field(default_factory=dict)
    _waited: dict[Key, bool] = field(default_factory=dict)  # has (had) a row in quarantine; whether it is offered
    _booked_keys: set[str] = field(default_factory=set)
    _gone: set[str] = field(default_factory=set)
    _waiting: dict[str, str] = field(default_factory=dict)  # orders whose invoice was deferred, and why
    _away: int = 0
    _stopped: str | None = None

    must_retry: bool = False  #: a document was deferred for a cause that another try may mend (not a spent quota)
    quota_frees_in: timedelta | None = None  #: the package's own word, once its quota is spent

    def prefetch(self, decisions: Sequence[Decision]) -> None:
        """Read the rows of a chunk (bookings, quarantine, debtor links): one query each, not some per document."""
        invoices = [d.invoice for d in decisions if isinstance(d, Prepared)]
        keys = {self._key(i.kind, i.document_id) for i in invoices}
        self._waited = self.session.quarantine.known(sorted(keys))
        keys |= {self._key(DocumentKind.INVOICE, i.order_id) for i in invoices if i.kind is DocumentKind.CREDIT_NOTE}
        keys |= {self._key(d.kind, d.document_id) for d in decisions if isinstance(d, DocumentOutcome) and _skips(d)}
        self._rows = self.session.bookings.latest(sorted(keys))
        self._debtors = self.session.debtors.get_many(sorted({self._customer(i) for i in invoices}))

    def touch(self, on: date) -> None:
        """Keep the debtor links of what was booked since the last call alive."""
        if self._booked_keys:
            self.session.debtors.touch(sorted(self._booked_keys), on)
            self._booked_keys.clear()

    def book(self, invoice: Invoice) -> DocumentOutcome:
        """Bring one document to the books, or say why not. Raises ``Reconnect``, ``NotConfigured`` and ``Defect``."""
        invoice = self._named(invoice)
        existing = self._rows.get(self._key(invoice.kind, invoice.document_id))
        settled = self._settled(invoice, existing)
        if settled is not None:
            return settled
        if self._stopped:
            return self._deferred(invoice, self._stopped)
        try:
            made = self._create(invoice, existing)
        except QuotaSpent as error:
            self._stopped, self.quota_frees_in = reasons.QUOTA_SPENT, error.retry_after
            made = self._deferred(invoice, reasons.QUOTA_SPENT)
        except RetryLater as error:
            made = self._deferred(invoice, self._unanswered(invoice.order_number, error))
        except Refused as error:
            self._away = 0
            made = outcome(invoice, Result.QUARANTINED, reason=_reason(error), field=error.field)
        else:
            self._away = 0
        return made

    def skip(self, decision: DocumentOutcome) -> DocumentOutcome:
        """Return what becomes of a document that is not to be booked (any more): never silence over one that is.

        A booked order that was cancelled since waits for a person; a claim without an answer is looked up first.
        """
        row = self._rows.get(self._key(decision.kind, decision.document_id)) if _skips(decision) else None
        if row is None:
            return decision
        external_id = row.external_id
        if row.state is BookingState.CLAIMED:
            if self._stopped:
                self.must_retry = True
                return decision.model_copy(update={"result": Result.DEFERRED, "reason": self._stopped})
            try:
                found = self._look_up(row, None, decision.total)
            except RetryLater as error:
                reason = self._unanswered(decision.order_number, error)
                return decision.model_copy(update={"result": Result.DEFERRED, "reason": reason})
            if found is None:
                self.session.bookings.release(row.kind, row.document_key, row.revision)
                return decision
            external_id = found.external_id
            self.session.bookings.booked(
                row.kind, row.document_key, row.revision, external_id=external_id, debtor_id=found.debtor_id,
                package_total_cents=cents(found.total_with_vat), package_vat_cents=cents(found.total_vat), adopted=True,
            )  # fmt: skip
        changed = {"reason": reasons.CHANGED_AFTER_BOOKING, "field": decision.reason, "external_id": external_id}
        return decision.model_copy(update={"result": Result.QUARANTINED, **changed})

    # ---------------------------------------------------------------------------------------- what is known already

    def _named(self, invoice: Invoice) -> Invoice:
        """Call a credit note after its invoice as that stands in the books."""
        if invoice.kind is not DocumentKind.CREDIT_NOTE:
            return invoice
        of = self._rows.get(self._key(DocumentKind.INVOICE, invoice.order_id))
        return invoice if of is None or of.state is not BookingState.BOOKED else called_after(invoice, of.reference)

    def _settled(self, invoice: Invoice, existing: Booking | None) -> DocumentOutcome | None:
        """Return the outcome of a document that needs no call, ``None`` when it must be booked."""
        if invoice.kind is DocumentKind.CREDIT_NOTE:
            of = self._rows.get(self._key(DocumentKind.INVOICE, invoice.order_id))
            if (waits := self._waiting.get(invoice.order_id)) is not None:
                return self._deferred(invoice, waits)
            if of is None or of.state is not BookingState.BOOKED:
                return outcome(invoice, Result.QUARANTINED, reason=reasons.REFUND_OF_UNBOOKED_ORDER)
        if existing is not None and existing.state is BookingState.BOOKED:
            return self._again(invoice, existing)
        if existing is not None and existing.external_id is not None and self._stopped:
            return _stands_wrongly(invoice, existing)
        return None

    def _again(self, invoice: Invoice, existing: Booking) -> DocumentOutcome:
        """Tell a document that stands in the books from one that changed since."""
        if existing.fingerprint != self.session.pseudonyms.fingerprint(invoice):
            return outcome(
                invoice, Result.QUARANTINED, reason=reasons.CHANGED_AFTER_BOOKING, external_id=existing.external_id
            )
        if self._was_reported(existing.run_id):
            return outcome(invoice, Result.ALREADY_BOOKED, external_id=existing.external_id)
        if existing.run_id != self.run_id:
            key = (existing.kind, existing.document_key)
            self._rows[key] = self.session.bookings.take_over(*key, existing.revision, self.run_id)
        result = Result.ADOPTED if existing.adopted else Result.BOOKED
        return outcome(invoice, result, external_id=existing.external_id)

    def _was_reported(self, run_id: str) -> bool:
        """Whether what this run booked stands in a report, or was linked by ``sluis adopt``, which tells it itself.

        What an earlier try of this run, or a run that failed for good, has booked is told by the first report after it.
        """
        if run_id not in self._reported:
            self._reported[run_id] = run_id.startswith(ADOPT_RUN) or self.session.reports.told(run_id)
        return self._reported[run_id]

    # ------------------------------------------------------------------------------------------------- the protocol

    def _create(self, invoice: Invoice, existing: Booking | None) -> DocumentOutcome:
        if existing is not None and existing.external_id is not None:
            again = self._reconsidered(invoice, existing)
            if again is not None:
                return again
            existing = None
        if existing is not None and existing.state is BookingState.CLAIMED:
            found = self._look_up(existing, self._debtors.get(self._customer(invoice)), _signed(invoice))
            if found is not None:
                self._claim(invoice)  # by this run, whose report will tell of it; the row keeps what was sent
                return self._record(invoice, existing, found, adopted=True)
            self.session.bookings.release(invoice.kind, existing.document_key, existing.revision)
        elif (found := self._booked_by_hand(invoice)) is not None:
            return self._record(invoice, self._claim(invoice), found, adopted=True)
        debtor = self._debtor(invoice)
        try:
            claim, booked = self._send(invoice, debtor)
        except Refused as error:
            if error.code != "debtor_gone" or debtor.created:
                raise
            claim, booked = self._send(invoice, self._new_debtor(invoice))
        return self._record(invoice, claim, booked, adopted=False)

    def _send(self, invoice: Invoice, debtor: Debtor) -> tuple[Booking, Booked]:
        """Claim and create. Where the quota is spent the claim is taken back before the wait and made anew after it.

        A claim's age says how long an answer has been missing, so it must be no older than what was sent.
        """
        while True:
            claim = self._claim(invoice)
            if claim.attempts > 1:  # claimed since we looked: by a run whose connection, and lock with it, was lost
                raise OutcomeUnknown("another run has claimed this document; it is looked up by the next try")
            try:
                return claim, self.session.package.book(invoice, debtor.id)
            except OutcomeUnknown:
                raise
            except (RetryLater, Reconnect, Refused) as error:  # certainly not written: the number is free again
                self._release(invoice)
                if not (isinstance(error, QuotaSpent) and self.patience.wait(error)):
                    raise

    def _new_debtor(self, invoice: Invoice) -> Debtor:
        """The debtor was deleted in the package: forget the link and make another."""
        customer = self._customer(invoice)
        self.session.debtors.forget(customer)
        self._debtors.pop(customer, None)
        self._gone.add(customer)  # a contact matched at the start of the run may be the one that is gone
        return self._debtor(invoice)

    def _look_up(self, claim: Booking, debtor_id: str | None, total: Decimal) -> Booked | None:
        """Ask the books for an unanswered claim, not before the package had time to finish what it was sent.

        ``total`` (signed) stands in where the claim's own was emptied by retention.
        """
        wait = (claim.claimed_at + self.settle - datetime.now(UTC)).total_seconds()
        if wait > 0:
            log.info("order=%s has a claim without an answer; waiting %.0f s before it is looked up",
                     claim.order_number, wait)  # fmt: skip
            self.sleep(wait)
        sent = total if claim.total_cents is None else from_cents(claim.total_cents)
        return self._find(claim.reference, sent, claim.issue_date, debtor_id)

    def _booked_by_hand(self, invoice: Invoice) -> Booked | None:
        """Look up what waits, or once waited, in quarantine: a person may have followed our advice to book it by hand.

        He may have booked it on any contact, so all of them are looked at. One call, for such documents only.
        """
        if self._key(invoice.kind, invoice.document_id) not in self._waited:
            return None
        return self._find(invoice.invoice_number, _signed(invoice), invoice.issue_date, None)

    def _find(self, reference: str, total: Decimal, on: date, debtor_id: str | None) -> Booked | None:
        """Look among the debtor's documents, then among all: the order may have got another buyer since."""
        find, wait = self.session.package.find, self.patience.call
        found = wait(lambda: find(reference, total, on, debtor_id)) if debtor_id else None
        return found or wait(lambda: find(reference, total, on, None))

    def _deleted(self, invoice: Invoice, existing: Booking) -> bool:
        """Whether a document that stood wrongly in the books was deleted there, as we advised, and was offered again.

        Never without an offer. An offer comes of new settings too, so it must be gone under its reference *and* its id.
        """
        if not self._waited.get(self._key(invoice.kind, invoice.document_id)):
            return False
        around = (existing.issue_date - NEAR, existing.issue_date + NEAR)
        stand = self.patience.call(lambda: list(self.session.package.documents(*around)))
        return all(booked.external_id != existing.external_id for booked in stand)

    def _reconsidered(self, invoice: Invoice, existing: Booking) -> DocumentOutcome | None:
        """Look whether a document that stood wrongly was put right in the books; ``None``: there is none any more."""
        found = self._find(existing.reference, _signed(invoice), existing.issue_date, None)
        if found is None and self._deleted(invoice, existing):
            self.session.bookings.release(invoice.kind, existing.document_key, existing.revision)
            return None
        content = self._content(invoice)
        if (
            found is None
            or found.copies > 1
            or not _agrees(found, content["total_cents"], content["vat_cents"], invoice)
        ):
            return _stands_wrongly(invoice, existing)
        row = self.session.bookings.adopt(
            **content, external_id=found.external_id, debtor_id=found.debtor_id,
            package_total_cents=cents(found.total_with_vat), package_vat_cents=cents(found.total_vat),
        )  # fmt: skip
        self._rows[(row.kind, row.document_key)] = row
        return outcome(invoice, Result.ADOPTED, external_id=found.external_id)

    def _debtor(self, invoice: Invoice) -> Debtor:
        customer = self._customer(invoice)
        matched = None if customer in self._gone else self.matched_debtors.get(customer)
        known = self._debtors.get(customer) or matched
        make = self.session.package.debtor
        debtor = Debtor(id=known, created=False) if known else self.patience.call(lambda: make(invoice.buyer, customer))
        if self._debtors.get(customer) != debtor.id:
            self._debtors[customer] = self.session.debtors.put(customer, debtor.id)
        return Debtor(id=self._debtors[customer], created=debtor.created)

    def _claim(self, invoice: Invoice) -> Booking:
        return self.session.bookings.claim(**self._content(invoice))

    def _content(self, invoice: Invoice) -> dict[str, Any]:
        kind, key = self._key(invoice.kind, invoice.document_id)
        return {
            "kind": kind,
            "document_key": key,
            "revision": 0,
            "reference": invoice.invoice_number,
            "order_number": invoice.order_number,
            "fingerprint": self.session.pseudonyms.fingerprint(invoice),
            "total_cents": cents(_signed(invoice)),
            "vat_cents": kind.sign * cents(invoice.total_vat),
            "currency": invoice.currency,
            "issue_date": invoice.issue_date,
            "run_id": self.run_id,
        }

    def _release(self, invoice: Invoice) -> None:
        kind, key = self._key(invoice.kind, invoice.document_id)
        self.session.bookings.release(kind, key, 0)

    def _record(self, invoice: Invoice, claim: Booking, booked: Booked, *, adopted: bool) -> DocumentOutcome:
        """Write the package's answer down, measured against what was *sent*: the order may have changed since."""
        kind, key = self._key(invoice.kind, invoice.document_id)
        sent, sent_vat = claim.total_cents or 0, claim.vat_cents or 0
        got, got_vat = cents(booked.total_with_vat), cents(booked.total_vat)
        if booked.reference.split() != claim.reference.split():  # an answer to something else proves nothing
            return self._wrong(invoice, booked, reasons.TOTAL_DIFFERS, "reference")
        if not _agrees(booked, sent, sent_vat, invoice):
            field = f"books={got} sent={sent} vat_books={got_vat} vat_sent={sent_vat}"
            return self._wrong(invoice, booked, reasons.TOTAL_DIFFERS, field)
        if booked.copies > 1:
            return self._wrong(invoice, booked, reasons.BOOKED_TWICE, f"copies={booked.copies}")
        row = self.session.bookings.booked(
            kind, key, 0,
            external_id=booked.external_id, debtor_id=booked.debtor_id or self._debtors.get(self._customer(invoice)),
            package_total_cents=got, package_vat_cents=got_vat, adopted=adopted,
        )  # fmt: skip
        self._rows[(kind, key)] = row
        self._booked_keys.add(self._customer(invoice))
        if row.fingerprint != self.session.pseudonyms.fingerprint(invoice):
            return self._again(invoice, row)
        return outcome(invoice, Result.ADOPTED if adopted else Result.BOOKED, external_id=booked.external_id)

    def _wrong(self, invoice: Invoice, booked: Booked, reason: str, field: str) -> DocumentOutcome:
        """Quarantine a document that stands in the books, but not as it should: it is not created again by itself."""
        kind, key = self._key(invoice.kind, invoice.document_id)
        self.session.bookings.quarantine(kind, key, 0, reason, booked.external_id)
        return outcome(invoice, Result.QUARANTINED, reason=reason, field=field, external_id=booked.external_id)

    # ---------------------------------------------------------------------------------------------------- deferring

    def _deferred(self, invoice: Invoice, reason: str) -> DocumentOutcome:
        if invoice.kind is DocumentKind.INVOICE:
            self._waiting[invoice.order_id] = reason  # and its credit notes with it
        return outcome(invoice, Result.DEFERRED, reason=reason)

    def _unanswered(self, order_number: str, error: RetryLater) -> str:
        """Note that another try is needed; returns the reason for the document."""
        log.warning("order=%s was not booked now: %s", order_number, error)
        self.must_retry = True
        self._away += 1
        if self._away >= PATIENCE:
            self._stopped = reasons.PACKAGE_UNAVAILABLE
        return reasons.OUTCOME_UNKNOWN if isinstance(error, OutcomeUnknown) else reasons.PACKAGE_UNAVAILABLE

    def _key(self, kind: DocumentKind, document_id: str) -> Key:
        return kind, self.session.pseudonyms.document_key(self.session.integration.code, kind, document_id)

    def _customer(self, invoice: Invoice) -> str:
        return self.session.pseudonyms.customer_key(
            invoice.buyer, invoice.order_id, integration_code=self.session.integration.code
        )


def _signed(invoice: Invoice) -> Decimal:
    return invoice.kind.sign * invoice.total_with_vat


def _agrees(booked: Booked, total_cents: int, vat_cents: int, invoice: Invoice) -> bool:
    """Whether the books hold the total to the cent, and its VAT within a cent per line."""
    vat_off = abs(cents(booked.total_vat) - vat_cents)
    return cents(booked.total_with_vat) == total_cents and vat_off <= len(invoice.lines)


def _skips(decision: DocumentOutcome) -> bool:
    """Whether a document is left out for what it is now, so that a booking of it would be out of date."""
    return decision.result is Result.SKIPPED and decision.reason not in _OF_THE_PAST


def _stands_wrongly(invoice: Invoice, existing: Booking) -> DocumentOutcome:
    reason = existing.reason or reasons.TOTAL_DIFFERS
    return outcome(invoice, Result.QUARANTINED, reason=reason, external_id=existing.external_id)


def _reason(error: Refused) -> str:
    return error.code if error.code in reasons.REASONS else reasons.REFUSED_BY_PACKAGE
