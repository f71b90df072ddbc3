"""Cases of the literature with their published numbers: the attacker and the counting come out where others do.

The numbers are those of the tests of the R package sdcTable (github.com/sdcTools/sdcTable); its code is not used. An
amount of 1 there is a million euros here, so that our rounding to a thousand is a thousandth of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import combinations

import pytest

from sluis.statistics.contract import Attacker, Cell, Rules, Table, Top
from sluis.statistics.lines import rates_of
from sluis.statistics.population import InMemory
from sluis.statistics.programme import Programme
from sluis.statistics.threats import Observed, Spy

ONE = 100_000_000  # cents
NEAR = 0.01  # of that: half of the rounding on each of the cells that bound a sum
OUTSIDER = Spy(Attacker.OUTSIDER)


def population(cells: Iterable[tuple[tuple[str, str, str], Iterable[int]]]) -> InMemory:
    """Return who put what in (country, platform, package), without VAT; every amount is another enterprise's."""
    numbers = iter(range(10_000))
    rows = [
        (next(numbers), (country, "0", platform, package), amount * ONE, 0)
        for (country, platform, package), amounts in cells
        for amount in amounts
    ]
    return InMemory.of(rows)


def interval(people: InMemory, shown: Collection[Cell], cell: Cell) -> tuple[float, float]:
    """Return what an outsider knows of a cell, in the literature's units."""
    seen = Observed.of(people, Rules())
    attack = Programme(seen, rates_of(people.base), shown)
    members = seen.cube.members[cell]
    low, high = (attack.bound(members, upward, OUTSIDER).cents / ONE for upward in (False, True))
    return low, high


def near(low: float, high: float) -> tuple[object, object]:
    return pytest.approx(low, abs=NEAR), pytest.approx(high, abs=NEAR)


# ------------------------------------------------------------------------------------- four by four, nine suppressed

FOUR = {
    "w": {"a": 30, "b": 47, "c": 64, "d": 89}, "x": {"a": 90, "b": 124, "c": 5, "d": 31},
    "y": {"a": 92, "b": 100, "c": 59, "d": 85}, "z": {"a": 800, "b": 991, "c": 651, "d": 685},
}  # fmt: skip
NINE = {"wa", "wb", "wc", "xa", "xc", "yb", "yd", "zb", "zd"}


def four(hidden: Collection[str]) -> tuple[float, float]:
    people = population(((row, column, "p"), [n]) for row, line in FOUR.items() for column, n in line.items())
    margins = [Cell(Table.TOTAL, ()), *(Cell(Table.COUNTRY, (row,)) for row in FOUR),
               *(Cell(Table.PLATFORM, (column,)) for column in "abcd")]  # fmt: skip
    inner = [Cell(Table.COUNTRY_PLATFORM, (row, column)) for row in FOUR for column in "abcd"]
    shown = [*margins, *(cell for cell in inner if "".join(cell.key) not in hidden)]
    return interval(people, shown, Cell(Table.COUNTRY_PLATFORM, ("w", "b")))


def test_two_suppressed_cells_in_every_line_do_not_protect() -> None:
    assert four(NINE) == near(47, 47)


def test_one_more_suppressed_cell_protects() -> None:
    assert four({*NINE, "xd"}) == near(0, 78)


# --------------------------------------------------------------------------------------------- two tables, linked

REGIONS = {
    "A": ("one", "small", 2), "B": ("one", "small", 2), "I": ("one", "small", 8), "J": ("one", "small", 8),
    "K": ("two", "small", 3), "L": ("two", "big", 3), "M": ("two", "big", 3), "N": ("two", "small", 7),
}  # fmt: skip
FEW = {"A", "B", "K", "L", "M"}


def linked(margins: Collection[Table], hidden: Collection[str], region: str) -> tuple[float, float]:
    people = population(((county, name, group), [n]) for name, (county, group, n) in REGIONS.items())
    seen = Observed.of(people, Rules())
    shown = [cell for cell in seen.cube.cells(margins) if cell.table is not Table.PLATFORM]
    shown += [Cell(Table.PLATFORM, (name,)) for name in REGIONS if name not in hidden]
    return interval(people, shown, Cell(Table.PLATFORM, (region,)))


def test_two_tables_that_are_safe_apart_give_a_cell_away_together() -> None:
    for table in (Table.COUNTRY, Table.PACKAGE):
        for region in FEW:
            low, high = linked((Table.TOTAL, table), FEW, region)
            assert high - low > 1, (table, region)
    assert linked((Table.TOTAL, Table.COUNTRY, Table.PACKAGE), FEW, "K") == near(3, 3)


def test_hiding_one_cell_more_protects_both() -> None:
    for region in (*FEW, "N"):
        low, high = linked((Table.TOTAL, Table.COUNTRY, Table.PACKAGE), {*FEW, "N"}, region)
        assert high - low > 1, region


# ---------------------------------------------------------------------------------------- a hundred rows of microdata

MICRODATA = {
    "A female": (11, 9),
    "A male": (18, 15, 13, 13, 12, 11, 10, 10, 10, 9, 9, 9, 8, 7, 7, 6, 6, 5),
    "B female": (18, 16, 14, 14, 13, 13, 12, 12, 11, 10, 10, 9, 9, 8, 8, 8, 7, 7, 5),
    "B male": (15, 14, 14, 12, 11, 10, 10, 10, 9, 8, 8, 7, 7, 5),
    "C female": (19, 12, 12, 11, 10, 9, 9, 9, 8, 7),
    "C male": (18, 12, 12, 11, 11, 11, 10, 9, 6, 6, 6, 6),
    "D female": (18, 16, 14, 14, 11, 11, 11, 10, 10, 9, 9, 7, 6, 6),
    "D male": (280, 11, 10, 9, 9, 9, 8, 8, 8, 7, 7),
}
REGION_GENDER = [tuple(name.split()) for name in MICRODATA]
SENSITIVE = Cell(Table.COUNTRY_PLATFORM, ("A", "female"))


def people_of_microdata() -> InMemory:
    return population(
        ((region, gender, "p"), MICRODATA[f"{region} {gender}"]) for region, gender in REGION_GENDER
    )  # fmt: skip


def every_cell() -> list[Cell]:
    """The fifteen cells of the table with its margins."""
    return [
        Cell(Table.TOTAL, ()),
        *(Cell(Table.COUNTRY, (region,)) for region in "ABCD"),
        *(Cell(Table.PLATFORM, (gender,)) for gender in ("female", "male")),
        *(Cell(Table.COUNTRY_PLATFORM, (region, gender)) for region, gender in REGION_GENDER),
    ]


def protects(seen: Observed, hidden: Collection[Cell]) -> bool:
    """Whether nobody knows the sensitive cell to one unit."""
    attack = Programme(seen, rates_of(seen.population.base), [cell for cell in every_cell() if cell not in hidden])
    members = seen.cube.members[SENSITIVE]
    low, high = (attack.bound(members, upward, OUTSIDER).cents / ONE for upward in (False, True))
    truth = seen.tops[SENSITIVE].cents / ONE
    return low <= truth - 1 and high >= truth + 1


def test_the_best_pattern_hides_three_more_and_publishes_eleven() -> None:
    seen = Observed.of(people_of_microdata(), Rules())
    others = [cell for cell in every_cell() if cell != SENSITIVE]
    assert not any(protects(seen, {SENSITIVE, *pair}) for pair in combinations(others, 2))
    best = {SENSITIVE, *(Cell(Table.COUNTRY_PLATFORM, key) for key in (("A", "male"), ("C", "male"), ("C", "female")))}
    assert protects(seen, best)
    assert len(every_cell()) - len(best) == 11


def unsafe(rule: str, top: Top) -> bool:
    """Return what a rule of the literature says of a cell."""
    first, second = (top.largest[place][1] if place < len(top.largest) else 0 for place in (0, 1))
    rest = top.cents - first - second
    return {
        "at most two": top.enterprises <= 2,
        "nk(2, 75)": (first + second) * 100 > 75 * top.cents,
        "p 70": rest * 100 < 70 * first,
        "pq(60, 80)": rest * 80 < 60 * first,
    }[rule]


@pytest.mark.parametrize(
    ("rule", "cells"),
    [("at most two", {6}), ("nk(2, 75)", {6, 14}), ("p 70", {6, 14}), ("pq(60, 80)", {6, 14})],
)
def test_who_stands_in_a_cell_is_counted_as_others_count(rule: str, cells: set[int]) -> None:
    """Cells by their number there: total, male, female of all regions, then of A, B, C and D."""
    people = people_of_microdata()
    found = set()
    for place, region in enumerate((None, *"ABCD")):
        for column, gender in enumerate((None, "male", "female")):
            union = [number for number, key in enumerate(people.base)
                     if region in (None, key[0]) and gender in (None, key[2])]  # fmt: skip
            (top,) = people.tops([union])
            if unsafe(rule, top):
                found.add(3 * place + column + 1)
    assert found == cells
