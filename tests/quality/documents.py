"""Invented orders and invoices for the tests of ``quality``; all amounts in euros, all persons nobody."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sluis.core.invoice import (
    DocumentKind,
    Invoice,
    InvoiceLine,
    Prepared,
    VatBreakdown,
    VatCategory,
    VatTreatment,
)
from sluis.core.order import Address, Buyer, ChargedVat, LineKind, Order, OrderLine, Refund
from sluis.core.settings import IntegrationSettings
from sluis.ports import Window

READ_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
WINDOW = Window(start=READ_AT - timedelta(days=1), end=READ_AT)
SETTINGS = IntegrationSettings(start_date=date(2026, 10, 1))
HIGH = VatTreatment(category=VatCategory.STANDARD, rate=Decimal(21), country="NL")


def line(
    net: str = "10.00", tax: str = "2.10", *rows: tuple[str, str], line_id: str = "1", **changes: Any
) -> OrderLine:
    """Return a line of goods; ``rows`` are (rate, amount), by default one of 21 %."""
    facts: dict[str, Any] = {
        "line_id": line_id,
        "kind": LineKind.GOODS,
        "description": "a thing",
        "quantity": Decimal(1),
        "net": Decimal(net),
        "vat": tuple(ChargedVat(rate=Decimal(r), amount=Decimal(a)) for r, a in (rows or (("21", tax),))),
        "vat_total": Decimal(tax),
    }
    return OrderLine(**facts | changes)


def order(number: int = 1, /, **changes: Any) -> Order:
    """Return an order of one line, 10.00 + 2.10 = 12.10."""
    facts: dict[str, Any] = {
        "platform": "woocommerce",
        "order_id": str(5000 + number),
        "number": str(1000 + number),
        "status": "processing",
        "currency": "EUR",
        "created_at": READ_AT - timedelta(hours=3),
        "modified_at": READ_AT - timedelta(hours=2),
        "paid_at": READ_AT - timedelta(hours=3),
        "prices_include_vat": True,
        "lines": (line(),),
        "total_vat": Decimal("2.10"),
        "total": Decimal("12.10"),
        "buyer": Buyer(),
        "ship_to": Address(country="NL"),
    }
    return Order(**facts | changes)


def refund(number: int = 1, /, **changes: Any) -> Refund:
    """Return a refund of one line of 12.10."""
    facts: dict[str, Any] = {
        "refund_id": str(9000 + number),
        "created_at": READ_AT - timedelta(hours=1),
        "total": Decimal("12.10"),
        "lines": (line(),),
    }
    return Refund(**facts | changes)


def invoice_line(net: str = "10.00", vat: str = "2.10", at: VatTreatment = HIGH, **changes: Any) -> InvoiceLine:
    """Return a line of an invoice."""
    facts: dict[str, Any] = {
        "line_id": "1",
        "kind": LineKind.GOODS,
        "description": "a thing",
        "quantity": Decimal(1),
        "net": Decimal(net),
        "vat": Decimal(vat),
        "treatment": at,
    }
    return InvoiceLine(**facts | changes)


def part(net: str = "10.00", vat: str = "2.10", at: VatTreatment = HIGH) -> VatBreakdown:
    """Return a row of the VAT breakdown."""
    return VatBreakdown(treatment=at, taxable_amount=Decimal(net), vat_amount=Decimal(vat))


def prepared(number: int = 1, /, **changes: Any) -> Prepared:
    """Return an invoice of 10.00 + 2.10. Not validated: the suite must see what a defect of ours could let through."""
    facts: dict[str, Any] = {
        "kind": DocumentKind.INVOICE,
        "document_id": str(5000 + number),
        "order_id": str(5000 + number),
        "order_number": str(1000 + number),
        "invoice_number": str(1000 + number),
        "issue_date": date(2026, 11, 20),
        "currency": "EUR",
        "lines": (invoice_line(),),
        "vat_breakdown": (part(),),
        "total_without_vat": Decimal("10.00"),
        "total_vat": Decimal("2.10"),
        "total_with_vat": Decimal("12.10"),
        "amount_due": Decimal("12.10"),
        "prices_include_vat": True,
        "buyer": Buyer(),
        "rule": "domestic",
    }
    return Prepared.model_construct(invoice=Invoice.model_construct(**facts | changes))
