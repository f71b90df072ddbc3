"""The client of Airflow's API: pages, log lines, and what it says when Airflow refuses. Real answers: tests/dags."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses

from sluis.errors import Defect, Reconnect, RetryLater
from sluis.local.api import AirflowApi

URL = "http://127.0.0.1:18080"


@pytest.fixture
def api() -> Any:
    with responses.RequestsMock() as mocked:
        mocked.post(f"{URL}/auth/token", json={"access_token": "t"}, status=201)
        yield AirflowApi(URL, ("admin", "secret")), mocked


def test_it_logs_in_once_and_reads_every_page(api: Any) -> None:
    client, mocked = api
    pages = [[{"dag_id": f"d{n}"} for n in range(100)], [{"dag_id": "d100"}]]
    for offset, page in zip((0, 100), pages, strict=True):
        mocked.get(
            f"{URL}/api/v2/dags", json={"dags": page, "total_entries": 101},
            match=[responses.matchers.query_param_matcher({"limit": 100, "offset": offset, "order_by": "dag_id"}),
                   responses.matchers.header_matcher({"Authorization": "Bearer t"})],
        )  # fmt: skip
    assert len(client.dags()) == 101
    assert len(mocked.calls) == 3


@pytest.mark.parametrize(
    ("status", "body", "error", "told"),
    [
        (401, {}, Reconnect, "refuses the login"),
        (503, {}, RetryLater, "answered 503"),
        (409, {"detail": "There is already a running backfill"}, Defect, "409 There is already a running backfill"),
        (404, "not json", Defect, "404"),
    ],
)
def test_a_refusal_is_told_in_airflows_words(
    api: Any, status: int, body: Any, error: type[Exception], told: str
) -> None:
    client, mocked = api
    mocked.get(f"{URL}/api/v2/dags/d/dagRuns/r", json=body, status=status)
    with pytest.raises(error, match=told):
        client.run("d", "r")


@responses.activate
def test_an_airflow_that_is_away_is_one_clear_line() -> None:
    responses.get(f"{URL}/api/v2/monitor/health", body=requests.ConnectionError("refused"))
    with pytest.raises(RetryLater, match=f"does not answer at {URL}"):
        AirflowApi(URL, ("admin", "secret")).health()


def test_a_run_that_does_not_end_is_named(api: Any) -> None:
    client, mocked = api
    mocked.get(f"{URL}/api/v2/dags/d/dagRuns/r", json={"state": "running"})
    with pytest.raises(RetryLater, match="run r of d is still running"):
        client.wait_for_run("d", "r", timeout_seconds=0)


def test_dags_that_do_not_come_are_named_with_the_broken_file(api: Any) -> None:
    client, mocked = api
    mocked.get(f"{URL}/api/v2/dags", json={"dags": [], "total_entries": 0})
    mocked.get(f"{URL}/api/v2/importErrors", json={"import_errors": [{"filename": "sync.py"}], "total_entries": 1})
    with pytest.raises(RetryLater, match=r"does not know sync__m1__a yet; not importable: sync\.py"):
        client.wait_for_dags(["sync__m1__a"], timeout_seconds=0)


def test_a_backfill_is_asked_with_its_days(api: Any) -> None:
    client, mocked = api
    body = {"dag_id": "d", "from_date": "2026-11-01T00:00:00+00:00", "to_date": "2026-11-02T00:00:00+00:00",
            "reprocess_behavior": "failed", "run_backwards": False, "dag_run_conf": {}}  # fmt: skip
    mocked.post(f"{URL}/api/v2/backfills/dry_run", json={"total_entries": 24},
                match=[responses.matchers.json_params_matcher(body)])  # fmt: skip
    days = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    assert client.backfill_size("d", *days) == 24


def test_a_log_is_lines_with_the_error_in_them(api: Any) -> None:
    client, mocked = api
    events = [{"timestamp": "2026-11-23T10:00:00Z", "level": "info", "event": "window start"},
              {"event": "Task failed",
               "error_detail": [{"exc_type": "Defect", "exc_value": "[defect] what"}]}]  # fmt: skip
    mocked.get(f"{URL}/api/v2/dags/d/dagRuns/r/taskInstances/load/logs/1", json={"content": events})
    assert client.log("d", "r", "load").splitlines() == [
        "2026-11-23T10:00:00Z info window start",
        "Task failed | Defect: [defect] what",
    ]
