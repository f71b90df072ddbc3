"""The fingerprint's text is stored (hashed) for years: its form is pinned, and holds nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sluis.core.fingerprint import content
from sluis.core.invoice import DocumentKind, Invoice, Prepared, VatScheme
from sluis.core.invoicing import prepare
from sluis.core.money import CENT
from sluis.core.order import Order, OrderLine, Payment
from tests.core import golden

ORDER = golden.read(golden.CASES / "rounding" / "total-a-cent-below-the-parts" / "order.yaml")


def invoice_of(order: Order) -> Invoice:
    first = prepare(order, golden.settings_of(None))[0]
    assert isinstance(first, Prepared)
    return first.invoice


def test_the_form_is_pinned() -> None:
    """A change here makes every booked document look changed: raise the form and migrate instead."""
    assert content(invoice_of(golden.order_of(ORDER))).split("\n") == [
        "1|invoice||EUR|NL|NL|5107|0",
        "fee|250|53|S|21|NL|home|||",
        "goods|4408|397|S|9|NL|home|||",
        "rounding|-1|0|S|21|NL|home|||",
    ]


def test_what_the_books_do_not_hold_changes_nothing() -> None:
    order = golden.order_of(ORDER)
    later = order.model_copy(
        update={
            "status": "processing",
            "paid_at": None,
            "modified_at": datetime(2026, 9, 1, tzinfo=UTC),
            "number": "INV-1",
            "lines": tuple(
                line.model_copy(update={"description": "renamed", "line_id": f"x{line.line_id}"})
                for line in reversed(order.lines)
            ),
        }
    )
    assert content(invoice_of(order)) == content(invoice_of(later))


def test_what_the_books_hold_changes_it() -> None:
    order = golden.order_of(ORDER)
    buyer = order.buyer.model_copy(update={"address": order.buyer.address.model_copy(update={"country": "BE"})})
    dearer = order.model_copy(update={"total": order.total + CENT, "lines": (*order.lines[:-1], _dearer(order))})
    texts = {content(invoice_of(o)) for o in (order, order.model_copy(update={"buyer": buyer}), dearer)}
    assert len(texts) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"rounding_amount": Decimal("0.02"), "total_with_vat": Decimal("51.05")},
        {"part": "voucher"},
        {"ship_to_country": "BE"},
        {"currency": "USD"},
        {"kind": DocumentKind.CREDIT_NOTE},
    ],
)
def test_what_stands_above_the_lines_changes_it(changed: dict[str, object]) -> None:
    invoice = invoice_of(golden.order_of(ORDER))
    assert content(invoice) != content(invoice.model_copy(update=changed))


@pytest.mark.parametrize(
    "changed", [{"scheme": VatScheme.LOCAL}, {"exemption": "VATEX-EU-F"}, {"services": True}, {"country": "BE"}]
)
def test_another_treatment_changes_it(changed: dict[str, object]) -> None:
    invoice = invoice_of(golden.order_of(ORDER))
    line = invoice.lines[0]
    other = line.model_copy(update={"treatment": line.treatment.model_copy(update=changed)})
    assert content(invoice) != content(invoice.model_copy(update={"lines": (other, *invoice.lines[1:])}))


def test_a_payment_changes_nothing() -> None:
    order = golden.order_of(ORDER)
    paid = Payment(payment_id="1", method="ideal", amount=Decimal("10.00"), paid_at=order.created_at)
    assert content(invoice_of(order)) == content(invoice_of(order.model_copy(update={"payments": (paid,)})))


def _dearer(order: Order) -> OrderLine:
    line = order.lines[-1]
    return line.model_copy(update={"net": line.net + CENT})


def test_it_holds_nobody() -> None:
    order = golden.order_of(ORDER)
    text = content(invoice_of(order))
    for person in (order.buyer.first_name, order.buyer.email, order.buyer.address.street, order.buyer.address.postcode):
        assert person
        assert person.reveal() not in text
