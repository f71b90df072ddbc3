"""Every category at the edge of its period, driven by the register: all stands the day before, nothing on the day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sluis.privacy.register import Category
from tests.conftest import Database
from tests.privacy.retention import world

REGISTER = world.stored()
CLOCKED = [
    category
    for category in REGISTER.register_.categories
    if category.period is not None and category.trigger is not None and category.deleter != "certificates"
]
#: The last and the first day of a quarter, and a leap day.
DAYS = [date(2026, 9, 30), date(2026, 10, 1), date(2028, 2, 29)]


def day_for(category: Category, day: date) -> date:
    """Return the day as the trigger's column allows it: a month and a quarter are named by their first day."""
    column = category.trigger.column if category.trigger else None
    if column == "month":
        return day.replace(day=1)
    return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1) if column == "quarter" else day


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("category", CLOCKED, ids=lambda category: category.id)
def test_boundary(database: Database, category: Category, day: date) -> None:
    trigger = day_for(category, day)
    with database.owner() as owner, database.retention() as conn:
        owner.execute("select sluis.provide_months('2030-01-01')")
        world.merchant(owner, "m1")
        world.place_row(owner, category, trigger)
        assert category.period is not None
        assert category.trigger is not None
        if category.period.startswith("PT"):
            gone = world.midnight(trigger + timedelta(days=1)) + timedelta(hours=int(category.period[2:-1]))
            before = gone - timedelta(microseconds=2)
        else:
            gone = world.midnight(world.first_day_gone(trigger, category.period, category.trigger.rounded))
            before = gone - timedelta(microseconds=1)
        published = world.only(REGISTER, [c.id for c in REGISTER.register_.categories])
        kept = list(world.standing(owner, category))
        assert all(kept)
        day_before = world.carry_out(conn, published, before, category=category.id)
        assert list(world.standing(owner, category)) == kept
        assert day_before.done.deleted.get(category.id, {}) == {}
        run = world.carry_out(conn, published, gone, category=category.id)
        assert not any(world.standing(owner, category))
        assert sum(run.done.deleted[category.id].values()) == run.plan.categories[category.id].total > 0


def test_every_category_of_a_table_is_held_to_its_period() -> None:
    """No category of a table slips out of the tests: each has a period, ends with the contract, or holds nothing."""
    others = {c.id for c in REGISTER.register_.categories} - {c.id for c in CLOCKED}
    by_contract = {c.id for c in REGISTER.register_.categories if c.period is None and c.contract_end is not None}
    assert others - by_contract == {
        "deletion_certificates", "checkpoints", "register_events", "schema_version", "statistics_releases",
    }  # fmt: skip
