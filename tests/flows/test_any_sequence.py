"""Whatever happens in whatever order, after one clean run the books hold every bookable document exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sluis.errors import SluisError
from sluis.flows import integrations, quarantine, sync
from sluis.flows.patience import Patience
from sluis.flows.wiring import open_session
from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig
from sluis.sandbox.server import SandboxServer
from sluis.store.database import owner_connection
from sluis.store.integrations import IntegrationState
from tests.conftest import Database
from tests.flows.victim import arm
from tests.flows.world import INVOICES, NO_WAIT, World, hour

EXAMPLES = 8
#: A first administration's id; the others follow.
FIRST = 460000000000000001
FAULTS: list[dict[str, Any]] = [
    {"kind": "reset_after"},
    {"kind": "status_after"},
    {"kind": "truncated"},
    {"kind": "reset"},
    {"kind": "status", "status": 503, "times": 9},
    {"kind": "status", "status": 422},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "300"}, "times": 9},
    {"kind": "status", "status": 401},
    {"kind": "reset_after", "path": "*/contacts*"},
    {"kind": "status", "status": 503, "method": "GET", "path": "*/wc/v3/refunds*", "times": 4},
]
POINTS = ("before_claim", "after_claim", "answered", "recorded", "debtor_created", "reported")

small = st.integers(0, 3)
orders = st.tuples(st.just("order"), st.integers(0, 2))
later = st.one_of(
    st.tuples(st.just("change"), small),
    st.tuples(st.just("refund"), small),
    st.tuples(st.just("run")),
    st.tuples(st.just("kill"), st.sampled_from(POINTS), st.integers(1, 4)),
    st.tuples(st.just("fault"), st.sampled_from(range(len(FAULTS))), small),
    st.tuples(st.just("retried"), st.sampled_from(range(len(FAULTS))), small),
    st.tuples(st.just("backfill"), small),
    st.tuples(st.just("manual")),
)
#: A few orders first, so that there is something to go wrong with.
steps = st.tuples(
    st.lists(orders, min_size=2, max_size=4), st.lists(st.one_of(orders, later, later), min_size=3, max_size=9)
).map(lambda pair: [*pair[0], *pair[1]])


class Killed(BaseException):
    """Stands in for the death of the process: nothing of ours catches it (the real one is in test_crash)."""


class Machine:
    """Plays one sequence of steps on one integration."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = 0.0  # hours of the test's time line
        self.ids: list[str] = []

    def play(self, step: tuple[Any, ...]) -> None:
        name, *values = step
        self.now += 0.05
        getattr(self, name)(*values)
        self._clear_up()
        booked = self.world.booked()
        assert len({reference for reference, _ in booked}) == len(booked), "booked twice"
        assert set(booked) <= set(self.world.expected()), "books hold what the shop never sold"

    def order(self, buyer: int) -> None:
        self.ids.append(self.world.order(hour(self.now), buyer=f"buyer{buyer}", quantity=4))

    def change(self, place: int) -> None:
        self.world.change(self._one(place), hour(self.now), customer_note=f"changed at {self.now}")

    def refund(self, place: int) -> None:
        order = self._one(place)
        if (
            len(self.world.shop.book.by_parent.get(int(order), [])) < 3
        ):  # the last piece would carry the cents that were rounded off
            self.world.refund(order, hour(self.now))

    def run(self) -> None:
        with suppress(SluisError):
            self.world.run(self._next())

    def kill(self, point: str, at: int) -> None:
        request = self._next()
        if sync.extract(request).nothing_new:
            return
        sync.transform(request)
        owner, name, original = arm(point, at, self._die)
        try:
            with suppress(Killed):
                sync.load(request, settle=NO_WAIT, patience=Patience(bound=NO_WAIT))
        finally:
            setattr(owner, name, original)

    def fault(self, number: int, skip: int) -> None:
        self.world.fault(**{"path": INVOICES, **FAULTS[number], "skip": skip})
        self.run()

    def retried(self, number: int, skip: int) -> None:
        """Let the load fail and be tried again by Airflow, with the same batch."""
        request = self._next()
        if sync.extract(request).nothing_new:
            return
        sync.transform(request)
        self.world.fault(**{"path": INVOICES, **FAULTS[number], "skip": skip})
        for _ in range(2):
            with suppress(SluisError):
                sync.load(request, settle=NO_WAIT, patience=Patience(bound=NO_WAIT))
                break
        sync.shred(request)

    def backfill(self, back: int) -> None:
        with suppress(SluisError):
            self.world.run(self.world.backfill(max(0.0, self.now - back), self.now))

    def manual(self) -> None:
        with suppress(SluisError):
            self.world.run(self.world.request("manual"))

    def end(self) -> None:
        """One clean run, with everything offered again that a refusal had put aside."""
        with owner_connection() as conn:
            quarantine.offer(conn, self.world.merchant, self.world.code, everything=True)
        self.world.run(self._next())

    def _next(self) -> Any:
        self.now = float(int(self.now) + 1)
        return self.world.scheduled(self.now)

    def _one(self, place: int) -> str:
        return self.ids[place % len(self.ids)]

    def _clear_up(self) -> None:
        """The fault is gone, the vendor's window has passed, and a person has connected again."""
        self.world.server.state.faults.clear()
        self.world.quota_frees()
        if self.world.integration.state is IntegrationState.RECONNECT:
            with open_session(self.world.merchant, self.world.code) as session:
                integrations.resume(session)

    @staticmethod
    def _die() -> None:
        raise Killed


@pytest.fixture(scope="module")
def server(module_database: Database) -> Iterator[SandboxServer]:
    """One sandbox for all examples; each takes a shop and an administration of its own."""
    assert module_database.name
    sandbox = SandboxConfig(
        shops=tuple(ShopConfig(code=f"shop{n}") for n in range(2 * EXAMPLES)),
        administrations=tuple(AdministrationConfig(id=str(FIRST + n)) for n in range(2 * EXAMPLES)),
    )
    with SandboxServer(sandbox) as running:
        yield running


_examples = count()


@settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(steps)
def test_any_sequence_ends_with_every_document_booked_once(
    server: SandboxServer, sequence: list[tuple[Any, ...]]
) -> None:
    number = next(_examples) % (2 * EXAMPLES)
    machine = Machine(World(server, shop_code=f"shop{number}", books_id=str(FIRST + number)))
    for step in sequence:
        machine.play(step)
    machine.end()
    assert machine.world.waiting() == {}
    machine.world.prove()
