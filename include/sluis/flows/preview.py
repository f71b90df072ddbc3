"""What would be booked for a period, with totals per VAT rate. Reads shop and store, writes nothing anywhere.

The decisions are those of a run (``transform.decide``): the core's, the mapping's and the suites'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from sluis.core import reasons
from sluis.core.frozen import Frozen
from sluis.core.invoice import Decision, DocumentKind, DocumentOutcome, Invoice, Prepared, Result
from sluis.core.invoicing import unreadable
from sluis.core.money import ZERO, Amount, Number
from sluis.core.order import Order, Unreadable
from sluis.flows.evidence import Gathering
from sluis.flows.period import OutcomeTotal, Totals, days
from sluis.flows.transform import decide
from sluis.flows.wiring import Session
from sluis.store.bookings import BookingState


class PreviewLine(Frozen):
    """One document and what would become of it. Amounts signed: a credit note is below zero."""

    kind: DocumentKind
    order_number: str
    result: Result  #: ``booked`` means: would be booked
    reason: str | None
    field: str | None
    reference: str | None
    issue_date: date | None
    currency: str
    total: Amount
    vat: Amount
    rule: str | None
    warnings: tuple[str, ...]


class VatTotal(Frozen):
    """What would be booked under one VAT category, rate (percent) and country. Amounts signed, in ``currency``."""

    category: str
    rate: Number
    country: str
    currency: str
    documents: int
    taxable_amount: Amount
    vat_amount: Amount


class Preview(Frozen):
    """A period, both days included, in the shop's time zone."""

    merchant: str
    integration: str
    start: date
    end: date
    settings_version: int
    orders: int  #: that the shop showed
    outcomes: tuple[OutcomeTotal, ...]  #: ``booked`` means: would be booked
    vat: tuple[VatTotal, ...]
    missing: tuple[str, ...]  #: settings that must be filled first
    lines: tuple[PreviewLine, ...]


def preview(session: Session, start: date, end: date) -> Preview:
    """Show what would become of the orders dated from ``start`` to ``end``; raises what the shop connector raises."""
    making = _Making(session, start, end)
    for page in session.shop.read(days(start, end, session.integration.settings), by="dated"):
        making.page(page.documents)
    return Preview(
        merchant=session.integration.merchant,
        integration=session.integration.code,
        start=start,
        end=end,
        settings_version=session.integration.settings_version,
        orders=making.orders,
        outcomes=making.totals.totals(),
        vat=making.vat_totals(),
        missing=tuple(sorted(making.missing)),
        lines=tuple(making.lines),
    )


class _Making:
    """Gathers a preview page by page; keeps lines and sums, no order."""

    def __init__(self, session: Session, start: date, end: date) -> None:
        self.session, self.start, self.end = session, start, end
        self.settings = session.integration.settings
        self.read_at = datetime.now(UTC)
        self._gathering = Gathering(session, keep=False)
        self.orders = 0
        self.totals = Totals()
        self.missing: set[str] = set()
        self.lines: list[PreviewLine] = []
        self._references: set[str] = set()
        self._vat: dict[tuple[str, Decimal, str, str], tuple[int, Decimal, Decimal]] = {}

    def page(self, documents: Sequence[Order | Unreadable]) -> None:
        """Judge the documents of one page, with one look at the bookings for all of them."""
        here = {name for document in documents for name in self._here(document)}
        decided = decide(documents, self.session, self._gathering, read_at=self.read_at, window=None)
        decisions = [decision for decision in decided if _name(decision) in here]
        self.orders += sum(kind is DocumentKind.INVOICE for kind, _ in here)
        booked = self._booked([d.invoice for d in decisions if isinstance(d, Prepared)])
        for decision in decisions:
            if isinstance(decision, Prepared):
                self._invoice(decision.invoice, booked)
            else:
                self._outcome(decision)

    def _here(self, document: Order | Unreadable) -> Iterator[tuple[DocumentKind, str]]:
        """What of a document belongs to the period: an order by its date, a refund by its own.

        The shop also shows older orders that were refunded in the period, and later refunds of the period's orders.
        """
        if isinstance(document, Unreadable):
            yield _name(unreadable(document))
            return
        if self._dated_here(document.created_at):
            yield DocumentKind.INVOICE, document.order_id
        for refund in document.refunds:
            if self._dated_here(refund.created_at):
                yield DocumentKind.CREDIT_NOTE, refund.refund_id

    def _dated_here(self, moment: datetime) -> bool:
        return self.start <= moment.astimezone(self.settings.zone).date() <= self.end

    def vat_totals(self) -> tuple[VatTotal, ...]:
        """Return the sums per VAT category, rate and country, the highest rate first."""
        keys = sorted(self._vat, key=lambda k: (k[3], k[2], k[0], -k[1]))
        return tuple(
            VatTotal(
                category=key[0], rate=key[1], country=key[2], currency=key[3],
                documents=self._vat[key][0], taxable_amount=self._vat[key][1], vat_amount=self._vat[key][2],
            )
            for key in keys
        )  # fmt: skip

    def _booked(self, invoices: Sequence[Invoice]) -> set[tuple[DocumentKind, str]]:
        code, names = self.session.integration.code, self.session.pseudonyms
        keys = {(i.kind, names.document_key(code, i.kind, i.document_id)): (i.kind, i.document_id) for i in invoices}
        rows = self.session.bookings.latest(sorted(keys)) if keys else {}
        return {keys[key] for key, row in rows.items() if row.state is BookingState.BOOKED}

    def _invoice(self, invoice: Invoice, booked: set[tuple[DocumentKind, str]]) -> None:
        result, reason, field = Result.BOOKED, None, None
        if (invoice.kind, invoice.document_id) in booked:
            result = Result.ALREADY_BOOKED
        elif invoice.invoice_number in self._references:
            result, reason, field = Result.QUARANTINED, reasons.DUPLICATE_NUMBER, "number"
        self._references.add(invoice.invoice_number)
        if result is Result.BOOKED:
            self._add_vat(invoice)
        sign = invoice.kind.sign
        self._line(
            PreviewLine(
                kind=invoice.kind, order_number=invoice.order_number, result=result, reason=reason, field=field,
                reference=invoice.invoice_number, issue_date=invoice.issue_date, currency=invoice.currency,
                total=sign * invoice.total_with_vat, vat=sign * invoice.total_vat, rule=invoice.rule,
                warnings=invoice.warnings,
            )
        )  # fmt: skip

    def _outcome(self, outcome: DocumentOutcome) -> None:
        if outcome.reason == reasons.MAPPING_MISSING and outcome.field:
            self.missing.add(outcome.field)
        names = set(PreviewLine.model_fields)
        self._line(PreviewLine(**{name: value for name, value in outcome if name in names}))

    def _line(self, line: PreviewLine) -> None:
        self.lines.append(line)
        self.totals.add(line.result, line.reason, line.currency, line.total)

    def _add_vat(self, invoice: Invoice) -> None:
        sign = invoice.kind.sign
        for part in invoice.vat_breakdown:
            treatment = part.treatment
            key = (treatment.category.value, treatment.rate, treatment.country, invoice.currency)
            count, taxable, vat = self._vat.get(key, (0, ZERO, ZERO))
            self._vat[key] = (count + 1, taxable + sign * part.taxable_amount, vat + sign * part.vat_amount)


def _name(decision: Decision) -> tuple[DocumentKind, str]:
    """Return kind and id of the shop's own document, also for a part of it."""
    document = decision.invoice if isinstance(decision, Prepared) else decision
    return document.kind, document.document_id.removesuffix(f"/{document.part}" if document.part else "")
