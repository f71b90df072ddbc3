"""What was paid after its document was booked as a journal entry: a further entry, once, that settles the debtor.

The entry of a document holds what was paid until then. Every later payment gets an entry of its own, numbered
``<number>-P1``, ``-P2``: debit the clearing account of its method, credit the receivable (paid back: the other way).
Claim, post, record, as for a document; what is counted as paid is written with the answer, so that a correction takes
back all of it. (What is paid on an invoice is registered on it: ``flows.payments``. A day holds settled orders only.)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sluis.core import journals, reasons
from sluis.core.bookable import local_date
from sluis.core.invoice import DocumentKind, DocumentOutcome, Invoice, Result, Role
from sluis.core.journals import Paid
from sluis.core.money import cents, from_cents
from sluis.core.order import Payment
from sluis.errors import OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater
from sluis.flows import posting, restoring
from sluis.flows.booking_sending import Halted
from sluis.flows.patience import Patience
from sluis.flows.payments import PART
from sluis.flows.payments_due import open_day
from sluis.flows.wiring import Session
from sluis.ports import Booked
from sluis.store.bookings import Booking, BookingState
from sluis.store.payments import PaymentRow, PaymentRows, PaymentState, Place

log = logging.getLogger("sluis.payments")


@dataclass(frozen=True)
class _Late:
    """A payment that no entry holds yet."""

    place: Place
    paid: Paid
    on: date
    reference: str


class LatePayments:
    """Posts the late payments of one run; the caller holds the administration's lock."""

    def __init__(
        self, session: Session, run_id: str, patience: Patience, settle: timedelta,
        *, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self.must_retry = False  #: a payment was deferred for a cause that another try may mend (not a spent quota)
        self._session, self._run_id, self._patience, self._sleep = session, run_id, patience, sleep
        self._settle = settle
        self._store = PaymentRows(session.conn, session.integration)
        self._settings = session.integration.settings
        self._stopped: str | None = None  # why the package is not asked any more in this run

    def settle(self, invoice: Invoice, row: Booking) -> tuple[DocumentOutcome, ...]:
        """Post what was paid since the document was booked; nothing for what is no entry of its own.

        Outcomes are ``Role.OWN``: booked, adopted (found in the books), quarantined or deferred; after one that is not
        booked the rest waits, so that the numbers stay in order. Raises ``Reconnect``.
        """
        own = row.form == "journal_entry" and row.state is BookingState.BOOKED and row.summary_key is None
        if own and row.emptied and posting.with_payments(self._settings):
            return self._forgotten(invoice, row)
        if not (own and posting.with_payments(self._settings) and row.paid is not None):
            return ()
        if _next(invoice, row, row.paid) is None:
            return ()
        claims, before = self._known(row)
        told: list[DocumentOutcome] = []
        counted = row.paid
        while (late := _next(invoice, row, counted)) is not None:
            number = before + len(told) + 1
            claim = claims.pop() if claims else None
            due = (
                self._due(invoice, row, *late, number) if claim is None else self._claimed(invoice, row, claim, number)
            )
            done = self._bring(invoice, row, due, claim, counted)
            if done is None:
                continue
            told.append(done)
            if done.result not in (Result.BOOKED, Result.ADOPTED):
                break
            counted = journals.paid_together([counted, [due.paid]])
        return tuple(told)

    def look_up(
        self, document: Invoice | DocumentOutcome, row: Booking
    ) -> tuple[Booking, tuple[DocumentOutcome, ...]]:  # fmt: skip
        """Find out what became of a payment without an answer before its document is taken back.

        Returns the row with what the books count as paid now, and what was found. ``document`` is of the row's order,
        or the row's own. Raises ``RetryLater`` (the outcome is still unknown), ``Reconnect``, and ``Refused``.
        """
        entry = row.form == "journal_entry" and row.state is BookingState.BOOKED and row.summary_key is None
        if not entry or row.paid is None:
            return row, ()
        row = self._session.bookings.latest([row.key]).get(row.key, row)
        claims, before = self._known(row)
        told: list[DocumentOutcome] = []
        counted = row.paid or ()
        for claim in claims:
            if self._stopped:
                raise Halted("no further call is made in this run", code=self._stopped)
            due = self._claimed(document, row, claim, before + len(told) + 1)
            found = self._found(claim, due)
            if found is not None:
                counted = journals.paid_together([counted, [due.paid]])
                self._store.counted(due.place, found.external_id, counted)
                made = _with(_outcome(document, due), Result.ADOPTED, None)
                told.append(made.model_copy(update={"kind": row.kind, "external_id": found.external_id}))
        return row.model_copy(update={"paid": counted}), tuple(told)

    def _forgotten(self, invoice: Invoice, row: Booking) -> tuple[DocumentOutcome, ...]:
        """Tell what was paid on an entry whose amounts have expired: what counts as paid there nobody knows any more.

        Only what came in after it was booked, beyond what was posted since, and what never got an answer.
        """
        booked = local_date(row.booked_at or row.claimed_at, self._settings)
        since = [paid for paid in invoice.payments if local_date(paid.paid_at, self._settings) > booked]
        posted = [paid for paid in self._store.of([row.key]) if paid.revision == row.revision]
        unanswered = any(paid.state is PaymentState.CLAIMED for paid in posted)
        if not unanswered and len(since) <= len(posted):
            return ()
        left = since[len(posted) :] or since
        total = invoice.kind.sign * cents(sum((paid.amount for paid in left), Decimal(0)))
        late = _Late(
            place=Place(kind=row.kind, document_key=row.document_key, revision=row.revision, payment_key=b""),
            paid=Paid(method="", gift_card=False, cents=total),
            on=max((local_date(paid.paid_at, self._settings) for paid in left), default=row.issue_date),
            reference=row.reference or "",
        )
        field = reasons.CLAIM_EXPIRED if unanswered else reasons.BOOKED_FIGURES_EXPIRED
        return (_with(_outcome(invoice, late), Result.QUARANTINED, reasons.PAYMENT_REFUSED, field),)

    def _known(self, row: Booking) -> tuple[list[PaymentRow], int]:
        """Return the claims without an answer on a document as it stands, and how many payments of it are booked."""
        known = [paid for paid in self._store.of([row.key]) if paid.revision == row.revision]
        claims = [paid for paid in known if paid.state is PaymentState.CLAIMED]
        return claims, sum(paid.state is PaymentState.BOOKED for paid in known)

    def _key(self, document: Invoice | DocumentOutcome, name: str) -> bytes:
        code = self._session.integration.code
        return self._session.pseudonyms.payment_key(code, document.kind, document.document_id, name)

    def _due(self, invoice: Invoice, row: Booking, payment: Payment, name: str, number: int) -> _Late:
        amount = invoice.kind.sign * cents(payment.amount)
        return _Late(
            place=Place(
                kind=row.kind, document_key=row.document_key, revision=row.revision,
                payment_key=self._key(invoice, name),
            ),
            paid=Paid(method=payment.method, gift_card=payment.gift_card, cents=amount),
            on=local_date(payment.paid_at, self._settings),
            reference=f"{row.reference}-P{number}",
        )  # fmt: skip

    def _claimed(self, document: Invoice | DocumentOutcome, row: Booking, claim: PaymentRow, number: int) -> _Late:
        """Return a payment as it was sent: the shop may tell another amount of it since, or nothing."""
        amount, day = claim.sent
        method, gift_card = self._way(document, row, claim)
        return _Late(
            place=claim,
            paid=Paid(method=method, gift_card=gift_card, cents=amount),
            on=day,
            reference=f"{row.reference}-P{number}",
        )

    def _way(self, document: Invoice | DocumentOutcome, row: Booking, claim: PaymentRow) -> tuple[str, bool]:
        """Return how a claim was paid: its own payment's method, else one that leads to the account it was posted on.

        A correction takes the money back from that account, whatever the method is called.
        """
        mapping = self._settings.mapping
        ways: list[tuple[str, bool]] = []
        if isinstance(document, Invoice) and document.kind is row.kind:
            late = list(journals.late(document.payments, row.paid or (), document.kind.sign))
            late.sort(key=lambda one: self._key(document, one[1]) != claim.payment_key)
            ways = [(payment.method, payment.gift_card) for payment, _ in late]
        ways += [(row.payment_method or "", False), *((paid.method, paid.gift_card) for paid in row.paid or ())]
        ways += [("", True), *((method, False) for method in mapping.clearing if method != "*"), ("", False)]
        leads = (way for way in ways if mapping.clearing_account(way[0], gift_card=way[1]) == claim.account)
        return next(leads, ways[0])

    def _bring(
        self, invoice: Invoice, row: Booking, due: _Late, claim: PaymentRow | None, counted: tuple[Paid, ...]
    ) -> DocumentOutcome | None:
        """Bring one payment to the books, or say why not; ``None``: nothing stands of the claim, which is free now."""
        told = _outcome(invoice, due)
        if self._stopped:
            return _with(told, Result.DEFERRED, self._stopped)
        after = journals.paid_together([counted, [due.paid]])
        try:
            booked = self._found(claim, due) if claim is not None else self._send(row, due)
        except QuotaSpent:
            self._stopped = reasons.QUOTA_SPENT
            return _with(told, Result.DEFERRED, self._stopped)
        except RetryLater as error:
            log.warning("order=%s: a payment was not posted now: %s", invoice.order_number, error)
            self.must_retry = True
            unknown = isinstance(error, OutcomeUnknown)
            self._stopped = reasons.OUTCOME_UNKNOWN if unknown else reasons.PACKAGE_UNAVAILABLE
            return _with(told, Result.DEFERRED, self._stopped)
        except Refused as error:
            return _with(told, Result.QUARANTINED, error.code, error.field)
        if booked is None:
            return None
        self._store.counted(due.place, booked.external_id, after)
        log.info("order=%s payment %s booked", invoice.order_number, due.reference)
        return _with(told, Result.ADOPTED if claim is not None else Result.BOOKED, None).model_copy(
            update={"external_id": booked.external_id}
        )

    def _found(self, claim: PaymentRow, due: _Late) -> Booked | None:
        """Find out what became of an entry without an answer; what stands nowhere is free to be sent again.

        Raises ``Refused`` for what stands there more than once, or in another currency: the claim stays.
        """
        wait = (claim.claimed_at + self._settle - datetime.now(UTC)).total_seconds()
        if wait > 0:
            log.info("a payment has a claim without an answer; waiting %.0f s before it is looked up", wait)
            self._sleep(wait)
        find = self._session.package.find_entry
        found = self._patience.call(lambda: find(due.reference, due.on))
        if found is None:
            self._store.release(due.place)
            return None
        return _once(found, due, claim.currency)

    def _posted_before(self, row: Booking, due: _Late, on: date) -> Booked | None:
        """Return the entry that a store which was put back from a backup does not know of any more."""
        if not restoring.may_hold(self._session.integration, (due.on,)):
            return None
        find = self._session.package.find_entry
        found = self._patience.call(lambda: find(due.reference, on))
        return found and _once(found, due, row.currency)

    def _send(self, row: Booking, due: _Late) -> Booked:
        """Claim and post; where the quota is spent the claim is taken back before the wait and made anew after it."""
        mapping = self._settings.mapping
        if (setting := journals.payment_missing(due.paid, mapping)) is not None:
            raise Refused(f"{setting} is not filled", code=reasons.MAPPING_MISSING, field=setting)
        on = open_day(due.on, self._settings)
        if on != due.on and self._settings.closed_period == "quarantine":
            raise Refused("its day lies in a closed period", code=reasons.PAYMENT_REFUSED, field="payment_date")
        entry = journals.payment_entry(due.reference, on, row.currency, due.paid, mapping, debtor_id=row.debtor_id)
        account = mapping.clearing_account(due.paid.method, gift_card=due.paid.gift_card) or ""
        posted = self._posted_before(row, due, on)
        while True:
            claim = self._store.claim(
                due.place, amount_cents=due.paid.cents, currency=row.currency, paid_on=on, account=account,
                run_id=self._run_id,
            )  # fmt: skip
            if claim is None:  # claimed since we looked: by a run whose connection, and lock with it, was lost
                raise OutcomeUnknown("another run has claimed this payment; it is looked up by the next try")
            if posted is not None:
                return posted
            try:
                return self._session.package.post(entry)
            except OutcomeUnknown:
                raise
            except (RetryLater, Reconnect, Refused) as error:  # certainly not written
                self._store.release(due.place)
                if isinstance(error, Refused):
                    field = error.field or error.code
                    raise Refused(str(error.args[0]), code=reasons.PAYMENT_REFUSED, field=field) from None
                if not (isinstance(error, QuotaSpent) and self._patience.wait(error)):
                    raise


def _once(found: Booked, due: _Late, currency: str) -> Booked:
    """Return what was found where it stands there once and in its currency; else raise ``Refused``."""
    if found.copies > 1:
        field = f"{due.reference} copies={found.copies}"
        raise Refused("a payment stands in the books more than once", code=reasons.BOOKED_TWICE, field=field)
    if found.currency != currency:
        field = f"{due.reference} currency"
        raise Refused("a payment stands wrongly in the books", code=reasons.PAYMENT_REFUSED, field=field)
    return found


def _next(invoice: Invoice, row: Booking, counted: tuple[Paid, ...]) -> tuple[Payment, str] | None:
    """Return the oldest payment beyond what counts as paid; of a replacement none that merely grew with its total."""
    corrected = invoice.kind is DocumentKind.INVOICE and row.revision > 0
    return next(journals.late(invoice.payments, counted, invoice.kind.sign, corrected=corrected), None)


def _outcome(document: Invoice | DocumentOutcome, due: _Late) -> DocumentOutcome:
    return DocumentOutcome(
        kind=document.kind,
        document_id=document.document_id,
        order_id=document.order_id,
        order_number=document.order_number,
        result=Result.BOOKED,
        reference=due.reference,
        issue_date=due.on,
        currency=document.currency,
        total=from_cents(due.paid.cents),
        part=PART,
        role=Role.OWN,
    )


def _with(told: DocumentOutcome, result: Result, reason: str | None, field: str | None = None) -> DocumentOutcome:
    return told.model_copy(update={"result": result, "reason": reason, "field": field})
