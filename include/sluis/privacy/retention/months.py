"""Deleter ``drop_partition``: months that have passed are dropped; what must go inside a month goes row by row.

Inside a month go: the days before the cutoff of the month the cutoff falls in (no day stands longer than its period),
rows of merchants whose contract ended or whose period is shorter, and all but the held rows of a month that a hold
keeps from being dropped.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from psycopg import sql

from sluis.errors import NotConfigured
from sluis.privacy.register import Method
from sluis.privacy.retention.batches import Went, tables
from sluis.privacy.retention.contract import Count, Rule
from sluis.privacy.retention.expiry import expired_rows
from sluis.privacy.retention.kit import Tools
from sluis.privacy.retention.rows import DeleteRows
from sluis.privacy.retention.schema import Table
from sluis.store.database import rows

_DROP = "select name from sluis.drop_months(%s, %s) as name"


class DropPartition(DeleteRows):
    """Months of tables that only grow."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools, Method.DROP_PARTITION.value)
        self._dropped: set[str] = set()

    def count(self, rule: Rule) -> Count:
        """Count rows as ``delete_rows`` does; a table split by another column is told of before any deletion."""
        for table, _ in tables(self._tools, rule.category):
            self._column(rule, table)
        return super().count(rule)

    def batch(self, rule: Rule) -> Went | None:
        """First drop what is past as a whole, then delete rows, then drop the months that are empty by now."""
        if rule.category.id not in self._dropped:
            self._dropped.add(rule.category.id)
            return self._drop(rule)
        done = super().batch(rule)
        if done is None:
            self._dropped.discard(rule.category.id)
            self._drop(rule)  # what is empty now: the rows in it were counted as they went
        return done

    def _drop(self, rule: Rule) -> Went:
        """Drop the months of which nothing is to stay; returns the rows that went with each table's."""
        if rule.cutoff is None or rule.held or rule.merchant is not None:
            return Went({})
        went = {}
        for table, _ in tables(self._tools, rule.category):
            column = self._column(rule, table)
            kept = self._first_kept(rule, table, column)
            before = rule.cutoff.date() if kept is None else min(rule.cutoff.date(), kept)
            there = self._rows_by_month(table, column, before)
            names = [found["name"] for found in rows(self._tools.conn, _DROP, [table.name, before])]
            if gone := sum(there.get(name, 0) for name in names):
                went[table.name] = gone
        return Went(went)

    def _first_kept(self, rule: Rule, table: Table, column: str) -> date | None:
        """Return the day of the first row that stays: no month from there on is dropped."""
        query = sql.SQL("select min(t.{column}) as first from sluis.{table} as t where ({expired}) is not true").format(
            column=sql.Identifier(column), table=sql.Identifier(table.name),
            expired=expired_rows(self._tools, rule, table),
        )  # fmt: skip
        found = self._tools.conn.execute(query).fetchone()
        first: date | datetime | None = found[0] if found else None
        return first.astimezone(UTC).date() if isinstance(first, datetime) else first

    def _rows_by_month(self, table: Table, column: str, before: date) -> dict[str, int]:
        """Count the rows before a day per month: what is dropped with it."""
        is_date = table.columns[column] == "date"
        end = before if is_date else datetime.combine(before, time(0), UTC)
        query = sql.SQL(
            "select tableoid::regclass::text as name, count(*) as there from sluis.{} where {} < {} group by 1"
        ).format(sql.Identifier(table.name), sql.Identifier(column), sql.Literal(end))
        return {str(name).rpartition(".")[2]: there for name, there in self._tools.conn.execute(query).fetchall()}

    def _column(self, rule: Rule, table: Table) -> str:
        """Return the trigger's column, which must be the one the table is split by."""
        column = rule.category.trigger.column if rule.category.trigger else None
        found = self._tools.conn.execute("select pg_get_partkeydef(%s::regclass)", [f"sluis.{table.name}"]).fetchone()
        if column is None or found is None or found[0] != f"RANGE ({column})":
            raise NotConfigured(
                f"category {rule.category.id}: drop_partition needs a trigger by whose column {table.name} is split",
                code="register_trigger",
            )
        return column
