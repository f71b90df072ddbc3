"""Recorded lists and refusals of a real WooCommerce, through the client; and the imitation held against them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest
import responses
import yaml

from sluis.core.order import Order
from sluis.errors import Defect, NotAShop, OutcomeUnknown, Reconnect, SluisError
from sluis.http import VendorSession
from sluis.ports import Window
from sluis.shops.woocommerce.client import WooCommerceClient
from sluis.shops.woocommerce.facts import shop_facts
from sluis.shops.woocommerce.refusals import on_error
from sluis.shops.woocommerce.settings import WooCommerceSettings
from tests.shared import shared_root
from tests.shops.fake_woocommerce import FakeWooCommerce, serve

FOLDER = shared_root() / "recordings" / "woocommerce-10.0.2"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FOLDER.exists(), reason="needs shared/recordings/woocommerce-10.0.2, which is not here"),
]
EVERYTHING = Window(start=datetime(2020, 1, 1, tzinfo=UTC), end=datetime(2027, 1, 1, tzinfo=UTC))
HOST = "https://shop.example"


def recorded(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def names(pattern: str) -> list[str]:
    return sorted(path.stem for path in FOLDER.glob(f"{pattern}.json")) if FOLDER.exists() else []


def session() -> VendorSession:
    return VendorSession(
        HOST, vendor="WooCommerce", auth=("ck", "cs"), limiter=None, limiter_key="x", on_error=on_error, read_retries=0
    )


@pytest.fixture
def shop() -> Iterator[FakeWooCommerce]:
    """The imitation, holding the recorded orders and refunds."""
    with serve() as running:
        for name in names("orders-list-page-[0-9]"):
            running.orders.update({row["id"]: row for row in recorded(name)["response"]["body"]})
        for name in names("refunds-list-page-[0-9]"):
            running.refunds.update({row["id"]: row for row in recorded(name)["response"]["body"]})
        yield running


ERRORS: dict[str, type[SluisError]] = {
    "400": Defect,
    "401": Reconnect,
    "403": Reconnect,
    "404": Defect,
    "500": OutcomeUnknown,
}


@pytest.mark.parametrize("name", names("error-*"))
@responses.activate
def test_every_recorded_refusal_has_its_class(name: str) -> None:
    exchange = recorded(name)
    request, response = exchange["request"], exchange["response"]
    headers = {k: v for k, v in response["headers"].items() if k != "Content-Type"}
    responses.add(
        request["method"], f"{HOST}{request['path']}", json=response["body"], status=response["status"], headers=headers
    )
    with pytest.raises(SluisError) as caught:
        session().request(request["method"], request["path"], params=request["query"])
    expected = NotAShop if name == "error-404-unknown-route" else ERRORS[str(response["status"])]
    assert type(caught.value) is expected
    assert str(response["status"]) in str(caught.value)
    assert str(response["body"].get("message")) not in str(caught.value)


def test_a_refused_parameter_is_named() -> None:
    with responses.RequestsMock() as mock:
        exchange = recorded("error-400-bad-orderby")["response"]
        mock.get(f"{HOST}/wp-json/wc/v3/orders", json=exchange["body"], status=400)
        with pytest.raises(Defect, match="parameter orderby; is WooCommerce older"):
            WooCommerceClient(session(), WooCommerceSettings(url=HOST)).rows("orders", {})


@pytest.mark.parametrize("by", ["modified", "dated"])
def test_the_whole_recorded_shop_comes_once_with_its_refunds_in_three_calls(
    shop: FakeWooCommerce, by: Literal["modified", "dated"]
) -> None:
    pages = list(shop.connector.read(EVERYTHING, by=by))
    orders = [document for page in pages for document in page.documents]
    assert all(isinstance(order, Order) for order in orders)
    assert pages[0].shop_count == 84
    assert Counter(order.order_id for order in orders) == Counter(str(number) for number in shop.orders)
    assert shop.calls == 3  # the refunds, the orders, the bin: nothing is asked per order
    facts = {str(case["order_id"]): case for case in yaml.safe_load((FOLDER / "cases.yaml").read_text())["cases"]}
    expected = Decimal(0)
    refunded = Decimal(0)
    for number in shop.orders:
        case = facts[str(number)]
        expected += Decimal(case.get("shop_differs", {}).get("recorded_total", case["expected"]["total"]))
        refunded += sum((Decimal(refund["total"]) for refund in case["expected"]["refunds"]), Decimal(0))
    assert sum(order.total for order in orders if isinstance(order, Order)) == expected
    found = [refund for order in orders if isinstance(order, Order) for refund in order.refunds]
    assert len(found) == 12
    assert sum(refund.total for refund in found) == refunded


def test_a_refund_of_november_brings_its_order_of_2024(shop: FakeWooCommerce) -> None:
    """Read by date: the order of 2024 is not dated in the window, its refund is made in it."""
    window = Window(start=datetime(2026, 11, 16, tzinfo=UTC), end=datetime(2026, 11, 17, tzinfo=UTC))
    pages = list(shop.connector.read(window, by="dated"))
    assert pages[0].shop_count == 0
    order = pages[-1].documents[0]
    assert isinstance(order, Order)
    assert (order.order_id, order.created_at.year) == ("253", 2024)
    assert [refund.total for refund in order.refunds] == [Decimal("12.95")]


@pytest.mark.parametrize("by", ["modified", "dated"])
def test_the_recorded_bin_is_read_beside_the_shops_count(
    shop: FakeWooCommerce, by: Literal["modified", "dated"]
) -> None:
    binned = {row["id"]: row for row in recorded("orders-list-status-trash")["response"]["body"]}
    shop.orders.update(binned)
    pages = list(shop.connector.read(EVERYTHING, by=by))
    documents = [document for page in pages for document in page.documents]
    assert pages[0].shop_count == sum(page.counted or 0 for page in pages) == 84
    assert {int(d.order_id) for d in documents if isinstance(d, Order) and d.status == "trash"} == set(binned)
    assert len(documents) == 84 + len(binned)
    (found,) = (d for page in shop.connector.fetch([str(n) for n in binned]) for d in page.documents)
    assert isinstance(found, Order)
    assert found.status == "trash"


def test_putting_an_order_into_the_bin_raises_its_modification_time() -> None:
    """What the walk over the bin rests on: the same order before and after ``DELETE`` without ``force``."""
    before = recorded("order-for-webhook-created")["response"]["body"]
    after = recorded("order-trashed-by-id")["response"]["body"]
    assert before["id"] == after["id"]
    assert after["status"] == "trash"
    assert after["date_modified_gmt"] > before["date_modified_gmt"]


def test_a_gateways_refund_that_leaves_its_order_alone_is_seen(shop: FakeWooCommerce) -> None:
    """Recorded refunds, with the orders' modification times as they would be had the gateway not touched them."""
    window = Window(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2027, 1, 1, tzinfo=UTC))
    made = {r["id"] for r in shop.refunds.values() if "2026-10" <= r["date_created_gmt"] < "2027"}
    for order in shop.orders.values():
        order["date_modified_gmt"] = "2026-01-01T00:00:00"
    pages = list(shop.connector.read(window, by="modified"))
    found = [d for page in pages for d in page.documents if isinstance(d, Order)]
    assert pages[0].shop_count == 0
    assert made
    assert made <= {int(refund.refund_id) for order in found for refund in order.refunds}


LISTS = [
    "orders-list-status-trash",
    *[name for name in names("orders-window-*") if recorded(name)["request"]["query"].get("dates_are_gmt")],
    *names("orders-created-*utc"),
    "orders-list-fields-only",
    "orders-include-ids",
    "orders-modified-page-1",
    "orders-modified-page-2",
    "orders-list-page-beyond-end",
    "refunds-list-after-gmt",
]


@pytest.mark.parametrize("name", LISTS)
def test_the_imitation_finds_what_the_real_shop_found(shop: FakeWooCommerce, name: str) -> None:
    exchange = recorded(name)
    shop.orders.update({row["id"]: row for row in recorded("orders-list-status-trash")["response"]["body"]})
    query = {key: str(value) for key, value in exchange["request"]["query"].items()}
    status, body, headers = shop.answer(exchange["request"]["path"], query)
    assert status == exchange["response"]["status"]
    assert headers["X-WP-Total"] == exchange["response"]["headers"]["X-WP-Total"]
    assert {row["id"] for row in body} == {row["id"] for row in exchange["response"]["body"]}


@responses.activate
def test_the_check_of_the_recorded_shop() -> None:
    api = f"{HOST}/wp-json/wc/v3"
    bodies = {
        f"{HOST}/wp-json/": "site-index",
        f"{api}/orders": "orders-list-read-only-key",
        f"{api}/settings/general": "settings-general",
        f"{api}/settings/tax": "settings-tax",
        f"{api}/taxes": "taxes",
        f"{api}/taxes/classes": "tax-classes",
        f"{api}/payment_gateways": "payment-gateways",
        f"{api}/orders/statuses": "order-statuses",
        f"{api}/refunds": "refunds-list-page-1",
    }
    for url, name in bodies.items():
        response = recorded(name)["response"]
        headers = {key: value for key, value in response["headers"].items() if key.startswith("X-WP")}
        responses.get(url, json=response["body"], headers=headers)
    facts = shop_facts(WooCommerceClient(session(), WooCommerceSettings(url=HOST)), WooCommerceSettings(url=HOST))
    assert (facts.version, facts.currency, facts.timezone) == ("10.0.2", "EUR", "Europe/Amsterdam")
    assert (facts.prices_include_vat, facts.orders, facts.warnings) == (True, 84, ())
    assert ("FI", "25.5") in {rate[:2] for rate in facts.tax_rates}
    assert {"processing", "completed"} <= set(facts.statuses)
    assert set(facts.payment_methods) <= {"bacs", "cheque", "cod"}
    assert (facts.categories, facts.traits) == (("reduced-rate", "standard", "zero-rate"), ())
