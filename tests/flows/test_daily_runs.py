"""Whole runs by journal entry and by day, from the sandbox's shop into its books."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from sluis.core.money import cents
from sluis.flows import integrations
from sluis.flows.check import check_and_apply
from sluis.flows.wiring import open_session
from sluis.sandbox.drafting import make_refund
from sluis.sandbox.server import SandboxServer
from sluis.store.bookings import BookingState
from tests.conftest import Database
from tests.flows.world import World, empty_config, hour

pytestmark = pytest.mark.postgres

JOURNALS = "*/general_journal_documents*"


def opened(server: SandboxServer, mode: str) -> World:
    world = World(server, settings={"booking_mode": mode, "register_payments": True}, live=False)
    with open_session(world.merchant, world.code) as session:
        accounts = {a.code: a.id for a in session.package.check().ledger_accounts}
        integrations.change(session.conn, world.merchant, world.code, {"mapping": {
            "clearing": {"*": accounts["1250"]}, "receivable": accounts["1300"],
            "vat_accounts": {"S 21 NL": accounts["1500"], "S 9 NL": accounts["1500"]},
        }})  # fmt: skip
    with open_session(world.merchant, world.code) as session:
        check_and_apply(session)
    with open_session(world.merchant, world.code) as session:
        integrations.go_live(session)
    return world


@pytest.fixture
def daily(database: Database) -> Iterator[World]:
    with SandboxServer(empty_config()) as server:
        yield opened(server, "daily")


def entries(world: World) -> list[tuple[str, int]]:
    """Reference and debit in cents of every journal entry in the books."""
    return sorted(
        (e["reference"], sum(cents(Decimal(line["debit"])) for line in e["general_journal_document_entries"]))
        for e in world.books.entries.values()
    )


def total(world: World) -> int:
    return sum(amount for _, amount in world.expected())


def reference(number: float) -> str:
    local = hour(number).astimezone(ZoneInfo("Europe/Amsterdam"))
    return f"D{local:%Y%m%d}"


def give_back(world: World, order_id: str, at: datetime, *, by_gateway: bool) -> None:
    book = world.shop.book
    order = book.orders[int(order_id)].raw
    lines = {order["line_items"][0]["id"]: 1}
    book.put_refund(int(order_id), make_refund(book, order, at, lines=lines, reason="retour", paid_back=by_gateway))


def test_a_day_is_posted_by_the_run_that_read_past_its_end(daily: World) -> None:
    daily.orders(hour(0), 3)
    first = daily.run(daily.scheduled(1))
    assert first is not None
    assert (first.summarised, first.booked) == (3, 0)
    daily.run(daily.scheduled(49, length=48))
    assert entries(daily) == [(reference(0), total(daily))]
    assert daily.books.invoices == {}
    assert daily.books.contacts == {}
    assert daily.states()[BookingState.HELD] == 0
    assert daily.run(daily.scheduled(50)) is None
    with open_session(daily.merchant, daily.code) as session:
        assert session.reports.verify() == 3


def test_a_refund_is_part_of_its_own_day(daily: World) -> None:
    order = daily.order(hour(0), quantity=3)
    daily.run(daily.scheduled(1))
    daily.run(daily.scheduled(49, length=48))
    give_back(daily, order, hour(50), by_gateway=True)
    daily.run(daily.scheduled(51))
    daily.run(daily.scheduled(99, length=48))
    assert [name for name, _ in entries(daily)] == [reference(0), reference(50)]
    signed = [amount for _, amount in entries(daily)]
    assert signed[0] - signed[1] == total(daily)
    assert daily.books.invoices == {}


def test_a_refund_that_nobody_paid_back_yet_is_a_credit_note_on_its_own_debtor(daily: World) -> None:
    order = daily.order(hour(0), quantity=3)
    daily.run(daily.scheduled(1))
    give_back(daily, order, hour(2), by_gateway=False)
    daily.run(daily.scheduled(3))
    daily.run(daily.scheduled(49, length=48))
    (credit_note,) = daily.books.invoices.values()
    assert credit_note["reference"].endswith("-C1")
    assert sum(amount for _, amount in entries(daily)) + daily.booked()[0][1] == total(daily)


def test_a_day_without_an_answer_is_found_by_the_next_run(daily: World) -> None:
    daily.orders(hour(0), 2)
    daily.run(daily.scheduled(1))
    daily.fault("reset_after", path=JOURNALS)
    daily.run(daily.scheduled(49, length=48))
    assert daily.states()[BookingState.HELD] == 2
    daily.run(daily.scheduled(50))
    assert entries(daily) == [(reference(0), total(daily))]
    assert daily.states()[BookingState.HELD] == 0


def test_one_entry_per_order_without_a_contact(database: Database) -> None:
    with SandboxServer(empty_config()) as server:
        world = opened(server, "journal_entry")
        world.orders(hour(0), 3)
        done = world.run(world.scheduled(1))
        assert done is not None
        assert done.booked == 3
        assert entries(world) == world.expected()
        assert world.books.contacts == {}
        again = world.run(world.backfill(0, 2))
        assert again is not None
        assert (again.booked, again.already_booked) == (0, 3)
