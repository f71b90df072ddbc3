"""Releases for the tests: small populations whose every figure is worked out by hand, and simulated ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sluis.statistics.contract import Cell, Family, Fate, Pattern, Release, Rules, Step, StoredRelease, Table
from sluis.statistics.domain import Domain, domain, first_day
from sluis.statistics.lines import Cube
from sluis.statistics.population import InMemory
from sluis.statistics.release import build, sha256
from tests.statistics.made import people

PLATFORMS, PACKAGES = ("shopify", "woocommerce"), ("exact", "moneybird")
TOTAL = Cell(Table.TOTAL, ())
NL, NL21 = Cell(Table.COUNTRY, ("NL",)), Cell(Table.COUNTRY_RATE, ("NL", "21"))
RATE21, RATE9 = Cell(Table.RATE, ("21",)), Cell(Table.RATE, ("9",))
#: Published of the sales in ``sold``.
SHOWN = (TOTAL, NL, NL21, RATE21)

Row = tuple[int, str, float]


def sold(euros: float = 100_000) -> list[Row]:
    """Return twelve enterprises of ``euros`` each in NL at 21 %, two of which sell at 9 % too."""
    big = [(number, "NL 21 woocommerce moneybird", euros) for number in range(12)]
    return [*big, *((number, "NL 9 shopify exact", 1000.0) for number in range(2))]


def pattern(family: Family, population: InMemory, shown: Iterable[Cell], step: Step = Step.ALL) -> Pattern:
    told = set(shown)
    cells = Cube(population.base).cells(step.tables)
    fates = {cell: Fate.PUBLISHED if cell in told else Fate.FEW for cell in cells}
    return Pattern(family=family, step=step, fates=fates | dict.fromkeys(told, Fate.PUBLISHED))


def places(quarter: str) -> Domain:
    return domain(quarter, PLATFORMS, PACKAGES)


def release(
    quarter: str = "2026-Q3",
    sales: Sequence[Row] | None = None,
    *,
    shown: Iterable[Cell] = SHOWN,
    step: Step = Step.ALL,
    earlier: Sequence[StoredRelease] = (),
    provisional: bool = False,
    rules: Rules | None = None,
    cells: Domain | None = None,
) -> Release:
    """Return a release of ``sales``; nothing was refunded."""
    families = {Family.SALES: people(sold() if sales is None else sales), Family.REFUNDS: people([])}
    patterns = {
        Family.SALES: pattern(Family.SALES, families[Family.SALES], shown, step),
        Family.REFUNDS: Pattern(family=Family.REFUNDS, step=Step.NOTHING, fates={}),
    }
    at = datetime.combine(first_day(quarter), datetime.min.time(), UTC) + timedelta(days=120)
    return build(
        quarter, at, patterns=patterns, populations=families, domain=cells or places(quarter), rules=rules or Rules(),
        refused={"unknown_country": 2}, provisional=provisional, earlier=earlier,
    )  # fmt: skip


def stored(made: Release) -> StoredRelease:
    return StoredRelease(made, sha256(made), {})


def ledger(*quarters: str, shown: Iterable[Cell] = SHOWN) -> list[StoredRelease]:
    """Return a chain of releases, each of a little more than the one before."""
    chain: list[StoredRelease] = []
    for place, quarter in enumerate(quarters):
        chain.append(stored(release(quarter, sold(100_000 + 10_000 * place), shown=shown, earlier=chain)))
    return chain
