"""The fixed domain of every table: which cells a release lists, whoever sells there.

It follows from the law, the calendar and what is installed, never from the input: so no row tells by being there, or by
being absent, that somebody sells there. Countries are those of the table of VAT rates (a region counts to its country),
rates those that a country's law knew, and 0 (exempt, reverse charge, export). Platforms and packages are the installed
connectors, told by the caller: statistics know no connector.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import product

from sluis.core import rates
from sluis.errors import Defect
from sluis.statistics.contract import Table

#: Table -> the keys of its cells, in the order in which a release lists them.
Domain = Mapping[Table, tuple[tuple[str, ...], ...]]
#: A return, and a document that came late, carry the rate of the day of the sale: rates that ended up to so many
#: years before are listed too. A cell of an older rate is not listed, and counts in every total above it.
LOOK_BACK_YEARS = 1

_QUARTER = re.compile(r"(\d{4})-Q([1-4])")


def quarter_of(day: date) -> str:
    """Return the name of the quarter that ``day`` lies in: ``2026-Q3``."""
    return f"{day.year:04}-Q{(day.month + 2) // 3}"


def first_day(quarter: str) -> date:
    """Return the first day of a quarter (``2026-Q3``); raises ``Defect`` for another form."""
    found = _QUARTER.fullmatch(quarter)
    if found is None or found[1] == "0000":
        raise Defect("a quarter of the statistics is written like 2026-Q3", code="period")
    return date(int(found[1]), 3 * int(found[2]) - 2, 1)


def last_day(quarter: str) -> date:
    """Return the last day of a quarter."""
    first = first_day(quarter)
    return (date(first.year, first.month + 2, 1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def quarters_of_year(quarter: str) -> tuple[str, ...]:
    """Return the four quarters of the year that ``quarter`` lies in."""
    return tuple(f"{first_day(quarter).year:04}-Q{number}" for number in range(1, 5))


def law(quarter: str) -> dict[str, tuple[Decimal, ...]]:
    """Return country -> the rates (percent, rising, 0 among them) its releases list in ``quarter``."""
    first, last = first_day(quarter), last_day(quarter)
    since = date(first.year - LOOK_BACK_YEARS, first.month, 1)
    found: dict[str, set[Decimal]] = {}
    for rate in rates.RATES:
        known = found.setdefault(rate.country.partition("-")[0], {Decimal(0)})
        if rate.since <= last and (rate.until is None or rate.until >= since):
            known.add(rates.tidy(rate.percent))
    return {country: tuple(sorted(known)) for country, known in sorted(found.items())}


def domain(quarter: str, platforms: Iterable[str], packages: Iterable[str]) -> Domain:
    """Return the cells of every table in ``quarter``.

    ``platforms``, ``packages``: the names of the installed connectors. Raises ``Defect`` where there is none of a kind.
    """
    shops, books = sorted(set(platforms)), sorted(set(packages))
    if not shops or not books:
        raise Defect("statistics need the names of the installed platforms and packages", code="no_connectors")
    of_country = law(quarter)
    every_rate = sorted({rate for known in of_country.values() for rate in known})
    return {
        Table.TOTAL: ((),),
        Table.COUNTRY: tuple((country,) for country in of_country),
        Table.RATE: tuple((percent(rate),) for rate in every_rate),
        Table.PLATFORM: tuple((name,) for name in shops),
        Table.PACKAGE: tuple((name,) for name in books),
        Table.COUNTRY_RATE: tuple(
            (country, percent(rate)) for country, known in of_country.items() for rate in known
        ),
        Table.PLATFORM_PACKAGE: tuple(product(shops, books)),
        Table.COUNTRY_PLATFORM: tuple(product(of_country, shops)),
    }  # fmt: skip


def percent(rate: Decimal) -> str:
    """Return a rate as cells are keyed by it: ``21``, ``5.5``, ``0``."""
    return format(rates.tidy(rate), "f")
