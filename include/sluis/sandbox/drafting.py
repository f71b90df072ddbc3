"""Makes WooCommerce's JSON of one order or refund out of what was sold to whom.

Used by the generator (invented orders), by the import of real order lines and by tests that want one certain order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from sluis.core.money import CENT, ZERO, round_cents
from sluis.errors import Defect
from sluis.sandbox.orderbook import OrderBook
from sluis.sandbox.people import Person
from sluis.sandbox.pricing import (
    Article,
    Charge,
    Json,
    Till,
    fee_line,
    line_item,
    order_totals,
    shipping_line,
    six,
    tax_lines,
)

TITLES = {
    "cod": "Cash on delivery",
    "bacs": "Bank transfer",
    "ideal": "iDEAL",
    "mollie_wc_gateway_ideal": "iDEAL",
    "woocommerce_payments": "WooPayments",
}
SYMBOLS = {"EUR": "€", "USD": "&#36;", "GBP": "&pound;"}


@dataclass(frozen=True)
class Draft:
    """What is sold to whom. ``off`` is a coupon's part of the price (0 to 1), fees are (name, net amount)."""

    created: datetime
    buyer: Person
    items: tuple[tuple[Article, int], ...]
    status: str = "processing"
    payment_method: str = "mollie_wc_gateway_ideal"
    paid: datetime | None = None
    completed: datetime | None = None
    modified: datetime | None = None
    customer_id: int = 0
    shipping: Decimal | None = None  #: net; ``None``: nothing is sent
    fees: tuple[tuple[str, Decimal], ...] = ()
    off: Decimal = ZERO
    number: str | None = None
    vat_number: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    currency: str = "EUR"
    gift_card: Decimal = ZERO  #: what is paid with gift cards, at most the total


def make_order(book: OrderBook, till: Till, draft: Draft) -> Json:
    """Return the order's JSON with fresh ids; it is not stored yet. ``till`` must fit the buyer's country."""
    order_id = book.next_id(1)
    line_id = book.next_id(len(draft.items) + len(draft.fees) + 8)
    charges = [till.line(article, quantity, draft.off) for article, quantity in draft.items]
    full = [till.line(article, quantity) for article, quantity in draft.items]
    lines = [
        line_item(line_id + index, article, quantity, charges[index], full[index])
        for index, (article, quantity) in enumerate(draft.items)
    ]
    line_id += len(lines)
    fee_row = till.row("standard")
    fees = [till.net(net, fee_row) for _, net in draft.fees]
    fee_lines = [fee_line(line_id + index, draft.fees[index][0], fee) for index, fee in enumerate(fees)]
    line_id += len(fees)
    sent = []
    if draft.shipping is not None:
        classes = (article.tax_class for article, _ in draft.items if article.taxable)
        sent = [till.net(draft.shipping, till.row(shipping_class(classes)))]
    discount = discounted(full, charges)
    totals = order_totals(charges, fees, sent, discount)
    return {
        **_head(book, till, draft, order_id),
        **less_gift_cards(totals, _gift_cards(draft, Decimal(totals["total"]), order_id)),
        **_customer(draft),
        "line_items": lines,
        "fee_lines": fee_lines,
        "shipping_lines": [shipping_line(line_id + 1, charge) for charge in sent],
        "tax_lines": tax_lines(line_id + 2, [*charges, *fees], sent),
        "coupon_lines": _coupon(draft, discount, line_id + 6) if draft.off else [],
        "refunds": [],
    }


def shipping_class(classes: Iterable[str]) -> str:
    """Return the highest class in the cart, as WooCommerce does with "based on cart items"."""
    found = set(classes)
    return next((name for name in ("standard", "reduced-rate", "zero-rate") if name in found), "standard")


def discounted(full: Sequence[Charge], charges: Sequence[Charge]) -> Charge:
    """Return what coupons took off."""
    pairs = list(zip(full, charges, strict=True))
    net = sum((before.net - after.net for before, after in pairs), ZERO)
    return Charge(net, ZERO, sum((before.vat - after.vat for before, after in pairs), ZERO), None)


def _gift_cards(draft: Draft, total: Decimal, order_id: int) -> list[Json]:
    """Return the used gift cards as PW WooCommerce Gift Cards Pro lists them in its order field."""
    used = min(draft.gift_card, round_cents(total))
    return [{"number": f"FAKE-{order_id:06}", "amount": f"{used:f}"}] if used else []


def less_gift_cards(totals: Json, cards: list[Json]) -> Json:
    """Return the totals as that plugin leaves them: the cards off the total, VAT as it was; and its order field."""
    if not cards:
        return totals
    used = sum((Decimal(card["amount"]) for card in cards), ZERO)
    return {**totals, "total": six(max(ZERO, Decimal(totals["total"]) - used)), "pw_gift_cards_redeemed": cards}


def _head(book: OrderBook, till: Till, draft: Draft, order_id: int) -> Json:
    key = hashlib.blake2s(f"{order_id}:{draft.created}".encode(), digest_size=16).hexdigest()
    last = max(at for at in (draft.created, draft.paid, draft.completed, draft.modified) if at is not None)
    open_to_pay = draft.status in {"pending", "failed"}
    return {
        "id": order_id,
        "parent_id": 0,
        "status": draft.status,
        "currency": draft.currency,
        "version": "10.0.2",
        "prices_include_tax": till.with_vat,
        **book.dates("date_created", draft.created),
        **book.dates("date_modified", last),
        **book.dates("date_paid", draft.paid),
        **book.dates("date_completed", draft.completed),
        "order_key": f"wc_order_{key[:13]}",
        "cart_hash": key,
        "number": draft.number or str(order_id),
        "created_via": "checkout",
        "customer_note": "",
        "payment_url": f"https://shop.example/checkout/order-pay/{order_id}/?pay_for_order=true&key=wc_order_{key[:13]}",
        "is_editable": draft.status in {"pending", "on-hold", "auto-draft"},
        "needs_payment": open_to_pay,
        "needs_processing": True,
        "currency_symbol": SYMBOLS.get(draft.currency, draft.currency),
        "payment_method": draft.payment_method,
        "payment_method_title": TITLES.get(draft.payment_method, draft.payment_method),
        "transaction_id": f"FAKE{order_id:06}" if draft.paid and draft.payment_method not in {"cod", "bacs"} else "",
    }


def _customer(draft: Draft) -> Json:
    meta = {"is_vat_exempt": "yes" if draft.vat_number else "no", **draft.meta}
    if draft.vat_number:
        meta["_billing_vat_number"] = draft.vat_number
    return {
        "customer_id": draft.customer_id,
        "billing": draft.buyer.billing(),
        "shipping": draft.buyer.shipping(),
        "customer_ip_address": "203.0.113.2",
        "customer_user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "meta_data": [{"id": index + 1, "key": key, "value": value} for index, (key, value) in enumerate(meta.items())],
    }


def _coupon(draft: Draft, discount: Charge, item_id: int) -> list[Json]:
    percent = int(draft.off * 100)
    return [
        {
            "id": item_id,
            "code": f"min{percent}",
            "discount": f"{round_cents(discount.net).normalize():f}",
            "discount_tax": f"{round_cents(discount.vat).normalize():f}",
            "meta_data": [],
            "discount_type": "percent",
            "nominal_amount": percent,
            "free_shipping": False,
        }
    ]


# ---------------------------------------------------------------------------------------------------------- refunds


def make_refund(
    book: OrderBook,
    order: Json,
    at: datetime,
    *,
    lines: Mapping[int, int] | None = None,
    amount: Decimal | None = None,
    reason: str = "",
    shipping: bool = False,
    paid_back: bool = False,
) -> Json:
    """Return a refund's JSON: by line (line id -> quantity, with ``shipping`` also that), or of an amount only.

    ``paid_back``: the gateway returned the money; else a person did it, or will.

    A quantity's amounts are its share of the line rounded to the cent; the last piece gets what is left, so that the
    parts never exceed the line. Raises ``Defect`` when more would be refunded than was sold.
    """
    if (lines is None) == (amount is None):
        raise Defect("a refund is either by line or of an amount")
    refund_id = book.next_id(1)
    items = [_refund_item(book, order, line_id, quantity) for line_id, quantity in (lines or {}).items()]
    sent = [_negative(book, line) for line in order["shipping_lines"]] if shipping else []
    parts = [*items, *sent]
    whole = amount if amount is not None else -sum((Decimal(p["total"]) + Decimal(p["total_tax"]) for p in parts), ZERO)
    return {
        "id": refund_id,
        **book.dates("date_created", at),
        "amount": f"{round_cents(whole):f}",
        "reason": reason,
        "refunded_by": 1,
        "refunded_payment": paid_back,
        "meta_data": [],
        "line_items": items,
        "shipping_lines": sent,
        "tax_lines": _refund_taxes(book, order, items, sent),
        "fee_lines": [],
    }


def refunded_quantity(book: OrderBook, order_id: int, line_id: int) -> tuple[int, Decimal, Decimal]:
    """Return how many pieces, net and VAT were refunded of a line so far (positive figures)."""
    pieces, net, vat = 0, ZERO, ZERO
    for refund in book.by_parent.get(order_id, []):
        for item in refund.raw["line_items"]:
            if str(line_id) in {meta["value"] for meta in item["meta_data"] if meta["key"] == "_refunded_item_id"}:
                pieces -= int(item["quantity"])
                net -= Decimal(item["total"])
                vat -= Decimal(item["total_tax"])
    return pieces, net, vat


def _refund_item(book: OrderBook, order: Json, line_id: int, quantity: int) -> Json:
    line = next((line for line in order["line_items"] if line["id"] == line_id), None)
    if line is None:
        raise Defect(f"order {order['number']} has no line {line_id}")
    sold = int(line["quantity"])
    gone, gone_net, gone_vat = refunded_quantity(book, order["id"], line_id)
    if not 0 < quantity <= sold - gone:
        raise Defect(f"line {line_id} of order {order['number']} has {sold - gone} left, not {quantity}")
    net, vat = round_cents(Decimal(line["total"])), round_cents(Decimal(line["total_tax"]))
    if quantity == sold - gone:
        net, vat = net - gone_net, vat - gone_vat
    else:
        net, vat = (_share(part, quantity, sold) for part in (net, vat))
    taxes = [{"id": tax["id"], "total": six(-vat), "subtotal": six(-vat)} for tax in line["taxes"]]
    return {
        **line,
        "id": book.next_id(1),
        "quantity": -quantity,
        "subtotal": six(-net),
        "subtotal_tax": six(-vat),
        "total": six(-net),
        "total_tax": six(-vat),
        "taxes": taxes,
        "meta_data": _refers_to(book, line_id),
    }


def _share(whole: Decimal, quantity: int, sold: int) -> Decimal:
    """Round down, so that the last piece of a line never gets a negative remainder."""
    return (whole * quantity / sold).quantize(CENT, ROUND_DOWN)


def _negative(book: OrderBook, line: Json) -> Json:
    """Return a shipping line taken back whole."""
    vat = round_cents(Decimal(line["total_tax"]))
    return {
        **line,
        "id": book.next_id(1),
        "total": six(-round_cents(Decimal(line["total"]))),
        "total_tax": six(-vat),
        "taxes": [{"id": tax["id"], "total": six(-vat), "subtotal": ""} for tax in line["taxes"]],
        "meta_data": _refers_to(book, line["id"]),
    }


def _refers_to(book: OrderBook, line_id: int) -> list[Json]:
    key, value = "_refunded_item_id", str(line_id)
    return [{"id": book.next_id(1), "key": key, "value": value, "display_key": key, "display_value": value}]


def _refund_taxes(book: OrderBook, order: Json, items: list[Json], sent: list[Json]) -> list[Json]:
    rows = {row["rate_id"]: row for row in order["tax_lines"]}
    totals: dict[int, list[Decimal]] = {}
    for place, lines in enumerate((items, sent)):
        for line in lines:
            for tax in line["taxes"]:
                totals.setdefault(tax["id"], [ZERO, ZERO])[place] += Decimal(tax["total"])
    return [
        {
            **rows[rate_id],
            "id": book.next_id(1),
            "tax_total": six(on_goods),
            "shipping_tax_total": six(on_shipping),
        }
        for rate_id, (on_goods, on_shipping) in totals.items()
    ]
