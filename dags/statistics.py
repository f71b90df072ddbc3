"""The DAG that publishes the anonymous figures of a quarter. Wiring only; the work is in ``sluis.flows``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, task

from sluis.airflow_support.addresses import STATISTICS
from sluis.airflow_support.conf import QUARTER
from sluis.airflow_support.docs import statistics_doc
from sluis.airflow_support.retry_policy import TaxonomyRetryPolicy
from sluis.airflow_support.run import SUMMARY
from sluis.airflow_support.statistics import statistics_step

#: Two weeks after a quarter's end: late orders are in by then, and retention leaves its input 120 days.
AFTER_THE_QUARTER = "23 3 15 1,4,7,10 *"
DEFAULTS = {
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_policy": TaxonomyRetryPolicy(),
    "show_return_value_in_logs": False,
    "do_xcom_push": False,
    "execution_timeout": timedelta(minutes=10),
}

with DAG(
    dag_id=STATISTICS,
    description="Anonymous figures on revenue and VAT: what no attacker can work anybody out from is published",
    doc_md=statistics_doc(key=SUMMARY),
    schedule=CronDataIntervalTimetable(AFTER_THE_QUARTER, timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # quarters before the installation have no input; a missed one is published by hand, in order
    is_paused_upon_creation=False,
    max_active_runs=1,
    tags={"statistics", "privacy"},
    default_args=DEFAULTS,
    params={
        "quarter": Param(
            "", type="string", pattern=QUARTER, title="Quarter",
            description="As in 2026-Q3; empty: the last one that ended. No quarter before one that is closed",
        ),
    },
) as dag:  # fmt: skip

    @task
    def freeze() -> None:
        from sluis.flows import statistics_steps

        statistics_step(statistics_steps.freeze)

    # One task, as nothing that tells of an enterprise may pass between two: build, hide, attack, judge, publish.
    @task(execution_timeout=timedelta(hours=2))
    def release() -> None:
        from sluis.flows import statistics_steps

        statistics_step(statistics_steps.release)

    @task(execution_timeout=timedelta(hours=1))
    def verify() -> None:
        from sluis.flows import statistics_steps

        statistics_step(statistics_steps.verify)

    freeze() >> release() >> verify()
