"""Rows of Airflow's own database as tests need them: only what matters is named, the rest is filled in by its type."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

_FILLING: dict[str, Any] = {
    "character varying": "x", "text": "x", "integer": 1, "boolean": False, "json": Jsonb({}), "jsonb": Jsonb({}),
    "timestamp with time zone": datetime(2020, 1, 1, tzinfo=UTC), "double precision": 0,
}  # fmt: skip


class Rows:
    """Adds rows; ``run`` adds a run with a task that ran and one that was skipped, and what hangs on them."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn

    def add(self, table: str, **values: Any) -> dict[str, Any]:
        """Add a row and return its key columns ``id`` where there is one."""
        columns = self._conn.execute(
            "select column_name, data_type, is_nullable = 'NO' and column_default is null and is_identity = 'NO'"
            " from information_schema.columns where table_name = %s and table_schema = 'public'",
            [table],
        ).fetchall()
        given = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in values.items()}
        for name, kind, needed in columns:
            if needed and name not in given:
                given[name] = uuid.uuid4() if kind == "uuid" else _FILLING[kind]
        statement = sql.SQL("insert into {} ({}) values ({}) returning to_jsonb({}.*)").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, given)),
            sql.SQL(", ").join([sql.Placeholder()] * len(given)), sql.Identifier(table),
        )  # fmt: skip
        found = self._conn.execute(statement, list(given.values())).fetchone()
        assert found is not None
        return dict(found[0])

    def dag(self, dag_id: str, parsed: datetime) -> str:
        """Add a DAG with a version and its serialised form; returns the version's id."""
        self._conn.execute("insert into dag_bundle (name) values ('x') on conflict do nothing")
        self.add("dag", dag_id=dag_id, last_parsed_time=parsed)
        return self.version(dag_id, parsed, 1)

    def version(self, dag_id: str, made: datetime, number: int) -> str:
        """Add a version of a DAG."""
        added = self.add("dag_version", dag_id=dag_id, version_number=number, created_at=made, last_updated=made)
        self.add("serialized_dag", dag_id=dag_id, dag_version_id=added["id"], created_at=made, data={})
        self.add("dag_code", dag_id=dag_id, dag_version_id=added["id"], source_code="x", fileloc="x")
        return str(added["id"])

    def run(
        self, dag_id: str, at: datetime, *, state: str = "success", kind: str = "scheduled", version: str | None
    ) -> str:
        """Add a run of a moment; returns its id."""
        run_id = f"{kind}__{at.isoformat()}"
        run = self.add(
            "dag_run", dag_id=dag_id, run_id=run_id, run_type=kind, state=state, start_date=at, run_after=at,
            end_date=at if state == "success" else None, created_dag_version_id=version, conf={},
        )  # fmt: skip
        task = {"dag_id": dag_id, "run_id": run_id, "map_index": -1}
        ran = self.add("task_instance", **task, task_id="extract", start_date=at, state=state, dag_version_id=version)
        self.add("task_instance", **task, task_id="reconcile", start_date=None, state="skipped", dag_version_id=version)
        self.add("xcom", **task, dag_run_id=run["id"], task_id="extract", key="summary", timestamp=at, value={})
        self.add("rendered_task_instance_fields", **task, task_id="extract")
        self.add("task_instance_history", **task, task_id="extract", try_number=1, start_date=at)
        self.add("task_reschedule", ti_id=ran["id"], start_date=at, end_date=at, reschedule_date=at, duration=0)
        return run_id

    def counts(self) -> dict[str, int]:
        """Return how many rows every table has that has any."""
        tables = self._conn.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        found = {name: self._conn.execute(f'select count(*) from "{name}"').fetchone() for (name,) in tables}
        return {name: count[0] for name, count in found.items() if count is not None and count[0]}


def dumped(conn: psycopg.Connection[Any]) -> str:
    """Return the whole database as one text, to search in it."""
    tables = conn.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    return json.dumps(
        [conn.execute(f"select coalesce(jsonb_agg(to_jsonb(t)), '[]') from \"{t}\" as t").fetchone() for (t,) in tables]
    )
