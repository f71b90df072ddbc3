"""A whole Airflow on this machine: prepared, started, waited for, and ended without leaving a process behind.

The api-server is waited for with the others, as tasks report to it. All that runs is a child of ours with a log file; a
child that dies ends the start with one line.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType

import requests

from sluis.errors import Defect, NotConfigured
from sluis.local.airflow_env import child_environment, environment, of_component
from sluis.local.processes import Child, is_free, stop
from sluis.local.secrets import ADMIN, local_secrets

Progress = Callable[[str], None]

_COMPONENTS = {
    "api-server": ["api-server"],
    # Logs are read from the disk: no log server, so no second port.
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_NEEDED = ("apache-airflow", "apache-airflow-providers-fab", "apache-airflow-providers-standard", "psycopg")
_HEALTHY = {"metadatabase", "scheduler", "dag_processor", "triggerer"}


def _silent(_: str) -> None:
    return


class LocalAirflow(AbstractContextManager["LocalAirflow"]):
    """Airflow with its own database ``dsn``, at ``http://127.0.0.1:<port>``; leaving the context ends it.

    ``store`` holds the ``SLUIS_*`` variables of the tasks (the owner's address is handed to nobody), ``settings`` what
    differs from ``airflow_env.environment``.
    """

    def __init__(
        self,
        home: Path,
        dsn: str,
        *,
        port: int,
        store: Mapping[str, str],
        settings: Mapping[str, str] | None = None,
        progress: Progress = _silent,
    ) -> None:
        self.home, self.port, self._progress = home.resolve(), port, progress
        self._settings = {**environment(self.home, dsn, port=port, store=store), **(settings or {})}
        self._children: list[Child] = []
        (self.home / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)  # order numbers and amounts stand in them

    @property
    def url(self) -> str:
        """The address of the UI and the API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def login(self) -> tuple[str, str]:
        """Name and password of the admin."""
        return ADMIN, local_secrets(self.home).admin_password

    @property
    def logs(self) -> Path:
        """Where every process' own log lies."""
        return self.home / "logs" / "processes"

    def prepare(self, timeout_seconds: float = 300) -> None:
        """Migrate the database, make the admin and the pools. Raises ``Defect("airflow_not_prepared")``."""
        _check_installed()
        self._progress("Airflow: database, admin and pools")
        child = self._child("prepare", [sys.executable, "-m", "sluis.local.prepare"])
        try:
            status = child.wait(timeout_seconds)
            if status != 0:
                why = "took too long" if status is None else f"ended with {status}: {child.last_line()}"
                raise Defect(f"preparing Airflow {why} (log: {child.log})", code="airflow_not_prepared")
        finally:
            self._children.remove(child)
            stop([child])

    def start(self, timeout_seconds: float = 240) -> None:
        """Start all processes and wait until all report healthy; on any failure nothing is left running.

        Raises ``NotConfigured("port_in_use")`` and ``Defect`` (``airflow_died``, ``airflow_not_healthy``).
        """
        _check_installed()
        if not is_free(self.port):
            raise NotConfigured(
                f"port {self.port} is in use: end what listens there or choose another", code="port_in_use"
            )
        try:
            for name, arguments in _COMPONENTS.items():
                self._progress(f"Airflow: starting {name}")
                self._child(name, [sys.executable, "-m", "airflow", *arguments])
            self._wait(timeout_seconds)
        except BaseException:  # Ctrl-C as well: nothing may be left running
            self.stop()
            raise

    def check(self) -> None:
        """Raise ``Defect("airflow_died")`` when one of the processes has ended."""
        for child in self._children:
            status = child.status()
            if status is not None:
                raise Defect(
                    f"Airflow's {child.name} ended with {status}: {child.last_line()} (log: {child.log})",
                    code="airflow_died",
                )

    def stop(self) -> None:
        """End every process; safe to call twice."""
        children, self._children = self._children, []
        # The api-server last: the others sign off through the database and tasks through it.
        stop([child for child in children if child.name != "api-server"])
        stop([child for child in children if child.name == "api-server"])

    def __enter__(self) -> LocalAirflow:
        """Prepare and start."""
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _child(self, name: str, command: list[str]) -> Child:
        env = child_environment(of_component(self._settings, name))
        child = Child(name, command, env, self.logs / f"{name}.log")
        self._children.append(child)
        return child

    def _wait(self, timeout_seconds: float) -> None:
        began, told = time.monotonic(), ""
        while True:
            self.check()
            waiting = _waiting_for(self.url)
            if not waiting:
                self._progress(f"Airflow: healthy at {self.url} after {time.monotonic() - began:.0f} s")
                return
            if time.monotonic() - began > timeout_seconds:
                raise Defect(
                    f"Airflow was not healthy after {timeout_seconds:.0f} s, waiting for {', '.join(waiting)} "
                    f"(logs: {self.logs})",
                    code="airflow_not_healthy",
                )
            if told != (told := ", ".join(waiting)):
                self._progress(f"Airflow: waiting for {told}")
            time.sleep(0.5)


def _waiting_for(url: str) -> list[str]:
    """Return the components that do not report healthy yet."""
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy to our own machine
            answer = session.get(f"{url}/api/v2/monitor/health", timeout=5)
            body = answer.json() if answer.ok else {}
    except (requests.RequestException, ValueError):
        return ["api-server"]
    return sorted(name for name in _HEALTHY if (body.get(name) or {}).get("status") != "healthy")


def _check_installed() -> None:
    """Look for the distributions, as looking for the module ``airflow.providers`` imports Airflow itself here."""
    for name in _NEEDED:
        try:
            version(name)
        except PackageNotFoundError:
            raise NotConfigured(f"{name} is not installed: run `make install`", code="missing_dependency") from None
