"""Payments that the package refuses to move, or wrote twice: never more than was paid, and never in silence."""

from __future__ import annotations

import pytest

from sluis.errors import RetryLater
from tests.flows.test_payments_in_runs import charged, paying, received
from tests.flows.world import World, hour

__all__ = ["paying"]

pytestmark = pytest.mark.postgres


def test_a_refused_way_out_keeps_the_payment_from_coming_in_again(paying: World) -> None:
    order = paying.order(hour(0.5), number="1001")
    paying.run(paying.scheduled(1))
    before = charged(paying, order)
    billing = paying.shop.book.orders[int(order)].raw["billing"]
    paying.change(order, hour(1.5), billing={**billing, "company": "Voorbeeld BV"})
    paying.fault("status", path="*/payments.json", status=422, body='{"error": {"price": ["odd"]}}')
    paying.run(paying.scheduled(2))
    assert received(paying) == before
    assert set(paying.waiting().values()) == {"payment_refused"}
    payments = [len(invoice["payments"]) for invoice in paying.books.invoices.values()]
    assert sorted(payments) == [0, 0, 1]
    paying.change(order, hour(2.5), customer_note="x")
    paying.run(paying.scheduled(3))
    assert received(paying) == before
    payments = [len(invoice["payments"]) for invoice in paying.books.invoices.values()]
    assert sorted(payments) == [1, 1, 1]


def test_a_payment_that_stands_twice_waits_until_a_person_has_deleted_one(paying: World) -> None:
    order = paying.order(hour(0.5), number="1001")
    paying.fault("reset_after", path="*/payments.json")
    with pytest.raises(RetryLater, match="package_unavailable"):
        paying.run(paying.scheduled(1, "r"))
    (row,) = paying.books.invoices.values()
    names = ("payment_date", "price", "ledger_account_id", "transaction_identifier")
    paying.books.create_payment(row["id"], {name: row["payments"][0][name] for name in names})
    paying.run(paying.scheduled(1, "r"))
    assert paying.waiting() == {"1001": "booked_twice"}
    assert len(row["payments"]) == 2
    row["payments"].pop()
    paying.change(order, hour(1.5), customer_note="x")
    paying.run(paying.scheduled(2))
    assert paying.waiting() == {}
    assert len(row["payments"]) == 1
