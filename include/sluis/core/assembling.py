"""Makes a document of items: its totals, VAT breakdown, payments and warnings, in the currency of the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sluis.core import reasons, territory, vat
from sluis.core.evidence import Evidence
from sluis.core.invoice import DocumentKind, Invoice, InvoiceLine, VatBreakdown, VatTreatment, total
from sluis.core.judging import Item, Items
from sluis.core.money import ZERO
from sluis.core.order import Order, Payment


@dataclass(frozen=True)
class Papers:
    """What a document is called and dated, and what it refers to."""

    kind: DocumentKind
    document_id: str
    number: str
    day: date
    original: date | None = None  #: its own date, where that lies in a closed period
    part: str = ""
    preceding: str | None = None
    earlier: bool = False


@dataclass(frozen=True)
class Content:
    """What a document holds. Amounts are positive on both kinds; ``items`` are in the currency of the books."""

    items: Items
    charged: Items  #: the same in the shop's currency
    rounding: Decimal = ZERO  #: cash rounding, in the currency of the books
    charged_rounding: Decimal = ZERO
    payments: tuple[Payment, ...] = ()  #: in the currency of the books
    paid: Decimal | None = None  #: where the shop tells that it is paid but not how; ``None``: the payments' sum
    warnings: frozenset[str] = frozenset()

    @property
    def owed(self) -> Decimal:
        """Total with VAT and cash rounding, in the currency of the books."""
        return total(item.line.gross for item in self.items) + self.rounding

    @property
    def charged_owed(self) -> Decimal:
        """The same in the shop's currency."""
        return total(item.line.gross for item in self.charged) + self.charged_rounding


def assemble(order: Order, papers: Papers, content: Content, evidence: Evidence, currency: str) -> Invoice:
    """Return the document. ``currency`` is that of the books."""
    lines = tuple(item.line for item in content.items)
    with_vat = content.owed - content.rounding
    paid = total(payment.amount for payment in content.payments) if content.paid is None else content.paid
    foreign = order.currency != currency
    return Invoice(
        kind=papers.kind,
        document_id=papers.document_id,
        order_id=order.order_id,
        order_number=order.number,
        invoice_number=papers.number,
        issue_date=papers.day,
        currency=currency,
        lines=lines,
        vat_breakdown=_breakdown(lines),
        total_without_vat=total(line.net for line in lines),
        total_vat=total(line.vat for line in lines),
        total_with_vat=with_vat,
        paid_amount=paid,
        rounding_amount=content.rounding,
        amount_due=content.owed - paid,
        preceding_invoice=papers.preceding,
        prices_include_vat=order.prices_include_vat,
        buyer=order.buyer,
        ship_to_country=territory.normalise(territory.delivered_to(order).country) or "",
        rule="+".join(rule.id for rule in vat.TABLE if rule.id in {item.rule for item in content.items}),
        warnings=tuple(sorted(_warnings(content, papers))),
        part=papers.part,
        payment_method=order.payment_method,
        payments=content.payments,
        earlier=papers.earlier,
        original_date=papers.original,
        evidence=evidence,
        charged_currency=order.currency if foreign else "",
        charged_total=content.charged_owed if foreign else None,
        charged_vat=total(item.line.vat for item in content.charged) if foreign else None,
    )


def shared_out(payments: Sequence[Payment], owed: Sequence[Decimal]) -> list[tuple[Payment, ...]]:
    """Divide payments over documents in their order; what is left after the last stands with the first."""
    left = list(owed)
    result: list[list[Payment]] = [[] for _ in owed]
    for payment in payments:
        rest = payment.amount
        for n, open_amount in enumerate(left):
            taken = min(rest, max(open_amount, ZERO))
            if taken:
                result[n].append(payment.model_copy(update={"amount": taken}))
                left[n] -= taken
                rest -= taken
        if rest:
            _more(result[0], payment, rest)
    return [tuple(each) for each in result]


def _more(payments: list[Payment], payment: Payment, amount: Decimal) -> None:
    """Add to what stands of the same payment already: one payment is one on a document."""
    if payments and payments[-1].payment_id == payment.payment_id:
        payments[-1] = payments[-1].model_copy(update={"amount": payments[-1].amount + amount})
    else:
        payments.append(payment.model_copy(update={"amount": amount}))


def _warnings(content: Content, papers: Papers) -> set[str]:
    found = {item.warning for item in content.items if item.warning} | content.warnings
    if any(item.line.kind is None for item in content.items):
        found.add(reasons.ROUNDING_LINE_ADDED)
    if papers.original is not None:
        found.add(reasons.DATED_IN_CLOSED_PERIOD)
    return found


def _breakdown(lines: Sequence[InvoiceLine]) -> tuple[VatBreakdown, ...]:
    """BG-23: sums per treatment, the highest rate first."""
    treatments = sorted({line.treatment for line in lines}, key=_rank)
    return tuple(
        VatBreakdown(
            treatment=treatment,
            taxable_amount=total(line.net for line in lines if line.treatment == treatment),
            vat_amount=total(line.vat for line in lines if line.treatment == treatment),
            exemption_reason=treatment.exemption,
        )
        for treatment in treatments
    )


def _rank(treatment: VatTreatment) -> tuple[Decimal, str, str, str]:
    return (-treatment.rate, treatment.category.value, treatment.country, treatment.model_dump_json())


def by_part(items: Sequence[Item]) -> dict[str, Items]:
    """Return the items of each document, the main one first."""
    return {part: tuple(i for i in items if i.part == part) for part in sorted({item.part for item in items})}
