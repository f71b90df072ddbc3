"""sluis' side: the four tasks of one sync run, each in a process forked from one that has loaded what is heavy.

That is how a LocalExecutor runs them, without Airflow around it. Run by ``sync.py``, which gives the run request as
JSON on standard input and the store in the environment. Logs are written to a file, as tasks do.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the scheduler's preload does: no thread crosses the fork

from measure import Meter

TASKS = ("extract", "transform", "load", "shred")


def task(name: str, request: Any, told: Connection) -> None:
    """Run one task and tell what it used and what it counted."""
    from sluis.flows import sync

    meter = Meter()
    result = getattr(sync, name)(request)
    told.send({**meter.read(), "counts": result.model_dump(mode="json")})


def run(request: Any) -> dict[str, Any]:
    """Run all tasks, one after the other; raises ``SystemExit`` naming the one that failed."""
    context = multiprocessing.get_context("fork")
    used: dict[str, Any] = {}
    for name in TASKS:
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=task, args=(name, request, there))
        child.start()
        there.close()
        try:
            used[name] = here.recv()
        except EOFError:
            child.join()
            raise SystemExit(f"{name} failed: its last words stand above") from None
        child.join()
    return used


def main() -> None:
    given = json.load(sys.stdin)
    logging.basicConfig(filename=given["log"], level=logging.INFO)
    loading = Meter()
    from sluis import quality
    from sluis.flows.context import RunRequest
    from sluis.flows.sync import extract  # noqa: F401 - loads all that the tasks use

    quality.preload()
    loaded = loading.read()
    tasks = run(RunRequest.model_validate(given["request"]))
    json.dump({"loaded": loaded, "tasks": tasks}, sys.stdout)


if __name__ == "__main__":
    main()
