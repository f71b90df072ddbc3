"""Deleter ``reduce_quarantine``: what waits for a person is never deleted silently.

An open item is warned about at 60 days: one notice per integration and run tells how many. At 90 it is reduced to its
key and reason code, with another notice, and counts as unbooked until a person closes it. A run that comes late does
both, in that order. What is closed, or of a merchant whose contract ended, is emptied without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from psycopg import sql

from sluis.privacy.periods import cutoff
from sluis.privacy.retention.batches import Batches, Went, counted, total
from sluis.privacy.retention.contract import Count, Rule
from sluis.privacy.retention.expiry import expired_columns, standing
from sluis.privacy.retention.kit import Tools
from sluis.privacy.retention.rows import Batched
from sluis.store.notices import QUARANTINE_REDUCED, QUARANTINE_WAITING

#: After how long an open item is warned about; a merchant's own period is warned about at two thirds of it.
WARNED_AFTER = "P60D"
TABLE = "quarantine"
COLUMNS = ("shop_order_id", "order_number", "field", "total_cents")
_OPEN = sql.SQL("t.closed_at is null")
_NOTICE = """insert into sluis.notice (merchant_code, integration_code, cause, documents, made_at)
    values (%s, %s, %s, %s, %s)"""


def deleters(tools: Tools) -> Iterable[ReduceQuarantine]:
    """Return what this module carries out."""
    return [ReduceQuarantine(tools)]


class ReduceQuarantine(Batched):
    """Warns about open items, and reduces what has waited for the whole period."""

    name = "reduce_quarantine"

    def count(self, rule: Rule) -> Count:
        """Count the items to reduce, and those with something left to empty. A warning deletes nothing."""
        table = self._tools.schema.table(TABLE)
        expired = expired_columns(self._tools, rule, table, COLUMNS)
        return total({TABLE: counted(self._tools, table, expired, standing(rule, table, COLUMNS))})

    def batches(self, rule: Rule) -> list[Batches]:
        """Return the two steps: the warnings first."""
        return [_Warn(self._tools, rule), _Reduce(self._tools, rule)]


class _Step(Batches):
    """One statement over all that is due, with its notices in the same transaction: quarantine is small."""

    cause: str

    def __init__(self, tools: Tools, rule: Rule) -> None:
        super().__init__(tools, tools.schema.table(TABLE), self.due(tools, rule), self.change(rule))
        self._rule = rule

    def due(self, tools: Tools, rule: Rule) -> sql.Composable:
        raise NotImplementedError

    def change(self, rule: Rule) -> sql.Composable:
        raise NotImplementedError

    def next(self) -> Went:
        """Change all of it and write what is to be told (inside the caller's transaction)."""
        self.done = True
        statement = sql.SQL(
            """update sluis.quarantine as t set {change} where {due}
            returning t.merchant_code, t.integration_code, t.closed_at is null, t.tableoid::regclass::text"""
        ).format(change=self._change, due=self._expired)
        with self._tools.conn.cursor() as cursor:
            found = cursor.execute(statement).fetchall()
            waiting = Counter((row[0], row[1]) for row in found if row[2] and row[0] not in self._rule.ended)
            for (merchant, integration), documents in sorted(waiting.items()):
                cursor.execute(_NOTICE, [merchant, integration, self.cause, documents, self._rule.clock])
        return self.went(found)

    def went(self, found: Sequence[tuple[object, ...]]) -> Went:
        """Return what this took off the disk: a warning nothing."""
        del found
        return Went({})


class _Warn(_Step):
    cause = QUARANTINE_WAITING

    def due(self, tools: Tools, rule: Rule) -> sql.Composable:
        whom = rule.model_copy(update={
            "cutoff": None if rule.cutoff is None else cutoff(WARNED_AFTER, rule.clock),
            "own_cutoffs": {code: _earlier(own, rule.clock) for code, own in rule.own_cutoffs.items()}, "ended": (),
        })  # fmt: skip
        waits = expired_columns(tools, whom, tools.schema.table(TABLE), COLUMNS)
        return sql.SQL("({}) and {} and t.warned_at is null").format(waits, _OPEN)

    def change(self, rule: Rule) -> sql.Composable:
        return sql.SQL("warned_at = {}").format(sql.Literal(rule.clock))


class _Reduce(_Step):
    cause = QUARANTINE_REDUCED

    def due(self, tools: Tools, rule: Rule) -> sql.Composable:
        return expired_columns(tools, rule, tools.schema.table(TABLE), COLUMNS)

    def change(self, rule: Rule) -> sql.Composable:
        emptied = [sql.SQL("{} = null").format(sql.Identifier(column)) for column in COLUMNS]
        return sql.SQL(", ").join([*emptied, sql.SQL("reduced_at = {}").format(sql.Literal(rule.clock))])

    def went(self, found: Sequence[tuple[object, ...]]) -> Went:
        """Return what was emptied, and the parts that still hold the bytes."""
        parts = frozenset(str(row[3]).rpartition(".")[2] for row in found)
        return Went({TABLE: len(found)} if found else {}, parts)


def _earlier(own: datetime, clock: datetime) -> datetime:
    """Return the moment before which an own period is warned about."""
    return max(clock - (clock - own) * 2 / 3, cutoff(WARNED_AFTER, clock))
