"""What becomes of each document of a run: booked, found, already there, corrected, or left to a person. Never twice.

The booking rows say what stands in the books; ``booking_sending`` brings a document there, ``correcting`` takes back
what was booked and has changed since. A credit note goes with its invoice: on the same debtor and in the same form,
numbered after it as it stands.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sluis.core import reasons
from sluis.core.invoice import Decision, DocumentKind, DocumentOutcome, Invoice, Prepared, Result, invoice_id
from sluis.core.invoicing import called_after, outcome
from sluis.core.journals import paid_of
from sluis.errors import OutcomeUnknown, QuotaSpent, Refused, RetryLater
from sluis.flows import posting
from sluis.flows.booking_debtors import Debtors
from sluis.flows.booking_rows import Rows, called
from sluis.flows.booking_sending import Document, Halted, Placed, Sender
from sluis.flows.booking_told import as_it_stands, expired, not_before, reason_of, told_as
from sluis.flows.correcting import Corrector, Made, Order, form_back
from sluis.flows.late_payments import LatePayments
from sluis.flows.patience import Patience
from sluis.flows.wiring import Session
from sluis.store.bookings import Booking, BookingState

log = logging.getLogger("sluis.booking")

#: How long an unanswered create may still be on its way inside the package before its absence proves anything.
SETTLE = timedelta(seconds=60)
#: After so many answers in a row that the package is away, the rest of the batch waits for another try.
PATIENCE = 3
#: How the run ids of ``flows.adopt`` begin; Airflow's begin with the type of the run.
ADOPT_RUN = "adopt__"
#: Skipped for a cause that lies in time and not in the order: it says nothing about what stands in the books.
_OF_THE_PAST = {reasons.BEFORE_START, reasons.TOO_OLD}


@dataclass
class Booker:
    """Books the documents of one run into one administration; the caller holds the administration's lock."""

    session: Session
    run_id: str  #: the mark of this run's bookings (``Reports.mark``)
    matched_debtors: Mapping[str, str] = field(default_factory=dict)  #: contacts of before go-live, by customer key
    settle: timedelta = SETTLE
    patience: Patience = field(default_factory=Patience)
    sleep: Callable[[float], None] = time.sleep
    _reported: dict[str, bool] = field(default_factory=dict)  # whether a run has a report, asked once
    _waiting: dict[str, str] = field(default_factory=dict)  # orders whose invoice was deferred, and why
    _refunds: dict[str, list[Invoice]] = field(default_factory=dict)  # of the chunk, by the order's id
    _away: int = 0

    must_retry: bool = False  #: a document was deferred for a cause that another try may mend (not a spent quota)
    quota_frees_in: timedelta | None = None  #: the package's own word, once its quota is spent

    def __post_init__(self) -> None:
        self._rows = Rows(self.session)
        self._debtors = Debtors(self.session, self.patience, self.matched_debtors)
        self._sender = Sender(
            self.session, self.run_id, self._rows, self._debtors, self.settle, self.patience, self.sleep
        )
        self._corrector = Corrector(self.session, self._rows, self._sender)
        self.late = LatePayments(self.session, self.run_id, self.patience, self.settle, sleep=self.sleep)

    def prefetch(self, decisions: Sequence[Decision]) -> None:
        """Read the rows of a chunk (bookings, quarantine, debtor links): one query each, not some per document."""
        self._rows.load(decisions)
        self._refunds = {}
        for decision in decisions:
            if isinstance(decision, Prepared) and decision.invoice.kind is DocumentKind.CREDIT_NOTE:
                self._refunds.setdefault(decision.invoice.order_id, []).append(decision.invoice)
        self._debtors.load([d.invoice for d in decisions if isinstance(d, Prepared)])

    def touch(self, on: date) -> None:
        """Keep the debtor links of what was booked since the last call alive."""
        self._debtors.touch(on)

    def drain(self) -> list[Made]:
        """Return what was made since the last call beside the documents of the shop: reversals."""
        made, self._corrector.made = self._corrector.made, []
        return made

    def rows(self, decisions: Sequence[Decision]) -> list[Booking]:
        """Return the rows of the documents that are to be booked, as far as there are any."""
        return [row for d in decisions if isinstance(d, Prepared) and (row := self.row(d.invoice)) is not None]

    def row(self, invoice: Invoice) -> Booking | None:
        """Return the row of a document as it stands now."""
        return self._rows.latest(self._rows.key(invoice.kind, invoice.document_id))

    def credited_by(self, refund: Invoice) -> Booking | None:
        """Return what took back the sale of a refund that has no credit note of its own."""
        sale = self._rows.sale(refund.order_id, refund.part)
        document_id = invoice_id(refund.order_id, refund.part)
        return self._rows.reversal(document_id, sale.revision) if sale is not None else None

    def book(self, decision: Prepared) -> DocumentOutcome:
        """Bring one document to the books, or say why not. Raises ``Reconnect``, ``NotConfigured`` and ``Defect``."""
        invoice = self._named(decision.invoice)
        order = Order.of(invoice, decision.changed_at)

        def bring() -> DocumentOutcome:
            made = self._bring(invoice, decision, order)
            if invoice.kind is DocumentKind.INVOICE and not invoice.part and made.result in _STANDS:
                self._corrector.tidy(order)
            return made

        done = self._guarded(bring, outcome(invoice, Result.DEFERRED))
        if done.result is Result.DEFERRED and invoice.kind is DocumentKind.INVOICE:
            self._waiting[invoice.order_id] = done.reason or ""  # and its credit notes with it
        return done

    def skip(self, decision: DocumentOutcome) -> DocumentOutcome:
        """Return what becomes of a document that is not to be booked (any more): never silence over one that is.

        A booked order that was cancelled since is credited, or waits for a person; a claim without an answer is looked
        up first.
        """
        return self._guarded(lambda: self._left_out(decision), decision)

    def _guarded(self, act: Callable[[], DocumentOutcome], document: DocumentOutcome) -> DocumentOutcome:
        """Turn what stands in the way into the outcome of this one document."""
        try:
            done = act()
        except Halted as error:
            self.must_retry |= error.code != reasons.QUOTA_SPENT
            return told_as(document, Result.DEFERRED, error.code)
        except QuotaSpent as error:
            self._sender.stopped, self.quota_frees_in = reasons.QUOTA_SPENT, error.retry_after
            return told_as(document, Result.DEFERRED, reasons.QUOTA_SPENT)
        except RetryLater as error:
            return told_as(document, Result.DEFERRED, self._unanswered(document.order_number, error))
        except Refused as error:
            self._away = 0
            row = self._rows.latest(self._rows.key(document.kind, document.document_id))
            external_id = row.external_id if row is not None else None
            return told_as(document, Result.QUARANTINED, reason_of(error), error.field, external_id)
        if self._sender.answered:
            self._away, self._sender.answered = 0, False
        return done

    # ------------------------------------------------------------------------------------------------ what is to be

    def _bring(self, invoice: Invoice, decision: Prepared, order: Order) -> DocumentOutcome:
        if invoice.kind is DocumentKind.CREDIT_NOTE and (settled := self._with_its_sale(invoice)) is not None:
            return settled
        row = self.row(invoice)
        if row is not None and row.stands:
            return self._standing(invoice, row, order)
        if decision.unless_booked is not None and row is not None and row.state is BookingState.CLAIMED:
            placed = self._sender.settle_claim(row, invoice)
            if placed is not None:
                return self._placed(invoice, placed, order)
            row = self.row(invoice)
        if decision.unless_booked is not None and row is None:
            return outcome(invoice, Result.QUARANTINED, reason=decision.unless_booked, field="issue_date")
        return self._placed(invoice, self._sender.place(self._document(invoice, row, order), row), order)

    def _named(self, invoice: Invoice) -> Invoice:
        """Call a credit note after its invoice as that stands in the books."""
        if invoice.kind is not DocumentKind.CREDIT_NOTE:
            return invoice
        of = self._rows.sale(invoice.order_id, invoice.part)
        return called_after(invoice, of.reference) if of is not None and of.stands and of.reference else invoice

    def _with_its_sale(self, invoice: Invoice) -> DocumentOutcome | None:
        """Return what becomes of a credit note because of its invoice; ``None``: it is to be booked."""
        if (waits := self._waiting.get(invoice.order_id)) is not None:
            return outcome(invoice, Result.DEFERRED, reason=waits)
        sale = self._rows.sale(invoice.order_id, invoice.part)
        if sale is None or not sale.stands:
            refused = outcome(invoice, Result.QUARANTINED, reason=reasons.REFUND_OF_UNBOOKED_ORDER)
            return None if invoice.earlier else refused
        if not self._rows.reversed(invoice_id(invoice.order_id, invoice.part), sale):
            return None
        return self._credited(outcome(invoice, Result.SKIPPED, reason=reasons.CREDITED_WITH_ORDER))

    def _document(self, invoice: Invoice, row: Booking | None, order: Order) -> Document:
        """Return what is to be sent of a document whose row (``None``: there is none yet) does not stand."""
        settings = self.session.integration.settings
        revision = row.revision if row is not None else 0
        if invoice.kind is DocumentKind.INVOICE:
            former = self._rows.at(row.key, revision - 1) if row is not None and revision else None
            back = self._rows.reversal(invoice.document_id, revision - 1)
            if former is None or back is None:
                return Document(invoice, posting.form_of(invoice, settings), revision)
            return self._corrector.replacement(invoice, former, back, order)
        sale = self._rows.sale(invoice.order_id, invoice.part)
        if sale is None:
            return Document(invoice, posting.form_of(invoice, settings), revision)
        called(sale)  # a credit note names its invoice, or waits
        return Document(invoice, posting.form_of(invoice, settings, form_back(sale)), revision, sale.debtor_id)

    def _placed(self, invoice: Invoice, placed: Placed, order: Order) -> DocumentOutcome:
        row = placed.row
        if placed.result is Result.QUARANTINED:
            reason = row.reason or reasons.TOTAL_DIFFERS
            return outcome(invoice, placed.result, reason=reason, field=placed.field, external_id=row.external_id)
        return self._standing(invoice, row, order)

    # ---------------------------------------------------------------------------------------------- what stands there

    def _standing(self, invoice: Invoice, row: Booking, order: Order) -> DocumentOutcome:
        """Tell a document that stands in the books from one that was taken back, or changed, since."""
        same = row.fingerprint == self.session.pseudonyms.fingerprint(invoice)
        if (forgotten := expired(invoice, row, same=same)) is not None:
            return forgotten
        if invoice.kind is DocumentKind.CREDIT_NOTE:
            return self._credit_note_standing(invoice, row, order, same=same)
        back = self._corrector.settled_reversal(invoice.document_id, row, order)
        if back is not None:
            self._tell_reversal(invoice.document_id, back, order)
        elif same:
            return self._told(invoice, row, order)
        elif not self._by_person(row):
            same_money = row.waits_for_summary and paid_of(invoice) == row.paid
            if same_money and (held := self._held_anew(invoice, row)) is not None:
                return held
            beside = self._corrector.beside(invoice.document_id, row) if self._refunds_changed(invoice) else []
            row, *beside = (self._as_paid(invoice, one) for one in (row, *beside))
            back = self._corrector.reverse(invoice.document_id, row, order, beside, again=invoice)
        if back is None:  # a person corrects, or it was free: there is nothing to take back
            return self._for_a_person(invoice, row)
        placed = self._sender.place(self._corrector.replacement(invoice, row, back, order), None)
        return self._placed(invoice, placed, order)

    def _credit_note_standing(self, invoice: Invoice, row: Booking, order: Order, *, same: bool) -> DocumentOutcome:
        if not row.emptied and self._rows.netted(
            invoice_id(invoice.order_id, invoice.part), row
        ):  # the sale goes on after all
            document = self._document(not_before(invoice, self._rows.sale(invoice.order_id, invoice.part)), row, order)
            again = Document(document.invoice, document.form, row.revision + 1, document.debtor_id)
            return self._placed(invoice, self._sender.place(again, None), order)
        if not same and row.waits_for_summary and not self._by_person(row):  # nothing of it was sent
            held = self._held_anew(invoice, row)
            if held is not None:
                return held
        return self._told(invoice, row, order) if same else self._for_a_person(invoice, row)

    def _as_paid(self, document: Invoice | DocumentOutcome, row: Booking) -> Booking:
        """Return a row that is to be taken back with all that was paid on it; what has no answer is looked up first."""
        row, found = self.late.look_up(document, row)
        self._corrector.made += [Made(paid, None, row.document_key) for paid in found]
        return self._rows.keep(row)

    def _refunds_changed(self, invoice: Invoice) -> bool:
        """Whether the change of an order is one of its booked refunds too (another buyer, VAT number or rate).

        Then their credit notes are taken back with the invoice, and booked anew on its replacement.
        """
        for refund in self._refunds.get(invoice.order_id, ()):
            row = self.row(refund)
            same = row is None or row.fingerprint == self.session.pseudonyms.fingerprint(refund)
            if refund.part == invoice.part and not same:
                return True
        return False

    def _by_person(self, row: Booking) -> bool:
        """Whether a person corrects: by the settings, or because he has done so already."""
        return self.session.integration.settings.changed_orders == "quarantine" or self._rows.settled_by_hand(row.key)

    def _held_anew(self, invoice: Invoice, row: Booking) -> DocumentOutcome | None:
        """Change a document that no summary has taken: nothing of it was sent. ``None``: one has taken it since."""
        again = invoice.model_copy(update={"invoice_number": called(row)})
        form = posting.form_of(again, self.session.integration.settings)
        document = Document(again, form, row.revision)
        if form == "held":
            changed = self.session.bookings.rehold(**self._sender.content(document))
            if changed is None:
                return None
            done = self._rows.keep(changed)
        else:
            self._sender.release(row)
            placed = self._sender.place(document, None)
            if placed.result is Result.QUARANTINED:
                return outcome(again, placed.result, reason=placed.row.reason, external_id=placed.row.external_id)
            done = placed.row
        return as_it_stands(outcome(again, Result.CORRECTED), done)

    def _for_a_person(self, invoice: Invoice, row: Booking) -> DocumentOutcome:
        reason = reasons.CHANGED_AFTER_BOOKING
        return outcome(invoice, Result.QUARANTINED, reason=reason, external_id=row.external_id)

    def _told(self, invoice: Invoice, row: Booking, order: Order) -> DocumentOutcome:
        """Return the outcome of what stands as it should: of this run, or told by an earlier one."""
        back = self._rows.reversal(invoice.document_id, row.revision - 1)
        if back is not None and back.stands and invoice.kind is DocumentKind.INVOICE:
            self._tell_reversal(invoice.document_id, back, order)
        return as_it_stands(outcome(invoice, self._result(row)), row)

    def _tell_reversal(self, document_id: str, back: Booking, order: Order) -> None:
        """Tell a reversal that no report has told of: it was made by a run that failed before its own."""
        if self._result(back) is not Result.ALREADY_BOOKED:
            as_made = Result.ADOPTED if back.adopted else Result.BOOKED
            result = Result.SUMMARISED if back.state is BookingState.HELD else as_made
            self._corrector.tell(document_id, order, Placed(back, result))

    def _result(self, row: Booking) -> Result:
        """Say how a row that stands is told: what no report has told of is this run's."""
        if self._was_reported(row):
            return Result.ALREADY_BOOKED
        if row.run_id != self.run_id:
            self._rows.keep(self.session.bookings.take_over(*row.key, row.revision, self.run_id))
        if row.revision and row.kind is not DocumentKind.DAY_SUMMARY:
            return Result.CORRECTED
        if row.state is BookingState.HELD:
            return Result.SUMMARISED
        return Result.ADOPTED if row.adopted else Result.BOOKED

    def _was_reported(self, row: Booking) -> bool:
        """Whether its run stands in a report, or was one of ``sluis adopt``, which tells what it linked itself.

        What an earlier try of this run, or a run that failed for good, has booked is told by the first report after it.
        """
        if (run_id := row.run_id) not in self._reported:
            at = row.booked_at or row.claimed_at
            self._reported[run_id] = run_id.startswith(ADOPT_RUN) or self.session.reports.told(run_id, at)
        return self._reported[run_id]

    # ------------------------------------------------------------------------------------------- what is not to be

    def _left_out(self, decision: DocumentOutcome) -> DocumentOutcome:
        row = self._rows.latest(self._rows.key(decision.kind, decision.document_id))
        if decision.kind is DocumentKind.CREDIT_NOTE:
            return self._refund_left_out(decision, row)
        if row is None or decision.result is not Result.SKIPPED or decision.reason in _OF_THE_PAST:
            return decision
        if row.state is BookingState.CLAIMED:
            placed = self._sender.settle_claim(row, None)
            if placed is None:
                return decision
            row = placed.row
        order = Order.of(decision, decision.changed_at)
        if row.stands and self._corrector.settled_reversal(decision.document_id, row, order) is not None:
            return self._ended_before(decision, row, order)
        why = reasons.CHANGED_AFTER_BOOKING
        for_a_person = told_as(decision, Result.QUARANTINED, why, decision.reason, row.external_id)
        credits = self.session.integration.settings.cancelled_orders == "credit" and decision.ended
        if not row.stands or not credits or self._rows.settled_by_hand(row.key):
            return for_a_person
        return self._cancelled(decision, row, order)

    def _cancelled(self, decision: DocumentOutcome, row: Booking, order: Order) -> DocumentOutcome:
        """Credit what is left of a booked order that ended: its invoice less the credit notes on it."""
        beside = self._corrector.beside(decision.document_id, row)
        row, *beside = (self._as_paid(decision, one) for one in (row, *beside))
        back = self._corrector.reverse(decision.document_id, row, order, beside)
        self._corrector.tidy(order)
        if back is None:
            return decision
        done = told_as(decision, Result.CORRECTED, reasons.CANCELLED_AFTER_BOOKING, decision.reason, row.external_id)
        return done.model_copy(update={"reference": row.reference})

    def _ended_before(self, decision: DocumentOutcome, row: Booking, order: Order) -> DocumentOutcome:
        """Tell an order that is credited: by this run's report where no other has told of it."""
        back = self._rows.reversal(decision.document_id, row.revision)
        if back is None or self._result(back) is Result.ALREADY_BOOKED:
            return decision
        self._tell_reversal(decision.document_id, back, order)
        done = told_as(decision, Result.CORRECTED, reasons.CANCELLED_AFTER_BOOKING, decision.reason, row.external_id)
        return done.model_copy(update={"reference": row.reference})

    def _refund_left_out(self, decision: DocumentOutcome, row: Booking | None) -> DocumentOutcome:
        """Return what becomes of a refund whose order is not booked any more: its credit note counts as it stands."""
        of_ended = decision.result is Result.SKIPPED or decision.reason == reasons.REFUND_OF_UNBOOKED_ORDER
        if not of_ended or decision.reason in _OF_THE_PAST:
            return decision
        if row is not None and row.state is BookingState.CLAIMED:
            placed = self._sender.settle_claim(row, None)
            row = placed.row if placed is not None else None
        sale = self._rows.sale(decision.order_id)
        if row is not None and row.stands:
            return as_it_stands(told_as(decision, self._result(row), None), row)
        if sale is not None and sale.stands and self._rows.reversed(decision.order_id, sale):
            return told_as(decision, Result.SKIPPED, reasons.CREDITED_WITH_ORDER)
        return decision

    def _credited(self, refund: DocumentOutcome) -> DocumentOutcome:
        """Return what becomes of a refund whose order is credited whole."""
        row = self._rows.latest(self._rows.key(refund.kind, refund.document_id))
        return self._refund_left_out(refund, row)

    def _unanswered(self, order_number: str, error: RetryLater) -> str:
        """Note that another try is needed; returns the reason for the document."""
        log.warning("order=%s was not booked now: %s", order_number, error)
        self.must_retry = True
        self._away += 1
        if self._away >= PATIENCE:
            self._sender.stopped = reasons.PACKAGE_UNAVAILABLE
        return reasons.OUTCOME_UNKNOWN if isinstance(error, OutcomeUnknown) else reasons.PACKAGE_UNAVAILABLE


#: The books hold the document as it is now.
_STANDS = {Result.BOOKED, Result.ADOPTED, Result.SUMMARISED, Result.ALREADY_BOOKED, Result.CORRECTED}
