"""The package misbehaves: whatever it answers, or does not, each document stands in the books once and none is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluis.errors import NotConfigured, QuotaSpent, Reconnect, RetryLater
from sluis.flows import integrations, sync
from sluis.flows.patience import Patience
from sluis.flows.wiring import open_session
from sluis.http import VendorSession
from sluis.store.bookings import BookingState
from sluis.store.integrations import IntegrationState
from tests.flows.world import NO_WAIT, World, edit, finished, hour, prepared


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time out after two seconds instead of thirty."""
    defaults = {**VendorSession.__init__.__kwdefaults__, "read_timeout": 2.0}
    monkeypatch.setattr(VendorSession.__init__, "__kwdefaults__", defaults)


# ------------------------------------------------------------------------------------------- a create without an answer

DONE: list[dict[str, Any]] = [
    {"kind": "hang_after", "seconds": 60.0},
    {"kind": "status_after", "status": 500},
    {"kind": "reset_after"},
    {"kind": "truncated"},
    {"kind": "html"},
    {"kind": "wrong_json"},
    {"kind": "wrong_json", "body": '{"id": "1"}'},
]
NOT_DONE: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "reset"},
    {"kind": "hang", "seconds": 60.0},
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", DONE, ids=lambda f: f"{f['kind']}-{f.get('status', f.get('body', ''))}")
def test_booked_but_no_answer_is_looked_up_and_adopted(world: World, fault: dict[str, Any]) -> None:
    world.orders(hour(0), 3)
    request = prepared(world)
    world.fault(**fault, skip=1)
    with pytest.raises(RetryLater):
        sync.load(request, settle=NO_WAIT)
    assert len(world.books.invoices) == 3  # the others went on
    assert world.states() == {**dict.fromkeys(BookingState, 0), BookingState.CLAIMED: 1, BookingState.BOOKED: 2}
    assert world.integration.watermark is None
    done = finished(world, request)
    assert (done.booked, done.adopted, done.watermark) == (2, 1, hour(1))
    assert world.calls("POST", "/external_sales_invoices") == 3
    world.prove()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", NOT_DONE, ids=lambda f: f["kind"])
def test_not_booked_and_no_answer_is_looked_up_and_created(world: World, fault: dict[str, Any]) -> None:
    world.orders(hour(0), 3)
    request = prepared(world)
    world.fault(**fault, skip=1)
    with pytest.raises(RetryLater):
        sync.load(request, settle=NO_WAIT)
    assert len(world.books.invoices) == 2
    done = finished(world, request)
    assert (done.booked, done.adopted) == (3, 0)
    world.prove()


def test_airflow_gives_up_and_the_next_scheduled_run_adopts(world: World) -> None:
    world.orders(hour(0), 3)
    world.fault("reset_after", skip=2)
    with pytest.raises(RetryLater):
        world.run(world.scheduled(1))
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.adopted, done.booked, done.already_booked, done.watermark) == (1, 2, 0, hour(2))
    world.prove()


def test_an_answer_that_comes_twice_is_not_taken_for_the_next_documents(world: World) -> None:
    world.orders(hour(0), 4)
    world.fault("answer_twice", times=3)
    world.run(world.scheduled(1))
    world.prove()
    with open_session(world.merchant, world.code) as session:
        stored = dict(session.conn.execute("select reference, external_id from sluis.booking").fetchall())
    assert stored == {i["reference"]: i["id"] for i in world.books.invoices.values()}


def test_an_answer_about_another_document_proves_nothing(world: World) -> None:
    first, second = world.orders(hour(0), 2)
    other = {"id": "99", "reference": first, "date": "2026-01-01", "currency": "EUR", "contact_id": "1"}
    totals = {"total_price_incl_tax": "25.90", "total_price_excl_tax": "21.40"}
    world.fault("wrong_json", skip=1, body=json.dumps(other | totals))
    done = world.run(world.scheduled(1))
    assert done is not None
    assert (done.booked, done.quarantined) == (1, 1)
    assert world.waiting() == {second: "total_differs"}
    assert world.field(second) == "reference"
    world.offer(second)
    done = world.run(world.scheduled(9))
    assert done is not None
    assert done.adopted == 1  # the look-up finds what was really booked
    assert world.waiting() == {}
    world.prove()


def test_the_order_changed_while_its_create_had_no_answer(world: World) -> None:
    order, _ = world.orders(hour(0), 2)
    world.fault("reset_after")
    with pytest.raises(RetryLater):
        world.run(world.scheduled(1))
    (sent,) = [entry for entry in world.expected() if entry[0] == order]
    edit(world, order, hour(1.5))
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.booked, done.adopted, done.corrected, done.quarantined) == (1, 0, 1, 0)
    booked = dict(world.booked())
    assert booked[order] == sent[1]  # what was sent is found, taken back, and booked as it is now
    assert (booked[f"{order}-C"], booked[f"{order}-R1"]) == (-sent[1], dict(world.expected())[order])
    assert len(world.books.invoices) == 4


def test_the_order_got_another_known_buyer_while_its_create_had_no_answer(world: World) -> None:
    world.order(hour(-1), buyer="known")
    world.run(world.scheduled(0))
    order = world.order(hour(0.2), buyer="anna")
    world.fault("reset_after")
    with pytest.raises(RetryLater):
        world.run(world.scheduled(1))
    known = world.shop.book.orders[int(world.order(hour(9), buyer="known"))].raw
    world.change(order, hour(1.5), billing=known["billing"], shipping=known["shipping"])
    world.run(world.scheduled(2))
    assert [reference for reference, _ in world.booked()].count(order) == 1


def test_the_order_was_cancelled_while_its_create_had_no_answer(world: World) -> None:
    order, other = world.orders(hour(0), 2)
    world.fault("reset_after")
    with pytest.raises(RetryLater):
        world.run(world.scheduled(1))
    world.change(order, hour(1.5), status="cancelled")
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.booked, done.corrected) == (1, 1)
    assert world.waiting() == {}
    assert [reference for reference, _ in world.booked()] == [order, f"{order}-C", other]
    assert world.states()[BookingState.CLAIMED] == 0


def test_the_order_was_cancelled_and_its_create_had_never_arrived(world: World) -> None:
    order, _ = world.orders(hour(0), 2)
    world.fault("reset")
    with pytest.raises(RetryLater):
        world.run(world.scheduled(1))
    world.change(order, hour(1.5), status="cancelled")
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.skipped, done.booked) == (1, 1)
    world.prove()


# --------------------------------------------------------------------------------------------------- delivered twice


def test_delivered_twice_without_an_answer_is_found_twice_and_never_created_again(world: World) -> None:
    order, _ = world.orders(hour(0), 2)
    request = prepared(world)
    world.fault("twice_reset")
    with pytest.raises(RetryLater):
        sync.load(request, settle=NO_WAIT)
    finished(world, request)
    assert world.waiting() == {order: "booked_twice"}
    assert world.field(order) == "copies=2"
    assert [reference for reference, _ in world.booked()].count(order) == 2
    world.offer(order)
    world.run(world.scheduled(2))  # nobody has tidied up yet
    assert world.waiting() == {order: "booked_twice"}
    assert [reference for reference, _ in world.booked()].count(order) == 2
    world.books.delete_invoice(max(i["id"] for i in world.books.invoices.values() if i["reference"] == order))
    world.offer(order)
    done = world.run(world.scheduled(3))
    assert done is not None
    assert done.adopted == 1
    assert world.waiting() == {}
    world.prove()


def test_delivered_twice_with_an_answer_is_never_made_three(world: World) -> None:
    order, _ = world.orders(hour(0), 2)
    world.fault("twice")
    world.run(world.scheduled(1))
    for request in (world.backfill(0, 1), world.request("manual", order_ids=(order,)), world.scheduled(2)):
        world.run(request)
    assert [reference for reference, _ in world.booked()].count(order) == 2
    with open_session(world.merchant, world.code) as session:  # what looks shows it
        seen = session.package.find(order, Decimal(dict(world.expected())[order]) / 100, hour(0).date(), None)
    assert seen is not None
    assert seen.copies == 2


def test_a_contact_delivered_twice_is_one_debtor(world: World) -> None:
    world.orders(hour(0), 3, buyers=1)
    world.fault("twice", path="*/contacts*")
    world.run(world.scheduled(1))
    assert len(world.books.contacts) == 1
    world.prove()


@pytest.mark.parametrize("kind", ["reset_after", "truncated", "reset"])
def test_a_contact_without_an_answer_is_made_once(world: World, kind: str) -> None:
    world.orders(hour(0), 3, buyers=1)
    request = prepared(world)
    world.fault(kind, path="*/contacts*")
    with pytest.raises(RetryLater):
        sync.load(request, settle=NO_WAIT)
    finished(world, request)
    assert len(world.books.contacts) == 1
    world.prove()


# ---------------------------------------------------------------------------------------------------- quota, credential


@pytest.mark.parametrize("form", ["epoch", "seconds"])
def test_quota_spent_in_the_middle_defers_the_rest(world: World, form: str) -> None:
    orders = world.orders(hour(0), 5)
    world.refund(orders[4], hour(0.5))
    after = str(int(datetime.now(UTC).timestamp()) + 300) if form == "epoch" else "300"
    world.fault("status", status=429, headers={"Retry-After": after}, skip=2, times=9)
    first = world.run(world.scheduled(1))
    assert first is not None
    assert (first.booked, first.deferred, first.quarantined) == (2, 4, 0)  # the refund waits with its order
    assert world.calls("POST", "/external_sales_invoices") == 3  # nobody knocks again
    assert first.watermark == hour(2 / 60)  # the change of the oldest that waits
    assert world.states()[BookingState.CLAIMED] == 0
    world.server.state.faults.clear()
    spent = world.run(world.scheduled(2))  # the window of the vendor has not passed: our limiter knows
    assert spent is not None
    assert (spent.booked, spent.deferred, spent.watermark) == (0, 4, hour(2 / 60))
    assert world.calls("POST", "/external_sales_invoices") == 3
    world.quota_frees()
    done = world.run(world.scheduled(3))
    assert done is not None
    assert (done.booked, done.deferred, done.watermark) == (4, 0, hour(3))
    world.prove()


def test_a_backfill_whose_documents_no_later_run_would_read_does_not_end_green(world: World) -> None:
    world.run(world.scheduled(5))
    world.orders(hour(0), 4)  # imported later, dated and changed in the past
    request = prepared(world, world.backfill(0, 1))
    world.fault("status", status=429, headers={"Retry-After": "300"}, skip=1, times=9)
    with pytest.raises(QuotaSpent) as caught:
        sync.load(request, settle=NO_WAIT, patience=Patience(bound=NO_WAIT))
    assert caught.value.retry_after is not None
    assert timedelta(seconds=280) < caught.value.retry_after <= timedelta(seconds=300)
    world.server.state.faults.clear()
    world.quota_frees()
    done = finished(world, request)
    assert (done.booked, done.deferred) == (4, 0)
    world.prove()
    assert world.integration.watermark == hour(5)


def test_a_dead_credential_stops_the_calls_and_loses_nothing(world: World) -> None:
    world.orders(hour(0), 4)
    world.fault("status", status=401, skip=2)
    with pytest.raises(Reconnect):
        world.run(world.scheduled(1))
    assert world.integration.state is IntegrationState.RECONNECT
    assert world.states()[BookingState.CLAIMED] == 0
    world.orders(hour(1), 2)
    world.server.state.calls.clear()
    assert world.run(world.scheduled(2)) is None
    for request in (world.request("manual"), world.backfill(0, 1)):
        with pytest.raises(Reconnect):
            world.run(request)
    assert not world.server.state.calls
    assert world.integration.watermark is None
    with open_session(world.merchant, world.code) as session:
        integrations.reconnect(session, {"package": {"token": world.books.config.token}})
    done = world.run(world.scheduled(3))
    assert done is not None
    assert (done.booked, done.already_booked, done.watermark) == (6, 0, hour(3))
    world.prove()


def test_resuming_asks_both_sides_first(world: World) -> None:
    world.orders(hour(0), 1)
    world.fault("status", status=403)
    with pytest.raises(Reconnect):
        world.run(world.scheduled(1))
    world.fault("status", status=401, method="GET", path="*/administrations*")
    with open_session(world.merchant, world.code) as session, pytest.raises(Reconnect):
        integrations.resume(session)
    assert world.integration.state is IntegrationState.RECONNECT
    with open_session(world.merchant, world.code) as session:
        integrations.resume(session)
    world.run(world.scheduled(2))
    world.prove()


def test_paused_runs_of_a_person_fail_with_the_reason(world: World) -> None:
    with open_session(world.merchant, world.code) as session:
        integrations.pause(session.conn, world.merchant, world.code)
    with pytest.raises(NotConfigured) as caught:
        world.run(world.request("manual"))
    assert caught.value.code == "integration_paused"
