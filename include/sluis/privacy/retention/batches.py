"""Rows and columns in batches: many short transactions, so that a sync beside them waits for none of them long.

The keys of what goes are read ahead; each batch asks the condition again, so a row that came to life in between (a
debtor who was booked on) stays. A batch tells in which parts it deleted: those are rewritten at the end of the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import sql

from sluis.privacy.register import Category
from sluis.privacy.retention.contract import Count
from sluis.privacy.retention.kit import Tools
from sluis.privacy.retention.schema import Table

#: Keys read ahead at once: a table of any size is deleted in bounded memory.
_AHEAD = 50_000


def tables(tools: Tools, category: Category) -> list[tuple[Table, tuple[str, ...]]]:
    """Return the tables of a category with its columns in each, those that refer to others of them first."""
    found = [(tools.schema.table(place.table), place.columns) for place in category.places if place.table is not None]
    return sorted(found, key=lambda pair: -depth(tools, pair[0]))


def depth(tools: Tools, table: Table) -> int:
    """Return how many tables stand above one by foreign keys: rows of deeper ones go first."""
    above = {reference.parent for reference in table.parents if reference.parent != table.name}
    return 1 + max(depth(tools, tools.schema.table(name)) for name in above) if above else 0


def counted(tools: Tools, table: Table, expired: sql.Composable, there: sql.Composable) -> tuple[int, int]:
    """Return how many rows have expired, and how many stand there."""
    query = sql.SQL(  # two counts and no filter: a condition of WHERE is joined, one of FILTER is asked row by row
        "select (select count(*) from sluis.{table} as t where {expired}),"
        " (select count(*) from sluis.{table} as t where {there})"
    )
    named = query.format(expired=expired, there=there, table=sql.Identifier(table.name))
    found = tools.conn.execute(named).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])


def total(counts: Mapping[str, tuple[int, int]]) -> Count:
    """Return what was counted per table as one ``Count``."""
    return Count(
        expired={name: expired for name, (expired, _) in counts.items()},
        standing=sum(there for _, there in counts.values()),
    )


class Went(NamedTuple):
    """What a batch deleted: rows per table, and the parts they stood in, which still hold their bytes."""

    rows: Mapping[str, int]
    parts: frozenset[str] = frozenset()


class Batches:
    """What a rule does to one table, batch by batch; ``done`` when it found nothing more."""

    def __init__(self, tools: Tools, table: Table, expired: sql.Composable, change: sql.Composable) -> None:
        """``change`` is the beginning of the statement: ``delete from ... using`` or ``update ... set ... from``."""
        self._tools = tools
        self._table = table
        self._expired = expired
        self._change = change
        self._keys: deque[tuple[Any, ...]] = deque()
        self.done = False

    def next(self) -> Went:
        """Do one batch (inside the caller's transaction)."""
        if not self._keys:
            self._read_ahead()
        batch = [self._keys.popleft() for _ in range(min(len(self._keys), self._tools.kit.batch))]
        if not batch:
            self.done = True
            return Went({})
        key = self._table.key
        keys = [sql.Identifier(column) for column in key]
        arrays = sql.SQL(", ").join(
            sql.SQL("%s::{}[]").format(sql.SQL(self._type(column))) for column in key
        )  # fmt: skip
        statement = sql.SQL("{change} unnest({arrays}) as k ({names}) where {same} and ({expired}) returning {part}")
        named = statement.format(
            change=self._change, arrays=arrays, names=sql.SQL(", ").join(keys), expired=self._expired,
            same=sql.SQL(" and ").join(sql.SQL("t.{0} = k.{0}").format(name) for name in keys),
            part=sql.SQL("t.tableoid::regclass::text" if self._table.split else "''"),
        )  # fmt: skip
        columns: Sequence[list[Any]] = [list(values) for values in zip(*batch, strict=True)]
        with self._tools.conn.cursor() as cursor:
            found = cursor.execute(named, columns).fetchall()
        names = (str(row[0]).rpartition(".")[2] or self._table.name for row in found)
        return Went({self._table.name: len(found)} if found else {}, frozenset(names))

    def _read_ahead(self) -> None:
        key = sql.SQL(", ").join(sql.Identifier("t", column) for column in self._table.key)
        query = sql.SQL("select {key} from sluis.{table} as t where {expired} limit {ahead}").format(
            key=key, table=sql.Identifier(self._table.name), expired=self._expired, ahead=sql.Literal(_AHEAD),
        )  # fmt: skip
        self._keys.extend(self._tools.conn.execute(query).fetchall())

    def _type(self, column: str) -> Any:
        """Return the type of a key's column, as the catalogue spells it."""
        return self._table.columns[column]
