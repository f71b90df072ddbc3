"""From an order to the documents that go to the books: one decision for the order and one for each of its refunds.

The order of judging: is it to be booked at all (``bookable``), whose VAT is it (``vat``), do the amounts hold
(``amounts``). A document that fails goes to quarantine with a code and the field that is wrong; the others go on.

Refunds, decided here:

* A refund is a credit note at the order's own VAT decision, dated when it was made, never before its invoice.
* Credit notes are numbered ``-C1``, ``-C2`` over *all* refunds of the order in the order they were made, also those
  that are skipped or wait: the number of one never depends on the window that was read. A refund deleted in the shop
  moves the numbers of later ones; the reference a booking was claimed with stays, a clash is quarantined by the claim.
* A refund follows its order: skipped or quarantined for the same reason. But where money went back on an order that was
  sold and that sluis did not book (dated before the start, too old, or cancelled after payment), a credit note belongs
  with an invoice that stands elsewhere: ``refund_of_unbooked_order``, for a person.
* A refund without lines does not say which VAT it takes back and waits for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sluis.core import amounts, bookable, reasons, vat
from sluis.core.amounts import Figures, Part
from sluis.core.evidence import NO_EVIDENCE, Evidence, Needs
from sluis.core.invoice import (
    Decision,
    DocumentKind,
    DocumentOutcome,
    Invoice,
    InvoiceLine,
    Prepared,
    Result,
    VatBreakdown,
    VatCategory,
    VatTreatment,
    total,
)
from sluis.core.money import CENT, ZERO
from sluis.core.order import Order, OrderLine, Refund, Unreadable
from sluis.core.settings import IntegrationSettings
from sluis.errors import Refused

ROUNDING = "Rounding"
_VATEX = {VatCategory.EXPORT: "VATEX-EU-G"}


def needs(order: Order, settings: IntegrationSettings, *, today: date | None = None) -> Needs:
    """Return what must be asked of others before ``prepare`` can decide ``order``; nothing where it is skipped."""
    on = bookable.document_date(order, settings)
    if bookable.skip_reason(order, settings, on, today):
        return Needs()
    foreign = order.currency != settings.currency and settings.foreign_currency == "convert"
    return Needs(
        vat_number=vat.needs_number_check(order, settings, on), exchange=(order.currency, on) if foreign else None
    )


def prepare(
    order: Order, settings: IntegrationSettings, *, today: date | None = None, evidence: Evidence = NO_EVIDENCE
) -> tuple[Decision, ...]:
    """Return one decision for ``order`` and one for each of its refunds, in the order of their numbers.

    ``order.refunds`` must hold *all* refunds of the order: their numbers and the check on too much rest on it.
    ``today`` (in the shop's time zone) bounds the age of what is booked; ``None``: it is not looked at. Never raises
    for what a shop says. ``evidence`` is what was asked because of ``needs``.
    """
    on = bookable.document_date(order, settings)
    refunds = _in_sequence(order.refunds)
    try:
        reason = bookable.skip_reason(order, settings, on, today) or _nothing(order.lines, order.total)
        if reason:
            return _without_invoice(order, refunds, settings, on, reason)
        sale = _Sale.of(order, settings, on)
    except Refused as refused:
        first = _outcome(order, None, on, Result.QUARANTINED, reason=refused.code, field=refused.field)
        follow = (
            _outcome(
                order,
                refund,
                _refund_date(refund, settings, on),
                first.result,
                reason=first.reason,
                field=first.field,
            )
            for refund in refunds
        )
        return (first, *follow)
    credit_notes = (_refund_decision(sale, refunds, index) for index in range(len(refunds)))
    return (Prepared(invoice=sale.invoice), *credit_notes)


def unreadable(document: Unreadable) -> DocumentOutcome:
    """Return the outcome of an order (or one of its refunds) that could not be read or did not pass the suite."""
    return DocumentOutcome(
        kind=DocumentKind.CREDIT_NOTE if document.refund_id else DocumentKind.INVOICE,
        document_id=document.refund_id or document.order_id,
        order_id=document.order_id,
        order_number=document.number,
        result=Result.QUARANTINED,
        reason=document.code,
        field=document.field,
        issue_date=None,
        currency=document.currency,
        total=document.total or ZERO,
    )


def outcome(
    invoice: Invoice,
    result: Result,
    *,
    reason: str | None = None,
    field: str | None = None,
    external_id: str | None = None,
) -> DocumentOutcome:
    """Return what became of a prepared document. Amounts are signed: a credit note counts below zero."""
    sign = invoice.kind.sign
    return DocumentOutcome(
        kind=invoice.kind,
        document_id=invoice.document_id,
        order_id=invoice.order_id,
        order_number=invoice.order_number,
        result=result,
        reason=reason,
        field=field,
        rule=invoice.rule,
        reference=invoice.invoice_number,
        external_id=external_id,
        issue_date=invoice.issue_date,
        currency=invoice.currency,
        total=invoice.total_with_vat * sign,
        vat=invoice.total_vat * sign,
        warnings=invoice.warnings,
    )


def called_after(credit_note: Invoice, invoice_number: str) -> Invoice:
    """Return the credit note as one of the invoice that stands in the books under ``invoice_number``.

    The number of a booked invoice never changes, while the reference prefix of the settings may.
    """
    computed = credit_note.preceding_invoice
    if computed is None or computed == invoice_number:
        return credit_note
    number = invoice_number + credit_note.invoice_number.removeprefix(computed)
    return credit_note.model_copy(update={"invoice_number": number, "preceding_invoice": invoice_number})


# --------------------------------------------------------------------------------------------------------- refunds


def _in_sequence(refunds: Sequence[Refund]) -> tuple[Refund, ...]:
    """Sort by id where ids are numbers (a shop hands them out in sequence and never changes them), else by moment."""
    if all(refund.refund_id.isdecimal() for refund in refunds):
        return tuple(sorted(refunds, key=lambda refund: int(refund.refund_id)))
    return tuple(sorted(refunds, key=lambda refund: (refund.created_at, refund.refund_id)))


def _refund_date(refund: Refund, settings: IntegrationSettings, invoiced: date) -> date:
    return max(bookable.local_date(refund.created_at, settings), invoiced)


def _without_invoice(
    order: Order, refunds: Sequence[Refund], settings: IntegrationSettings, on: date, reason: str
) -> tuple[Decision, ...]:
    """Return the decisions where the order is skipped; a refund of a sale that sluis did not book needs a person."""
    decisions: list[Decision] = [_outcome(order, None, on, Result.SKIPPED, reason=reason)]
    sold = reason in (reasons.BEFORE_START, reasons.TOO_OLD) or (
        reason == reasons.STATUS_NOT_BOOKABLE and order.status in bookable.ENDED and order.paid_at is not None
    )
    for refund in refunds:
        day = bookable.local_date(refund.created_at, settings)
        result, code = Result.SKIPPED, reason
        if sold and day < settings.start_date:
            code = reasons.BEFORE_START
        elif sold:
            result, code = Result.QUARANTINED, reasons.REFUND_OF_UNBOOKED_ORDER
        decisions.append(_outcome(order, refund, day, result, reason=code))
    return tuple(decisions)


def _refund_decision(sale: _Sale, refunds: Sequence[Refund], index: int) -> Decision:
    refund = refunds[index]
    day = _refund_date(refund, sale.settings, sale.invoice.issue_date)
    if _nothing(refund.lines, refund.total):
        return _outcome(sale.order, refund, day, Result.SKIPPED, reason=reasons.NOTHING_TO_BOOK)
    field = f"refunds[{index}]"
    try:
        if total(other.total for other in refunds[: index + 1]) > sale.order.total:
            raise Refused("more was refunded than sold", code=reasons.REFUND_EXCEEDS_ORDER, field=f"{field}.total")
        return Prepared(invoice=_credit_note(sale, refund, index + 1, day, field))
    except Refused as refused:
        return _outcome(sale.order, refund, day, Result.QUARANTINED, reason=refused.code, field=refused.field)


def _credit_note(sale: _Sale, refund: Refund, number: int, day: date, field: str) -> Invoice:
    if refund.total < 0:
        raise Refused("a refund is positive", code=reasons.NEGATIVE_TOTAL, field=f"{field}.total")
    if not refund.lines:
        raise Refused("the refund names no lines", code=reasons.REFUND_WITHOUT_LINES, field=f"{field}.lines")
    _judge(sale.facts, refund.lines, f"{field}.lines")
    parts = amounts.parts_of(refund.lines, f"{field}.lines")
    strange = next((part for part in parts if part.net and part.rate not in sale.rates), None)
    if strange:
        raise Refused("the order has no such rate", code=reasons.REFUND_DIFFERS, field=strange.field)
    whole = refund.total == sale.order.total and _sums(parts) == _sums(sale.parts)
    figures = amounts.settle(parts, amounts.per_rate(sale.order.vat) if whole else {}, refund.total)
    if abs(figures.residual) > CENT * len(refund.lines):
        raise Refused("the refund's lines are not its total", code=reasons.REFUND_DIFFERS, field=f"{field}.total")
    document = _Document(DocumentKind.CREDIT_NOTE, refund.refund_id, f"{sale.invoice.invoice_number}-C{number}", day)
    return _assemble(sale.order, sale.facts, document, figures, refund.total, preceding=sale.invoice.invoice_number)


def _sums(parts: Sequence[Part]) -> dict[Decimal | None, tuple[Decimal, Decimal]]:
    """Return net and VAT per rate; equal for an order and the refund of everything in it."""
    rates = {part.rate for part in parts if part.net or part.vat}
    return {
        rate: (total(p.net for p in parts if p.rate == rate), total(p.vat for p in parts if p.rate == rate))
        for rate in rates
    }


# -------------------------------------------------------------------------------------------------------- invoices


@dataclass(frozen=True)
class _Document:
    """What a document is called and dated."""

    kind: DocumentKind
    document_id: str
    number: str
    day: date


@dataclass(frozen=True)
class _Sale:
    """A bookable order with its invoice, as its refunds need it."""

    order: Order
    settings: IntegrationSettings
    facts: vat.Facts
    parts: tuple[Part, ...]
    invoice: Invoice

    @property
    def rates(self) -> set[Decimal | None]:
        """The rates that were charged; ``None`` among them where a line had no VAT row."""
        return {part.rate for part in self.parts}

    @classmethod
    def of(cls, order: Order, settings: IntegrationSettings, on: date) -> _Sale:
        """Judge VAT and amounts of the order; raises ``Refused``."""
        if order.total < 0:
            raise Refused("the total is below zero", code=reasons.NEGATIVE_TOTAL, field="total")
        if order.status == bookable.REFUNDED and not order.refunds:
            raise Refused("refunded, but there is no refund", code=reasons.REFUND_MISSING, field="refunds")
        facts = vat.facts(order, settings, on)
        _judge(facts, order.lines, "lines")
        parts = amounts.parts_of(order.lines)
        figures = amounts.settle(parts, amounts.per_rate(order.vat), order.total)
        bound = CENT * len(order.lines)
        if abs(figures.residual) > bound:
            code = reasons.TOTAL_DIFFERS_FROM_LINES
            raise Refused("lines and VAT are not the total", code=code, field="total")
        if abs(order.total_vat - total(part.vat for part in figures.parts)) > bound:
            raise Refused("VAT per rate is not the total", code=reasons.VAT_AMOUNT_DIFFERS, field="total_vat")
        document = _Document(DocumentKind.INVOICE, order.order_id, settings.reference_prefix + order.number, on)
        return cls(order, settings, facts, parts, _assemble(order, facts, document, figures, order.total))


def _assemble(
    order: Order,
    facts: vat.Facts,
    document: _Document,
    figures: Figures,
    owed: Decimal,
    *,
    preceding: str | None = None,
) -> Invoice:
    verdicts = _verdicts(facts, figures.parts)
    lines = [_line(part, verdict.treatment) for part, verdict in zip(figures.parts, verdicts, strict=True)]
    warnings = {verdict.warning for verdict in verdicts if verdict.warning}
    if figures.residual and figures.origin is not None:
        treatment = verdicts[figures.parts.index(figures.origin)].treatment
        lines.append(_rounding_line(figures.residual, treatment))
        warnings.add(reasons.ROUNDING_LINE_ADDED)
    if figures.spread:
        warnings.add(reasons.VAT_SPREAD_OVER_LINES)
    paid = owed if order.paid_at is not None else ZERO
    return Invoice(
        kind=document.kind,
        document_id=document.document_id,
        order_id=order.order_id,
        order_number=order.number,
        invoice_number=document.number,
        issue_date=document.day,
        currency=order.currency,
        lines=tuple(lines),
        vat_breakdown=_breakdown(lines),
        total_without_vat=total(line.net for line in lines),
        total_vat=total(line.vat for line in lines),
        total_with_vat=owed,
        paid_amount=paid,
        amount_due=owed - paid,
        preceding_invoice=preceding,
        prices_include_vat=order.prices_include_vat,
        buyer=order.buyer,
        rule="+".join(rule.id for rule in vat.TABLE if rule.id in {verdict.rule for verdict in verdicts}),
        warnings=tuple(sorted(warnings)),
    )


def _judge(facts: vat.Facts, lines: Sequence[OrderLine], where: str) -> None:
    """Refuse what VAT law or sluis does not know before any amount is looked at: that is the better reason."""
    for index, line in enumerate(lines):
        rates: set[Decimal | None] = {row.rate for row in line.vat} or ({None} if line.net else set())
        for rate in sorted(rates, key=lambda rate: rate or 0):
            vat.decide(facts, vat.Charge(line.kind, line.net, rate, f"{where}[{index}].vat"))


def _verdicts(facts: vat.Facts, parts: Sequence[Part]) -> list[vat.Verdict]:
    """Decide every part. A line of nothing without a VAT row (free shipping) goes with the largest other part."""
    decided = {
        id(part): vat.decide(facts, vat.Charge(part.line.kind, part.net, part.rate, part.field))
        for part in parts
        if part.net or part.rate is not None
    }
    main = amounts.largest(part for part in parts if id(part) in decided)
    if main is not None:
        free = decided[id(main)]
    else:
        free = vat.decide(facts, vat.Charge(parts[0].line.kind, ZERO, Decimal(0), parts[0].field))
    return [decided.get(id(part), free) for part in parts]


def _line(part: Part, treatment: VatTreatment) -> InvoiceLine:
    line = part.line
    return InvoiceLine(
        line_id=f"{line.line_id}/{treatment.rate}" if part.divided else line.line_id,
        kind=line.kind,
        description=line.description,
        quantity=line.quantity,
        net=part.net,
        vat=part.vat,
        treatment=treatment,
        category=line.category,
    )


def _rounding_line(residual: Decimal, treatment: VatTreatment) -> InvoiceLine:
    return InvoiceLine(
        line_id="rounding",
        kind=None,
        description=ROUNDING,
        quantity=Decimal(1),
        net=residual,
        vat=ZERO,
        treatment=treatment,
    )


def _breakdown(lines: Sequence[InvoiceLine]) -> tuple[VatBreakdown, ...]:
    """BG-23: sums per treatment, the highest rate first."""
    treatments = sorted({line.treatment for line in lines}, key=lambda t: (-t.rate, t.category.value, t.country))
    return tuple(
        VatBreakdown(
            treatment=treatment,
            taxable_amount=total(line.net for line in lines if line.treatment == treatment),
            vat_amount=total(line.vat for line in lines if line.treatment == treatment),
            exemption_reason=_VATEX.get(treatment.category),
        )
        for treatment in treatments
    )


# -------------------------------------------------------------------------------------------------------- outcomes


def _nothing(lines: Sequence[object], amount: Decimal) -> str | None:
    return reasons.NOTHING_TO_BOOK if not lines and not amount else None


def _outcome(
    order: Order, refund: Refund | None, on: date, result: Result, *, reason: str | None, field: str | None = None
) -> DocumentOutcome:
    """Return the outcome of a document that is not booked, with the shop's own amounts, signed."""
    return DocumentOutcome(
        kind=DocumentKind.CREDIT_NOTE if refund else DocumentKind.INVOICE,
        document_id=refund.refund_id if refund else order.order_id,
        order_id=order.order_id,
        order_number=order.number,
        result=result,
        reason=reason,
        field=field,
        issue_date=on,
        currency=order.currency,
        total=-refund.total if refund else order.total,
        vat=-total(line.vat_total for line in refund.lines) if refund else order.total_vat,
    )
