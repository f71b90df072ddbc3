"""WooCommerce's own ways: how calls are signed, what is asked for, refunds in every version, and clear refusals."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import responses
from pydantic import ValidationError
from requests.auth import HTTPBasicAuth

from sluis.core.order import Order, Unreadable
from sluis.errors import Defect, NotAShop, Reconnect, RetryLater, SluisError
from sluis.http import TOO_LARGE
from sluis.http.quiet import silence
from sluis.ports import Page, Window
from sluis.shops.woocommerce import CONNECTOR
from sluis.shops.woocommerce.client import Span
from sluis.shops.woocommerce.mapping import signature
from sluis.shops.woocommerce.refusals import OUR_PARAMETERS
from sluis.shops.woocommerce.settings import (
    GIFT_CARD_FIELDS,
    GIFT_CARD_KEYS,
    ORDER_FIELDS,
    TEST_PAYMENTS,
    VAT_NUMBER_KEYS,
    WooCommerceCredentials,
    WooCommerceSettings,
)
from tests.shops.fake_woocommerce import FakeWooCommerce, line_json, no_route, order_json, refund_json, serve

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
HOUR = Window(start=START, end=START + timedelta(hours=1))
MOMENT = START + timedelta(minutes=5)


@pytest.fixture
def shop() -> Iterator[FakeWooCommerce]:
    with serve(read_retries=0) as running:
        yield running


def read(shop: FakeWooCommerce) -> list[Page]:
    return list(shop.connector.read(HOUR, by="modified"))


def documents(shop: FakeWooCommerce) -> list[Order | Unreadable]:
    return [document for page in read(shop) for document in page.documents]


# ------------------------------------------------------------------------------------------ settings, signature


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://Shop.Example/", "https://shop.example"),
        ("https://shop.example/winkel/wp-json/wc/v3/orders", "https://shop.example/winkel"),
        (" http://127.0.0.1:8080 ", "http://127.0.0.1:8080"),
    ],
)
def test_the_address_is_the_front_page(given: str, kept: str) -> None:
    assert WooCommerceSettings(url=given).url == kept


@pytest.mark.parametrize(
    "given",
    ["", "shop.example", "ftp://shop.example", "https://", "https://ck:CANARY@shop.example", "https://shop.example/?x=1",
     "https://shop.example:CANARY/"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WooCommerceSettings(url=given)
    assert "CANARY" not in str(caught.value)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="vat_keys"):
        WooCommerceSettings.model_validate({"url": "https://shop.example", "vat_keys": []})


def test_defaults_have_no_doubles() -> None:
    assert len(VAT_NUMBER_KEYS) == len(set(VAT_NUMBER_KEYS))
    assert all(values for values in TEST_PAYMENTS.values())


def test_credentials_show_nothing() -> None:
    credentials = WooCommerceCredentials.model_validate({"consumer_key": "ck_CANARY", "consumer_secret": "cs_CANARY"})
    assert "CANARY" not in repr(credentials) + credentials.model_dump_json()


def test_basic_over_https_and_oauth_over_http() -> None:
    credentials = WooCommerceCredentials.model_validate({"consumer_key": "ck", "consumer_secret": "cs"})
    assert isinstance(signature(WooCommerceSettings(url="https://shop.example"), credentials), HTTPBasicAuth)
    for url in ("http://127.0.0.1:8080", "http://shop"):
        assert not isinstance(signature(WooCommerceSettings(url=url), credentials), HTTPBasicAuth)
    chosen = WooCommerceSettings(url="http://shop.example", allow_plain_http=True)
    assert not isinstance(signature(chosen, credentials), HTTPBasicAuth)


@pytest.mark.parametrize(
    "url", ["http://shop.example", "http://192.0.2.1", "http://[2001:db8::1]/", "http://3221225985"]
)
def test_plain_http_over_the_internet_is_a_choice_that_must_be_made(url: str) -> None:
    for values in ({}, {"allow_plain_http": False}):
        with pytest.raises(ValidationError, match="must be https://"):
            WooCommerceSettings.model_validate({"url": url, **values})
    assert WooCommerceSettings(url=url, allow_plain_http=True).url.startswith("http://")


@pytest.mark.parametrize("given", ["cs_CANARY\nx", "cs_CANARY•", ""])
def test_a_credential_that_fits_no_header_is_refused_and_not_shown(given: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WooCommerceCredentials.model_validate({"consumer_key": "ck", "consumer_secret": given})
    assert "CANARY" not in str(caught.value)


def test_a_signed_query_never_holds_the_secret(shop: FakeWooCommerce) -> None:
    read(shop)
    for _, query in shop.log:
        assert query["oauth_signature_method"] == "HMAC-SHA256"
        assert "CANARY" not in str(query)


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    silence()
    names = ["sluis", "oauthlib", "oauthlib.oauth1.rfc5849", "requests_oauthlib.oauth1_auth", "urllib3.connectionpool"]
    before = {name: logging.getLogger(name).level for name in [*names, "root"]}
    for name in [*names, None]:
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_no_secret_and_no_person_in_the_log_at_debug(shop: FakeWooCommerce, everything_logged: io.StringIO) -> None:
    order_id = shop.add(modified=MOMENT)
    shop.refund(order_id, MOMENT - timedelta(days=9), touch=False)
    assert len(documents(shop)) == 1
    list(shop.connector.fetch(["987654321"]))
    logged = everything_logged.getvalue()
    assert "1 orders that were asked for are not in the shop's list" in logged
    for secret in ("CANARY", "ck_1234567890", "oauth_signature", "987654321", "Voorbeeld"):
        assert secret not in logged


# ------------------------------------------------------------------------------------------ what is asked


def test_only_the_fields_of_the_list_are_asked_for(shop: FakeWooCommerce) -> None:
    shop.add(modified=MOMENT)
    read(shop)
    path, query = shop.log[-2]
    assert path == "/wp-json/wc/v3/orders"
    assert query["_fields"].split(",") == [*ORDER_FIELDS, *GIFT_CARD_FIELDS]
    assert not {"customer_note", "customer_ip_address", "customer_user_agent", "order_key"} & set(ORDER_FIELDS)
    assert (query["status"], query["dp"], query["per_page"], query["dates_are_gmt"]) == ("any", "2", "100", "true")
    assert (query["modified_after"], query["modified_before"]) == ("2026-11-20T09:59:59", "2026-11-20T11:00:00")


def test_a_window_with_parts_of_a_second_keeps_to_whole_ones() -> None:
    span = Span.over(START.replace(microsecond=1), HOUR.end.replace(microsecond=999_999))
    assert (span.first, span.end) == (START + timedelta(seconds=1), HOUR.end + timedelta(seconds=1))
    assert not span.holds(START)
    assert span.holds(HOUR.end)


def test_the_calls_of_a_quiet_hour_are_three(shop: FakeWooCommerce) -> None:
    for _ in range(40):
        order_id = shop.add(modified=MOMENT)
        shop.refund(order_id, MOMENT, touch=False)
    assert len(documents(shop)) == 40
    assert [path for path, _ in shop.log] == ["/wp-json/wc/v3/refunds", *2 * ["/wp-json/wc/v3/orders"]]
    assert [query.get("status") for _, query in shop.log] == [None, "any", "trash"]


def test_an_old_refund_of_a_changed_order_costs_one_call(shop: FakeWooCommerce) -> None:
    order_id = shop.add(modified=MOMENT)
    shop.refund(order_id, START - timedelta(days=9), touch=False)
    assert len(documents(shop)) == 1
    assert [path for path, _ in shop.log][2:-1] == [f"/wp-json/wc/v3/orders/{order_id}/refunds"]


def test_an_order_that_left_the_window_is_counted_as_gone_and_not_as_read(shop: FakeWooCommerce) -> None:
    added = [shop.add(modified=START + timedelta(seconds=n)) for n in range(150)]
    shop.before_each_call(lambda call: shop.touch(added[120], HOUR.end) if call == 3 else None)
    pages = read(shop)
    assert sum(len(page.documents) for page in pages) == 149
    assert [page.counted for page in pages] == [100, 49, 1]
    assert {page.shop_count for page in pages} == {150}


# ------------------------------------------------------------------------------------------ the bin


@pytest.mark.parametrize("by", ["modified", "dated"])
def test_an_order_put_into_the_bin_is_seen_and_not_counted(shop: FakeWooCommerce, by: Any) -> None:
    kept = shop.add(modified=MOMENT)
    binned, earlier = shop.add(modified=MOMENT), shop.add(modified=START - timedelta(days=2))
    shop.bin(binned, MOMENT)
    shop.bin(earlier, START - timedelta(hours=2))
    pages = list(shop.connector.read(HOUR, by=by))
    assert [(page.shop_count, page.counted) for page in pages] == [(1, 1), (None, 0)]
    assert [(d.order_id, d.status) for page in pages for d in page.documents if isinstance(d, Order)] == [
        (kept, "completed"),
        (binned, "trash"),
    ]


def test_more_binned_orders_than_a_page_are_all_seen_once(shop: FakeWooCommerce) -> None:
    ids = [shop.add(modified=MOMENT) for _ in range(230)]
    for place, order_id in enumerate(ids):
        shop.bin(order_id, MOMENT + timedelta(seconds=place // 120))
    assert sorted(document.order_id for document in documents(shop)) == sorted(ids)


def test_an_order_that_is_binned_while_the_window_is_read_comes_once(shop: FakeWooCommerce) -> None:
    order_id = shop.add(modified=MOMENT)
    shop.before_each_call(lambda call: shop.bin(order_id, MOMENT + timedelta(minutes=1)) if call == 3 else None)
    assert [document.order_id for document in documents(shop)] == [order_id]


def test_a_binned_order_comes_with_its_refunds(shop: FakeWooCommerce) -> None:
    order_id = shop.add(modified=START - timedelta(days=5))
    refund_id = shop.refund(order_id, MOMENT, touch=False)
    shop.bin(order_id, MOMENT)
    (found,) = documents(shop)
    assert isinstance(found, Order)
    assert [refund.refund_id for refund in found.refunds] == [refund_id]


def test_a_refund_in_the_window_brings_its_order_out_of_the_bin(shop: FakeWooCommerce) -> None:
    order_id = shop.add(modified=START - timedelta(days=5))
    shop.bin(order_id, START - timedelta(days=1))
    shop.refund(order_id, MOMENT, touch=False)
    (found,) = documents(shop)
    assert isinstance(found, Order)
    assert (found.status, len(found.refunds)) == ("trash", 1)


def test_fetching_by_id_looks_into_the_bin_for_what_is_not_listed(shop: FakeWooCommerce) -> None:
    kept, binned = shop.add(modified=MOMENT), shop.add(modified=MOMENT)
    shop.bin(binned, MOMENT)
    found = [d for page in shop.connector.fetch([kept, binned, "987654321"]) for d in page.documents]
    assert [(d.order_id, d.status) for d in found if isinstance(d, Order)] == [(kept, "completed"), (binned, "trash")]
    shop.log.clear()
    assert len(list(shop.connector.fetch([kept]))) == 1
    assert [query["status"] for path, query in shop.log if path.endswith("/orders")] == ["any"]


# ------------------------------------------------------------------------------------------ refunds


def test_a_shop_without_the_list_of_refunds_gives_them_with_their_orders(shop: FakeWooCommerce) -> None:
    shop.overrides["refunds"] = no_route()
    order_id = shop.add(modified=MOMENT)
    refund_id = shop.refund(order_id, MOMENT, touch=True)
    order = documents(shop)[0]
    assert isinstance(order, Order)
    assert [refund.refund_id for refund in order.refunds] == [refund_id]
    assert "no_refund_list" in shop.connector.check().warnings


def test_a_shop_that_embeds_no_refunds_is_asked_for_all_of_them(shop: FakeWooCommerce) -> None:
    """woocommerce #65488: ``refunds`` empty although there are two, one of them made in the window."""
    order_id = shop.add(modified=MOMENT)
    made = [shop.refund(order_id, moment, touch=False) for moment in (START - timedelta(days=2), MOMENT)]
    shop.orders[int(order_id)]["refunds"] = []
    order = documents(shop)[0]
    assert isinstance(order, Order)
    assert [refund.refund_id for refund in order.refunds] == made
    del shop.orders[int(order_id)]["refunds"]
    assert len(documents(shop)) == 1
    shop.orders[int(order_id)]["refunds"] = [7]
    unreadable = documents(shop)[0]
    assert isinstance(unreadable, Unreadable)
    assert unreadable.field == "refunds"


def test_a_refund_that_names_no_order_waits_for_a_person(shop: FakeWooCommerce) -> None:
    order = order_json(501, MOMENT, MOMENT)
    shop.refunds[900] = refund_json(900, order, MOMENT, 77) | {"parent_id": 0}
    found = documents(shop)
    assert [(d.order_id, d.refund_id, d.total) for d in found if isinstance(d, Unreadable)] == [
        ("refund-900", "900", Decimal("-1.21"))
    ]


def test_many_refunds_of_one_order_are_read_over_pages(shop: FakeWooCommerce) -> None:
    order_id = shop.add(modified=MOMENT)
    made = [shop.refund(order_id, START - timedelta(seconds=n), touch=False) for n in range(230)]
    order = documents(shop)[0]
    assert isinstance(order, Order)
    assert {refund.refund_id for refund in order.refunds} == set(made)


# ------------------------------------------------------------------------------------------ bad answers


def test_one_unreadable_order_does_not_stop_the_others(shop: FakeWooCommerce) -> None:
    good = [shop.add(modified=MOMENT) for _ in range(2)]
    bad = shop.add(modified=MOMENT, total="CANARY")
    undated = shop.add(modified=MOMENT, date_created_gmt=None)
    found = documents(shop)
    assert {d.order_id for d in found if isinstance(d, Order)} == set(good)
    assert {d.order_id: d.field for d in found if isinstance(d, Unreadable)} == {
        bad: "total",
        undated: "date_created_gmt",
    }


@pytest.mark.parametrize("row", ["CANARY", None, {"id": "CANARY"}, {"id": None, "date_modified_gmt": "CANARY"}])
def test_a_row_that_is_no_order_is_no_exception(shop: FakeWooCommerce, row: Any) -> None:
    shop.overrides["orders"] = (200, [row], {"X-WP-Total": "1"})
    found = list(read(shop)[0].documents)
    assert len(found) == 1
    assert isinstance(found[0], Unreadable)
    assert "CANARY" not in repr(found[0])


def answers(body: Any, status: int = 200, **headers: str) -> tuple[int, Any, dict[str, str]]:
    return status, body, {name.replace("_", "-"): value for name, value in headers.items()}


FALLING = [order_json(n, START + timedelta(seconds=60 - n), START + timedelta(seconds=60 - n)) for n in range(1, 4)]
REFUSALS: list[tuple[str, Any, type[SluisError], str]] = [
    ("no total header", answers([]), NotAShop, "no_total"),
    ("an object for a list", answers({"x": 1}), NotAShop, "not_the_api"),
    ("no row at all though some are counted", answers([], X_WP_Total="5"), RetryLater, "answer_inconsistent"),
    ("rows that do not rise", answers(FALLING, X_WP_Total="9"), Defect, "unsorted_list"),
    ("no WooCommerce", no_route(), NotAShop, "no_woocommerce"),
    ("no REST API", answers(b"<html>Niet gevonden</html>", 404), NotAShop, "no_rest_api"),
    ("redirect to https", answers({}, 301, Location="https://shop.example/x"), NotAShop, "redirected"),
    ("REST closed by a plugin", answers({"code": "rest_not_logged_in"}, 401), NotAShop, "rest_api_closed"),
    ("a firewall", answers(b"<html>Blocked</html>", 403), RetryLater, "firewall"),
    ("a user without rights", answers({"code": "woocommerce_rest_cannot_view"}, 403), Reconnect, "not_allowed"),
    ("an unknown key", answers({"code": "woocommerce_rest_cannot_view"}, 401), Reconnect, "credential_refused"),
    ("maintenance", answers(b"<html>Even geduld</html>", 503, Retry_After="600"), RetryLater, "vendor_fault"),
]


@pytest.mark.parametrize(("answer", "expected", "code"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_what_a_wrong_answer_is_called(
    shop: FakeWooCommerce, answer: Any, expected: type[SluisError], code: str
) -> None:
    shop.overrides["orders"] = answer
    with pytest.raises(SluisError) as caught:
        read(shop)
    assert (type(caught.value), caught.value.code) == (expected, code)


def test_a_redirect_is_told_by_its_kind_so_that_the_address_can_be_corrected(shop: FakeWooCommerce) -> None:
    shop.overrides["orders"] = answers({}, 301, Location="https://www.127.0.0.1/x?oauth=CANARY")
    with pytest.raises(NotAShop, match=r"redirects to https and the host with www; enter the final address"):
        read(shop)


def test_a_refused_parameter_is_named_only_when_it_is_ours(shop: FakeWooCommerce) -> None:
    for names, told in (
        (["orderby", "CANARY, Dorpsstraat 1"], "the parameter orderby;"),
        (["CANARY"], "the parameter of another name;"),
    ):
        body = {"code": "rest_invalid_param", "data": {"params": dict.fromkeys(names, "CANARY")}}
        shop.overrides["orders"] = answers(body, 400)
        with pytest.raises(Defect, match=told) as caught:
            read(shop)
        assert "CANARY" not in str(caught.value)


def test_no_more_of_a_person_is_asked_for_than_is_used(shop: FakeWooCommerce) -> None:
    order_id = shop.add(modified=MOMENT, meta_data=[{"id": 1, "key": "_engraving", "value": "CANARY"}])
    read(shop)
    list(shop.connector.fetch([order_id]))
    asked = [query for path, query in shop.log if path.endswith("/orders")]
    assert len(asked) == 3
    for query in asked:
        fields = set(query["_fields"].split(","))
        assert {name.partition(".")[2] for name in fields if name.startswith("shipping.")} == {"country", "postcode"}
        assert {name.partition(".")[2] for name in fields if name.startswith("billing.")} == {
            "first_name", "last_name", "company", "address_1", "address_2", "postcode", "city", "country", "email"
        }  # fmt: skip
        assert not fields & {"created_via", "customer_note", "customer_ip_address", "order_key"}
        assert set(query["include_meta"].split(",")) == {*VAT_NUMBER_KEYS, *TEST_PAYMENTS, *GIFT_CARD_KEYS}


def test_all_metadata_is_asked_for_where_a_key_does_not_fit_the_parameter() -> None:
    settings = WooCommerceSettings(url="https://shop.example", number_keys=("Invoice number",))
    assert settings.wanted_metadata == {}
    assert "Invoice number" in settings.metadata_keys
    nothing = WooCommerceSettings(url="https://shop.example", vat_number_keys=(), test_payments={}, gift_card_keys=())
    assert nothing.wanted_metadata == {}


def sizes(shop: FakeWooCommerce) -> set[int]:
    return {int(query["per_page"]) for path, query in shop.log if path.endswith(("orders", "refunds"))}


@pytest.mark.parametrize("at_once", [True, False], ids=["in one second", "spread"])
def test_pages_that_pass_the_cap_become_smaller_and_nothing_is_lost(at_once: bool) -> None:
    with serve(largest_body=20_000) as shop:
        ids = [shop.add(modified=MOMENT if at_once else MOMENT + timedelta(seconds=n)) for n in range(150)]
        found = [document.order_id for document in documents(shop)]
        assert sorted(found) == sorted(ids)
        assert min(sizes(shop) - {1}) < 100
        shop.log.clear()
        assert len([document for page in shop.connector.fetch(ids) for document in page.documents]) == 150


def test_a_crowded_second_is_read_whole_also_when_only_its_pages_pass_the_cap(
    shop: FakeWooCommerce, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [shop.add(modified=MOMENT) for _ in range(130)]
    client = shop.connector._client  # type: ignore[attr-defined] # the connector under test is WooCommerce's
    rows = client.rows

    def capped(path: str, params: dict[str, Any]) -> Any:
        if params.get("orderby") == "id" and params["per_page"] > 25:
            raise Defect("too large", code=TOO_LARGE)
        return rows(path, params)

    monkeypatch.setattr(client, "rows", capped)
    assert sorted(document.order_id for document in documents(shop)) == sorted(ids)


def test_refunds_that_pass_the_cap_are_read_in_smaller_pages() -> None:
    with serve(largest_body=20_000) as shop:
        order_id = shop.add(modified=MOMENT)
        made = [shop.refund(order_id, START - timedelta(days=n), touch=False) for n in range(1, 61)]
        [order] = documents(shop)
        assert isinstance(order, Order)
        assert {refund.refund_id for refund in order.refunds} == set(made)
        assert sizes(shop) == {100, 50, 25}


def test_one_order_that_passes_the_cap_alone_is_an_error_that_says_so() -> None:
    with serve(largest_body=20_000) as shop:
        shop.add(modified=MOMENT, line_items=[line_json(n, "1.00", "0.21") for n in range(1, 200)])
        with pytest.raises(Defect) as caught:
            read(shop)
        assert caught.value.code == "answer_too_large"
        with pytest.raises(Defect):
            list(shop.connector.fetch(list(map(str, shop.orders))))


def test_every_parameter_that_is_sent_is_known_as_ours(shop: FakeWooCommerce) -> None:
    order_id = shop.add(modified=MOMENT)
    shop.refund(order_id, MOMENT, touch=False)
    read(shop)
    list(shop.connector.fetch([order_id]))
    sent = {name for path, query in shop.log for name in query if path.endswith(("orders", "refunds"))}
    assert {name for name in sent if not name.startswith("oauth_")} <= OUR_PARAMETERS


# ------------------------------------------------------------------------------------------ check


def test_the_check_of_a_key_that_may_read_orders_only(shop: FakeWooCommerce) -> None:
    shop.add(modified=MOMENT)
    refused = answers({"code": "woocommerce_rest_cannot_view"}, 403)
    for resource in ("settings/general", "settings/tax", "taxes", "payment_gateways"):
        shop.overrides[resource] = refused
    facts = shop.connector.check()
    assert (facts.version, facts.currency, facts.prices_include_vat, facts.orders) == ("10.0.2", "EUR", True, 1)
    assert facts.warnings == (
        "plain_http",
        "settings_not_readable",
        "taxes_not_readable",
        "payment_methods_not_readable",
    )


def test_the_check_of_an_empty_shop_with_odd_settings(shop: FakeWooCommerce, monkeypatch: pytest.MonkeyPatch) -> None:
    index = {"timezone_string": "", "gmt_offset": Decimal("5.5"), "namespaces": ["wc/v3"]}
    monkeypatch.setattr("tests.shops.fake_woocommerce.INDEX", {**index, "gmt_offset": 5.5})
    shop.overrides["settings/tax"] = answers([{"id": "woocommerce_tax_round_at_subtotal", "value": "yes"}])
    shop.overrides["orders/statuses"] = no_route()
    facts = shop.connector.check()
    assert (facts.version, facts.timezone, facts.statuses) == ("unknown", "UTC+5.5", ())
    assert facts.warnings == ("plain_http", "no_orders_yet", "rounds_at_subtotal", "timezone_is_an_offset")


@pytest.mark.parametrize("index", [{"namespaces": ["wp/v2"]}, ["CANARY"], "CANARY"])
def test_the_check_of_a_wordpress_without_woocommerce(
    shop: FakeWooCommerce, index: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.shops.fake_woocommerce.INDEX", index)
    with pytest.raises(NotAShop) as caught:
        shop.connector.check()
    assert "CANARY" not in str(caught.value)


def test_the_check_names_a_field_that_is_not_woocommerces(shop: FakeWooCommerce) -> None:
    shop.overrides["taxes"] = answers([{"id": 1, "rate": "CANARY"}], X_WP_Total="1")
    with pytest.raises(NotAShop, match="rate is not what WooCommerce answers"):
        shop.connector.check()


@responses.activate
def test_over_https_the_key_goes_in_the_header() -> None:
    responses.get("https://shop.example/wp-json/wc/v3/refunds", json=[], headers={"X-WP-Total": "0"})
    responses.get("https://shop.example/wp-json/wc/v3/orders", json=[], headers={"X-WP-Total": "0"})
    settings = WooCommerceSettings(url="https://shop.example")
    credentials = WooCommerceCredentials.model_validate({"consumer_key": "ck", "consumer_secret": "cs"})
    list(CONNECTOR.connect(settings, credentials, None, None).read(HOUR, by="modified"))
    request = responses.calls[0].request
    assert request.headers["Authorization"].startswith("Basic ")
    assert "consumer" not in str(request.url)
    assert "oauth" not in str(request.url)
