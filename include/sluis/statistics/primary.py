"""The primary rules: is a cell, or a union of base cells that subtraction makes known, safe by itself?

Two rules (OECD glossary 7010; ESSnet SDC Handbook: threshold, and p% for a coalition of two): enough enterprises, and
what remains after the three largest is at least p% of the largest, so that the second and the third together cannot
come closer to him than that. Of two unions that are safe and share no base cell, the union is safe too: counts and
remainders never shrink by adding. The suppression leans on that.
"""

from __future__ import annotations

from collections.abc import Iterable

from sluis.statistics.contract import Cell, Fate, Population, Rules, Top
from sluis.statistics.lines import Cube


def judge(top: Top, rules: Rules) -> Fate:
    """Return PUBLISHED when ``top`` is safe by itself; else why not: EMPTY, FEW or DOMINATED."""
    if top.enterprises == 0:
        return Fate.EMPTY
    if top.enterprises < rules.min_enterprises:
        return Fate.FEW
    remainder = top.cents - sum(cents for _, cents in top.largest[:3])
    return Fate.PUBLISHED if 100 * remainder >= rules.remainder_percent * top.largest[0][1] else Fate.DOMINATED


def harmless(top: Top, rules: Rules) -> bool:
    """Whether a union may become known: nobody stands in it, or it is safe by itself."""
    return judge(top, rules) in (Fate.EMPTY, Fate.PUBLISHED)


def tops_of(population: Population, cube: Cube, cells: Iterable[Cell]) -> dict[Cell, Top]:
    """Return who stands in each of ``cells``."""
    wanted = list(cells)
    return dict(zip(wanted, population.tops([cube.members[cell] for cell in wanted]), strict=True))
