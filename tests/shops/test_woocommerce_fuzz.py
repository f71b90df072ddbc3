"""Whatever stands in one order, that order is read or waits; the others go on, and nothing of its texts is shown."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis.core.invoice import Prepared
from sluis.core.invoicing import prepare
from sluis.core.order import Order, Unreadable
from sluis.core.settings import IntegrationSettings
from sluis.http.answer import parse_body
from sluis.ports import Window
from sluis.privacy.pseudonyms import Pseudonyms
from sluis.shops.reading import Reader, WrongField
from sluis.shops.woocommerce.mapping import to_order, to_orphan, unreadable
from sluis.shops.woocommerce.settings import WooCommerceSettings
from sluis.transit.codec import decode, encode
from tests.shops.fake_woocommerce import FakeWooCommerce, order_json, refund_json, serve

NOON = datetime(2026, 11, 20, 12, 0, 5, tzinfo=UTC)
SETTINGS = WooCommerceSettings(url="https://shop.example", number_keys=("_invoice",), sku_kinds={"MO*": "deposit"},
    fee_kinds={"Cadeau": "tip"}, category_by_sku={"MOK": "servies"}, marketplace_orders={"_channel": ("bol",)},
)  # fmt: skip
BOOKS = IntegrationSettings.model_validate({"start_date": "2026-01-01"})

ODD: list[Any] = [
    None, True, False, 0, -1, 10**5000, "", " ", "1e9999999", "-1e-9999999", "9" * 5000, "1" * 30, "NaN", "sNaN",
    "Infinity", Decimal("NaN"), Decimal("1e9999999"), Decimal("1e-9999999"), Decimal("-0"), "²", "١٢", "1_000", "0x1",
    "CANARY\ud83d",
        "CANARY\u2028", "CANARY\x00", "9999-12-31T23:59:59", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59", "2026-02-30T00:00:00", [], {}, [[]], [None], [{}], {"CANARY": "CANARY"},
    [{"key": "_vat_number", "value": "\ud83d"}], [{"key": ["CANARY"], "value": 1}],
    [{"key": "_invoice", "value": "a@b.nl"}],
]  # fmt: skip


def fixture() -> dict[str, Any]:
    """One order with every kind of line, metadata and a refund of its own."""
    order = copy.deepcopy(order_json(501, NOON, NOON))
    part = {"total": "4.09", "total_tax": "0.86", "taxes": [{"id": 1, "total": "0.86"}]}
    order["shipping_lines"] = [{"id": 2, "method_title": "PostNL", **part}]
    order["fee_lines"] = [{"id": 3, "name": "Cadeau", "tax_class": "", **part}]
    keys = {
        "_vat_number": "BE0123456749",
        "x": "y",
        "smart_coupons_contribution": {"CANARY-CARD": "1.00"},
        "_channel": "b",
    }
    order["meta_data"] = [
        {"id": place, "key": key, "value": value} for place, (key, value) in enumerate(keys.items(), 1)
    ]
    order["pw_gift_cards_redeemed"] = [{"number": "CANARY-CARD", "amount": "2.00"}]
    return order | {"total": "19.00", "total_tax": "3.82"}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from places(item, (*path, key))


ORDER, REFUND = fixture(), refund_json(900, fixture(), NOON, 77)
BOTH = {"order": ORDER, "refund": REFUND}
PLACES = [path for path in places(BOTH) if len(path) > 1]
MUTATION = st.tuples(st.sampled_from(PLACES), st.sampled_from(ODD) | st.text() | st.just(...))


def mutated(mutations: list[tuple[tuple[Any, ...], Any]]) -> dict[str, Any]:
    """Return both documents changed; ``...`` takes a field away. A place that a change took is passed over."""
    found = copy.deepcopy(BOTH)
    for path, value in mutations:
        parent: Any = found
        try:
            for key in path[:-1]:
                parent = parent[key]
            if value is ...:
                del parent[path[-1]]
            else:
                parent[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    return found


def survives(documents: dict[str, Any]) -> None:
    """Read, decide, name and carry one order: an order or one that waits, and never an exception."""
    order = to_order(documents["order"], [documents["refund"]], SETTINGS)
    waiting = [unreadable(documents["order"], "total"), to_orphan(documents["refund"])]
    for item in [order, *waiting]:
        assert isinstance(item, Order | Unreadable)
        assert decode(encode([item])) == [item]
        assert "CANARY" not in f"{item.order_id} {item.number} {item.currency} {getattr(item, 'field', '')}"
    if isinstance(order, Unreadable):
        assert (order.code, bool(order.field)) == ("unreadable", True)
        return
    Pseudonyms(b"x" * 32).customer_key(order.buyer, order.order_id, integration_code="a")
    for decision in prepare(order, BOOKS, today=NOON.date()):
        outcome = decision.invoice if isinstance(decision, Prepared) else decision
        assert "CANARY" not in outcome.order_number


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_every_odd_value_in_every_place(path: tuple[Any, ...]) -> None:
    for value in [..., *ODD]:
        survives(mutated([(path, value)]))


@settings(max_examples=300)
@given(mutations=st.lists(MUTATION, min_size=1, max_size=4))
def test_several_odd_values_at_once(mutations: list[tuple[tuple[Any, ...], Any]]) -> None:
    survives(mutated(mutations))


def test_the_documents_that_are_changed_can_be_read() -> None:
    order = to_order(ORDER, [REFUND], SETTINGS)
    assert isinstance(order, Order), order
    assert len(order.lines) == 3
    assert len(order.refunds) == 1


@pytest.mark.parametrize("text", ["9" * 5000, "1e99999999999999999999999999", "-0.0", "1E+400000", "0." + "1" * 9000])
def test_an_odd_number_leaves_the_rest_of_a_body_readable(text: str) -> None:
    parsed = parse_body(f'[{{"id": 1, "total": {text}}}, {{"id": 2}}]'.encode())
    assert [row["id"] for row in parsed] == [1, 2]
    survives({"order": {**ORDER, "total": parsed[0]["total"]}, "refund": REFUND})


@pytest.fixture
def shop() -> Iterator[FakeWooCommerce]:
    with serve() as running:
        yield running


SPOILED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "quantity": lambda o: o["line_items"][0].update(quantity="1e9999999"),
    "refunds of no object": lambda o: o.update(refunds=["CANARY"]),
    "refund id of many digits": lambda o: o.update(refunds=[{"id": "9" * 5000}]),
    "half a character": lambda o: o["billing"].update(first_name="\ud83d"),
    "number": lambda o: o.update(number="noor@example.com"),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_one_odd_order_does_not_stop_the_others(shop: FakeWooCommerce, spoil: Callable[[dict[str, Any]], Any]) -> None:
    ids = [shop.add(modified=NOON) for _ in range(3)]
    spoil(shop.orders[int(ids[1])])
    pages = shop.connector.read(Window(start=NOON.replace(hour=0), end=NOON.replace(hour=23)), by="modified")
    found = {document.order_id: document for page in pages for document in page.documents}
    assert [isinstance(found[order_id], Order) for order_id in ids] == [True, False, True]


def test_an_odd_refund_of_one_order_makes_that_order_wait(shop: FakeWooCommerce) -> None:
    order_id = shop.add(modified=NOON, refunds=[{"id": 900}])
    for odd in ("CANARY", {"id": 10**30}, None):
        shop.overrides[f"orders/{order_id}/refunds"] = (200, [odd], {"X-WP-Total": "1"})
        [page] = shop.connector.fetch([order_id])
        [document] = page.documents
        assert isinstance(document, Unreadable)
        assert str(document.field).startswith("refunds[0]")


@pytest.mark.parametrize(
    "text", ["1e-26", "1e-999999", "1e12", "1e999999", "0." + "0" * 26 + "1", "1" * 13, "1_0", "", "."]
)
def test_a_number_that_cannot_be_counted_with_is_none(text: str) -> None:
    with pytest.raises(WrongField, match="n"):
        Reader({"n": text}).number("n")


def test_odd_refunds_wait_and_the_others_go_on(shop: FakeWooCommerce) -> None:
    order_id = shop.add(modified=NOON.replace(day=1))
    shop.refund(order_id, NOON, touch=False)
    good = json.loads(json.dumps(next(iter(shop.refunds.values()))))
    rows = ["CANARY", {**good, "id": "9" * 5000, "parent_id": "²"}, {**good, "id": None, "parent_id": None}, good]
    shop.overrides["refunds"] = (200, rows, {"X-WP-Total": "4"})
    pages = list(shop.connector.read(Window(start=NOON.replace(hour=0), end=NOON.replace(hour=23)), by="modified"))
    documents = [document for page in pages for document in page.documents]
    assert [type(document) for document in documents] == [Order, Unreadable, Unreadable, Unreadable]
    assert "CANARY" not in repr(documents)
