"""The bridge to the flows: the request says what started the run; an error leaves without the data it met."""

from __future__ import annotations

import logging
import re
import resource
import traceback
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions._internal import contextmanager as airflow_contexts
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout

from sluis.airflow_support.run import SUMMARY, guarded, run_request, run_step
from sluis.airflow_support.schedule import cron
from sluis.errors import Defect, RetryLater, SluisError
from sluis.flows.context import Extracted, RunRequest
from sluis.flows.runlog import started

PERSON = "jan.jansen@example.com"
RUN_ID = "scheduled__2026-11-23T10:00:00+00:00"
BATCH = "0123456789abcdef0123456789abcdef"


def context(**run: Any) -> Any:
    pushed: dict[str, Any] = {}
    start, end = datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 23, 10, tzinfo=UTC)
    values = {"dag_id": "sync__m1__a", "run_id": RUN_ID, "run_type": "scheduled", "triggering_user_name": None,
              "data_interval_start": start, "data_interval_end": end, "conf": None}  # fmt: skip
    instance = SimpleNamespace(
        try_number=2, task_id="extract", pushed=pushed, xcom_push=lambda *, key, value: pushed.update({key: value})
    )
    return {"dag_run": SimpleNamespace(**{**values, **run}), "ti": instance, "params": run.pop("params", {})}


def test_a_scheduled_run_carries_its_interval() -> None:
    request = run_request(context(), "m1", "a")
    assert request == RunRequest(
        merchant="m1", integration="a", dag_id="sync__m1__a", run_id=RUN_ID, run_type="scheduled", try_number=2,
        interval_start=datetime(2026, 11, 23, 9, tzinfo=UTC), interval_end=datetime(2026, 11, 23, 10, tzinfo=UTC),
    )  # fmt: skip


def test_a_manual_run_carries_which_orders_are_wanted_and_not_who_wants_them() -> None:
    told = context(run_type=SimpleNamespace(value="manual"), triggering_user_name=PERSON, data_interval_start=None,
                   data_interval_end=None, conf={"order_ids": ["1001", "1002"]})  # fmt: skip
    told["params"] = {"order_ids": ["1001", "1002"]}
    request = run_request(told, "m1", "a")
    assert (request.run_type, request.by_person, request.order_ids) == ("manual", True, ("1001", "1002"))
    assert PERSON not in repr(request)
    assert request.interval_start is None
    assert not request.is_scheduled


def test_a_run_that_a_person_named_goes_by_a_name_of_ours_in_every_task() -> None:
    names = {run_request(context(run_id=f"for {PERSON}"), "m1", "a").run_id for _ in range(4)}
    assert len(names) == 1
    assert re.fullmatch(r"run-[0-9a-f]{12}", names.pop())
    assert run_request(context(run_id="for him"), "m1", "a") != run_request(context(run_id="for her"), "m1", "a")


@pytest.mark.parametrize(
    ("conf", "params"),
    [
        ({"order_ids": ["1001"], "note": PERSON}, {"order_ids": ["1001"], "note": PERSON}),
        ({PERSON: 1}, {}),
        ({"order_ids": ["JanJansen"]}, {"order_ids": ["JanJansen"]}),
        (None, {"order_ids": [PERSON]}),
    ],
    ids=["another key", "a person as key", "a name as id", "params alone"],
)
def test_a_conf_with_more_than_ids_of_orders_fails_without_showing_it(conf: Any, params: Any) -> None:
    told = context(conf=conf)
    told["params"] = params
    with pytest.raises(Defect) as caught:
        run_request(told, "m1", "a")
    assert caught.value.code == "conf_refused"
    for piece in (PERSON, "Jan", "note"):
        assert piece not in str(caught.value)


def test_the_log_says_what_started_a_run(caplog: pytest.LogCaptureFixture) -> None:
    integration: Any = SimpleNamespace(
        merchant="m1", code="a", state=SimpleNamespace(value="live"), settings_version=1,
    )  # fmt: skip
    cases = [("scheduled", None, "schedule"), ("manual", PERSON, "person"), ("backfill", PERSON, "person"),
             ("asset_triggered", None, "asset_triggered")]  # fmt: skip
    for run_type, user, word in cases:
        with caplog.at_level(logging.INFO, "sluis.run"):
            started(
                "extract", run_request(context(run_type=run_type, triggering_user_name=user), "m1", "a"), integration
            )
        assert f"started_by={word} " in caplog.messages[-1]
    assert PERSON not in caplog.text


def test_a_step_pushes_its_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = context()
    monkeypatch.setattr(airflow_contexts, "_get_current_context", lambda: told)
    found = run_step(lambda request: Extracted(batch_id=BATCH, documents=3), "m1", "a")
    assert found.documents == 3
    assert told["ti"].pushed[SUMMARY]["documents"] == 3
    assert "shop_count" not in told["ti"].pushed[SUMMARY]


def test_a_step_runs_where_no_core_dump_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_contexts, "_get_current_context", context)
    set_to: list[Any] = []
    monkeypatch.setattr(resource, "setrlimit", lambda *limit: set_to.append(limit))

    def step(request: RunRequest) -> Extracted:
        assert set_to == [(resource.RLIMIT_CORE, (0, 0))]
        return Extracted(batch_id=BATCH)

    assert run_step(step, "m1", "a").batch_id == BATCH


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


@pytest.mark.parametrize("kind", [AirflowTaskTimeout, AirflowSkipException, KeyboardInterrupt, SystemExit])
def test_what_interrupts_a_step_leaves_without_what_the_step_was_doing(kind: type[BaseException]) -> None:
    assert not issubclass(AirflowTaskTimeout, Exception)

    def interrupted() -> None:
        try:
            raise_with_data()
        except ValueError:
            raise kind("interrupted")  # noqa: B904 - as a signal handler does

    def interrupted_from() -> None:
        try:
            raise_with_data()
        except ValueError as error:
            raise kind("interrupted") from error

    for call in (interrupted, interrupted_from):
        with pytest.raises(kind) as caught:
            guarded("extract", call)
        told = "".join(traceback.format_exception(caught.value))
        assert "interrupted" in told
        assert PERSON not in told


def test_airflows_own_words_pass() -> None:
    def skip() -> None:
        raise AirflowSkipException("nothing to do")

    with pytest.raises(AirflowSkipException):
        guarded("extract", skip)
