"""Days that do not add up, entries that a person touched, runs that died untold, and entries made by hand."""

from __future__ import annotations

import logging

import pytest

from sluis.errors import Refused
from tests.conftest import Database
from tests.flows.summaries_world import D1, D2, D3, DailyWorld, told

pytestmark = pytest.mark.postgres


@pytest.fixture
def daily(database: Database) -> DailyWorld:
    return DailyWorld()


# ------------------------------------------------------------------------------------------ a day that does not add up

UNSOUND = {
    "paid": "paid = '[]'",
    "total": "total_cents = total_cents + 1",
    "figures": "figures = null",
}


@pytest.mark.parametrize("change", UNSOUND.values(), ids=UNSOUND)
def test_a_day_that_does_not_add_up_stops_no_other(
    daily: DailyWorld, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    daily.hold(D1)
    wrong = daily.hold(D1, net="50")
    daily.hold(D2, net="10")
    with daily.session() as session:
        session.conn.execute(f"update sluis.booking set {change} where reference = '{wrong}'")
    with caplog.at_level(logging.ERROR, "sluis.summaries"):
        outcomes = daily.post(D3)
    assert told(outcomes) == [("D20261101", "quarantined", "summary_inconsistent"), ("D20261102", "booked", None)]
    assert outcomes[0].field == wrong
    assert daily.books.booked == [("D20261102", "2026-11-02", 1210)]
    assert "day=2026-11-01 does not add up" in caplog.text
    assert daily.rows()[wrong].waits_for_summary
    assert daily.due(D3)


def test_a_look_up_that_is_refused_stops_no_other_day(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.hold(D2, net="10")
    daily.books.after.append(RuntimeError("gone"))
    with pytest.raises(RuntimeError):
        daily.post(D2)
    daily.books.finding.append(Refused("no", field="reference"))
    outcomes = daily.post(D3)
    assert told(outcomes) == [("D20261101", "quarantined", "refused_by_package"), ("D20261102", "booked", None)]
    daily.post(D3)
    daily.prove()
