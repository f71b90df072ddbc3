"""The bridge between the DAG ``statistics`` and its steps, as ``run`` is for the sync DAGs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluis.airflow_support.conf import STATISTICS, refused_conf, run_name
from sluis.airflow_support.run import SUMMARY, guarded
from sluis.errors import Defect
from sluis.privacy.process import leave_no_core

if TYPE_CHECKING:
    from airflow.sdk import Context

    from sluis.flows.statistics_steps import StatisticsRequest, StatisticsStep


def statistics_request(context: Context) -> StatisticsRequest:
    """Build the steps' request: the quarter that was asked for, or the last one that had ended when the run was due.

    The same run is about the same quarter whenever it is cleared. Raises ``Defect("conf_refused")`` for a conf that
    holds anything but a quarter.
    """
    from sluis.flows.statistics import last_quarter
    from sluis.flows.statistics_steps import StatisticsRequest

    run: Any = context["dag_run"]
    asked = {"quarter": context["params"]["quarter"]}
    if told := refused_conf(run.conf, STATISTICS) or refused_conf(asked, STATISTICS):
        raise Defect(
            f"{told}: delete this run in Airflow, which keeps what it was given, and start another one",
            code="conf_refused",
        )
    by_hand = str(getattr(run.run_type, "value", run.run_type)) == "manual"
    due = run.run_after if by_hand or run.data_interval_end is None else run.data_interval_end
    return StatisticsRequest(
        dag_run_id=run_name(run.dag_id, run.run_id), quarter=asked["quarter"] or last_quarter(due)
    )  # fmt: skip


def statistics_step(step: Callable[[StatisticsRequest], StatisticsStep]) -> None:
    """Run a step for the task at hand and push what it tells."""
    from airflow.sdk import get_current_context

    leave_no_core()  # what enterprises put in stands in this process
    context = get_current_context()
    instance: Any = context["ti"]
    request = guarded(instance.task_id, lambda: statistics_request(context))
    told = guarded(instance.task_id, lambda: step(request))
    instance.xcom_push(key=SUMMARY, value=told.model_dump(mode="json", exclude_none=True))
