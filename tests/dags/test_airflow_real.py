"""What only a real Airflow can show: states its scheduler sets, retries in a task's own process, what it stores."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from sluis.errors import Defect
from sluis.store.integrations import Integrations, IntegrationState
from sluis.store.registry_cache import FILE_NAME
from tests.airflow_harness import AirflowStack
from tests.store.helpers import add_integration

pytestmark = pytest.mark.airflow


def finished(stack: AirflowStack, dag_id: str) -> tuple[str, str]:
    """Run a probe; return its run's id and state."""
    stack.api.wait_for_dags([dag_id])
    run_id = stack.api.trigger(dag_id)
    return run_id, stack.api.wait_for_run(dag_id, run_id)


def test_every_component_is_healthy(airflow_stack: AirflowStack) -> None:
    health = airflow_stack.api.health()
    assert {health[name]["status"] for name in ("metadatabase", "scheduler", "dag_processor", "triggerer")} == {
        "healthy"
    }
    assert airflow_stack.api.import_errors() == []


def test_a_spent_quota_is_tried_again_when_the_vendor_says(airflow_stack: AirflowStack) -> None:
    run_id, state = finished(airflow_stack, "probe_quota")
    assert state == "success"
    task = airflow_stack.api.tasks("probe_quota", run_id)["quota"]
    assert task["try_number"] == 2
    log = airflow_stack.api.log("probe_quota", run_id, "quota", 1)
    assert "QuotaSpent: [quota_spent] the quota is spent" in log


def test_a_refused_key_fails_at_once(airflow_stack: AirflowStack) -> None:
    run_id, state = finished(airflow_stack, "probe_reconnect")
    assert state == "failed"
    assert airflow_stack.api.tasks("probe_reconnect", run_id)["reconnect"]["try_number"] == 1


def test_a_killed_task_is_tried_again_by_the_plain_retries(airflow_stack: AirflowStack) -> None:
    api = airflow_stack.api
    api.wait_for_dags(["probe_killed"])
    run_id = api.trigger("probe_killed")
    end = time.monotonic() + 120
    while not (running := airflow_stack.task_processes("probe_killed")) and time.monotonic() < end:
        time.sleep(0.2)
    (process,) = running
    process.kill()
    assert api.wait_for_run("probe_killed", run_id) == "success"
    assert api.tasks("probe_killed", run_id)["killed"]["try_number"] == 2
    assert "Retry policy decision" not in api.log("probe_killed", run_id, "killed", 1)


def test_data_in_an_xcom_fails_the_task_and_is_stored_nowhere(airflow_stack: AirflowStack) -> None:
    run_id, state = finished(airflow_stack, "probe_leak")
    assert state == "failed"
    assert "xcom_refused" in airflow_stack.api.log("probe_leak", run_id, "leak")
    with psycopg.connect(airflow_stack.dsn) as conn:
        assert conn.execute("select count(*) from xcom where dag_id = 'probe_leak'").fetchone() == (0,)


@pytest.mark.parametrize(
    ("probe", "state", "states"),
    [
        ("probe_skip", "success",
         {"extract": "success", "load": "skipped", "verdict": "skipped", "reconcile": "skipped", "shred": "skipped"}),
        ("probe_load", "failed",
         {"extract": "success", "load": "failed", "verdict": "upstream_failed", "reconcile": "upstream_failed",
          "shred": "success"}),
        ("probe_shred", "failed",
         {"extract": "success", "load": "success", "verdict": "success", "reconcile": "skipped", "shred": "failed"}),
        # Nothing new at the end of a month: it is reconciled all the same, and an open difference turns the run red.
        ("probe_month", "failed",
         {"extract": "success", "load": "skipped", "verdict": "skipped", "reconcile": "failed", "shred": "skipped"}),
    ],
)  # fmt: skip
def test_neither_a_failed_load_nor_a_failed_shred_hides(
    airflow_stack: AirflowStack, probe: str, state: str, states: dict[str, str]
) -> None:
    run_id, found = finished(airflow_stack, probe)
    assert (found, airflow_stack.api.states(probe, run_id)) == (state, states)


def test_a_new_integration_gets_its_dag_and_runs_its_last_interval(airflow_stack: AirflowStack) -> None:
    integration = add_integration(airflow_stack.database)
    airflow_stack.api.wait_for_dags([integration.dag_id])
    run = airflow_stack.api.wait_for_first_run(integration.dag_id, run_type="scheduled")
    start, end = (datetime.fromisoformat(run[f"data_interval_{edge}"]) for edge in ("start", "end"))
    assert (end - start).total_seconds() == 3600
    assert end.timestamp() <= time.time()
    # It is in preview: nothing is read and nothing after extract starts.
    assert run["state"] == "success"
    states = airflow_stack.api.states(integration.dag_id, run["dag_run_id"])
    others = ["transform", "load", "verdict", "reconcile", "shred"]
    assert states == {"extract": "success", **dict.fromkeys(others, "skipped")}
    summary = airflow_stack.api.summary(integration.dag_id, run["dag_run_id"], "extract")
    assert (summary["documents"], summary["nothing_new"]) == (0, True)


def test_an_extract_that_cannot_work_fails_at_once_with_one_clear_line(airflow_stack: AirflowStack) -> None:
    integration = add_integration(airflow_stack.database)
    with airflow_stack.database.owner() as conn:
        Integrations(conn).set_state(integration.merchant, integration.code, IntegrationState.LIVE)
    run_id, state = finished(airflow_stack, integration.dag_id)
    assert state == "failed"
    states = airflow_stack.api.states(integration.dag_id, run_id)
    others = ["transform", "load", "verdict", "reconcile", "shred"]
    assert states == {"extract": "failed", **dict.fromkeys(others, "upstream_failed")}
    assert airflow_stack.api.tasks(integration.dag_id, run_id)["extract"]["try_number"] == 1
    assert "Reconnect: [credential_missing]" in airflow_stack.api.log(integration.dag_id, run_id, "extract")


def test_a_run_refuses_what_is_no_order_id(airflow_stack: AirflowStack) -> None:
    integration = add_integration(airflow_stack.database)
    airflow_stack.api.wait_for_dags([integration.dag_id])
    with pytest.raises(Defect) as caught:
        airflow_stack.api.trigger(integration.dag_id, conf={"order_ids": ["jan.jansen@example.com"]})
    assert caught.value.code == "airflow_refused"


def test_a_backfill_is_counted_run_marked_by_hand_and_cleared(airflow_stack: AirflowStack) -> None:
    api, integration = airflow_stack.api, add_integration(airflow_stack.database)
    dag_id = integration.dag_id
    api.wait_for_dags([dag_id])
    # Logical dates of an hourly DAG: two of them lie in these two hours, whatever its minute.
    start = datetime(2026, 3, 2, 10, tzinfo=UTC)
    end = start + timedelta(hours=2) - timedelta(seconds=1)
    assert api.backfill_size(dag_id, start, end) == 2
    api.wait_for_backfill(api.backfill(dag_id, start, end))
    runs = api.runs(dag_id, run_type="backfill")
    # In preview a person's own run fails with the reason; a scheduled one would end green.
    assert [run["state"] for run in runs] == ["failed", "failed"]
    run_id = runs[0]["dag_run_id"]
    assert "[integration_preview]" in api.log(dag_id, run_id, "extract")
    api.mark(dag_id, run_id, "success")
    assert api.run(dag_id, run_id)["state"] == "success"
    every = {"extract", "transform", "load", "verdict", "reconcile", "shred"}
    assert set(api.clear(dag_id, run_id, ["extract"])) == every
    assert api.wait_for_run(dag_id, run_id) == "failed"
    assert api.tasks(dag_id, run_id)["extract"]["try_number"] == 2


def test_the_copy_of_the_list_lies_in_the_home(airflow_stack: AirflowStack) -> None:
    integration = add_integration(airflow_stack.database)
    airflow_stack.api.wait_for_dags([integration.dag_id])
    assert integration.merchant in (airflow_stack.airflow.home / FILE_NAME).read_text()


def test_only_the_scheduler_preloads(airflow_stack: AirflowStack) -> None:
    logs = {file.stem: file.read_text() for file in airflow_stack.airflow.logs.glob("*.log")}
    assert [name for name, text in sorted(logs.items()) if "preloaded numpy" in text] == ["scheduler"]


def test_a_tasks_arguments_are_not_copied_into_the_database(airflow_stack: AirflowStack) -> None:
    finished(airflow_stack, "probe_leak")
    with psycopg.connect(airflow_stack.dsn) as conn:
        rows: list[Any] = conn.execute(
            "select rendered_fields::text from rendered_task_instance_fields where dag_id = 'probe_leak'"
        ).fetchall()
    assert len(rows) == 1  # of the last run only
    assert "Truncated" in rows[0][0]
    assert "jansen" not in rows[0][0]


def test_a_task_has_its_own_address_of_the_store_and_not_the_owners(airflow_stack: AirflowStack) -> None:
    run_id, state = finished(airflow_stack, "probe_environment")
    assert state == "success"
    log = airflow_stack.api.log("probe_environment", run_id, "environment")
    assert "environment: SLUIS_ECB_URL SLUIS_HOME SLUIS_KEYS SLUIS_TASK_DATABASE_URL SLUIS_VIES_URL (0, 0)" in log


def test_no_process_of_airflow_knows_the_owners_address(airflow_stack: AirflowStack) -> None:
    assert "SLUIS_DATABASE_URL" in airflow_stack.database.environment
    seen: dict[str, bytes] = {}
    for child in airflow_stack.airflow._children:
        for process in (psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)):
            with suppress(psutil.Error, OSError):
                seen[child.name] = seen.get(child.name, b"") + Path(f"/proc/{process.pid}/environ").read_bytes()
    assert set(seen) == {"api-server", "scheduler", "dag-processor", "triggerer"}
    for name, environ in seen.items():
        assert b"SLUIS_DATABASE_URL" not in environ, name
        assert (b"SLUIS_KEYS" in environ) == (name == "scheduler"), name
        assert (b"SLUIS_TASK_DATABASE_URL" in environ) == (name in ("scheduler", "dag-processor")), name
