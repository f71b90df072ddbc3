"""The dated table of VAT rates: which rates the law of a country knew on a day, from 2021 on.

A country is added by adding rows to ``rates_eu`` or ``rates_other``. A rate stays in the table when it ends, because
refunds and backfills judge old documents by the law of their day. The table says which rates exist, not which goods
they are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sluis.core import rates_eu, rates_other

#: Raise it with every change of a row.
TABLE_VERSION = "2026-11-23.2"
#: Stands in the log of every run: raise the first part with every change of a rule in ``vat.TABLE``.
RULES_VERSION = f"2/{TABLE_VERSION}"


@dataclass(frozen=True)
class Rate:
    """``percent`` was law in ``country`` from ``since`` to ``until``, both included (``None``: it still is)."""

    country: str  #: ISO 3166-1 (``XI``, ``IC`` too), or the key of a region (``territory.Place.rates``)
    percent: Decimal
    name: str  #: standard, reduced, super-reduced, parking, increased, zero or temporary
    since: date
    until: date | None
    law: str

    def in_force(self, on: date) -> bool:
        """Whether it was law on the day ``on``."""
        return self.since <= on and (self.until is None or on <= self.until)


def _row(row: rates_eu.Row) -> Rate:
    country, percent, name, since, until, law = row
    end = date.fromisoformat(until) if until else None
    return Rate(country, Decimal(percent), name, date.fromisoformat(since), end, law)


RATES: tuple[Rate, ...] = tuple(_row(row) for row in (*rates_eu.ROWS, *rates_other.ROWS))


def of(country: str, on: date) -> tuple[Rate, ...]:
    """Return the rates of ``country`` (ISO 3166-1, or the key of a region) on the day ``on``, as the table has them."""
    return tuple(rate for rate in _BY_COUNTRY.get(country, ()) if rate.in_force(on))


def known(country: str, rate: Decimal, on: date) -> bool:
    """Return whether ``rate`` (percent) was a VAT rate of ``country`` (or region) on the day ``on``."""
    return any(row.percent == rate for row in of(country, on))


def tidy(rate: Decimal) -> Decimal:
    """Return ``rate`` in its one written form: ``21`` for 21.0000, ``5.5`` for 5.50 (it is a key of the mapping)."""
    whole = rate.to_integral_value()
    return whole.quantize(Decimal(1)) if rate == whole else rate.normalize()


_BY_COUNTRY: dict[str, tuple[Rate, ...]] = {
    country: tuple(rate for rate in RATES if rate.country == country) for country in {rate.country for rate in RATES}
}
