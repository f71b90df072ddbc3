"""The primary rules, and what subtraction leaves."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sluis.statistics.contract import Cell, Fate, Rules, Table, Top
from sluis.statistics.lines import Cube
from sluis.statistics.primary import harmless, judge, protection

RULES = Rules()


def top(*cents: int) -> Top:
    largest = sorted(enumerate(cents), key=lambda entry: -entry[1])[:3]
    return Top(len(cents), sum(cents), tuple(largest))


@pytest.mark.parametrize(
    ("who", "fate"),
    [
        (top(), Fate.EMPTY),
        (top(*[100] * 9), Fate.FEW),
        (top(*[100] * 10), Fate.PUBLISHED),
        (top(10_000, 9_000, 8_000, 1_499, *[0] * 0, *[0] * 0), Fate.FEW),
        (top(10_000, 9_000, 8_000, 1_494, 1, 1, 1, 1, 1, 1), Fate.PUBLISHED),
        (top(10_000, 9_000, 8_000, 1_493, 1, 1, 1, 1, 1, 1), Fate.DOMINATED),
    ],
)
def test_a_cell_needs_ten_enterprises_and_a_remainder_after_the_three_largest(who: Top, fate: Fate) -> None:
    assert judge(who, RULES) is fate
    assert harmless(who, RULES) is (fate in (Fate.EMPTY, Fate.PUBLISHED))


def test_protection_is_told_in_percent_of_what_must_remain() -> None:
    assert protection(top(10_000, 9_000, 8_000, 1_494, 1, 1, 1, 1, 1, 1), RULES) == 100
    assert protection(top(10_000, 9_000, 8_000, 1_493, 1, 1, 1, 1, 1, 1), RULES) == 99
    assert protection(top(*[100] * 9), RULES) == 0


def test_rules_can_be_made_stricter_and_never_looser() -> None:
    strict = Rules(min_enterprises=12, remainder_percent=30)
    assert judge(top(*[100] * 11), strict) is Fate.FEW
    assert judge(top(10_000, 9_000, 8_000, *[250] * 9), strict) is Fate.DOMINATED
    for looser in ({"min_enterprises": 9}, {"remainder_percent": 14}, {"rounding_euros": 500}):
        with pytest.raises(ValidationError):
            Rules(**looser)


BASE = [
    ("BE", "21", "shopify", "exact"),
    ("NL", "21", "magento", "exact"),
    ("NL", "21", "shopify", "exact"),
    ("NL", "9", "shopify", "moneybird"),
]


def test_the_cube_knows_its_cells_and_the_combinations_that_nobody_stands_in() -> None:
    cube = Cube(BASE)
    assert cube.members[Cell(Table.TOTAL, ())] == (0, 1, 2, 3)
    assert cube.members[Cell(Table.COUNTRY_PLATFORM, ("NL", "shopify"))] == (2, 3)
    assert Cell(Table.COUNTRY_PLATFORM, ("BE", "magento")) not in cube.members
    assert cube.empty(Table.COUNTRY_PLATFORM) == 1
    assert cube.empty(Table.COUNTRY) == 0
    assert Cube([]).empty(Table.TOTAL) == 0


def test_a_line_is_a_cell_with_the_finer_cells_that_add_up_to_it() -> None:
    cube = Cube(BASE)
    lines = cube.lines(Table)
    assert len(lines) == 4 + 2 * 2 + 2 + 2 * 2 + 2
    for line in lines:
        assert sorted(cube.members[line.parent]) == sorted(n for child in line.children for n in cube.members[child])
    beside = cube.beside(Cell(Table.COUNTRY_RATE, ("NL", "21")))
    assert beside == {Cell(Table.COUNTRY_RATE, ("NL", "9")), Cell(Table.COUNTRY_RATE, ("BE", "21"))}


def test_subtraction_leaves_what_is_hidden_through_one_level_and_through_two() -> None:
    cube = Cube(BASE)
    total, be = Cell(Table.TOTAL, ()), Cell(Table.COUNTRY, ("BE",))
    one = cube.remainders([total, be])
    assert [remainder.members for remainder in one] == [(1, 2, 3)]
    inside = Cell(Table.COUNTRY_RATE, ("NL", "21"))
    two = cube.remainders([total, be, inside])
    assert {remainder.members for remainder in two} == {(1, 2, 3), (0, 3), (3,)}  # less BE, less (NL, 21), less both
    assert next(r for r in two if r.members == (3,)).subtracted == (be, inside)
    assert cube.remainders([be]) == []
