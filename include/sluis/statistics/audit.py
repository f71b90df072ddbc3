"""The audit of a pattern: every attacker tried in full, from the pattern and the population alone.

It is a second look: it takes nothing over from the search that made the pattern, judges every published cell anew, and
lets every attacker of ``threats`` try all his targets. Its report holds counts and shares, no figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from sluis.statistics.contract import (
    Attacker,
    AttackerReport,
    Cell,
    FamilyAudit,
    Fate,
    Pattern,
    Population,
    Rules,
    Table,
)
from sluis.statistics.lines import CHILDREN
from sluis.statistics.primary import FARTHEST, protection
from sluis.statistics.programme import TOLERANCE, Programme
from sluis.statistics.threats import Observed, Spy, Target, threats


class _Score:
    """What one kind of attacker reached."""

    def __init__(self) -> None:
        self.targets, self.breached, self.smallest = 0, 0, FARTHEST

    def note(self, percent: int) -> None:
        """Note a try that came to ``percent`` of the protection interval."""
        self.targets += 1
        self.breached += percent < 100
        self.smallest = min(self.smallest, percent)


def audit(population: Population, rates: Sequence[Decimal], rules: Rules, pattern: Pattern) -> FamilyAudit:
    """Attack what ``pattern`` publishes of ``population``. ``rates``: the VAT percentage of every base cell."""
    seen = Observed.of(population, rules)
    told = [cell for cell, fate in pattern.fates.items() if fate is Fate.PUBLISHED]
    shown = [cell for cell in told if cell in seen.tops]
    scores = {attacker: _Score() for attacker in Attacker}
    for _ in range(len(told) - len(shown)):
        scores[Attacker.OUTSIDER].note(0)  # nobody stands in it
    _subtract(seen, shown, scores)
    programmes = _compute(seen, rates, shown, scores) if shown else 0
    cells = seen.cube.cells(pattern.step.tables)
    suppressed = Counter(fate for fate in pattern.fates.values() if fate is not Fate.PUBLISHED)
    suppressed[Fate.EMPTY] = sum(seen.cube.empty(table) for table in pattern.step.tables)
    return FamilyAudit(
        family=pattern.family,
        step=pattern.step,
        published=len(told),
        suppressed={fate: suppressed[fate] for fate in Fate if fate is not Fate.PUBLISHED},
        attackers=tuple(_report(attacker, score) for attacker, score in scores.items()),
        cells_share_percent=100 * len(told) // len(cells) if cells else 0,
        revenue_share_percent=_revenue_share(seen, pattern.step.tables, shown),
        rounds=0,
        linear_programmes=programmes,
    )


def _report(attacker: Attacker, score: _Score) -> AttackerReport:
    smallest = score.smallest if score.targets else None
    return AttackerReport(attacker=attacker, targets=score.targets, breached=score.breached, smallest_percent=smallest)


def _subtract(seen: Observed, shown: Sequence[Cell], scores: Mapping[Attacker, _Score]) -> None:
    """Judge what is plain to see: published cells, what subtraction leaves of them, and both less a vendor's own."""
    for cell in shown:
        scores[Attacker.OUTSIDER].note(protection(seen.tops[cell], seen.rules))
    for _, percent in seen.vendors_view(shown):
        scores[Attacker.VENDOR].note(percent)
    for attacker, _, percent in seen.subtracted(seen.cube.remainders(shown)):
        scores[attacker].note(percent)


def _compute(seen: Observed, rates: Sequence[Decimal], shown: Sequence[Cell], scores: Mapping[Attacker, _Score]) -> int:
    """Solve how close each attacker comes to each of his targets; return how many programmes that took."""
    attack = Programme(seen, rates, shown)
    programmes = 0
    by_spy: dict[Spy, list[Target]] = {}
    for spy, target in threats(seen):
        by_spy.setdefault(spy, []).append(target)
    for spy, targets in by_spy.items():
        programmes += _attack(attack, spy, targets, seen.population.cents(), scores[spy.attacker])
    return programmes


def _attack(attack: Programme, spy: Spy, targets: Sequence[Target], truth: Sequence[int], score: _Score) -> int:
    """Let one attacker try his targets; return how many programmes that took.

    A table that fits all he knows and lies far enough from a target is proof too: targets that an earlier answer to the
    same attacker already keeps at the distance asked for are noted at that distance, which is the least it can be.
    """
    inside = np.zeros((len(targets), len(truth)))
    for row, target in enumerate(targets):
        inside[row, list(target.members)] = 1.0
    real = inside @ np.array(truth, dtype=np.float64)
    reached = {1: np.zeros(len(targets)), -1: np.zeros(len(targets))}
    programmes = 0
    for row, target in enumerate(targets):
        for need, sign in ((target.above, 1), (target.below, -1)):
            distance = reached[sign][row]
            if need and distance < need:
                bound = attack.bound(target.members, sign > 0, spy)
                programmes += 1
                distance = sign * (bound.cents - real[row])
                if bound.point is not None:
                    away = inside @ bound.point - real
                    reached = {side: np.maximum(reached[side], side * away) for side in (1, -1)}
            if need:
                score.note(_percent(distance, need))
    return programmes


def _percent(distance: float, need: int) -> int:
    """Return how much of the interval ``need`` (cents) an attacker is kept away; the programme's own error is his."""
    return int(min(100 * max(distance + TOLERANCE, 0) / need, FARTHEST))


def _revenue_share(seen: Observed, tables: Sequence[Table], shown: Sequence[Cell]) -> int:
    """Return the percentage of the amount that the published cells of the finest tables of the step show."""
    finest = [table for table in tables if not set(CHILDREN.get(table, ())) & set(tables)]
    whole = sum(seen.population.cents()) * len(finest)
    published = sum(seen.tops[cell].cents for cell in shown if cell.table in finest)
    return 100 * published // whole if whole else 0
