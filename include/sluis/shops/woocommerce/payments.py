"""How a WooCommerce order was paid: through its gateway, with gift cards of a plugin, and what was paid back.

WooCommerce tells *that* an order is paid (``date_paid``), by which method and under which transaction, never how much:
it is the order's total, less the gift cards that a plugin took off it. A refund says whether it went back through the
gateway (``refunded_payment``); one by hand may have been paid in any way, or not yet, so nothing is said of it.

Gift cards are no part of WooCommerce itself. A plugin tells the amount in an order field or in metadata; whether it
took that off the total, as a payment, is not believed but counted: the parts of the order must exceed its total by just
that. Where the parts equal the total, the card was charged as a discount or a negative fee and stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sluis.core.money import CENT, ZERO, round_cents
from sluis.core.order import OrderLine, Payment
from sluis.shops.reading import Reader, WrongField
from sluis.shops.woocommerce.settings import WooCommerceSettings

#: WooCommerce knows one payment per order and one per refund.
PAYMENT_ID = "order"
REFUND_PAYMENT_ID = "refund"
GIFT_CARD = "gift_card"


def gift_cards_used(
    order: Reader, meta: Mapping[str, Any], lines: Iterable[OrderLine], rounding: Decimal, settings: WooCommerceSettings
) -> Decimal:
    """Return what a plugin took off the order's total for gift cards, in the order's currency; zero where none did.

    Raises ``WrongField`` where the amounts cannot be read, or explain no part of what the order's total lacks.
    """
    named = sum((_of_field(order, name) for name in settings.gift_card_fields), ZERO)
    named += sum((_of_key(order, key, meta[key]) for key in settings.gift_card_keys if key in meta), ZERO)
    if not named:
        return ZERO
    charged = list(lines)
    lacking = sum((line.gross for line in charged), rounding) - order.amount("total")
    slack = CENT * max(1, len(charged))  # WooCommerce's own rounding: at most a cent per line
    if abs(lacking - named) <= slack:
        return named
    if abs(lacking) <= slack:
        return ZERO
    raise WrongField(order.at("total (it lacks another amount than the gift cards used)"))


def payments_of(
    order: Reader, gift_cards: Decimal, method: str, created_at: datetime, paid_at: datetime | None
) -> tuple[Payment, ...]:
    """Return what was paid: gift cards when the order was placed, the rest when it was paid."""
    found = []
    if gift_cards:
        found.append(
            Payment(payment_id=GIFT_CARD, method=GIFT_CARD, amount=gift_cards, paid_at=created_at, gift_card=True)
        )
    money = order.amount("total")
    if paid_at is not None and money > 0:
        reference = order.personal("transaction_id")
        found.append(Payment(payment_id=PAYMENT_ID, method=method, amount=money, paid_at=paid_at, reference=reference))
    return tuple(found)


def paid_back(
    refund: Reader, method: str, total: Decimal, created_at: datetime, settings: WooCommerceSettings
) -> tuple[Payment, ...]:
    """Return the payment of a refund where the shop says that the gateway made it, or the settings say so."""
    assumed = bool({method, "*"} & set(settings.refunds_paid_back))
    if total <= 0 or not (refund.flag("refunded_payment", default=False) or assumed):
        return ()
    return (Payment(payment_id=REFUND_PAYMENT_ID, method=method, amount=total, paid_at=created_at),)


def _of_field(order: Reader, name: str) -> Decimal:
    """Add the amounts of a plugin's list; its codes are not looked at. Shops without the plugin lack the field."""
    return sum((_amount(card, "amount") for card in order.items(name, optional=True)), ZERO)


def _of_key(order: Reader, key: str, value: Any) -> Decimal:
    """Read an amount, or add those of an object by card; PHP writes an empty object as an empty list."""
    where = order.at("meta_data")
    if value in (None, "", []):
        return ZERO
    if isinstance(value, dict):
        # By their place: a card's code is as good as money and is not to stand in a field's name.
        cards = Reader({str(place): amount for place, amount in enumerate(value.values())}, f"{where}.{key}")
        return sum((_amount(cards, str(place)) for place in range(len(value))), ZERO)
    return _amount(Reader({key: value}, where), key)


def _amount(reader: Reader, key: str) -> Decimal:
    amount = round_cents(reader.number(key))
    if amount < 0:
        raise WrongField(reader.at(key))
    return amount
