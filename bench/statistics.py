"""What anonymous statistics cost and how much they still show, beside a naive release that only counts enterprises.

``python bench/statistics.py [enterprises ...]`` prints tables; simulated enterprises, one quarter, both families. The
naive release publishes every cell of at least ten enterprises; the outsider's linear programme then counts the unsafe
groups (cells of any cross of dimensions) that it gives away. Figures are judged by nobody: a clock never fails a build.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from sluis.statistics.contract import Attacker, Cell, Family, Fate, Rules, Step
from sluis.statistics.lines import rates_of
from sluis.statistics.population import InMemory
from sluis.statistics.programme import TOLERANCE, Programme
from sluis.statistics.simulate import contributions
from sluis.statistics.simulate import population as simulated
from sluis.statistics.suppression import Search, decide
from sluis.statistics.threats import Observed, threats

_SEEDS = (1, 2, 3)
_HEAD = (
    "| enterprises | dimensions | base cells | cells | naive: shown | gives away | safe: step | shown | cells % "
    "| amount % | above optimum % | rounds | programmes | naive CPU s | safe CPU s | ratio |"
)


def main(sizes: Sequence[int]) -> None:
    """Measure how the search and the audit grow with the enterprises and with the dimensions."""
    print(_HEAD)
    print("|" + " ---: |" * (_HEAD.count("|") - 1))
    for size in sizes:
        for seed in _SEEDS:
            for family in Family:
                measure(size, seed, family, 6)
    for values in (2, 3, 4, 5):
        measure(300, 1, Family.SALES, values)


def measure(size: int, seed: int, family: Family, values: int) -> None:
    """Print one line: ``values`` countries, platforms and packages."""
    rows = contributions(size, seed, countries=values, platforms=values, packages=values)
    population = simulated(rows, family)
    started = time.process_time()
    seen = Observed.of(population, Rules())
    naive = [cell for cell, top in seen.tops.items() if top.enterprises >= seen.rules.min_enterprises]
    counted = time.process_time() - started
    lost = given_away(seen, population, naive)
    started = time.process_time()
    pattern, audit = decide(population, rates_of(population.base), Rules(), family=family)
    took = time.process_time() - started
    shown = [cell for cell, fate in pattern.fates.items() if fate is Fate.PUBLISHED]
    share = 100 * len(shown) // max(len(seen.tops), 1)
    print(
        f"| {size} {family} | {values}x{values}x{values} | {len(population.base)} | {len(seen.tops)} | {len(naive)} "
        f"| {lost} | {pattern.step} | {len(shown)} | {share} | {audit.revenue_share_percent} "
        f"| {above_optimum(seen, population, shown)} | {audit.rounds} | {audit.linear_programmes} "
        f"| {counted:.3f} | {took:.1f} | {took / max(counted, 0.001):.0f} |",
        flush=True,
    )
    assert audit.safe or pattern.step is Step.NOTHING


def above_optimum(seen: Observed, population: InMemory, shown: Sequence[Cell]) -> str:
    """Return by how many percent more is lost than the least that any safe pattern loses (0: it is the optimum)."""
    search = Search(seen, rates_of(population.base), Step.ALL, time.monotonic() + 120)
    if search.run() is None or not search.floor:
        return "-"
    return f"{100 * (search.price(shown) / search.floor - 1):.1f}"


def given_away(seen: Observed, population: InMemory, shown: Sequence[Cell]) -> int:
    """Return how many unsafe groups an outsider comes too close to: shown though dominated, or bounded too tightly."""
    if not shown:
        return 0
    attack = Programme(seen, rates_of(population.base), shown)
    truth = population.cents()
    lost = 0
    for spy, target in threats(seen):
        if spy.attacker is Attacker.OUTSIDER:
            real = sum(truth[number] for number in target.members)
            above = attack.bound(target.members, True, spy).cents - real
            below = real - attack.bound(target.members, False, spy).cents
            lost += above < target.above - TOLERANCE or below < target.below - TOLERANCE
    return lost


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [40, 300, 3000])
