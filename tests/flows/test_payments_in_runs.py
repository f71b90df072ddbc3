"""Payments in whole runs: from the shop's order to the clearing account in the books."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sluis.core.invoice import Result
from sluis.flows import integrations
from sluis.flows.wiring import open_session
from sluis.sandbox.drafting import make_refund
from tests.flows.world import World, hour

PSP = "Tussenrekening betaaldienst"


@pytest.fixture
def paying(world: World) -> World:
    """A world whose integration registers payments, all on one clearing account."""
    with open_session(world.merchant, world.code) as session:
        mapping = {"clearing": {"*": world.books.account(PSP)}}
        changed = {"register_payments": True, "mapping": mapping}
        integrations.change(session.conn, world.merchant, world.code, changed)
    return world


def received(world: World) -> Decimal:
    return world.books.on_account(world.books.account(PSP))


def open_amounts(world: World) -> dict[str, Decimal]:
    return {row["reference"]: Decimal(row["total_unpaid"]) for row in world.books.invoices.values()}


def charged(world: World, order_id: str) -> Decimal:
    return Decimal(world.shop.book.orders[int(order_id)].raw["total"])


def test_a_paid_order_costs_one_call_more_and_is_paid_in_the_books(paying: World) -> None:
    orders = paying.orders(hour(0.5), 4)
    done = paying.run(paying.scheduled(1))
    assert done is not None
    assert (done.booked, done.quarantined, done.deferred) == (4, 0, 0)
    assert set(open_amounts(paying).values()) == {Decimal(0)}
    assert received(paying) == sum(charged(paying, order) for order in orders)
    assert paying.calls("POST", "/payments") == 4
    paying.run(paying.backfill(0, 1))
    assert paying.calls("POST", "/payments") == 4


def test_a_refund_leaves_on_the_clearing_account_what_was_kept(paying: World) -> None:
    order = paying.order(hour(0.5), quantity=3)
    paying.run(paying.scheduled(1))
    book = paying.shop.book
    raw = book.orders[int(order)].raw
    given = {raw["line_items"][0]["id"]: 1}
    made = book.put_refund(int(order), make_refund(book, raw, hour(1.5), lines=given, paid_back=True))
    paying.run(paying.scheduled(2))
    assert received(paying) == charged(paying, order) - Decimal(made.raw["amount"])
    assert set(open_amounts(paying).values()) == {Decimal(0)}


def test_a_lost_answer_is_tried_again_and_registers_once(paying: World) -> None:
    order = paying.order(hour(0.5))
    paying.fault("reset_after", path="*/payments.json")
    with pytest.raises(Exception, match="package_unavailable"):
        paying.run(paying.scheduled(1, "r"))
    paying.run(paying.scheduled(1, "r"))
    assert received(paying) == charged(paying, order)
    assert paying.calls("POST", "/payments") == 1


def test_a_refused_payment_waits_in_quarantine_while_its_invoice_is_booked(paying: World) -> None:
    order = paying.order(hour(0.5), number="1001")
    paying.fault("status", path="*/payments.json", status=422, body='{"error": {"price": ["odd"]}}')
    done = paying.run(paying.scheduled(1))
    assert done is not None
    assert (getattr(done, Result.BOOKED.value), paying.waiting()) == (1, {"1001": "payment_refused"})
    assert paying.offer("1001") == 1
    paying.run(paying.scheduled(2))
    assert (received(paying), paying.waiting()) == (charged(paying, order), {})


def test_a_corrected_order_takes_its_payment_along(paying: World) -> None:
    order = paying.order(hour(0.5), number="1001")
    paying.run(paying.scheduled(1))
    before = charged(paying, order)
    billing = paying.shop.book.orders[int(order)].raw["billing"]
    paying.change(order, hour(1.5), billing={**billing, "company": "Voorbeeld BV"})
    paying.run(paying.scheduled(2))
    assert len(paying.books.invoices) == 3
    assert set(open_amounts(paying).values()) == {Decimal(0)}
    assert (received(paying), paying.calls("POST", "/payments")) == (before, 3)
    paying.run(paying.backfill(0, 2))
    assert (received(paying), paying.calls("POST", "/payments")) == (before, 3)


def test_what_was_paid_back_on_a_cancelled_order_goes_out_over_what_credits_it(paying: World) -> None:
    """Both are read by one run: the reversal credits all, so the refund has no credit note to be paid on."""
    order = paying.order(hour(0.5), quantity=3)
    paying.run(paying.scheduled(1))
    book = paying.shop.book
    raw = book.orders[int(order)].raw
    given = {raw["line_items"][0]["id"]: 1}
    paying.change(order, hour(1.4), status="cancelled")
    paying.run(paying.scheduled(1.45, length=0.45))
    made = book.put_refund(int(order), make_refund(book, raw, hour(1.5), lines=given, paid_back=True))
    paying.run(paying.scheduled(2))
    assert received(paying) == charged(paying, order) - Decimal(made.raw["amount"])
    assert sum(Decimal(row["total_price_incl_tax"]) for row in paying.books.invoices.values()) == 0
    paying.run(paying.backfill(0, 2))
    assert received(paying) == charged(paying, order) - Decimal(made.raw["amount"])
