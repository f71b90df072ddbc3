"""A worker process that is killed (SIGKILL, by itself) at a chosen point of a task, as a node that dies would be.

``python -m tests.flows.victim``, with ``Order`` as JSON on its standard input. Nothing is faked but the death: the task
runs with its real store and connectors, and nothing after the point runs, no ``finally`` either.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from sluis.accounting.moneybird.connector import Moneybird
from sluis.core.frozen import Frozen
from sluis.flows import extract as extract_flow
from sluis.flows import load as load_flow
from sluis.flows import sync
from sluis.flows.context import RunRequest
from sluis.store.bookings import Bookings
from sluis.store.debtors import DebtorLinks
from sluis.transit.store import Transit

ROOT = Path(__file__).resolve().parents[2]
#: Where death comes: the call at whose k-th occurrence it strikes, and whether before or after the call is done.
POINTS: dict[str, tuple[Any, str, Literal["before", "after"]]] = {
    "before_claim": (Bookings, "claim", "before"),
    "after_claim": (Bookings, "claim", "after"),
    "answered": (Moneybird, "book", "after"),
    "recorded": (Bookings, "booked", "after"),
    "debtor_created": (Moneybird, "debtor", "after"),
    "debtor_linked": (DebtorLinks, "put", "after"),
    "reported": (load_flow, "close_run", "after"),
    "chunk_written": (Transit, "put", "after"),
    "sealed": (Transit, "seal", "after"),
}


class Order(Frozen):
    """Which task of which run, and where it dies: at the ``at``-th time that ``point`` is passed."""

    task: Literal["extract", "transform", "load"]
    request: RunRequest
    point: str
    at: int = 1
    chunk: int = 100


def kill(task: str, request: RunRequest, point: str, at: int = 1, chunk: int = 100) -> None:
    """Run the task in a process of its own and see it killed; a task that came to its end is a failure."""
    order = Order.model_validate({"task": task, "request": request, "point": point, "at": at, "chunk": chunk})
    done = subprocess.run(
        [sys.executable, "-m", "tests.flows.victim"],
        input=order.model_dump_json().encode(), cwd=ROOT, env=dict(os.environ), capture_output=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, (done.returncode, done.stderr.decode()[-2000:])


def arm(point: str, at: int, strike: Callable[[], None]) -> tuple[Any, str, Any]:
    """Let ``strike`` be called at a point; returns what must be put back."""
    owner, name, when = POINTS[point]
    original = getattr(owner, name)
    passed = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal passed
        passed += 1
        if passed == at and when == "before":
            strike()
        result = original(*args, **kwargs)
        if passed == at and when == "after":
            strike()
        return result

    setattr(owner, name, wrapped)
    return owner, name, original


def main() -> None:
    """Run the task that is asked for until it dies."""
    order = Order.model_validate_json(sys.stdin.read())
    extract_flow.CHUNK = order.chunk
    arm(order.point, order.at, lambda: os.kill(os.getpid(), signal.SIGKILL))
    if order.task == "load":
        sync.load(order.request, settle=timedelta(0))
    elif order.task == "transform":
        sync.transform(order.request)
    else:
        sync.extract(order.request)


if __name__ == "__main__":
    main()
