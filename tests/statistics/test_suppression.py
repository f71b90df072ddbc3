"""The search for what to hide: cheapest where it can be proved, the same every time, and closed when it fails."""

from __future__ import annotations

from itertools import combinations

import pytest

from sluis.statistics import suppression
from sluis.statistics.audit import audit
from sluis.statistics.contract import (
    Attacker,
    AttackerReport,
    Cell,
    Family,
    FamilyAudit,
    Fate,
    Pattern,
    Population,
    Rules,
    Step,
    Table,
)
from sluis.statistics.lines import rates_of
from sluis.statistics.population import InMemory
from sluis.statistics.primary import harmless
from sluis.statistics.simulate import contributions
from sluis.statistics.simulate import population as simulated
from sluis.statistics.suppression import costs, cover, decide, pattern, protect
from sluis.statistics.threats import Observed
from tests.statistics.made import many, people

RULES = Rules()
SALES = Family.SALES


def published(found: Pattern | None) -> set[Cell]:
    assert found is not None
    return {cell for cell, fate in found.fates.items() if fate is Fate.PUBLISHED}


def small(seed: int = 2) -> InMemory:
    return simulated(contributions(90, seed, countries=3, platforms=2, packages=2))


def test_what_is_decided_is_safe_and_shows_something() -> None:
    population = small()
    found, report = decide(population, rates_of(population.base), RULES, family=SALES)
    assert found.step is report.step is Step.ALL
    assert report.safe
    assert report.rounds > 0
    assert report.published == len(published(found)) >= 8
    assert report.suppressed[Fate.SECONDARY] > 0
    occupied = [fate for fate in found.fates.values() if fate is not Fate.EMPTY]
    assert report.published + sum(report.suppressed.values()) == len(occupied) + report.suppressed[Fate.EMPTY]
    assert all(one.smallest_percent is None or one.smallest_percent >= 100 for one in report.attackers)
    assert {one.attacker for one in report.attackers} == set(Attacker)


def test_the_same_input_gives_the_same_pattern() -> None:
    first, again = small(), small()
    assert decide(first, rates_of(first.base), RULES, family=SALES) == decide(
        again, rates_of(again.base), RULES, family=SALES
    )


@pytest.mark.parametrize("seed", [2, 3])
def test_no_cheaper_set_of_hidden_cells_is_safe(seed: int) -> None:
    """The optimum by trying every cheaper set, with the audit as the judge."""
    population = small(seed)
    seen = Observed.of(population, RULES)
    step = Step.ONE_WAY
    prices = costs(seen, step)
    found = protect(population, rates_of(population.base), RULES, step, family=SALES)
    safe = [cell for cell in seen.cube.cells(step.tables) if harmless(seen.tops[cell], RULES)]
    free = [cell for cell in safe if all(percent >= 100 for _, percent in seen.vendors_view([cell]))]
    hidden = set(free) - published(found)
    price = sum(prices[cell] for cell in hidden)
    cheaper = [
        other
        for size in range(len(free) + 1)
        for other in combinations(free, size)
        if sum(prices[cell] for cell in other) < price - 1e-9
    ]
    assert hidden
    assert cheaper
    for other in cheaper:
        tried = pattern(seen, SALES, step, set(free) - set(other))
        assert not audit(population, rates_of(population.base), RULES, tried).safe


def test_a_search_that_only_adds_ends_as_safe_and_republishes_what_it_need_not_hide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    population = small()
    best, _ = decide(population, rates_of(population.base), RULES, family=SALES)
    monkeypatch.setattr(suppression, "PATIENCE", 0)
    found, report = decide(population, rates_of(population.base), RULES, family=SALES)
    assert report.safe
    seen = Observed.of(population, RULES)
    prices = costs(seen, Step.ALL)
    assert sum(prices[cell] for cell in published(found)) <= sum(prices[cell] for cell in published(best)) + 1e-9
    for cell in set(seen.tops) - published(found):
        more = pattern(seen, SALES, Step.ALL, published(found) | {cell})
        if more.fates[cell] is Fate.PUBLISHED:
            assert not audit(population, rates_of(population.base), RULES, more).safe


def test_without_time_or_rounds_nothing_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    population = small()
    found, report = decide(population, rates_of(population.base), RULES, family=SALES, seconds=0)
    assert found == Pattern(family=SALES, step=Step.NOTHING, fates={})
    assert report.step is Step.NOTHING
    assert report.published == 0
    monkeypatch.setattr(suppression, "ROUNDS", 0)
    assert decide(population, rates_of(population.base), RULES, family=SALES)[0].step is Step.NOTHING


@pytest.mark.parametrize(("refused", "step"), [(1, Step.ONE_WAY), (2, Step.TOTAL), (3, Step.NOTHING)])
def test_a_pattern_the_audit_refuses_is_not_published_and_the_plan_shrinks(
    monkeypatch: pytest.MonkeyPatch, refused: int, step: Step
) -> None:
    population = people(many(0, 60, "NL 21 shopify exact"))
    asked: list[Step] = []

    def strict(population: Population, rates: object, rules: Rules, tried: Pattern) -> FamilyAudit:
        report = audit(population, [], rules, tried.model_copy(update={"fates": {}}))
        asked.append(tried.step)
        lost = AttackerReport(attacker=Attacker.OUTSIDER, targets=1, breached=1, smallest_percent=0)
        return report.model_copy(update={"attackers": (lost,)}) if len(asked) <= refused else report

    monkeypatch.setattr(suppression, "audit", strict)
    found, _ = decide(population, rates_of(population.base), RULES, family=SALES)
    assert found.step is step
    assert asked == [*Step][: refused + 1]


def test_a_young_company_publishes_nothing() -> None:
    population = people(many(0, 9, "NL 21 shopify exact"))
    found, report = decide(population, rates_of(population.base), RULES, family=SALES)
    assert found.step is Step.NOTHING
    assert report.safe
    empty = people([])
    assert decide(empty, rates_of(empty.base), RULES, family=SALES)[0].step is Step.NOTHING


def test_tables_of_which_nothing_can_be_shown_are_not_called_published() -> None:
    assert suppression.smallest([Cell(Table.TOTAL, ())]) is Step.TOTAL
    assert suppression.smallest([Cell(Table.TOTAL, ()), Cell(Table.COUNTRY, ("NL",))]) is Step.ONE_WAY
    assert suppression.smallest([Cell(Table.COUNTRY_RATE, ("NL", "21"))]) is Step.ALL


def test_stricter_rules_never_show_more() -> None:
    population = small()
    seen = Observed.of(population, RULES)
    strict = Rules(min_enterprises=20, remainder_percent=40)
    found, report = decide(population, rates_of(population.base), strict, family=SALES)
    assert report.safe
    assert all(seen.tops[cell].enterprises >= 20 for cell in published(found))


def test_the_cheapest_cells_meet_every_cut() -> None:
    a, b, c = (Cell(Table.COUNTRY, (name,)) for name in "ABC")
    prices = {a: 3.0, b: 2.0, c: 2.0}
    assert cover([frozenset({a, b}), frozenset({a, c})], prices, ()) == {a}
    assert cover([frozenset({a, b}), frozenset({a, c})], prices | {a: 5.0}, ()) == {b, c}
    assert cover([frozenset({a, b})], prices, {a}) == {a}
    assert cover([frozenset({a}), frozenset()], prices, ()) is None


def test_the_audit_tells_no_figure_of_anybody() -> None:
    population = small()
    _, report = decide(population, rates_of(population.base), RULES, family=SALES)
    seen = Observed.of(population, RULES)
    figures = {top.cents for top in seen.tops.values()} | {top.cents // 100 for top in seen.tops.values()}
    told = report.model_dump_json()
    assert not [figure for figure in figures if figure > 10_000 and str(figure) in told]
