"""Which cells must stay hidden beside the unsafe ones, and how far the plan shrinks when that cannot be done.

The search is a hitting set, solved anew each round (Fischetti and Salazar's cutting planes for cell suppression,
Management Science 47, 2001): whenever an attacker wins against what would be published, the cells whose rows bound him
(non-zero duals) or that he subtracted are a cut - one of them must go, whatever else does. The cheapest set of cells
that meets all cuts is tried next. When no attacker wins, no cheaper set exists. A search that takes too many rounds
only adds from then on, and republishes at the end what turns out not to be needed. Nothing here decides that a pattern
is safe: ``audit.audit`` does, from the pattern alone, and ``decide`` publishes nothing that it refuses.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from sluis.statistics.audit import audit
from sluis.statistics.contract import Cell, Family, FamilyAudit, Fate, Pattern, Population, Rules, Step
from sluis.statistics.primary import judge
from sluis.statistics.threats import Observed, threats
from sluis.statistics.witnesses import Witnesses

#: So many rounds the cheapest set is sought; after that cells are only added, so that it ends.
PATIENCE = 30
#: Rounds after which the step is given up.
ROUNDS = 200
#: So many new cuts of the costlier attackers are enough to look for a cheapest set again.
_BATCH = 24


class Search:
    """Looks for the cheapest cells to hide at one step of the plan; ``rounds`` counts how often more had to go."""

    def __init__(self, seen: Observed, rates: Sequence[Decimal], step: Step, deadline: float) -> None:
        """``deadline`` is of ``time.monotonic``: when it passes, the search gives up and returns nothing."""
        self._seen, self._deadline = seen, deadline
        safe = [cell for cell in seen.cube.cells(step.tables) if judge(seen.tops[cell], seen.rules) is Fate.PUBLISHED]
        exposed = {cell for cell, percent in seen.vendors_view(safe) if percent < 100}
        self.free = tuple(cell for cell in safe if cell not in exposed)
        self._costs = costs(seen, step)
        self._witnesses = Witnesses(seen, rates, threats(seen))
        self._cuts: set[frozenset[Cell]] = set()
        self.rounds = 0
        self.floor = 0.0  #: what no safe pattern can cost less than

    def price(self, shown: Collection[Cell]) -> float:
        """Return what hiding the other free cells costs (``costs``); equal to ``floor``: it is the optimum."""
        return sum(self._costs[cell] for cell in self.free if cell not in shown)

    @property
    def programmes(self) -> int:
        """How many linear programmes were solved."""
        return self._witnesses.programmes

    def run(self) -> frozenset[Cell] | None:
        """Return what can be published, or ``None`` when the step cannot be made safe in its time and rounds."""
        hidden: frozenset[Cell] = frozenset()
        while self.rounds < ROUNDS and time.monotonic() < self._deadline:
            cuts = self._lost(frozenset(self.free) - hidden, _BATCH)
            if not cuts:
                shown = frozenset(self.free) - hidden
                return shown if self.rounds <= PATIENCE else self._republish(shown)
            self.rounds += 1
            self._cuts |= cuts
            kept = hidden if self.rounds > PATIENCE else frozenset()
            cheapest = cover(self._cuts, self._costs, kept)
            if cheapest is None:
                return None
            hidden = cheapest
            if not kept:
                self.floor = self.price(frozenset(self.free) - hidden)
        return None

    def _lost(self, shown: frozenset[Cell], enough: int) -> set[frozenset[Cell]]:
        """Return cuts that ``shown`` misses: the cheap look at remainders first, then the linear programmes."""
        subtracted = self._seen.subtracted(self._seen.cube.remainders(shown))
        cuts = {frozenset((found.parent, *found.subtracted)) for _, found, percent in subtracted if percent < 100}
        return cuts or self._witnesses.breaches(shown, enough)

    def _republish(self, shown: frozenset[Cell]) -> frozenset[Cell]:
        """Publish again, the dearest first, what need not be hidden, while there is time."""
        for cell in sorted(set(self.free) - shown, key=lambda cell: (-self._costs[cell], cell)):
            if time.monotonic() < self._deadline and not self._lost(shown | {cell}, 1):
                shown |= {cell}
        return shown


def protect(
    population: Population, rates: Sequence[Decimal], rules: Rules, step: Step, *, family: Family, seconds: float = 120
) -> Pattern | None:
    """Return a pattern that the search holds for safe at ``step``, or ``None``; only ``decide`` has it audited."""
    seen = Observed.of(population, rules)
    shown = Search(seen, rates, step, time.monotonic() + seconds).run()
    return None if shown is None else pattern(seen, family, step, shown)


def decide(
    population: Population, rates: Sequence[Decimal], rules: Rules, *, family: Family, seconds: float = 120
) -> tuple[Pattern, FamilyAudit]:
    """Return the largest step of the plan that the audit finds safe, with its audit; nothing when none is.

    ``rates``: the VAT percentage of every base cell. ``seconds``: the time for the search of one step; when it passes,
    the plan shrinks. Tables of which no cell could be shown are not called published: the step is the smallest that
    holds what is shown. Never returns a pattern the audit refused.
    """
    seen = Observed.of(population, rules)
    for step in (Step.ALL, Step.ONE_WAY, Step.TOTAL):
        search = Search(seen, rates, step, time.monotonic() + seconds)
        shown = search.run()
        if not shown:
            continue
        tried = pattern(seen, family, smallest(shown), shown)
        verdict = audit(population, rates, rules, tried)
        if verdict.safe:
            programmes = verdict.linear_programmes + search.programmes
            return tried, verdict.model_copy(update={"rounds": search.rounds, "linear_programmes": programmes})
    nothing = Pattern(family=family, step=Step.NOTHING, fates={})
    return nothing, audit(population, rates, rules, nothing)


def smallest(shown: Collection[Cell]) -> Step:
    """Return the smallest step of the plan that has the tables of all cells ``shown``."""
    return next(step for step in reversed(Step) if all(cell.table in step.tables for cell in shown))


def costs(seen: Observed, step: Step) -> dict[Cell, float]:
    """Return what hiding each cell loses: its share of the cells and of the amount; coarser tables count for more.

    A reader looks at the total first, then at the one-way tables: a cell of those counts ten and two times.
    """
    cells = seen.cube.cells(step.tables)
    whole = sum(seen.population.cents()) or 1
    weights = (10.0, 2.0, 1.0)
    return {
        cell: weights[len(cell.key)] * (1 / len(cells) + seen.tops[cell].cents / whole / len(step.tables))
        for cell in cells
    }


def cover(
    cuts: Collection[frozenset[Cell]], prices: Mapping[Cell, float], kept: Collection[Cell]
) -> frozenset[Cell] | None:
    """Return the cheapest cells of which every cut has one, ``kept`` among them; ``None``: a cut is empty."""
    if frozenset() in cuts:
        return None
    cells = sorted({cell for cut in cuts for cell in cut} | set(kept))
    place = {cell: number for number, cell in enumerate(cells)}
    least = sorted(sorted(place[cell] for cell in cut) for cut in cuts if not any(other < cut for other in cuts))
    rows = [(number, column) for number, cut in enumerate(least) for column in cut]
    pairs = np.array(rows, dtype=np.int64)
    matrix = csr_array((np.ones(len(rows)), (pairs[:, 0], pairs[:, 1])), shape=(len(least), len(cells)))
    lower = np.array([1.0 if cell in kept else 0.0 for cell in cells])
    solved = milp(
        np.array([prices[cell] for cell in cells]),
        constraints=LinearConstraint(matrix, lb=1),
        bounds=Bounds(lower, 1),
        integrality=np.ones(len(cells), dtype=np.int64),
    )
    if solved.x is None:
        return None
    return frozenset(cell for cell in cells if solved.x[place[cell]] > 0.5)


def pattern(seen: Observed, family: Family, step: Step, shown: Collection[Cell]) -> Pattern:
    """Return the fate of every occupied cell of the step when ``shown`` is published."""
    fates = {}
    for cell in seen.cube.cells(step.tables):
        fate = judge(seen.tops[cell], seen.rules)
        fates[cell] = Fate.SECONDARY if fate is Fate.PUBLISHED and cell not in shown else fate
    return Pattern(family=family, step=step, fates=fates)
