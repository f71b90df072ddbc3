"""What our own invoice counts: documents that a run brought to the books, each once, with the run's report."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluis.errors import ProofFailed
from sluis.flows import load
from sluis.store.invoicing import Invoicing
from tests.conftest import Database
from tests.flows.world import World, edit, hour

pytestmark = pytest.mark.postgres


def counted(database: Database, world: World) -> int:
    with database.owner() as conn:
        return sum(one.documents for one in Invoicing(conn).list(datetime.now(UTC).date(), world.merchant))


def test_orders_and_refunds_count_once_and_corrections_not(world: World, database: Database) -> None:
    first, *_ = world.orders(hour(0.2), 3)
    world.refund(first, hour(0.5))
    world.run(world.scheduled(1))
    assert counted(database, world) == 4
    world.run(world.backfill(0, 1))  # all of it again: nothing new
    assert counted(database, world) == 4
    edit(world, world.order(hour(1.2)), hour(1.3))
    world.run(world.scheduled(2))
    assert counted(database, world) == 5
    second = max(world.shop.book.orders)
    edit(world, str(second), hour(2.2), quantity=3)
    world.run(world.scheduled(3))  # a reversal and a replacement
    assert counted(database, world) == 5


def test_a_run_that_fails_its_proof_counts_nothing_and_the_next_one_counts_all(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.orders(hour(0.2), 2)
    with monkeypatch.context() as patch:

        def lost(*_: object, **__: object) -> None:
            raise ProofFailed("a document is lost")

        patch.setattr(load, "close_run", lost)
        with pytest.raises(ProofFailed):
            world.run(world.scheduled(1))
    assert counted(database, world) == 0
    world.run(world.scheduled(1))
    assert counted(database, world) == 2
