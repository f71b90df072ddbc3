"""What the parts of retention agree on: a rule to carry out, and who can carry it out.

A *rule* is a category of the register at one moment: the cutoffs are fixed when the plan is made, so that what was
counted is what is deleted, however long a person thinks about it. A *deleter* counts, deletes and proves one rule; it
can be killed at any moment and called again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Protocol

from sluis.core.frozen import Frozen, Moment
from sluis.privacy.register import Category


class Hold(Frozen):
    """Something that must not be deleted for now. ``None`` means all."""

    id: int
    merchant: str | None
    category: str | None
    reason: str
    owner: str
    ends_on: date

    def covers(self, category: str, on: date) -> bool:
        """Whether it holds (something of) this category on a day."""
        return (self.category is None or self.category == category) and on <= self.ends_on


class Rule(Frozen):
    """A category with everything that decides what of it goes now. Moments in UTC; a value *before* a cutoff goes."""

    category: Category
    clock: Moment  #: the moment from which everything is counted back
    cutoff: Moment | None  #: ``None``: the category has no period of its own
    own_cutoffs: Mapping[str, Moment] = {}  #: of merchants who chose a shorter period
    ended: tuple[str, ...] = ()  #: merchants whose contract ended longer ago than ``contract_end``: everything goes
    held_merchants: frozenset[str] = frozenset()  #: nothing of theirs goes
    held: bool = False  #: nothing of the category goes
    merchant: str | None = None  #: only this one's, by hand


class Count(Frozen):
    """How much a rule is about: rows, files or batches, per table or place (never per merchant)."""

    expired: Mapping[str, int] = {}
    standing: int = 0  #: what is there in all, expired or not: tells a guard how large a share goes

    @property
    def total(self) -> int:
        """All that has expired."""
        return sum(self.expired.values())


class Deleter(Protocol):
    """Carries out rules of one method. Every call may be repeated after a kill."""

    #: What the register calls it (``Method`` or ``Category.deleter``).
    name: str

    def count(self, rule: Rule) -> Count:
        """Count what the rule is about now; changes nothing."""
        ...

    def delete(self, rule: Rule) -> Mapping[str, int]:
        """Delete it, physically; returns what went per table or place. Raises ``RetryLater`` where a lock is busy."""
        ...


def now_utc() -> datetime:
    """The clock, in one place."""
    return datetime.now(UTC)
