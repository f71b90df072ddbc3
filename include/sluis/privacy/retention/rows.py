"""Deleter ``delete_rows`` (and ``at_once``: what its own command missed): whole rows, whoever refers to them first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import LiteralString

from psycopg import sql

from sluis.privacy.register import Method
from sluis.privacy.retention.batches import Batches, Went, counted, tables, total
from sluis.privacy.retention.contract import Count, Rule
from sluis.privacy.retention.expiry import expired_columns, expired_rows, standing
from sluis.privacy.retention.kit import Tools


class Batched:
    """A deleter that works batch by batch: the engine puts each in a transaction with the record of it."""

    name: str

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._work: dict[str, list[Batches]] = {}

    def batches(self, rule: Rule) -> list[Batches]:
        """Return the work of a rule, per table."""
        raise NotImplementedError

    def batch(self, rule: Rule) -> Went | None:
        """Do one batch inside the caller's transaction; ``None`` when nothing is left."""
        work = self._work.setdefault(rule.category.id, self.batches(rule))
        for batches in work:
            if not batches.done:
                return batches.next()
        del self._work[rule.category.id]
        return None

    def delete(self, rule: Rule) -> Mapping[str, int]:
        """Do all batches, each in its own transaction."""
        went: Counter[str] = Counter()
        while True:
            with self._tools.conn.transaction():
                done = self.batch(rule)
            if done is None:
                return dict(went)
            went.update(done.rows)


class DeleteRows(Batched):
    """Whole rows of the tables of a category."""

    def __init__(self, tools: Tools, name: str = Method.DELETE_ROWS.value) -> None:
        super().__init__(tools)
        self.name = name

    def count(self, rule: Rule) -> Count:
        """Count the rows that have expired and those that stand, per table."""
        return total({
            table.name: counted(self._tools, table, expired_rows(self._tools, rule, table), standing(rule, table))
            for table, _ in tables(self._tools, rule.category)
        })  # fmt: skip

    def batches(self, rule: Rule) -> list[Batches]:
        """Return the deletions, per table."""
        return [
            Batches(
                self._tools, table, expired_rows(self._tools, rule, table),
                sql.SQL("delete from sluis.{} as t using").format(sql.Identifier(table.name)),
            )
            for table, _ in tables(self._tools, rule.category)
        ]  # fmt: skip


class EmptyColumns(Batched):
    """Columns of living rows."""

    name = Method.EMPTY_COLUMNS.value

    def count(self, rule: Rule) -> Count:
        """Count the rows in which something is to be emptied, and those in which anything stands."""
        return total({
            table.name: counted(
                self._tools, table, expired_columns(self._tools, rule, table, columns), standing(rule, table, columns)
            )
            for table, columns in tables(self._tools, rule.category)
        })  # fmt: skip

    def batches(self, rule: Rule) -> list[Batches]:
        """Return the changes, per table; whoever finds its trigger in another table is emptied before that one."""
        empty: LiteralString = "{} = null"
        return [
            Batches(
                self._tools, table, expired_columns(self._tools, rule, table, columns),
                sql.SQL("update sluis.{} as t set {} from").format(
                    sql.Identifier(table.name),
                    sql.SQL(", ").join(sql.SQL(empty).format(sql.Identifier(column)) for column in columns),
                ),
            )
            for table, columns in tables(self._tools, rule.category)
        ]  # fmt: skip


class Nothing:
    """Methods ``by_others`` and ``never``: there is nothing for us to do; ``how`` in the register says who does it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def count(self, rule: Rule) -> Count:
        """Count nothing."""
        del rule
        return Count()

    def delete(self, rule: Rule) -> Mapping[str, int]:
        """Delete nothing."""
        del rule
        return {}
