"""Whatever the cube looks like: what is published survives the audit and the tests' own attacker, or is nothing."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from sluis.statistics.audit import audit
from sluis.statistics.contract import Family, Fate, Rules, Step
from sluis.statistics.lines import rates_of
from sluis.statistics.simulate import Contribution
from sluis.statistics.simulate import population as simulated
from sluis.statistics.suppression import decide
from tests.statistics.made import row, too_close

RULES = Rules()
#: Euros: nothing, a cent, small, usual, one who dwarfs all others.
AMOUNTS = st.sampled_from([0, 0.01, 40, 900, 25_000, 25_000, 80_000, 310_000, 9_000_000])


@st.composite
def cubes(draw: st.DrawFn) -> list[Contribution]:
    countries = draw(st.sampled_from([["NL"], ["NL", "BE"], ["NL", "BE", "DE"]]))
    rates = draw(st.sampled_from([["21"], ["21", "9"], ["0"], ["0", "21", "9"]]))
    platforms = draw(st.sampled_from([["shopify"], ["shopify", "magento"]]))
    packages = draw(st.sampled_from([["exact"], ["exact", "odoo"]]))
    identical = draw(st.booleans())
    amount = draw(AMOUNTS)
    rows = []
    for enterprise in range(draw(st.integers(0, 45))):
        for _ in range(draw(st.integers(1, 2))):
            key = " ".join(draw(st.sampled_from(values)) for values in (countries, rates, platforms, packages))
            rows.append(row(enterprise, key, amount if identical else draw(AMOUNTS)))
    if draw(st.booleans()):
        rows.append(row(999, f"{countries[0]} {rates[-1]} {platforms[0]} {packages[-1]}", 50_000_000))
    return rows


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cubes())
def test_what_is_published_of_any_cube_is_safe(rows: list[Contribution]) -> None:
    population = simulated(rows)
    pattern, report = decide(population, rates_of(population.base), RULES, family=Family.SALES)
    shown = [cell for cell, fate in pattern.fates.items() if fate is Fate.PUBLISHED]
    assert bool(shown) is (pattern.step is not Step.NOTHING)
    assert report.safe
    assert audit(population, rates_of(population.base), RULES, pattern).safe
    if shown:
        assert too_close(population, shown, RULES) == 0


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cubes(), st.integers(0, 44))
def test_an_enterprise_more_or_less_never_breaks_the_other_quarter(rows: list[Contribution], gone: int) -> None:
    """Releases share no figure: each is safe for itself, with or without the one who left."""
    for kept in (rows, [each for each in rows if each.enterprise != gone]):
        population = simulated(kept)
        pattern, report = decide(population, rates_of(population.base), RULES, family=Family.SALES)
        assert report.safe
        shown = [cell for cell, fate in pattern.fates.items() if fate is Fate.PUBLISHED]
        assert not shown or too_close(population, shown, RULES) == 0
