"""A merchant whose DAG runs in the shared Airflow: his world (shop, books, store) and his runs.

Every merchant is read once a day at a moment drawn from his DAG's id. Airflow runs the last complete interval of a new
DAG at once, so each test has one scheduled run without waiting for a clock. A further one comes the way an operator
would bring it about: a shorter interval, whose own last complete interval Airflow then runs at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from sluis.airflow_support.schedule import cron
from sluis.flows import integrations
from sluis.flows.wiring import open_session
from sluis.local.api import AirflowApi
from sluis.sandbox.config import AdministrationConfig
from sluis.sandbox.server import SandboxServer
from sluis.sandbox.state import State
from sluis.store.database import owner_connection, rows
from sluis.store.reports import RunReport
from tests.airflow_harness import AirflowStack
from tests.flows.world import World, config

T = TypeVar("T")
_numbers = count(1)
DAY_MINUTES = 1440
ZONE = ZoneInfo("Europe/Amsterdam")
AFTER_EXTRACT = ("transform", "load", "verdict", "reconcile", "shred")
#: No period waits to be reconciled in an integration's first run, nor in a person's.
ALL_GREEN = {**dict.fromkeys(("extract", *AFTER_EXTRACT), "success"), "reconcile": "skipped"}
ONLY_EXTRACT = {"extract": "success", **dict.fromkeys(AFTER_EXTRACT, "skipped")}


@contextmanager
def store_of(stack: AirflowStack) -> Iterator[None]:
    """Name the store of Airflow's tasks in this process's environment."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in stack.database.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("SLUIS_KEYS_FILE", raising=False)
        yield


def until(condition: Callable[[], T], what: str, seconds: float = 180) -> T:
    """Wait until ``condition`` gives something true and return it; a deadline only ends what would hang for ever."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.3)
    return found


def ticks(dag_id: str, minutes: int) -> tuple[datetime, datetime]:
    """Return the last moment at which an interval of this DAG ended, and the next (UTC)."""
    now, expression = datetime.now(ZONE), cron(dag_id, minutes)
    last = croniter(expression, now).get_prev(datetime)
    return last.astimezone(UTC), croniter(expression, now).get_next(datetime).astimezone(UTC)


@dataclass(frozen=True)
class Merchant:
    """One integration in the shared Airflow."""

    stack: AirflowStack
    world: World

    @property
    def api(self) -> AirflowApi:
        """Airflow's API."""
        return self.stack.api

    @property
    def dag_id(self) -> str:
        """The DAG of the integration."""
        return self.world.integration.dag_id

    @property
    def watermark(self) -> datetime | None:
        """Where it stands now."""
        return self.world.integration.watermark

    def first_run(self) -> dict[str, Any]:
        """Wait for the end of the scheduled run that Airflow starts by itself for a new DAG."""
        self.api.wait_for_dags([self.dag_id])
        return self.api.wait_for_first_run(self.dag_id, run_type="scheduled")

    def manual(self, **conf: Any) -> str:
        """Start a run by hand and wait for its end; returns its id."""
        self.api.wait_for_dags([self.dag_id])
        run_id = self.api.trigger(self.dag_id, conf=conf)
        self.api.wait_for_run(self.dag_id, run_id)
        return run_id

    def scheduled_runs(self) -> list[dict[str, Any]]:
        """The runs that the schedule made, oldest first."""
        return self.api.runs(self.dag_id, run_type="scheduled")

    def next_scheduled(self, minutes: int) -> dict[str, Any]:
        """Shorten the interval; return the scheduled run that Airflow then starts, as soon as it is there."""
        known = len(self.scheduled_runs())
        with owner_connection() as conn:
            integrations.change(conn, self.world.merchant, self.world.code, {"interval_minutes": minutes})
        return until(lambda: self.scheduled_runs()[known:], "a scheduled run of the shorter interval")[0]

    def ended(self, run_id: str) -> str:
        """Wait for the end of a run that was just cleared (clearing queues it at once); returns its state."""
        return self.api.wait_for_run(self.dag_id, run_id)

    def states(self, run_id: str) -> dict[str, str | None]:
        """The states of a run's tasks."""
        return self.api.states(self.dag_id, run_id)

    def summary(self, run_id: str, task_id: str) -> Any:
        """What a task told the others."""
        return self.api.summary(self.dag_id, run_id, task_id)

    def report(self, run_id: str) -> RunReport:
        """The latest report of a run."""
        with open_session(self.world.merchant, self.world.code) as session:
            return next(r for r in session.reports.list(100) if r.dag_run_id == run_id)

    def resume(self) -> None:
        """Connect again, as a person does after a refused credential."""
        with open_session(self.world.merchant, self.world.code) as session:
            integrations.resume(session)

    def in_transit(self) -> int:
        """How many rows of this merchant stand in transit."""
        counted = "select count(*)::int as n from sluis.transit_chunk where merchant_code = %s"
        with owner_connection() as conn:
            return int(rows(conn, counted, [self.world.merchant])[0]["n"])


def interval(run: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return the data interval of a run (UTC)."""
    return datetime.fromisoformat(run["data_interval_start"]), datetime.fromisoformat(run["data_interval_end"])


@contextmanager
def joined(
    stack: AirflowStack, *, orders: int = 0, age: timedelta = timedelta(0), suits: Callable[[str], bool] = bool
) -> Iterator[Merchant]:
    """Let a merchant go live, with a sandbox of his own, in whose shop lie ``orders`` of at least that ``age``.

    His day does not end while a test runs, and the DAG's id ``suits``; one whose hour does not fit is paused.
    """
    for _ in range(20):
        with SandboxServer(_sandbox(orders, age)) as server:
            world = World(server, settings={"interval_minutes": DAY_MINUTES})
            dag_id, now = world.integration.dag_id, datetime.now(UTC)
            last, following = ticks(dag_id, DAY_MINUTES)
            if now - last > timedelta(minutes=1) and following - now > timedelta(minutes=20) and suits(dag_id):
                yield Merchant(stack, world)
                return
            with owner_connection() as conn:
                integrations.pause(conn, world.merchant, world.code)
    raise AssertionError("no merchant in twenty had a fitting hour")


@contextmanager
def apart(settings: dict[str, Any], *, live: bool = True) -> Iterator[World]:
    """Give a world in the named store whose runs a test makes by itself; Airflow is kept from them: it is paused."""
    with SandboxServer(_sandbox(0, timedelta(0))) as server:
        world = World(server, settings={"interval_minutes": DAY_MINUTES, **settings}, live=live)
        yield world
        with owner_connection() as conn:
            integrations.pause(conn, world.merchant, world.code)


def _sandbox(orders: int, age: timedelta) -> State:
    """A shop and an administration of an id that no other test of the session uses: they share one store."""
    settings = config(orders=orders)
    books = AdministrationConfig(id=f"46{next(_numbers):016d}")
    state = State(settings.model_copy(update={"administrations": (books,)}), clock=lambda: datetime.now(UTC) - age)
    state.clock = lambda: datetime.now(UTC)
    return state
