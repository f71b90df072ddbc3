"""The mapping: what is taken, what is refused, and that a refusal names the field and never the value."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sluis.core.order import Address, ChargedVat, LineKind, Order, Unreadable
from sluis.core.personal import Personal
from sluis.shops.reading import Reader, WrongField, plain_text
from sluis.shops.woocommerce.mapping import _metadata, to_order, to_orphan
from sluis.shops.woocommerce.settings import WooCommerceSettings
from tests.shops.fake_woocommerce import line_json, order_json, refund_json, tax_line

NOON = datetime(2026, 11, 20, 12, 0, 5, tzinfo=UTC)
SETTINGS = WooCommerceSettings(url="https://shop.example")


def raw_order(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(order_json(501, NOON, NOON)) | changes


def read(raw: Any, *refunds: Any, settings: WooCommerceSettings = SETTINGS) -> Order:
    order = to_order(raw, refunds, settings)
    assert isinstance(order, Order), order
    return order


def meta(**values: Any) -> list[dict[str, Any]]:
    return [{"id": n, "key": key, "value": value} for n, (key, value) in enumerate(values.items())]


def test_an_order_as_charged() -> None:
    order = read(raw_order())
    assert (order.order_id, order.number, order.status) == ("501", "W501", "completed")
    assert (order.total, order.total_vat) == (Decimal("12.10"), Decimal("2.10"))
    assert order.vat == (ChargedVat(rate=Decimal(21), amount=Decimal("2.10")),)
    line = order.lines[0]
    assert (line.kind, line.net, line.vat_total, line.category) == (
        "goods",
        Decimal("10.00"),
        Decimal("2.10"),
        "standard",
    )
    assert (order.created_at, order.paid_at, order.completed_at) == (NOON, NOON, None)
    assert order.buyer.customer_id.reveal() == "7"
    assert order.buyer.address.street.reveal() == "Dijk 1\nachter"


def test_no_field_that_is_not_on_the_list_goes_on() -> None:
    text = read(raw_order()).model_dump_json()
    for value in ("192.0.2.1", "CANARY", "Noor", "noor@example.com", "99.99"):
        assert value not in text


def test_of_the_place_of_delivery_country_and_postcode_are_kept() -> None:
    place = read(
        raw_order(shipping={"country": "BE", "postcode": "9728", "city": "CANARY", "address_1": "CANARY"})
    ).ship_to
    assert place == Address(country="BE", postcode=Personal("9728"))
    assert read(raw_order()).ship_to == Address(country="NL", postcode=Personal("1234 AB"))


def test_metadata_of_other_plugins_is_not_even_looked_at() -> None:
    odd = [
        {"key": "_engraving", "value": "CANARY"},
        {"key": ["CANARY"]},
        {"key": "_x", "value": "\ud83d"},
        {"value": 1},
    ]
    found = _metadata(Reader(raw_order(meta_data=[*odd, *meta(vat_number="BE0123456749")])), SETTINGS)
    assert found == {"vat_number": "BE0123456749"}


def test_a_guest_has_no_customer_id() -> None:
    assert not read(raw_order(customer_id=0)).buyer.customer_id


WRONG: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("no total", lambda o: o.pop("total"), "total"),
    ("total with a fraction of a cent", lambda o: o.update(total="1.234"), "total"),
    ("total as text", lambda o: o.update(total="CANARY"), "total"),
    ("total as a float", lambda o: o.update(total=1.5), "total"),
    ("total not finite", lambda o: o.update(total="NaN"), "total"),
    ("absurd total", lambda o: o.update(total="1e400000"), "total"),
    ("no VAT total", lambda o: o.update(total_tax=None), "total_tax"),
    ("no date", lambda o: o.update(date_created_gmt=None), "date_created_gmt"),
    ("empty date in disguise", lambda o: o.update(date_created_gmt="0000-00-00T00:00:00"), "date_created_gmt"),
    ("malformed date paid", lambda o: o.update(date_paid_gmt="CANARY"), "date_paid_gmt"),
    ("no id", lambda o: o.pop("id"), "id"),
    ("id 0", lambda o: o.update(id=0), "id"),
    ("no number", lambda o: o.update(number=""), "number"),
    ("number with a line break", lambda o: o.update(number="1\nCANARY"), "number"),
    ("lower-case currency", lambda o: o.update(currency="eur"), "currency"),
    ("no lines", lambda o: o.pop("line_items"), "line_items"),
    ("lines as an object", lambda o: o.update(line_items={"1": {}}), "line_items"),
    ("a line that is none", lambda o: o.update(line_items=["CANARY"]), "line_items[0]"),
    ("line without total", lambda o: o["line_items"][0].pop("total"), "line_items[0].total"),
    ("line without quantity", lambda o: o["line_items"][0].update(quantity=None), "line_items[0].quantity"),
    ("line with an unknown rate", lambda o: o.update(tax_lines=[]), "line_items[0].taxes[0].id"),
    ("rate without percent", lambda o: o["tax_lines"][0].pop("rate_percent"), "tax_lines[0].rate_percent"),
    ("no billing", lambda o: o.pop("billing"), "billing"),
    ("billing as a list", lambda o: o.update(billing=[]), "billing"),
    ("e-mail as a list", lambda o: o["billing"].update(email=["CANARY"]), "billing.email"),
    ("no metadata", lambda o: o.update(meta_data=None), "meta_data"),
    ("prices flag as text", lambda o: o.update(prices_include_tax="yes"), "prices_include_tax"),
    ("two lines of one id", lambda o: o["line_items"].append(o["line_items"][0]), "order"),
]


@pytest.mark.parametrize(("break_it", "field"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_what_cannot_be_read_is_named_and_nothing_else(break_it: Callable[[dict[str, Any]], Any], field: str) -> None:
    raw = raw_order()
    break_it(raw)
    found = to_order(raw, [], SETTINGS)
    assert isinstance(found, Unreadable)
    assert (found.code, found.field) == ("unreadable", field)
    assert "CANARY" not in repr(found)
    if field != "id":
        assert found.order_id == "501"


@pytest.mark.parametrize("raw", [None, [], "CANARY", 7])
def test_an_order_that_is_no_object(raw: Any) -> None:
    found = to_order(raw, [], SETTINGS)
    assert isinstance(found, Unreadable)
    assert found.field == "(the whole answer)"


def test_a_row_that_does_not_apply_is_no_row_and_unrounded_rows_are_rounded() -> None:
    raw = raw_order(tax_lines=[tax_line("2.10"), {**tax_line("0.00"), "rate_id": 2, "rate_percent": 9}])
    raw["line_items"][0]["taxes"] = [{"id": 1, "total": "2.099999"}, {"id": 2, "total": ""}]
    assert read(raw).lines[0].vat == (ChargedVat(rate=Decimal(21), amount=Decimal("2.10")),)


def test_rates_of_two_ids_and_one_percent_are_one() -> None:
    raw = raw_order(tax_lines=[tax_line("2.10"), {**tax_line("1.00"), "rate_id": 2, "shipping_tax_total": "0.86"}])
    assert read(raw).vat == (ChargedVat(rate=Decimal(21), amount=Decimal("3.96")),)


def test_shipping_and_fees_are_lines_of_their_own_kind() -> None:
    part = {"total": "4.09", "total_tax": "0.86", "taxes": [{"id": 1, "total": "0.86"}]}
    raw = raw_order(
        shipping_lines=[{"id": 2, "method_title": "PostNL &amp; co", **part}],
        fee_lines=[{"id": 3, "name": "", "tax_class": "", **part, "total": "-4.09"}],
    )
    kinds = [(line.kind, line.description, line.quantity, line.net) for line in read(raw).lines[1:]]
    assert kinds == [("shipping", "PostNL & co", 1, Decimal("4.09")), ("discount", "discount", 1, Decimal("-4.09"))]


def test_gift_cards_are_told_by_their_article_code() -> None:
    told = WooCommerceSettings(url="https://shop.example", gift_card_skus=("MOK",))
    assert read(raw_order(), settings=told).lines[0].kind is LineKind.GIFT_CARD
    assert read(raw_order()).lines[0].kind is LineKind.GOODS


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Mok &amp; schotel", "Mok & schotel"),
        ("<b>Mok</b><br/>groot", "Mok groot"),
        ("&lt;b&gt;Mok&lt;/b&gt;", "Mok"),
        ("Mok<script>alert('x')</script>", "Mok"),
        ("5 < 6 > 4", "5 < 6 > 4"),
        ("Sokken 🧦🇳🇱 «blij»\u200b", "Sokken 🧦🇳🇱 «blij»\u200b"),
        ("a\x00b\nc", "a b c"),
        ("x" * 900, "x" * 900),
        ("", ""),
    ],
)
def test_names_are_plain_text(raw: str, shown: str) -> None:
    assert plain_text(raw) == shown


def test_a_line_without_a_name_is_called_by_its_article_code() -> None:
    assert read(raw_order(line_items=[line_json(1, "10.00", "2.10", name=" ")])).lines[0].description == "MOK"
    gone = {**line_json(1, "10.00", "2.10", name=""), "sku": None, "product_id": 0}
    assert read(raw_order(line_items=[gone])).lines[0].description == "goods"


def test_vat_numbers_of_plugins() -> None:
    assert read(raw_order(meta_data=meta(_vat_number="", vat_number=" de 123.456-788 "))).buyer.vat_number.reveal() == (
        "DE123456788"
    )
    twice = meta(_vat_number="BE0123456749", billing_vat_number="be 0123 456 749")
    assert read(raw_order(meta_data=twice)).buyer.vat_number.reveal() == "BE0123456749"
    assert not read(raw_order(meta_data=meta(vat_number=["a"], other="DE1"))).buyer.vat_number
    found = to_order(raw_order(meta_data=meta(_vat_number="BE0123456749", vat_number="DE123456788")), [], SETTINGS)
    assert isinstance(found, Unreadable)
    assert "different VAT numbers" in str(found.field)
    assert "BE0" not in repr(found)


@pytest.mark.parametrize(
    ("key", "value", "is_test"),
    [
        ("_mollie_payment_mode", "test", True),
        ("_mollie_payment_mode", "live", False),
        ("_wcpay_mode", "Test", True),
        ("_wcpay_mode", "prod", False),
        ("_ppcp_paypal_payment_mode", "sandbox", True),
        ("_buckaroo_order_in_test_mode", True, True),
        ("_buckaroo_order_in_test_mode", "", False),
        ("something", "test", False),
    ],
)
def test_test_payments(key: str, value: Any, is_test: bool) -> None:
    assert read(raw_order(meta_data=meta(**{key: value}))).is_test is is_test


def test_test_payments_are_a_setting() -> None:
    told = WooCommerceSettings(url="https://shop.example", test_payments={"_pay_mode": ("proef",)})
    assert read(raw_order(meta_data=meta(_pay_mode="proef")), settings=told).is_test
    assert not read(raw_order(meta_data=meta(_mollie_payment_mode="test")), settings=told).is_test


def test_the_number_of_an_invoice_plugin_falls_back_to_the_orders() -> None:
    told = WooCommerceSettings(url="https://shop.example", number_keys=("_invoice",))
    assert read(raw_order(meta_data=meta(_invoice="F-12")), settings=told).number == "F-12"
    assert read(raw_order(), settings=told).number == "W501"


def test_goods_go_to_the_shipping_address_and_without_one_to_the_bills() -> None:
    assert read(raw_order(shipping={"country": "BE", "postcode": "9728"})).ship_to.country == "BE"
    for nowhere in ({"country": ""}, None, ""):
        assert read(raw_order(shipping=nowhere)).ship_to.country == "NL"


def test_a_refund_gives_back_positive_amounts_of_the_orders_own_lines() -> None:
    raw = raw_order()
    refund = read(raw, refund_json(900, raw, NOON, 77)).refunds[0]
    line = refund.lines[0]
    assert (refund.refund_id, refund.total, refund.created_at) == ("900", Decimal("1.21"), NOON)
    assert (line.line_id, line.net, line.vat_total, line.quantity) == (
        str(raw["line_items"][0]["id"]),
        Decimal("1.00"),
        Decimal("0.21"),
        1,
    )
    assert line.vat == (ChargedVat(rate=Decimal(21), amount=Decimal("0.21")),)


def test_refunds_stand_in_the_order_they_were_made_in() -> None:
    raw = raw_order()
    late, early = refund_json(900, raw, NOON, 77), refund_json(901, raw, NOON.replace(hour=8), 78)
    assert [refund.refund_id for refund in read(raw, late, early).refunds] == ["901", "900"]


def test_a_refund_line_that_gives_nothing_back_hides_no_amount_only_refund() -> None:
    raw = raw_order()
    refund = refund_json(900, raw, NOON, 77)
    refund["line_items"][0].update(total="0.00", total_tax="0.00", taxes=[], quantity=0)
    assert read(raw, refund).refunds[0].lines == ()


def test_a_refund_uses_the_orders_rates_where_it_states_none() -> None:
    raw = raw_order()
    refund = refund_json(900, raw, NOON, 77) | {"tax_lines": []}
    assert read(raw, refund).refunds[0].lines[0].vat[0].rate == 21


def test_a_refund_that_cannot_be_read_makes_its_order_wait() -> None:
    raw = raw_order()
    found = to_order(raw, [refund_json(900, raw, NOON, 77) | {"amount": "CANARY"}], SETTINGS)
    assert isinstance(found, Unreadable)
    assert (found.order_id, found.field) == ("501", "refunds[0].amount")


def test_a_refund_without_an_order_says_what_it_can() -> None:
    found = to_orphan(refund_json(900, raw_order(), NOON, 77))
    assert (found.order_id, found.refund_id, found.total) == ("refund-900", "900", Decimal("-1.21"))
    assert to_orphan("CANARY").refund_id == ""


def test_an_offset_in_a_time_is_obeyed() -> None:
    assert Reader({"at": "2026-11-20T13:00:05+01:00"}).moment("at") == NOON
    with pytest.raises(WrongField, match="at"):
        Reader({"at": 5}).moment("at")


NUMBERS = (
    "1001", "2026000417", "0000012345", "000001234", "W501", "NL-1001", "2026/0417", "2026-11-23.7", "F#12",
    "1043946570", "536365", "BE-2026-000001", "1001_2", "NL20260000001234",
)  # fmt: skip
NO_NUMBERS = (
    "jan.de.vries@example.nl", "Jan de Vries 0612345678", "Jan-de-Vries", "Jan", "NL91ABNA0417164300",
    "nl91abna0417164300", "NL91-ABNA-0417-1643-00", "NL00ABNA0417164300", "BE68539007547034", "GB82WEST12345698765432",
    "NL123456782B90", "0612345678", "06-12345678", "+31612345678", "0031612345678", "31612345678", "020/1234567",
    "0470123456", "32470123456", "4915112345678", "1001 result=booked rule=x total=0.00", "1001=2", "1001\tx",
    "1001\u2028x", "#1001", "-1001", "1" * 41, "١٠٠١", "",
)  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
def test_what_a_shop_numbers_with_is_a_number(number: str) -> None:
    assert read(raw_order(number=number)).number == number
    told = WooCommerceSettings(url="https://shop.example", number_keys=("_invoice",))
    assert read(raw_order(meta_data=meta(_invoice=number)), settings=told).number == number


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_what_may_name_a_person_or_forge_a_log_line_is_no_number(number: str) -> None:
    found = to_order(raw_order(number=number), [], SETTINGS)
    assert isinstance(found, Unreadable), found
    assert (found.number, found.order_id, found.field) == ("501", "501", "number")
    other = to_order(raw_order(number=number, total="x"), [], SETTINGS)
    assert isinstance(other, Unreadable)
    assert other.number == "501"
    if number:
        told = WooCommerceSettings(url="https://shop.example", number_keys=("_invoice",))
        plugin = to_order(raw_order(meta_data=meta(_invoice=number)), [], told)
        assert isinstance(plugin, Unreadable)
        assert (plugin.number, plugin.field) == ("W501", "meta_data._invoice")


@pytest.mark.parametrize("field", ["status", "currency", "payment_method"])
@pytest.mark.parametrize("text", ["noor@example.com", "Noor Voorbeeld", "x result=booked", "a\u2028b", "x" * 101])
def test_a_code_of_the_shop_is_no_text_that_somebody_typed(field: str, text: str) -> None:
    found = to_order(raw_order(**{field: text}), [], SETTINGS)
    assert isinstance(found, Unreadable)
    assert found.field == field
    assert text not in repr(found)
