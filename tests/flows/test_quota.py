"""A spent quota is waited out, within a bound: a first import and a backfill come to their end in one run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from sluis.errors import QuotaSpent
from sluis.flows.patience import BOUND, ONE_WAIT, UNSAID, Patience
from sluis.store.bookings import BookingState
from tests.flows.world import World, hour


@dataclass
class Clock:
    """Passes only while somebody sleeps."""

    meanwhile: Callable[[], object] = lambda: None
    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.meanwhile()
        self.waits.append(seconds)
        self.now += seconds

    def patience(self, bound: timedelta = BOUND) -> Patience:
        return Patience(bound=bound, sleep=self.sleep, clock=lambda: self.now)


def spent(world: World, after: str = "300", **more: object) -> None:
    world.fault("status", status=429, headers={"Retry-After": after}, **more)


def test_a_load_waits_for_each_window_and_goes_on(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sluis.quota")
    world.orders(hour(0), 6, buyers=1)
    spent(world, skip=1)
    spent(world, skip=4, path="*/external_sales_invoices*")

    def window_passes() -> None:
        assert world.states()[BookingState.CLAIMED] == 0  # a claim's age must not grow while nothing is sent
        world.quota_frees()

    clock = Clock(window_passes)
    done = world.run(world.scheduled(1), clock.patience())
    assert done is not None
    assert (done.booked, done.deferred, done.watermark) == (6, 0, hour(1))
    assert [round(seconds, -1) for seconds in clock.waits] == [300, 300]
    assert sum("the quota is spent; waiting" in record.message for record in caplog.records) == 2
    world.prove()


def test_a_backfill_that_meets_a_spent_quota_finishes(world: World) -> None:
    world.run(world.scheduled(5))
    world.orders(hour(0), 4)
    spent(world, path="*/contacts*")
    spent(world, skip=2)
    clock = Clock(world.quota_frees)
    done = world.run(world.backfill(0, 1), clock.patience())
    assert done is not None
    assert (done.booked, done.deferred) == (4, 0)
    world.prove()


def test_a_look_up_waits_too(world: World) -> None:
    world.orders(hour(0), 2)
    world.fault("status", status=422)
    world.run(world.scheduled(1))
    world.offer(next(iter(world.waiting())))
    spent(world, method="GET", path="*/external_sales_invoices*")
    clock = Clock(world.quota_frees)
    done = world.run(world.scheduled(2), clock.patience())
    assert done is not None
    assert (done.booked, done.deferred) == (1, 0)
    assert len(clock.waits) == 1
    world.prove()


def test_beyond_the_bound_the_rest_is_deferred_without_another_wait(world: World) -> None:
    world.orders(hour(0), 4, buyers=1)
    spent(world, "20000", skip=1)  # more than five hours
    clock = Clock()
    first = world.run(world.scheduled(1), clock.patience())
    assert first is not None
    assert (first.booked, first.deferred, first.watermark) == (1, 3, hour(1 / 60))
    assert clock.waits == []
    world.quota_frees()
    second = world.run(world.scheduled(2))
    assert second is not None
    assert second.booked == 3
    world.prove()


def test_a_run_waits_no_longer_than_its_bound_in_all(world: World) -> None:
    world.orders(hour(0), 3, buyers=1)
    spent(world, times=99)
    clock = Clock(world.quota_frees)
    done = world.run(world.scheduled(1), clock.patience(timedelta(minutes=17)))
    assert done is not None
    assert (done.booked, done.deferred) == (0, 3)
    assert len(clock.waits) == 3  # 5, 10 and 15 minutes have passed; a fourth would end past the bound
    world.server.state.faults.clear()


def test_one_wait_is_bounded_and_a_vendor_who_does_not_say_is_asked_every_minute() -> None:
    clock = Clock()
    patience = clock.patience()
    assert patience.wait(QuotaSpent("spent", retry_after=timedelta(hours=1)))
    assert patience.wait(QuotaSpent("spent"))
    assert patience.wait(QuotaSpent("spent", retry_after=timedelta(0)))
    assert clock.waits == [ONE_WAIT.total_seconds(), UNSAID.total_seconds(), 1.0]
    assert not patience.wait(QuotaSpent("spent", retry_after=BOUND))
