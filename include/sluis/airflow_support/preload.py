"""Heavy imports, once, in the process that forks the tasks.

A task that imports pandas and great-expectations itself costs 8 CPU seconds; one that inherits them costs 0.4. Only the
scheduler with a LocalExecutor forks tasks; every other process (api-server, dag-processor, each command) must stay
light. Threads do not survive a fork, so numpy's are not started at all (``OPENBLAS_NUM_THREADS=1``).
"""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import sys
from collections.abc import Sequence

from sluis.airflow_support.own_logs import keep_task_logs_apart

#: What tasks use and what is slow to import. The flows bring quality, transit, store and the connectors' rooms along.
HEAVY = (
    "numpy",
    "pandas",
    "great_expectations",
    "psycopg",
    "cryptography.hazmat.primitives.ciphers.aead",
    "requests",
    "stdnum.eu.vat",
    "sluis.flows.sync",
)
_log = logging.getLogger(__name__)


def forks_tasks(argv: Sequence[str], executor: str) -> bool:
    """Whether this process is the parent of tasks: a scheduler whose executor forks them."""
    return (
        list(argv[1:2]) == ["scheduler"]
        and "LocalExecutor" in executor
        and multiprocessing.get_start_method() == "fork"
    )


def load(modules: Sequence[str] = HEAVY) -> None:
    """Import the modules. Raises ``ImportError`` where one is missing: tasks would fail on it as well."""
    # Before numpy is imported: later it has started its threads already.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    from sluis import quality

    quality.preload()  # pandas and great-expectations, without their warnings and progress bars
    for name in modules:
        importlib.import_module(name)
    _log.info("preloaded %s for the tasks", ", ".join(modules))


def on_starting() -> None:
    """Preload where tasks are forked, and keep their logs apart. Called in every process and task of Airflow."""
    if list(sys.argv[1:2]) != ["scheduler"]:  # asked first: reading Airflow's configuration is for the scheduler alone
        return
    from airflow.sdk.configuration import conf

    keep_task_logs_apart()
    if forks_tasks(sys.argv, str(conf.get("core", "executor"))):
        load()
