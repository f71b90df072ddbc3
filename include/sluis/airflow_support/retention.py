"""The bridge between the DAG ``retention`` and its steps, as ``run`` is for the sync DAGs."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluis.airflow_support.conf import RETENTION, refused_conf, run_name
from sluis.airflow_support.run import SUMMARY, guarded
from sluis.errors import Defect

if TYPE_CHECKING:
    from airflow.sdk import Context

    from sluis.flows.retention_steps import RetentionRequest, RetentionStep


def retention_request(context: Context) -> RetentionRequest:
    """Build the steps' request from Airflow's context and from what ``plan`` pushed.

    Raises ``Defect("conf_refused")`` for a conf that holds anything but what the DAG takes.
    """
    from sluis.flows.retention_steps import RetentionRequest

    run: Any = context["dag_run"]
    instance: Any = context["ti"]
    params = {name: context["params"][name] for name in RETENTION.fields}
    if told := refused_conf(run.conf, RETENTION) or refused_conf(params, RETENTION):
        raise Defect(
            f"{told}: delete this run in Airflow, which keeps what it was given, and start another one",
            code="conf_refused",
        )
    if params["confirm"] and (params["merchant"] or params["category"] or params["dry_run"]):
        raise Defect(
            "confirm names a plan, which has its own merchant and category: give it alone", code="conf_refused"
        )
    planned = instance.xcom_pull(task_ids="plan", key=SUMMARY) if instance.task_id != "plan" else None
    return RetentionRequest(
        dag_run_id=run_name(run.dag_id, run.run_id),
        merchant=params["merchant"] or None,
        category=params["category"] or None,
        dry_run=params["dry_run"],
        confirm=params["confirm"] or None,
        run=(planned or {}).get("run"),
    )


def retention_step(step: Callable[[RetentionRequest], RetentionStep]) -> RetentionRequest:
    """Run a step for the task at hand and push what it tells; returns what it was asked."""
    from airflow.sdk import get_current_context

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    context = get_current_context()
    instance: Any = context["ti"]
    request = guarded(instance.task_id, lambda: retention_request(context))
    told = guarded(instance.task_id, lambda: step(request))
    instance.xcom_push(key=SUMMARY, value=told.model_dump(mode="json", exclude_none=True))
    return request
