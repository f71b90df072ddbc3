"""Walls inside Airflow, each first as Airflow does it by itself. With every process running: tests/dags, tests/e2e."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import structlog
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.execution_time import context as airflow_state
from airflow.sdk.execution_time import task_runner
from airflow.sdk.state import TaskScope
from airflow.serialization.helpers import serialize_template_field

from sluis.airflow_support.gate import refusal
from sluis.airflow_support.run import guarded, run_request
from sluis.airflow_support.xcom_backend import RefusingXCom
from sluis.errors import Defect, Refused, SluisError
from sluis.local import airflow_env
from tests.walls.person import PERSON

WHERE: dict[str, Any] = {"task_id": "load", "dag_id": "sync__m1__shop", "run_id": "manual__1", "map_index": -1}
#: An order as a careless task would hand it on.
ORDER = {"number": "1001", "buyer": {"last_name": PERSON}}


def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put our settings of Airflow's into force, as the processes get them."""
    for name, value in airflow_env._privacy().items():
        monkeypatch.setenv(name, value)


def test_xcom() -> None:
    assert PERSON in str(BaseXCom.serialize_value(ORDER, key="return_value", **WHERE))  # the leak: stored as it is
    for value in (ORDER, [ORDER], PERSON, {"documents": PERSON}, [PERSON], {PERSON: 1}):
        with pytest.raises(Defect) as caught:
            RefusingXCom.serialize_value(value, key="summary", **WHERE)
        assert caught.value.code == "xcom_refused"
        assert PERSON not in str(caught.value)


def test_rendered_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PERSON in str(serialize_template_field(ORDER, "op_kwargs"))  # the leak: copied into the database
    assert PERSON in str(task_runner._serialize_template_field(ORDER, "op_kwargs"))
    settings(monkeypatch)
    for serialise in (serialize_template_field, task_runner._serialize_template_field):
        told = str(serialise(ORDER, "op_kwargs"))
        assert "Kanarie" not in told
        assert "Wilhelmina" not in told


def test_return_values_in_logs() -> None:
    def logged(**more: Any) -> str:
        load = PythonOperator(task_id="load", python_callable=lambda: PERSON, **more)
        with structlog.testing.capture_logs() as lines:
            assert load.execute({}) == PERSON
        return str(lines)

    assert PERSON in logged()  # the leak: Airflow's default
    assert PERSON not in logged(show_return_value_in_logs=False)  # what test_sync_policy holds for every task there is


class Sent(list[Any]):
    """What a task sends to its supervisor, who stores it."""

    def send(self, message: Any) -> None:
        self.append(message)


def test_state_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", sent, raising=False)
    airflow_state._get_worker_state_store_backend.cache_clear()
    task = airflow_state.TaskStateStoreAccessor(
        ti_id=UUID(int=1),
        scope=TaskScope(dag_id="sync__m1__shop", run_id="r", task_id="load", map_index=-1),
    )
    asset = airflow_state.AssetStateStoreAccessor(name="bookings__m1")
    try:
        task.set("last", ORDER)
        asset.set("last", ORDER)
        assert [PERSON in str(message) for message in sent] == [True, True]  # the leak
        sent.clear()
        settings(monkeypatch)
        airflow_state._get_worker_state_store_backend.cache_clear()
        for store in (task, asset):
            with pytest.raises(Defect, match="state_refused") as caught:
                store.set("last", ORDER)
            assert PERSON not in str(caught.value)
        assert sent == []
        task.delete("last")
        asset.delete("last")
        assert len(sent) == 2  # what was there from before can still be taken away
    finally:
        airflow_state._get_worker_state_store_backend.cache_clear()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v2/dags/sync__m1__shop/dagRuns", {"logical_date": None, "conf": {"buyer": PERSON}}),
        ("/api/v2/dags/sync__m1__shop/dagRuns", {"logical_date": None, "note": PERSON}),
        ("/api/v2/dags/sync__m1__shop/dagRuns/r/taskInstances/load/state-store", {"key": "k", "value": PERSON}),
        ("/api/v2/dags/sync__m1__shop/dagRuns/r/taskInstances/load/xcomEntries", {"key": "k", "value": PERSON}),
    ],
)
def test_what_a_person_writes_into_airflow_is_refused_before_it_is_stored(path: str, body: Any) -> None:
    raw = json.dumps(body).encode()
    other = path.replace("sync__m1__shop", "somebodys_own")
    assert refusal("POST", other, b"", raw) is None  # Airflow would keep it, in the run and in its audit log
    told = refusal("POST", path, b"", raw)
    assert told is not None
    assert PERSON not in told


def careless() -> None:
    """A library that puts what it was given into its message."""
    raise ValueError(f"cannot parse {ORDER}")


def while_handling() -> None:
    try:
        careless()
    except ValueError:
        raise Refused("a line has no VAT", field="lines.0.vat", remote_request_id="req-17")  # noqa: B904


def shown(call: Callable[[], Any]) -> tuple[BaseException, str]:
    """Return an error with all that Airflow prints of it: message, chain and notes."""
    try:
        call()
    except BaseException as error:
        return error, "".join(traceback.format_exception(error))
    raise AssertionError("nothing was raised")


def test_the_exception_boundary() -> None:
    for step in (careless, while_handling):
        assert PERSON in shown(step)[1]  # the leak: Airflow prints the whole chain
    unexpected, told = shown(lambda: guarded("load", careless))
    assert isinstance(unexpected, SluisError)
    assert "unexpected ValueError in load" in told
    assert PERSON not in told
    ours, told = shown(lambda: guarded("load", while_handling))
    assert PERSON not in told
    assert isinstance(ours, Refused)
    assert (ours.remote_request_id, ours.field) == ("req-17", "lines.0.vat")  # what support needs stays
    assert "req-17" in told


def test_a_run_whose_conf_was_given_on_the_machine() -> None:
    run = SimpleNamespace(conf={"order_ids": ["1"], "buyer": PERSON}, dag_id="sync__m1__shop", run_id="r")
    context: Any = {"dag_run": run, "ti": SimpleNamespace(try_number=1), "params": {}}
    assert PERSON in str(run.conf)  # Airflow has stored it: `airflow dags trigger` passes no gate
    with pytest.raises(Defect, match="conf_refused") as caught:
        run_request(context, "m1", "shop")
    assert PERSON not in str(caught.value)
    assert "delete this run" in str(caught.value)
