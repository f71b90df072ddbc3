"""Cleans Airflow's own database: runs, tasks, XComs, audit log, sessions. The deleter ``clean_airflow``.

Airflow's cleaner does what it knows (``airflow db clean --skip-archive``, in a process of its own: a task may not touch
Airflow's models), and what it leaves is deleted after it. Nothing of a run that is still running goes, nor the last run
of a DAG, from which Airflow reckons the next one. The copies that the cleaner makes of what it deletes are dropped,
also those a killed one left.

It is nobody's alone, so a run for one merchant does nothing here.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sluis.errors import Defect, NotConfigured, RetryLater
from sluis.privacy.retention.airflow_tables import CLEANED, COPIES, EXPIRED, GONE_RUNS, LIVING
from sluis.privacy.retention.contract import Count, Deleter, Rule
from sluis.privacy.retention.kit import Tools
from sluis.store.database import Connection, connect, rows

AIRFLOW_URL = "SLUIS_AIRFLOW_DATABASE_URL"
COMMAND = (sys.executable, "-m", "airflow")
#: A month of a thousand DAGs is a few million rows; the cleaner itself takes ten seconds to start.
_CLEANER_SECONDS = 3600
_LOCK = "set lock_timeout = '10s'"
#: Rewriting stops whoever writes to the table: not for longer than a few seconds.
_LARGEST_REWRITE = 256 * 1024 * 1024
_REWRITE_LOCK = "set lock_timeout = '2s'"
_PREFIX = "airflow."
_COPIES = f"{_PREFIX}copies"
_log = logging.getLogger("sluis.retention")


def deleters(tools: Tools) -> Iterable[Deleter]:
    """Return the deleter of this module, with the command that the kit names."""
    return (CleanAirflow(os.environ.get(AIRFLOW_URL, ""), tools.kit.airflow),)


class CleanAirflow:
    """The deleter. ``dsn`` is Airflow's database as its owner, ``command`` starts Airflow's own command line.

    A category's tables are those its places name; of them go the rows that ``airflow_tables`` says have expired.
    """

    name = "clean_airflow"

    def __init__(self, dsn: str, command: Sequence[str] = COMMAND) -> None:
        self._dsn = dsn.strip().replace("postgresql+psycopg://", "postgresql://", 1)
        self._command = tuple(command)

    def count(self, rule: Rule) -> Count:
        """Count the expired rows per table (``airflow.<table>``), and the tables of copies. Changes nothing.

        Raises ``NotConfigured`` where the address is missing or another database's, and
        ``RetryLater("airflow_database_away")``.
        """
        if _not_about(rule):
            return Count()
        with self._connected() as conn:
            tables = _tables(conn, rule)
            standing = sum(_number(conn, f"select count(*) from {_quoted(table)}") for table in tables)  # noqa: S608
            return Count(expired=_expired(conn, tables, _values(rule)), standing=standing)

    def delete(self, rule: Rule) -> Mapping[str, int]:
        """Delete them; returns how many rows went per table.

        Raises what ``count`` raises, ``RetryLater("lock_busy")`` and ``Defect("airflow_not_cleaned")``.
        """
        if _not_about(rule):
            return {}
        values = _values(rule)
        with self._connected() as conn:
            tables = _tables(conn, rule)
            before = _expired(conn, tables, values)
            if not before:
                return {}
            if set(before) != {_COPIES}:
                self._sweep(conn, tables, values)
            after = _expired(conn, tables, values)
            if _COPIES in after:
                _drop_copies(conn)
            _rewrite(conn, [table for table in tables if f"{_PREFIX}{table}" in before])
        went = {place: count - (after.get(place, 0) if place != _COPIES else 0) for place, count in before.items()}
        return {place: count for place, count in went.items() if count > 0}

    def _sweep(self, conn: Connection, tables: Sequence[str], values: Mapping[str, Any]) -> None:
        """Delete first what Airflow's cleaner would stumble over, then by it, then what it leaves.

        A DAG that is gone takes its runs with it, whichever of the two is asked for.
        """
        if "dag_run" in tables or "dag" in tables:
            _delete(conn, "dag_run", GONE_RUNS, values)
        if cleaned := [table for table in CLEANED if table in tables]:
            living = [str(found["dag_id"]) for found in rows(conn, LIVING, values)]
            self._clean(values["before"], cleaned, living)
        for table in tables:
            _delete(conn, table, EXPIRED[table], values)

    def _clean(self, before: datetime, tables: Sequence[str], living: Sequence[str]) -> None:
        """Have Airflow delete by its own rules, without asking and without keeping copies."""
        command = [
            *self._command, "db", "clean", "--clean-before-timestamp", before.isoformat(), "--tables", ",".join(tables),
            "--skip-archive", "--yes",
            # Not --error-on-cleanup-failure: with DAGs excluded its own statement on ``deadline`` fails (3.3.2). What
            # it leaves anywhere is deleted after it, and counted.
            *(["--exclude-dag-ids", ",".join(living)] if living else []),
        ]  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="sluis-clean-") as home:
            try:
                done = subprocess.run(  # noqa: S603 - Airflow's own command, no shell
                    command, env=_environment(self._dsn, home), stdin=subprocess.DEVNULL, capture_output=True,
                    text=True, errors="replace", timeout=_CLEANER_SECONDS, check=False,
                )  # fmt: skip
            except (OSError, subprocess.TimeoutExpired) as error:
                raise Defect(
                    f"`airflow db clean` could not run ({type(error).__name__})", code="airflow_not_cleaned"
                ) from None
        if done.returncode:
            # Not its last words: they may quote rows.
            seen = [line.rsplit(" ", 1)[-1] for line in done.stdout.splitlines() if line.startswith("Checking table ")]
            at = f" at table {seen[-1]}" if seen and seen[-1] in EXPIRED else ""
            raise Defect(
                f"`airflow db clean` ended with {done.returncode}{at}: run it by hand with --dry-run to see why",
                code="airflow_not_cleaned",
            )

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if not self._dsn:
            raise NotConfigured(f"{AIRFLOW_URL} is not set: the address of Airflow's own database belongs there")
        try:
            conn = connect(self._dsn)
        except RetryLater:
            raise RetryLater("Airflow's database does not answer", code="airflow_database_away") from None
        with conn:
            conn.execute(_LOCK)
            yield conn


def _not_about(rule: Rule) -> bool:
    return rule.merchant is not None or rule.held or rule.cutoff is None


def _values(rule: Rule) -> dict[str, Any]:
    """Return what the conditions are read with; a merchant on hold keeps what is about his DAGs."""
    assert rule.cutoff is not None
    held = [f"sync\\_\\_{merchant}\\_\\_%" for merchant in sorted(rule.held_merchants)]
    return {"before": rule.cutoff.astimezone(UTC), "now": rule.clock.astimezone(UTC), "held": held}


def _tables(conn: Connection, rule: Rule) -> list[str]:
    """Return the category's tables that this Airflow has (FAB's and Celery's are there where they are used)."""
    found = rows(conn, "select tablename from pg_tables where schemaname = 'public'")
    there = {str(entry["tablename"]) for entry in found}
    if "dag_run" not in there:
        raise NotConfigured(f"{AIRFLOW_URL} is not the address of Airflow's database: it has no runs")
    named = {table for place in rule.category.places for table in place.tables}
    return [table for table in EXPIRED if table in there & named]


def _expired(conn: Connection, tables: Sequence[str], values: Mapping[str, Any]) -> dict[str, int]:
    """Count per table what goes; copies of what was deleted count with the runs."""
    counts = {f"{_PREFIX}{table}": _number(conn, _counting(table), values) for table in tables}
    if "dag_run" in tables:
        counts[_COPIES] = len(rows(conn, COPIES, {}))
    return {place: count for place, count in counts.items() if count}


def _counting(table: str) -> str:
    return f"select count(*) from {_quoted(table)} as t where {EXPIRED[table]}"  # noqa: S608 - constants of ours


def _number(conn: Connection, query: str, values: Mapping[str, Any] | None = None) -> int:
    found = conn.execute(query.encode(), values).fetchone()
    assert found is not None
    return int(found[0])


def _delete(conn: Connection, table: str, condition: str, values: Mapping[str, Any]) -> None:
    conn.execute(f"delete from {_quoted(table)} as t where {condition}".encode(), values)  # noqa: S608


def _drop_copies(conn: Connection) -> None:
    for found in rows(conn, COPIES, {}):
        conn.execute(f"drop table if exists {_quoted(str(found['relname']))}".encode())


def _rewrite(conn: Connection, tables: Sequence[str]) -> None:
    """Take the deleted rows out of the files; where somebody is at a table, free their space until a later run does."""
    for table in tables:
        size = _number(conn, "select pg_total_relation_size(%(table)s::regclass)", {"table": _quoted(table)})
        try:
            if size > _LARGEST_REWRITE:
                raise RetryLater("too large to rewrite beside a running Airflow", code="lock_busy")
            conn.execute(_REWRITE_LOCK)
            conn.execute(f"vacuum (full) {_quoted(table)}".encode())
        except RetryLater as error:
            if error.code != "lock_busy":
                raise
            conn.execute(_LOCK)
            conn.execute(f"vacuum {_quoted(table)}".encode())
            _log.info("airflow_database: %s is rewritten by a later run", table)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _environment(dsn: str, home: str) -> dict[str, str]:
    """Return what Airflow's command sees: its settings with its database, which a task's are without; none of ours."""
    address = dsn.replace("postgresql://", "postgresql+psycopg://", 1)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLUIS_", "_AIRFLOW"))}
    kept.pop("AIRFLOW__CORE__SQL_ALCHEMY_CONN", None)
    kept.setdefault("AIRFLOW_HOME", home)
    return kept | {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": address,
    }
