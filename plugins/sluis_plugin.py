"""What Airflow loads of sluis: preloading where tasks are forked, addresses for whom they are meant, the API's gate."""

from __future__ import annotations

from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from sluis.airflow_support import addresses, preload
from sluis.airflow_support.gate import RunGate


class Preloader:
    """Hears that a component starts: the scheduler says so before its executor forks."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Preload in the scheduler. A task forked from it announces itself here too and must not import anything."""
        if type(component).__name__ == "Job":
            preload.on_starting()


class Addresses:
    """Hears that a task starts, in the task's own process."""

    @hookimpl
    def on_task_instance_running(self, task_instance: Any) -> None:
        """Take from every DAG the addresses that only another one needs: the one that deletes, or the statistics."""
        addresses.keep_addresses(str(task_instance.dag_id))


class SluisPlugin(AirflowPlugin):
    """The plugin's entry."""

    name = "sluis"
    listeners = [Preloader(), Addresses()]  # noqa: RUF012 - declared so by Airflow
    fastapi_root_middlewares = [{"name": "sluis run gate", "middleware": RunGate}]  # noqa: RUF012 - declared so by Airflow
