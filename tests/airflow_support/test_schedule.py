"""Starts are spread, stable, and at least as often as asked."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from sluis.airflow_support.schedule import CADENCES, cadence, cron

IDS = [f"sync__m{n:04d}__woocommerce_moneybird" for n in range(1000)]


@pytest.mark.parametrize(("asked", "every"), [(5, 5), (7, 6), (37, 30), (59, 30), (60, 60), (100, 60), (1440, 1440)])
def test_an_interval_becomes_the_next_shorter_cadence(asked: int, every: int) -> None:
    assert cadence(asked) == every


def test_an_interval_under_five_minutes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 5 minutes"):
        cadence(4)


@given(dag_id=st.sampled_from(IDS), every=st.sampled_from(CADENCES))
def test_starts_are_evenly_spaced_and_never_on_the_hour(dag_id: str, every: int) -> None:
    ticks = croniter(cron(dag_id, every), datetime(2026, 1, 1))  # noqa: DTZ001 - croniter's own arithmetic
    times = [ticks.get_next(datetime) for _ in range(2 * 1440 // every)]
    assert all(time.minute for time in times)
    assert {later - earlier for earlier, later in itertools.pairwise(times)} <= {times[1] - times[0]}
    assert (times[1] - times[0]).total_seconds() == every * 60


def test_the_same_integration_always_starts_at_the_same_minute() -> None:
    assert cron(IDS[1], 60) == cron(IDS[1], 60) == "7 * * * *"


def test_a_thousand_hourly_integrations_spread_over_the_hour() -> None:
    minutes = Counter(cron(dag_id, 60).split()[0] for dag_id in IDS)
    assert len(minutes) == 59
    assert max(minutes.values()) < 50  # 17 on average
    assert "0" not in minutes


def test_a_thousand_daily_integrations_spread_over_the_day() -> None:
    hours = Counter(cron(dag_id, 1440).split()[1] for dag_id in IDS)
    assert len(hours) == 24
    assert max(hours.values()) < 90  # 42 on average
