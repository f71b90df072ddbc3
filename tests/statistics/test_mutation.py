"""With the secondary step off the attackers must win: else the audit, or the suppression, is for show."""

from __future__ import annotations

import pytest

from sluis.statistics.audit import audit
from sluis.statistics.contract import Attacker, Cell, Family, FamilyAudit, Fate, Pattern, Rules, Step, Table
from sluis.statistics.lines import rates_of
from sluis.statistics.population import InMemory
from sluis.statistics.primary import harmless, judge
from sluis.statistics.simulate import contributions
from sluis.statistics.simulate import population as simulated
from sluis.statistics.suppression import decide, pattern
from sluis.statistics.threats import Observed
from tests.statistics.made import many, people, too_close

RULES = Rules()


def breached(report: FamilyAudit) -> dict[Attacker, int]:
    return {one.attacker: one.breached for one in report.attackers if one.breached}


def only_primary(population: InMemory) -> Pattern:
    seen = Observed.of(population, RULES)
    return pattern(seen, Family.SALES, Step.ALL, [cell for cell, top in seen.tops.items() if harmless(top, RULES)])


@pytest.mark.parametrize("size", [60, 300])
def test_without_the_secondary_step_the_attackers_win_and_with_it_they_lose(size: int) -> None:
    population = simulated(contributions(size, 1, countries=4, platforms=3, packages=3))
    off = only_primary(population)
    shown = [cell for cell, fate in off.fates.items() if fate is Fate.PUBLISHED]
    report = audit(population, rates_of(population.base), RULES, off)
    assert not report.safe
    assert breached(report)[Attacker.OUTSIDER] >= 1
    assert breached(report)[Attacker.DERIVED] >= 1
    assert too_close(population, shown, RULES) >= 1
    on, verdict = decide(population, rates_of(population.base), RULES, family=Family.SALES)
    assert verdict.safe
    assert too_close(population, [c for c, fate in on.fates.items() if fate is Fate.PUBLISHED], RULES) == 0


def test_a_threshold_alone_publishes_cells_that_one_enterprise_dominates() -> None:
    population = people([*many(0, 12, "NL 21 shopify exact", 1_000), (99, "NL 21 shopify exact", 9_000_000)])
    seen = Observed.of(population, RULES)
    naive = Pattern(family=Family.SALES, step=Step.TOTAL, fates={Cell(Table.TOTAL, ()): Fate.PUBLISHED})
    assert judge(seen.tops[Cell(Table.TOTAL, ())], RULES) is Fate.DOMINATED
    assert breached(audit(population, rates_of(population.base), RULES, naive))[Attacker.OUTSIDER] >= 1


def test_vat_gives_two_hidden_rates_away_that_amounts_alone_would_not() -> None:
    """Amount and VAT of a country are two equations in its two hidden rates (knowledge/statistics.md section 4)."""
    rows = [*many(0, 8, "NL 21 shopify exact"), *many(20, 8, "NL 9 shopify exact")]
    population = people(rows)
    report = audit(population, rates_of(population.base), RULES, only_primary(population))
    assert breached(report)[Attacker.OUTSIDER] >= 2
    untaxed = people([*many(0, 8, "NL 0 shopify exact"), *many(20, 8, "NL 0 magento exact")])
    assert Attacker.OUTSIDER not in breached(audit(untaxed, rates_of(untaxed.base), RULES, only_primary(untaxed)))


def test_a_vendor_takes_his_own_shops_from_a_safe_cell() -> None:
    rows = [*many(0, 15, "NL 21 shopify exact"), *many(20, 3, "NL 21 magento exact")]
    population = people(rows)
    shown = Pattern(family=Family.SALES, step=Step.TOTAL, fates={Cell(Table.TOTAL, ()): Fate.PUBLISHED})
    report = audit(population, rates_of(population.base), RULES, shown)
    assert set(breached(report)) == {Attacker.VENDOR}
    safe, _ = decide(population, rates_of(population.base), RULES, family=Family.SALES)
    assert safe.fates.get(Cell(Table.TOTAL, ())) is not Fate.PUBLISHED


def test_subtraction_leaves_a_group_that_is_too_small() -> None:
    rows = [
        *many(0, 30, "NL 21 shopify exact"),
        *many(40, 4, "BE 21 shopify exact"),
        *many(50, 4, "DE 21 shopify exact"),
    ]
    population = people(rows)
    cells = [Cell(Table.TOTAL, ()), Cell(Table.COUNTRY, ("NL",))]
    shown = Pattern(family=Family.SALES, step=Step.ONE_WAY, fates=dict.fromkeys(cells, Fate.PUBLISHED))
    assert Attacker.DERIVED in breached(audit(population, rates_of(population.base), RULES, shown))


def test_an_insider_sees_more_than_an_outsider_does() -> None:
    """Two hidden neighbours, each mostly of one enterprise: the one knows his own and so nearly the other's."""
    rows = [
        *many(0, 30, "NL 21 shopify exact"),
        (100, "BE 21 shopify exact", 900_000),
        (101, "DE 21 shopify exact", 900_000),
        *many(110, 9, "BE 21 shopify exact", 200),
        *many(130, 9, "DE 21 shopify exact", 200),
    ]
    population = people(rows)
    cells = [Cell(Table.TOTAL, ()), Cell(Table.COUNTRY, ("NL",))]
    shown = Pattern(family=Family.SALES, step=Step.ONE_WAY, fates=dict.fromkeys(cells, Fate.PUBLISHED))
    lost = breached(audit(population, rates_of(population.base), RULES, shown))
    assert lost[Attacker.INSIDER] >= 2
    assert Attacker.OUTSIDER not in lost


def test_a_pattern_that_publishes_what_nobody_stands_in_is_refused() -> None:
    population = people(many(0, 30, "NL 21 shopify exact"))
    shown = Pattern(family=Family.SALES, step=Step.ONE_WAY, fates={Cell(Table.COUNTRY, ("XX",)): Fate.PUBLISHED})
    assert not audit(population, rates_of(population.base), RULES, shown).safe


def test_vat_splits_a_published_cell_into_rates_that_no_table_of_the_plan_shows() -> None:
    """Amount and VAT of (NL, shopify) tell what two enterprises sold there at 9 %, though (NL, 9) is safe itself."""
    rows = [
        *many(0, 20, "NL 21 shopify exact"),
        *many(20, 2, "NL 9 shopify exact"),
        *many(30, 20, "NL 21 magento exact"),
        *many(60, 20, "NL 9 magento exact"),
    ]
    population = people(rows)
    seen = Observed.of(population, RULES)
    assert all(harmless(top, RULES) for top in seen.tops.values())
    assert Attacker.OUTSIDER in breached(audit(population, rates_of(population.base), RULES, only_primary(population)))
    shown, verdict = decide(population, rates_of(population.base), RULES, family=Family.SALES)
    assert verdict.safe
    assert shown.fates.get(Cell(Table.COUNTRY_PLATFORM, ("NL", "shopify"))) is not Fate.PUBLISHED
