"""What happens to an order after it was placed: edited, paid, completed, cancelled, binned, brought back.

An edit recalculates as the back office's button does: net amounts stay, VAT follows the new address or number, a
changed quantity takes its share of the line. Without ``recalculate`` a quantity changes and every total stays, which is
what a ``PUT`` of the real shop does (shared/recordings/woocommerce-10.0.2, cases ``edit-*``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from sluis.core.frozen import Country, Frozen
from sluis.errors import Defect
from sluis.sandbox.config import ShopConfig
from sluis.sandbox.drafting import discounted, less_gift_cards, make_refund, shipping_class
from sluis.sandbox.orderbook import Document, OrderBook
from sluis.sandbox.orders import CATALOGUE, rows_of, till_for
from sluis.sandbox.pricing import (
    Charge,
    Json,
    Till,
    fee_line,
    line_item,
    number,
    order_totals,
    shipping_line,
    six,
    tax_lines,
)

Action = Literal["pay", "complete", "cancel", "trash", "restore"]
#: Where WordPress keeps the status of what lies in the bin.
BEFORE_TRASH = "_wp_trash_meta_status"
VAT_NUMBER, VAT_EXEMPT = "_billing_vat_number", "is_vat_exempt"


class Edit(Frozen):
    """Changes to an order, as a person makes them in the back office."""

    quantities: dict[int, int] = Field(default_factory=dict, description="line id -> new quantity; 0 takes it out")
    add: dict[str, int] = Field(default_factory=dict, description="SKU -> quantity of a new line")
    country: Country | None = Field(default=None, description="where it is delivered and billed from now on")
    postcode: str | None = None
    vat_number: str | None = Field(default=None, description="the buyer's VAT number; empty takes it away")
    recalculate: bool = Field(default=True, description="false: as a PUT, which leaves all totals as they were")


def edited(book: OrderBook, config: ShopConfig, order: Json, edit: Edit) -> Json:
    """Return the fields of an order that an edit changes. Raises ``Defect`` for a line or article that is not there."""
    changes = _person(config, order, edit)
    after = {**order, **changes}
    exempt = meta_of(after, VAT_EXEMPT) == "yes"
    till = till_for(config, rows_of(config), after["shipping"]["country"], exempt=exempt)
    lines = [*_kept(order, edit), *_added(book, till, edit)]
    if not edit.recalculate:
        return {**changes, "line_items": lines}
    return {**changes, **_recalculated(book, till, order, lines)}


def acted(book: OrderBook, order: Json, action: Action, at: datetime) -> Json:
    """Return the fields that an action changes. Raises ``Defect`` where it does not fit the order's status."""
    status, meta = order["status"], order["meta_data"]
    if (action == "restore") != (status == "trash"):
        raise Defect(f"order {order['number']} stands at {status}: it cannot be the object of {action}")
    if action == "cancel":
        return {"status": "cancelled"}
    if action == "trash":
        entry = {"id": book.next_id(1), "key": BEFORE_TRASH, "value": f"wc-{status}"}
        return {"status": "trash", "meta_data": [*meta, entry]}
    if action == "restore":
        before = meta_of(order, BEFORE_TRASH).removeprefix("wc-") or "pending"
        return {"status": before, "meta_data": [entry for entry in meta if entry["key"] != BEFORE_TRASH]}
    paid: Json = {} if order["date_paid"] else book.dates("date_paid", at)
    if action == "pay":
        return {"status": "processing", **paid, "transaction_id": f"FAKE{order['id']:06}"}
    return {"status": "completed", **paid, **book.dates("date_completed", at)}


def stir(book: OrderBook, config: ShopConfig, at: datetime, count: int) -> list[int]:
    """Change the ``count`` newest completed orders, each in another way, as of ``at``; returns their ids.

    In turn: a piece more, another country, cancelled, binned, and a refund that leaves the order's own date alone.
    """
    done = [d for d in book.orders.values() if d.raw["status"] == "completed" and d.id not in book.by_parent]
    chosen = sorted(done, key=lambda d: (d.created, d.id), reverse=True)[:count]
    for turn, document in enumerate(chosen):
        _stirred(book, config, document, at + timedelta(seconds=turn), turn % 5)
    return [document.id for document in chosen]


def _stirred(book: OrderBook, config: ShopConfig, document: Document, at: datetime, what: int) -> None:
    order = document.raw
    first = order["line_items"][0]
    if what == 0:
        edit = Edit(quantities={first["id"]: int(first["quantity"]) + 1})
        book.change(document.id, edited(book, config, order, edit), at=at)
    elif what == 1:
        where = "BE" if order["shipping"]["country"] != "BE" else "DE"
        book.change(document.id, edited(book, config, order, Edit(country=where, postcode="1000")), at=at)
    elif what in {2, 3}:
        book.change(document.id, acted(book, order, "cancel" if what == 2 else "trash", at), at=at)
    else:
        back = make_refund(book, order, at, lines={first["id"]: 1}, paid_back=True)
        book.put_refund(document.id, back, touch=False)


def meta_of(order: Json, key: str) -> str:
    """Return a metadata value of an order; empty where there is none."""
    return next((str(entry["value"]) for entry in order["meta_data"] if entry["key"] == key), "")


def _person(config: ShopConfig, order: Json, edit: Edit) -> Json:
    """Return address and VAT number after the edit; the shop takes the VAT off for a number from another country."""
    place = {"country": edit.country, "postcode": edit.postcode}
    changed = {key: value for key, value in place.items() if value is not None}
    changes: Json = {side: {**order[side], **changed} for side in ("billing", "shipping")} if changed else {}
    if edit.vat_number is None:
        return changes
    country = {**order, **changes}["shipping"]["country"]
    values = {VAT_NUMBER: edit.vat_number, VAT_EXEMPT: "yes" if edit.vat_number and country != config.country else "no"}
    kept = [entry for entry in order["meta_data"] if entry["key"] not in values]
    new = [{"id": 10**6 + place, "key": key, "value": value} for place, (key, value) in enumerate(values.items())]
    return {**changes, "meta_data": [*kept, *new]}


def _kept(order: Json, edit: Edit) -> list[Json]:
    """Return the order's lines with their new quantities, still at the old amounts."""
    known = {line["id"] for line in order["line_items"]}
    if strange := sorted(set(edit.quantities) - known):
        raise Defect(f"order {order['number']} has no line {strange[0]}")
    kept = [(line, edit.quantities.get(line["id"], int(line["quantity"]))) for line in order["line_items"]]
    if any(quantity < 0 for _, quantity in kept):
        raise Defect("a quantity is 0 or more")
    change = _scaled if edit.recalculate else _counted
    return [change(line, quantity) for line, quantity in kept if quantity]


def _counted(line: Json, quantity: int) -> Json:
    return {**line, "quantity": quantity}


def _scaled(line: Json, quantity: int) -> Json:
    share = Decimal(quantity) / Decimal(line["quantity"])
    amounts = {key: six(Decimal(line[key]) * share) for key in ("subtotal", "total")}
    return {**line, "quantity": quantity, **amounts}


def _added(book: OrderBook, till: Till, edit: Edit) -> Iterator[Json]:
    for sku, quantity in edit.add.items():
        if sku not in CATALOGUE or quantity < 1:
            raise Defect(f"the sandbox sells no {quantity} pieces of {sku!r}, but {', '.join(CATALOGUE)}")
        charge = till.line(CATALOGUE[sku], quantity)
        yield line_item(book.next_id(1), CATALOGUE[sku], quantity, charge, charge)


def _recalculated(book: OrderBook, till: Till, order: Json, lines: list[Json]) -> Json:
    """Charge VAT anew over the net amounts of lines, shipping and fees."""
    charges = [_charge(till, line, "total") for line in lines]
    full = [_charge(till, line, "subtotal") for line in lines]
    fees = [_charged_fee(till, fee) for fee in order["fee_lines"]]
    ship_row = till.row(shipping_class(line["tax_class"] or "standard" for line in lines if _taxable(line)))
    sent = [till.net(Decimal(line["total"]), ship_row) for line in order["shipping_lines"]]
    goods = [
        {**line, **_amounts(charge, before), "price": number(charge.net / int(line["quantity"]))}
        for line, charge, before in zip(lines, charges, full, strict=True)
    ]
    named = zip(order["fee_lines"], fees, strict=True)
    shipped = zip(order["shipping_lines"], sent, strict=True)
    totals = order_totals(charges, fees, sent, discounted(full, charges))
    return {
        **less_gift_cards(totals, order.get("pw_gift_cards_redeemed", [])),
        "line_items": goods,
        "fee_lines": [
            {**fee_line(fee["id"], fee["name"], charge), "tax_status": fee["tax_status"]} for fee, charge in named
        ],
        "shipping_lines": [shipping_line(line["id"], charge) for line, charge in shipped],
        "tax_lines": tax_lines(book.next_id(8), [*charges, *fees], sent),
    }


def _charge(till: Till, line: Json, amount: str) -> Charge:
    row = till.row(line["tax_class"] or "standard") if _taxable(line) else None
    return till.net(Decimal(line[amount]), row)


def _charged_fee(till: Till, fee: Json) -> Charge:
    net = Decimal(fee["total"])
    return till.net(net, till.row("standard")) if fee["tax_status"] == "taxable" else till.net(net, None)


def _taxable(line: Json) -> bool:
    article = CATALOGUE.get(line.get("sku") or "")
    return article is None or article.taxable


def _amounts(charge: Charge, before: Charge) -> dict[str, Any]:
    taxes = []
    if charge.row:
        taxes = [{"id": charge.row.id, "total": six(charge.unrounded_vat), "subtotal": six(before.unrounded_vat)}]
    return {
        "subtotal": six(before.net),
        "subtotal_tax": six(before.vat),
        "total": six(charge.net),
        "total_tax": six(charge.vat),
        "taxes": taxes,
    }
