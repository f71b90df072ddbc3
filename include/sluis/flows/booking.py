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

from sluis.core import reasons
from sluis.core.invoice import DocumentKind, DocumentOutcome, Invoice, Result
from sluis.core.invoicing import outcome
from sluis.core.money import cents, from_cents
from sluis.errors import OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater
from sluis.flows.wiring import Session
from sluis.ports import Booked, Debtor
from sluis.store.bookings import Booking, BookingState

log = logging.getLogger("sluis.booking")

#: How long an unanswered create may still be on its way inside the package before its absence proves anything.
SETTLE = timedelta(seconds=60)
#: After so many answers in a row that the package is away, the rest of the batch waits for another try.
PATIENCE = 3

Key = tuple[DocumentKind, bytes]


@dataclass
class Booker:
    """Books the documents of one run into one administration; the caller holds the administration's lock."""

    session: Session
    run_id: str
    reported_before: bool  #: the run already has a report: what it booked counts as booked before
    matched_debtors: Mapping[str, str] = field(default_factory=dict)  #: contacts of before go-live, by customer key
    settle: timedelta = SETTLE
    sleep: Callable[[float], None] = time.sleep
    _rows: dict[Key, Booking] = field(default_factory=dict)
    _debtors: dict[str, str] = field(default_factory=dict)
    _booked_keys: set[str] = field(default_factory=set)
    _gone: set[str] = field(default_factory=set)
    _away: int = 0
    _stopped: str | None = None

    @property
    def must_retry(self) -> bool:
        """Whether a document was deferred for a cause that another try of this task may mend (not a spent quota)."""
        return self._unfinished

    _unfinished: bool = False

    def prefetch(self, invoices: Sequence[Invoice]) -> None:
        """Read the booking rows and debtor links of a chunk: one query each instead of two per document."""
        keys = {self._key(i.kind, i.document_id) for i in invoices}
        keys |= {self._key(DocumentKind.INVOICE, i.order_id) for i in invoices if i.kind is DocumentKind.CREDIT_NOTE}
        self._rows = self.session.bookings.latest(sorted(keys))
        self._debtors = self.session.debtors.get_many(sorted({self._customer(i) for i in invoices}))

    def touch(self, on: date) -> None:
        """Keep the debtor links of what was booked since the last call alive."""
        if self._booked_keys:
            self.session.debtors.touch(sorted(self._booked_keys), on)
            self._booked_keys.clear()

    def book(self, invoice: Invoice) -> DocumentOutcome:
        """Bring one document to the books, or say why not. Raises ``Reconnect``, ``NotConfigured`` and ``Defect``."""
        existing = self._rows.get(self._key(invoice.kind, invoice.document_id))
        settled = self._settled(invoice, existing)
        if settled is not None:
            return settled
        if self._stopped:
            return self._deferred(invoice, self._stopped)
        try:
            made = self._create(invoice, existing)
        except QuotaSpent:
            self._stopped = reasons.QUOTA_SPENT
            made = self._deferred(invoice, reasons.QUOTA_SPENT)
        except RetryLater as error:
            made = self._unanswered(invoice, error)
        except Refused as error:
            made = outcome(invoice, Result.QUARANTINED, reason=_reason(error), field=error.field)
        else:
            self._away = 0
        return made

    # ---------------------------------------------------------------------------------------- what is known already

    def _settled(self, invoice: Invoice, existing: Booking | None) -> DocumentOutcome | None:
        """Return the outcome of a document that needs no call, ``None`` when it must be booked."""
        if invoice.kind is DocumentKind.CREDIT_NOTE:
            of = self._rows.get(self._key(DocumentKind.INVOICE, invoice.order_id))
            if of is None or of.state is not BookingState.BOOKED:
                return outcome(invoice, Result.QUARANTINED, reason=reasons.REFUND_OF_UNBOOKED_ORDER)
        if existing is None or existing.state is BookingState.CLAIMED:
            return None
        if existing.state is BookingState.BOOKED:
            return self._again(invoice, existing)
        if existing.external_id is None:
            return None
        return outcome(
            invoice,
            Result.QUARANTINED,
            reason=existing.reason or reasons.TOTAL_DIFFERS,
            external_id=existing.external_id,
        )

    def _again(self, invoice: Invoice, existing: Booking) -> DocumentOutcome:
        """Tell a document that stands in the books from one that changed since."""
        if existing.fingerprint != self.session.pseudonyms.fingerprint(invoice):
            return outcome(
                invoice, Result.QUARANTINED, reason=reasons.CHANGED_AFTER_BOOKING, external_id=existing.external_id
            )
        if existing.run_id == self.run_id and not self.reported_before:  # an earlier try of this very run
            result = Result.ADOPTED if existing.adopted else Result.BOOKED
            return outcome(invoice, result, external_id=existing.external_id)
        return outcome(invoice, Result.ALREADY_BOOKED, external_id=existing.external_id)

    # ------------------------------------------------------------------------------------------------- the protocol

    def _create(self, invoice: Invoice, existing: Booking | None) -> DocumentOutcome:
        if existing is not None and existing.state is BookingState.CLAIMED:
            found = self._look_up(invoice, existing)
            if found is not None:
                return self._record(invoice, existing, found, adopted=True)
            self.session.bookings.release(invoice.kind, existing.document_key, existing.revision)
        debtor = self._debtor(invoice)
        claim = self._claim(invoice)
        try:
            booked = self.session.package.book(invoice, debtor.id)
        except OutcomeUnknown:
            raise
        except (RetryLater, Reconnect, Refused) as error:  # certainly not written: the number is free again
            self._release(invoice)
            if isinstance(error, Refused) and error.code == "debtor_gone" and not debtor.created:
                return self._with_new_debtor(invoice)
            raise
        return self._record(invoice, claim, booked, adopted=False)

    def _with_new_debtor(self, invoice: Invoice) -> DocumentOutcome:
        """The debtor was deleted in the package: forget the link, make another and try once more."""
        customer = self._customer(invoice)
        self.session.debtors.forget(customer)
        self._debtors.pop(customer, None)
        self._gone.add(customer)  # a contact matched at the start of the run may be the one that is gone
        debtor = self._debtor(invoice)
        claim = self._claim(invoice)
        try:
            booked = self.session.package.book(invoice, debtor.id)
        except OutcomeUnknown:
            raise
        except (RetryLater, Reconnect, Refused):
            self._release(invoice)
            raise
        return self._record(invoice, claim, booked, adopted=False)

    def _look_up(self, invoice: Invoice, claim: Booking) -> Booked | None:
        """Ask the books for an unanswered claim, not before the package had time to finish what it was sent."""
        wait = (claim.claimed_at + self.settle - datetime.now(UTC)).total_seconds()
        if wait > 0:
            log.info("order=%s has a claim without an answer; waiting %.0f s before it is looked up",
                     invoice.order_number, wait)  # fmt: skip
            self.sleep(wait)
        total = from_cents(claim.total_cents if claim.total_cents is not None else _signed_cents(invoice))
        debtor_id = self._debtors.get(self._customer(invoice))
        return self.session.package.find(claim.reference, total, claim.issue_date, debtor_id)

    def _debtor(self, invoice: Invoice) -> Debtor:
        customer = self._customer(invoice)
        matched = None if customer in self._gone else self.matched_debtors.get(customer)
        known = self._debtors.get(customer) or matched
        debtor = Debtor(id=known, created=False) if known else self.session.package.debtor(invoice.buyer, customer)
        if self._debtors.get(customer) != debtor.id:
            self._debtors[customer] = self.session.debtors.put(customer, debtor.id)
        return Debtor(id=self._debtors[customer], created=debtor.created)

    def _claim(self, invoice: Invoice) -> Booking:
        kind, key = self._key(invoice.kind, invoice.document_id)
        return self.session.bookings.claim(
            kind=kind,
            document_key=key,
            revision=0,
            reference=invoice.invoice_number,
            order_number=invoice.order_number,
            fingerprint=self.session.pseudonyms.fingerprint(invoice),
            total_cents=_signed_cents(invoice),
            vat_cents=kind.sign * cents(invoice.total_vat),
            currency=invoice.currency,
            issue_date=invoice.issue_date,
            run_id=self.run_id,
        )

    def _release(self, invoice: Invoice) -> None:
        kind, key = self._key(invoice.kind, invoice.document_id)
        self.session.bookings.release(kind, key, 0)

    def _record(self, invoice: Invoice, claim: Booking, booked: Booked, *, adopted: bool) -> DocumentOutcome:
        kind, key = self._key(invoice.kind, invoice.document_id)
        sent, sent_vat = claim.total_cents or 0, claim.vat_cents or 0
        got, got_vat = cents(booked.total_with_vat), cents(booked.total_vat)
        if got != sent or abs(got_vat - sent_vat) > len(invoice.lines):
            self.session.bookings.quarantine(kind, key, 0, reasons.TOTAL_DIFFERS, booked.external_id)
            return outcome(invoice, Result.QUARANTINED, reason=reasons.TOTAL_DIFFERS, field=f"books={got} sent={sent}")
        row = self.session.bookings.booked(
            kind, key, 0,
            external_id=booked.external_id, debtor_id=booked.debtor_id or self._debtors.get(self._customer(invoice)),
            package_total_cents=got, package_vat_cents=got_vat, adopted=adopted,
        )  # fmt: skip
        self._rows[(kind, key)] = row
        self._booked_keys.add(self._customer(invoice))
        return outcome(invoice, Result.ADOPTED if adopted else Result.BOOKED, external_id=booked.external_id)

    # ---------------------------------------------------------------------------------------------------- deferring

    def _deferred(self, invoice: Invoice, reason: str) -> DocumentOutcome:
        return outcome(invoice, Result.DEFERRED, reason=reason)

    def _unanswered(self, invoice: Invoice, error: RetryLater) -> DocumentOutcome:
        unknown = isinstance(error, OutcomeUnknown)
        log.warning("order=%s was not booked now: %s", invoice.order_number, error)
        self._unfinished = True
        self._away += 1
        if self._away >= PATIENCE:
            self._stopped = reasons.PACKAGE_UNAVAILABLE
        return self._deferred(invoice, reasons.OUTCOME_UNKNOWN if unknown else reasons.PACKAGE_UNAVAILABLE)

    def _key(self, kind: DocumentKind, document_id: str) -> Key:
        return kind, self.session.pseudonyms.document_key(self.session.integration.code, kind, document_id)

    def _customer(self, invoice: Invoice) -> str:
        return self.session.pseudonyms.customer_key(
            invoice.buyer, invoice.order_id, integration_code=self.session.integration.code
        )


def _signed_cents(invoice: Invoice) -> int:
    return invoice.kind.sign * cents(invoice.total_with_vat)


def _reason(error: Refused) -> str:
    return error.code if error.code in reasons.REASONS else reasons.REFUSED_BY_PACKAGE
