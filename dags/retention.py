"""The DAG that deletes what the register says has expired, with proof. Wiring only; the work is in ``sluis.flows``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, task
from airflow.sdk.exceptions import DownstreamTasksSkipped

from sluis.airflow_support.addresses import RETENTION
from sluis.airflow_support.conf import MERCHANT, PLAN_HASH, categories
from sluis.airflow_support.docs import retention_doc
from sluis.airflow_support.retention import retention_step
from sluis.airflow_support.retry_policy import TaxonomyRetryPolicy
from sluis.airflow_support.run import SUMMARY

#: At night in Europe, and after the hour at which everybody else's jobs start.
QUIET_HOUR = "41 2 * * *"
DEFAULTS = {
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_policy": TaxonomyRetryPolicy(),
    "show_return_value_in_logs": False,
    "do_xcom_push": False,
    "execution_timeout": timedelta(hours=1),
}

with DAG(
    dag_id=RETENTION,
    description="What has expired by the register goes, is proved gone and is certified",
    doc_md=retention_doc(key=SUMMARY),
    schedule=CronDataIntervalTimetable(QUIET_HOUR, timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # a day that was missed is in the next day's plan: everything is counted back from now
    is_paused_upon_creation=False,
    max_active_runs=1,
    tags={"retention", "privacy"},
    default_args=DEFAULTS,
    params={
        "merchant": Param(
            "", type="string", pattern=MERCHANT, title="Only this merchant",
            description="The code of one merchant; empty: all of them",
        ),
        "category": Param(
            "", type="string", enum=["", *categories()], title="Only this category",
            description="One category of the register; empty: all of them",
        ),
        "dry_run": Param(
            False, type="boolean", title="Dry run", description="Only tell in the log of plan what would go"
        ),
        "confirm": Param(
            "", type="string", pattern=PLAN_HASH, title="Confirm a plan that waits",
            description="Its whole hash, from the log of guard; give nothing else with it",
        ),
    },
) as dag:  # fmt: skip

    @task(execution_timeout=timedelta(hours=6))  # it also finishes what an earlier run left halfway
    def plan() -> None:
        from sluis.flows import retention_steps

        retention_step(retention_steps.plan)

    @task
    def holds() -> None:
        from sluis.flows import retention_steps

        if retention_step(retention_steps.holds).dry_run:
            raise DownstreamTasksSkipped(tasks=["guard", "delete", "prove", "certificate"])

    @task
    def guard() -> None:
        from sluis.flows import retention_steps

        retention_step(retention_steps.guard)

    # Where locks are busy it tries again, later each time; what is done is done.
    @task(execution_timeout=timedelta(hours=6), retries=5)
    def delete() -> None:
        from sluis.flows import retention_steps

        retention_step(retention_steps.delete)

    @task
    def prove() -> None:
        from sluis.flows import retention_steps

        retention_step(retention_steps.prove)

    @task
    def certificate() -> None:
        from sluis.flows import retention_steps

        retention_step(retention_steps.certificate)

    plan() >> holds() >> guard() >> delete() >> prove() >> certificate()
