"""What a store must still know after a restore: rows of the few tables that say what was deleted, held and certified.

They are copied as JSON, from the living store or from the log of deletions, into a store that was put back from a
backup. None of them says anything of a customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from sluis.core.frozen import Frozen, Moment
from sluis.store.database import Connection, row, rows


class _Table(NamedTuple):
    """A table that is carried over: its key, and the moment of a row's last change."""

    key: tuple[str, ...]
    moment: str
    of_merchant: bool = False  #: its merchant must exist


TABLES: Mapping[str, _Table] = {
    "tombstone": _Table(("id",), "made_at"),
    "hold": _Table(("id",), "greatest(made_at, released_at)", of_merchant=True),
    "merchant_period": _Table(("merchant_code", "category"), "set_at", of_merchant=True),
    "retention_run": _Table(("id",), "ended_at"),  # once it is over
    "deletion_certificate": _Table(("sequence",), "made_at"),
    "certificate_checkpoint": _Table(("kind",), "made_at"),
    "register_event": _Table(("version",), "published_at"),
}


class Later(Frozen):
    """A row of one of these tables as it was at a moment."""

    at: Moment
    table: str
    row: Mapping[str, Any]

    @property
    def key(self) -> tuple[Any, ...]:
        """Which row it is."""
        return self.table, *(self.row.get(column) for column in TABLES[self.table].key)


def collect(conn: Connection, since: datetime) -> list[Later]:
    """Return the rows that changed at or after a moment, table by table, oldest first."""
    found: list[Later] = []
    for name, table in TABLES.items():
        query = f"""select to_jsonb(t) as row, {table.moment} as at from sluis.{name} as t
            where {table.moment} >= %s order by {table.moment}, {", ".join(table.key)}"""
        found += [Later(at=r["at"], table=name, row=r["row"]) for r in rows(conn, query, [since])]
    return found


def ended(conn: Connection) -> list[dict[str, Any]]:
    """Return every merchant and integration that has ended, whenever: also those whose tombstone has gone.

    In the form of a tombstone: ``kind``, ``merchant_code``, ``integration_code``, ``made_at`` (UTC).
    """
    return rows(
        conn,
        """select 'merchant' as kind, code as merchant_code, null as integration_code, ended_at as made_at
        from sluis.merchant where ended_at is not null
        union all
        select 'integration', merchant_code, code, updated_at from sluis.integration where state = 'ended'
        order by made_at""",
    )


def carry_over(conn: Connection, lines: Iterable[Later]) -> int:
    """Put rows into a store that was put back; a later line of the same row wins. Returns how many rows were put.

    Rows of a merchant whom the store does not know (he was added after the backup) are left out.
    """
    latest: dict[tuple[Any, ...], Later] = {}
    for line in lines:
        if line.key not in latest or latest[line.key].at <= line.at:
            latest[line.key] = line
    done = sum(_put(conn, line) for line in latest.values())
    for name in ("hold", "retention_run"):  # their numbers go on behind what was carried over
        conn.execute(
            f"""select setval(pg_get_serial_sequence('sluis.{name}', 'id'), max(id)) from sluis.{name}
            having max(id) is not null"""
        )
    return done


def _put(conn: Connection, line: Later) -> int:
    table = TABLES[line.table]
    merchant = line.row.get("merchant_code") if table.of_merchant else None
    if merchant is not None and row(conn, "select from sluis.merchant where code = %s", [merchant]) is None:
        return 0
    columns = [
        r["attname"]
        for r in rows(
            conn,
            """select attname from pg_attribute where attrelid = format('sluis.%%I', %s::text)::regclass
            and attnum > 0 and not attisdropped order by attnum""",
            [line.table],
        )
    ]
    named, changes = ", ".join(columns), ", ".join(f"{c} = excluded.{c}" for c in columns if c not in table.key)
    return conn.execute(
        f"""insert into sluis.{line.table} ({named}) overriding system value
        select {named} from jsonb_populate_record(null::sluis.{line.table}, %s)
        on conflict ({", ".join(table.key)}) do update set {changes}""",
        [Jsonb(dict(line.row))],
    ).rowcount
