"""A release held against its input: what was built passes, and any change of what it tells is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sluis.statistics.contract import Family, Figure, Release, Rules
from sluis.statistics.domain import domain
from sluis.statistics.lines import rates_of
from sluis.statistics.population import InMemory
from sluis.statistics.recount import recount
from sluis.statistics.release import build
from sluis.statistics.simulate import contributions, population
from sluis.statistics.suppression import decide

ENTERPRISES, SEED = 60, 3


@pytest.fixture(scope="module")
def inputs() -> dict[Family, InMemory]:
    return {family: population(contributions(ENTERPRISES, SEED), family) for family in Family}


@pytest.fixture(scope="module")
def release(inputs: dict[Family, InMemory]) -> Release:
    patterns = {
        family: decide(given, rates_of(given.base), Rules(), family=family)[0] for family, given in inputs.items()
    }
    bases = [key for given in inputs.values() for key in given.base]
    fixed = domain("2026-Q3", sorted({key[2] for key in bases}), sorted({key[3] for key in bases}))
    return build(
        "2026-Q3", datetime(2026, 10, 15, tzinfo=UTC), patterns=patterns, populations=inputs, domain=fixed,
        rules=Rules(), refused={}, provisional=False, earlier=(),
    )  # fmt: skip


def changed(release: Release, change: Callable[[Figure], dict[str, Any]], *, published: bool = True) -> Release:
    """Return the release with the first sales figure that is (or is not) published changed."""
    done = False
    tables = []
    for table in release.tables:
        figures = list(table.figures)
        for place, figure in enumerate(figures):
            if not done and table.family is Family.SALES and figure.published is published:
                figures[place], done = figure.model_copy(update=change(figure)), True
        tables.append(table.model_copy(update={"figures": tuple(figures)}))
    assert done
    return release.model_copy(update={"tables": tuple(tables)})


def test_what_was_built_from_the_input_counts_up_to_it(release: Release, inputs: dict[Family, InMemory]) -> None:
    for family, given in inputs.items():
        found = recount(release, family, given)
        published = sum(f.published for t in release.tables if t.family is family for f in t.figures)
        assert (found.figures, found.wrong, found.right) == (published, 0, True)
    assert sum(recount(release, family, inputs[family]).figures for family in Family) > 0


@pytest.mark.parametrize(
    "change",
    [
        lambda f: {"amount": f.amount + 1000},
        lambda f: {"vat": f.vat - 1000},
        lambda f: {"enterprises": "1000+"},
    ],
    ids=["amount", "vat", "band"],
)
def test_a_figure_that_is_not_the_input_s_is_found(
    release: Release, inputs: dict[Family, InMemory], change: Callable[[Figure], dict[str, Any]]
) -> None:
    found = recount(changed(release, change), Family.SALES, inputs[Family.SALES])
    assert (found.wrong, found.right) == (1, False)


def test_a_cell_that_should_have_stayed_hidden_is_found(release: Release, inputs: dict[Family, InMemory]) -> None:
    """Told are invented figures: already that it stands there as published is wrong, and an attacker uses it."""
    told = changed(
        release, lambda f: {"published": True, "amount": 1000, "vat": 0, "enterprises": "10-24"}, published=False
    )
    found = recount(told, Family.SALES, inputs[Family.SALES])
    assert found.wrong == 1
    assert not found.right


def test_the_input_of_another_quarter_is_not_taken_for_it(release: Release) -> None:
    assert not recount(release, Family.SALES, population(contributions(ENTERPRISES, SEED + 1), Family.SALES)).right
