"""What is asked before an order is decided, what waits, and the rules of refunds that no golden case shows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluis.core.evidence import Evidence, ExchangeRate, Needs, VatCheck
from sluis.core.exchange import convert_payments
from sluis.core.invoice import DocumentOutcome, Prepared, Result, Role
from sluis.core.invoicing import called_after, charged, needs, outcome, prepare
from sluis.core.money import CENT, from_cents
from sluis.core.order import Address, ChargedVat, LineKind, Order, Payment
from sluis.core.personal import Personal
from sluis.core.remainder import apportioned
from sluis.core.settings import IntegrationSettings
from tests.core.orders_strategy import AT, SETTINGS, back, line, order_of, with_refunds

TODAY = date(2026, 6, 1)
MUG = line("1", LineKind.GOODS, Decimal("10.00"), Decimal(21))
CARD = line("2", LineKind.GIFT_CARD, Decimal("50.00"), None)


def settings(**changes: object) -> IntegrationSettings:
    return SETTINGS.model_copy(update=changes)


def business(order: Order) -> Order:
    """The order, without VAT, to a German business."""
    germany = Address(country="DE")
    buyer = order.buyer.model_copy(update={"vat_number": Personal("DE123456788"), "address": germany})
    free = order.lines[0].model_copy(update={"vat": (), "vat_total": Decimal("0.00")})
    return order.model_copy(
        update={
            "buyer": buyer,
            "ship_to": germany,
            "lines": (free,),
            "vat": (),
            "total_vat": Decimal("0.00"),
            "total": free.net,
        }
    )


# ----------------------------------------------------------------------------------------------------- what is asked


def test_an_ordinary_order_needs_nothing() -> None:
    assert needs(order_of([MUG]), SETTINGS, today=TODAY) == Needs()


def test_a_business_elsewhere_and_a_foreign_currency_are_asked_about() -> None:
    order = business(order_of([MUG])).model_copy(update={"currency": "USD"})
    assert needs(order, SETTINGS, today=TODAY) == Needs(vat_number=True, exchange=("USD", AT.date()))
    assert needs(order, settings(vat_number_check="off"), today=TODAY).vat_number is False
    assert needs(order, settings(foreign_currency="quarantine"), today=TODAY).exchange is None


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"status": "pending"}, False),
        ({"is_test": True}, False),
        ({"status": "cancelled"}, False),
        ({"created_at": datetime(2025, 5, 1, tzinfo=UTC), "paid_at": datetime(2025, 5, 1, tzinfo=UTC)}, False),
    ],
)
def test_nothing_is_asked_for_what_is_skipped(changes: dict[str, object], asked: bool) -> None:
    order = order_of([MUG]).model_copy(update={"currency": "USD", **changes})
    assert (needs(order, SETTINGS, today=TODAY) != Needs()) is asked


@pytest.mark.parametrize("changes", [{"status": "cancelled"}, {"paid_at": datetime(2025, 12, 31, tzinfo=UTC)}])
def test_refunds_of_an_ended_or_earlier_sale_need_what_the_sale_needs(changes: dict[str, object]) -> None:
    order = with_refunds(order_of([MUG]), [back([MUG], MUG.gross)]).model_copy(update={"currency": "USD", **changes})
    assert needs(order, SETTINGS, today=TODAY).exchange is not None


# -------------------------------------------------------------------------------------------------------- what waits


@pytest.mark.parametrize(
    ("choice", "result"), [("wait", Result.DEFERRED), ("quarantine", Result.QUARANTINED), ("book", None)]
)
def test_a_number_nobody_answered_for_waits_as_the_merchant_chose(choice: str, result: Result | None) -> None:
    order = with_refunds(business(order_of([MUG])), [back([], Decimal("1.00"))])
    away = Evidence(vat_check=VatCheck(state="unverified", checked_at=AT))
    decisions = prepare(order, settings(vat_number_unverified=choice), evidence=away)
    if result is None:
        assert all(isinstance(decision, Prepared) for decision in decisions)
        return
    for decision in decisions:
        assert isinstance(decision, DocumentOutcome)
        assert (decision.result, decision.reason) == (result, "vat_number_unverified")
        # What is deferred holds the watermark where a window finds it again: at its latest refund.
        held = order.refunds[-1].created_at if result is Result.DEFERRED else None
        assert decision.changed_at == held


def test_the_refund_of_a_sale_that_cannot_be_judged_waits_for_the_sales_reason() -> None:
    order = with_refunds(order_of([MUG]), [back([MUG], MUG.gross)]).model_copy(
        update={"ship_to": Address(country="Atlantis"), "status": "cancelled"}
    )
    first, credit = prepare(order, SETTINGS)
    assert isinstance(first, DocumentOutcome)
    assert isinstance(credit, DocumentOutcome)
    assert (first.result, first.reason) == (Result.SKIPPED, "status_not_bookable")
    assert (credit.result, credit.reason, credit.field) == (Result.QUARANTINED, "country_missing", "ship_to.country")


# --------------------------------------------------------------------------------------------------- refunds, documents


def test_a_refund_nobody_could_divide_leaves_the_last_one_no_exact_rest() -> None:
    """The first refund waits for a person; what the second gives back is then not all that is left."""
    strange = back([MUG.model_copy(update={"vat": (ChargedVat(rate=Decimal(9), amount=Decimal("2.10")),)})], MUG.gross)
    book = line("2", LineKind.GOODS, Decimal("20.00"), Decimal(9))
    order = with_refunds(order_of([MUG, book]), [strange, back([book], book.gross)])
    sale, first, second = prepare(order, SETTINGS)
    assert isinstance(sale, Prepared)
    assert isinstance(first, DocumentOutcome)
    assert first.reason == "vat_amount_differs"
    assert isinstance(second, Prepared)
    assert second.invoice.invoice_number == "1001-C2"
    assert second.invoice.total_with_vat == book.gross


def test_a_refund_long_ago_is_skipped_for_its_own_age() -> None:
    order = with_refunds(order_of([MUG]), [back([MUG], MUG.gross)])
    assert [d.reason for d in prepare(order, SETTINGS, today=date(2028, 6, 1)) if isinstance(d, DocumentOutcome)] == [
        "too_old",
        "too_old",
    ]


def test_an_amount_over_goods_and_gift_card_becomes_two_credit_notes_of_one_refund() -> None:
    order = with_refunds(order_of([MUG, CARD]), [back([], Decimal("6.21"))])
    decisions = prepare(order, SETTINGS)
    notes = [d.invoice for d in decisions if isinstance(d, Prepared) and d.invoice.kind.sign < 0]
    assert [(n.document_id, n.invoice_number, n.preceding_invoice, str(n.owed)) for n in notes] == [
        ("6001", "1001-C1", "1001", "1.21"),
        ("6001/voucher", "1001-V1-C1", "1001-V1", "5.00"),
    ]
    roles = [outcome(d.invoice, Result.BOOKED).role for d in decisions if isinstance(d, Prepared)]
    assert roles == [Role.MAIN, Role.PART, Role.MAIN, Role.PART]
    assert sorted(map(str, charged(order, decisions).values())) == ["1.21", "12.10", "5.00", "50.00"]


def test_a_credit_note_of_a_further_document_is_called_after_it_as_it_stands() -> None:
    order = with_refunds(order_of([MUG, CARD]), [back([CARD], CARD.gross)])
    note = prepare(order, SETTINGS)[-1]
    assert isinstance(note, Prepared)
    assert called_after(note.invoice, "OLD-1001-V1").invoice_number == "OLD-1001-V1-C1"
    assert outcome(note.invoice, Result.BOOKED).role is Role.MAIN


def test_a_date_a_day_ahead_is_left_to_the_suite_and_two_days_are_not() -> None:
    order = order_of([MUG])
    assert isinstance(prepare(order, SETTINGS, today=date(2026, 5, 3))[0], Prepared)
    (late,) = prepare(order, SETTINGS, today=date(2026, 5, 2))
    assert isinstance(late, DocumentOutcome)
    assert (late.reason, late.field) == ("date_in_future", "paid_at")


def test_the_outcome_tells_the_shops_figures_and_the_books() -> None:
    rate = ExchangeRate(currency="USD", rate=Decimal("1.1"), on=AT.date())
    order = with_refunds(order_of([MUG]), [back([MUG], MUG.gross)]).model_copy(update={"currency": "USD"})
    for decision, sign in zip(prepare(order, SETTINGS, evidence=Evidence(exchange=rate)), (1, -1), strict=True):
        assert isinstance(decision, Prepared)
        told = outcome(decision.invoice, Result.BOOKED)
        assert (told.currency, told.total, told.vat) == ("USD", sign * MUG.gross, sign * MUG.vat_total)
        assert (told.booked_currency, told.booked_total) == ("EUR", sign * Decimal("11.00"))
        assert told.exchange == rate


# ------------------------------------------------------------------------------------------------------------ division

whole_cents = st.integers(min_value=-10_000, max_value=10_000).map(from_cents)


@given(st.integers(min_value=0, max_value=100_000).map(from_cents), st.lists(whole_cents, min_size=1, max_size=8))
def test_what_is_divided_adds_up_and_is_a_cent_from_its_share_at_most(amount: Decimal, weights: list[Decimal]) -> None:
    shares = apportioned(amount, weights)
    assert sum(shares) == amount
    whole = sum(weights)
    if whole:
        assert all(abs(share - amount * weight / whole) <= CENT for share, weight in zip(shares, weights, strict=True))


@given(st.lists(st.integers(min_value=1, max_value=50_000).map(from_cents), min_size=1, max_size=5))
def test_converted_payments_add_up_to_what_the_document_owes(amounts: list[Decimal]) -> None:
    payments = [Payment(payment_id=str(n), method="ideal", amount=a, paid_at=AT) for n, a in enumerate(amounts)]
    rate = ExchangeRate(currency="USD", rate=Decimal("1.0850"), on=AT.date())
    owed = Decimal("0.01") + sum(amounts)  # whatever the lines' rounding made of the document
    in_books = convert_payments(payments, rate, sum(amounts, start=Decimal(0)), owed)
    assert sum(payment.amount for payment in in_books) == owed


def test_a_moved_date_stands_on_the_document_and_in_no_description() -> None:
    """Each package shows it in its own way, once."""
    closed = settings(books_closed_until=date(2026, 5, 31), closed_period="first_open_day")
    (sold,) = prepare(order_of([MUG]), closed, today=date(2026, 6, 2))
    assert isinstance(sold, Prepared)
    assert (sold.invoice.issue_date, sold.invoice.original_date) == (date(2026, 6, 1), AT.date())
    assert [each.description for each in sold.invoice.lines] == ["Article"]
