"""Corrections: what was booked and is not so any more is credited, and where the sale goes on, invoiced anew.

The order of steps: the reversal is brought to the books first, then the replacement, each by the protocol of
``booking_sending``. Killed between them, the next run finds a revision that is reversed and has no successor, and goes
on with the replacement. What the books hold of a document is known from the booking's own figures; where retention has
emptied them, or they were never known, a person corrects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sluis.core import journals, reasons
from sluis.core.figures import Figures, negated
from sluis.core.invoice import DocumentKind, DocumentOutcome, Invoice, Result, Role, invoice_id
from sluis.core.journals import Paid, paid_of, paid_together
from sluis.core.money import from_cents
from sluis.core.order import Buyer
from sluis.core.reversal import RULE, Taken, day_of, left, reversal, reversal_id, with_paid
from sluis.errors import Refused
from sluis.flows import posting
from sluis.flows.booking_rows import Rows, called, number_of
from sluis.flows.booking_sending import Document, Placed, Sender
from sluis.flows.posting import BookedAs
from sluis.flows.wiring import Session
from sluis.store.bookings import Booking, BookingState


@dataclass(frozen=True)
class Made:
    """A document that sluis made by itself, for the log and the report."""

    outcome: DocumentOutcome
    invoice: Invoice | None = None
    document_key: bytes | None = None  #: where it is not that of ``outcome.document_id``


@dataclass(frozen=True)
class Order:
    """What a reversal needs to know of the order."""

    order_id: str
    number: str
    changed_at: datetime  #: UTC
    buyer: Buyer  #: as the shop knows him now

    @classmethod
    def of(cls, document: Invoice | DocumentOutcome, changed_at: datetime | None) -> Order:
        """Return the order of a document; what the shop does not date has changed now."""
        return cls(document.order_id, document.order_number, changed_at or datetime.now(UTC), document.buyer or Buyer())


def form_back(row: Booking) -> BookedAs:
    """Return as what a document stands, which is the form of whatever takes it back."""
    if row.state is BookingState.HELD or row.summary_key is not None:
        return "held"
    return row.form


@dataclass
class Corrector:
    """Makes reversals and replacements for one run."""

    session: Session
    rows: Rows
    sender: Sender
    made: list[Made] = field(default_factory=list)
    _told: set[tuple[bytes, int]] = field(default_factory=set)

    def replacement(self, invoice: Invoice, former: Booking, back: Booking, order: Order) -> Document:
        """Return the next revision of a reversed invoice: numbered ``<number>-R<revision>``, dated on the change."""
        if former.emptied or back.emptied:
            raise Refused("its figures have expired", code=reasons.BOOKED_FIGURES_EXPIRED, field="figures")
        settings = self.session.integration.settings
        revision = former.revision + 1
        day, original = day_of(order.changed_at, max(former.issue_date, back.issue_date), settings)
        again = invoice.model_copy(
            update={
                "invoice_number": f"{number_of(former)}-R{revision}",
                "issue_date": day,
                "original_date": original,
                "preceding_invoice": former.reference,
            }
        )
        return self._carried(Document(again, posting.form_of(again, settings), revision), former, back)

    def _carried(self, document: Document, former: Booking, back: Booking) -> Document:
        """Let a replacement count as paid what the revision before it had, never the order's new total.

        Its entry holds of that only what the reversal took back of a clearing account (and what was paid back on the
        refunds that are booked anew on it); the rest never left the account. What is open then stands on the debtor, so
        by day it is an entry of its own. Raises ``Refused`` where it must be an invoice: a person corrects.
        """
        counted = former.paid or ()
        if former.form == "invoice" or not counted:
            return document
        invoice, settings = document.invoice, self.session.integration.settings
        netted = [row.paid or () for row in self.rows.booked_anew(invoice.document_id, former)]
        again = paid_together(_negative(paid) for paid in (back.paid or (), *netted))
        if again == counted == paid_of(invoice):
            return document
        if settings.booking_mode != "journal_entry" and journals.listed(invoice):
            raise _for_a_person("paid_amount")
        return Document(with_paid(invoice, again), "journal_entry", document.revision, paid=counted)

    def beside(self, document_id: str, row: Booking) -> list[Booking]:
        """Return the credit notes that stand on a booked invoice; a claim of one is looked up first."""
        standing = []
        for one in list(self.rows.credit_notes(document_id, row)):
            placed = self.sender.settle_claim(one, None) if one.state is BookingState.CLAIMED else None
            settled = placed.row if placed is not None else self.rows.latest(one.key)
            if settled is not None and settled.stands:
                standing.append(settled)
        return standing

    def reverse(
        self, document_id: str, row: Booking, order: Order, beside: Sequence[Booking] = (),
        *, again: Invoice | None = None,
    ) -> Booking | None:  # fmt: skip
        """Take a booked invoice back, less the credit notes on it (``beside``); ``None``: nothing of it is left.

        ``document_id`` is the invoice's; ``again`` what it is booked anew as. Money that came in stays on its clearing
        account and the customer gets a credit on his debtor, unless the replacement holds the very same payments.
        Raises what ``Sender.place`` raises, and ``Refused`` where its figures are not known, the reversal stands
        wrongly in the books or a person must correct.
        """
        settings = self.session.integration.settings
        moves = again is not None and paid_of(again) == (row.paid or ())
        if (
            again is not None
            and row.paid
            and not moves
            and settings.booking_mode != "journal_entry"
            and journals.listed(again)
        ):
            raise _for_a_person("paid_amount")
        taken = _taken([row, *beside], moves=moves)
        if not taken.figures:
            return None
        day, original = day_of(order.changed_at, row.issue_date, settings)
        back = reversal(taken, document_id=document_id, order_id=order.order_id, order_number=order.number,
                        buyer=order.buyer, on=day, original_date=original)  # fmt: skip
        form = form_back(row) if moves or form_back(row) != "held" else "journal_entry"
        document = Document(back, form, row.revision, row.debtor_id, negated(taken.figures))
        placed = self.sender.place(document, self.rows.reversal(document_id, row.revision))
        self.tell(document_id, order, _sound(placed), back)
        return placed.row

    def settled_reversal(self, document_id: str, row: Booking, order: Order) -> Booking | None:
        """Return what reverses a revision in the books, ``None`` where nothing does; a claim of it is looked up."""
        back = self.rows.reversal(document_id, row.revision)
        if back is None or back.stands:
            return back
        if back.state is BookingState.CLAIMED:
            placed = self.sender.settle_claim(back, None)
            if placed is None:
                return None
            self.tell(document_id, order, _sound(placed))
            return placed.row
        taken = _taken([row], moves=bool(back.paid))  # it stands wrongly: look whether a person has put it right
        invoice = reversal(taken, document_id=document_id, order_id=order.order_id, order_number=order.number,
                           buyer=order.buyer, on=back.issue_date)  # fmt: skip
        document = Document(invoice, back.form, back.revision, row.debtor_id, negated(taken.figures))
        placed = self.sender.place(document, back)
        self.tell(document_id, order, _sound(placed), invoice)
        return placed.row

    def tell(self, document_id: str, order: Order, placed: Placed, invoice: Invoice | None = None) -> None:
        """Note a reversal for the log and the report, once."""
        row = placed.row
        if (row.document_key, row.revision) in self._told:
            return
        self._told.add((row.document_key, row.revision))
        outcome = DocumentOutcome(
            kind=DocumentKind.CREDIT_NOTE,
            document_id=reversal_id(document_id),
            order_id=order.order_id,
            order_number=order.number,
            result=placed.result,
            rule=RULE,
            reference=row.reference,
            external_id=row.external_id,
            issue_date=row.issue_date,
            currency=row.currency,
            total=from_cents(row.total_cents or 0),
            vat=from_cents(row.vat_cents or 0),
            role=Role.OWN,
        )
        self.made.append(Made(outcome, invoice))

    def tidy(self, order: Order) -> None:
        """Take back what an edit took out of the order: a further document; and point at refunds that are gone.

        Raises what ``reverse`` raises.
        """
        for part, row in self.rows.vanished(order.order_id):
            document_id = invoice_id(order.order_id, part)
            if row.stands and self.settled_reversal(document_id, row, order) is None:
                self.reverse(document_id, row, order, self.beside(document_id, row))
        for row in self.rows.deleted_refunds(order.order_id):
            self._deleted(order, row)

    def _deleted(self, order: Order, row: Booking) -> None:
        outcome = DocumentOutcome(
            kind=row.kind,
            document_id=order.order_id,
            order_id=order.order_id,
            order_number=order.number,
            result=Result.QUARANTINED,
            reason=reasons.REFUND_DELETED,
            reference=row.reference,
            external_id=row.external_id,
            issue_date=row.issue_date,
            currency=row.currency,
            total=from_cents(row.total_cents or 0),
            vat=from_cents(row.vat_cents or 0),
            role=Role.OWN,
        )
        self.made.append(Made(outcome, None, row.document_key))


def _sound(placed: Placed) -> Placed:
    """Return what stands as it should; raises ``Refused`` for a reversal that the books hold with other amounts."""
    if placed.result is Result.QUARANTINED:
        raise Refused(
            f"the reversal {placed.row.reference} stands wrongly in the books",
            code=placed.row.reason,
            field=f"{placed.row.reference} {placed.field or ''}".strip(),
        )
    return placed


def _for_a_person(field: str) -> Refused:
    return Refused("what was paid is not its total", code=reasons.CHANGED_AFTER_BOOKING, field=field)


def _negative(paid: Iterable[Paid]) -> tuple[Paid, ...]:
    return tuple(part.model_copy(update={"cents": -part.cents}) for part in paid)


def _taken(booked: Sequence[Booking], *, moves: bool) -> Taken:
    """Add up what the books hold of a sale: its invoice first, then the credit notes on it; payments if they move."""
    sale = booked[0]
    figures: list[Figures] = [row.figures for row in booked if row.figures is not None]
    if any(row.emptied for row in booked):
        raise Refused("its figures have expired", code=reasons.BOOKED_FIGURES_EXPIRED, field="figures")
    if len(figures) < len(booked):
        raise Refused("its figures are not known", code=reasons.CHANGED_AFTER_BOOKING, field="figures")
    return Taken(
        reference=called(sale),
        figures=left(figures),
        paid=paid_together(row.paid or () for row in booked) if moves else (),
        currency=sale.currency,
        issue_date=sale.issue_date,
        payment_method=sale.payment_method or "",
    )
