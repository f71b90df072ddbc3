"""Which prices to send so that Moneybird arrives at the total that the shop charged, to the cent.

Moneybird computes the VAT itself. With prices including VAT the total is the sum of the lines, whatever it computes.
With prices excluding VAT the total depends on where it rounds (per line or per rate), which its documentation does
not say: such prices are sent only when both ways give the charged total.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from sluis.core.invoice import Invoice, InvoiceLine, total
from sluis.core.money import CENT, ZERO, round_cents
from sluis.core.settings import tax_key

#: More pieces than this on one line are written in the description, not multiplied.
_MOST_PIECES = 1_000_000


@dataclass(frozen=True)
class Priced:
    """``price`` x ``amount`` is the line's total; ``pieces`` goes to the description where it could not be multiplied.

    ``price`` has at most two decimals: of more it is not known whether Moneybird keeps them.
    """

    price: Decimal
    amount: int
    pieces: Decimal | None = None


def priced(line_total: Decimal, quantity: Decimal) -> Priced:
    """Split a signed line total into a price and a number of pieces, exactly."""
    whole = quantity == quantity.to_integral_value() and 1 < quantity <= _MOST_PIECES
    if whole:
        price = (line_total / quantity).quantize(CENT)
        if price * quantity == line_total:
            return Priced(price, int(quantity))
    counted = quantity > 0 and quantity != 1
    return Priced(line_total.quantize(CENT), 1, quantity if counted else None)


def sends_gross(invoice: Invoice) -> bool:
    """Whether prices go with VAT: the shop's own way, unless net prices would not give the charged total."""
    if invoice.prices_include_vat:
        return True
    expected = invoice.total_with_vat
    return any(guess != expected for guess in (_rounded_per_line(invoice), _rounded_per_rate(invoice)))


def line_total(line: InvoiceLine, *, gross: bool, sign: int) -> Decimal:
    """Return the line's total, negative on a credit note."""
    return (line.gross if gross else line.net) * sign


def _vat(net: Decimal, rate: Decimal) -> Decimal:
    return round_cents(net * rate / 100)


def _rounded_per_line(invoice: Invoice) -> Decimal:
    return total(line.net + _vat(line.net, line.treatment.rate) for line in invoice.lines)


def _rounded_per_rate(invoice: Invoice) -> Decimal:
    nets: dict[tuple[str, Decimal], Decimal] = defaultdict(lambda: ZERO)
    for line in invoice.lines:
        nets[tax_key(line.treatment), line.treatment.rate] += line.net
    return total(net + _vat(net, rate) for (_, rate), net in nets.items())
