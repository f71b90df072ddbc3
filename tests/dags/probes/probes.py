"""DAGs that do on purpose what no DAG of ours does; Airflow loads them in end-to-end tests only."""

from __future__ import annotations

import logging
import os
import resource
import time
from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped

from sluis.airflow_support.retry_policy import TaxonomyRetryPolicy
from sluis.errors import QuotaSpent, Reconnect

log = logging.getLogger("sluis.probe")
ARGS = {"retries": 2, "retry_delay": timedelta(minutes=30), "retry_policy": TaxonomyRetryPolicy()}


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, default_args=ARGS, is_paused_upon_creation=False)


with dag("probe_quota"):

    @task
    def quota() -> None:
        if get_current_context()["ti"].try_number == 1:
            raise QuotaSpent("the quota is spent", retry_after=timedelta(seconds=6))

    quota()

with dag("probe_reconnect"):

    @task
    def reconnect() -> None:
        raise Reconnect("the key was refused")

    reconnect()

with dag("probe_killed"):

    @task(retry_delay=timedelta(seconds=2))
    def killed() -> None:
        if get_current_context()["ti"].try_number == 1:
            time.sleep(600)

    killed()

with dag("probe_environment"):

    @task
    def environment() -> None:
        ours = sorted(name for name in os.environ if name.startswith("SLUIS_"))
        log.info("environment: %s %s", " ".join(ours), resource.getrlimit(resource.RLIMIT_CORE))

    environment()

with dag("probe_leak"):

    @task
    def leak(person: str) -> str:
        return person

    leak("jan.jansen@example.com")

# The shape of the sync DAGs with a task that fails, is skipped, or whose teardown fails; and the end of a month in a
# run that finds nothing new.
IDLE = ["load", "verdict", "shred"]
for name, failing, skipped in (
    ("load", "load", []), ("shred", "shred", ["reconcile"]), ("skip", "", [*IDLE, "reconcile"]),
    ("month", "reconcile", IDLE),
):  # fmt: skip
    with dag(f"probe_{name}") as made:

        @task(retries=0)
        def extract(skip: list[str]) -> None:
            get_current_context()["ti"].xcom_push(key="summary", value={"documents": 0})
            if skip:
                raise DownstreamTasksSkipped(tasks=skip)

        @task(retries=0)
        def load(fail: bool) -> None:
            if fail:
                raise Reconnect("load fails on purpose")

        @task(retries=0)
        def shred(fail: bool) -> None:
            if fail:
                raise Reconnect("shred fails on purpose")

        @task(retries=0, trigger_rule=TriggerRule.NONE_FAILED)
        def reconcile(fail: bool) -> None:
            if fail:
                raise AirflowFailException("an open difference on purpose")

        read, booked = extract(skipped), load(failing == "load")
        gone = shred(failing == "shred").as_teardown(setups=[read], on_failure_fail_dagrun=True)
        read >> booked >> [EmptyOperator(task_id="verdict"), reconcile(failing == "reconcile"), gone]
    globals()[made.dag_id] = made
