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

from sluis.core import journals, reasons
from sluis.core.bookable import local_date
from sluis.core.invoice import DocumentOutcome, Invoice, Result, Role
from sluis.core.journals import Paid
from sluis.core.money import cents, from_cents
from sluis.core.order import Payment
from sluis.errors import OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater
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
        if not (own and self._settings.register_payments and row.paid is not None):
            return ()
        told: list[DocumentOutcome] = []
        counted = row.paid
        known = None
        for payment, name in journals.late(invoice.payments, row.paid, invoice.kind.sign):
            if known is None:
                known = [r for r in self._store.of([row.key]) if r.revision == row.revision]
            before = sum(r.state is PaymentState.BOOKED for r in known) + len(told)
            due = self._due(invoice, row, payment, name, before)
            claim = next((r for r in known if r.payment_key == due.place.payment_key), None)
            done = self._bring(invoice, row, due, claim, counted)
            told.append(done)
            if done.result not in (Result.BOOKED, Result.ADOPTED):
                break
            counted = journals.paid_together([counted, [due.paid]])
        return tuple(told)

    def _due(self, invoice: Invoice, row: Booking, payment: Payment, name: str, before: int) -> _Late:
        code = self._session.integration.code
        key = self._session.pseudonyms.payment_key(code, invoice.kind, invoice.document_id, name)
        amount = invoice.kind.sign * cents(payment.amount)
        return _Late(
            place=Place(kind=row.kind, document_key=row.document_key, revision=row.revision, payment_key=key),
            paid=Paid(method=payment.method, gift_card=payment.gift_card, cents=amount),
            on=local_date(payment.paid_at, self._settings),
            reference=f"{row.reference}-P{before + 1}",
        )

    def _bring(
        self, invoice: Invoice, row: Booking, due: _Late, claim: PaymentRow | None, counted: tuple[Paid, ...]
    ) -> DocumentOutcome:
        """Bring one payment to the books, or say why not."""
        told = _outcome(invoice, due)
        if self._stopped:
            return _with(told, Result.DEFERRED, self._stopped)
        after = journals.paid_together([counted, [due.paid]])
        try:
            found = self._look_up(claim, due) if claim is not None else None
            booked = found or self._send(row, due)
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
        self._store.counted(due.place, booked.external_id, after)
        log.info("order=%s payment %s booked", invoice.order_number, due.reference)
        return _with(told, Result.ADOPTED if found else Result.BOOKED, None).model_copy(
            update={"external_id": booked.external_id}
        )

    def _look_up(self, claim: PaymentRow, due: _Late) -> Booked | None:
        """Find out what became of an entry without an answer; what stands nowhere is free to be sent again."""
        wait = (claim.claimed_at + self._settle - datetime.now(UTC)).total_seconds()
        if wait > 0:
            log.info("a payment has a claim without an answer; waiting %.0f s before it is looked up", wait)
            self._sleep(wait)
        find = self._session.package.find_entry
        found = self._patience.call(lambda: find(due.reference, claim.paid_on))
        if found is None:
            self._store.release(due.place)
        return found

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
        while True:
            claim = self._store.claim(
                due.place, amount_cents=due.paid.cents, currency=row.currency, paid_on=on, account=account,
                run_id=self._run_id,
            )  # fmt: skip
            if claim is None:  # claimed since we looked: by a run whose connection, and lock with it, was lost
                raise OutcomeUnknown("another run has claimed this payment; it is looked up by the next try")
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


def _outcome(invoice: Invoice, due: _Late) -> DocumentOutcome:
    return DocumentOutcome(
        kind=invoice.kind,
        document_id=invoice.document_id,
        order_id=invoice.order_id,
        order_number=invoice.order_number,
        result=Result.BOOKED,
        reference=due.reference,
        issue_date=due.on,
        currency=invoice.currency,
        total=from_cents(due.paid.cents),
        part=PART,
        role=Role.OWN,
    )


def _with(told: DocumentOutcome, result: Result, reason: str | None, field: str | None = None) -> DocumentOutcome:
    return told.model_copy(update={"result": result, "reason": reason, "field": field})
