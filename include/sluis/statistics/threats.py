"""Who attacks what: every pair of an attacker's own knowledge and a figure that he must not come close to.

A ``Target`` is a union of base cells that is unsafe by itself, and how far from its truth the attacker's bounds must
stay. A ``Spy`` is what an attacker knows beside the release. Nothing here depends on what is published, so the
suppression and the audit attack the same targets; each enumerates them from the population for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple, TypeVar

from sluis.statistics.contract import DIMENSIONS, Attacker, Cell, Population, Rules, Table, Top
from sluis.statistics.lines import Cube, Remainder
from sluis.statistics.primary import harmless, protection

_T = TypeVar("_T")

#: Vendors know all figures of their customers: whoever runs a shop platform, whoever runs an accounting package.
VENDORS = ("platform", "package")
#: Which of the three largest of a cell join: each alone and each two, save those whom a larger one can replace.
_TEAMS = ((0,), (1,), (0, 1), (0, 2), (1, 2))


class Spy(NamedTuple):
    """What an attacker knows beside the release."""

    attacker: Attacker
    least: tuple[tuple[int, int], ...] = ()  #: (base cell, cents): he knows that at least so much is in it
    known: tuple[int, ...] = ()  #: base cells of which he knows the amount and the VAT


class Target(NamedTuple):
    """An unsafe union of base cells; an attacker's bounds must be at least so far from what is in it."""

    members: tuple[int, ...]
    above: int  #: cents; 0: his upper bound harms nobody
    below: int  #: cents; 0: his lower bound harms nobody


class Threat(NamedTuple):
    """One attack to try."""

    spy: Spy
    target: Target


class Observed(NamedTuple):
    """A population with its cells, as those see it who judge it."""

    population: Population
    cube: Cube
    rules: Rules
    tops: Mapping[Cell, Top]  #: of every occupied cell of the plan

    @classmethod
    def of(cls, population: Population, rules: Rules) -> Observed:
        """Look at every occupied cell of the plan."""
        cube = Cube(population.base)
        cells = cube.cells(Table)
        tops = population.tops([cube.members[cell] for cell in cells])
        return cls(population, cube, rules, dict(zip(cells, tops, strict=True)))

    def customers(self) -> dict[tuple[str, str], frozenset[int]]:
        """Return the base cells that each vendor knows: (dimension, its value) -> base cells."""
        found: dict[tuple[str, str], set[int]] = {}
        for name in VENDORS:
            place = DIMENSIONS.index(name)
            for number, key in enumerate(self.population.base):
                found.setdefault((name, key[place]), set()).add(number)
        return {vendor: frozenset(members) for vendor, members in found.items()}

    def vendors_view(self, cells: Sequence[Cell]) -> list[tuple[Cell, int]]:
        """Return, for each cell and each vendor in it, the protection of what remains outside his own shops."""
        asked = [(cell, self.cube.members[cell]) for cell in cells]
        return self._outside(asked)

    def subtracted(self, remainders: Sequence[Remainder]) -> list[tuple[Attacker, Remainder, int]]:
        """Return the protection (``primary.protection``) of every remainder: as it is, and less what a vendor knows."""
        tops = self.population.tops([remainder.members for remainder in remainders])
        whole = [
            (Attacker.DERIVED, remainder, protection(top, self.rules))
            for remainder, top in zip(remainders, tops, strict=True)
        ]
        less = self._outside([(remainder, remainder.members) for remainder in remainders])
        return whole + [(Attacker.VENDOR, remainder, percent) for remainder, percent in less]

    def _outside(self, asked: Sequence[tuple[_T, tuple[int, ...]]]) -> list[tuple[_T, int]]:
        names, unions = [], []
        for members in self.customers().values():
            for name, union in asked:
                rest = tuple(number for number in union if number not in members)
                if rest and len(rest) < len(union):
                    names.append(name)
                    unions.append(rest)
        tops = self.population.tops(unions)
        return [(name, protection(top, self.rules)) for name, top in zip(names, tops, strict=True)]


def threats(seen: Observed) -> list[Threat]:
    """Return every attack to try, in a fixed order, each once."""
    unsafe = [cell for cell, top in seen.tops.items() if not harmless(top, seen.rules)]
    found: dict[Threat, None] = {}
    for cell in unsafe:
        target = _whole(seen.cube.members[cell], seen.tops[cell], seen.rules)
        found[Threat(Spy(Attacker.OUTSIDER), target)] = None
    outside = _crosses(seen)
    for union, top in zip(outside, seen.population.tops(outside), strict=True):
        if not harmless(top, seen.rules):
            found[Threat(Spy(Attacker.OUTSIDER), _whole(union, top, seen.rules))] = None
    for cell in unsafe:
        found.update(dict.fromkeys(_insiders(seen, cell)))
    found.update(dict.fromkeys(_vendors(seen)))
    return list(found)


def _crosses(seen: Observed) -> list[tuple[int, ...]]:
    """Return the cells of every cross of dimensions that the plan does not have, down to the base cells.

    Nobody publishes them, but the amount and the VAT of a cell that has two rates give away what was sold at each.
    """
    planned = {table.dimensions for table in Table}
    found: dict[tuple[int, ...], None] = {}
    for size in range(1, len(DIMENSIONS) + 1):
        for places in combinations(range(len(DIMENSIONS)), size):
            if tuple(DIMENSIONS[place] for place in places) in planned:
                continue
            groups: dict[tuple[str, ...], list[int]] = {}
            for number, key in enumerate(seen.population.base):
                groups.setdefault(tuple(key[place] for place in places), []).append(number)
            found.update(dict.fromkeys(tuple(group) for group in groups.values()))
    return list(found)


def _whole(members: tuple[int, ...], top: Top, rules: Rules) -> Target:
    width = _width(top.largest[0][1], rules)
    return Target(members, width, min(width, top.cents))


def _width(cents: int, rules: Rules) -> int:
    """Return the protection interval of an enterprise's amount: p% of it, rounded up to a cent."""
    return -(-cents * rules.remainder_percent // 100)


def _insiders(seen: Observed, cell: Cell) -> Iterator[Threat]:
    top = seen.tops[cell]
    members = seen.cube.members[cell]
    for team in _TEAMS:
        if max(team) >= len(top.largest):
            continue
        victims = [entry for place, entry in enumerate(top.largest) if place not in team]
        if victims:
            spy = _spy(seen.population, [top.largest[place][0] for place in team])
            yield Threat(
                spy, _against(members, top, sum(top.largest[place][1] for place in team), victims[0], seen.rules)
            )
    inside = {enterprise for enterprise, _ in top.largest}
    for neighbour in sorted(_neighbours(seen, cell) - inside):
        spy = _spy(seen.population, [neighbour])
        own = sum(cents for number, cents in spy.least if number in members)
        if own:
            yield Threat(spy, _against(members, top, own, top.largest[0], seen.rules))
        else:
            yield Threat(spy, _whole(members, top, seen.rules))


def _neighbours(seen: Observed, cell: Cell) -> set[int]:
    """Return the largest enterprise of every other cell in the lines that ``cell`` stands in."""
    return {seen.tops[other].largest[0][0] for other in seen.cube.beside(cell)}


def _against(members: tuple[int, ...], top: Top, own: int, victim: tuple[int, int], rules: Rules) -> Target:
    """Return what must hold when those who put ``own`` cents into a union look for the largest of the others.

    They know that he is not more than the upper bound less their own; and, when he stands there alone with them, that
    he is at least the lower bound less their own.
    """
    others = top.cents - own - victim[1]
    width = _width(victim[1], rules)
    return Target(members, max(width - others, 0), width if others == 0 else 0)


def _spy(population: Population, team: Sequence[int]) -> Spy:
    least: dict[int, int] = {}
    for enterprise in team:
        for number, cents in population.own(enterprise).items():
            least[number] = least.get(number, 0) + cents
    attacker = Attacker.INSIDER if len(team) == 1 else Attacker.COALITION
    return Spy(attacker, tuple(sorted(least.items())))


def _vendors(seen: Observed) -> Iterator[Threat]:
    for members in seen.customers().values():
        spy = Spy(Attacker.VENDOR, known=tuple(sorted(members)))
        unions = {
            tuple(number for number in union if number not in members): None for union in seen.cube.members.values()
        }
        unions.pop((), None)
        for union, top in zip(unions, seen.population.tops(list(unions)), strict=True):
            if not harmless(top, seen.rules):
                yield Threat(spy, _whole(union, top, seen.rules))
