"""How close the published figures bound a sum of base cells: one linear programme per question (scipy's HiGHS).

One variable per base cell, not negative. Every published cell binds the sum of its base cells to its rounded amount,
and the sum of rate x amount over them to its rounded VAT, each within half of the rounding; wider only where the
documents' own rounding of VAT would leave the truth outside, so that the truth always fits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csc_array, csr_array, hstack, identity

from sluis.errors import Defect
from sluis.statistics.contract import Cell, Rules
from sluis.statistics.threats import Observed, Spy

Points = NDArray[np.float64]  # a row per possible truth, a column per base cell, cents
#: Cents in a unit of the programme, so that its tolerance (1e-7 of a unit) is far below a cent.
_UNIT = 100_000.0
#: Cents: how far the programme's answer may be from the exact one.
TOLERANCE = 1


class Bound(NamedTuple):
    """The largest or the smallest value that fits what is known."""

    cents: float  #: infinite when nothing bounds it
    point: Points | None  #: base cells in cents that reach it
    binding: frozenset[Cell]  #: the published cells that bound it (non-zero duals): while all are published, it holds


class Programme:
    """What is published of one population, as constraints."""

    def __init__(self, seen: Observed, rates: Sequence[Decimal], shown: Collection[Cell]) -> None:
        """``rates``: the VAT percentage of every base cell. ``shown``: the published cells, at least one."""
        self._cells = sorted(shown)
        self._truth = np.array(seen.population.cents(), dtype=np.float64) / _UNIT
        vat = np.array(seen.population.vat_cents(), dtype=np.float64) / _UNIT
        per_one = np.array([rate / 100 for rate in rates], dtype=np.float64)
        inside = np.zeros((len(self._cells), len(self._truth)))
        for row, cell in enumerate(self._cells):
            inside[row, list(seen.cube.members[cell])] = 1.0
        taxed = inside * per_one
        self._rows = csr_array(np.vstack([inside, taxed]))
        rounded = np.concatenate([_rounded(inside @ self._truth, seen.rules), _rounded(inside @ vat, seen.rules)])
        half = seen.rules.rounding_euros * 100 / 2 / _UNIT
        real = self._rows @ self._truth
        self._lower, self._upper = np.minimum(rounded - half, real), np.maximum(rounded + half, real)
        self._system = csc_array(hstack([self._rows, -identity(self._rows.shape[0])]))

    def bound(self, members: Sequence[int], upward: bool, spy: Spy) -> Bound:
        """Return how high (or low) the sum of the base cells ``members`` can be for all that ``spy`` can tell.

        Raises ``Defect`` when HiGHS finds no answer: the truth fits, so there is one.
        """
        base = len(self._truth)
        goal = np.zeros(self._system.shape[1])
        goal[list(members)] = -1.0 if upward else 1.0
        least, most = np.zeros(base), np.full(base, np.inf)
        for number, cents in spy.least:
            least[number] = cents / _UNIT
        known = list(spy.known)
        least[known] = most[known] = self._truth[known]
        limits = np.column_stack([np.append(least, self._lower), np.append(most, self._upper)])
        nought = np.zeros(self._rows.shape[0])
        solved = linprog(  # type: ignore[call-overload] # the stubs know no sparse matrices; scipy does
            goal, A_eq=self._system, b_eq=nought, bounds=limits, method="highs", options={"presolve": False}
        )
        if solved.status == 3:
            return Bound(np.inf, None, frozenset())
        if solved.status != 0:
            raise Defect(f"statistics: the linear programme of an attacker ended without an answer ({solved.status})")
        duals = np.abs(solved.eqlin.marginals).reshape(2, -1).max(axis=0)
        binding = frozenset(cell for cell, dual in zip(self._cells, duals, strict=True) if dual > 1e-9)
        reached = abs(solved.fun) * _UNIT
        return Bound(reached, solved.x[:base] * _UNIT, binding)

    def fitting(self, points: Points) -> Points:
        """Return those of ``points`` that fit what is published."""
        values = (self._rows @ (points.T / _UNIT)).T
        fits: Points = points[((values >= self._lower - 1e-7) & (values <= self._upper + 1e-7)).all(axis=1)]
        return fits


def _rounded(values: Points, rules: Rules) -> Points:
    step = rules.rounding_euros * 100 / _UNIT
    return np.rint(values / step) * step  # half to even, as releases round
