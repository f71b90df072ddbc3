"""Tasks' logs are not repeated on the output of the scheduler (that they would be: tests/e2e/test_canary.py)."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from airflow.executors.base_executor import BaseExecutor

from sluis.airflow_support.own_logs import keep_task_logs_apart


def test_no_executor_repeats_a_tasks_log(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    assert "subprocess_logs_to_stdout" in inspect.signature(BaseExecutor.run_workload).parameters
    monkeypatch.setattr(BaseExecutor, "run_workload", staticmethod(lambda *_, **options: given.append(options) or 7))
    keep_task_logs_apart()
    once = BaseExecutor.run_workload
    keep_task_logs_apart()
    assert BaseExecutor.run_workload is once
    assert BaseExecutor.run_workload("work", server="x", subprocess_logs_to_stdout=True) == 7
    assert BaseExecutor.run_workload("work") == 7
    assert given == [{"server": "x", "subprocess_logs_to_stdout": False}, {"subprocess_logs_to_stdout": False}]
