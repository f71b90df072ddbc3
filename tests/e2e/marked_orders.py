"""Orders whose every personal field holds a marker, and answers of a shop and of books that repeat the markers."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Literal

from sluis.sandbox.drafting import Draft, make_order, make_refund
from sluis.sandbox.orders import ARTICLES, till_for
from sluis.sandbox.people import person
from tests.e2e.sinks import Canaries
from tests.flows.world import World, hour

Who = Literal["here", "abroad", "consumer"]
PERSONAL = ("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "phone")


def put(world: World, canaries: Canaries, place: int, label: str, *, who: Who = "here", **fields: Any) -> str:
    """Put an order in the shop, ``place`` minutes after hour 0; return its id. ``fields`` replace its own.

    ``who`` buys: a business ``here``, one ``abroad`` without VAT, whose number VIES is to be asked for, or nobody with
    a number (``consumer``).
    """
    abroad = who == "abroad"
    numbers = {"here": f"NL{canaries.digits}", "abroad": canaries.business, "consumer": None}
    at, country = hour(0) + place * timedelta(minutes=1), "BE" if abroad else "NL"
    draft = Draft(
        created=at, paid=at, buyer=person(1, label, country), items=((ARTICLES[0], place + 1),),
        vat_number=numbers[who],
        meta={"_engraving": canaries.text("meta"), "_iban": canaries.digits, "_gift_code": canaries.text("gift")},
    )  # fmt: skip
    book = world.shop.book
    raw = make_order(book, till_for(world.shop.config, world.shop.rows, country, exempt=abroad), draft)
    address = {name: canaries.text(name) for name in PERSONAL} | {"phone": f"+{canaries.digits}"}
    raw["shipping"] |= address
    raw["billing"] |= {**address, "email": f"{canaries.word}.{label}@example.com"}
    raw |= {
        "customer_note": canaries.text("note"),
        "customer_ip_address": canaries.address,
        "customer_user_agent": canaries.text("agent"),
        "transaction_id": f"tr_{canaries.word}",
        "order_key": f"wc_order_{canaries.word}",
        "payment_url": f"https://shop.example/pay/?key={canaries.word}",
    }
    line = raw["line_items"][0]
    line["name"] = canaries.text("article")  # an article can be made for somebody
    line["meta_data"] = [{"id": 1, "key": canaries.text("key"), "value": canaries.text("value")}]
    return str(book.put({**raw, **fields}).id)


def with_gift_card(canaries: Canaries) -> dict[str, Any]:
    """Fields of an order that a gift card paid a part of, in the plugin's own form: its number opens money."""
    card = {"id": 1, "number": canaries.text("card"), "amount": "1.00", "recipient": f"{canaries.word}@example.com"}
    return {"pw_gift_cards_redeemed": [card]}


def give_back(world: World, canaries: Canaries, order_id: str, place: int) -> None:
    """Refund a piece, for a reason in the customer's own words."""
    book = world.shop.book
    order, at = book.orders[int(order_id)].raw, hour(0) + place * timedelta(minutes=1)
    lines = {order["line_items"][0]["id"]: 1}
    book.put_refund(int(order_id), make_refund(book, order, at, lines=lines, reason=canaries.text("reason")))


def refusal(canaries: Canaries, field: str) -> str:
    """A 422 that repeats what it refuses, in its texts and where names of fields belong."""
    email = f"{canaries.word}@example.com"
    told = [f"{canaries.text('last_name')} <{email}> is not valid", canaries.digits]
    return json.dumps({"error": {field: told, email: told}, "symbolic": {field: "invalid"}, "given": {"name": told}})


def page(canaries: Canaries) -> str:
    """An HTML page of an error that shows the request."""
    return f"<html><h1>Error</h1><pre>{canaries.text('last_name')} {canaries.word}@example.com</pre></html>\n"
