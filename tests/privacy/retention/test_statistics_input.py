"""Contributions go 45 days after their quarter was released, or 120 days after it ended: whichever is sooner."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sluis.privacy.retention.statistics_input import AFTER_RELEASE
from sluis.store.database import Connection
from tests.conftest import Database
from tests.privacy.retention import world

pytestmark = pytest.mark.postgres
QUARTER, NEXT = date(2026, 7, 1), date(2026, 10, 1)
RELEASED = datetime(2026, 10, 15, 3, 23, tzinfo=UTC)


def release(owner: Connection, quarter: date) -> None:
    owner.execute(
        """insert into sluis.statistics_freeze (quarter, contributions, enterprises, provisional, input_hash)
        values (%s, 1, 1, false, %s)""",
        [quarter, bytes(32)],
    )
    owner.execute(
        """insert into sluis.statistics_release (number, quarter, released_at, document, sha256, audit)
        values (1, %s, %s, '{}', %s, '{}')""",
        [quarter, RELEASED, bytes(32)],
    )


def test_a_released_quarter_goes_45_days_later_and_the_next_one_stands(database: Database) -> None:
    published = world.stored()
    with database.owner() as owner, database.retention() as conn:
        world.merchant(owner, "m1")
        for quarter in (date(2026, 4, 1), QUARTER, NEXT):
            world.put(owner, "statistics_contribution", quarter=quarter)
        release(owner, QUARTER)
        stays = world.midnight(RELEASED.date() + timedelta(days=45)) + timedelta(hours=23)
        world.carry_out(conn, published, stays, category="statistics_input")
        assert world.count(owner, "statistics_contribution") == 2, "the quarter before ended 120 days ago"
        run = world.carry_out(conn, published, stays + timedelta(hours=2), category="statistics_input")
        assert run.done.deleted["statistics_input"] == {"statistics_contribution": 1}
        assert world.count(owner, "statistics_contribution", f"quarter = '{NEXT}'") == 1
        assert world.count(owner, "statistics_contribution") == 1
        assert AFTER_RELEASE == "P45D"


def test_without_a_release_the_end_of_the_quarter_decides(database: Database) -> None:
    published = world.stored()
    with database.owner() as owner, database.retention() as conn:
        world.merchant(owner, "m1")
        world.put(owner, "statistics_contribution", quarter=QUARTER)
        stays = world.midnight(NEXT + timedelta(days=119)) + timedelta(hours=23)
        world.carry_out(conn, published, stays, category="statistics_input")
        assert world.count(owner, "statistics_contribution") == 1
        world.carry_out(conn, published, stays + timedelta(days=1), category="statistics_input")
        assert world.count(owner, "statistics_contribution") == 0
