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
from sluis.airflow_support.conf import refused_conf, run_name
from sluis.errors import Defect, SluisError
from sluis.privacy.process import leave_no_core

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
    """Build the flows' request from Airflow's context.

    Who started the run and what he called it stay with Airflow (its audit log): free words may name a person. Raises
    ``Defect("conf_refused")`` for a conf that holds more than ids of orders.
    """
    from sluis.flows.context import RunRequest

    # Airflow types the context's members as protocols without these fields; the task process has them all.
    run: Any = context["dag_run"]
    instance: Any = context["ti"]
    ids = context["params"].get("order_ids") or ()
    if told := refused_conf(run.conf) or refused_conf({"order_ids": ids}):
        raise Defect(
            f"{told}: delete this run in Airflow, which keeps what it was given, and start another one",
            code="conf_refused",
        )
    return RunRequest(
        merchant=merchant,
        integration=integration,
        dag_id=run.dag_id,
        run_id=run_name(run.dag_id, run.run_id),
        run_type=str(getattr(run.run_type, "value", run.run_type)),
        by_person=run.triggering_user_name is not None,
        interval_start=run.data_interval_start,
        interval_end=run.data_interval_end,
        order_ids=tuple(ids),
        try_number=instance.try_number,
    )


def run_step(use_case: Callable[[RunRequest], S], merchant: str, integration: str) -> S:
    """Run a use-case for the task at hand, push its counts under ``SUMMARY`` and return them.

    Pushed here and not returned by the task: a task that then skips the others would return nothing.
    """
    from airflow.sdk import get_current_context

    leave_no_core()  # from here on the process holds orders
    context = get_current_context()
    instance: Any = context["ti"]
    summary = guarded(instance.task_id, lambda: use_case(run_request(context, merchant, integration)))
    instance.xcom_push(key=SUMMARY, value=summary.model_dump(mode="json", exclude_none=True))
    return summary


def ask_step(question: Callable[[RunRequest], bool], merchant: str, integration: str) -> bool:
    """Answer a question about the run at hand; nothing of it is pushed."""
    from airflow.sdk import get_current_context

    leave_no_core()
    context = get_current_context()
    instance: Any = context["ti"]
    return guarded(instance.task_id, lambda: question(run_request(context, merchant, integration)))


def guarded(step: str, call: Callable[[], T]) -> T:
    """Call, and let only errors without data out.

    Ours, Airflow's own (skip, fail, timeout) and the end of the process go out as they are, but without what they were
    raised from or met on the way. Any other exception becomes a ``SluisError("unexpected")`` that names its class and
    the places in our code it came through, never its text; plain retries apply to it. Raised outside the ``except``, so
    that the original is not even its context.
    """
    raised: BaseException
    try:
        return call()
    except BaseException as error:  # noqa: BLE001 - a timeout is no Exception, and it interrupts whatever held an order
        raised = error
    if not _may_pass(raised):
        raised = SluisError(
            f"unexpected {type(raised).__name__} in {step} at {_places(raised.__traceback__)}", code="unexpected"
        )
    raised.__cause__ = raised.__context__ = None
    raise raised


def _may_pass(error: BaseException) -> bool:
    known = isinstance(error, SluisError) or not isinstance(error, Exception)
    return known or type(error).__module__.startswith(_AIRFLOW)


def _places(traceback: TracebackType | None) -> str:
    """Return the lines of our own code, outermost first, e.g. ``flows/sync.py:88 > core/vat.py:12``."""
    found: list[str] = []
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if file.is_relative_to(_HOME) and file != Path(__file__):
            found.append(f"{file.relative_to(_HOME)}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return " > ".join(found) or "no line of ours"
