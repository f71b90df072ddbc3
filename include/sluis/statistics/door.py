"""The door of the statistics: what a booked document adds, or why it cannot be counted. Nothing is bent to fit.

A document is judged whole: one that is refused is counted as refused, and stays in the books as it is.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from sluis.core.figures import Figures
from sluis.core.rates import RATES, tidy
from sluis.errors import Refused

FIGURES_EXPIRED = "figures_expired"
NOT_IN_EURO = "not_in_euro"
NEGATIVE_AMOUNT = "negative_amount"
UNKNOWN_COUNTRY = "unknown_country"
RATE_NOT_IN_LAW = "rate_not_in_law"
VAT_NOT_OF_RATE = "vat_not_of_rate"


class Sums(NamedTuple):
    """What a document adds to one country and rate: whole euro cents, neither is negative."""

    country: str
    vat_rate: Decimal
    net_cents: int
    vat_cents: int


def quarter_of(day: date) -> date:
    """Return the first day of the quarter of ``day``."""
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def admitted(figures: Figures | None, *, credit: bool, currency: str, on: date) -> tuple[Sums, ...]:
    """Return what a document adds, per country and VAT rate; ``credit``: a credit note, whose figures are negative.

    Cash rounding is no revenue and is left out. Raises ``Refused`` with a code of this module: figures that retention
    has emptied, another currency than EUR, a sum below zero, a country or a rate that the table of VAT rates does not
    know on the day ``on`` (a credit note may be of an older sale: any rate that was law before), VAT that is not the
    rate of the amount to a cent per line.
    """
    if figures is None:
        raise Refused("its figures have expired", code=FIGURES_EXPIRED, field="figures")
    if currency != "EUR":
        raise Refused(f"it is in {currency}", code=NOT_IN_EURO, field="currency")
    sign = -1 if credit else 1
    sums: dict[tuple[str, Decimal], tuple[int, int, int]] = {}
    for figure in figures:
        if figure.treatment is not None:
            key = figure.treatment.country, tidy(figure.treatment.rate)
            net, vat, lines = sums.get(key, (0, 0, 0))
            sums[key] = net + sign * figure.net_cents, vat + sign * figure.vat_cents, lines + figure.lines
    found = {key: (Sums(*key, net, vat), lines) for key, (net, vat, lines) in sorted(sums.items())}
    for part, lines in found.values():
        _judge(part, lines, on, credit=credit)
    return tuple(part for part, _ in found.values() if part.net_cents or part.vat_cents)


def _judge(part: Sums, lines: int, on: date, *, credit: bool) -> None:
    country, rate, net, vat = part
    where = f"{country} {rate}%"
    if net < 0 or vat < 0:
        raise Refused(f"{where}: it adds up to less than nothing", code=NEGATIVE_AMOUNT, field="figures")
    known = [row for row in RATES if row.country.split("-")[0] == country]
    if not known:
        raise Refused(f"{where}: no country of the table of VAT rates", code=UNKNOWN_COUNTRY, field="country")
    if rate and not any(row.percent == rate and (row.since <= on if credit else row.in_force(on)) for row in known):
        raise Refused(f"{where}: no rate of that country on {on}", code=RATE_NOT_IN_LAW, field="vat_rate")
    due = int((net * rate / 100).quantize(Decimal(1), ROUND_HALF_UP))
    if abs(vat - due) > lines:
        raise Refused(f"{where}: the VAT is not the rate of the amount", code=VAT_NOT_OF_RATE, field="vat")
