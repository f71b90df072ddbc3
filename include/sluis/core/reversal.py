"""The credit note that takes back what was booked of a sale, made from the booking's own figures and nothing else.

A booked invoice is never changed: what the books hold is credited and, where the sale goes on, invoiced anew (VAT
directive art. 219 and 90; EN 16931 BT-25 names the invoice that is credited). The lines are sums per kind, product
class and VAT treatment, so the package puts them on the accounts they came from; their words are ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sluis.core import reasons
from sluis.core.bookable import local_date
from sluis.core.figures import Figure, Figures, add_up
from sluis.core.frozen import Currency
from sluis.core.invoice import (
    DocumentKind,
    Invoice,
    InvoiceLine,
    VatBreakdown,
    VatTreatment,
    total,
)
from sluis.core.journals import Paid
from sluis.core.mapping import tax_key
from sluis.core.money import ZERO, from_cents
from sluis.core.order import Buyer, Payment
from sluis.core.settings import IntegrationSettings
from sluis.errors import Refused

#: Id of the rule in log lines and outcomes.
RULE = "reversal"


@dataclass(frozen=True)
class Taken:
    """What is taken back. Cents signed as booked: an invoice's are above zero."""

    reference: str  #: of the invoice that is reversed
    figures: Figures  #: of the invoice, less the credit notes on it that stand
    paid: tuple[Paid, ...]  #: what the books hold as paid with it, where payments are part of the entry
    currency: Currency
    issue_date: date
    payment_method: str


def left(booked: Iterable[Figures]) -> Figures:
    """Add documents up, an invoice and the credit notes on it; what nets to nothing is left out."""
    summed = add_up(figure for figures in booked for figure in figures)
    return tuple(figure for figure in summed if figure.net_cents or figure.vat_cents)


def reversal_id(document_id: str) -> str:
    """Return the ``document_id`` of the reversal of an order's invoice (or of a further document of it)."""
    return f"reversal/{document_id}"


def reversal(taken: Taken, *, document_id: str, order_id: str, order_number: str, buyer: Buyer, on: date,
             original_date: date | None = None) -> Invoice:  # fmt: skip
    """Return the credit note over ``taken``, dated ``on`` and numbered after the invoice (``<number>-C``).

    ``document_id``: of the invoice. Raises ``Refused(changed_after_booking)`` where more was credited than invoiced.
    """
    cash = [figure for figure in taken.figures if figure.treatment is None]
    lines = tuple(_lines(taken))
    net, vat = total(line.net for line in lines), total(line.vat for line in lines)
    rounding = from_cents(sum(figure.net_cents for figure in cash))
    if net + vat + rounding < 0:
        raise Refused("more was credited than invoiced", code=reasons.CHANGED_AFTER_BOOKING, field="refunds")
    payments = tuple(_payments(taken.paid, on))
    paid = total(payment.amount for payment in payments)
    return Invoice(
        kind=DocumentKind.CREDIT_NOTE,
        document_id=reversal_id(document_id),
        order_id=order_id,
        order_number=order_number,
        invoice_number=f"{taken.reference}-C",
        issue_date=on,
        currency=taken.currency,
        lines=lines,
        vat_breakdown=tuple(_breakdown(lines)),
        total_without_vat=net,
        total_vat=vat,
        total_with_vat=net + vat,
        rounding_amount=rounding,
        paid_amount=paid,
        amount_due=net + vat + rounding - paid,
        preceding_invoice=taken.reference,
        prices_include_vat=True,  # so that a package which computes the VAT itself arrives at the total
        buyer=buyer,
        rule=RULE,
        payment_method=taken.payment_method,
        payments=payments,
        original_date=original_date,
    )


def day_of(changed_at: datetime, not_before: date, settings: IntegrationSettings) -> tuple[date, date | None]:
    """Return the date of a correction, and the one it would have had where that lies in a closed period of the books.

    It is the day of the change in the shop's time zone, never before what it corrects. Raises
    ``Refused(period_closed)`` where the settings leave closed periods to a person.
    """
    day = max(local_date(changed_at, settings), not_before)
    closed = settings.books_closed_until
    if closed is None or day > closed:
        return day, None
    if settings.closed_period == "quarantine":
        raise Refused("the correction is dated in a closed period", code=reasons.PERIOD_CLOSED, field="modified_at")
    return closed + timedelta(days=1), day


def _lines(taken: Taken) -> Iterable[InvoiceLine]:
    for place, figure in enumerate(taken.figures, start=1):
        if figure.treatment is not None:
            yield InvoiceLine(
                line_id=str(place),
                kind=figure.kind,
                description=f"Reversal of {taken.reference}: {_words(figure, figure.treatment)}",
                quantity=Decimal(1),
                net=from_cents(figure.net_cents),
                vat=from_cents(figure.vat_cents),
                treatment=figure.treatment,
                category=figure.category,
            )


def _words(figure: Figure, treatment: VatTreatment) -> str:
    kind = figure.kind.value.replace("_", " ") if figure.kind else "rounding"
    return f"{kind}, {tax_key(treatment)}"


def with_paid(invoice: Invoice, counted: Iterable[Paid]) -> Invoice:
    """Return a replacement that holds these payments and none of the shop's: what is carried over, never more."""
    payments = tuple(_payments(counted, invoice.issue_date))
    paid = total(payment.amount for payment in payments)
    return invoice.model_copy(update={"payments": payments, "paid_amount": paid, "amount_due": invoice.owed - paid})


def _payments(counted: Iterable[Paid], on: date) -> Iterable[Payment]:
    """What was counted as paid, the way it came: below zero where more went back by a method than came in by it."""
    at = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    for place, paid in enumerate(counted, start=1):
        yield Payment(
            payment_id=f"reversal/{place}",
            method=paid.method,
            amount=from_cents(paid.cents),
            paid_at=at,
            gift_card=paid.gift_card,
        )


def _breakdown(lines: tuple[InvoiceLine, ...]) -> Iterable[VatBreakdown]:
    """BG-23: sums per treatment, the highest rate first."""
    treatments = {line.treatment.model_dump_json(): line.treatment for line in lines}
    for treatment in sorted(treatments.values(), key=lambda t: (-t.rate, t.category.value, t.country)):
        under = [line for line in lines if line.treatment == treatment]
        yield VatBreakdown(
            treatment=treatment,
            taxable_amount=total(line.net for line in under) + ZERO,
            vat_amount=total(line.vat for line in under) + ZERO,
            exemption_reason=treatment.exemption,
        )
