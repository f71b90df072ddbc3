"""One DAG per integration: its orders, from the shop into the books. Wiring only; the work is in ``sluis.flows``.

Inside a task only the DAG at hand is built, as a thousand DAGs cost seconds; heavy imports stand in the tasks.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule, get_parsing_context, task
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped

from sluis.airflow_support.conf import MOST_ORDERS, ORDER_ID
from sluis.airflow_support.docs import sync_doc
from sluis.airflow_support.retry_policy import TaxonomyRetryPolicy
from sluis.airflow_support.run import SUMMARY, ask_step, run_step
from sluis.airflow_support.schedule import cadence, cron
from sluis.errors import NotConfigured
from sluis.store.integrations import ActiveIntegration
from sluis.store.registry_cache import active_integrations

#: Long past and the same for all: with ``catchup=False`` a new DAG then runs its last complete interval at once, and
#: any past day can be backfilled. What may be booked begins at the integration's own start date, which the flows keep.
START = datetime(2024, 1, 1, tzinfo=UTC)
DEFAULTS = {
    # Plain retries serve where nobody can ask the policy: a killed process, an executor that lost its task.
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_policy": TaxonomyRetryPolicy(),
    "show_return_value_in_logs": False,
    "do_xcom_push": False,
}


def build(integration: ActiveIntegration) -> DAG:
    """Return the DAG of one integration."""
    merchant, code = integration.merchant, integration.code
    expression = cron(integration.dag_id, integration.interval_minutes)
    dag = DAG(
        dag_id=integration.dag_id,
        description=f"Orders of {integration.shop} to {integration.package}, for merchant {merchant}",
        doc_md=sync_doc(
            merchant=merchant, code=code, shop=integration.shop, package=integration.package,
            minutes=cadence(integration.interval_minutes), key=SUMMARY,
        ),
        schedule=CronDataIntervalTimetable(expression, timezone=integration.timezone),
        start_date=START,
        catchup=False,
        is_paused_upon_creation=False,
        max_active_runs=1,
        tags={merchant, integration.shop, integration.package, "sync"},
        default_args=DEFAULTS,
        params={
            "order_ids": Param(
                [], type="array", items={"type": "string", "pattern": ORDER_ID}, maxItems=MOST_ORDERS,
                title="Only these orders", description="The shop's ids of orders to read again; empty: what is new",
            )
        },
    )  # fmt: skip
    with dag:
        wire(merchant, code, integration.package)
    return dag


def wire(merchant: str, code: str, package: str) -> None:
    """Add the tasks. A failed extract shreds its own batch: its shred is then ``upstream_failed``."""

    @task(execution_timeout=timedelta(hours=2))
    def extract() -> None:
        from sluis.flows import sync

        idle = run_step(sync.extract, merchant, code).nothing_new
        skipped = ["transform", "load", "verdict", "shred"] if idle else []
        if not ask_step(sync.is_due, merchant, code):
            skipped.append("reconcile")  # here, as a task that finds nothing to do costs a process in every run
        if skipped:
            raise DownstreamTasksSkipped(tasks=skipped)

    @task(execution_timeout=timedelta(hours=1))
    def transform() -> None:
        from sluis.flows import sync

        run_step(sync.transform, merchant, code)

    # One writer per integration also beside backfills, which ignore max_active_runs.
    @task(execution_timeout=timedelta(hours=6), pool=f"package__{package}", max_active_tis_per_dag=1)
    def load() -> None:
        from sluis.flows import sync

        run_step(sync.load, merchant, code)

    @task(execution_timeout=timedelta(minutes=10))
    def shred() -> None:
        from sluis.flows import sync

        run_step(sync.shred, merchant, code)

    # Also where load had nothing to do; not after one that failed: then a later run reconciles.
    @task(execution_timeout=timedelta(hours=4), pool=f"package__{package}", trigger_rule=TriggerRule.NONE_FAILED)
    def reconcile() -> None:
        from sluis.flows import sync

        if differing := run_step(sync.reconcile_ended, merchant, code).differing:
            raise AirflowFailException(f"{differing} open difference(s), named in this log: docs/runbooks/reconcile.md")

    read, made, booked = extract(), transform(), load()
    shredded = shred().as_teardown(setups=[read, made], on_failure_fail_dagrun=True)
    read >> made >> booked >> [EmptyOperator(task_id="verdict"), reconcile(), shredded]


wanted = get_parsing_context().dag_id
if not os.environ.get("SLUIS_HOME"):
    raise NotConfigured("SLUIS_HOME is not set: the folder where the list of integrations is kept")
for active in active_integrations(Path(os.environ["SLUIS_HOME"])):
    if wanted in (None, active.dag_id):
        globals()[active.dag_id] = build(active)
