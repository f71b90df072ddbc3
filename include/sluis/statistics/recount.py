"""A release held against the input it was made of: every figure counted again, and everybody's attack made again.

It takes nothing over from the making but the release itself: which cells it publishes is read from its text, so that a
mistake between the pattern that was audited and the text that was published is found too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sluis.statistics.audit import audit
from sluis.statistics.contract import Cell, Family, FamilyAudit, Fate, Pattern, Population, Release, Rules, Top
from sluis.statistics.lines import Cube, rates_of
from sluis.statistics.primary import judge
from sluis.statistics.release import band, by_cell, rounded


class Recount(NamedTuple):
    """What came of one family."""

    figures: int  #: published, and counted again
    wrong: int  #: of those: another amount, VAT or band, or nobody stands in them
    audit: FamilyAudit

    @property
    def right(self) -> bool:
        """Whether every figure is the input's and no attacker comes too close."""
        return self.wrong == 0 and self.audit.safe


def recount(release: Release, family: Family, population: Population) -> Recount:
    """Count the published figures of a family again from its input (cents), and attack what the release tells."""
    told = {
        cell: figure
        for (of, cell), figure in by_cell(release.tables).items()
        if of is family and figure.published
    }  # fmt: skip
    cube = Cube(population.base)
    known = [cell for cell in told if cell in cube.members]
    tops = dict(zip(known, population.tops([cube.members[cell] for cell in known]), strict=True))
    vat = population.vat_cents()
    wrong = len(told) - len(known)
    for cell, top in tops.items():
        truth = _figure(top, sum(vat[number] for number in cube.members[cell]), release.rules)
        wrong += (told[cell].amount, told[cell].vat, told[cell].enterprises) != truth
    pattern = Pattern(family=family, step=release.step[family], fates=_fates(release, family, population, cube, told))
    return Recount(len(told), wrong, audit(population, rates_of(population.base), release.rules, pattern))


def _figure(top: Top, vat_cents: int, rules: Rules) -> tuple[int, int, str | None]:
    few = top.enterprises < rules.min_enterprises
    return rounded(top.cents, rules), rounded(vat_cents, rules), None if few else band(top.enterprises)


def _fates(
    release: Release, family: Family, population: Population, cube: Cube, told: Mapping[Cell, object]
) -> dict[Cell, Fate]:
    """Return what became of each cell by the text alone: what it publishes is published, safe or not."""
    cells = [cell for cell in cube.cells(release.step[family].tables) if cell not in told]
    tops = population.tops([cube.members[cell] for cell in cells])
    fates = dict.fromkeys(told, Fate.PUBLISHED)
    for cell, top in zip(cells, tops, strict=True):
        fate = judge(top, release.rules)
        fates[cell] = Fate.SECONDARY if fate is Fate.PUBLISHED else fate
    return fates
