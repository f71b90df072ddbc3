"""A gate in front of Airflow's API: words about a person never reach its database.

Airflow writes the body and the query of a request into its audit log before it checks them, and keeps conf, note and
id of a run for as long as the run. So what a person may send about our DAGs is checked before Airflow sees it; the
answer is 422 and shows nothing of what was refused. Other DAGs are let through untouched. Where Airflow names a task, a
state or a run, any single word in lower case passes: what is no such name Airflow refuses, but its log has the word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from sluis.airflow_support.conf import SYNC, Schema, own_run_id, refused_conf, schema_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_WRITES = {"POST", "PATCH", "PUT"}
_TRIGGER = re.compile(r".*/api/v2/dags/([^/]+)/dagRuns/?", re.DOTALL)
_BACKFILL = re.compile(r".*/api/v2/backfills(/dry_run)?/?", re.DOTALL)
_DAG = re.compile(r".*/api/v2/dags/([^/]+)(?:/(.*))?", re.DOTALL)
_BY_TASKS_ONLY = ("/xcomEntries", "/state-store")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
#: A thousand order ids are 40 kB.
_LARGEST_BODY = 1 << 20
_NOTE = "Airflow keeps notes for ever: write them where your own records are"


def _is_moment(value: Any) -> bool:
    return value is None or (isinstance(value, str) and _MOMENT.fullmatch(value) is not None)


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) <= 10_000)


def _is_empty(value: Any) -> bool:
    return value is None or value == ""


def _is_run_id(value: Any) -> bool:
    return _is_empty(value) or (isinstance(value, str) and own_run_id(value))


#: How Airflow and we call a task, a state, a DAG, a part of a path.
_WORD = re.compile(r"-?[a-z][A-Za-z0-9_]{0,99}|~|-?[0-9]{1,4}", re.ASCII)
#: Every field of Airflow's other requests about a DAG: clear, mark, pause, look up many (Airflow 3.3's datamodels).
_FIELDS = frozenset({
    "dry_run", "start_date", "end_date", "only_failed", "only_new", "only_running", "reset_dag_runs", "task_ids",
    "task_id", "dag_id", "dag_ids", "dag_run_id", "dag_run_ids", "dag_runs", "run_on_latest_version",
    "include_upstream", "include_downstream", "include_future", "include_past", "prevent_running_task", "note", "state",
    "states", "new_state", "is_paused", "map_index", "map_indexes", "actions", "action", "entities",
    "action_on_existence", "action_on_non_existence", "action_on_not_existence", "update_mask", "partition_key",
    "page_offset", "page_limit", "order_by", "pool", "queue", "executor",
    *(f"{name}_{bound}" for name in ("run_after", "logical_date", "start_date", "end_date", "duration")
      for bound in ("gte", "gt", "lte", "lt")),
})  # fmt: skip
#: What the two requests that start runs may hold beside the conf, and what each field must be.
_TRIGGER_FIELDS: dict[str, Callable[[Any], bool]] = {
    "dag_run_id": _is_run_id, "data_interval_start": _is_moment, "data_interval_end": _is_moment,
    "logical_date": _is_moment, "run_after": _is_moment, "note": _is_empty,
    "partition_key": _is_empty,
}  # fmt: skip
_BACKFILL_FIELDS: dict[str, Callable[[Any], bool]] = {
    "dag_id": lambda value: isinstance(value, str), "from_date": _is_moment, "to_date": _is_moment,
    "run_backwards": _is_number, "max_active_runs": _is_number,
    "run_on_latest_version": _is_number,
    "reprocess_behavior": lambda value: value in (None, "none", "failed", "completed"),
}  # fmt: skip


class RunGate:
    """ASGI middleware, one of the API server's root middlewares (``plugins/sluis_plugin.py``)."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 422."""
        if scope["type"] != "http" or scope["method"] not in _WRITES or not _guarded(scope["path"]):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        told = refusal(scope["method"], scope["path"], scope.get("query_string", b""), body)
        if told is None:
            await self._app(scope, _again(body or b"", receive), send)
            return
        answer = json.dumps({"detail": told}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 422, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def refusal(method: str, path: str, query: bytes, body: bytes | None) -> str | None:
    """Return why Airflow must not see a write about a DAG, ``None`` when it may; ``body`` is ``None`` when too long."""
    if body is None:
        return f"a request of more than {_LARGEST_BODY} bytes is not taken"
    content = _parsed(body)
    if method == "POST" and (found := _TRIGGER.fullmatch(path)):
        schema = schema_of(found[1])
        return None if schema is None else _wrong(content, _TRIGGER_FIELDS, "conf", schema, query)
    if _BACKFILL.fullmatch(path):
        named = content.get("dag_id") if isinstance(content, dict) else None
        schema = SYNC if named is None else schema_of(str(named))
        return None if schema is None else _wrong(content, _BACKFILL_FIELDS, "dag_run_conf", schema, query)
    if (found := _DAG.fullmatch(path)) and _is_ours(found[1], content):
        if any(part in f"/{found[2]}" for part in _BY_TASKS_ONLY):
            return "only tasks write XComs"
        return _loose(found[2] or "", query, content)
    return None


def _loose(rest: str, query: bytes, content: Any) -> str | None:
    """Return what is wrong with a request that starts no run: marks, clears, pauses, lists."""
    pairs = list(_pairs(content))
    if any(key == "note" and not _is_empty(value) for key, value in pairs):
        return _NOTE
    asked = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    if not {*(key for key, _ in pairs), *(key for key, _ in asked)} <= _FIELDS:
        return "a field that Airflow does not know here"
    texts = [*_texts(content), *(value for _, value in asked), *filter(None, rest.split("/"))]
    if not all(_is_empty(text) or _is_moment(text) or _is_run_id(text) or _WORD.fullmatch(text) for text in texts):
        return "a text that is no name of a task, a state, a run or a DAG, and no moment"
    return None


def _guarded(path: str) -> bool:
    return _DAG.fullmatch(path) is not None or _BACKFILL.fullmatch(path) is not None


def _wrong(
    content: Any, fields: dict[str, Callable[[Any], bool]], conf: str, schema: Schema, query: bytes
) -> str | None:
    if not isinstance(content, dict):
        return "the body is a JSON object"
    if query or not set(content) <= {*fields, conf}:
        return f"a run is started with these fields and no others: {', '.join([*fields, conf])}"
    if told := refused_conf(content.get(conf), schema):
        return f"{conf}: {told}"
    for name, passes in fields.items():
        if name in content and not passes(content[name]):
            return _about(name)
    return None


def _about(name: str) -> str:
    if name == "note":
        return _NOTE
    return f"{name} is not in its form" + (" (leave it out: Airflow makes one)" if name == "dag_run_id" else "")


def _is_ours(dag_id: str, content: Any) -> bool:
    """Whether a request is about one of our DAGs; ``~`` stands for those that the body names."""
    if dag_id != "~":
        return schema_of(dag_id) is not None
    return any(key == "dag_id" and schema_of(str(value)) is not None for key, value in _pairs(content))


def _pairs(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield every name with its value, at any depth."""
    left = [content]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield from value.items()
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def _texts(content: Any) -> Iterator[str]:
    """Yield every text that is no name of a field, at any depth."""
    left = [content]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            left.extend(value.values() if isinstance(value, dict) else value)


def _parsed(body: bytes) -> Any:
    """Return the body as Airflow will read it; ``None`` for what it will not read."""
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        return None


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body, ``None`` when it is too long; one that breaks off is as long as it came."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > _LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body that was read already, and then what comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
