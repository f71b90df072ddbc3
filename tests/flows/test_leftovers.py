"""What a crashed run left in transit goes with the merchant's next run, and nothing else goes with it."""

from __future__ import annotations

import logging

import pytest

from sluis.flows import sync
from sluis.store.database import owner_connection, rows
from tests.flows.world import World, hour


def crashed(world: World, number: float) -> str:
    """Read orders into transit in a run that nobody goes on with; returns its batch."""
    return sync.extract(world.scheduled(number)).batch_id


def age(batch_id: str, interval: str) -> None:
    with owner_connection() as conn:
        conn.execute(
            "update sluis.transit_chunk set created_at = now() - %s::interval where batch_id = %s", [interval, batch_id]
        )


def batches() -> set[str]:
    with owner_connection() as conn:
        return {row["batch_id"] for row in rows(conn, "select distinct batch_id from sluis.transit_chunk")}


@pytest.mark.postgres
def test_the_next_run_deletes_what_was_left_for_a_day(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.orders(hour(0), 3)
    old, young = crashed(world, 1), crashed(world, 1)
    age(old, "25 hours")
    age(young, "23 hours")
    with caplog.at_level(logging.WARNING, "sluis.extract"):
        world.run(world.scheduled(1))
    assert batches() == {young}
    assert "swept chunks=" in caplog.text
    world.prove()
    caplog.clear()
    world.run(world.scheduled(2))
    assert "swept" not in caplog.text


@pytest.mark.postgres
def test_a_run_that_may_not_read_deletes_it_as_well(world: World) -> None:
    world.orders(hour(0), 1)
    age(crashed(world, 1), "25 hours")
    with owner_connection() as conn:
        conn.execute("update sluis.integration set state = 'paused'")
    assert sync.extract(world.scheduled(2)).nothing_new
    assert batches() == set()
