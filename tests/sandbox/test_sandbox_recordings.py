"""The sandbox shop against recorded answers of the real WooCommerce: same ids, bodies, headers and refusals."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sluis.sandbox.config import SandboxConfig, ShopConfig
from sluis.sandbox.orders import rows_of
from sluis.sandbox.pricing import Article, Till, line_item
from sluis.sandbox.server import SandboxServer
from tests.sandbox.conftest import SHOP, Client
from tests.shared import shared_path

pytestmark = pytest.mark.shared
FOLDER = shared_path("recordings/woocommerce-10.0.2")
SITE = "https://shop.example"


def recorded(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


def load(server: SandboxServer) -> None:
    """Put every recorded order and refund into the shop."""
    book = server.state.shop("winkel").book
    for page in sorted(FOLDER.glob("orders-list-page-[1-5].json")):
        for order in json.loads(page.read_text(encoding="utf-8"))["response"]["body"]:
            book.put(order)
    book.put(recorded("order-status-trash")["response"]["body"])
    for page in sorted(FOLDER.glob("refunds-list-page-*.json")):
        for refund in json.loads(page.read_text(encoding="utf-8"))["response"]["body"]:
            book.put_refund(refund["parent_id"], refund, touch=False)


@pytest.fixture(scope="module")
def real() -> Iterator[Client]:
    config = SHOP.model_copy(update={"orders": 0})
    with SandboxServer(SandboxConfig(shops=(config,))) as server:
        load(server)
        speaker = Client(server)
        yield speaker
        speaker.session.close()


def path_of(name: str) -> str:
    return str(recorded(name)["request"]["path"]).partition("/wp-json/wc/v3")[2]


def shape(value: Any) -> Any:
    """Keys and types; the members of a list are merged."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        merged: dict[str, Any] = {}
        for item in value:
            merged |= shape(item) if isinstance(item, dict) else {"": type(item).__name__}
        return [merged]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


LISTS = [
    path.stem
    for pattern in ("orders-window-*", "orders-created-*", "orders-list-*", "orders-modified-*", "refunds-list-*")
    for path in sorted(FOLDER.glob(f"{pattern}.json"))
]
LISTS += ["orders-include-ids", "orders-search-number", "refunds-mixed-vat-shipping", "refunds-of-unknown-order"]


@pytest.mark.parametrize("name", LISTS)
def test_a_recorded_list_gives_the_same_documents_in_the_same_order_with_the_same_headers(
    name: str, real: Client
) -> None:
    content = recorded(name)
    answer = real.shop(path_of(name), **content["request"]["query"])
    wanted = content["response"]
    assert answer.status_code == wanted["status"]
    assert [entry["id"] for entry in answer.json()] == [entry["id"] for entry in wanted["body"]]
    here = real.server.shop_url("winkel")
    for header in ("Content-Type", "X-WP-Total", "X-WP-TotalPages", "Link", "Allow"):
        assert answer.headers[header].replace(here, SITE) == wanted["headers"][header], header


@pytest.mark.parametrize("name", ["orders-list-page-1", "refunds-list-page-1", "refunds-refund-two-mixed"])
def test_a_recorded_list_comes_back_whole(name: str, real: Client) -> None:
    content = recorded(name)
    answer = real.shop(path_of(name), **content["request"]["query"])
    here = real.server.shop_url("winkel")
    assert json.loads(answer.text.replace(here, SITE)) == content["response"]["body"]


ERRORS = sorted(path.stem for path in FOLDER.glob("error-400-*.json"))
ERRORS += ["error-404-unknown-order", "error-404-order-id-is-a-product", "error-refund-id-as-order-id"]


@pytest.mark.parametrize("name", ERRORS)
def test_a_recorded_refusal(name: str, real: Client) -> None:
    content = recorded(name)
    answer = real.shop(path_of(name), **content["request"]["query"])
    assert answer.status_code == content["response"]["status"]
    assert answer.json() == content["response"]["body"]


def _unsigned(real: Client, path: str, method: str = "GET", **headers: str) -> Any:
    return real.session.request(method, real.server.shop_url("winkel") + path, headers=headers, timeout=10)


def _basic(key: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    ("name", "permissions", "headers"),
    [
        ("error-401-no-key", "read", {}),
        ("error-401-single-no-key", "read", {}),
        ("error-401-basic-over-plain-http", "read", {"Authorization": _basic("ck_test", "cs_test")}),
        (
            "error-401-unknown-key",
            "read",
            {"Authorization": _basic("ck_other", "cs_test"), "X-Forwarded-Proto": "https"},
        ),
        (
            "error-401-wrong-secret",
            "read",
            {"Authorization": _basic("ck_test", "cs_other"), "X-Forwarded-Proto": "https"},
        ),
        *(
            (name, permissions, {"Authorization": _basic("ck_test", "cs_test"), "X-Forwarded-Proto": "https"})
            for name, permissions in (
                ("error-401-read-only-key-writes", "read"),
                ("error-401-write-only-key-reads", "write"),
                ("error-403-user-without-rights", "none"),
                ("error-403-user-without-rights-single", "none"),
                ("error-403-refunds", "none"),
                ("error-403-settings", "none"),
                ("error-404-unknown-route", "read"),
            )
        ),
    ],
)
def test_a_recorded_refusal_of_a_key(name: str, permissions: str, headers: dict[str, str], real: Client) -> None:
    content = recorded(name)
    gate = real.state.shop("winkel").gate
    gate.config = ShopConfig.model_validate({**SHOP.model_dump(), "permissions": permissions})
    try:
        answer = _unsigned(real, content["request"]["path"], content["request"]["method"], **headers)
    finally:
        gate.config = SHOP
    assert answer.status_code == content["response"]["status"]
    assert answer.json() == content["response"]["body"]


def test_a_generated_order_has_the_keys_and_types_of_a_recorded_one(client: Client) -> None:
    wanted = shape(recorded("order-mixed-vat-shipping")["response"]["body"])
    orders = client.shop("/orders", per_page=100).json()
    plain = next(
        order for order in orders if order["tax_lines"] and order["shipping_lines"] and order["date_completed"]
    )
    found = shape(client.shop(f"/orders/{plain['id']}").json())
    wanted["shipping_lines"][0].pop("meta_data"), found["shipping_lines"][0].pop("meta_data")
    for single in (wanted, found):
        single["fee_lines"] = single["refunds"] = single["meta_data"] = []
        single["_links"].pop("customer", None)
    assert found == wanted


def test_a_generated_refund_has_the_keys_and_types_of_a_recorded_one(client: Client) -> None:
    wanted = shape(recorded("refunds-list-page-1")["response"]["body"])[0]
    refunds = client.shop("/refunds", per_page=100).json()
    found = shape([refund for refund in refunds if refund["line_items"] and refund["tax_lines"]])[0]
    for name in ("shipping_lines", "fee_lines", "meta_data"):
        wanted[name] = found[name] = []
    assert found == wanted


@pytest.mark.parametrize(
    "name", ["settings-general", "settings-tax", "taxes-page-1", "payment-gateways", "tax-classes", "order-statuses"]
)
def test_what_a_shop_says_of_itself_has_the_recorded_shape(name: str, client: Client) -> None:
    content = recorded(name)
    answer = client.shop(path_of(name), **content["request"]["query"])
    first, wanted = answer.json()[0], content["response"]["body"][0]
    assert set(wanted) - set(first) <= {"options"}
    if "settings" in name:
        assert [entry["id"] for entry in answer.json()] == [entry["id"] for entry in content["response"]["body"]]


@pytest.mark.parametrize(
    ("case", "price", "quantity", "tax_class"),
    [("round-3x1295", "12.95", 3, "standard"), ("round-1000x0035", "0.035", 1000, "standard")],
)
def test_vat_is_counted_as_the_real_shop_did(case: str, price: str, quantity: int, tax_class: str) -> None:
    line = recorded(f"order-{case}")["response"]["body"]["line_items"][0]
    till = Till(rows_of(ShopConfig()), "NL", "NL", with_vat=True)
    article = Article("X", "X", Decimal(price), tax_class)
    charge = till.line(article, quantity)
    ours = line_item(1, article, quantity, charge, charge)
    cents = {
        name: f"{Decimal(ours[name]).quantize(Decimal('0.01'), 'ROUND_HALF_UP'):f}" for name in ("total", "total_tax")
    }
    assert cents == {name: line[name] for name in cents}


def test_the_recordings_are_there() -> None:
    assert isinstance(FOLDER, Path)
    assert len(LISTS) > 30
