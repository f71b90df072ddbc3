"""Days' journal entries in a reconciliation: members are counted, the entry answers for them in the package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sluis.core import reconciliation as rec
from sluis.sandbox.server import SandboxServer
from tests.conftest import Database
from tests.flows.test_daily_runs import opened
from tests.flows.test_reconcile import SHIFT, causes, compared, hour, one, scheduled
from tests.flows.world import World, empty_config

pytestmark = pytest.mark.postgres


@pytest.fixture
def daily(database: Database) -> Iterator[World]:
    with SandboxServer(empty_config()) as server:
        made = opened(server, "daily")
        made.orders(hour(0), 3)
        made.run(scheduled(made, 1))
        yield made


def test_a_day_that_was_not_posted_within_days_is_open(daily: World) -> None:
    found = compared(daily)
    assert set(causes(found)) <= {rec.HELD_FOR_DAY, rec.HELD_TOO_LONG}
    assert sum(causes(found).values()) == 3
    (line,) = found.totals
    assert (line.shop, line.package.documents) == (line.sluis, 0)


def test_a_posted_day_is_equal_on_all_three_sides(daily: World) -> None:
    daily.run(daily.scheduled(SHIFT + 49, length=48))
    found = compared(daily)
    assert (causes(found), found.settled) == ({}, True)
    (line,) = found.totals
    assert line.shop == line.sluis == line.package
    assert line.package.documents == 3


def test_a_day_whose_entry_is_gone_is_missing_with_all_its_members(daily: World) -> None:
    daily.run(daily.scheduled(SHIFT + 49, length=48))
    daily.books.entries.clear()
    found = compared(daily)
    assert causes(found) == {rec.MISSING_IN_PACKAGE: 3}
    assert one(found).first_cents == sum(amount for _, amount in daily.expected())
