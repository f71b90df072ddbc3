"""Attacks during the search, made cheap: a table of base cells that fits all that is known is a witness.

Each linear programme that finds how far an attacker can be kept from a target also yields a possible truth. It is a
witness for every other target whose requirement it meets, and for insiders too, moved towards the real truth until it
leaves them their own figures (what is possible is convex). Only targets without a witness need a programme.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from decimal import Decimal

import numpy as np

from sluis.statistics.contract import Attacker, Cell
from sluis.statistics.programme import TOLERANCE, Points, Programme
from sluis.statistics.threats import Observed, Spy, Target, Threat

_OUTSIDER = Spy(Attacker.OUTSIDER)
#: So many of the latest witnesses are kept of each attacker; more cost time to look through than they save.
_KEPT = 150


class Witnesses:
    """Tries threats against what would be published, round after round."""

    def __init__(self, seen: Observed, rates: Sequence[Decimal], threats: Sequence[Threat]) -> None:
        """``rates``: the VAT percentage of every base cell."""
        self._seen, self._rates = seen, rates
        self._truth = np.array(seen.population.cents(), dtype=np.float64)
        self._by_spy: dict[Spy, list[Target]] = {_OUTSIDER: []}
        for spy, target in threats:
            self._by_spy.setdefault(spy, []).append(target)
        self._points: dict[Spy, deque[Points]] = {spy: deque(maxlen=_KEPT) for spy in self._by_spy}
        self.programmes = 0

    def breaches(self, shown: Collection[Cell], enough: int) -> set[frozenset[Cell]]:
        """Return, for attackers that win against ``shown``, the cells that bound them. Empty: nobody wins.

        All wins of the outsider, who is the cheapest to keep away; only when there are none, ``enough`` of the others'.
        """
        if not shown:
            return set()
        attack = Programme(self._seen, self._rates, shown)
        found: set[frozenset[Cell]] = set()
        outside = np.empty((0, len(self._truth)))
        for spy, targets in self._by_spy.items():
            points = self._possible(attack, spy, outside)
            found |= self._of_spy(attack, spy, targets, points)
            if found and (spy == _OUTSIDER or len(found) >= enough):
                break
            if spy == _OUTSIDER:
                outside = self._fitting(attack, spy)
        return found

    def _of_spy(self, attack: Programme, spy: Spy, targets: Sequence[Target], points: Points) -> set[frozenset[Cell]]:
        found = set()
        inside = np.zeros((len(targets), len(self._truth)))
        for row, target in enumerate(targets):
            inside[row, list(target.members)] = 1.0
        truth = inside @ self._truth
        values = np.vstack([points, self._truth]) @ inside.T
        highest, lowest = values.max(axis=0), values.min(axis=0)
        for row, target in enumerate(targets):
            for need, sign in ((target.above, 1), (target.below, -1)):
                reached = highest[row] - truth[row] if sign > 0 else truth[row] - lowest[row]
                if reached >= need - TOLERANCE:
                    continue
                bound = attack.bound(target.members, sign > 0, spy)
                self.programmes += 1
                if bound.point is not None:
                    self._points[spy].append(bound.point)
                    values = inside @ bound.point
                    highest, lowest = np.maximum(highest, values), np.minimum(lowest, values)
                if sign * (bound.cents - truth[row]) < need - TOLERANCE:
                    found.add(bound.binding)
        return found

    def _possible(self, attack: Programme, spy: Spy, outside: Points) -> Points:
        """Return the witnesses that fit what is published now and what ``spy`` knows."""
        own = self._fitting(attack, spy)
        if not spy.least:
            return own
        numbers = [number for number, _ in spy.least]
        least = np.array([cents for _, cents in spy.least], dtype=np.float64)
        room, step = self._truth[numbers] - least, self._truth[numbers] - outside[:, numbers]
        part = np.where(outside[:, numbers] < least, room / np.where(step > 0, step, 1), 1.0).min(axis=1, initial=1.0)
        return np.vstack([own, self._truth + part[:, None] * (outside - self._truth)])

    def _fitting(self, attack: Programme, spy: Spy) -> Points:
        if not self._points[spy]:
            return np.empty((0, len(self._truth)))
        return attack.fitting(np.array(self._points[spy]))
