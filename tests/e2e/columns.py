"""Every column of a database as text, so that a marker is found with the name of its column."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg import sql

_TABLES = """
select n.nspname, c.relname, array_agg(a.attname order by a.attnum)
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace join pg_attribute as a on a.attrelid = c.oid
where c.relkind in ('r', 'p', 'm') and not c.relispartition and a.attnum > 0 and not a.attisdropped
    and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%'
group by 1, 2 order by 1, 2
"""


def columns(dsn: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield (table, column, all its values as text); ``bytea`` shows as hex. Partitions are read with their table."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        for schema, table, names in conn.execute(_TABLES).fetchall():
            found = conn.execute(_all_of(schema, table, names)).fetchone()
            yield from ((table, name, (text or "").encode()) for name, text in zip(names, found or (), strict=True))


def _all_of(schema: str, table: str, names: list[str]) -> sql.Composed:
    column = sql.SQL("string_agg({}::text, E'\\n')")
    chosen = sql.SQL(", ").join(column.format(sql.Identifier(name)) for name in names)
    return sql.SQL("select {} from {}").format(chosen, sql.Identifier(schema, table))
