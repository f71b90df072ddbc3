"""What an accountant found while trying to break the books: each sequence stays right, in VAT periods and in money."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluis.flows import integrations
from sluis.flows.check import check_and_apply
from sluis.flows.wiring import open_session
from sluis.sandbox.drafting import make_refund
from tests.flows.world import World, edit, hour

PSP = "Tussenrekening betaaldienst"
#: Long before the test's own days, in an earlier month.
BEFORE = -24 * 36


@pytest.fixture
def paying(world: World) -> World:
    """A world whose integration registers payments, all on one clearing account."""
    chosen: dict[str, Any] = {
        "register_payments": True, "mapping": {"clearing": {"*": world.books.account(PSP)}},
    }  # fmt: skip
    with open_session(world.merchant, world.code) as session:
        integrations.change(session.conn, world.merchant, world.code, chosen)
    return world


def received(world: World) -> Decimal:
    return world.books.on_account(world.books.account(PSP))


def refunded(world: World, order: str, at: float, pieces: int) -> Decimal:
    """Pay pieces of an order back through the gateway; returns the amount."""
    book = world.shop.book
    raw = book.orders[int(order)].raw
    lines = {raw["line_items"][0]["id"]: pieces}
    made = book.put_refund(int(order), make_refund(book, raw, hour(at), lines=lines, paid_back=True))
    return Decimal(made.raw["amount"])


def company(world: World, order: str, at: float, name: str) -> None:
    billing = world.shop.book.orders[int(order)].raw["billing"]
    world.change(order, hour(at), billing={**billing, "company": name})


def vat_per_month(world: World) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in world.books.invoices.values():
        vat = Decimal(row["total_price_incl_tax"]) - Decimal(row["total_price_excl_tax"])
        sums[row["date"][:7]] += vat
    return dict(sums)


@pytest.mark.parametrize("closed", ["quarantine", "first_open_day"])
def test_an_edit_never_changes_the_vat_of_an_earlier_period(paying: World, closed: str) -> None:
    order = paying.order(hour(BEFORE), quantity=3, number="1001")
    paying.run(paying.backfill(BEFORE - 1, BEFORE + 1))
    refunded(paying, order, BEFORE + 5, 2)
    paying.run(paying.backfill(BEFORE, BEFORE + 6))
    month = f"{hour(BEFORE):%Y-%m}"
    filed = vat_per_month(paying)[month]
    last = (hour(0).date().replace(day=1) - timedelta(days=1)).isoformat()
    with open_session(paying.merchant, paying.code) as session:
        settings = {"books_closed_until": last, "closed_period": closed}
        integrations.change(session.conn, paying.merchant, paying.code, settings)
    for n, name in enumerate(("Nieuw BV", "Nieuwer BV", "Nieuwst BV")):
        company(paying, order, 1.5 + n, name)
        paying.run(paying.scheduled(2 + n))
        assert vat_per_month(paying)[month] == filed
        assert paying.waiting() == {}
    assert sum(vat_per_month(paying).values()) == filed


def test_the_clearing_account_holds_what_came_in_less_what_went_out(paying: World) -> None:
    order = paying.order(hour(0.5), quantity=3, number="1001")
    total = Decimal(paying.shop.book.orders[int(order)].raw["total"])
    paying.run(paying.scheduled(1))
    back = refunded(paying, order, 1.5, 2)
    paying.run(paying.scheduled(2))
    for n, name in enumerate(("Nieuw BV", "Nieuwer BV")):
        company(paying, order, 2.5 + n, name)
        paying.run(paying.scheduled(3 + n))
        assert (received(paying), paying.waiting()) == (total - back, {})
    paying.change(order, hour(5.5), status="cancelled")
    paying.run(paying.scheduled(6))
    assert received(paying) == total - back
    paying.change(order, hour(6.5), customer_note="read again")
    paying.run(paying.scheduled(7))
    assert (received(paying), paying.waiting()) == (total - back, {})
    paying.change(order, hour(7.5), status="processing")
    paying.run(paying.scheduled(8))
    paying.run(paying.backfill(0, 8))
    assert (received(paying), paying.waiting()) == (total - back, {})


def test_an_order_and_its_refund_that_wait_for_their_day_change_together(world: World) -> None:
    with open_session(world.merchant, world.code) as session:
        accounts = {a.code: a.id for a in session.package.check().ledger_accounts}
        mapping = {
            "clearing": {"*": accounts["1250"]}, "receivable": accounts["1300"],
            "vat_accounts": dict.fromkeys(("S 21 NL", "S 9 NL"), accounts["1500"]),
        }  # fmt: skip
        changed = {"booking_mode": "daily", "mapping": mapping}
        integrations.change(session.conn, world.merchant, world.code, changed)
    with open_session(world.merchant, world.code) as session:
        check_and_apply(session)
    order = world.order(hour(24), quantity=3, number="1002")
    world.run(world.scheduled(24.2))
    refunded(world, order, 24.3, 1)
    world.run(world.scheduled(24.5))
    company(world, order, 24.6, "X BV")
    world.run(world.scheduled(24.8))
    world.run(world.scheduled(80, length=55))
    assert world.waiting() == {}


@pytest.mark.parametrize("mode", ["journal_entry", "daily"])
def test_money_that_came_in_stays_in_whatever_becomes_of_the_order(world: World, mode: str) -> None:
    """By entry and by day: an edit leaves an open or a credit balance on the customer, never more or less money."""
    with open_session(world.merchant, world.code) as session:
        accounts = {a.code: a.id for a in session.package.check().ledger_accounts}
        mapping = {
            "clearing": {"*": accounts["1250"]}, "receivable": accounts["1300"],
            "vat_accounts": dict.fromkeys(("S 21 NL", "S 9 NL"), accounts["1500"]),
        }  # fmt: skip
        changed = {"booking_mode": mode, "register_payments": True, "mapping": mapping}
        integrations.change(session.conn, world.merchant, world.code, changed)
    with open_session(world.merchant, world.code) as session:
        check_and_apply(session)
    order = world.order(hour(0), quantity=3, number="1001")
    came_in = Decimal(world.shop.book.orders[int(order)].raw["total"])
    world.run(world.scheduled(1))
    world.run(world.scheduled(40, length=39))

    def clearing() -> Decimal:
        return Decimal(world.books.on_account(accounts["1250"]))

    assert clearing() == came_in
    at = 40
    for quantity in (5, 1):
        edit(world, order, hour(at + 0.5), quantity=quantity)
        world.run(world.scheduled(at + 1))
        at += 40
        world.run(world.scheduled(at, length=39))
        assert (clearing(), world.waiting()) == (came_in, {})
    for status in ("cancelled", "processing"):
        world.change(order, hour(at + 0.5), status=status)
        world.run(world.scheduled(at + 1))
        at += 40
        world.run(world.scheduled(at, length=39))
        assert (clearing(), world.waiting()) == (came_in, {})
    owed = Decimal(world.shop.book.orders[int(order)].raw["total"]) - came_in
    assert Decimal(world.books.on_account(accounts["1300"])) == owed
