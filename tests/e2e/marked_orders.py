"""Orders whose every personal field holds a marker, put in a sandbox shop; and answers that repeat the markers.

What a platform's personal fields are stands with its connector's tests (tests/shops/marked_<platform>.py), found by the
connector's folder: a connector without that file fails tests/e2e/test_canary_markers.py.
"""

from __future__ import annotations

import importlib
import json
from datetime import timedelta
from types import ModuleType
from typing import Any, Literal

from sluis.sandbox.drafting import Draft, make_order, make_refund
from sluis.sandbox.orders import ARTICLES, till_for
from sluis.sandbox.people import person
from tests.e2e.canaries import Canaries
from tests.flows.world import World, hour

Who = Literal["here", "abroad", "consumer"]


def marked_shop(platform: str) -> ModuleType:
    """Return what marks a platform's orders; raises ``ModuleNotFoundError`` for a connector without."""
    return importlib.import_module(f"tests.shops.marked_{platform}")


def put(
    world: World, canaries: Canaries, place: int, label: str, *, who: Who = "here", known: bool = False, **fields: Any
) -> str:
    """Put an order in the shop, ``place`` minutes after hour 0; return its id. ``fields`` replace its own.

    ``who`` buys: a business ``here``, one ``abroad`` without VAT, whose number VIES is to be asked for, or nobody with
    a number (``consumer``); ``known``: with an account in the shop.
    """
    abroad = who == "abroad"
    numbers = {"here": f"NL{canaries.digits}", "abroad": canaries.business, "consumer": None}
    at, country = hour(0) + place * timedelta(minutes=1), "BE" if abroad else "NL"
    draft = Draft(
        created=at, paid=at, buyer=person(1, label, country), items=((ARTICLES[0], place + 1),),
        vat_number=numbers[who], number=canaries.number(),
    )  # fmt: skip
    book = world.shop.book
    if (free := book.next_id()) < canaries.first_id:
        book.next_id(canaries.first_id - free)
    raw = make_order(book, till_for(world.shop.config, world.shop.rows, country, exempt=abroad), draft)
    raw = marked_shop("woocommerce").mark(raw, canaries, label, known=known)
    order_id = str(book.put({**raw, **fields}).id)
    canaries.hashed((order_id, raw["number"]))
    return order_id


def give_back(world: World, canaries: Canaries, order_id: str, place: int) -> None:
    """Refund a piece, for a reason in the customer's own words."""
    book = world.shop.book
    order, at = book.orders[int(order_id)].raw, hour(0) + place * timedelta(minutes=1)
    lines = {order["line_items"][0]["id"]: 1}
    raw = marked_shop("woocommerce").mark_refund(make_refund(book, order, at, lines=lines), canaries)
    canaries.hashed((str(book.put_refund(int(order_id), raw).id),))


def remember_books(world: World, canaries: Canaries) -> None:
    """Remember the ids of all that stands in the books, to be looked for."""
    canaries.in_books((*world.books.invoices, *world.books.contacts, *world.books.entries))


def refusal(canaries: Canaries, field: str) -> str:
    """A 422 that repeats what it refuses, in its texts and where names of fields belong."""
    email = f"{canaries.word}@example.com"
    told = [f"{canaries.text('last_name')} <{email}> is not valid", canaries.digits]
    return json.dumps({"error": {field: told, email: told}, "symbolic": {field: "invalid"}, "given": {"name": told}})


def page(canaries: Canaries) -> str:
    """An HTML page of an error that shows the request."""
    return f"<html><h1>Error</h1><pre>{canaries.text('last_name')} {canaries.word}@example.com</pre></html>\n"
