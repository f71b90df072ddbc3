"""A task's log stands in its own file and nowhere else.

The LocalExecutor repeats every line of every task on the scheduler's standard output: order numbers and amounts would
stand in the log of a process, in a container's log and wherever that is sent, for periods that no register names.
Airflow 3.3.2 has no switch for it, and no level filters it (the copies are made at NOTSET), so the option is turned off
where all executors pass: in the process that forks the tasks, before it forks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

_OPTION = "subprocess_logs_to_stdout"


def keep_task_logs_apart() -> None:
    """Have no executor of this process repeat the logs of tasks. Calling it twice is fine."""
    from airflow.executors.base_executor import BaseExecutor

    run = BaseExecutor.run_workload
    if not getattr(run, "keeps_apart", False):
        BaseExecutor.run_workload = staticmethod(_apart(run))  # type: ignore[method-assign]


def _apart(run: Callable[..., int]) -> Callable[..., int]:
    @wraps(run)
    def without(*arguments: Any, **options: Any) -> int:
        return run(*arguments, **{**options, _OPTION: False})

    without.keeps_apart = True  # type: ignore[attr-defined]
    return without
