"""The dated table of VAT rates: which rates the law of a country knew on a day.

The Netherlands now; a country is added by adding rows. A rate stays in the table when it ends, because refunds and
backfills judge old documents by the law of their day. The table says which rates exist, not which goods they are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

#: Raise it with every change of a row below.
TABLE_VERSION = "2026-11-23"
#: Stands in the log of every run: raise the first part with every change of a rule in ``vat.TABLE``.
RULES_VERSION = f"1/{TABLE_VERSION}"


@dataclass(frozen=True)
class Rate:
    """``percent`` was law in ``country`` from ``since`` to ``until``, both included (``None``: it still is)."""

    country: str
    percent: Decimal
    name: str
    since: date
    until: date | None
    law: str


RATES: tuple[Rate, ...] = (
    # Before 1 October 2012 the general rate was 19 %; documents that old are never booked.
    Rate("NL", Decimal(21), "standard", date(2012, 10, 1), None, "Wet OB art. 9(1)"),
    Rate("NL", Decimal(6), "reduced", date(1986, 10, 1), date(2018, 12, 31), "Wet OB art. 9(2)(a), Tabel I"),
    Rate("NL", Decimal(9), "reduced", date(2019, 1, 1), None, "Wet OB art. 9(2)(a), Tabel I"),
    Rate("NL", Decimal(0), "zero", date(1969, 1, 1), None, "Wet OB art. 9(2)(b), Tabel II"),
)


def covered(country: str) -> bool:
    """Return whether the table has rates of ``country`` at all."""
    return any(rate.country == country for rate in RATES)


def known(country: str, rate: Decimal, on: date) -> bool:
    """Return whether ``rate`` (percent) was a VAT rate of ``country`` (ISO 3166-1) on the day ``on``."""
    return any(
        row.country == country and row.percent == rate and row.since <= on and (row.until is None or on <= row.until)
        for row in RATES
    )


def tidy(rate: Decimal) -> Decimal:
    """Return ``rate`` in its one written form: ``21`` for 21.0000, ``5.5`` for 5.50 (it is a key of the mapping)."""
    whole = rate.to_integral_value()
    return whole.quantize(Decimal(1)) if rate == whole else rate.normalize()
