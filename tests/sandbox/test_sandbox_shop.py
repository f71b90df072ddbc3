"""The sandbox shop: signatures, the control API, invented orders that add up, and the same ones for the same seed."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth1

from sluis.errors import Defect, NotConfigured
from sluis.sandbox.config import AdministrationConfig, SandboxConfig, ShopConfig, read_config
from sluis.sandbox.drafting import Draft, make_order, make_refund
from sluis.sandbox.orderbook import OrderBook, worth
from sluis.sandbox.orders import rows_of, till_for
from sluis.sandbox.people import person
from sluis.sandbox.pricing import Article
from sluis.sandbox.state import State
from tests.sandbox.conftest import SHOP, Client

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def everything(state: State, code: str = "winkel") -> list[dict[str, Any]]:
    return [document.raw for document in state.shop(code).book.orders.values()]


# -------------------------------------------------------------------------------------------------------------- keys


def test_a_wrong_secret_and_a_wrong_key_are_refused(client: Client) -> None:
    answer = client.shop("/orders", secret="cs_other")
    assert (answer.status_code, answer.json()["message"]) == (
        401,
        "Invalid signature - provided signature does not match.",
    )
    url = f"{client.server.shop_url('winkel')}/wp-json/wc/v3/orders"
    auth = OAuth1("ck_other", client_secret="x", signature_method="HMAC-SHA256", signature_type="query")
    assert requests.get(url, auth=auth, timeout=10).json()["message"] == "Consumer key is invalid."


def test_a_signed_address_works_once_and_only_unchanged(client: Client) -> None:
    url = f"{client.server.shop_url('winkel')}/wp-json/wc/v3/orders"
    auth = OAuth1("ck_test", client_secret="cs_test", signature_method="HMAC-SHA256", signature_type="query")
    signed = requests.Request("GET", url, params={"per_page": "1"}, auth=auth).prepare().url
    assert signed is not None
    assert requests.get(signed.replace("per_page=1", "per_page=2"), timeout=10).status_code == 401
    assert requests.get(signed, timeout=10).status_code == 200
    again = requests.get(signed, timeout=10)
    assert (again.status_code, again.json()["message"]) == (401, "Invalid nonce - nonce has already been used.")


def test_a_stale_signature_and_a_missing_part_are_refused(client: Client) -> None:
    url = f"{client.server.shop_url('winkel')}/wp-json/wc/v3/orders"
    auth = OAuth1(
        "ck_test", client_secret="cs_test", signature_method="HMAC-SHA256", signature_type="query", timestamp="1"
    )
    assert requests.get(url, auth=auth, timeout=10).json()["message"] == "Invalid timestamp."
    part = requests.get(url, params={"oauth_consumer_key": "ck_test"}, timeout=10)
    assert part.json()["code"] == "woocommerce_rest_authentication_missing_parameter"


def test_basic_opens_over_https_only(client: Client) -> None:
    url = f"{client.server.shop_url('winkel')}/wp-json/wc/v3/orders"
    plain = requests.get(url, auth=("ck_test", "cs_test"), timeout=10)
    secure = requests.get(url, auth=("ck_test", "cs_test"), headers={"X-Forwarded-Proto": "https"}, timeout=10)
    assert (plain.status_code, secure.status_code) == (401, 200)


def test_an_address_that_is_no_shop_is_html(client: Client) -> None:
    for path in ("/shops/other/wp-json/", "/shops/winkel/contact"):
        answer = requests.get(client.server.url + path, timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (404, "text/html")


# ------------------------------------------------------------------------------------------------------------ orders


@pytest.mark.parametrize("with_vat", [True, False])
def test_every_generated_order_adds_up(with_vat: bool) -> None:
    config = SHOP.model_copy(update={"prices_include_vat": with_vat, "orders": 300})
    state = State(SandboxConfig(seed=3, shops=(config,)), clock=lambda: NOW)
    book = state.shop("winkel").book
    for document in book.orders.values():
        order = book.body(document, "https://shop.example")
        lines = [*order["line_items"], *order["fee_lines"], *order["shipping_lines"]]
        net = sum(Decimal(line["total"]) for line in lines)
        vat = sum(Decimal(line["total_tax"]) for line in lines)
        assert (net + vat, vat) == (worth(order), Decimal(order["total_tax"])), order["id"]
        rows = sum(Decimal(row["tax_total"]) + Decimal(row["shipping_tax_total"]) for row in order["tax_lines"])
        assert rows == vat


def test_no_refund_exceeds_its_order() -> None:
    state = State(SandboxConfig(seed=3, shops=(SHOP.model_copy(update={"orders": 600}),)), clock=lambda: NOW)
    book = state.shop("winkel").book
    assert len(book.refunds) > 20
    for order_id, refunds in book.by_parent.items():
        back = sum(Decimal(refund.raw["amount"]) for refund in refunds)
        order = book.orders[order_id].raw
        assert 0 < back <= Decimal(order["total"])
        assert (order["status"] == "refunded") == (back == Decimal(order["total"]))


def test_the_same_seed_gives_the_same_shop_and_another_one_another() -> None:
    one, again, other = (State(SandboxConfig(seed=n, shops=(SHOP,)), clock=lambda: NOW) for n in (1, 1, 2))
    assert everything(one) == everything(again)
    assert everything(one) != everything(other)


def test_a_shop_has_the_cases_that_a_real_one_has() -> None:
    state = State(SandboxConfig(seed=1, shops=(SHOP.model_copy(update={"orders": 400}),)), clock=lambda: NOW)
    orders = everything(state)
    assert {order["status"] for order in orders} >= {
        *("processing", "completed", "cancelled", "failed", "checkout-draft", "trash", "refunded")
    }
    assert {order["billing"]["country"] for order in orders} >= {"NL", "BE", "DE", "NO", "US"}
    assert {"21", "9", "0", "19", "6"} <= {str(row["rate_percent"]) for order in orders for row in order["tax_lines"]}
    assert {order["payment_method"] for order in orders} >= {"cod", "bacs", "ideal", "mollie_wc_gateway_ideal"}
    mails = [order["billing"]["email"] for order in orders]
    assert all(mail.endswith(("@example.com", "@example.nl")) for mail in mails)
    assert 0.45 < 1 - len(set(mails)) / len(mails) < 0.65
    assert any(order["customer_id"] for order in orders)
    assert all(
        order["date_paid"] is None
        for order in orders
        if (order["payment_method"], order["status"]) == ("cod", "processing")
    )
    newest = max(order["date_created"] for order in orders)
    assert newest.startswith("2026-11-22")


def test_without_specials_no_order_is_awkward() -> None:
    config = SHOP.model_copy(update={"orders": 200, "specials": False})
    orders = everything(State(SandboxConfig(shops=(config,)), clock=lambda: NOW))
    assert {order["status"] for order in orders} <= {"processing", "completed", "on-hold", "pending", "refunded"}


def one_order(quantity: int = 3) -> tuple[OrderBook, dict[str, Any]]:
    config = ShopConfig()
    book = OrderBook("Europe/Amsterdam")
    mug = Article("MUG", "Mok", Decimal("12.95"))
    draft = Draft(created=NOW, buyer=person(1, "x"), items=((mug, quantity),), shipping=Decimal("4.0909"))
    return book, book.put(make_order(book, till_for(config, rows_of(config), "NL"), draft)).raw


def test_pieces_given_back_one_by_one_add_up_to_the_line() -> None:
    book, order = one_order(7)
    line = order["line_items"][0]
    for step in range(7):
        refund = make_refund(book, book.orders[order["id"]].raw, NOW + timedelta(hours=step), lines={line["id"]: 1})
        book.put_refund(order["id"], refund)
    refunds = [refund.raw for refund in book.by_parent[order["id"]]]
    assert sum(Decimal(refund["amount"]) for refund in refunds) == Decimal("90.65")
    assert sum(Decimal(item["total_tax"]) for refund in refunds for item in refund["line_items"]) == -Decimal("15.73")
    with pytest.raises(Defect, match="has 0 left, not 1"):
        make_refund(book, order, NOW, lines={line["id"]: 1})


def test_a_refund_of_everything_marks_the_order_and_raises_its_change_date() -> None:
    book, order = one_order()
    line = order["line_items"][0]
    refund = make_refund(book, order, NOW + timedelta(days=1), lines={line["id"]: 3}, shipping=True)
    book.put_refund(order["id"], refund)
    now = book.orders[order["id"]].raw
    assert (refund["amount"], now["status"]) == ("43.80", "refunded")
    assert now["date_modified_gmt"] == "2026-11-24T12:00:00"
    assert now["refunds"] == [{"id": refund["id"], "reason": "", "total": "-43.80"}]


def test_a_refund_is_by_line_or_of_an_amount() -> None:
    book, order = one_order()
    for wrong in ({}, {"lines": {1: 1}, "amount": Decimal(1)}, {"lines": {999: 1}}):
        with pytest.raises(Defect):
            make_refund(book, order, NOW, **wrong)


# ----------------------------------------------------------------------------------------------------------- control


def test_the_control_api_wants_its_token(client: Client) -> None:
    assert requests.get(f"{client.server.url}/_sandbox/stats", timeout=10).status_code == 401
    assert client.control("GET", "/stats").status_code == 200


def test_orders_are_added_changed_refunded_and_deleted(client: Client) -> None:
    new = client.control("POST", "/shops/winkel/orders", json={"generate": 2}).json()["ids"]
    assert client.shop("/orders", per_page=100).headers["X-WP-Total"] == str(
        sum(order["status"] != "trash" for order in everything(client.state))
    )
    order_id = new[0]
    before = client.shop(f"/orders/{order_id}").json()
    change = {"set": {"status": "completed"}, "at": "2027-01-01T00:00:00Z"}
    assert client.control("PATCH", f"/shops/winkel/orders/{order_id}", json=change).status_code == 200
    after = client.shop(f"/orders/{order_id}").json()
    assert (after["status"], after["date_modified_gmt"]) == ("completed", "2027-01-01T00:00:00")
    assert after["total"] == before["total"]
    line = after["line_items"][0]
    refund = client.control("POST", f"/shops/winkel/orders/{order_id}/refunds", json={"lines": {str(line["id"]): 1}})
    assert refund.status_code == 201
    assert client.shop(f"/orders/{order_id}/refunds").json()[0]["id"] == refund.json()["id"]
    too_much = client.control("POST", f"/shops/winkel/orders/{order_id}/refunds", json={"lines": {str(line["id"]): 99}})
    assert too_much.status_code == 422
    assert client.control("DELETE", f"/shops/winkel/orders/{order_id}").status_code == 204
    assert client.shop(f"/orders/{order_id}").status_code == 404
    assert client.control("PATCH", f"/shops/winkel/orders/{order_id}", json={}).status_code == 404


def test_stats_count_documents_cents_and_calls_and_reset_forgets(client: Client) -> None:
    contact = client.contact()
    client.invoice(contact, lines=[{"description": "x", "price": "121.00"}], prices_are_incl_tax=True)
    client.shop("/orders/1")
    stats = client.control("GET", "/stats").json()
    books = stats["administrations"]["460000000000000001"]
    assert (books["invoices"], books["invoices_cents"], books["contacts"], books["duplicates"]) == (1, 12100, 3, {})
    assert stats["calls"]["GET /shops/winkel/wp-json/wc/v3/orders/{id}"] == 1
    assert stats["calls"]["POST /books/api/v2/460000000000000001/contacts"] == 1
    assert stats["shops"]["winkel"]["orders"] == SHOP.orders
    after = client.control("POST", "/reset").json()
    assert (after["calls"], after["administrations"]["460000000000000001"]["invoices"]) == ({}, 0)


def test_stats_tell_apart_what_changed_in_an_interval(client: Client) -> None:
    book = client.state.shop("winkel").book
    late = datetime(2027, 1, 1, tzinfo=UTC)
    order_id = next(number for number, document in book.orders.items() if document.raw["status"] == "completed")
    book.change(order_id, {}, at=late)
    interval = f"{late.isoformat()}/{(late + timedelta(seconds=1)).isoformat()}"
    listed = client.control("GET", "/stats", params={"winkel": interval}).json()["shops"]["winkel"]["listed"]
    refunds = book.by_parent.get(order_id, [])
    assert listed == {
        "orders": 1,
        "orders_cents": int(Decimal(book.orders[order_id].raw["total"]) * 100),
        "refunds": len(refunds),
        "refunds_cents": sum(int(Decimal(refund.raw["amount"]) * 100) for refund in refunds),
    }
    everything_seen = client.control("GET", "/stats").json()["shops"]["winkel"]["listed"]
    assert everything_seen["orders"] == len(everything(client.state))
    for wrong in ("gisteren", late.isoformat(), "2027-01-01T00:00:00/2027-01-02T00:00:00"):
        assert client.control("GET", "/stats", params={"winkel": wrong}).status_code == 400


def test_a_bookkeeper_may_book_by_hand(client: Client) -> None:
    contact = client.control("POST", "/books/460000000000000001/contacts", json={"company_name": "Oud B.V."}).json()
    body = {"contact_id": contact["id"], "reference": "77", "details_attributes": [{"description": "x", "price": 1}]}
    path = "/books/460000000000000001/external_sales_invoices"
    assert client.control("POST", path, json=body).status_code == 201
    assert client.control("POST", path, json={**body, "reference": ""}).status_code == 422
    assert client.control("GET", "/stats").json()["calls"] == {}


# ------------------------------------------------------------------------------------------------------------ config


def test_a_config_is_read_and_a_wrong_one_names_its_field(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.yaml"
    file.write_text("seed: 5\nshops: [{code: a, orders: 3}]\nadministrations: [{id: '12'}]\n", encoding="utf-8")
    config = read_config(file)
    assert (config.seed, config.shops[0].orders, config.administrations[0].id) == (5, 3, "12")
    assert config.shops[0].consumer_key != read_config(file).shops[0].consumer_key
    file.write_text("shops: [{code: a, ordrs: 3}]\n", encoding="utf-8")
    with pytest.raises(NotConfigured, match=r"shops\.0\.ordrs"):
        read_config(file)
    with pytest.raises(NotConfigured, match="cannot read"):
        read_config(tmp_path / "absent.yaml")
    file.write_text("a: [", encoding="utf-8")
    with pytest.raises(NotConfigured, match="is not YAML"):
        read_config(file)


def test_the_command_runs_prints_no_keys_and_stops(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    command = [sys.executable, "-m", "sluis.sandbox", "--port", "0", "--orders", "5", "--keys-file", str(keys)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            printed = "".join(iter(process.stdout.readline, "}\n")) + "}"
            facts = json.loads(printed)
            secret = json.loads(keys.read_text(encoding="utf-8"))
            site = requests.get(f"{facts['shops']['shop']['url']}/wp-json/", timeout=10).json()
        finally:
            process.terminate()
    assert site["name"] == "Voorbeeldwinkel"
    assert secret["shops"]["shop"]["consumer_secret"] not in printed
    assert keys.stat().st_mode & 0o777 == 0o600
    assert facts["shops"]["shop"]["orders"] == 5


def test_unknown_names_are_refused() -> None:
    state = State(SandboxConfig(shops=(ShopConfig(),), administrations=(AdministrationConfig(),)))
    with pytest.raises(Defect, match="no shop 'other'"):
        state.shop("other")
    with pytest.raises(Defect, match="no administration"):
        state.ledger("5")


def test_fields_inside_an_object_and_single_metadata_can_be_asked_for(client: Client) -> None:
    book = client.state.shop("winkel").book
    order = next(iter(book.orders.values()))
    order.raw["meta_data"] = [
        {"id": n, "key": key, "value": "x"} for n, key in enumerate(("_vat_number", "_engraving"))
    ]
    wanted = "id,billing.email,billing.country,shipping,shipping.country,meta_data,line_items.id,status.slug"
    [shown] = client.shop("/orders", include=str(order.id), _fields=wanted, include_meta="_vat_number,_other").json()
    assert set(shown) == {"id", "billing", "shipping", "meta_data", "line_items", "status"}
    assert set(shown["billing"]) == {"email", "country"}
    assert "city" in shown["shipping"]
    assert [entry["key"] for entry in shown["meta_data"]] == ["_vat_number"]
    assert shown["line_items"] == []
