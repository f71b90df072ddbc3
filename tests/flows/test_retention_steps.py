"""The steps of the DAG without Airflow: what each tells, what stands in its log, and where it stops."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluis.airflow_support.xcom_backend import RefusingXCom
from sluis.errors import Defect, NotConfigured
from sluis.flows import retention_steps as steps
from sluis.flows.retention_steps import RetentionRequest, RetentionStep
from sluis.privacy.register import register_path
from sluis.privacy.retention.run import earlier
from tests.conftest import Database
from tests.privacy.retention.world import count, merchant, put

NOW = datetime.now(UTC)
HASH = "0" * 64
ASKED = RetentionRequest(dag_run_id="r1", category="limiter")


@pytest.fixture
def store(database: Database) -> Database:
    with database.owner() as owner:
        merchant(owner, "m1")
        for days in (40, 40, 40, 1):
            put(owner, "limiter", updated_at=NOW - timedelta(days=days))
    return database


def limiter(store: Database) -> int:
    with store.owner() as owner:
        return count(owner, "limiter")


def through(request: RetentionRequest) -> RetentionStep:
    """Take all steps."""
    planned = steps.plan(request)
    request = request.model_copy(update={"run": planned.run})
    for step in (steps.holds, steps.guard, steps.delete, steps.prove):
        step(request)
    return steps.certificate(request)


def test_all_steps_make_a_certificate_and_their_logs_a_line_per_category(
    store: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "sluis.retention"):
        told = through(ASKED)
    assert (told.categories, told.expired, told.deleted, told.certificate) == (1, 3, 3, 1)
    assert limiter(store) == 1
    lines = [record.getMessage() for record in caplog.records if "category limiter" in record.getMessage()]
    assert [line.split("before")[0] for line in lines] == [
        "run 1: category limiter: ", "run 1 with 0 hold(s): category limiter: ", "run 1: category limiter, ",
        "run 1: category limiter: nothing is left from ",
    ]  # fmt: skip
    assert ": 3 limiter of 4; held: nothing" in lines[0]
    assert "3 limiter went of 3 limiter" in lines[2]


def test_what_a_step_tells_passes_between_tasks(store: Database) -> None:
    told = through(ASKED).model_dump(mode="json", exclude_none=True)
    assert RefusingXCom.serialize_value(told, key="summary", task_id="plan", dag_id="retention", run_id="r")


def test_a_dry_run_stores_and_deletes_nothing(store: Database, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sluis.retention"):
        told = steps.plan(ASKED.model_copy(update={"dry_run": True}))
        steps.holds(ASKED.model_copy(update={"dry_run": True}))
    assert (told.run, told.expired) == (None, 3)
    assert "dry run: category limiter: before " in caplog.text
    assert limiter(store) == 4
    with store.owner() as owner:
        assert count(owner, "retention_run") == 0


def test_a_hold_is_named_and_takes_its_category_out(store: Database, caplog: pytest.LogCaptureFixture) -> None:
    with store.owner() as owner:
        put(owner, "hold", category="limiter", ends_on=NOW.date() + timedelta(days=3))
    with caplog.at_level(logging.INFO, "sluis.retention"):
        told = through(ASKED)
    assert (told.holds, told.deleted, limiter(store)) == (1, 0, 4)
    assert "hold 1: merchant all, category limiter, reason tax_inspection, of privacy_officer" in caplog.text
    assert "nothing of 4; held: all of it" in caplog.text


def test_a_plan_that_waits_says_how_it_is_confirmed_and_then_goes(store: Database) -> None:
    with store.owner() as owner:
        for _ in range(60):
            put(owner, "limiter", updated_at=NOW - timedelta(days=40))
    planned = steps.plan(ASKED)
    asked = ASKED.model_copy(update={"run": planned.run})
    steps.holds(asked)
    with pytest.raises(Defect) as caught:
        steps.guard(asked)
    assert caught.value.code == "plan_too_large"
    with store.owner() as owner:
        found = owner.execute("select encode(plan_hash, 'hex') from sluis.retention_run").fetchone()
    assert found is not None
    assert f'the DAG retention with the conf {{"confirm": "{found[0]}"}}' in str(caught.value)
    assert f"sluis retention run --confirm {found[0]}" in str(caught.value)
    with pytest.raises(Defect) as caught:
        steps.plan(RetentionRequest(dag_run_id="r2", confirm=HASH))
    assert caught.value.code == "plan_unknown"
    assert limiter(store) == 64
    told = through(RetentionRequest(dag_run_id="r3", confirm=found[0]))
    assert (told.run, told.deleted, limiter(store)) == (planned.run, 63, 1)


def test_a_run_that_was_left_halfway_is_finished_before_the_next_is_planned(store: Database) -> None:
    asked = ASKED.model_copy(update={"run": steps.plan(ASKED).run})
    steps.holds(asked)
    steps.guard(asked)  # killed here: nothing was deleted yet
    told = through(ASKED.model_copy(update={"dag_run_id": "r2"}))
    assert (told.expired, told.certificate, limiter(store)) == (0, 2, 1)
    with store.retention() as conn:
        assert earlier(conn) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"colour": "red"}, "category limiter: unknown field"),
        ({"period": "P31Y"}, "at most 30 years"),
        ({"deleter": "nobody"}, "limiter (nobody)"),
    ],
)
def test_a_wrong_register_stops_it_before_anything_is_deleted(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], told: str
) -> None:
    register = yaml.safe_load(register_path().read_text())
    next(entry for entry in register["categories"] if entry["id"] == "limiter").update(change)
    path = tmp_path / "register.yaml"
    path.write_text(yaml.safe_dump(register))
    monkeypatch.setenv("SLUIS_REGISTER", str(path))
    with pytest.raises(NotConfigured) as caught:
        steps.plan(ASKED)
    assert told in str(caught.value)
    assert limiter(store) == 4
    with store.owner() as owner:
        assert count(owner, "retention_run") == 0


def test_a_step_without_a_plan_says_so(store: Database) -> None:
    with pytest.raises(Defect, match="clear the run from plan on"):
        steps.delete(ASKED)
