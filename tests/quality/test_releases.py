"""A release is judged whole: what holds passes, and each flaw is refused by the expectation that is meant for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from sluis.errors import ProofFailed
from sluis.quality.releases import judge_release, release_expectations
from sluis.statistics.contract import Cell, Family, Fate, Figure, Pattern, Release, Rules, Step, Table
from sluis.statistics.domain import domain
from sluis.statistics.lines import Cube
from sluis.statistics.release import build, by_cell, cell_of
from sluis.statistics.simulate import contributions, population
from tests.statistics.released import NL, NL21, RATE9, TOTAL, ledger, places, release, sold

QUARTER = "2026-Q3"


def refusal(made: Release) -> dict[str, int]:
    """Return the expectations that refused ``made``, with how many cells each."""
    with pytest.raises(ProofFailed) as refused:
        judge_release(made, places(made.quarter))
    listed = str(refused.value).partition("(cells): ")[2]
    return {name: int(count.rstrip(")")) for name, count in (part.split(" (") for part in listed.split(", "))}


def changed(made: Release, cell: Cell, change: Callable[[Figure], list[Figure]]) -> Release:
    """Return ``made`` with the sales figure of ``cell`` replaced."""
    tables = tuple(
        table.model_copy(
            update={
                "figures": tuple(
                    new
                    for figure in table.figures
                    for new in (
                        change(figure)
                        if table.family is Family.SALES and cell_of(table.table, figure) == cell
                        else [figure]
                    )
                )
            }
        )
        for table in made.tables
    )
    return made.model_copy(update={"tables": tables})


def told(**facts: object) -> Callable[[Figure], list[Figure]]:
    return lambda figure: [figure.model_copy(update=facts)]


def test_a_release_that_holds_passes_with_counts_only() -> None:
    made = release()
    results = judge_release(made, places(QUARTER))
    cells = len(by_cell(made.tables))
    assert [(result.passed, result.checked, result.failing) for result in results] == [(True, cells, 0)] * len(results)
    assert [result.expectation for result in results] == [each.meta["name"] for each in release_expectations()]


def test_a_release_that_publishes_nothing_passes() -> None:
    made = release(sales=sold()[:3], shown=[], step=Step.NOTHING)
    assert made.too_few
    assert all(result.passed for result in judge_release(made, places(QUARTER)))


def test_a_year_passes_and_its_tables_belong_to_a_fourth_quarter() -> None:
    last = ledger("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")[-1].release
    results = judge_release(last, places("2026-Q4"))
    assert {result.checked for result in results} == {len(by_cell(last.tables)) + len(by_cell(last.year))}
    assert "every_cell_is_there" in refusal(last.model_copy(update={"year": ()}))
    third = release().model_copy(update={"year": last.year})
    assert {"every_cell_is_there", "cell_of_the_domain"} <= set(refusal(third))


def test_a_year_is_judged_too() -> None:
    last = ledger("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")[-1].release
    (total, *rest) = last.year
    broken = total.model_copy(update={"figures": (Figure(key={}, published=True, amount=1500, vat=-1000),)})
    found = refusal(last.model_copy(update={"year": (broken, *rest)}))
    assert set(found) == {"rounded", "vat_not_negative", "parts_not_above_total"}


@pytest.mark.parametrize("seed", [1, 2])
def test_simulated_quarters_pass_whatever_their_documents_rounded(seed: int) -> None:
    rows = contributions(120, seed)
    populations = {family: population(rows, family) for family in Family}
    patterns = {}
    for family, people in populations.items():
        cube = Cube(people.base)
        tops = people.tops([cube.members[cell] for cell in cube.members])
        fates = {
            cell: Fate.PUBLISHED if top.enterprises >= 10 else Fate.FEW
            for cell, top in zip(cube.members, tops, strict=True)
        }
        patterns[family] = Pattern(family=family, step=Step.ALL, fates=fates)
    cells = domain(QUARTER, {row.platform for row in rows}, {row.package for row in rows})
    made = build(
        QUARTER, datetime(2026, 11, 1, tzinfo=UTC), patterns=patterns, populations=populations, domain=cells,
        rules=Rules(), refused={}, provisional=False, earlier=[],
    )  # fmt: skip
    assert sum(figure.published for figure in by_cell(made.tables).values()) > 50
    assert all(result.passed for result in judge_release(made, cells))


@pytest.mark.parametrize(
    ("cell", "change", "by"),
    [
        (NL, told(amount=-1_202_000), "amount_not_negative"),
        (NL, told(vat=-1000), "vat_not_negative"),
        (NL, told(amount=1_202_001), "rounded"),
        (NL, told(vat=252_500), "rounded"),
        (NL, told(vat=None), "suppressed_is_bare"),
        (NL, told(enterprises=None), "suppressed_is_bare"),
        (NL, told(enterprises="7"), "band_known"),
        (RATE9, told(amount=2000), "suppressed_is_bare"),
        (RATE9, told(vat=0), "suppressed_is_bare"),
        (RATE9, told(enterprises="10-24"), "suppressed_is_bare"),
        (NL, told(vat=1_000_000), "vat_within_law"),
        (NL21, told(vat=230_000), "vat_fits_rate"),
        (NL21, told(vat=270_000), "vat_fits_rate"),
        (NL, told(amount=1_203_000), "parts_not_above_total"),
        (NL, told(amount=1_199_000), "parts_not_above_total"),
        (NL, lambda figure: [], "every_cell_is_there"),
        (NL, lambda figure: [figure, figure], "cell_once"),
        (NL, told(key={"country": "US"}), "cell_of_the_domain"),
        (NL, told(key={}), "cell_of_the_domain"),
        (TOTAL, told(key={"country": "NL"}), "cell_of_the_domain"),
    ],
)
def test_each_flaw_is_refused_by_its_expectation(cell: Cell, change: Callable[[Figure], list[Figure]], by: str) -> None:
    found = refusal(changed(release(), cell, change))
    assert by in found
    assert all(count >= 1 for count in found.values())


def test_parts_of_one_table_may_not_be_more_than_the_whole() -> None:
    belgium = Cell(Table.COUNTRY, ("BE",))
    made = changed(release(), belgium, told(published=True, amount=100_000, vat=20_000, enterprises="10-24"))
    assert refusal(made) == {"parts_add_up": 1}


def test_parts_may_be_more_by_their_rounding() -> None:
    belgium = Cell(Table.COUNTRY, ("BE",))
    made = changed(release(), belgium, told(published=True, amount=1000, vat=0, enterprises="10-24"))
    assert all(result.passed for result in judge_release(made, places(QUARTER)))


def test_nothing_is_told_beyond_the_step_or_below_the_minimum() -> None:
    made = release()
    assert refusal(made.model_copy(update={"step": dict.fromkeys(Family, Step.TOTAL)})) == {"inside_the_step": 3}
    assert refusal(made.model_copy(update={"too_few": True})) == {"inside_the_step": 4}


def test_a_table_that_is_missing_or_twice_is_noticed() -> None:
    made = release()
    assert "every_cell_is_there" in refusal(made.model_copy(update={"tables": made.tables[1:]}))
    assert "cell_once" in refusal(made.model_copy(update={"tables": (*made.tables[:-1], made.tables[0])}))


def test_a_refusal_tells_no_figure(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    made = changed(release(), NL, told(amount=777_777_123, enterprises="band-canary"))
    with pytest.raises(ProofFailed) as refused:
        judge_release(made, places(QUARTER))
    heard = "".join((str(refused.value), repr(refused.value), caplog.text, *capfd.readouterr()))
    assert "release 1 may not be published" in heard
    assert "777777123" not in heard
    assert "band-canary" not in heard
    assert refused.value.__cause__ is None
