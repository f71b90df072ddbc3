"""The bridge to retention's steps: what a run was given, what plan told, and who keeps which address."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions._internal import contextmanager as airflow_contexts

from sluis.airflow_support.addresses import KEPT, keep_addresses
from sluis.airflow_support.retention import retention_request, retention_step
from sluis.errors import Defect
from sluis.flows.retention_steps import RetentionRequest, RetentionStep

HASH = "0" * 64
EMPTY = {"merchant": "", "category": "", "dry_run": False, "confirm": ""}
RUN_ID = "scheduled__2026-11-23T02:41:00+00:00"


def context(task: str = "delete", conf: Any = None, told: Any = None, run_id: str = RUN_ID, **params: Any) -> Any:
    pushed: dict[str, Any] = {}
    instance = SimpleNamespace(
        task_id=task, pushed=pushed, xcom_push=lambda *, key, value: pushed.update({key: value}),
        xcom_pull=lambda *, task_ids, key: {"plan": {"summary": told}}[task_ids][key],
    )  # fmt: skip
    return {"dag_run": SimpleNamespace(dag_id="retention", run_id=run_id, conf=conf), "ti": instance,
            "params": {**EMPTY, **params}}  # fmt: skip


def test_a_scheduled_run_is_about_everything_and_takes_the_number_that_plan_told() -> None:
    assert retention_request(context(told={"run": 7})) == RetentionRequest(dag_run_id=RUN_ID, run=7)
    assert retention_request(context("plan")).run is None


def test_a_manual_run_is_about_what_it_was_given() -> None:
    found = retention_request(context("plan", merchant="m7f3k", category="booking_key", dry_run=True))
    assert (found.merchant, found.category, found.dry_run) == ("m7f3k", "booking_key", True)
    assert retention_request(context("plan", confirm=HASH)).confirm == HASH


def test_a_run_that_a_person_named_goes_by_a_name_of_ours() -> None:
    assert retention_request(context("plan", run_id="for Jan")).dag_run_id.startswith("run-")


@pytest.mark.parametrize(
    "given",
    [
        {"conf": {"note": "Jan"}}, {"conf": {"order_ids": ["1"]}}, {"merchant": "Jan"}, {"category": "jan"},
        {"confirm": HASH, "merchant": "m1"}, {"confirm": HASH, "dry_run": True},
    ],
    ids=str,
)  # fmt: skip
def test_what_no_gate_stopped_is_refused_by_the_task(given: Any) -> None:
    with pytest.raises(Defect) as caught:
        retention_request(context("plan", **given))
    assert caught.value.code == "conf_refused"
    assert "Jan" not in str(caught.value)


def test_a_step_pushes_its_numbers_and_says_what_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    told = context("plan", dry_run=True)
    monkeypatch.setattr(airflow_contexts, "_get_current_context", lambda: told)
    assert retention_step(lambda request: RetentionStep(expired=3, categories=1)).dry_run
    assert told["ti"].pushed["summary"]["expired"] == 3


def test_a_step_that_fails_shows_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_contexts, "_get_current_context", lambda: context("plan"))

    def step(request: RetentionRequest) -> RetentionStep:
        raise ValueError("Jan de Vries")

    with pytest.raises(Exception, match=r"\[unexpected\] unexpected ValueError in plan") as caught:
        retention_step(step)
    assert "Jan" not in str(caught.value)


@pytest.mark.parametrize(
    ("dag_id", "kept"),
    [
        ("retention", {"SLUIS_RETENTION_DATABASE_URL", "SLUIS_AIRFLOW_DATABASE_URL"}),
        ("statistics", {"SLUIS_STATISTICS_DATABASE_URL"}),
        ("sync__m1__a", set()),
        ("other", set()),
    ],
)
def test_only_its_own_tasks_keep_its_addresses(dag_id: str, kept: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for names in KEPT.values() for name in names]:
        monkeypatch.setenv(name, "postgresql://")
    keep_addresses(dag_id)
    assert {name for names in KEPT.values() for name in names if name in os.environ} == kept
