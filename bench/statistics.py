"""What anonymous statistics cost and how much they still show, beside a naive release that only counts enterprises.

``python -P bench/statistics.py [enterprises ...]`` prints tables: simulated enterprises, one quarter, both families.
The naive release publishes every cell of at least ten enterprises; the outsider's linear programme then counts the
unsafe groups (cells of any cross of dimensions) that it gives away. ``python -P bench/statistics.py sql [rows ...]``
times the aggregation of contributions in PostgreSQL. Figures are judged by nobody: a clock never fails a build.
(``-P``: else this file hides the standard library's module of the same name.)
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import psycopg

from sluis.statistics.contract import Attacker, Cell, Family, Fate, Rules, Step
from sluis.statistics.lines import rates_of
from sluis.statistics.population import InMemory
from sluis.statistics.programme import TOLERANCE, Programme
from sluis.statistics.simulate import contributions
from sluis.statistics.simulate import population as simulated
from sluis.statistics.suppression import Search, decide
from sluis.statistics.threats import Observed, threats
from sluis.store.migrate import STATISTICS_ROLE, upgrade
from sluis.store.server import LocalServer
from sluis.store.statistics import Statistics

_SEEDS = (1, 2, 3)
_HEAD = (
    "| enterprises | dimensions | base cells | cells | naive: shown | gives away | safe: step | shown | cells % "
    "| amount % | above optimum % | rounds | programmes | naive CPU s | safe CPU s | ratio |"
)


_QUARTER = date(2026, 7, 1)
_CELLS = 20  # per merchant
_MERCHANTS = """
insert into sluis.merchant (code, name, hash_key_wrapped, key_id, statistics_agreed_at)
    select 'm' || n, 'Voorbeeld', 'sealed', 'k', now() from generate_series(1, %s) as n
"""
_CONTRIBUTIONS = """
insert into sluis.statistics_contribution (merchant_code, quarter, country, vat_rate, platform, package, revenue_cents,
    revenue_vat_cents, refunds_cents, refunds_vat_cents, documents)
select 'm' || n, '2026-07-01', (array['NL', 'BE', 'DE', 'FR', 'AT', 'ES'])[1 + cell %% 5 + (n %% 2)::int],
    (array[21, 9])[1 + cell / 5 %% 2], (array['woocommerce', 'shopify', 'magento'])[1 + cell / 10 + (n / 7 %% 2)::int],
    (array['moneybird', 'exact', 'odoo'])[1 + (n %% 3)::int], 10000 + n %% 99991, 2100, 500, 105, 3
from generate_series(1, %s) as n cross join generate_series(0, 19) as cell
"""


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


def aggregate(entries: int) -> None:
    """Fill a PostgreSQL of its own (fsync on) with ``entries`` contributions and time the SQL that adds them up."""
    with tempfile.TemporaryDirectory(prefix="sluis-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)
        server = LocalServer(Path(directory) / "server", settings={"max_wal_size": "4GB", "shared_buffers": "256MB"})
        server.start()
        try:
            server.provide("bench", "sluis_owner")
            upgrade(server.dsn("bench", "sluis_owner"))
            with psycopg.connect(server.dsn("bench", "sluis_owner"), autocommit=True) as owner:
                owner.execute(_MERCHANTS, [entries // _CELLS])
                owner.execute("alter table sluis.statistics_contribution disable trigger statistics_frozen")
                owner.execute(_CONTRIBUTIONS, [entries // _CELLS])
                owner.execute("vacuum analyze sluis.statistics_contribution, sluis.merchant")
            _time_reading(server.dsn("bench", STATISTICS_ROLE), entries)
        finally:
            server.stop()


def _time_reading(dsn: str, entries: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        store = Statistics(conn)
        started = time.perf_counter()
        with store.reading():
            found = store.entries(_QUARTER, "sales")
        read = time.perf_counter() - started
        population = InMemory.copied(found.keys, found.vat_cents, found.entries)
        loaded = time.perf_counter() - started - read
        Observed.of(population, Rules())
        seen = time.perf_counter() - started - read - loaded
        print(
            f"{entries} rows: {read:.1f} s in SQL, {loaded:.1f} s into memory, {seen:.1f} s for who stands in each cell"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["sql"]:
        for amount in sys.argv[2:] or ["100000", "1000000", "10000000"]:
            aggregate(int(amount))
        sys.exit()
    main([int(size) for size in sys.argv[1:]] or [40, 300, 3000])
