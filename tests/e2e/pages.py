"""What Airflow's API and UI show of DAGs to somebody who is logged in: pages, lists, logs and audit trail.

sluis has no console of its own yet; its pages will be one more list of paths here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import requests

from tests.airflow_harness import AirflowStack

_PAGE = 100
_LISTS = (
    "/api/v2/eventLogs", "/api/v2/importErrors", "/api/v2/assets", "/api/v2/assets/events", "/api/v2/dagWarnings",
    "/api/v2/variables", "/api/v2/connections", "/api/v2/pools", "/api/v2/jobs", "/api/v2/plugins",
    "/api/v2/dags", "/api/v2/dags/~/dagRuns", "/api/v2/dags/~/dagRuns/~/taskInstances", "/ui/dags",
)  # fmt: skip
_WHOLE = ("/", "/dags", "/api/v2/monitor/health", "/ui/config", "/ui/dashboard/dag_stats")
_OF_DAG = (
    "/dags/{dag}", "/api/v2/dags/{dag}", "/api/v2/dags/{dag}/details", "/api/v2/dags/{dag}/tasks",
    "/api/v2/dags/{dag}/dagRuns", "/api/v2/dags/{dag}/dagVersions", "/api/v2/dagSources/{dag}",
    "/api/v2/backfills?dag_id={dag}", "/ui/grid/runs/{dag}", "/ui/grid/structure/{dag}",
    "/ui/structure/structure_data?dag_id={dag}",
)  # fmt: skip
_OF_RUN = (
    "/dags/{dag}/runs/{run}", "/api/v2/dags/{dag}/dagRuns/{run}", "/api/v2/dags/{dag}/dagRuns/{run}/taskInstances",
    "/ui/gantt/{dag}/{run}",
)  # fmt: skip
_OF_TASK = "/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}"


def pages(stack: AirflowStack, dag_ids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (path, body) of every page; a page that cannot be seen fails, as a search of an error proves nothing."""
    with requests.Session() as session:
        session.trust_env = False
        name, password = stack.airflow.login
        login = {"username": name, "password": password}
        token = session.post(f"{stack.airflow.url}/auth/token", json=login, timeout=30).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield from _Reader(session, stack.airflow.url).all(dag_ids)


class _Reader:
    """Follows the lists to everything they name."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session, self._url = session, url

    def all(self, dag_ids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        for path in _WHOLE:
            yield self._page(path)
        for path in _LISTS:
            yield from self._whole_list(path)
        for dag_id in dag_ids:
            for path in _OF_DAG:
                yield self._page(path.format(dag=dag_id))
            for run in self._json(f"/api/v2/dags/{dag_id}/dagRuns?limit={_PAGE}")["dag_runs"]:
                yield from self._run(dag_id, str(run["dag_run_id"]))

    def _run(self, dag_id: str, run_id: str) -> Iterator[tuple[str, bytes]]:
        for path in _OF_RUN:
            yield self._page(path.format(dag=dag_id, run=quote(run_id)))
        tasks = self._json(f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances")["task_instances"]
        for task in tasks:
            if not task["start_date"]:
                continue  # it never ran: it has no log and no XCom
            here = _OF_TASK.format(dag=dag_id, run=quote(run_id), task=task["task_id"])
            for path in (here, f"{here}/tries", f"{here}/xcomEntries"):
                yield self._page(path)
            for entry in self._json(f"{here}/xcomEntries")["xcom_entries"]:
                yield self._page(f"{here}/xcomEntries/{quote(entry['key'])}?deserialize=false&stringify=true")
            for number in range(1, int(task["try_number"]) + 1):
                yield self._page(f"{here}/logs/{number}?full_content=true")

    def _whole_list(self, path: str) -> Iterator[tuple[str, bytes]]:
        total = int(self._json(f"{path}?limit=1").get("total_entries", 0))
        for start in range(0, max(total, 1), _PAGE):
            yield self._page(f"{path}?limit={_PAGE}&offset={start}")

    def _page(self, path: str) -> tuple[str, bytes]:
        answer = self._session.get(self._url + path, timeout=60)
        assert answer.ok, (path, answer.status_code, answer.text[:200])
        return path, answer.content

    def _json(self, path: str) -> Any:
        return self._session.get(self._url + path, timeout=60).json()
