"""Only a scheduled run that proved itself moves the watermark, and no kind of run, in any order, loses an order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluis.errors import ProofFailed
from sluis.flows import sync
from sluis.flows.wiring import open_session
from sluis.sandbox.server import SandboxServer
from sluis.store.bookings import Bookings
from tests.conftest import Database
from tests.flows.world import NO_WAIT, World, empty_config, hour


def test_a_skipped_hour_is_read_by_the_next_run(world: World) -> None:
    world.orders(hour(0), 2)
    world.run(world.scheduled(1))
    world.orders(hour(1), 2)  # nobody runs at hour 2: Airflow was down
    world.orders(hour(2), 2)
    done = world.run(world.scheduled(3))
    assert done is not None
    assert (done.booked, done.watermark) == (4, hour(3))
    world.prove()


def test_a_run_marked_successful_by_hand_loses_nothing(world: World) -> None:
    world.orders(hour(0), 2)
    marked = world.scheduled(1)
    sync.extract(marked)  # somebody sets the run to success here: neither transform nor load was called, shred was
    sync.shred(marked)
    assert world.integration.watermark is None
    world.orders(hour(1), 2)
    done = world.run(world.scheduled(2))
    assert done is not None
    assert done.booked == 4
    world.prove()


def test_a_failed_run_leaves_its_hour_to_the_next(world: World) -> None:
    world.orders(hour(-1), 1)
    world.run(world.scheduled(0))
    world.orders(hour(0), 2)
    failed = world.scheduled(1)
    sync.extract(failed)
    sync.shred(failed)
    with pytest.raises(Exception, match="transit_lost"):
        sync.transform(failed)
    assert world.integration.watermark == hour(0)
    world.run(world.scheduled(2))
    assert world.integration.watermark == hour(2)
    world.prove()


def test_a_run_that_cannot_prove_its_counts_moves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.orders(hour(0), 3)
    request = world.scheduled(1)
    sync.extract(request)
    with open_session(world.merchant, world.code) as session:
        batch = session.transit.batch_id(request.dag_id, request.run_id)
        (facts,) = next(items for _, items in session.transit.read(batch, "facts"))
        more = facts.model_copy(update={"documents": 4})
        session.transit.put(batch, "facts", 0, [more])
    sync.transform(request)
    with pytest.raises(ProofFailed):
        sync.load(request, settle=NO_WAIT)
    assert world.integration.watermark is None
    with open_session(world.merchant, world.code) as session:
        assert not session.reports.list()
    sync.shred(request)
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.booked, done.already_booked) == (3, 0)  # no report told of them yet
    world.prove()


def test_a_manual_run_reads_to_now_and_moves_nothing(world: World) -> None:
    world.orders(hour(0), 2)
    world.run(world.scheduled(1))
    world.orders(hour(1), 2)
    manual = world.run(world.request("manual"))
    assert manual is not None
    assert (manual.booked, manual.watermark) == (2, None)
    assert world.integration.watermark == hour(1)
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.booked, done.already_booked, done.watermark) == (0, 2, hour(2))
    world.prove()


def test_a_backfill_reads_what_was_dated_or_changed_in_it_and_moves_nothing(world: World) -> None:
    world.run(world.scheduled(5))
    dated = world.order(hour(0.5), buyer="imported")
    world.change(dated, hour(4), customer_note="")  # dated in hour 1, changed in hour 4, seen by nobody
    changed = world.order(hour(-3), buyer="late")
    world.change(changed, hour(0.7), customer_note="")
    outside = world.order(hour(-5), buyer="outside")
    done = world.run(world.backfill(0, 1))
    assert done is not None
    assert (done.booked, done.watermark) == (2, None)
    assert world.integration.watermark == hour(5)
    assert world.booked() == world.expected(leave_out=[outside])
    again = world.run(world.backfill(-6, 6))
    assert again is not None
    assert (again.booked, again.already_booked) == (1, 2)
    world.prove()


def test_an_old_run_that_is_cleared_reads_its_own_hour_again_and_moves_nothing_back(world: World) -> None:
    first = world.scheduled(1)
    world.orders(hour(0), 2)
    world.run(first)
    world.run(world.scheduled(6))
    world.order(hour(0.5), buyer="imported")
    done = world.run(first)
    assert done is not None
    assert (done.booked, done.already_booked) == (1, 2)
    assert world.integration.watermark == hour(6)
    world.prove()


def test_an_old_run_that_is_cleared_fails_where_the_quota_would_strand_an_order(world: World) -> None:
    first = world.scheduled(1)
    world.orders(hour(0), 1)
    world.run(first)
    world.run(world.scheduled(6))
    world.order(hour(0.5), buyer="imported")
    world.fault("status", status=429, headers={"Retry-After": "300"})
    with pytest.raises(Exception, match="quota_spent"):
        world.run(first)
    world.quota_frees()
    world.run(first)
    world.prove()


def test_what_the_quota_deferred_inside_the_next_window_stays_green_also_in_a_backfill(world: World) -> None:
    world.run(world.scheduled(1))
    order = world.order(hour(1.5))
    world.fault("status", status=429, headers={"Retry-After": "300"})
    done = world.run(world.backfill(1, 2))
    assert done is not None
    assert done.deferred == 1
    world.quota_frees()
    world.run(world.scheduled(2))
    assert dict(world.booked()).keys() == {order}
    world.prove()


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_an_order_changed_around_the_boundary_second_is_in_one_of_both_windows(world: World, seconds: int) -> None:
    world.order(hour(1) + timedelta(seconds=seconds))
    runs = [world.run(world.scheduled(n)) for n in (1, 2)]
    booked = [run.booked if run else 0 for run in runs]
    assert booked == ([1, 0] if seconds < 0 else [0, 1])
    world.prove()


def test_a_refund_of_an_old_order_is_read_by_its_own_date(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    world.run(world.scheduled(1))
    world.run(world.scheduled(4))
    book = world.shop.book
    before = book.orders[int(order)].modified
    world.refund(order, hour(4.5))
    book.change(int(order), {}, at=before)  # a shop that does not touch the order when it pays back
    done = world.run(world.scheduled(5))
    assert done is not None
    assert (done.booked, done.already_booked) == (1, 1)
    world.prove()


def test_such_a_refund_survives_a_spent_quota(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    world.run(world.scheduled(1))
    world.run(world.scheduled(4))
    before = world.shop.book.orders[int(order)].modified
    world.refund(order, hour(4.5))
    world.shop.book.change(int(order), {}, at=before)
    world.fault("status", status=429, headers={"Retry-After": "300"})
    first = world.run(world.scheduled(5))
    assert first is not None
    assert (first.deferred, first.watermark) == (1, hour(4.5))
    world.quota_frees()
    world.run(world.scheduled(6))
    world.prove()


def test_nothing_before_the_start_whatever_changed_since(database: Database) -> None:
    with SandboxServer(empty_config()) as server:
        start = (hour(0) + timedelta(days=2)).date()
        world = World(server, start=start)
        first_moment = datetime(start.year, start.month, start.day, tzinfo=world.integration.settings.zone)
        before = world.order((first_moment - timedelta(seconds=1)).astimezone(UTC), buyer="before")
        world.order(first_moment.astimezone(UTC), buyer="on the day")
        world.run(world.scheduled(72))
        world.change(before, hour(72.5), customer_note="changed later")
        done = world.run(world.scheduled(73))
        assert done is not None
        assert done.skipped == 1
        world.run(world.backfill(0, 80))
        assert world.booked() == world.expected(leave_out=[before])
        with open_session(world.merchant, world.code) as session:
            assert session.quarantine.open() == []


def test_a_report_is_written_and_the_watermark_moved_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that is retried after its report moves nothing further and books nothing."""
    world.orders(hour(0), 2)
    request = world.scheduled(1)
    sync.extract(request)
    sync.transform(request)
    sync.load(request, settle=NO_WAIT)
    claims: list[object] = []
    monkeypatch.setattr(Bookings, "claim", lambda *_, **__: claims.append(1))
    again = sync.load(request, settle=NO_WAIT)
    sync.shred(request)
    assert not claims
    assert (again.booked, again.already_booked) == (0, 2)
    with open_session(world.merchant, world.code) as session:
        assert session.reports.verify() == 2
    assert world.integration.watermark == hour(1)
