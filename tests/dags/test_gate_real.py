"""Words about a person do not reach Airflow's database by its API; those given on the machine do not reach a vendor."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import psycopg
import pytest

from sluis.errors import Defect
from sluis.local.airflow_env import child_environment, environment
from sluis.store.integrations import Integration
from tests.airflow_harness import AirflowStack
from tests.store.helpers import add_integration

pytestmark = pytest.mark.airflow
PERSON = "Jan van den Gatewachter"
RUN = {"logical_date": None, "conf": {}}
DAY = {"from_date": "2026-03-02", "to_date": "2026-03-02"}


@pytest.fixture(scope="module")
def integration(airflow_stack: AirflowStack) -> Integration:
    """An integration whose DAG Airflow knows; its first run, of the schedule, has ended."""
    added = add_integration(airflow_stack.database)
    airflow_stack.api.wait_for_dags([added.dag_id])
    airflow_stack.api.wait_for_first_run(added.dag_id, run_type="scheduled")
    return added


def places(stack: AirflowStack, text: str) -> list[str]:
    """Return the tables of Airflow's database in which a text stands."""
    with psycopg.connect(stack.dsn) as conn:
        tables = conn.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        return [
            name for (name,) in tables
            if conn.execute(f'select 1 from "{name}" as t where t::text like %s limit 1', [f"%{text}%"]).fetchone()
        ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {**RUN, "conf": {"order_ids": ["1001"], "note": PERSON}},
        {**RUN, "conf": {"order_ids": [PERSON]}},
        {**RUN, "note": PERSON},
        {**RUN, "comment": PERSON},
        {**RUN, "dag_run_id": PERSON},
    ],
    ids=["conf", "order_ids", "note", "another field", "dag_run_id"],
)
def test_a_run_is_refused_before_anything_is_written(
    airflow_stack: AirflowStack, integration: Integration, body: Any
) -> None:
    with pytest.raises(Defect, match=" 422 ") as caught:
        airflow_stack.api._call("POST", f"/api/v2/dags/{integration.dag_id}/dagRuns", json=body)
    assert PERSON not in str(caught.value)
    assert airflow_stack.api.runs(integration.dag_id, run_type="manual") == []
    assert places(airflow_stack, PERSON) == []


def test_a_backfill_and_a_note_are_refused_before_anything_is_written(
    airflow_stack: AirflowStack, integration: Integration
) -> None:
    api, dag_id = airflow_stack.api, integration.dag_id
    run_id = api.runs(dag_id)[0]["dag_run_id"]
    backfill = {**DAY, "dag_id": dag_id, "dag_run_conf": {"note": PERSON}}
    for method, path, body in (
        ("POST", "/api/v2/backfills", backfill),
        ("POST", "/api/v2/backfills/dry_run", backfill),
        ("PATCH", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", {"state": "success", "note": PERSON}),
    ):
        with pytest.raises(Defect, match=" 422 "):
            api._call(method, path, json=body)
    assert api.runs(dag_id, run_type="backfill") == []
    assert places(airflow_stack, PERSON) == []


def test_what_passes_the_gate_is_in_the_audit_log_with_the_person_who_asked(
    airflow_stack: AirflowStack, integration: Integration
) -> None:
    """Also the control of the searches above: the audit log does hold what a request held."""
    airflow_stack.api.trigger(integration.dag_id, conf={"order_ids": ["4711471147114711"]})
    assert {"log", "dag_run"} <= set(places(airflow_stack, "4711471147114711"))
    with psycopg.connect(airflow_stack.dsn) as conn:
        found = conn.execute(
            "select owner from log where event = 'trigger_dag_run' and dag_id = %s", [integration.dag_id]
        ).fetchall()
    assert found == [("admin",)]


def test_a_run_started_on_the_machine_is_refused_by_its_first_task(
    airflow_stack: AirflowStack, integration: Integration
) -> None:
    api, airflow, dag_id = airflow_stack.api, airflow_stack.airflow, integration.dag_id
    settings = environment(airflow.home, airflow_stack.dsn, port=airflow.port, store={})
    command = [sys.executable, "-m", "airflow", "dags", "trigger", dag_id, "--run-id", "by-hand", "--conf",
               json.dumps({"order_ids": ["1001"], "remark": PERSON})]  # fmt: skip
    done = subprocess.run(command, env=child_environment(settings), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert api.wait_for_run(dag_id, "by-hand") == "failed"
    task = api.tasks(dag_id, "by-hand")["extract"]
    log = api.log(dag_id, "by-hand", "extract", task["try_number"])
    assert task["try_number"] == 1
    assert "[conf_refused]" in log
    assert PERSON not in log
    assert "remark" not in log
