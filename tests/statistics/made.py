"""Populations made by hand for the tests, and an attacker of the tests' own.

The attacker is written apart from the product's: inequalities instead of slacks, euros instead of units, the table's
cells found from the keys. It knows what an outsider knows and says how many unsafe cells he comes too close to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal

import numpy as np
from scipy.optimize import linprog

from sluis.statistics.contract import DIMENSIONS, Cell, Family, Rules, Table
from sluis.statistics.population import InMemory
from sluis.statistics.simulate import Contribution
from sluis.statistics.simulate import population as simulated


def row(enterprise: int, key: str, euros: float) -> Contribution:
    """Return sales of ``euros`` in the base cell ``key``, e.g. ``NL 21 shopify exact``; VAT to the cent."""
    country, rate, platform, package = key.split()
    cents = round(euros * 100)
    vat = round(cents * Decimal(rate) / 100)
    return Contribution(enterprise, country, rate, platform, package, cents, vat, 0, 0)


def people(rows: Iterable[tuple[int, str, float]]) -> InMemory:
    return simulated([row(*each) for each in rows], Family.SALES)


def many(first: int, count: int, key: str, euros: float = 100_000) -> list[tuple[int, str, float]]:
    """Return ``count`` enterprises from number ``first`` on, of about ``euros`` each."""
    return [(first + place, key, euros * (1 + place / 50)) for place in range(count)]


def too_close(population: InMemory, shown: Collection[Cell], rules: Rules) -> int:
    """Return how many cells that are unsafe by themselves an outsider bounds more tightly than the rules allow."""
    amounts = np.array(population.cents()) / 100
    vat = np.array(population.vat_cents()) / 100
    per_one = np.array([float(key[1]) / 100 for key in population.base])
    rows, limits = [], []
    half = rules.rounding_euros / 2
    for cell in shown:
        inside = np.array([_has(cell, key) for key in population.base], dtype=float)
        for coefficients, truth in ((inside, inside @ amounts), (inside * per_one, inside @ vat)):
            told = round(truth / rules.rounding_euros) * rules.rounding_euros
            real = coefficients @ amounts
            rows += [coefficients, -coefficients]
            limits += [max(told + half, real), -min(told - half, real)]
    return sum(_won(population, cell, amounts, rows, limits, rules) for cell in _cells(population))


def _won(population: InMemory, cell: Cell, amounts: object, rows: list, limits: list, rules: Rules) -> bool:  # type: ignore[type-arg]
    members = [number for number, key in enumerate(population.base) if _has(cell, key)]
    (top,) = population.tops([members])
    largest = [cents / 100 for _, cents in top.largest]
    rest = top.cents / 100 - sum(largest)
    if top.enterprises >= rules.min_enterprises and rest >= rules.remainder_percent / 100 * largest[0] - 0.001:
        return False
    goal = np.array([1.0 if number in members else 0.0 for number in range(len(population.base))])
    width = rules.remainder_percent / 100 * largest[0]
    low = linprog(goal, A_ub=rows, b_ub=limits)
    high = linprog(-goal, A_ub=rows, b_ub=limits)
    above = np.inf if high.status == 3 else -high.fun - top.cents / 100
    below = top.cents / 100 - low.fun
    return bool(above < width - 0.05 or below < min(width, top.cents / 100) - 0.05)


def _cells(population: InMemory) -> list[Cell]:
    return sorted(
        {
            Cell(table, tuple(key[DIMENSIONS.index(name)] for name in table.dimensions))
            for table in Table
            for key in population.base
        }
    )


def _has(cell: Cell, key: tuple[str, ...]) -> bool:
    named = dict(zip(DIMENSIONS, key, strict=True))
    return all(named[name] == value for name, value in zip(cell.table.dimensions, cell.key, strict=True))
