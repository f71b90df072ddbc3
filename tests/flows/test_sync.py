"""The whole way of an order, against the sandbox and a real PostgreSQL: once, to the cent, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sluis.flows.context import Loaded
from sluis.flows.wiring import open_session
from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig
from sluis.sandbox.server import SandboxServer
from sluis.store.integrations import IntegrationState
from tests.conftest import Database
from tests.flows.world import World, config, hour

#: Calls of a run that do not grow with its orders: refunds, orders and binned orders, one page each below a hundred.
PER_RUN = 3


@pytest.fixture
def shop_of_60(database: Database) -> Iterator[World]:
    with SandboxServer(config()) as server:
        yield World(server)


def snapshot(world: World) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Ids, references and totals in the books, and its contacts."""
    invoices = [(i["id"], i["reference"], i["total_price_incl_tax"]) for i in world.books.invoices.values()]
    return sorted(invoices), sorted(world.books.contacts)


def test_everything_passes_once_to_the_cent(shop_of_60: World) -> None:
    world = shop_of_60
    done = world.run()
    assert done is not None
    shop, books = world.shop.stats(), world.books
    with open_session(world.merchant, world.code) as session:
        report, waits = session.reports.list(1)[0], session.quarantine.summary()
        assert session.reports.verify() == 1
    documents, money = report.tally["documents"], report.tally["cents"]["EUR"]
    listed = shop["listed"]  # what its API shows: neither bin nor drafts
    assert documents == {"booked": done.booked, "skipped": done.skipped, "quarantined": done.quarantined}
    assert report.extracted == sum(documents.values()) == listed["orders"] + listed["refunds"]
    assert sum(money.values()) == listed["orders_cents"] - listed["refunds_cents"]
    assert money["booked"] == done.cents["EUR"] == books.total_cents
    assert done.booked == len(books.invoices) == len(set(books.references)) > 40
    assert sum(w.documents for w in waits) == done.quarantined
    assert sum(w.total_cents for w in waits) == money["quarantined"]
    assert done.deferred == done.adopted == done.already_booked == 0
    assert world.in_transit() == 0


def test_a_second_run_changes_nothing(shop_of_60: World) -> None:
    world = shop_of_60
    world.run()
    before, calls = snapshot(world), world.calls("POST", "/books/")
    assert world.run() is None  # nothing new: only extract starts
    assert snapshot(world) == before
    assert world.calls("POST", "/books/") == calls


def test_200_orders_synced_again_in_every_way_change_nothing(database: Database) -> None:
    with SandboxServer(config(orders=200)) as server:
        world = World(server)
        first = world.run()
        assert first is not None
        before, calls = snapshot(world), world.calls("POST", "/books/")
        start = world.integration.created_at - timedelta(days=60)
        whole = world.request("backfill", interval_start=start, interval_end=world.integration.watermark)
        ids = tuple(str(order_id) for order_id in server.state.shop("shop").book.orders)
        for again in (world.run(whole), world.run(world.request("manual", order_ids=ids))):
            assert again is not None
            assert (again.booked, again.adopted, again.deferred, again.watermark) == (0, 0, 0, None)
            assert (again.already_booked, again.skipped, again.quarantined) == (
                first.booked,
                first.skipped,
                first.quarantined,
            )
        assert snapshot(world) == before
        assert world.calls("POST", "/books/") == calls
        assert world.in_transit() == 0


def test_calls_per_order_one_for_a_known_debtor_two_for_a_new_one(world: World) -> None:
    world.orders(hour(0), 12, buyers=4)
    world.server.state.calls.clear()
    world.run(world.scheduled(1))
    assert (world.calls("POST", "/contacts"), world.calls("POST", "/external_sales_invoices")) == (4, 12)
    assert sum(world.server.state.calls.values()) == PER_RUN + 12 + 4
    world.orders(hour(1), 12, buyers=4)
    world.server.state.calls.clear()
    world.run(world.scheduled(2))
    assert sum(world.server.state.calls.values()) == PER_RUN + 12
    world.prove()


def test_refunds_are_credit_notes_of_their_order(world: World) -> None:
    order = world.order(hour(0), quantity=3)
    world.run(world.scheduled(1))
    world.refund(order, hour(1.2))
    world.refund(order, hour(1.4), quantity=2)
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.booked, done.already_booked) == (2, 1)
    assert world.books.total_cents == 0
    world.prove()


def test_merchants_do_not_see_each_others_rows(database: Database) -> None:
    sandbox = SandboxConfig(
        shops=(ShopConfig(code="one"), ShopConfig(code="two")),
        administrations=(AdministrationConfig(id="460000000000000001"), AdministrationConfig(id="460000000000000002")),
    )
    with SandboxServer(sandbox) as server:
        one = World(server, shop_code="one", books_id="460000000000000001")
        two = World(server, shop_code="two", books_id="460000000000000002")
        for world, number in ((one, 3), (two, 4)):
            world.orders(hour(0), number)  # the same numbers, customers and totals in both
            world.run(world.scheduled(1))
        for world, number in ((one, 3), (two, 4)):
            world.prove()
            assert len(world.booked()) == number
            with database.task(world.merchant) as conn:
                counted = conn.execute("select count(*) from sluis.booking").fetchone()
                links = conn.execute("select count(*) from sluis.debtor_link").fetchone()
            assert (counted, links) == ((number,), (2,))


def test_an_integration_that_is_paused_reads_nothing_and_keeps_its_watermark(world: World) -> None:
    world.orders(hour(0), 2)
    world.run(world.scheduled(1))
    with open_session(world.merchant, world.code) as session:
        session.integrations.set_state(world.merchant, world.code, IntegrationState.PAUSED)
    world.orders(hour(1), 2)
    world.server.state.calls.clear()
    assert world.run(world.scheduled(2)) is None
    assert not world.server.state.calls
    assert world.integration.watermark == hour(1)
    with open_session(world.merchant, world.code) as session:
        session.integrations.set_state(world.merchant, world.code, IntegrationState.LIVE)
    done = world.run(world.scheduled(3))
    assert isinstance(done, Loaded)
    assert done.watermark == hour(3)
    world.prove()
