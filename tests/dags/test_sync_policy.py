"""House policy for every DAG of dags/: docs, retries, pool, timeouts, windows, teardown; and what a parse costs."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronDataIntervalTimetable
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DataInterval

from sluis.airflow_support.conf import MOST_ORDERS, ORDER_ID
from sluis.airflow_support.retry_policy import TaxonomyRetryPolicy
from sluis.local.places import repository
from sluis.local.pools import wanted
from sluis.store.registry_cache import FILE_NAME

DAGS = repository() / "dags"
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
CASES = [("m1a", 60, "live"), ("m2b", 15, "preview"), ("m3c", 1440, "paused"), ("m4d", 37, "reconnect")]


def registry(home: Path, integrations: list[tuple[str, int, str]]) -> None:
    listed = [
        {"merchant": merchant, "code": "woocommerce_moneybird", "shop": "woocommerce", "package": "moneybird",
         "state": state, "interval_minutes": minutes, "timezone": "Europe/Amsterdam"}
        for merchant, minutes, state in integrations
    ]  # fmt: skip
    (home / FILE_NAME).write_text(json.dumps(listed))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a copy of the list, and a database that is away."""
    monkeypatch.setenv("SLUIS_HOME", str(tmp_path))
    monkeypatch.setenv("SLUIS_TASK_DATABASE_URL", NOWHERE)
    registry(tmp_path, CASES)
    return tmp_path


def parsed() -> dict[str, DAG]:
    bag = DagBag(dag_folder=str(DAGS))
    assert bag.import_errors == {}
    return bag.dags


@pytest.fixture
def dags(home: Path) -> dict[str, DAG]:
    found = parsed()
    assert len([dag_id for dag_id in found if dag_id.startswith("sync__")]) == len(CASES)
    return found


def each(dags: dict[str, DAG]) -> Iterator[tuple[DAG, Any]]:
    yield from ((dag, task) for dag in dags.values() for task in dag.tasks if not isinstance(task, EmptyOperator))


# ------------------------------------------------------------------------------------- every DAG, whoever wrote it


def test_every_dag_says_what_to_do_when_it_is_red(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        assert dag.doc_md, dag.dag_id
        assert "red" in dag.doc_md, dag.dag_id
        assert dag.description, dag.dag_id


def test_every_dag_has_tags_and_runs_one_at_a_time_without_catching_up(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        assert dag.tags, dag.dag_id
        assert dag.max_active_runs == 1, dag.dag_id
        assert dag.catchup is False, dag.dag_id
        assert dag.is_paused_upon_creation is False, dag.dag_id
        assert "/" not in (dag.default_args.get("owner") or ""), dag.dag_id


def test_every_task_retries_by_the_taxonomy_and_plainly_and_ends_in_time(dags: dict[str, DAG]) -> None:
    for dag, task in each(dags):
        where = f"{dag.dag_id}.{task.task_id}"
        assert isinstance(task.retry_policy, TaxonomyRetryPolicy), where
        assert task.retries >= 2, where
        assert timedelta(seconds=5) <= task.retry_delay <= timedelta(minutes=15), where
        assert task.execution_timeout is not None, where
        assert task.execution_timeout <= timedelta(hours=6), where


def test_no_task_shows_or_returns_a_value_or_takes_an_argument(dags: dict[str, DAG]) -> None:
    for dag, task in each(dags):
        where = f"{dag.dag_id}.{task.task_id}"
        assert task.show_return_value_in_logs is False, where
        assert task.do_xcom_push is False, where
        assert task.multiple_outputs is False, where
        assert {getattr(task, field) or None for field in task.template_fields if field != "op_args"} == {None}, where
        assert not task.op_args, where


def test_every_pool_exists(dags: dict[str, DAG]) -> None:
    pools = {"default_pool", *wanted(repository() / "config" / "pools.json")}
    assert {task.pool for _, task in each(dags)} <= pools


# ---------------------------------------------------------------------------------------------------- the sync DAGs


def test_a_sync_dag_has_its_tasks_in_order(dags: dict[str, DAG]) -> None:
    for dag in (dag for dag in dags.values() if "sync" in dag.tags):
        assert {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} == {
            "extract": ["shred", "transform"], "transform": ["load", "shred"],
            "load": ["reconcile", "shred", "verdict"], "reconcile": [], "shred": [], "verdict": [],
        }  # fmt: skip


def test_shred_is_the_teardown_of_extract_and_transform(dags: dict[str, DAG]) -> None:
    dag = dags["sync__m1a__woocommerce_moneybird"]
    assert {task.task_id for task in dag.tasks if task.is_setup} == {"extract", "transform"}
    assert {task.task_id for task in dag.tasks if task.is_teardown} == {"shred"}
    # Red where orders stayed in transit; verdict, which is no teardown, keeps a failed load red beside it.
    assert dag.get_task("shred").on_failure_fail_dagrun is True
    assert isinstance(dag.get_task("verdict"), EmptyOperator)


def test_load_stands_in_the_pool_of_its_package_and_alone(dags: dict[str, DAG]) -> None:
    load = dags["sync__m1a__woocommerce_moneybird"].get_task("load")
    assert load.pool == "package__moneybird"
    assert load.max_active_tis_per_dag == 1


def test_reconcile_runs_after_a_load_that_had_nothing_to_do_and_holds_up_no_teardown(dags: dict[str, DAG]) -> None:
    dag = dags["sync__m1a__woocommerce_moneybird"]
    reconcile = dag.get_task("reconcile")
    assert reconcile.trigger_rule == "none_failed"
    assert reconcile.upstream_task_ids == {"load"}
    assert reconcile.pool == "package__moneybird"
    assert not reconcile.is_teardown
    # It may fail, and a run with a failed load must not hide behind it where it is skipped.
    assert not dag.get_task("shred").upstream_task_ids & {"reconcile"}
    assert dag.get_task("verdict").upstream_task_ids == {"load"}


def test_tags_name_merchant_shop_and_package(dags: dict[str, DAG]) -> None:
    assert set(dags["sync__m1a__woocommerce_moneybird"].tags) == {"m1a", "woocommerce", "moneybird", "sync"}


def test_the_docs_name_every_class_of_error_and_the_integration(dags: dict[str, DAG]) -> None:
    text = dags["sync__m1a__woocommerce_moneybird"].doc_md or ""
    for word in ("RetryLater", "Reconnect", "quarantine", "Defect", "ProofFailed", "TransitLost", "runbooks", "m1a"):
        assert word in text


@pytest.mark.parametrize(("merchant", "minutes"), [("m1a", 60), ("m2b", 15), ("m3c", 1440), ("m4d", 30)])
def test_windows_are_intervals_and_not_moments(dags: dict[str, DAG], merchant: str, minutes: int) -> None:
    dag = dags[f"sync__{merchant}__woocommerce_moneybird"]
    assert isinstance(dag.timetable, CronDataIntervalTimetable)
    assert str(dag.timetable.timezone) == "Europe/Amsterdam"
    scheduled = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    info = scheduled.next_dagrun_info(last_automated_run_info=None)
    assert info is not None
    interval: DataInterval = info.data_interval
    assert interval.end - interval.start == timedelta(minutes=minutes)
    assert interval.end.minute != 0


def test_a_run_takes_order_ids_and_nothing_else(dags: dict[str, DAG]) -> None:
    dag = dags["sync__m1a__woocommerce_moneybird"]
    assert list(dag.params) == ["order_ids"]
    schema = dag.params.get_param("order_ids").schema
    assert schema["items"] == {"type": "string", "pattern": ORDER_ID}
    assert schema["maxItems"] == MOST_ORDERS
    assert dag.params["order_ids"] == []


# ------------------------------------------------------------------------------------------------------- the factory


def test_a_database_that_is_away_takes_no_dag_away(dags: dict[str, DAG]) -> None:
    assert {f"sync__{merchant}__woocommerce_moneybird" for merchant, _, _ in CASES} <= set(dags)


def test_without_a_copy_the_file_says_what_is_wrong(home: Path) -> None:
    (home / FILE_NAME).unlink()
    (error,) = DagBag(dag_folder=str(DAGS / "sync.py")).import_errors.values()
    assert "database_away" in error


def test_without_a_home_the_file_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUIS_HOME", raising=False)
    (error,) = DagBag(dag_folder=str(DAGS / "sync.py")).import_errors.values()
    assert "SLUIS_HOME is not set" in error


def test_a_thousand_integrations_are_parsed_and_spread(home: Path) -> None:
    registry(home, [(f"m{n:04d}", 60, "live") for n in range(1000)])
    bag = DagBag(dag_folder=str(DAGS / "sync.py"))
    assert bag.import_errors == {}
    assert len(bag.dags) == 1000
    minutes = Counter(dag.timetable.expression.split()[0] for dag in bag.dags.values())
    assert len(minutes) == 59


def test_inside_a_task_only_its_own_dag_is_built(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry(home, [(f"m{n:04d}", 60, "live") for n in range(1000)])
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "sync__m0500__woocommerce_moneybird")
    bag = DagBag(dag_folder=str(DAGS / "sync.py"))
    assert list(bag.dags) == ["sync__m0500__woocommerce_moneybird"]


def test_the_same_list_gives_the_same_dags(home: Path) -> None:
    first, second = (
        {dag_id: json.dumps(DagSerialization.to_dict(dag), sort_keys=True, default=str) for dag_id, dag in bag.items()}
        for bag in (parsed(), parsed())
    )
    assert first == second


def test_the_factory_only_wires() -> None:
    for file in DAGS.glob("*.py"):
        assert len(file.read_text().splitlines()) <= 120, file.name


def test_the_files_of_dags_import_nothing_heavy(home: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import sync; "
        "print(sorted({'pandas', 'great_expectations', 'numpy', 'sluis.flows.sync'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(DAGS)],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "[]"
