"""The bridge to the steps of the statistics: which quarter a run is about, and what it may be given."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions._internal import contextmanager as airflow_contexts

from sluis.airflow_support.statistics import statistics_request, statistics_step
from sluis.airflow_support.xcom_backend import RefusingXCom
from sluis.errors import Defect
from sluis.flows.statistics_steps import StatisticsRequest, StatisticsStep

RUN_ID = "scheduled__2026-10-15T03:23:00+00:00"


def context(
    run_type: str = "scheduled", conf: Any = None, quarter: Any = "", due: str = "2026-10-15", now: str = "2027-01-20"
) -> Any:
    pushed: dict[str, Any] = {}
    instance = SimpleNamespace(
        task_id="release", pushed=pushed, xcom_push=lambda *, key, value: pushed.update({key: value})
    )
    run = SimpleNamespace(
        dag_id="statistics", run_id=RUN_ID, run_type=run_type, conf=conf,
        data_interval_end=datetime.fromisoformat(f"{due}T03:23:00+00:00"),
        run_after=datetime.fromisoformat(f"{now}T12:00:00+00:00"),
    )  # fmt: skip
    return {"dag_run": run, "ti": instance, "params": {"quarter": quarter}}


@pytest.mark.parametrize(
    ("run_type", "quarter", "expected"),
    [
        ("scheduled", "", "2026-Q3"),  # the one before it was due, however late it runs
        ("backfill", "", "2026-Q3"),
        ("manual", "", "2026-Q4"),  # started on 20 January
        ("manual", "2026-Q2", "2026-Q2"),
    ],
)
def test_a_run_is_about_one_quarter(run_type: str, quarter: str, expected: str) -> None:
    assert statistics_request(context(run_type, quarter=quarter)) == StatisticsRequest(
        dag_run_id=RUN_ID, quarter=expected
    )


@pytest.mark.parametrize(
    "given",
    [{"conf": {"note": "Jan"}}, {"quarter": "Jan"}, {"quarter": "2026-Q5"}, {"quarter": "2026-Q3\n"}, {"quarter": 3}],
    ids=str,
)
def test_what_no_gate_stopped_is_refused_by_the_task(given: Any) -> None:
    with pytest.raises(Defect) as caught:
        statistics_request(context("manual", **given))
    assert caught.value.code == "conf_refused"
    assert "Jan" not in str(caught.value)


def test_what_a_step_tells_may_stand_in_an_xcom(monkeypatch: pytest.MonkeyPatch) -> None:
    told = StatisticsStep(
        quarter_from=date(2026, 7, 1), contributions=7, provisional=False, release=3, published_now=True,
        cells_published=40, cells_hidden=700, too_few=False, releases=3, figures_recounted=40, sha256="a" * 64,
    )  # fmt: skip
    at_hand = context()
    monkeypatch.setattr(airflow_contexts, "_get_current_context", lambda: at_hand)
    statistics_step(lambda request: told)
    pushed = at_hand["ti"].pushed["summary"]
    assert pushed["release"] == 3
    assert RefusingXCom.serialize_value(pushed, key="summary") == pushed
    assert set(pushed) == set(StatisticsStep.model_fields)


def test_a_step_that_fails_shows_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_contexts, "_get_current_context", context)

    def step(request: StatisticsRequest) -> StatisticsStep:
        raise ValueError("m0001 sold for 12.34")

    with pytest.raises(Exception, match=r"\[unexpected\] unexpected ValueError in release") as caught:
        statistics_step(step)
    assert "12.34" not in str(caught.value)


def test_a_moment_in_another_zone_is_the_quarter_in_utc() -> None:
    at_hand = context("manual")
    at_hand["dag_run"].run_after = datetime.fromisoformat("2027-01-01T00:30:00+01:00")
    assert statistics_request(at_hand).quarter == "2026-Q3"
    at_hand["dag_run"].run_after = datetime(2027, 1, 1, tzinfo=UTC)
    assert statistics_request(at_hand).quarter == "2026-Q4"
