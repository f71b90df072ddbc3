"""The DAG ``retention``: wiring, params, window, and that a wrong register takes no DAG away."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, CronDataIntervalTimetable
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from sluis.airflow_support import conf
from sluis.airflow_support.docs import retention_doc
from sluis.airflow_support.retry_policy import TaxonomyRetryPolicy
from sluis.cli.app import app
from sluis.local.places import repository
from sluis.privacy.register import read_register, register_path

FILE = repository() / "dags" / "retention.py"
HASH = "0123456789abcdef" * 4
TASKS = ["plan", "holds", "guard", "delete", "prove", "certificate"]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    conf.categories.cache_clear()


def parsed() -> DAG:
    bag = DagBag(dag_folder=str(FILE))
    assert bag.import_errors == {}
    return bag.dags["retention"]


def test_the_tasks_stand_in_a_row() -> None:
    dag = parsed()
    assert [task.task_id for task in dag.topological_sort()] == TASKS
    for task, after in zip(TASKS, [*TASKS[1:], None], strict=True):
        assert dag.get_task(task).downstream_task_ids == ({after} if after else set())


def test_every_task_retries_by_the_taxonomy_and_shows_nothing() -> None:
    for task in parsed().tasks:
        assert isinstance(task.retry_policy, TaxonomyRetryPolicy)
        assert task.retries >= 2
        assert (task.show_return_value_in_logs, task.do_xcom_push) == (False, False)
        assert task.execution_timeout is not None
        assert task.execution_timeout <= timedelta(hours=6)
        assert task.pool == "default_pool"


def test_it_runs_once_a_day_at_a_quiet_hour_one_at_a_time_and_makes_up_by_the_next() -> None:
    dag = parsed()
    assert isinstance(dag.timetable, CronDataIntervalTimetable)
    assert str(dag.timetable.timezone) == "UTC"
    info = DagSerialization.from_dict(DagSerialization.to_dict(dag)).next_dagrun_info(last_automated_run_info=None)
    assert info is not None
    assert info.data_interval.end - info.data_interval.start == timedelta(days=1)
    assert 1 <= info.data_interval.end.hour <= 4
    assert info.data_interval.end.minute != 0
    assert (dag.catchup, dag.max_active_runs, dag.is_paused_upon_creation) == (False, 1, False)
    assert "retention" in dag.tags


def given(values: dict[str, Any]) -> Any:
    """Validate as Airflow does when a run is started."""
    params = ParamsDict(parsed().params)
    params.update(values)
    return params.validate()


@pytest.mark.parametrize(
    "values",
    [{}, {"merchant": "m7f3k"}, {"category": "booking_key"}, {"dry_run": True}, {"confirm": HASH},
     {"merchant": "", "category": "", "confirm": "", "dry_run": False}],
)  # fmt: skip
def test_what_a_run_may_be_given_passes_both_readings(values: dict[str, Any]) -> None:
    assert conf.refused_conf(values, conf.RETENTION) is None
    assert {name: given(values)[name] for name in values} == values


@pytest.mark.parametrize(
    "values",
    [{"merchant": "Jansen"}, {"merchant": "jansen"}, {"merchant": "m7f3k\n"}, {"category": "jan"}, {"dry_run": "yes"},
     {"confirm": HASH[:-1]}, {"confirm": HASH + "\n"}, {"merchant": None}, {"dry_run": 1}, {"category": ["jan"]}],
)  # fmt: skip
def test_what_could_name_somebody_passes_neither(values: dict[str, Any]) -> None:
    told = conf.refused_conf(values, conf.RETENTION)
    assert told is not None
    assert "ansen" not in told
    with pytest.raises(ParamValidationError):
        given(values)


def test_nothing_else_may_be_given() -> None:
    told = conf.refused_conf({"note": "Jan"}, conf.RETENTION)
    assert told == "the conf of a run may hold merchant, category, dry_run, confirm and nothing else"
    assert list(parsed().params) == list(conf.RETENTION.fields)


def test_the_categories_are_those_of_the_register() -> None:
    register = read_register(register_path()).register_
    assert parsed().params.get_param("category").schema["enum"] == ["", *(c.id for c in register.categories)]


@pytest.mark.parametrize("text", ["{", "version: 1\n", b"\xff\xfe", None])
def test_a_register_that_is_wrong_or_away_takes_no_dag_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Any
) -> None:
    """Plan then says what is wrong, in a run that turns red; an import error would be looked at by nobody."""
    path = tmp_path / "register.yaml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    monkeypatch.setenv("SLUIS_REGISTER", str(path))
    assert parsed().params.get_param("category").schema["enum"] == [""]


def test_the_same_file_gives_the_same_dag() -> None:
    first, second = (json.dumps(DagSerialization.to_dict(parsed()), sort_keys=True, default=str) for _ in range(2))
    assert first == second


def test_the_text_names_commands_that_exist_and_a_page_that_is_there() -> None:
    text = retention_doc(key="summary")
    assert "{" not in text
    for group, command in re.findall(r"`sluis ([a-z]+) ([a-z-]+)", text):
        known = typer.main.get_group(app).commands[group]
        assert command in known.commands  # type: ignore[attr-defined]
    for page in re.findall(r"docs/[a-z/]+\.md", text):
        assert (repository() / page).is_file()
    for word in ("guard", "dry_run", "retention_left", "database_away", "red"):
        assert word in text
