"""WooCommerce orders whose every personal field holds a marker. The canary suite finds this file by its folder's name.

``PERSONAL`` names every place of an order in which a person can stand, also where the mapping does not look, and
``OPEN`` every other one: a field in neither is a failing test (tests/e2e/test_canary_markers.py), on our own orders and
on the recorded ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sluis.core.order import Order, Unreadable
from sluis.shops.woocommerce.mapping import to_order
from sluis.shops.woocommerce.settings import WooCommerceSettings
from tests.e2e.canaries import Canaries

Json = dict[str, Any]

#: Recorded answers of this platform, below ``shared``.
RECORDINGS = "recordings/woocommerce-10.0.2"
_ADDRESS = (
    "first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "phone",
)  # fmt: skip
_METADATA = ("meta_data[].key", "meta_data[].value", "meta_data[].display_key", "meta_data[].display_value")
_LISTS = ("line_items[]", "fee_lines[]", "shipping_lines[]", "coupon_lines[]")
PERSONAL = frozenset({
    *(f"{place}.{name}" for place in ("billing", "shipping") for name in _ADDRESS), "billing.email",
    *_METADATA, *(f"{lines}.{field}" for lines in _LISTS for field in _METADATA),
    "line_items[].name", "line_items[].parent_name", "line_items[].sku", "line_items[].image.src", "fee_lines[].name",
    "shipping_lines[].method_title", "coupon_lines[].code",
    "cart_hash", "customer_id", "customer_ip_address", "customer_note", "customer_user_agent", "order_key",
    "payment_method_title", "payment_url", "transaction_id", "reason", "refunds[].reason",
    "pw_gift_cards_redeemed[].number", "pw_gift_cards_redeemed[].recipient",
})  # fmt: skip
_AMOUNTS = ("total", "total_tax", "subtotal", "subtotal_tax")
OPEN = frozenset({
    "id", "parent_id", "number", "status", "currency", "currency_symbol", "version", "prices_include_tax",
    "created_via", "is_editable", "needs_payment", "needs_processing", "payment_method", "amount", "refunded_by",
    "refunded_payment", "billing.country", "shipping.country", "total", "total_tax", "cart_tax", "discount_total",
    "discount_tax", "shipping_total", "shipping_tax", "refunds[].id", "refunds[].total",
    "meta_data[].id", "pw_gift_cards_redeemed[].id", "pw_gift_cards_redeemed[].amount",
    *(f"date_{what}{zone}" for what in ("created", "modified", "paid", "completed") for zone in ("", "_gmt")),
    *(f"{lines}.{name}" for lines in _LISTS for name in ("id", "tax_class", "tax_status", "meta_data[].id", *_AMOUNTS)),
    *(f"{lines}.taxes[].{name}" for lines in _LISTS for name in ("id", "total", "subtotal")),
    *(f"line_items[].{name}" for name in ("product_id", "variation_id", "quantity", "price", "image.id")),
    *(f"coupon_lines[].{name}" for name in
      ("discount", "discount_tax", "discount_type", "nominal_amount", "free_shipping")),
    "fee_lines[].amount", "shipping_lines[].method_id", "shipping_lines[].instance_id",
    *(f"tax_lines[].{name}" for name in
      ("id", "rate_code", "rate_id", "label", "compound", "tax_total", "shipping_tax_total", "rate_percent")),
})  # fmt: skip


def mark(raw: Json, canaries: Canaries, label: str, *, known: bool = False) -> Json:
    """Fill every personal field of an order, in place; ``known``: the customer has an account. Returns the order."""
    address = {name: canaries.text(name) for name in _ADDRESS} | {"phone": f"+{canaries.digits}"}
    raw["shipping"] |= address
    raw["billing"] |= {**address, "email": f"{canaries.word}.{label}@example.com"}
    raw |= {
        "customer_id": int(canaries.digits) if known else 0,
        "customer_note": canaries.text("note"),
        "customer_ip_address": canaries.address,
        "customer_user_agent": canaries.text("agent"),
        "cart_hash": canaries.word,
        "transaction_id": f"tr_{canaries.word}",
        "order_key": f"wc_order_{canaries.word}",
        "payment_url": f"https://shop.example/pay/?key={canaries.word}",
        "payment_method_title": canaries.text("title"),
    }
    raw["meta_data"] += _metadata(canaries)
    for line in _lines(raw):
        line["meta_data"] = [*line["meta_data"], *_metadata(canaries)]
    for line in raw["line_items"]:  # an article can be made for somebody
        line |= {"name": canaries.text("article"), "parent_name": canaries.text("parent"), "sku": canaries.text("sku")}
        line["image"] = {"id": 1, "src": f"https://shop.example/{canaries.word}.png"}
    for lines, field in (("fee_lines", "name"), ("shipping_lines", "method_title"), ("coupon_lines", "code")):
        for line in raw[lines]:
            line[field] = canaries.text(field)
    return raw


def mark_refund(raw: Json, canaries: Canaries) -> Json:
    """Fill every personal field of a refund, in place: the reason is in the customer's own words."""
    raw["reason"] = canaries.text("reason")
    raw["meta_data"] = [*raw["meta_data"], *_metadata(canaries)]
    for line in _lines(raw):
        line["meta_data"] = [*line["meta_data"], *_metadata(canaries)]
    return raw


def with_gift_card(canaries: Canaries) -> Json:
    """Fields of an order that a gift card paid a part of, in the plugin's own form: its number opens money."""
    card = {"id": 1, "number": canaries.text("card"), "amount": "1.00", "recipient": f"{canaries.word}@example.com"}
    return {"pw_gift_cards_redeemed": [card]}


def wrong_types(canaries: Canaries) -> dict[str, Json]:
    """Return fields, per label, whose schema fails because a person's text stands in them: nothing can be read."""
    text, email = canaries.text("wrong"), f"{canaries.word}@example.com"
    return {
        "date": {"date_paid_gmt": text},
        "currency": {"currency": canaries.word},
        "billing": {"billing": text},
        "lines": {"line_items": {text: email}},
        "total": {"total": {email: text}},
        "taxes": {"tax_lines": [email, {text: email}]},
        "method": {"payment_method": email},
        "number": {"number": email, "id": 77},  # its id stands in for the number
        "meta": {"meta_data": {email: text}},
    }


def wrong_answer(canaries: Canaries) -> str:
    """Return a list of orders that are none: other types, and markers where ids and names of fields belong."""
    email = f"{canaries.word}@example.com"
    return json.dumps([email, {"id": email, "number": email}, {email: {"id": canaries.text("key")}}, [email]])


def read(raw: Json, refunds: Iterable[Json]) -> Order | Unreadable:
    """Return the order as the connector reads it."""
    return to_order(raw, list(refunds), WooCommerceSettings(url="https://shop.example"))


def _metadata(canaries: Canaries) -> list[Json]:
    key, value = canaries.text("key"), canaries.text("value")
    texts = {"_engraving": canaries.text("meta"), "_iban": canaries.digits, "_gift_code": canaries.text("gift")}
    entries: list[Json] = [{"key": name, "value": text} for name, text in texts.items()]
    entries.append({"key": key, "value": value, "display_key": key, "display_value": value})
    return [{"id": 7000 + number, **entry} for number, entry in enumerate(entries)]


def _lines(raw: Json) -> list[Json]:
    return [line for name in _LISTS for line in raw.get(name.removesuffix("[]"), [])]
