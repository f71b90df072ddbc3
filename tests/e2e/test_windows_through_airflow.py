"""The window follows our own watermark: whatever Airflow calls a run, no order is lost and none is booked twice.

Proved here through a real Airflow, its own scheduler making every scheduled run:

* a scheduled run that found nothing, a manual run, and a run marked successful by hand while it worked, then a
  scheduled run that finds what all of them left (``test_the_window_follows_...``);
* a scheduled run that failed halfway and is cleared; a native backfill over a past day by Airflow's own command line;
  single orders by ``order_ids`` (``test_a_failed_run_...``).

Scheduled runs come by interval, five minutes at least. Nobody waits for a clock here: a new DAG runs its last complete
interval at once, and so does one whose interval was shortened (see tests/e2e/merchant.py). What needs more scheduled
runs than that, in any order with the others, is proved with the same flows without Airflow (``test_in_any_order_...``).
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from sluis.airflow_support.schedule import CADENCES
from sluis.errors import RetryLater
from sluis.flows import sync
from sluis.flows.context import RunRequest
from sluis.local.airflow_env import child_environment, environment
from sluis.store.integrations import IntegrationState
from tests.airflow_harness import AirflowStack
from tests.e2e.merchant import ALL_GREEN, DAY_MINUTES, ONLY_EXTRACT, Merchant, interval, joined, ticks, until
from tests.flows.world import ORDERS, World, hour

MINUTE = timedelta(minutes=1)
KINDS = ("scheduled", "scheduled", "manual", "backfill", "marked", "failed", "cleared", "none")
HALF_HOUR = timedelta(minutes=30)


def cadences(dag_id: str) -> tuple[int, int] | None:
    """Return two shorter intervals whose last ends lie such that a watermark that moved wrongly would lose an order.

    The first must end well after the day's end (there lies the order) and not again during the test, the second later
    still and beginning after that order.
    """
    day, soon = ticks(dag_id, DAY_MINUTES)[0], datetime.now(UTC) + 6 * MINUTE
    for first in reversed(CADENCES[:-1]):
        end, following = ticks(dag_id, first)
        if end < day + 2 * HALF_HOUR or following < soon:
            continue
        for second in CADENCES:
            later = ticks(dag_id, second)[0]
            if second < first and later > end and later - second * MINUTE > day + HALF_HOUR:
                return first, second
    return None


@pytest.mark.airflow
def test_the_window_follows_our_watermark_and_not_what_airflow_calls_successful(
    airflow_stack: AirflowStack,
) -> None:
    with joined(airflow_stack, suits=lambda dag_id: cadences(dag_id) is not None) as merchant:
        _follow_the_watermark(merchant)


def _follow_the_watermark(merchant: Merchant) -> None:
    world = merchant.world
    chosen = cadences(merchant.dag_id)
    assert chosen is not None
    # A scheduled run that finds nothing: green, everything after extract skipped, and proved, so the watermark moves.
    first = merchant.first_run()
    day = interval(first)[1]
    assert (first["state"], merchant.states(first["dag_run_id"])) == ("success", ONLY_EXTRACT)
    assert merchant.watermark == day
    # A manual run books what is new and moves nothing.
    world.order(day + MINUTE)
    manual = merchant.manual()
    assert merchant.states(manual) == ALL_GREEN
    assert merchant.summary(manual, "load")["booked"] == 1
    assert "watermark" not in merchant.summary(manual, "load")
    assert merchant.watermark == day
    left = day + 2 * MINUTE
    world.order(left)
    _mark_by_hand(merchant, chosen[0], day)
    # The next scheduled run reads from the watermark, not from the end of what Airflow calls done.
    following = merchant.next_scheduled(chosen[1])
    assert merchant.api.wait_for_run(merchant.dag_id, following["dag_run_id"]) == "success"
    assert interval(following)[0] > left
    report = merchant.report(following["dag_run_id"])
    assert report.window_start == day - timedelta(minutes=world.integration.settings.overlap_minutes)
    assert report.tally["documents"] == {"already_booked": 1, "booked": 1}
    assert (merchant.watermark or day) >= interval(following)[1]
    world.prove()


def _mark_by_hand(merchant: Merchant, minutes: int, watermark: datetime) -> None:
    """A scheduled run is marked successful while it reads: its order is in no book, and nothing moves."""
    world = merchant.world
    world.fault("slow", method="GET", path=ORDERS, seconds=25.0)
    marked = merchant.next_scheduled(minutes)
    assert interval(marked)[1] > watermark + HALF_HOUR
    until(lambda: world.server.state.faults.left() == 0, "the shop is asked")
    merchant.api.mark(merchant.dag_id, marked["dag_run_id"], "success")
    assert merchant.api.wait_for_run(merchant.dag_id, marked["dag_run_id"]) == "success"
    told = merchant.states(marked["dag_run_id"])
    assert told == {**ONLY_EXTRACT, "shred": "success"}  # so says Airflow of an extract that never ended
    until(lambda: not merchant.stack.task_processes(merchant.dag_id), "the marked run's process ends")
    assert (merchant.in_transit(), merchant.watermark) == (0, watermark)
    assert (len(world.booked()), len(world.expected())) == (1, 2)


@pytest.mark.airflow
def test_a_failed_run_then_cleared_a_backfill_and_single_orders_lose_nothing(
    airflow_stack: AirflowStack,
) -> None:
    with joined(airflow_stack) as merchant:
        _fail_and_clear(merchant)
        _backfill(merchant)
        _single_orders(merchant)
        merchant.world.prove()


def _fail_and_clear(merchant: Merchant) -> None:
    """A scheduled run whose books refuse the token after two documents, cleared when he has connected again."""
    world = merchant.world
    world.orders(hour(0), 6)
    world.fault("status", status=401, skip=2)
    first = merchant.first_run()
    run_id = first["dag_run_id"]
    assert first["state"] == "failed"
    assert merchant.states(run_id) == {
        "extract": "success", "transform": "success", "load": "failed", "verdict": "upstream_failed",
        "reconcile": "skipped", "shred": "success",
    }  # fmt: skip
    assert merchant.api.tasks(merchant.dag_id, run_id)["load"]["try_number"] == 1
    assert (len(world.booked()), merchant.watermark, merchant.in_transit()) == (2, None, 0)
    assert world.integration.state is IntegrationState.RECONNECT
    # Connected again; clearing nothing but what failed cannot work, as the batch is gone: it says so and what to do.
    merchant.resume()
    assert sorted(merchant.api.clear(merchant.dag_id, run_id)) == ["load", "verdict"]
    assert merchant.ended(run_id) == "failed"
    assert "[transit_lost]" in merchant.api.log(merchant.dag_id, run_id, "load", 2)
    assert (len(world.booked()), merchant.watermark) == (2, None)
    # Clearing the task takes the whole chain along.
    assert set(merchant.api.clear(merchant.dag_id, run_id, ["load"])) == set(ALL_GREEN)
    assert merchant.ended(run_id) == "success"
    assert merchant.states(run_id) == ALL_GREEN
    # The two of the try that never reported are this run's own work: its one report tells of all six.
    assert merchant.report(run_id).tally["documents"] == {"booked": 6}
    assert merchant.watermark == interval(first)[1]
    world.prove()


def _backfill(merchant: Merchant) -> None:
    """Orders that came to light later, around a day that was handled long ago: a backfill books those of the day."""
    world, watermark = merchant.world, merchant.watermark
    start = ticks(merchant.dag_id, DAY_MINUTES)[0] - timedelta(days=10)
    inside, later = start + HALF_HOUR, start + timedelta(days=2)
    dated, changed_later, changed = world.order(inside), world.order(inside), world.order(start - timedelta(days=2))
    world.change(changed_later, later)
    world.change(changed, start + timedelta(hours=23))
    outside = [world.order(start - HALF_HOUR), world.order(start + timedelta(days=1) + HALF_HOUR)]
    run = _create_by_command(merchant, start - timedelta(hours=1), start + timedelta(hours=1))
    assert run["state"] == "success"
    assert merchant.states(run["dag_run_id"]) == ALL_GREEN
    report = merchant.report(run["dag_run_id"])
    assert (report.run_type, report.window_start, report.window_end) == ("backfill", start, start + timedelta(days=1))
    assert report.tally["documents"] == {"booked": 3}
    numbers = {world.shop.book.orders[int(order)].raw["number"] for order in (dated, changed_later, changed)}
    assert numbers <= {reference for reference, _ in world.booked()}
    assert world.booked() == world.expected(leave_out=outside)
    assert merchant.watermark == watermark


def _create_by_command(merchant: Merchant, first: datetime, last: datetime) -> dict[str, Any]:
    """Run ``airflow backfill create`` as an operator would, and wait for its one run."""
    stack = merchant.stack
    airflow = stack.airflow
    settings = environment(airflow.home, stack.dsn, port=airflow.port, store=stack.database.environment)
    command = [sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", merchant.dag_id,
               "--from-date", first.isoformat(), "--to-date", last.isoformat()]  # fmt: skip
    done = subprocess.run(command, env=child_environment(settings), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return merchant.api.wait_for_first_run(merchant.dag_id, run_type="backfill")


def _single_orders(merchant: Merchant) -> None:
    """The two orders beside that day lie behind the watermark: no window holds them, a person names them."""
    world, watermark = merchant.world, merchant.watermark
    booked = {reference for reference, _ in world.booked()}
    left = [str(o.id) for o in world.shop.book.orders.values() if o.raw["number"] not in booked]
    assert len(left) == 2
    run_id = merchant.manual(order_ids=left[:1])
    assert merchant.states(run_id) == ALL_GREEN
    assert merchant.report(run_id).tally["documents"] == {"booked": 1}
    assert world.booked() == world.expected(leave_out=left[1:])
    run_id = merchant.manual(order_ids=left)
    assert merchant.report(run_id).tally["documents"] == {"already_booked": 1, "booked": 1}
    assert merchant.watermark == watermark


@pytest.mark.parametrize("seed", range(6))
def test_in_any_order_runs_of_all_kinds_lose_nothing(world: World, seed: int) -> None:
    """The same flows without Airflow: orders trickle in while runs of all kinds come, fail, are marked and cleared."""
    throw = Random(seed)
    proved: datetime | None = None
    for now in range(1, 13):
        for minute in throw.sample(range(60), throw.randint(0, 3)):
            world.order(hour(now - 1) + minute * MINUTE, buyer=f"buyer{minute % 3}")
        kind, run = throw.choice(KINDS), world.scheduled(now)
        proof = False
        if kind == "manual":
            world.run(world.request("manual"))
        elif kind == "backfill":
            world.run(world.backfill(max(0, now - 3), max(1, now - 1)))
        elif kind == "marked":  # called successful by hand after extract: only one that found nothing has proved itself
            proof = sync.extract(run).nothing_new
        elif kind in ("failed", "cleared"):
            world.fault("status", status=503, times=9)
            proof = _proves(world, run)
            world.server.state.faults.clear()
        if kind in ("scheduled", "cleared"):
            proof = _proves(world, run)
        proved = hour(now) if proof else proved
        assert world.integration.watermark == proved
    assert _proves(world, world.scheduled(13))
    world.prove()
    assert world.integration.watermark == hour(13)


def _proves(world: World, run: RunRequest) -> bool:
    """Run; whether it came to its end."""
    try:
        world.run(run)
    except RetryLater:
        return False
    return True
