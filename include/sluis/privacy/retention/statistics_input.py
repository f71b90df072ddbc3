"""Deleter ``statistics_input``: contributions go 45 days after the release of their quarter, if that is sooner.

Else they go when their period ends, published or not, as ``drop_partition`` has it. Quarters are released in order, so
with a released quarter all before it go too: none of them can be released any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time

from sluis.privacy.periods import cutoff
from sluis.privacy.retention.batches import Went
from sluis.privacy.retention.contract import Count, Rule
from sluis.privacy.retention.kit import Tools
from sluis.privacy.retention.months import DropPartition

#: How long after its release the input of a quarter is kept: to look into a release that is questioned.
AFTER_RELEASE = "P45D"
_RELEASED = "select max(quarter) from sluis.statistics_release where released_at < %s"


def deleters(tools: Tools) -> Iterable[StatisticsInput]:
    """Return what this module carries out."""
    return [StatisticsInput(tools)]


class StatisticsInput(DropPartition):
    """Quarters of contributions."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.name = "statistics_input"

    def count(self, rule: Rule) -> Count:
        """Count what has expired by either period."""
        return super().count(self._sooner(rule))

    def batch(self, rule: Rule) -> Went | None:
        """Drop and delete what has expired by either period."""
        return super().batch(self._sooner(rule))

    def delete(self, rule: Rule) -> Mapping[str, int]:
        """Drop and delete all of it."""
        return super().delete(self._sooner(rule))

    def _sooner(self, rule: Rule) -> Rule:
        """Return the rule with the cutoff that a release moved forward."""
        found = self._tools.conn.execute(_RELEASED, [cutoff(AFTER_RELEASE, rule.clock)]).fetchone()
        if found is None or found[0] is None:
            return rule
        released = datetime.combine(_following(found[0]), time(), UTC)
        return rule if rule.cutoff is not None and rule.cutoff >= released else rule.model_copy(
            update={"cutoff": released}
        )  # fmt: skip


def _following(quarter: date) -> date:
    """Return the first day of the next quarter."""
    return date(quarter.year + quarter.month // 10, (quarter.month + 2) % 12 + 1, 1)
