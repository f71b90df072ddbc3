"""The recapitulative statement (opgaaf ICP): supplies to businesses elsewhere in the EU, per VAT number.

Wet OB art. 37a; VAT directive art. 262 to 264. VAT numbers are not stored: they come from the shop's orders, in
memory, at the moment a person asks. The number stays ``Personal`` up to the text that he asked for; this module is the
only one that writes it out, for the command line alone. No log, table, XCom or exception ever gets it.

Simplified triangular trade (ABC) is not listed: an order does not tell it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from sluis.core.figures import Figure
from sluis.core.frozen import Frozen
from sluis.core.money import from_cents
from sluis.core.personal import NOBODY, Personal
from sluis.core.vat_numbers import parts
from sluis.core.vat_return import Rules, is_listed

#: Stands for a document whose buyer the shop does not show any more, or whose number is no VAT number.
UNKNOWN = ""


class IcpTotal(Frozen):
    """What of the list may be stored: sums per country of the number (``XI``: Northern Ireland; empty: unknown)."""

    country: str
    numbers: int
    goods_cents: int
    services_cents: int


class IcpLine(Frozen):
    """One VAT number. Cents without VAT, signed: credit notes taken off."""

    country: str  #: the letters in front of the number, ``EL`` for Greece
    number: Personal  #: without those letters
    goods_cents: int
    services_cents: int


class Icp:
    """Adds supplies up per VAT number, in memory."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._sums: dict[tuple[str, Personal], tuple[int, int]] = {}

    def add(self, figures: Iterable[Figure], number: Personal, country: str) -> None:
        """Add a document of the buyer with this number; ``country`` (ISO) says whose it is where it does not."""
        listed = [f for f in figures if is_listed(f.treatment, self._rules)]
        if not listed:
            return
        found = parts(number.reveal(), country) or (UNKNOWN, "")
        key = found[0], Personal(found[1]) if found[1] else NOBODY
        goods, services = self._sums.get(key, (0, 0))
        for figure in listed:
            assert figure.treatment is not None
            if figure.treatment.services:
                services += figure.net_cents
            else:
                goods += figure.net_cents
        self._sums[key] = goods, services

    def lines(self) -> tuple[IcpLine, ...]:
        """Return one line per number, sorted by country and number."""
        keys = sorted(self._sums, key=lambda key: (key[0], key[1].reveal()))
        return tuple(
            IcpLine(country=key[0], number=key[1], goods_cents=self._sums[key][0], services_cents=self._sums[key][1])
            for key in keys
        )

    def totals(self) -> tuple[IcpTotal, ...]:
        """Return the sums per country: what may be stored and logged."""
        lines = self.lines()
        return tuple(
            IcpTotal(
                country=country,
                numbers=sum(bool(line.number) for line in lines if line.country == country),
                goods_cents=sum(line.goods_cents for line in lines if line.country == country),
                services_cents=sum(line.services_cents for line in lines if line.country == country),
            )
            for country in sorted({line.country for line in lines})
        )


def shown(lines: Iterable[IcpLine]) -> Iterator[tuple[str, str, str, str]]:
    """Yield country, number, goods and services (amounts with two decimals), as a person asked for them."""
    for line in lines:
        yield line.country, line.number.reveal(), *_amounts(line)


def as_csv(lines: Iterable[IcpLine]) -> str:
    """Return the list as CSV with a heading: country, number, goods, services."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["country", "vat_number", "goods", "services"])
    writer.writerows(shown(lines))
    return text.getvalue()


def _amounts(line: IcpLine) -> tuple[str, str]:
    return f"{from_cents(line.goods_cents):.2f}", f"{from_cents(line.services_cents):.2f}"
