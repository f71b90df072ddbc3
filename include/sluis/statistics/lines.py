"""How the cells of the plan hang together: which base cells make up a cell, and what subtraction makes known.

A published cell less published cells inside it leaves a union of base cells that the world knows as well as if it had
been published. ``remainders`` lists those unions: whoever suppresses must look at them as at cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from sluis.statistics.contract import DIMENSIONS, Cell, Table

#: Parent table -> tables whose cells lie wholly inside one cell of it, one dimension finer.
CHILDREN: dict[Table, tuple[Table, ...]] = {
    Table.TOTAL: (Table.COUNTRY, Table.RATE, Table.PLATFORM, Table.PACKAGE),
    Table.COUNTRY: (Table.COUNTRY_RATE, Table.COUNTRY_PLATFORM),
    Table.RATE: (Table.COUNTRY_RATE,),
    Table.PLATFORM: (Table.PLATFORM_PACKAGE, Table.COUNTRY_PLATFORM),
    Table.PACKAGE: (Table.PLATFORM_PACKAGE,),
}


class Line(NamedTuple):
    """A cell and the cells of one finer table that add up to it."""

    parent: Cell
    children: tuple[Cell, ...]


class Remainder(NamedTuple):
    """What a published parent leaves when published cells inside it are subtracted."""

    parent: Cell
    #: Every cell that could be suppressed to make it larger: the parent, and what was subtracted.
    subtracted: tuple[Cell, ...]
    members: tuple[int, ...]  #: the base cells that remain; never empty


class Cube:
    """The occupied cells of all tables of the plan, over the base cells of one population."""

    def __init__(self, base: Sequence[tuple[str, ...]]) -> None:
        """``base``: keys in the order of ``DIMENSIONS``, as ``Population.base`` has them."""
        self.size = len(base)
        members: dict[Cell, list[int]] = defaultdict(list)
        places = {table: tuple(DIMENSIONS.index(name) for name in table.dimensions) for table in Table}
        for number, key in enumerate(base):
            for table, place in places.items():
                members[Cell(table, tuple(key[index] for index in place))].append(number)
        self.members: dict[Cell, tuple[int, ...]] = {cell: tuple(members[cell]) for cell in sorted(members, key=order)}
        self._children: dict[tuple[Cell, Table], list[Cell]] = defaultdict(list)
        for cell in self.members:
            named = dict(zip(cell.table.dimensions, cell.key, strict=True))
            for coarser, finer in CHILDREN.items():
                if cell.table in finer:
                    parent = Cell(coarser, tuple(named[name] for name in coarser.dimensions))
                    self._children[parent, cell.table].append(cell)
        self._above: dict[Cell, list[Line]] = defaultdict(list)
        for line in self.lines(Table):
            for child in line.children:
                self._above[child].append(line)

    def cells(self, tables: Iterable[Table]) -> tuple[Cell, ...]:
        """Return the occupied cells of ``tables``, in a fixed order."""
        wanted = frozenset(tables)
        return tuple(cell for cell in self.members if cell.table in wanted)

    def empty(self, table: Table) -> int:
        """Return how many cells of ``table`` nobody stands in, of the values that the base cube itself has."""
        size = 1
        for name in table.dimensions:
            size *= len(self.cells([_ONE_WAY[name]]))
        return size - len(self.cells([table])) if self.size else 0

    def lines(self, tables: Iterable[Table]) -> list[Line]:
        """Return every line whose parent and children stand in ``tables``."""
        wanted = frozenset(tables)
        return [
            Line(parent, self._inside(parent, finer))
            for parent in self.cells(wanted)
            for finer in CHILDREN.get(parent.table, ())
            if finer in wanted
        ]

    def beside(self, cell: Cell) -> set[Cell]:
        """Return the other cells of every line that ``cell`` is a child in."""
        found = {other for line in self._above[cell] for other in line.children}
        return found - {cell}

    def remainders(self, published: Collection[Cell]) -> list[Remainder]:
        """Return what subtraction leaves of every published cell, once per union of base cells.

        Through one level (parent less its published children of one table) and through two (what is left of it then
        less the published cells inside the suppressed children). What deeper mixtures leave is made up of these.
        """
        shown = frozenset(published)
        found: dict[tuple[int, ...], Remainder] = {}
        for parent in sorted(shown, key=order):
            for subtracted in self._subtractions(parent, shown):
                gone = {number for cell in subtracted for number in self.members[cell]}
                rest = tuple(number for number in self.members[parent] if number not in gone)
                if rest and subtracted:
                    found.setdefault(rest, Remainder(parent, subtracted, rest))
        return list(found.values())

    def _subtractions(self, parent: Cell, shown: frozenset[Cell]) -> Iterator[tuple[Cell, ...]]:
        for finer in CHILDREN.get(parent.table, ()):
            children = self._inside(parent, finer)
            first = tuple(cell for cell in children if cell in shown)
            yield first
            hidden = [cell for cell in children if cell not in shown]
            for finest in CHILDREN.get(finer, ()):
                second = [cell for child in hidden for cell in self._inside(child, finest) if cell in shown]
                if second:
                    yield (*first, *second)

    def _inside(self, parent: Cell, finer: Table) -> tuple[Cell, ...]:
        return tuple(self._children[parent, finer])


def rates_of(base: Sequence[tuple[str, ...]]) -> list[Decimal]:
    """Return the VAT percentage of every base cell."""
    place = DIMENSIONS.index("vat_rate")
    return [Decimal(key[place]) for key in base]


def order(cell: Cell) -> tuple[int, tuple[str, ...]]:
    """Return what cells are sorted by: the order of the plan, then the key."""
    return _ORDER[cell.table], cell.key


_ORDER = {table: number for number, table in enumerate(Table)}
_ONE_WAY = {table.dimensions[0]: table for table in Table if len(table.dimensions) == 1}
