"""Foreign currency: what the shop charged, in the currency of the books, at one rate for the order and its refunds.

VAT directive art. 91(2) and 230: the VAT of an invoice is stated in the currency of the member state, at the latest
rate of the European Central Bank or the market. So VAT per treatment and the total are converted and rounded half up;
the lines' VAT gives way to it by cents, the largest lines first, and what lines and total then differ by stands on the
named rounding line, at most a cent per line.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sluis.core import reasons
from sluis.core.evidence import Evidence, ExchangeRate
from sluis.core.invoice import VatTreatment, total
from sluis.core.judging import Item, Items, gross, rounding_item
from sluis.core.money import CENT, ZERO, round_cents
from sluis.core.order import Order, Payment
from sluis.core.settings import IntegrationSettings
from sluis.errors import Refused


def rate_for(order: Order, settings: IntegrationSettings, evidence: Evidence) -> ExchangeRate | None:
    """Return the rate to book ``order`` at, ``None`` when it is in the currency of the books.

    Raises ``Refused``: ``currency_not_supported`` where the merchant does not want conversion,
    ``exchange_rate_missing`` where no rate of this pair was found.
    """
    if order.currency == settings.currency:
        return None
    if settings.foreign_currency != "convert":
        raise Refused("not the books' currency", code=reasons.CURRENCY_NOT_SUPPORTED, field="currency")
    rate = evidence.exchange
    if rate is None or (rate.currency, rate.base) != (order.currency, settings.currency) or rate.rate <= 0:
        raise Refused("no rate of this currency", code=reasons.EXCHANGE_RATE_MISSING, field="currency")
    return rate


def converted(amount: Decimal, rate: ExchangeRate) -> Decimal:
    """Return ``amount`` of ``rate.currency`` in ``rate.base``, half up to the cent."""
    return round_cents(amount / rate.rate)


def convert(items: Sequence[Item], rate: ExchangeRate, owed: Decimal | None = None) -> Items:
    """Return ``items`` in the books' currency: VAT per treatment and the total are converted, lines give way.

    ``owed`` is their total with VAT in the books' currency, where it is known already (the last of several documents).
    """
    owed = converted(gross(items), rate) if owed is None else owed
    changed = [item.amounting(converted(item.line.net, rate), converted(item.line.vat, rate)) for item in items]
    for treatment in {item.line.treatment for item in items}:
        _align(changed, treatment, converted(_vat(items, treatment), rate))
    residual = owed - gross(changed)
    if residual:
        _round(changed, residual)
    return tuple(changed)


def convert_payments(
    payments: Sequence[Payment], rate: ExchangeRate, charged: Decimal, owed: Decimal
) -> tuple[Payment, ...]:
    """Return ``payments`` in the books' currency; what pays ``charged`` in full pays ``owed`` in full."""
    result: list[Payment] = []
    so_far = before = ZERO
    for payment in payments:
        so_far += payment.amount
        after = owed if so_far == charged else converted(so_far, rate)
        result.append(payment.model_copy(update={"amount": after - before}))
        before = after
    return tuple(result)


def _vat(items: Sequence[Item], treatment: VatTreatment) -> Decimal:
    return total(item.line.vat for item in items if item.line.treatment == treatment)


def _align(changed: list[Item], treatment: VatTreatment, wanted: Decimal) -> None:
    """Give way by cents, the largest lines first: the lines' VAT of a treatment becomes ``wanted``."""
    taxed = [n for n, item in enumerate(changed) if item.line.treatment == treatment and item.line.kind is not None]
    places = sorted(taxed, key=lambda n: (-abs(changed[n].line.net), changed[n].line.line_id))
    missing = wanted - _vat(changed, treatment)
    step = CENT if missing > 0 else -CENT
    for n in places[: int(abs(missing) / CENT)]:
        line = changed[n].line
        changed[n] = changed[n].amounting(line.net, line.vat + step)


def _round(changed: list[Item], residual: Decimal) -> None:
    """Put what is left over on the rounding line, which may be a cent per line: each was rounded by half a cent."""
    place = next((n for n, item in enumerate(changed) if item.line.kind is None), None)
    if place is None:
        chief = max(changed, key=lambda item: (abs(item.line.net), item.line.line_id))
        changed.append(rounding_item(ZERO, chief))
        place = len(changed) - 1
    line = changed[place].line
    if abs(line.net + residual) > CENT * max(len(changed) - 1, 1):
        raise Refused("converted lines are not the total", code=reasons.TOTAL_DIFFERS_FROM_LINES, field="total")
    changed[place] = changed[place].amounting(line.net + residual, line.vat)
