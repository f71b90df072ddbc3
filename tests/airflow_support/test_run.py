"""The bridge to the flows: the request says what started the run; an error leaves without the data it met."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions._internal import contextmanager as airflow_contexts
from airflow.sdk.exceptions import AirflowSkipException

from sluis.airflow_support.run import SUMMARY, guarded, run_request, run_step
from sluis.airflow_support.schedule import cron
from sluis.errors import RetryLater, SluisError
from sluis.flows.context import Extracted, RunRequest

PERSON = "jan.jansen@example.com"
BATCH = "0123456789abcdef0123456789abcdef"


def context(**run: Any) -> Any:
    pushed: dict[str, Any] = {}
    start, end = datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 23, 10, tzinfo=UTC)
    values = {"dag_id": "sync__m1__a", "run_id": "r1", "run_type": "scheduled", "triggering_user_name": None,
              "data_interval_start": start, "data_interval_end": end}  # fmt: skip
    instance = SimpleNamespace(
        try_number=2, task_id="extract", pushed=pushed, xcom_push=lambda *, key, value: pushed.update({key: value})
    )
    return {"dag_run": SimpleNamespace(**{**values, **run}), "ti": instance, "params": run.pop("params", {})}


def test_a_scheduled_run_carries_its_interval() -> None:
    request = run_request(context(), "m1", "a")
    assert request == RunRequest(
        merchant="m1", integration="a", dag_id="sync__m1__a", run_id="r1", run_type="scheduled", try_number=2,
        interval_start=datetime(2026, 11, 23, 9, tzinfo=UTC), interval_end=datetime(2026, 11, 23, 10, tzinfo=UTC),
    )  # fmt: skip


def test_a_manual_run_carries_who_started_it_and_which_orders_he_wants() -> None:
    told = context(run_type=SimpleNamespace(value="manual"), triggering_user_name="admin", data_interval_start=None,
                   data_interval_end=None)  # fmt: skip
    told["params"] = {"order_ids": ["1001", "1002"]}
    request = run_request(told, "m1", "a")
    assert (request.run_type, request.triggered_by, request.order_ids) == ("manual", "admin", ("1001", "1002"))
    assert request.interval_start is None
    assert not request.is_scheduled


def test_a_step_pushes_its_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = context()
    monkeypatch.setattr(airflow_contexts, "_get_current_context", lambda: told)
    found = run_step(lambda request: Extracted(batch_id=BATCH, documents=3), "m1", "a")
    assert found.documents == 3
    assert told["ti"].pushed[SUMMARY]["documents"] == 3
    assert "shop_count" not in told["ti"].pushed[SUMMARY]


def raise_with_data() -> None:
    try:
        raise KeyError(PERSON)
    except KeyError:
        raise ValueError(f"cannot parse {PERSON}")  # noqa: B904 - a careless library


def raise_ours_with_a_cause() -> None:
    try:
        raise_with_data()
    except ValueError as error:
        raise RetryLater("the shop did not answer", code="shop_away") from error


def test_an_unexpected_error_leaves_without_its_text() -> None:
    with pytest.raises(SluisError) as caught:
        guarded("load", raise_with_data)
    assert type(caught.value) is SluisError
    assert caught.value.code == "unexpected"
    assert "ValueError in load" in str(caught.value)
    assert PERSON not in "".join(traceback.format_exception(caught.value))


def test_the_places_in_our_code_are_named() -> None:
    with pytest.raises(SluisError) as caught:
        guarded("load", lambda: Extracted(batch_id=BATCH, cents={"EUR": PERSON}))  # type: ignore[dict-item]
    assert "no line of ours" in str(caught.value)
    with pytest.raises(SluisError, match=r"airflow_support/schedule.py:\d+"):
        guarded("load", lambda: cron(None, 60))  # type: ignore[arg-type]


def test_our_own_error_leaves_as_it_is_but_without_its_cause() -> None:
    with pytest.raises(RetryLater) as caught:
        guarded("extract", raise_ours_with_a_cause)
    assert caught.value.code == "shop_away"
    assert PERSON not in "".join(traceback.format_exception(caught.value))


def test_airflows_own_words_pass() -> None:
    def skip() -> None:
        raise AirflowSkipException("nothing to do")

    with pytest.raises(AirflowSkipException):
        guarded("extract", skip)
