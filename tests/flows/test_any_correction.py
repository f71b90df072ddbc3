"""Edits, cancellations and orders brought back among refunds, faults and deaths: the books net to what was sold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sluis.core.money import cents
from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig
from sluis.sandbox.server import SandboxServer
from sluis.store.bookings import BookingState
from tests.conftest import Database
from tests.flows.test_any_sequence import FAULTS, FIRST, POINTS, Machine
from tests.flows.world import BOOKABLE, World, edit, hour

EXAMPLES = 5

small = st.integers(0, 2)
#: No refused or forbidden document here: a refused replacement waits for a person, which ``test_corrections`` has.
UNANSWERED = [n for n, fault in enumerate(FAULTS) if fault["kind"] != "status"]
step = st.one_of(
    st.tuples(st.just("edited"), small, st.integers(4, 9)),
    st.tuples(st.just("edited"), small, st.integers(4, 9)),
    st.tuples(st.just("status"), small, st.sampled_from(["cancelled", "completed", "processing"])),
    st.tuples(st.just("refund"), small),
    st.tuples(st.just("run")),
    st.tuples(st.just("kill"), st.sampled_from(POINTS), st.integers(1, 4)),
    st.tuples(st.just("fault"), st.sampled_from(UNANSWERED), small),
    st.tuples(st.just("retried"), st.sampled_from(UNANSWERED), small),
)
sequences = st.lists(step, min_size=5, max_size=10)


class Correcting(Machine):
    """A machine whose shop's owner changes his mind."""

    def play(self, step: tuple[Any, ...]) -> None:
        name, *values = step
        self.now += 0.05
        getattr(self, name)(*values)
        self._clear_up()
        booked = self.world.booked()
        assert len({reference for reference, _ in booked}) == len(booked), "booked twice"

    def edited(self, place: int, quantity: int) -> None:
        order = self._one(place)
        if not self.world.shop.book.by_parent.get(int(order)):  # what is refunded is not edited in this shop
            edit(self.world, order, hour(self.now), quantity)

    def status(self, place: int, status: str) -> None:
        order = self._one(place)
        if self.world.shop.book.orders[int(order)].raw["status"] != "refunded":
            self.world.change(order, hour(self.now), status=status)

    def refund(self, place: int) -> None:
        with suppress(StopIteration):
            if self.world.shop.book.orders[int(self._one(place))].raw["status"] in BOOKABLE:
                super().refund(place)


@pytest.fixture(scope="module")
def server(module_database: Database) -> Iterator[SandboxServer]:
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
@given(sequences)
def test_any_sequence_of_corrections_nets_to_what_was_sold(
    server: SandboxServer, sequence: list[tuple[Any, ...]]
) -> None:
    number = next(_examples) % (2 * EXAMPLES)
    world = World(server, shop_code=f"shop{number}", books_id=str(FIRST + number))
    machine = Correcting(world)
    for buyer in range(3):
        machine.order(buyer)
    machine.run()
    for one in sequence:
        machine.play(one)
    machine.end()
    assert world.waiting() == {}
    assert net_of_books(world) == net_of_shop(world)
    assert world.states()[BookingState.CLAIMED] == 0


def net_of_books(world: World) -> dict[str, int]:
    """Cents per order number: what its documents in the books add up to."""
    sums: dict[str, int] = {}
    for reference, total in world.booked():
        sums[reference.split("-")[0]] = sums.get(reference.split("-")[0], 0) + total
    return {number: total for number, total in sums.items() if total}


def net_of_shop(world: World) -> dict[str, int]:
    """Cents per order number: what was sold less what was given back."""
    book, sums = world.shop.book, {}
    for order in book.orders.values():
        if order.raw["status"] in BOOKABLE:
            given = sum(cents(Decimal(refund.raw["amount"])) for refund in book.by_parent.get(order.id, []))
            sums[order.raw["number"]] = cents(Decimal(order.raw["total"])) - given
    return {number: total for number, total in sums.items() if total}
