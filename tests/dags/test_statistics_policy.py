"""The DAG ``statistics``: wiring, the day it runs, and the one thing a run may be given."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import typer
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, CronDataIntervalTimetable
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from sluis.airflow_support import conf
from sluis.airflow_support.docs import statistics_doc
from sluis.airflow_support.retry_policy import TaxonomyRetryPolicy
from sluis.cli.app import app
from sluis.local.places import repository

FILE = repository() / "dags" / "statistics.py"
TASKS = ["freeze", "release", "verify"]


def parsed() -> DAG:
    bag = DagBag(dag_folder=str(FILE))
    assert bag.import_errors == {}
    return bag.dags["statistics"]


def test_the_tasks_stand_in_a_row_and_retry_by_the_taxonomy() -> None:
    dag = parsed()
    assert [task.task_id for task in dag.topological_sort()] == TASKS
    for task, after in zip(TASKS, [*TASKS[1:], None], strict=True):
        assert dag.get_task(task).downstream_task_ids == ({after} if after else set())
    for task in dag.tasks:
        assert isinstance(task.retry_policy, TaxonomyRetryPolicy)
        assert (task.show_return_value_in_logs, task.do_xcom_push) == (False, False)
        assert task.execution_timeout is not None


def test_it_runs_two_weeks_after_each_quarter_and_makes_up_nothing_by_itself() -> None:
    dag = parsed()
    assert isinstance(dag.timetable, CronDataIntervalTimetable)
    serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    info = serialized.next_dagrun_info(last_automated_run_info=None)
    assert info is not None
    assert (info.data_interval.end.month in (1, 4, 7, 10), info.data_interval.end.day) == (True, 15)
    assert info.data_interval.end.minute != 0
    assert (dag.catchup, dag.max_active_runs, dag.is_paused_upon_creation) == (False, 1, False)


def given(values: dict[str, Any]) -> Any:
    """Validate as Airflow does when a run is started."""
    params = ParamsDict(parsed().params)
    params.update(values)
    return params.validate()


@pytest.mark.parametrize("values", [{}, {"quarter": ""}, {"quarter": "2026-Q3"}])
def test_what_a_run_may_be_given_passes_both_readings(values: dict[str, Any]) -> None:
    assert conf.refused_conf(values, conf.STATISTICS) is None
    assert {name: given(values)[name] for name in values} == values


@pytest.mark.parametrize("quarter", ["Jansen", "2026-Q5", "2026-Q3\n", "1926-Q3", " 2026-Q3", None, 3, ["2026-Q3"]])
def test_what_could_name_somebody_passes_neither(quarter: Any) -> None:
    told = conf.refused_conf({"quarter": quarter}, conf.STATISTICS)
    assert told is not None
    assert "ansen" not in told
    with pytest.raises(ParamValidationError):
        given({"quarter": quarter})


def test_nothing_else_may_be_given() -> None:
    assert conf.refused_conf({"note": "Jan"}, conf.STATISTICS) is not None
    assert list(parsed().params) == list(conf.STATISTICS.fields)
    assert conf.schema_of("statistics") is conf.STATISTICS


def test_the_same_file_gives_the_same_dag() -> None:
    first, second = (json.dumps(DagSerialization.to_dict(parsed()), sort_keys=True, default=str) for _ in range(2))
    assert first == second


def test_the_text_names_commands_and_pages_that_exist() -> None:
    text = statistics_doc(key="summary")
    assert "{" not in text
    commands = re.findall(r"`sluis ([a-z]+) ([a-z-]+)", text)
    assert len(commands) >= 3
    for group, command in commands:
        assert command in typer.main.get_group(app).commands[group].commands  # type: ignore[attr-defined]
    pages = re.findall(r"docs/[a-z/]+\.md", text)
    assert "docs/runbooks/statistics.md" in pages
    assert all((repository() / page).is_file() for page in pages)
