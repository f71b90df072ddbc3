"""The guard: a plan that deletes far more than retention ever did waits for a person, who cites its hash.

A slip of the pen in the register, a clock that ran away or a contract ended by mistake looks like any other plan but
for its size. What counts as large:

* more than ``FLOOR`` rows and more than three times what any certified run deleted in that category; or
* more than ``FEW`` rows and ``SHARE`` or more of what stands there, while that category never before gave up such a
  share. Not for what lives shorter than a month: that empties itself as a matter of course (a quiet day leaves nothing
  but expired VAT number checks).

What runs of the last day deleted counts with the plan, so that it cannot pass in pieces (merchant by merchant); it is
no measure yet. What a person confirmed is a measure at once, and does not count with the plan. What a restore deleted
is never a measure: it catches up in one go with what many days deleted, and answers the guard itself.

And a clock is strange when it is a day or more away from the database's, or behind that of the last certified run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from sluis.privacy.periods import not_longer
from sluis.privacy.register import Register
from sluis.privacy.retention.runs import OF_RESTORE, CategoryPlan, Plan, RetentionRun

FLOOR = 1000
TIMES = 3
FEW = 50
SHARE = 0.9
_SHORT = "P29D"
_CLOCKS_APART = timedelta(days=1)
#: Shorter than the day between two nights, of which each has its own measure.
_PIECES = timedelta(hours=20)


class Alarm(NamedTuple):
    """Why a plan waits: about which category (``clock``: about the whole plan), and what a person should know."""

    about: str
    what: str


def alarms(run: RetentionRun, certified: list[RetentionRun], register: Register) -> list[Alarm]:
    """Return everything about a plan that a person should look at first."""
    found = _clock(run, certified)
    own = [earlier for earlier in certified if earlier.dag_run_id != OF_RESTORE]
    pieces = [earlier for earlier in own if _is_piece(earlier, run)]
    measure = [earlier for earlier in own if not _is_piece(earlier, run)]
    short = {c.id for c in register.categories if c.period is not None and not_longer(c.period, _SHORT)}
    for name, planned in run.plan.categories.items():
        if planned.total:
            before = sum(_went(piece, name) for piece in pieces)
            found += _size(name, planned, measure, before, shares=name not in short)
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


def _is_piece(earlier: RetentionRun, run: RetentionRun) -> bool:
    """Whether a certified run counts with a plan: it ended shortly before, and no person looked at it."""
    ended = earlier.ended_at or earlier.started_at
    return earlier.confirmed_at is None and ended > run.started_at - _PIECES


def _size(
    name: str, planned: CategoryPlan, measure: list[RetentionRun], before: int, *, shares: bool
) -> list[Alarm]:  # fmt: skip
    """Compare what goes, and what went ``before`` on the same day, with what the runs of ``measure`` deleted."""
    total, standing = planned.total + before, planned.standing + before
    pieces = f", after {before} within a day" if before else ""
    largest = max((_went(run, name) for run in measure), default=0)
    if total > max(FLOOR, TIMES * largest):
        return [Alarm(name, f"{planned.total} go{pieces}, and never more than {largest} went at once")]
    if shares and total > FEW and _share(total, standing) >= SHARE and not any(_gave_up(run, name) for run in measure):
        return [Alarm(name, f"{planned.total} of {planned.standing} go{pieces}: nearly all that stands there")]
    return []


def _went(run: RetentionRun, name: str) -> int:
    """Return how much a run deleted of a category."""
    return sum(run.done.deleted.get(name, {}).values())


def _gave_up(run: RetentionRun, name: str) -> bool:
    """Whether a certified run deleted so large a share of the category."""
    before = run.plan.categories.get(name)
    went = _went(run, name)
    return before is not None and went > FEW and _share(went, before.standing) >= SHARE


def _share(total: int, standing: int) -> float:
    return total / standing if standing else 0.0
