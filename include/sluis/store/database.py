"""How the store is reached: two roles, a merchant that is fixed when the connection is opened, errors without values.

Tasks connect as a role that owns nothing; row-level security shows it the rows of ``sluis.merchant`` alone, which is
an option of the connection (a ``RESET`` goes back to it). PostgreSQL puts the offending values into its error
messages, so every psycopg error is replaced where it leaves the connection: by its SQLSTATE and the names of table
and constraint.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow, dict_row

from sluis.errors import Defect, NotConfigured, RetryLater, SluisError

OWNER_URL = "SLUIS_DATABASE_URL"
TASK_URL = "SLUIS_TASK_DATABASE_URL"
RETENTION_URL = "SLUIS_RETENTION_DATABASE_URL"
STATISTICS_URL = "SLUIS_STATISTICS_DATABASE_URL"
#: A row where a restore closed the database and did not open it again; ``privacy.restore`` sets it for all roles.
UNFINISHED = """
select from pg_db_role_setting where setrole = 0 and 'default_transaction_read_only=on' = any (setconfig)
    and setdatabase = (select oid from pg_database where datname = current_database())
"""
_MERCHANT = re.compile(r"[a-z0-9]{2,32}")

RV = TypeVar("RV")
Connection = psycopg.Connection[TupleRow]


class StoreConnection(psycopg.Connection[TupleRow]):
    """A connection whose errors are ours: ``RetryLater("database_away")`` or ``Defect``, never a value in them."""

    def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        """Run a step on the connection (psycopg does everything through here) and translate what it raises."""
        try:
            return super().wait(gen, *args, **kwargs)
        except psycopg.Error as error:
            raise translated(error) from None


def translated(error: psycopg.Error) -> SluisError:
    """Return our error for one of psycopg's. Only names and codes of the schema go in, no value."""
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return RetryLater("the store's lock was not free in time", code="lock_busy")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
        return RetryLater(f"the database of the store does not answer{state}; is it running?", code="database_away")
    diag = error.diag
    names = (("table", diag.table_name), ("column", diag.column_name), ("constraint", diag.constraint_name))
    told = "".join(f", {what} {name}" for what, name in names if name)
    what = f"SQLSTATE {error.sqlstate}{told}" if error.sqlstate else type(error).__name__
    return Defect(f"the store refused a statement ({what})", code="store_refused")


def connect(dsn: str, *, merchant: str | None = None, timeout_seconds: int = 10) -> Connection:
    """Open a connection in autocommit; changes of several statements stand in ``with conn.transaction()``.

    Raises ``RetryLater("database_away")`` when nobody answers and ``NotConfigured`` for an unreadable DSN or a
    database that a restore left half done (``restore_unfinished``).
    """
    try:
        options = conninfo_to_dict(dsn).get("options") or ""
        if merchant is not None:
            options = f"{options} -c sluis.merchant={merchant}".strip()
        extra: dict[str, Any] = {"options": options} if options else {}
        conninfo = make_conninfo(dsn, connect_timeout=timeout_seconds, application_name="sluis", **extra)
    except psycopg.ProgrammingError:
        raise NotConfigured("the address of the store is not a PostgreSQL connection string") from None
    try:
        conn = StoreConnection.connect(conninfo, autocommit=True)
    except psycopg.Error as error:
        raise translated(error) from None
    if conn.info.parameter_status("default_transaction_read_only") == "on":
        _not_half_restored(conn)
    return conn


def _not_half_restored(conn: Connection) -> None:
    """Raise ``NotConfigured("restore_unfinished")`` for a database that a restore closed and did not open again."""
    if row(conn, UNFINISHED) is None:
        return  # read-only for another reason, of this role or by the administrator
    name = conn.info.dbname
    conn.close()
    raise NotConfigured(
        f"the restore into the database {name} was not finished, so that nothing may work with it: drop it, make a new "
        "one and restore again (docs/runbooks/restore.md)",
        code="restore_unfinished",
    )


def task_connection(merchant: str) -> Connection:
    """Open a connection as the task role, for one merchant's rows (``SLUIS_TASK_DATABASE_URL``)."""
    if not _MERCHANT.fullmatch(merchant):
        raise Defect("a merchant's code is letters and digits", code="merchant_code")
    return connect(_url(TASK_URL), merchant=merchant)


def owner_connection() -> Connection:
    """Open a connection as the owner of the schema (``SLUIS_DATABASE_URL``): migrations and the command line."""
    return connect(_url(OWNER_URL))


def owner_url() -> str:
    """Return the address of the store as its owner, for the programs of PostgreSQL that connect by themselves."""
    return _url(OWNER_URL)


def retention_connection() -> Connection:
    """Open a connection as the role that deletes what has expired (``SLUIS_RETENTION_DATABASE_URL``), of all merchants.

    It owns nothing: it reads dates, keys and states, empties columns, deletes rows and drops months.
    """
    return connect(_url(RETENTION_URL))


def statistics_connection() -> Connection:
    """Open a connection as the role that makes the anonymous statistics (``SLUIS_STATISTICS_DATABASE_URL``).

    It owns nothing: it reads contributions of all merchants, no booking and no name, and adds freezes and releases.
    """
    return connect(_url(STATISTICS_URL))


def registry_connection(timeout_seconds: int = 3) -> Connection:
    """Open a connection as the task role with no merchant: it sees no rows, only ``sluis.active_integrations()``."""
    return connect(_url(TASK_URL), timeout_seconds=timeout_seconds)


def rows(conn: Connection, query: str, params: Mapping[str, Any] | Sequence[Any] | None = None) -> list[dict[str, Any]]:
    """Run one statement and return its rows by column name."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, params).fetchall()


def row(conn: Connection, query: str, params: Mapping[str, Any] | Sequence[Any] | None = None) -> dict[str, Any] | None:
    """Run one statement and return its first row by column name, ``None`` when it has none."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, params).fetchone()


def _url(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise NotConfigured(f"{name} is not set: the PostgreSQL connection string of the store belongs there")
    return value
