"""Brings the shop's figures per line, per rate and per document together without recomputing what was charged.

A shop states VAT three times: per line and rate, per rate over the order, and in the total. They differ by cents, and
the books must agree with the last two. So:

* A line under several rates is divided where the VAT charged pins the division down, else refused.
* VAT per rate is what the shop charged per rate; where the lines' own rows differ from it by a few cents, the lines
  give way, the largest first and one cent each, so that lines add up to BG-23 and BG-23 equals the shop.
* The total is what the customer owes. What lines and VAT leave over stands on one named rounding line in the rate it
  arose in.
* Every one of these differences, and that between VAT and rate times amount, may be a cent per line at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from sluis.core import reasons
from sluis.core.invoice import total
from sluis.core.money import CENT, ZERO, round_cents
from sluis.core.order import ChargedVat, OrderLine
from sluis.core.rates import tidy
from sluis.errors import Refused

#: A rate in percent; ``None`` for lines without a VAT row.
Rate = Decimal | None


@dataclass(frozen=True)
class Part:
    """A line, or the part of it under one rate. ``field`` says where it stands in the order."""

    line: OrderLine
    rate: Rate
    net: Decimal
    vat: Decimal
    field: str
    divided: bool = False  #: the line has other parts

    @property
    def gross(self) -> Decimal:
        """With VAT."""
        return self.net + self.vat


@dataclass(frozen=True)
class Figures:
    """The parts with their final VAT, and what is left over."""

    parts: tuple[Part, ...]
    residual: Decimal
    origin: Part | None  #: a part under the rate that a left-over belongs to; ``None`` when there are no lines
    spread: bool  #: some line's VAT gave way to the rate's


def per_rate(rows: Iterable[ChargedVat]) -> dict[Decimal, Decimal]:
    """Add VAT rows up per rate."""
    sums: dict[Decimal, Decimal] = {}
    for row in rows:
        sums[row.rate] = sums.get(row.rate, ZERO) + row.amount
    return sums


def largest(parts: Iterable[Part]) -> Part | None:
    """Return the part with the largest amount, the same one in whatever order they come."""
    return max(parts, key=lambda part: (abs(part.net), part.line.line_id), default=None)


def parts_of(lines: Iterable[OrderLine], where: str = "lines") -> tuple[Part, ...]:
    """Divide lines into parts of one rate; raises ``Refused`` where the rows contradict the line."""
    return tuple(part for index, line in enumerate(lines) for part in _parts(line, f"{where}[{index}].vat"))


def settle(parts: tuple[Part, ...], charged: Mapping[Decimal, Decimal], owed: Decimal) -> Figures:
    """Make ``parts`` agree with the VAT ``charged`` per rate and with ``owed``, the total with VAT.

    An empty ``charged`` means that the shop gave no VAT per rate; the lines' rows are taken. Raises ``Refused`` with
    ``vat_amount_differs`` where VAT is off by more than a cent per line. Neither what is left over nor whether VAT is
    its rate of the amount (``plausible``) is judged here.
    """
    settled = _spread(parts, charged) if charged else parts
    residual = owed - total(part.gross for part in settled)
    return Figures(settled, residual, _origin(settled), spread=settled != parts)


def _parts(line: OrderLine, field: str) -> tuple[Part, ...]:
    rows = per_rate(line.vat)
    if abs(total(rows.values()) - line.vat_total) > CENT * max(len(line.vat), 1) or (not rows and line.vat_total):
        raise _differs("the line's VAT is not the sum of its rows", field)
    if not rows:
        return (Part(line, None, line.net, ZERO, field),)
    if len(rows) == 1:
        ((rate, amount),) = rows.items()
        return (Part(line, rate, line.net, amount, field),)
    return _divide(line, rows, field)


def _divide(line: OrderLine, rows: Mapping[Decimal, Decimal], field: str) -> tuple[Part, ...]:
    """Divide the net amount in the ratio of what each rate's VAT stands for, if every rate then fits to the cent.

    A part at 0 % shows in no VAT amount: it is nothing where the other rates explain the whole line, and cannot be
    known where they do not. Two rates that each count over the whole line (a federal and a state tax) do not fit.
    """
    implied = {rate: amount * 100 / rate for rate, amount in rows.items() if rate and amount}
    weight = sum(implied.values(), start=Decimal(0))
    if not weight:
        raise _undivided(field)
    rates = sorted(implied)
    nets = {rate: round_cents(line.net * implied[rate] / weight) for rate in rates}
    nets[rates[-1]] += line.net - total(nets.values())
    if any(abs(nets[rate] * rate / 100 - rows[rate]) > CENT for rate in rates):
        raise _undivided(field)
    return tuple(Part(line, rate, nets[rate], rows[rate], field, divided=len(rates) > 1) for rate in rates)


def _spread(parts: tuple[Part, ...], charged: Mapping[Decimal, Decimal]) -> tuple[Part, ...]:
    """Give every rate the VAT the shop charged over it, a cent per part, the parts with the largest amount first."""
    rates = {part.rate for part in parts if part.rate is not None}
    if any(amount and rate not in rates for rate, amount in charged.items()):
        raise _differs("VAT was charged at a rate that no line carries", "vat")
    by_size = sorted(range(len(parts)), key=lambda i: (-abs(parts[i].net), parts[i].line.line_id))
    result = list(parts)
    for rate in sorted(rates):
        places = [i for i in by_size if parts[i].rate == rate]
        missing = charged.get(rate, ZERO) - total(parts[i].vat for i in places)
        if abs(missing) > CENT * len(places) or (missing and rate not in charged):
            raise _differs(f"the lines' VAT at {tidy(rate)} % is not what the order says", "vat")
        step = CENT if missing > 0 else -CENT
        for i in places[: int(abs(missing) / CENT)]:
            result[i] = replace(result[i], vat=result[i].vat + step)
    return tuple(result)


def plausible(parts: Iterable[Part]) -> None:
    """Refuse (``vat_amount_differs``) VAT that is not its rate of the amount, by more than a cent per part."""
    parts = tuple(parts)
    for rate in sorted({part.rate for part in parts if part.rate is not None}):
        under = [part for part in parts if part.rate == rate]
        expected = total(part.net for part in under) * rate / 100
        off = abs(expected - total(part.vat for part in under))
        if off > CENT * len(under) or (off and not rate):
            raise _differs(f"the VAT charged is not {tidy(rate)} % of the amount", under[0].field)


def _origin(parts: tuple[Part, ...]) -> Part | None:
    """Return the largest part under the rate a left-over cent belongs to.

    The rate whose lines state another VAT total than their own rows, where there is one (the shop lost the cent there);
    else the rate with the largest amount.
    """
    rates = {part.rate for part in parts}
    at_odds = {part.rate for part in parts if not part.divided and part.line.vat and _row_gap(part.line)}
    size = {rate: abs(total(part.net for part in parts if part.rate == rate)) for rate in rates}
    rate = max(at_odds or rates, key=lambda rate: (size[rate], -1 if rate is None else rate), default=None)
    return largest(part for part in parts if part.rate == rate)


def _row_gap(line: OrderLine) -> Decimal:
    return total(row.amount for row in line.vat) - line.vat_total


def _differs(message: str, field: str) -> Refused:
    return Refused(message, code=reasons.VAT_AMOUNT_DIFFERS, field=field)


def _undivided(field: str) -> Refused:
    message = "several rates on one line, and its amount cannot be divided between them"
    return Refused(message, code=reasons.VAT_RATES_ON_ONE_LINE, field=field)
