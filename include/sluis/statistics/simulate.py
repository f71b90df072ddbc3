"""Simulated enterprises, seeded: what the demo, the documentation and the bench feed the statistics with.

No figure is anybody's. The shape is meant to be as awkward as the real thing: lognormal sizes, most enterprises at
home, on the platform and the package that most others use, a few on two platforms, rare rates and rare combinations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import NamedTuple, TypeVar

from sluis.statistics.contract import Family
from sluis.statistics.population import InMemory

_T = TypeVar("_T")

#: Country -> (weight as a home, rates by law in the second half of 2026 with how often goods are sold at them).
_COUNTRIES: dict[str, tuple[float, dict[str, float]]] = {
    "NL": (0.60, {"21": 0.80, "9": 0.18, "0": 0.02}),
    "BE": (0.14, {"21": 0.80, "6": 0.17, "12": 0.03}),
    "DE": (0.12, {"19": 0.82, "7": 0.18}),
    "FR": (0.07, {"20": 0.80, "5.5": 0.15, "10": 0.05}),
    "AT": (0.04, {"20": 0.84, "10": 0.16}),
    "ES": (0.03, {"21": 0.82, "10": 0.18}),
}
_PLATFORMS = {
    "woocommerce": 0.42,
    "shopify": 0.27,
    "prestashop": 0.12,
    "magento": 0.10,
    "lightspeed": 0.05,
    "shopware": 0.04,
}
_PACKAGES = {"moneybird": 0.38, "exact": 0.26, "twinfield": 0.14, "eboekhouden": 0.12, "snelstart": 0.06, "odoo": 0.04}


class Contribution(NamedTuple):
    """What one enterprise sold in a quarter in one base cell; euro cents, none negative."""

    enterprise: int
    country: str
    vat_rate: str
    platform: str
    package: str
    revenue_cents: int
    revenue_vat_cents: int
    refunds_cents: int
    refunds_vat_cents: int

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return the base cell, in the order of ``contract.DIMENSIONS``."""
        return self.country, self.vat_rate, self.platform, self.package


def population(rows: Iterable[Contribution], family: Family = Family.SALES) -> InMemory:
    """Return what ``rows`` say of ``family`` as the statistics take it."""
    if family is Family.SALES:
        return InMemory.of((row.enterprise, row.key, row.revenue_cents, row.revenue_vat_cents) for row in rows)
    return InMemory.of((row.enterprise, row.key, row.refunds_cents, row.refunds_vat_cents) for row in rows)


def contributions(
    enterprises: int, seed: int, *, countries: int = 6, platforms: int = 6, packages: int = 6
) -> list[Contribution]:
    """Return what ``enterprises`` simulated ones sold in a quarter; the same for the same arguments.

    ``countries``, ``platforms`` and ``packages`` take so many of the six of each, the most used first.
    """
    random = Random(seed)  # noqa: S311 - simulated figures, not secrets
    homes = {code: weight for code, (weight, _) in list(_COUNTRIES.items())[:countries]}
    shops = dict(list(_PLATFORMS.items())[:platforms])
    books = dict(list(_PACKAGES.items())[:packages])
    rows: list[Contribution] = []
    for enterprise in range(enterprises):
        rows += _enterprise(random, enterprise, homes, shops, books)
    return rows


def _enterprise(
    random: Random, enterprise: int, homes: Mapping[str, float], shops: Mapping[str, float], books: Mapping[str, float]
) -> list[Contribution]:
    turnover = random.lognormvariate(10.6, 1.3)  # a median of EUR 40,000 a quarter; the largest of 300 some 40 times it
    package = _one(random, books)
    platforms = [_one(random, shops)]
    if random.random() < 0.08:
        platforms.append(_one(random, shops))
    cents: dict[tuple[str, str, str], Decimal] = {}
    for country, share in _destinations(random, homes).items():
        for rate, part in _goods(random, country).items():
            for platform in platforms:
                key = (country, rate, platform)
                cents[key] = cents.get(key, Decimal(0)) + _cents(turnover * share * part / len(platforms))
    returned = Decimal(f"{max(0.0, random.gauss(0.06, 0.05)):.4f}")
    return [
        _contribution(random, enterprise, (*key, package), amount, returned)
        for key, amount in cents.items()
        if amount > 0
    ]


def _contribution(
    random: Random, enterprise: int, key: tuple[str, str, str, str], amount: Decimal, returned: Decimal
) -> Contribution:
    refunds = (amount * returned).quantize(Decimal(1))
    rate = Decimal(key[1]) / 100
    rounding = random.randint(-3, 3) if rate else 0  # each document rounds its own VAT
    vat = max(int((amount * rate).quantize(Decimal(1), ROUND_HALF_UP)) + rounding, 0)
    return Contribution(
        enterprise, *key, int(amount), vat, int(refunds), int((refunds * rate).quantize(Decimal(1), ROUND_HALF_UP))
    )


def _destinations(random: Random, homes: Mapping[str, float]) -> dict[str, float]:
    """Return the share of the turnover by country: all at home for most, the rest spread over others for some."""
    home = _one(random, homes)
    others = [country for country in homes if country != home]
    if not others or random.random() < 0.6:
        return {home: 1.0}
    abroad = random.uniform(0.03, 0.4)
    reached = random.sample(others, random.randint(1, len(others)))
    weights = {country: random.random() * (0.3 + homes[country]) for country in reached}
    total = sum(weights.values())
    return {home: 1.0 - abroad} | {country: abroad * weight / total for country, weight in weights.items()}


def _goods(random: Random, country: str) -> dict[str, float]:
    """Return the share of the sales by rate: one rate for most, two for some."""
    rates = _COUNTRIES[country][1]
    first = _one(random, rates)
    if random.random() < 0.75:
        return {first: 1.0}
    share = random.uniform(0.05, 0.5)
    second = _one(random, rates)
    return {first: 1.0} if first == second else {first: 1.0 - share, second: share}


def _one(random: Random, weighted: Mapping[_T, float]) -> _T:
    choices: Sequence[_T] = list(weighted)
    return random.choices(choices, weights=list(weighted.values()))[0]


def _cents(euros: float) -> Decimal:
    return Decimal(f"{euros * 100:.0f}")
