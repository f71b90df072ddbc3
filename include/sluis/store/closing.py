"""Closing a database to everybody while it is put back, and opening it as the last act: a kill leaves it closed.

The setting stands in the database itself, for all roles; ``store.database.connect`` refuses what is closed, and a write
that passes it by fails in PostgreSQL. Whoever restores works with it by an option of his own connection.
"""

from __future__ import annotations

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from sluis.errors import Defect, NotConfigured
from sluis.store.database import Connection, connect


def as_restorer(dsn: str) -> str:
    """Return an address whose sessions may work with a database that is closed to others, and read one that is."""
    try:
        options = str(conninfo_to_dict(dsn).get("options") or "")
        return make_conninfo(dsn, options=f"{options} -c default_transaction_read_only=off".strip())
    except ProgrammingError:
        raise NotConfigured("the address of the database is not a PostgreSQL connection string") from None


def close_database(dsn: str, name: str) -> None:
    """Let nobody write to the database, whichever way this ends; raises ``NotConfigured("database_not_owned")``."""
    with connect(dsn) as conn:
        try:
            conn.execute(SQL("alter database {} set default_transaction_read_only = on").format(Identifier(name)))
        except Defect:
            raise NotConfigured(
                f"this role does not own the database {name}: make it with `createdb --owner`",
                code="database_not_owned",
            ) from None


def open_database(conn: Connection, name: str) -> None:
    """Let others work with the database again."""
    conn.execute(SQL("alter database {} reset default_transaction_read_only").format(Identifier(name)))
