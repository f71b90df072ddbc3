"""A small client of Airflow's REST API: what the demo, an operator's script and the end-to-end tests ask of Airflow."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import requests

from sluis.errors import Defect, Reconnect, RetryLater

TIMEOUT_SECONDS = 30
_ENDED = {"success", "failed"}


class AirflowApi:
    """Airflow at ``url``, as the user ``login`` (name and password; the FAB auth manager's ``/auth/token``).

    Every method raises ``RetryLater`` when Airflow does not answer, ``Reconnect`` when it refuses the login, and
    ``Defect("airflow_refused")`` with its own words when it refuses the request. Run states and types are Airflow's.
    """

    def __init__(self, url: str, login: tuple[str, str]) -> None:
        self._url, self._login = url.rstrip("/"), login
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc on the way to our own machine

    # ------------------------------------------------------------------------------------------------------- DAGs

    def health(self) -> dict[str, Any]:
        """Return the state of every component."""
        return self._call("GET", "/api/v2/monitor/health", token=False)

    def dags(self) -> list[dict[str, Any]]:
        """Return all DAGs that are not stale, sorted by id."""
        return self._pages("/api/v2/dags", "dags", order_by="dag_id")

    def import_errors(self) -> list[dict[str, Any]]:
        """Return what could not be imported of the DAG files."""
        return self._pages("/api/v2/importErrors", "import_errors")

    def wait_for_dags(self, dag_ids: Sequence[str], timeout_seconds: float = 120) -> None:
        """Wait until Airflow knows these DAGs; raises ``RetryLater("dags_missing")`` naming those it does not."""
        end = time.monotonic() + timeout_seconds
        while missing := set(dag_ids) - {dag["dag_id"] for dag in self.dags()}:
            if time.monotonic() > end:
                broken = [error["filename"] for error in self.import_errors()]
                told = f"; not importable: {', '.join(broken)}" if broken else ""
                raise RetryLater(f"Airflow does not know {', '.join(sorted(missing))} yet{told}", code="dags_missing")
            time.sleep(0.5)

    # ------------------------------------------------------------------------------------------------------- runs

    def trigger(
        self, dag_id: str, *, conf: Mapping[str, Any] | None = None, logical_date: datetime | None = None
    ) -> str:
        """Start a manual run and return its id; without ``logical_date`` (aware) it has no data interval."""
        moment = logical_date.isoformat() if logical_date else None
        body = {"logical_date": moment, "conf": dict(conf or {})}
        return str(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def runs(self, dag_id: str, **filters: Any) -> list[dict[str, Any]]:
        """Return the runs of a DAG, oldest first; ``filters`` are the API's (``run_type``, ``state``)."""
        return self._pages(f"/api/v2/dags/{dag_id}/dagRuns", "dag_runs", order_by="id", **filters)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one run."""
        return self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")

    def wait_for_run(self, dag_id: str, run_id: str, timeout_seconds: float = 180) -> str:
        """Wait for the end of a run and return ``success`` or ``failed``; raises ``RetryLater("run_not_ended")``."""
        end = time.monotonic() + timeout_seconds
        while (state := self.run(dag_id, run_id)["state"]) not in _ENDED:
            if time.monotonic() > end:
                raise RetryLater(f"run {run_id} of {dag_id} is still {state}", code="run_not_ended")
            time.sleep(0.5)
        return str(state)

    def wait_for_first_run(self, dag_id: str, timeout_seconds: float = 180, **filters: Any) -> dict[str, Any]:
        """Wait until the oldest run (that ``filters`` let through) exists and has ended; return it."""
        end = time.monotonic() + timeout_seconds
        while not (found := self.runs(dag_id, **filters)):
            if time.monotonic() > end:
                raise RetryLater(f"{dag_id} has no such run yet", code="run_not_ended")
            time.sleep(0.5)
        self.wait_for_run(dag_id, found[0]["dag_run_id"], max(1.0, end - time.monotonic()))
        return self.run(dag_id, found[0]["dag_run_id"])

    def mark(self, dag_id: str, run_id: str, state: str) -> None:
        """Set the state of a run by hand (``success`` or ``failed``), as a person does in the UI."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", json={"state": state})

    def clear(self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None) -> list[str]:
        """Clear tasks of a run with all that follow them (without ``task_ids``: the failed ones); returns their ids."""
        body: dict[str, Any] = {"dry_run": False, "dag_run_id": run_id, "only_failed": task_ids is None,
                                "include_downstream": True}  # fmt: skip
        if task_ids is not None:
            body["task_ids"] = list(task_ids)
        answer = self._call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body)
        return [str(task["task_id"]) for task in answer["task_instances"]]

    # ------------------------------------------------------------------------------------------------------ tasks

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run by task id."""
        found = self._pages(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")
        return {str(task["task_id"]): task for task in found}

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of every task of a run."""
        return {task_id: task["state"] for task_id, task in self.tasks(dag_id, run_id).items()}

    def summary(self, dag_id: str, run_id: str, task_id: str, key: str = "summary") -> Any:
        """Return an XCom; ``None`` where the task pushed none."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries"
        if not any(entry["key"] == key for entry in self._pages(path, "xcom_entries")):
            return None
        return self._call("GET", f"{path}/{key}", params={"deserialize": "false", "stringify": "false"})["value"]

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """Return the log of one try of a task, a line of text per event."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        answer = self._call("GET", path, params={"full_content": "true"})
        return "\n".join(_line(entry) for entry in answer["content"])

    # -------------------------------------------------------------------------------------------------- backfills

    def backfill(
        self, dag_id: str, start: datetime, end: datetime, *, reprocess: str = "failed", max_active_runs: int = 1
    ) -> int:
        """Start a backfill over the runs whose logical date lies from ``start`` to ``end`` (aware); return its id."""
        body = {**_backfill(dag_id, start, end, reprocess), "max_active_runs": max_active_runs}
        return int(self._call("POST", "/api/v2/backfills", json=body)["id"])

    def backfill_size(self, dag_id: str, start: datetime, end: datetime, *, reprocess: str = "failed") -> int:
        """Return how many runs such a backfill would make (168 for a week of an hourly DAG): show it first."""
        body = _backfill(dag_id, start, end, reprocess)
        return int(self._call("POST", "/api/v2/backfills/dry_run", json=body)["total_entries"])

    def wait_for_backfill(self, backfill_id: int, timeout_seconds: float = 300) -> None:
        """Wait until every run of a backfill has ended; raises ``RetryLater("run_not_ended")``."""
        end = time.monotonic() + timeout_seconds
        while self._call("GET", f"/api/v2/backfills/{backfill_id}")["completed_at"] is None:
            if time.monotonic() > end:
                raise RetryLater(f"backfill {backfill_id} is still running", code="run_not_ended")
            time.sleep(1)

    # ---------------------------------------------------------------------------------------------------- plumbing

    def _pages(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = self._call("GET", path, params={"limit": 100, "offset": len(found), **params})
            page = answer[key]
            found += page
            if not page or len(found) >= answer["total_entries"]:
                return found

    def _call(self, method: str, path: str, *, token: bool = True, **options: Any) -> dict[str, Any]:
        if token and "Authorization" not in self._session.headers:
            name, password = self._login
            body = self._send("POST", "/auth/token", json={"username": name, "password": password})
            self._session.headers["Authorization"] = f"Bearer {body['access_token']}"
        return self._send(method, path, **options)

    def _send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self._url + path, timeout=TIMEOUT_SECONDS, **options)
        except requests.RequestException as error:
            raise RetryLater(
                f"Airflow does not answer at {self._url} ({type(error).__name__}); does it run?", code="airflow_away"
            ) from None
        if answer.status_code == requests.codes.unauthorized:
            self._session.headers.pop("Authorization", None)
            raise Reconnect("Airflow refuses the login: name, password or token is wrong")
        if answer.status_code >= requests.codes.server_error:
            raise RetryLater(f"Airflow answered {answer.status_code} to {method} {path}", code="airflow_away")
        if not answer.ok:
            raise Defect(
                f"Airflow refused {method} {path}: {answer.status_code} {_detail(answer)}", code="airflow_refused"
            )
        body: dict[str, Any] = answer.json() if answer.content else {}
        return body


def _backfill(dag_id: str, start: datetime, end: datetime, reprocess: str) -> dict[str, Any]:
    return {
        "dag_id": dag_id,
        "from_date": start.isoformat(),
        "to_date": end.isoformat(),
        "reprocess_behavior": reprocess,
        "run_backwards": False,
        "dag_run_conf": {},
    }


def _detail(answer: requests.Response) -> str:
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        return ""
    return str(detail)[:500]


def _line(entry: Any) -> str:
    """Return one event of a structured log; an exception with its class and text behind it."""
    if not isinstance(entry, dict):
        return str(entry)
    errors = entry.get("error_detail") or []
    told = "".join(f" | {error.get('exc_type')}: {error.get('exc_value')}" for error in errors)
    return f"{entry.get('timestamp') or ''} {entry.get('level') or ''} {entry.get('event')}{told}".strip()
