"""The gate in front of Airflow's API: what starts a run passes, words about a person do not, other DAGs are free."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from sluis.airflow_support.gate import RunGate

PERSON = "Jan de Vries, jan@example.com"
DAG = "/api/v2/dags/sync__m1__a"
TRIGGER, BACKFILL = f"{DAG}/dagRuns", "/api/v2/backfills"
OTHER = "/api/v2/dags/housekeeping/dagRuns"
RUN = "scheduled__2026-11-23T02:41:00+00:00"
MANUAL = {"logical_date": None, "conf": {"order_ids": ["1001"]}}
PERIOD = {"dag_id": "sync__m1__a", "from_date": "2026-11-01", "to_date": "2026-11-02T10:00:00Z"}


class Airflow:
    """What stands behind the gate: keeps the body it got."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", scope["type"] == "http"
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def call(path: str, body: Any, method: str = "POST", query: str = "", pieces: int = 1) -> tuple[int, str, bytes | None]:
    """Send a request through the gate; returns the status, the answer, and what reached Airflow."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    size = max(1, -(-len(raw) // pieces))
    chunks = [raw[i : i + size] for i in range(0, len(raw), size)] or [b""]
    messages = [
        {"type": "http.request", "body": c, "more_body": n < len(chunks)} for n, c in enumerate(chunks, start=1)
    ]
    sent: list[Any] = []
    airflow = Airflow()

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
    asyncio.run(RunGate(airflow)(scope, receive, send))
    answer = b"".join(message.get("body", b"") for message in sent).decode()
    return sent[0]["status"], answer, airflow.bodies[0] if airflow.bodies else None


RETENTION = "/api/v2/dags/retention/dagRuns"


@pytest.mark.parametrize(
    ("conf", "status"),
    [
        ({}, 200), ({"merchant": "m7f3k", "dry_run": True}, 200), ({"confirm": "0" * 64}, 200),
        ({"category": "booking_key", "merchant": ""}, 200), ({"category": "jansen"}, 422),
        ({"merchant": PERSON}, 422), ({"order_ids": ["1001"]}, 422), ({"confirm": PERSON}, 422), ({"note": ""}, 422),
    ],
    ids=str,
)  # fmt: skip
def test_each_dag_has_its_own_fields(conf: Any, status: int) -> None:
    for path, body in (
        (RETENTION, {"logical_date": None, "conf": conf}),
        (BACKFILL, {**PERIOD, "dag_id": "retention", "dag_run_conf": conf}),
    ):
        found, told, passed = call(path, body)
        assert (found, passed is not None) == (status, status == 200)
        assert PERSON not in told
    assert call(TRIGGER, {"logical_date": None, "conf": {"merchant": "m7f3k"}})[0] == 422


def test_a_note_on_a_run_of_retention_is_refused() -> None:
    assert call(f"{RETENTION}/scheduled__2026-11-23T02:41:00+00:00", {"note": PERSON}, "PATCH")[0] == 422


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TRIGGER, MANUAL),
        (f"/airflow{TRIGGER}/", {**MANUAL, "conf": None, "note": "", "dag_run_id": "", "partition_key": None}),
        (TRIGGER, {**MANUAL, "dag_run_id": "manual__2026-11-23T10:00:00+00:00",
                   "logical_date": "2026-11-23T10:00:00.5Z", "data_interval_start": "2026-11-23T09:00:00+01:00"}),
        (BACKFILL, PERIOD),
        (f"{BACKFILL}/dry_run", {**PERIOD, "max_active_runs": 1, "reprocess_behavior": "failed", "dag_run_conf": {},
                                 "run_backwards": False, "run_on_latest_version": None}),
    ],
)  # fmt: skip
def test_what_starts_a_run_passes_byte_for_byte(path: str, body: Any, pieces: int) -> None:
    assert call(path, body, pieces=pieces) == (200, "", json.dumps(body).encode())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TRIGGER, {**MANUAL, "conf": {"order_ids": ["1001"], "note": PERSON}}),
        (TRIGGER, {**MANUAL, "conf": {PERSON: 1}}),
        (TRIGGER, {**MANUAL, "conf": {"order_ids": ["JanJansen"]}}),
        (TRIGGER, {**MANUAL, "conf": {"order_ids": ["1001\n"]}}),
        (TRIGGER, {**MANUAL, "conf": PERSON}),
        (TRIGGER, {**MANUAL, "note": PERSON}),
        (TRIGGER, {**MANUAL, "note": [PERSON]}),
        (TRIGGER, {**MANUAL, "comment": PERSON}),
        (TRIGGER, {**MANUAL, PERSON: 1}),
        (TRIGGER, {**MANUAL, "dag_run_id": PERSON}),
        (TRIGGER, {**MANUAL, "partition_key": PERSON}),
        (TRIGGER, {**MANUAL, "logical_date": PERSON}),
        (TRIGGER, {**MANUAL, "run_after": 612345678}),
        (TRIGGER, [PERSON]),
        (TRIGGER, PERSON.encode()),
        (TRIGGER, json.dumps({**MANUAL, "note": PERSON}).encode("utf-16")),
        (TRIGGER, b"[" * 100_000),
        (TRIGGER, {**MANUAL, "conf": {"order_ids": ["1" * 19] * 100_000}}),
        (BACKFILL, {**PERIOD, "dag_run_conf": {"note": PERSON}}),
        (BACKFILL, {**PERIOD, "comment": PERSON}),
        (BACKFILL, {**PERIOD, "from_date": PERSON}),
        (BACKFILL, {**PERIOD, "max_active_runs": 612345678}),
        (BACKFILL, {**PERIOD, "reprocess_behavior": PERSON}),
        (BACKFILL, {"dag_run_conf": {"note": PERSON}}),
        (f"{DAG}/dagRuns/r/taskInstances/load/xcomEntries", {"key": "summary", "value": PERSON}),
        (f"{DAG}/clearTaskInstances", {"dry_run": False, "note": PERSON}),
        (f"{DAG}/clearTaskInstances", {"dry_run": False, "comment": 1}),
        (f"{DAG}/clearTaskInstances", {"task_ids": [["load", PERSON]]}),
        (f"{DAG}/clearTaskInstances", {"dag_run_id": PERSON}),
        (f"{DAG}/dagRuns/{RUN}/clear", {"dry_run": False, PERSON: True}),
        (f"{DAG}/dagRuns/{PERSON}/clear", {"dry_run": False}),
        (f"{DAG}/dagRuns/0612345678/clear", {"dry_run": False}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_anything_that_could_name_a_person_is_refused_and_not_repeated(path: str, body: Any) -> None:
    status, answer, reached = call(path, body)
    assert (status, reached) == (422, None)
    assert json.loads(answer)["detail"]
    for piece in ("Jan", "example", "comment", "612345678"):
        assert piece not in answer


def test_a_query_is_kept_by_airflow_as_well() -> None:
    assert call(TRIGGER, MANUAL, query="note=Jan")[0] == 422
    assert call(BACKFILL, PERIOD, query="Jan")[0] == 422
    clear = f"{DAG}/clearTaskInstances"
    assert call(clear, {"dry_run": False}, query="note=Jan")[0] == 422
    assert call(clear, {"dry_run": False}, query="update_mask=jan%40example.com")[0] == 422


@pytest.mark.parametrize(
    ("method", "path", "body", "query"),
    [
        ("POST", f"{DAG}/clearTaskInstances",
         {"dry_run": False, "dag_run_id": RUN, "task_ids": ["load", ["verdict", -1]], "only_failed": True,
          "start_date": "2026-11-23T02:41:00Z", "run_on_latest_version": None, "note": None}, ""),
        ("POST", f"{DAG}/dagRuns/{RUN}/clear", {"dry_run": True, "only_failed": False}, ""),
        ("PATCH", f"{DAG}/dagRuns/{RUN}/taskInstances/load/-1", {"new_state": "failed"}, "update_mask=new_state"),
        ("PATCH", "/api/v2/dags/sync__m1__a", {"is_paused": True}, "update_mask=is_paused"),
        ("POST", "/api/v2/dags/~/dagRuns/~/taskInstances/list",
         {"dag_ids": ["sync__m1__a"], "page_limit": 50, "order_by": "task_id"}, ""),
    ],
)  # fmt: skip
def test_what_airflows_pages_send_passes(method: str, path: str, body: Any, query: str) -> None:
    assert call(path, body, method, query) == (200, "", json.dumps(body).encode())


def test_pausing_a_dag_takes_no_words() -> None:
    assert call("/api/v2/dags/sync__m1__a", {"is_paused": True, "comment": PERSON}, "PATCH")[0] == 422
    assert call("/api/v2/dags/housekeeping", {"is_paused": True, "comment": PERSON}, "PATCH")[0] == 200


@pytest.mark.parametrize("path", [f"{DAG}/dagRuns/r1", f"{DAG}/dagRuns/r1/taskInstances/load"])
def test_a_run_is_marked_by_hand_without_a_note(path: str) -> None:
    assert call(path, {"state": "success"}, method="PATCH")[0] == 200
    assert call(path, {"state": "success", "note": None}, method="PATCH")[0] == 200
    assert call(path, {"state": "success", "note": PERSON}, method="PATCH")[0] == 422


def test_many_runs_are_marked_at_once_without_a_note() -> None:
    def bulk(dag_id: str, **more: Any) -> Any:
        entity = {"dag_run_id": "r", "dag_id": dag_id, "state": "success", **more}
        return {"actions": [{"action": "update", "entities": [entity]}]}

    for path in (TRIGGER, "/api/v2/dags/~/dagRuns"):
        assert call(path, bulk("sync__m1__a"), method="PATCH")[0] == 200
        assert call(path, bulk("sync__m1__a", note=PERSON), method="PATCH")[0] == 422
    assert call("/api/v2/dags/~/dagRuns", bulk("housekeeping", note="done"), method="PATCH")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", OTHER, {"conf": {"anything": "goes"}, "note": "a note"}),
        ("POST", BACKFILL, {"dag_id": "housekeeping", "dag_run_conf": {"anything": "goes"}}),
        ("POST", "/api/v2/variables", {"key": "a", "value": "b", "note": "c"}),
        ("GET", TRIGGER, b""),
        ("POST", "/execution/task-instances", {"note": "x"}),
        ("PUT", "/api/v2/backfills/1/cancel", b""),
    ],
)  # fmt: skip
def test_everything_else_is_none_of_its_business(method: str, path: str, body: Any) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert call(path, body, method=method) == (200, "", raw)


def test_what_is_no_request_passes() -> None:
    airflow = Airflow()

    async def send(message: Any) -> None:
        return

    asyncio.run(RunGate(airflow)({"type": "lifespan"}, None, send))  # type: ignore[arg-type]
    assert airflow.bodies == [b""]
