"""A real Airflow for end-to-end tests: database, scheduler, dag-processor, triggerer, api-server, our DAGs.

How to write one (marker ``airflow``; in a folder whose conftest calls ``offer``, so that a session has one Airflow):

* take the fixture ``airflow_stack``: an ``AirflowStack``. It starts once per session (about 30 s) on the test server;
* add merchants and integrations to ``airflow_stack.database`` (a ``tests.conftest.Database``, migrated);
  their DAGs appear within seconds: ``airflow_stack.api.wait_for_dags([integration.dag_id])``. A new DAG runs its last
  complete interval at once (scheduled run): ``api.wait_for_first_run(dag_id, run_type="scheduled")``;
* manual run: ``api.trigger(dag_id, conf={"order_ids": [...]})``; backfill: ``api.backfill(dag_id, start, end)`` and
  ``api.wait_for_backfill``; marked by hand: ``api.mark(dag_id, run_id, "success")``; cleared: ``api.clear``;
* look at ``api.states``, ``api.summary`` (the XCom), ``api.log``; the files of all logs lie in ``airflow_stack.logs``;
* kill a task: its processes are descendants of the scheduler (``airflow_stack.task_processes(dag_id)``); Airflow
  notices after ``HEARTBEAT_TIMEOUT_SECONDS``;
* a test that must break Airflow itself starts its own with ``start_airflow(...)`` from the same template (22 s).

DAGs under tests/dags/probes are loaded too: they hold what no real DAG does (raise on purpose, leak on purpose).
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from sluis.local.api import AirflowApi
from sluis.local.places import repository
from sluis.local.processes import free_port
from sluis.local.secrets import FILE_NAME
from sluis.local.stack import LocalAirflow
from sluis.registers import ecb, vies
from sluis.store.server import SUPERUSER, LocalServer
from tests.conftest import Database, _fresh

OWNER = "airflow_owner"
HEARTBEAT_TIMEOUT_SECONDS = 20
_TEMPLATE = "airflow_template"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class AirflowTemplate:
    """A migrated database of Airflow with its admin and pools, and the secrets it was made with."""

    server: LocalServer
    secrets: Path

    def copy(self, home: Path) -> str:
        """Copy it (0.1 s) for an Airflow in ``home``, and return the copy's DSN."""
        name = f"airflow_{next(_numbers)}"
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.secrets, home / FILE_NAME)
        with psycopg.connect(self.server.dsn("postgres", SUPERUSER), autocommit=True) as conn:
            names = (sql.Identifier(part) for part in (name, _TEMPLATE, OWNER))
            conn.execute(sql.SQL("create database {} template {} owner {}").format(*names))
        return self.server.dsn(name, OWNER)


@dataclass(frozen=True)
class AirflowStack:
    """A running Airflow and the sluis database its tasks use."""

    airflow: LocalAirflow
    api: AirflowApi
    database: Database
    dsn: str  #: of Airflow's own database

    @property
    def logs(self) -> Path:
        """The folder of all logs, those of tasks and those of processes."""
        return self.airflow.home / "logs"

    def task_processes(self, dag_id: str) -> list[psutil.Process]:
        """Return the processes that run a task of this DAG now: the supervisor's child, not the supervisor."""
        with psycopg.connect(self.dsn) as conn:
            found = conn.execute(
                "select pid from task_instance where dag_id = %s and state = 'running' and pid is not null", [dag_id]
            ).fetchall()
        return [psutil.Process(pid) for (pid,) in found if psutil.pid_exists(pid)]


def offer(config: pytest.Config) -> None:
    """Offer the fixtures to all folders at once: imported by two conftests they would start two Airflows."""
    if not config.pluginmanager.has_plugin(__name__):
        config.pluginmanager.register(sys.modules[__name__], __name__)


@pytest.fixture(scope="session")
def airflow_template(postgres: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> AirflowTemplate:
    """Migrate Airflow's database once per session."""
    home = tmp_path_factory.mktemp("airflow-template")
    postgres.provide(_TEMPLATE, OWNER)
    LocalAirflow(home, postgres.dsn(_TEMPLATE, OWNER), port=free_port(), store={}).prepare()
    return AirflowTemplate(postgres, home / FILE_NAME)


@pytest.fixture(scope="session")
def airflow_stack(
    airflow_template: AirflowTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowStack]:
    """Run one Airflow for the session; see this module's docstring."""
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        contextmanager(_fresh)(airflow_template.server, monkeypatch) as made,
    ):
        monkeypatch.undo()  # the database is for Airflow's processes; other tests of the session have their own
        with start_airflow(airflow_template, made, tmp_path_factory.mktemp("airflow")) as stack:
            yield stack


@contextmanager
def start_airflow(
    template: AirflowTemplate, database: Database, home: Path, settings: Mapping[str, str] | None = None
) -> Iterator[AirflowStack]:
    """Start an Airflow of its own on a copy of the template; ``settings`` over ``airflow_env.environment``."""
    dsn = template.copy(home)
    airflow = LocalAirflow(
        home,
        dsn,
        port=free_port(),
        store=database.environment,
        settings={
            # Nobody answers there: no run of a test asks the real registers, unless it names its sandbox's.
            vies.URL: "http://127.0.0.1:9",
            ecb.URL: "http://127.0.0.1:9",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
                [
                    _bundle("dags-folder", repository() / "dags"),
                    _bundle("probes", Path(__file__).parent / "dags/probes"),
                ]
            ),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT_SECONDS),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            **(settings or {}),
        },
    )
    try:
        airflow.start()
        yield AirflowStack(airflow, AirflowApi(airflow.url, airflow.login), database, dsn)
    finally:
        airflow.stop()


def _bundle(name: str, path: Path) -> dict[str, object]:
    return {
        "name": name,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(path)},
    }
