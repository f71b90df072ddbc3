"""Whole runs that rest on public registers: booked, waiting, quarantined, caught up with; and no number in a log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from sluis.core.invoice import Result
from sluis.flows.preview import preview
from sluis.flows.wiring import open_session
from sluis.sandbox.drafting import Draft, make_order
from sluis.sandbox.orders import ARTICLES, till_for
from sluis.sandbox.people import person
from sluis.sandbox.server import SandboxServer
from sluis.sandbox.vies import NAME, Mode
from sluis.store.database import owner_connection, rows
from tests.conftest import Database
from tests.flows.world import World, empty_config, hour

BELGIAN = "BE0123456749"


def sell(world: World, number: float, *, vat_number: str | None = BELGIAN, currency: str | None = None) -> str:
    """Put an order of a Belgian business in the shop, without VAT, and return its number."""
    draft = Draft(
        created=hour(number), paid=hour(number), buyer=person(1, f"bedrijf{number}", "BE"),
        items=((ARTICLES[0], 1),), vat_number=vat_number, **({"currency": currency} if currency else {}),
    )  # fmt: skip
    book = world.shop.book
    till = till_for(world.shop.config, world.shop.rows, "BE", exempt=vat_number is not None)
    return str(book.put(make_order(book, till, draft)).raw["number"])


@pytest.fixture
def open_world(database: Database) -> Iterator[World]:
    """Give a live integration that knows of no shop's rates beside its own: its mapping is whole."""
    with SandboxServer(empty_config()) as server:
        yield World(server, settings={"vat_number": "NL123456782B90"})


def mode(world: World, how: str, *states: str) -> None:
    world.server.state.vies = Mode.model_validate({"mode": how, "member_states": states})


def references(world: World) -> list[str]:
    return [reference for reference, _ in world.booked()]


def test_a_valid_number_is_booked_and_the_log_says_on_what(open_world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    number = sell(open_world, 0.5)
    open_world.run(open_world.scheduled(1))
    assert references(open_world) == [number]
    line = next(r.getMessage() for r in caplog.records if r.getMessage().startswith("document kind=invoice"))
    assert "vat_check=valid/" in line
    assert "/WAPISANDBOX" in line
    for secret in (BELGIAN, BELGIAN[2:], NAME, NAME.split()[0]):
        assert secret not in caplog.text


def test_an_order_waits_for_the_register_and_the_next_run_books_it(open_world: World) -> None:
    mode(open_world, "down")
    number = sell(open_world, 0.5)
    done = open_world.run(open_world.scheduled(1))
    assert done is not None
    assert (done.deferred, done.booked, references(open_world)) == (1, 0, [])
    watermark = open_world.integration.watermark
    assert watermark is not None
    assert watermark <= hour(0.5), "the watermark passed an order that waits"
    mode(open_world, "up")
    done = open_world.run(open_world.scheduled(2))
    assert done is not None
    assert (done.deferred, references(open_world)) == (0, [number])
    open_world.prove()


def test_one_member_state_that_is_shut_stops_no_other_order(open_world: World) -> None:
    mode(open_world, "busy", "DE")
    number = sell(open_world, 0.5)
    sell(open_world, 0.6, vat_number="DE123456788")
    done = open_world.run(open_world.scheduled(1))
    assert done is not None
    assert (done.booked, done.deferred, references(open_world)) == (1, 1, [number])


def test_by_setting_an_unverified_number_waits_for_a_person(database: Database) -> None:
    with SandboxServer(empty_config()) as server:
        world = World(server, settings={"vat_number_unverified": "quarantine"})
        mode(world, "broken")
        number = sell(world, 0.5)
        world.run(world.scheduled(1))
        assert world.waiting() == {number: "vat_number_unverified"}
        mode(world, "up")
        world.offer(number)
        world.run(world.scheduled(2))
        assert (world.waiting(), references(world)) == ({}, [number])


def test_by_setting_an_unverified_number_is_booked(database: Database) -> None:
    with SandboxServer(empty_config()) as server:
        world = World(server, settings={"vat_number_unverified": "book"})
        mode(world, "down")
        number = sell(world, 0.5)
        world.run(world.scheduled(1))
        assert references(world) == [number]
        world.run(world.scheduled(2))
        assert references(world) == [number]


def test_a_number_that_is_not_in_use_is_for_a_person(open_world: World) -> None:
    number = sell(open_world, 0.5, vat_number="BE0123456848")
    open_world.run(open_world.scheduled(1))
    assert open_world.waiting() == {number: "vat_number_invalid"}
    assert references(open_world) == []


def test_a_booked_order_needs_no_register_any_more(open_world: World) -> None:
    number = sell(open_world, 0.5)
    open_world.run(open_world.scheduled(1))
    mode(open_world, "down")
    open_world.change(next(iter(map(str, open_world.shop.book.orders))), hour(1.5), status="completed")
    done = open_world.run(open_world.scheduled(2))
    assert done is not None
    assert (done.already_booked, done.deferred, references(open_world)) == (1, 0, [number])


def test_vies_that_does_not_know_the_merchant_still_answers(open_world: World) -> None:
    open_world.server.state.vies = Mode(refuse_requester=True)
    number = sell(open_world, 0.5)
    open_world.run(open_world.scheduled(1))
    assert references(open_world) == [number]


def test_an_order_in_another_currency_is_booked_at_the_days_rate(
    open_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    number = sell(open_world, 0.5, vat_number=None, currency="USD")
    open_world.run(open_world.scheduled(1))
    assert open_world.waiting() == {}
    assert references(open_world) == [number]
    assert "exchange=USD/" in caplog.text


def test_a_preview_asks_as_a_run_does_and_stores_nothing(open_world: World) -> None:
    sell(open_world, 0.5)
    sell(open_world, 0.6, vat_number="BE0123456848")
    start, end = hour(0).date(), hour(24).date()
    with open_session(open_world.merchant, open_world.code) as session:
        shown = preview(session, start, end)
    assert sorted((line.result, line.reason) for line in shown.lines) == [
        (Result.BOOKED, None),
        (Result.QUARANTINED, "vat_number_invalid"),
    ]
    with owner_connection() as conn:
        assert rows(conn, "select number_key from sluis.vat_number_check") == []


def test_what_waits_and_no_later_run_would_read_is_for_a_person(open_world: World) -> None:
    open_world.run(open_world.scheduled(6))
    number = sell(open_world, 0.5)
    mode(open_world, "down")
    done = open_world.run(open_world.backfill(0, 1))
    assert done is not None
    assert (done.deferred, done.quarantined) == (0, 1)
    assert open_world.waiting() == {number: "vat_number_unverified"}
    mode(open_world, "up")
    open_world.offer(number)
    open_world.run(open_world.scheduled(7))
    assert (open_world.waiting(), references(open_world)) == ({}, [number])
