"""One document is odd: it waits under its reason, the others are booked, and nothing is booked twice."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from sluis.errors import RetryLater
from sluis.flows import sync
from sluis.sandbox.server import SandboxServer
from tests.conftest import Database
from tests.flows.world import NO_WAIT, World, edit, empty_config, finished, hour, prepared


def test_one_order_is_refused_and_the_others_are_booked(world: World) -> None:
    refused, *_ = world.orders(hour(0), 3)
    body = json.dumps({"error": {"details.price": ["is odd: Jan Jansen"]}, "symbolic": {}})
    world.fault("status", status=422, body=body)
    first = world.run(world.scheduled(1))
    assert first is not None
    assert (first.booked, first.quarantined, first.watermark) == (2, 1, hour(1))
    assert world.waiting() == {refused: "refused_by_package"}
    assert world.field(refused) == "details.price"
    assert sum(world.states().values()) == 2  # its number is free again
    world.offer(refused)
    second = world.run(world.scheduled(2))
    assert second is not None
    assert second.booked == 1
    assert world.waiting() == {}
    world.prove()


def test_a_debtor_deleted_in_the_books_is_made_again(world: World) -> None:
    world.order(hour(0), buyer="anna")
    world.run(world.scheduled(1))
    world.forget_contact(next(iter(world.books.contacts)))
    world.order(hour(1), buyer="anna", quantity=2)
    world.order(hour(1.1), buyer="anna", quantity=3)
    done = world.run(world.scheduled(2))
    assert done is not None
    assert done.booked == 2
    assert len(world.books.contacts) == 1
    assert world.calls("POST", "/contacts") == 2
    world.prove()


def test_an_order_changed_after_booking_is_shown_and_never_booked_again(database: Database) -> None:
    with SandboxServer(empty_config()) as server:
        world = World(server, settings={"changed_orders": "quarantine"})
        order = world.order(hour(0))
        world.run(world.scheduled(1))
        (before,) = world.booked()
        edit(world, order, hour(1.5))
        for request in (world.scheduled(2), world.request("manual", order_ids=(order,))):
            done = world.run(request)
            assert done is not None
            assert done.quarantined == 1
        assert world.waiting() == {order: "changed_after_booking"}
        assert world.booked() == [before]


def test_an_order_cancelled_after_booking_is_not_skipped_in_silence(database: Database) -> None:
    with SandboxServer(empty_config()) as server:
        world = World(server, settings={"cancelled_orders": "quarantine"})
        order = world.order(hour(0))
        world.run(world.scheduled(1))
        world.change(order, hour(1.5), status="cancelled")
        done = world.run(world.scheduled(2))
        assert done is not None
        assert (done.skipped, done.quarantined) == (0, 1)
        assert world.waiting() == {order: "changed_after_booking"}
        assert world.field(order) == "status_not_bookable"
        world.change(order, hour(2.5), status="completed")  # it was a mistake
        world.run(world.scheduled(3))
        assert world.waiting() == {}
        world.prove()


def test_a_number_that_repeats_is_booked_once_and_waits_once(world: World) -> None:
    first = world.order(hour(0), number="W-1")
    second = world.order(hour(0.1), number="W-1", quantity=2)
    done = world.run(world.scheduled(1))
    assert done is not None
    assert (done.booked, done.quarantined) == (1, 1)
    assert world.waiting() == {"W-1": "duplicate_number"}
    assert world.booked() == world.expected(leave_out=[second])
    world.change(second, hour(1.5), number="W-2")
    world.run(world.scheduled(2))
    assert world.waiting() == {}
    assert first
    world.prove()


def test_another_total_in_the_books_is_shown_and_never_created_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, _ = world.orders(hour(0), 2)
    create = world.books.create_invoice

    def a_cent_more(given: dict[str, Any]) -> dict[str, Any]:
        invoice = create(given)
        if given["reference"] == order:
            invoice["total_price_incl_tax"] = str(Decimal(invoice["total_price_incl_tax"]) + Decimal("0.01"))
        return invoice

    monkeypatch.setattr(world.books, "create_invoice", a_cent_more)
    world.run(world.scheduled(1))
    assert world.waiting() == {order: "total_differs"}
    world.offer(order)
    world.run(world.scheduled(2))
    world.run(world.backfill(0, 1))
    assert world.waiting() == {order: "total_differs"}
    assert world.calls("POST", "/external_sales_invoices") == 2
    wrong = next(i for i in world.books.invoices.values() if i["reference"] == order)
    wrong["total_price_incl_tax"] = str(Decimal(wrong["total_price_incl_tax"]) - Decimal("0.01"))  # put right by hand
    world.offer(order)
    world.run(world.scheduled(3))
    assert world.waiting() == {}
    world.prove()


def test_the_package_is_away_for_the_whole_load(world: World) -> None:
    world.orders(hour(0), 5)
    request = prepared(world)
    state, port = world.server.state, world.server.port
    world.server.stop()
    with pytest.raises(RetryLater):
        sync.load(request, settle=NO_WAIT)
    assert sum(world.states().values()) == 0
    assert world.integration.watermark is None
    with SandboxServer(state, port) as world.server:
        done = finished(world, request)
        assert (done.booked, done.adopted) == (5, 0)
        world.prove()


def test_a_package_that_keeps_failing_is_left_alone_after_three_times(world: World) -> None:
    world.orders(hour(0), 8, buyers=1)
    request = prepared(world)
    world.fault("status", status=503, times=99)
    with pytest.raises(RetryLater):
        sync.load(request, settle=NO_WAIT)
    assert world.calls("POST", "/external_sales_invoices") == 3
    world.server.state.faults.clear()
    finished(world, request)
    world.prove()
