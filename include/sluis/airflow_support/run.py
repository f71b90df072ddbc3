"""The bridge between Airflow's task context and the flows: what started this run, and what the run may tell.

Every error that leaves a task passes ``guarded``: Airflow prints a whole chain of exceptions into the task log, and an
error of a library may carry a piece of an order in its text.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import sluis
from sluis.errors import SluisError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from sluis.core.frozen import Frozen
    from sluis.flows.context import RunRequest

#: The one XCom key of every task: counts, cents, dates and the batch's id.
SUMMARY = "summary"
#: Exceptions of these modules are Airflow's own words (skip, fail): they pass as they are.
_AIRFLOW = "airflow."
T = TypeVar("T")
S = TypeVar("S", bound="Frozen")
_HOME = Path(sluis.__file__).parent


def run_request(context: Context, merchant: str, integration: str) -> RunRequest:
    """Build the flows' request from Airflow's context; ``order_ids`` was checked by the DAG's params schema."""
    from sluis.flows.context import RunRequest

    # Airflow types the context's members as protocols without these fields; the task process has them all.
    run: Any = context["dag_run"]
    instance: Any = context["ti"]
    return RunRequest(
        merchant=merchant,
        integration=integration,
        dag_id=run.dag_id,
        run_id=run.run_id,
        run_type=str(getattr(run.run_type, "value", run.run_type)),
        triggered_by=run.triggering_user_name,
        interval_start=run.data_interval_start,
        interval_end=run.data_interval_end,
        order_ids=tuple(context["params"].get("order_ids") or ()),
        try_number=instance.try_number,
    )


def run_step(use_case: Callable[[RunRequest], S], merchant: str, integration: str) -> S:
    """Run a use-case for the task at hand, push its counts under ``SUMMARY`` and return them.

    Pushed here and not returned by the task: a task that then skips the others would return nothing.
    """
    from airflow.sdk import get_current_context

    context = get_current_context()
    instance: Any = context["ti"]
    summary = guarded(instance.task_id, lambda: use_case(run_request(context, merchant, integration)))
    instance.xcom_push(key=SUMMARY, value=summary.model_dump(mode="json", exclude_none=True))
    return summary


def guarded(step: str, call: Callable[[], T]) -> T:
    """Call, and let only errors without data out.

    Ours go out without their cause. Any other exception becomes a ``SluisError("unexpected")`` that names its class and
    the places in our code it came through, never its text; plain retries apply to it. Raised outside the ``except``, so
    that the original is not even its context.
    """
    raised: SluisError
    try:
        return call()
    except SluisError as error:
        raised = error
    except Exception as error:
        if type(error).__module__.startswith(_AIRFLOW):
            raise
        raised = SluisError(
            f"unexpected {type(error).__name__} in {step} at {_places(error.__traceback__)}", code="unexpected"
        )
    raised.__cause__ = raised.__context__ = None
    raise raised


def _places(traceback: TracebackType | None) -> str:
    """Return the lines of our own code, outermost first, e.g. ``flows/sync.py:88 > core/vat.py:12``."""
    found: list[str] = []
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if file.is_relative_to(_HOME) and file != Path(__file__):
            found.append(f"{file.relative_to(_HOME)}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return " > ".join(found) or "no line of ours"
