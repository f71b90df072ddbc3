"""The window of a run: no kind of run, in no order, may leave a gap."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluis.core.settings import IntegrationSettings
from sluis.errors import NotConfigured
from sluis.flows.context import RunRequest
from sluis.flows.window import choose
from sluis.store.integrations import Integration, IntegrationState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def integration(watermark: datetime | None = None, start: date = date(2026, 11, 1)) -> Integration:
    return Integration(
        merchant="m7f3k",
        code="woocommerce_moneybird",
        shop="woocommerce",
        package="moneybird",
        state=IntegrationState.LIVE,
        state_reason=None,
        settings=IntegrationSettings(start_date=start, overlap_minutes=10),
        settings_version=1,
        administration_key="moneybird:1",
        watermark=watermark,
        created_at=NOW,
    )


def request(run_type: str = "scheduled", **more: Any) -> RunRequest:
    return RunRequest(
        merchant="m7f3k", integration="woocommerce_moneybird", dag_id="sync__x", run_id="r", run_type=run_type, **more
    )


def scheduled(end: datetime = NOW) -> RunRequest:
    return request(interval_start=end - HOUR, interval_end=end)


def test_the_first_run_starts_at_the_start_date_in_the_shop_s_own_midnight() -> None:
    window = choose(scheduled(), integration(), NOW)
    assert window is not None
    assert window.start == datetime(2026, 10, 31, 23, 0, tzinfo=UTC)  # 1 November 00:00 in Amsterdam
    assert window.end == NOW


def test_a_scheduled_run_reaches_from_the_watermark_less_the_overlap_however_long_the_outage() -> None:
    watermark = NOW - timedelta(days=9)
    window = choose(scheduled(), integration(watermark), NOW)
    assert window is not None
    assert window.start == watermark - timedelta(minutes=10)


def test_clearing_an_old_failed_run_reads_its_own_interval_again() -> None:
    old = NOW - timedelta(days=3)
    window = choose(scheduled(old), integration(watermark=NOW), NOW)
    assert window is not None
    assert (window.start, window.end) == (old - HOUR, old)


def test_a_backfill_reads_exactly_its_interval() -> None:
    window = choose(request("backfill", interval_start=NOW - HOUR, interval_end=NOW), integration(NOW), NOW)
    assert window is not None
    assert (window.start, window.end) == (NOW - HOUR, NOW)


def test_a_backfill_without_an_interval_is_refused() -> None:
    with pytest.raises(NotConfigured, match="data interval"):
        choose(request("backfill"), integration(NOW), NOW)


def test_a_manual_run_reads_from_the_watermark_to_now_also_when_airflow_gave_it_an_interval() -> None:
    stale = request("manual", interval_start=NOW - 5 * HOUR, interval_end=NOW - 4 * HOUR)
    window = choose(stale, integration(NOW - HOUR), NOW)
    assert window is not None
    assert window.end == NOW
    assert window.start == NOW - HOUR - timedelta(minutes=10)


def test_single_orders_have_no_window_and_never_count_as_scheduled() -> None:
    single = request(order_ids=("12",), interval_start=NOW - HOUR, interval_end=NOW)
    assert choose(single, integration(NOW), NOW) is None
    assert not single.is_scheduled


@given(gaps=st.lists(st.integers(min_value=0, max_value=50), min_size=1, max_size=20))
def test_proved_scheduled_runs_leave_no_moment_unread(gaps: list[int]) -> None:
    """Whatever runs failed or were skipped in between: what is proved covers time without a hole."""
    watermark, covered = None, datetime(2026, 10, 31, 23, 0, tzinfo=UTC)
    end = NOW
    for gap in gaps:
        end += HOUR * (gap + 1)  # ``gap`` runs were skipped, failed or marked successful by hand
        window = choose(scheduled(end), integration(watermark), end)
        assert window is not None
        assert window.start <= covered
        watermark = covered = window.end
