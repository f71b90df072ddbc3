"""Orders that change after they were placed: edits, payment, the bin; and gift cards, refunds and currencies."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluis.core.order import LineKind, Order
from sluis.errors import Defect
from sluis.sandbox.config import SandboxConfig, ShopConfig
from sluis.sandbox.drafting import Draft, make_order
from sluis.sandbox.edits import Edit, acted, edited, stir
from sluis.sandbox.orderbook import Document, OrderBook, worth
from sluis.sandbox.orders import CATALOGUE, rows_of, till_for
from sluis.sandbox.people import person
from sluis.sandbox.state import State
from sluis.shops.woocommerce.mapping import to_order
from sluis.shops.woocommerce.settings import WooCommerceSettings
from tests.sandbox.conftest import Client
from tests.shared import shared_root

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SHOP = ShopConfig()
FOLDER = shared_root() / "recordings" / "woocommerce-10.0.2"
READ = WooCommerceSettings(url="https://shop.example")


def placed(**changes: Any) -> tuple[OrderBook, Document]:
    book = OrderBook("Europe/Amsterdam")
    items = ((CATALOGUE["MUG"], 2), (CATALOGUE["BOOK"], 1))
    draft = Draft(created=NOW, paid=NOW, buyer=person(1, "x"), items=items, shipping=Decimal("4.0909"))
    draft = Draft(**{**vars(draft), **changes})
    return book, book.put(make_order(book, till_for(SHOP, rows_of(SHOP), draft.buyer.country), draft))


def edit(book: OrderBook, document: Document, change: Edit) -> dict[str, Any]:
    raw = book.change(document.id, edited(book, SHOP, document.raw, change), at=NOW + timedelta(days=1)).raw
    return book.body(book.orders[raw["id"]], "https://shop.example")


def read(raw: dict[str, Any]) -> Order:
    """An order as the connector maps it: whole cents and parts that add up, or it would be refused or differ."""
    order = to_order(json.loads(json.dumps(raw), parse_float=Decimal), [], READ)
    assert isinstance(order, Order), order
    assert sum((line.gross for line in order.lines), Decimal(0)) == order.total
    assert sum((line.vat_total for line in order.lines), Decimal(0)) == order.total_vat
    return order


def test_a_piece_more_takes_its_share_of_the_line() -> None:
    book, document = placed()
    before, first = read(book.body(document, "")), document.raw["line_items"][0]
    after = read(edit(book, document, Edit(quantities={first["id"]: 3})))
    assert after.lines[0].quantity == 3
    assert after.total == before.total + Decimal("12.95")
    assert after.modified_at == before.modified_at + timedelta(days=1)
    assert after.payments[0].amount == after.total  # the shop cannot tell that less was paid


def test_a_line_is_added_or_taken_out() -> None:
    book, document = placed()
    first = document.raw["line_items"][0]
    after = read(edit(book, document, Edit(quantities={first["id"]: 0}, add={"TEA": 2})))
    assert [line.quantity for line in after.lines if line.kind is LineKind.GOODS] == [1, 2]
    # Only the reduced rate is left in the cart, so shipping (4.0909 net) bears that too: 4.46 instead of 4.95.
    assert after.total == Decimal("24.99") + Decimal("8.90") + Decimal("4.46")


def test_another_address_changes_the_vat_and_not_the_net_amounts() -> None:
    book, document = placed()
    before = read(book.body(document, ""))
    after = read(edit(book, document, Edit(country="DE", postcode="10115")))
    assert after.ship_to.country == after.buyer.address.country == "DE"
    assert [line.net for line in after.lines] == [line.net for line in before.lines]
    assert {row.rate for row in after.vat} == {Decimal(19), Decimal(7)}


def test_a_vat_number_takes_the_vat_off_abroad_and_only_there() -> None:
    book, document = placed()
    after = read(edit(book, document, Edit(country="BE", vat_number="BE0123456749")))
    assert (after.total_vat, after.buyer.vat_number.reveal()) == (Decimal(0), "BE0123456749")
    back = read(edit(book, book.orders[document.id], Edit(vat_number="")))
    assert back.total_vat > 0
    assert not back.buyer.vat_number
    home = read(edit(book, book.orders[document.id], Edit(country="NL", vat_number="NL123456782B90")))
    assert home.total_vat > 0


def test_without_recalculating_a_quantity_leaves_every_total() -> None:
    book, document = placed()
    first = document.raw["line_items"][0]
    after = edit(book, document, Edit(quantities={first["id"]: 9}, recalculate=False))
    assert after["line_items"][0]["quantity"] == 9
    for key in ("total", "total_tax"):
        assert after[key] == f"{Decimal(document.raw[key]):.2f}"


@pytest.mark.parametrize(
    "change", [Edit(quantities={7: 1}), Edit(add={"NOTHING": 1}), Edit(add={"MUG": 0}), Edit(quantities={-1: 1})]
)
def test_what_is_not_there_cannot_be_edited(change: Edit) -> None:
    book, document = placed()
    with pytest.raises(Defect):
        edited(book, SHOP, document.raw, change)


def test_a_used_gift_card_stays_used_when_an_order_is_edited() -> None:
    book, document = placed(gift_card=Decimal("10.00"))
    before = to_order(book.body(document, ""), [], READ)
    assert isinstance(before, Order)
    assert [payment.amount for payment in before.payments] == [Decimal(10), before.total - 10]
    first = document.raw["line_items"][0]
    after = to_order(edit(book, document, Edit(quantities={first["id"]: 3})), [], READ)
    assert isinstance(after, Order)
    assert after.total == before.total + Decimal("12.95")
    assert [payment.amount for payment in after.payments] == [Decimal(10), after.total - 10]


def test_a_gift_card_pays_no_more_than_the_order() -> None:
    book, document = placed(gift_card=Decimal("1000.00"))
    order = to_order(book.body(document, ""), [], READ)
    assert isinstance(order, Order)
    (card,) = order.payments
    assert (card.gift_card, card.amount) == (True, order.total)
    assert (Decimal(document.raw["total"]), worth(document.raw)) == (0, order.total)


def test_the_bin_keeps_the_status_and_gives_it_back() -> None:
    book, document = placed(status="completed", completed=NOW)
    binned = book.change(document.id, acted(book, document.raw, "trash", NOW), at=NOW)
    assert binned.raw["status"] == "trash"
    with pytest.raises(Defect, match="cannot be the object of trash"):
        acted(book, binned.raw, "trash", NOW)
    restored = book.change(document.id, acted(book, binned.raw, "restore", NOW), at=NOW)
    assert (restored.raw["status"], restored.raw["meta_data"]) == ("completed", document.raw["meta_data"])
    with pytest.raises(Defect, match="cannot be the object of restore"):
        acted(book, restored.raw, "restore", NOW)


def test_an_order_on_hold_is_paid_later() -> None:
    book, document = placed(status="on-hold", paid=None, payment_method="bacs")
    assert read(book.body(document, "")).payments == ()
    later = NOW + timedelta(days=2)
    paid = book.change(document.id, acted(book, document.raw, "pay", later), at=later)
    (payment,) = read(book.body(paid, "")).payments
    assert (payment.paid_at, payment.method, bool(payment.reference)) == (later, "bacs", True)
    done = acted(book, paid.raw, "complete", later + timedelta(days=1))
    assert "date_paid" not in done
    assert done["status"] == "completed"


def test_stirring_changes_each_order_in_another_way_and_always_the_same() -> None:
    def stirred() -> list[tuple[str, str, bool]]:
        state = State(SandboxConfig(shops=(ShopConfig(orders=60),)), clock=lambda: NOW)
        book = state.shop("shop").book
        before = {number: document.raw for number, document in book.orders.items()}
        ids = stir(book, state.shop("shop").config, NOW, 5)
        assert len(set(ids)) == 5
        changed = [number for number, document in book.orders.items() if document.raw != before[number]]
        assert sorted(changed) == sorted(ids)
        return [
            (
                book.orders[n].raw["status"],
                book.orders[n].raw["total"],
                book.orders[n].modified == before_date(before[n]),
            )
            for n in ids
        ]

    def before_date(raw: dict[str, Any]) -> datetime:
        return datetime.fromisoformat(raw["date_modified_gmt"]).replace(tzinfo=UTC)

    first = stirred()
    assert first == stirred()
    assert [status for status, _, _ in first[2:4]] == ["cancelled", "trash"]
    assert [untouched for _, _, untouched in first] == [False, False, False, False, True]


def test_a_shop_may_sell_in_another_currency() -> None:
    config = ShopConfig(orders=170, foreign_currencies=("USD",))
    book = State(SandboxConfig(shops=(config,)), clock=lambda: NOW).shop("shop").book
    assert {document.raw["currency"] for document in book.orders.values()} == {"EUR", "USD"}


def test_the_generated_stream_shows_gift_cards_gateways_and_consumers_abroad() -> None:
    book = State(SandboxConfig(shops=(ShopConfig(orders=200),)), clock=lambda: NOW).shop("shop").book
    orders = [document.raw for document in book.orders.values()]
    assert any("pw_gift_cards_redeemed" in order for order in orders)
    assert {"FR", "DE", "BE"} <= {order["shipping"]["country"] for order in orders}
    assert {refund.raw["refunded_payment"] for refund in book.refunds.values()} == {True, False}
    quiet = [refund for refund in book.refunds.values() if book.orders[refund.parent].modified < refund.created]
    assert quiet
    for document in book.orders.values():
        assert isinstance(
            to_order(json.loads(json.dumps(book.body(document, "")), parse_float=Decimal), [], READ), Order
        )


def test_the_control_api_edits_acts_and_refunds(client: Client) -> None:
    book = client.state.shop("winkel").book
    document = next(d for d in book.orders.values() if d.raw["status"] == "completed" and d.id not in book.by_parent)
    order, before = f"/shops/winkel/orders/{document.id}", document.modified
    line = document.raw["line_items"][0]
    more = client.control("POST", f"{order}/edit", json={"quantities": {str(line["id"]): line["quantity"] + 1}})
    assert more.status_code == 200
    assert Decimal(more.json()["total"]) > Decimal(document.raw["total"])
    assert book.orders[document.id].modified > before
    assert client.control("POST", f"{order}/edit", json={"add": {"X": 1}}).status_code == 422
    assert client.control("POST", f"{order}/trash", json={"touch": False}).json()["status"] == "trash"
    assert client.shop("/orders", status="trash", include=str(document.id)).headers["X-WP-Total"] == "1"
    assert client.shop("/orders", status="any", include=str(document.id)).headers["X-WP-Total"] == "0"
    assert client.control("POST", f"{order}/cancel", json={}).status_code == 422
    assert client.control("POST", f"{order}/restore", json={}).json()["status"] == "completed"
    assert client.control("POST", f"{order}/burn", json={}).status_code == 422
    moment = book.orders[document.id].modified
    refund = client.control("POST", f"{order}/refunds", json={"amount": "0.01", "gateway": True, "touch": False})
    assert refund.json()["refunded_payment"] is True
    assert book.orders[document.id].modified == moment
    assert len(client.control("POST", "/shops/winkel/orders/stir", json={"count": 3}).json()["ids"]) == 3


@pytest.mark.shared
@pytest.mark.skipif(not FOLDER.exists(), reason="needs shared/recordings/woocommerce-10.0.2, which is not here")
def test_another_address_does_what_it_did_in_the_real_shop() -> None:
    before, after = (
        json.loads((FOLDER / f"order-edit-address-two{which}.json").read_text())["response"]["body"]
        for which in ("-before-edit", "")
    )
    book = OrderBook("Europe/Amsterdam")
    document = book.put(before)
    ours = edit(book, document, Edit(country=after["shipping"]["country"], postcode=after["shipping"]["postcode"]))
    assert before["total"] != after["total"]
    for key in ("total", "total_tax", "shipping_tax", "cart_tax", "shipping_total"):
        assert ours[key] == after[key], key
    assert [line["total_tax"] for line in ours["line_items"]] == [line["total_tax"] for line in after["line_items"]]
