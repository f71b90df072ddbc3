"""The guard: a plan that deletes far more than retention ever did waits for a person, who cites its hash.

A slip of the pen in the register, a clock that ran away or a contract ended by mistake looks like any other plan but
for its size. What counts as large:

* more than ``FLOOR`` rows and more than three times what any certified run deleted in that category; or
* more than ``FEW`` rows and ``SHARE`` or more of what stands there, while that category never before gave up such a
  share. Not for what lives shorter than a month: that empties itself as a matter of course (a quiet day leaves nothing
  but expired VAT number checks).

And a clock is strange when it is a day or more away from the database's, or behind that of the last certified run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from sluis.privacy.periods import not_longer
from sluis.privacy.register import Register
from sluis.privacy.retention.runs import CategoryPlan, Plan, RetentionRun

FLOOR = 1000
TIMES = 3
FEW = 50
SHARE = 0.9
_SHORT = "P29D"
_CLOCKS_APART = timedelta(days=1)


class Alarm(NamedTuple):
    """Why a plan waits: about which category (``clock``: about the whole plan), and what a person should know."""

    about: str
    what: str


def alarms(run: RetentionRun, certified: list[RetentionRun], register: Register) -> list[Alarm]:
    """Return everything about a plan that a person should look at first."""
    found = _clock(run, certified)
    short = {c.id for c in register.categories if c.period is not None and not_longer(c.period, _SHORT)}
    for name, planned in run.plan.categories.items():
        found += _size(name, planned, certified, shares=name not in short)
    return found


def larger_than(plan: Plan, now: Mapping[str, int]) -> list[str]:
    """Return the categories of which more has expired than the plan said."""
    return [name for name, planned in plan.categories.items() if now.get(name, 0) > planned.total]


def _clock(run: RetentionRun, certified: list[RetentionRun]) -> list[Alarm]:
    found = []
    if abs(run.started_at - run.clock) >= _CLOCKS_APART:
        found.append(
            Alarm("clock", f"it says {run.clock:%Y-%m-%d %H:%M}, the database {run.started_at:%Y-%m-%d %H:%M}")
        )
    latest = max((earlier.clock for earlier in certified), default=None)
    if latest is not None and run.clock < latest:
        found.append(
            Alarm("clock", f"it says {run.clock:%Y-%m-%d %H:%M}, a run was certified for {latest:%Y-%m-%d %H:%M}")
        )
    return found


def _size(name: str, planned: CategoryPlan, certified: list[RetentionRun], *, shares: bool) -> list[Alarm]:
    total = planned.total
    largest = max((sum(run.done.deleted.get(name, {}).values()) for run in certified), default=0)
    if total > max(FLOOR, TIMES * largest):
        return [Alarm(name, f"{total} go, and never more than {largest} went at once")]
    share = _share(total, planned.standing)
    if shares and total > FEW and share >= SHARE and not any(_gave_up(run, name) for run in certified):
        return [Alarm(name, f"{total} of {planned.standing} go: nearly all that stands there")]
    return []


def _gave_up(run: RetentionRun, name: str) -> bool:
    """Whether a certified run deleted so large a share of the category."""
    before = run.plan.categories.get(name)
    went = sum(run.done.deleted.get(name, {}).values())
    return before is not None and went > FEW and _share(went, before.standing) >= SHARE


def _share(total: int, standing: int) -> float:
    return total / standing if standing else 0.0
