"""Retention in a real Airflow: rows, Airflow's own metadata and logs go; a dry run, a plan that waits, a kill."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.airflow_harness import AirflowStack
from tests.dags.airflow_rows import Rows
from tests.privacy.retention.world import count, put
from tests.store.helpers import add_integration

pytestmark = pytest.mark.airflow
DAG = "retention"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
TASKS = ["plan", "holds", "guard", "delete", "prove", "certificate"]
OLD_DAG = "sync__mold__woocommerce_moneybird"


@pytest.fixture(autouse=True, scope="module")
def first(airflow_stack: AirflowStack) -> dict[str, Any]:
    """The run that the schedule makes at once, on a new installation: it takes whatever has expired by then."""
    airflow_stack.api.wait_for_dags([DAG])
    return airflow_stack.api.wait_for_first_run(DAG, run_type="scheduled")


def ran(stack: AirflowStack, conf: dict[str, Any] | None = None) -> tuple[str, str]:
    """Start a run by hand and wait for it; returns its id and state."""
    run_id = stack.api.trigger(DAG, conf=conf or {})
    return run_id, stack.api.wait_for_run(DAG, run_id)


def old_airflow_run(stack: AirflowStack) -> None:
    """A run of a DAG that is gone, with its tasks, from two months ago."""
    with psycopg.connect(stack.dsn, autocommit=True) as conn:
        Rows(conn).run(OLD_DAG, NOW - 60 * DAY, version=None)


def old_log(stack: AirflowStack, days: int) -> Path:
    """A task log of a run of so many days ago, that nobody touched since."""
    at = NOW - days * DAY
    path = stack.logs / f"dag_id={OLD_DAG}" / f"run_id=scheduled__{at.isoformat()}" / "task_id=load" / "attempt=1.log"
    path.parent.mkdir(parents=True)
    path.write_text("{}\n")
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def old_rows(stack: AirflowStack, number: int) -> None:
    with stack.database.owner() as owner:
        for _ in range(number):
            put(owner, "limiter", updated_at=NOW - 40 * DAY)
        put(owner, "limiter", updated_at=NOW)


def left(stack: AirflowStack) -> tuple[int, int]:
    """Rows of the limiter that have expired, and runs of the DAG that is gone."""
    with stack.database.owner() as owner, psycopg.connect(stack.dsn) as conn:
        found = conn.execute("select count(*) from dag_run where dag_id = %s", [OLD_DAG]).fetchone()
        assert found is not None
        return count(owner, "limiter", "updated_at < now() - interval '31 days'"), found[0]


def test_a_dry_run_tells_what_would_go_and_the_run_after_it_takes_that_away(airflow_stack: AirflowStack) -> None:
    stack, api = airflow_stack, airflow_stack.api
    integration = add_integration(stack.database)  # a sync beside it
    old_airflow_run(stack)
    gone, stays = old_log(stack, 150), old_log(stack, 10)
    old_rows(stack, 3)
    with psycopg.connect(stack.dsn) as conn:
        conn.execute("create table _airflow_deleted__log__20260101000000 as select * from log")

    run_id, state = ran(stack, {"dry_run": True})
    assert state == "success"
    assert api.states(DAG, run_id) == {
        task: "success" if task in ("plan", "holds") else "skipped" for task in TASKS
    }  # fmt: skip
    told = api.log(DAG, run_id, "plan")
    assert "dry run: category limiter: before " in told
    assert ": 3 limiter of " in told
    assert "1 airflow.dag_run" in told
    assert "1 airflow_logs/dag_id=*/** of " in told
    assert "run" not in api.summary(DAG, run_id, "plan")
    assert (left(stack), gone.exists()) == ((3, 1), True)

    run_id, state = ran(stack)
    assert (state, api.states(DAG, run_id)) == ("success", dict.fromkeys(TASKS, "success"))
    assert (left(stack), gone.exists(), stays.exists()) == ((0, 0), False, True)
    with psycopg.connect(stack.dsn) as conn:
        assert (
            conn.execute(r"select tablename from pg_tables where tablename like '\_airflow\_deleted%'").fetchall() == []
        )
        assert conn.execute("select count(*) from dag where dag_id = 'retention'").fetchone() == (1,)
    made = api.summary(DAG, run_id, "certificate")
    assert made["certificate"] >= 1
    with stack.database.owner() as owner:
        assert count(owner, "deletion_certificate", f"sequence = {made['certificate']}") == 1
    assert f"certificate {made['certificate']}:" in api.log(DAG, run_id, "certificate")
    assert "category limiter: nothing is left from before" in api.log(DAG, run_id, "prove")
    assert api.wait_for_first_run(integration.dag_id, run_type="scheduled")["state"] == "success"


def test_a_plan_that_is_far_too_large_waits_until_its_hash_is_confirmed(airflow_stack: AirflowStack) -> None:
    stack, api = airflow_stack, airflow_stack.api
    old_rows(stack, 80)
    run_id, state = ran(stack, {"category": "limiter"})
    assert state == "failed"
    tasks = api.tasks(DAG, run_id)
    assert (tasks["guard"]["state"], tasks["guard"]["try_number"], tasks["delete"]["state"]) == (
        "failed", 1, "upstream_failed"
    )  # fmt: skip
    with stack.database.owner() as owner:
        (waits,) = owner.execute(
            "select encode(plan_hash, 'hex') from sluis.retention_run where state = 'waiting'"
        ).fetchall()[0]  # fmt: skip
    told = api.log(DAG, run_id, "guard")
    assert "[plan_too_large] nothing was deleted" in told
    assert f'{{"confirm": "{waits}"}}' in told
    assert left(stack)[0] == 80

    run_id, state = ran(stack, {"confirm": "0" * 64})
    assert state == "failed"
    assert "[plan_unknown]" in api.log(DAG, run_id, "plan")
    assert left(stack)[0] == 80

    run_id, state = ran(stack, {"confirm": waits})
    assert (state, left(stack)[0]) == ("success", 0)


def cleaner_of(stack: AirflowStack) -> psutil.Process:
    """Wait until the task has started Airflow's own cleaner, and return the task's process."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for process in stack.task_processes(DAG):
            try:
                if any("clean" in child.cmdline() for child in process.children(recursive=True)):
                    return process
            except psutil.Error:
                continue
        time.sleep(0.05)
    raise AssertionError("delete never cleaned")


def test_a_run_that_is_killed_while_it_deletes_goes_on_where_it_was(airflow_stack: AirflowStack) -> None:
    stack, api = airflow_stack, airflow_stack.api
    old_airflow_run(stack)
    old_rows(stack, 2)
    run_id = api.trigger(DAG)
    cleaner_of(stack).kill()
    assert api.wait_for_run(DAG, run_id, timeout_seconds=240) == "success"
    assert api.tasks(DAG, run_id)["delete"]["try_number"] == 2
    assert left(stack) == (0, 0)
    with stack.database.owner() as owner:
        number = api.summary(DAG, run_id, "plan")["run"]
        assert count(owner, "deletion_certificate", f"retention_run_id = {number}") == 1


def test_a_new_installation_runs_it_at_once_and_green(first: dict[str, Any]) -> None:
    assert first["state"] == "success"


def test_another_dags_task_knows_neither_of_its_addresses(airflow_stack: AirflowStack) -> None:
    api = airflow_stack.api
    api.wait_for_dags(["probe_environment"])
    run_id = api.trigger("probe_environment")
    assert api.wait_for_run("probe_environment", run_id) == "success"
    log = api.log("probe_environment", run_id, "environment")
    assert "SLUIS_TASK_DATABASE_URL" in log
    assert "SLUIS_RETENTION_DATABASE_URL" not in log
    assert "SLUIS_AIRFLOW_DATABASE_URL" not in log
    scheduler = next(child for child in airflow_stack.airflow._children if child.name == "scheduler")
    environ = Path(f"/proc/{scheduler.pid}/environ").read_bytes()
    assert b"SLUIS_RETENTION_DATABASE_URL" in environ
    assert b"SLUIS_AIRFLOW_DATABASE_URL" in environ
