"""How an order was paid and what its lines are: gateways, gift cards of plugins, fees and articles by setting."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from sluis.core.order import LineKind, Order, Payment, Unreadable
from sluis.shops.woocommerce import CONNECTOR
from sluis.shops.woocommerce.mapping import to_order
from sluis.shops.woocommerce.settings import WooCommerceSettings, matching
from tests.shops.fake_woocommerce import KEY, SECRET, line_json, order_json, refund_json, serve, tax_line

NOON = datetime(2026, 11, 20, 12, 0, 5, tzinfo=UTC)
URL = "https://shop.example"
CODE = "CANARY-CARD-1234"


def raw_order(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(order_json(501, NOON, NOON)) | changes


def read(raw: dict[str, Any], *refunds: Any, **settings: Any) -> Order:
    found = to_order(raw, refunds, WooCommerceSettings(url=URL, **settings))
    assert isinstance(found, Order), found
    return found


def refused(raw: dict[str, Any], **settings: Any) -> str:
    found = to_order(raw, [], WooCommerceSettings(url=URL, **settings))
    assert isinstance(found, Unreadable), found
    assert "CANARY" not in repr(found)
    return str(found.field)


def fee(name: str, net: str, vat: str = "0.00", **more: Any) -> dict[str, Any]:
    taxes = [{"id": 1, "total": vat, "subtotal": ""}] if Decimal(vat) else []
    return {"id": 3, "name": name, "tax_class": "", "total": net, "total_tax": vat, "taxes": taxes, **more}


# ------------------------------------------------------------------------------------------------------ payments


def test_a_paid_order_names_amount_method_moment_and_transaction() -> None:
    (payment,) = read(raw_order(transaction_id="tr_FAKE77")).payments
    assert (payment.payment_id, payment.method, payment.amount) == ("order", "ideal", Decimal("12.10"))
    assert (payment.paid_at, payment.reference.reveal(), payment.gift_card) == (NOON, "tr_FAKE77", False)
    assert "tr_FAKE77" not in repr(payment)


@pytest.mark.parametrize("transaction", ["", None, "absent"])
def test_a_payment_may_have_no_transaction(transaction: str | None) -> None:
    raw = raw_order(transaction_id=transaction)
    if transaction == "absent":
        del raw["transaction_id"]
    assert not read(raw).payments[0].reference


def test_an_order_that_is_not_paid_or_free_has_no_payment() -> None:
    assert read(raw_order(date_paid_gmt=None)).payments == ()
    free = raw_order(total="0.00", total_tax="0.00", line_items=[line_json(1, "0.00", "0.00")])
    assert read(free | {"tax_lines": [tax_line("0.00")]}).payments == ()


def test_a_payment_reads_the_same_each_time() -> None:
    later = raw_order(date_modified_gmt="2026-11-23T08:00:00", status="refunded")
    assert read(raw_order()).payments == read(later).payments


# ---------------------------------------------------------------------------------------------------- paid back


def test_only_a_refund_through_the_gateway_is_a_payment() -> None:
    raw = raw_order()
    at = NOON.replace(day=22)
    by_hand, by_gateway = refund_json(900, raw, at, 77), refund_json(901, raw, at, 78) | {"refunded_payment": True}
    first, second = read(raw, by_hand, by_gateway).refunds
    assert first.payments == ()
    assert second.payments == (Payment(payment_id="refund", method="ideal", amount=Decimal("1.21"), paid_at=at),)


@pytest.mark.parametrize(("methods", "count"), [((), 0), (("bacs",), 0), (("ideal",), 1), (("*",), 1)])
def test_a_refund_by_hand_is_a_payment_where_the_merchant_says_so(methods: tuple[str, ...], count: int) -> None:
    raw = raw_order()
    assert len(read(raw, refund_json(900, raw, NOON, 77), refunds_paid_back=methods).refunds[0].payments) == count


def test_a_refund_of_nothing_pays_nothing_back() -> None:
    raw = raw_order()
    nothing = refund_json(900, raw, NOON, 77) | {"amount": "0.00", "line_items": [], "refunded_payment": True}
    assert read(raw, nothing).refunds[0].payments == ()


# --------------------------------------------------------------------------------------------------- gift cards

PLUGINS: list[tuple[str, dict[str, Any]]] = [
    ("PW", {"pw_gift_cards_redeemed": [{"number": CODE, "amount": Decimal("5.00")}]}),
    ("WooCommerce", {"gift_cards": [{"id": 1, "code": CODE, "amount": 3}, {"id": 2, "code": CODE, "amount": "2"}]}),
    ("YITH", {"meta_data": [{"id": 1, "key": "_ywgc_applied_gift_cards_totals", "value": Decimal("5")}]}),
    ("Smart", {"meta_data": [{"id": 1, "key": "smart_coupons_contribution", "value": {CODE: "4.50", "x": "0.5"}}]}),
]


@pytest.mark.parametrize("more", [p[1] for p in PLUGINS], ids=[p[0] for p in PLUGINS])
def test_a_used_gift_card_is_a_payment_and_the_order_stays_what_was_sold(more: dict[str, Any]) -> None:
    order = read(raw_order(total="7.10", **more))
    assert (order.total, order.total_vat) == (Decimal("12.10"), Decimal("2.10"))
    card, money = order.payments
    assert (card.payment_id, card.method, card.amount, card.gift_card) == ("gift_card", "gift_card", Decimal(5), True)
    assert (money.amount, money.gift_card) == (Decimal("7.10"), False)
    assert "CANARY" not in str(order.model_dump())


def test_a_gift_card_that_paid_all_was_used_when_the_order_was_placed() -> None:
    more = {"pw_gift_cards_redeemed": [{"number": CODE, "amount": "12.10"}], "date_paid_gmt": None}
    order = read(raw_order(total="0.00", date_created_gmt="2026-11-20T11:00:00", **more))
    (card,) = order.payments
    assert (card.amount, card.paid_at, order.total) == (Decimal("12.10"), NOON.replace(hour=11, second=0), card.amount)


@pytest.mark.parametrize("empty", [[], None, ""])
def test_a_plugin_without_a_used_card_changes_nothing(empty: Any) -> None:
    raw = raw_order(
        gift_cards=empty or None, meta_data=[{"id": 1, "key": "smart_coupons_contribution", "value": empty}]
    )
    assert [payment.gift_card for payment in read(raw).payments] == [False]


def test_a_gift_card_that_was_charged_as_a_discount_is_no_payment() -> None:
    """A plugin may write it down as a negative fee instead: then the parts equal the total, and VAT was lowered."""
    raw = raw_order(
        total="7.10",
        total_tax="1.23",
        tax_lines=[tax_line("1.23")],
        fee_lines=[fee("Cadeaubon", "-4.13", "-0.87")],
        pw_gift_cards_redeemed=[{"number": CODE, "amount": "5.00"}],
    )
    order = read(raw)
    assert order.total == Decimal("7.10")
    assert [payment.amount for payment in order.payments] == [Decimal("7.10")]
    assert order.lines[1].kind is LineKind.DISCOUNT


def test_a_gift_card_that_does_not_explain_the_total_waits_for_a_person() -> None:
    cards = [{"number": CODE, "amount": "5.00"}]
    assert refused(raw_order(total="9.10", gift_cards=cards)).startswith("total (it lacks")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"gift_cards": [{"code": CODE, "amount": "-5"}]}, "gift_cards[0].amount"),
        ({"gift_cards": [{"code": CODE}]}, "gift_cards[0].amount"),
        ({"gift_cards": [CODE]}, "gift_cards[0]"),
        ({"gift_cards": {CODE: 5}}, "gift_cards"),
        ({"meta_data": [{"key": "smart_coupons_contribution", "value": {CODE: CODE}}]},
         "meta_data.smart_coupons_contribution.0"),
        ({"meta_data": [{"key": "_ywgc_applied_gift_cards_totals", "value": CODE}]},
         "meta_data._ywgc_applied_gift_cards_totals"),
    ],
)  # fmt: skip
def test_an_amount_that_is_none_is_named_without_the_cards_code(more: dict[str, Any], field: str) -> None:
    assert refused(raw_order(**more)) == field


def test_the_fields_of_gift_cards_are_a_setting() -> None:
    raw = raw_order(total="7.10", my_cards=[{"amount": "5.00"}])
    assert read(raw, gift_card_fields=("my_cards",)).total == Decimal("12.10")
    assert "my_cards" in WooCommerceSettings(url=URL, gift_card_fields=("my_cards",)).order_fields
    with pytest.raises(ValidationError, match="a field's name"):
        WooCommerceSettings(url=URL, gift_card_fields=("a,b",))


# ------------------------------------------------------------------------------------------- kinds and classes


@pytest.mark.parametrize(("kind", "expected"), [("tip", "tip"), ("deposit", "deposit"), ("gift_card", "gift_card")])
def test_articles_and_fees_are_what_the_settings_call_them(kind: Any, expected: str) -> None:
    raw = raw_order(fee_lines=[fee("Fooi voor de bezorger", "1.00")], total="13.10")
    order = read(raw, sku_kinds={"MO*": kind}, fee_kinds={"fooi*": kind})
    assert [line.kind for line in order.lines] == [expected, expected]


def test_a_negative_fee_is_a_discount_whatever_it_is_called() -> None:
    raw = raw_order(fee_lines=[fee("Fooi", "-1.00", "-0.21")])
    assert read(raw, fee_kinds={"Fooi": "tip"}).lines[1].kind is LineKind.DISCOUNT


def test_a_refund_gives_back_a_line_as_what_it_was_sold() -> None:
    raw = raw_order(fee_lines=[fee("Korting", "-1.00", "-0.21")])
    refund = refund_json(900, raw, NOON, 77)
    refund["line_items"][0]["sku"] = None
    origin = [{"key": "_refunded_item_id", "value": "3"}]
    refund["fee_lines"] = [fee("Korting", "0.50", "0.11", id=78, meta_data=origin)]
    goods, discount = read(raw, refund, sku_kinds={"MOK": "deposit"}, category_by_sku={"MOK": "bier"}).refunds[0].lines
    assert (goods.kind, goods.category) == (LineKind.DEPOSIT, "bier")
    assert (discount.kind, discount.net) == (LineKind.DISCOUNT, Decimal("-0.50"))


def test_the_class_of_an_article_is_its_tax_class_unless_the_settings_name_another() -> None:
    assert read(raw_order()).lines[0].category == "standard"
    told = {"M*": "kleding", "MOK": "servies"}
    assert read(raw_order(), category_by_sku=told).lines[0].category == "servies"
    other = raw_order(line_items=[{**line_json(1, "10.00", "2.10"), "sku": "MAND", "tax_class": "reduced-rate"}])
    assert read(other, category_by_sku=told).lines[0].category == "kleding"
    assert read(other).lines[0].category == "reduced-rate"


def test_cash_rounding_is_no_line() -> None:
    raw = raw_order(fee_lines=[fee("Afronding", "-0.02")], total="12.08")
    order = read(raw, fee_kinds={"afronding": "rounding"})
    assert (order.rounding_amount, order.total, len(order.lines)) == (Decimal("-0.02"), Decimal("12.08"), 1)
    assert order.payments[0].amount == Decimal("12.08")
    refund = refund_json(900, raw, NOON, 77) | {"fee_lines": [fee("Afronding", "0.02", id=79)], "amount": "1.19"}
    back = read(raw, refund, fee_kinds={"afronding": "rounding"}).refunds[0]
    assert (back.rounding_amount, len(back.lines)) == (Decimal("-0.02"), 1)


@pytest.mark.parametrize(("net", "vat", "field"), [("1.00", "0.00", "total"), ("0.02", "0.01", "total_tax")])
def test_what_is_too_much_or_taxed_is_no_cash_rounding(net: str, vat: str, field: str) -> None:
    where = refused(raw_order(fee_lines=[fee("Afronding", net, vat)]), fee_kinds={"Afronding": "rounding"})
    assert where.startswith(f"fee_lines[0].{field} (")


@pytest.mark.parametrize(
    ("value", "liable"), [("Amazon", True), ("eigen winkel", False), ("", False), (None, False), (["amazon"], False)]
)
def test_sales_for_which_a_marketplace_owes_the_vat(value: Any, liable: bool) -> None:
    raw = raw_order(meta_data=[{"id": 1, "key": "_channel", "value": value}])
    assert read(raw, marketplace_orders={"_channel": ("amazon", "bol")}).marketplace_liable is liable
    assert read(raw, marketplace_orders={"_channel": ("*",)}).marketplace_liable is bool(value and value != ["amazon"])
    assert not read(raw).marketplace_liable


def test_a_pattern_is_a_whole_text_or_a_beginning() -> None:
    table = {"A*": 1, "AB*": 2, "ab-1": 3}
    assert [matching(table, text) for text in ("a", "abc", " AB-1 ", "b", "")] == [1, 2, 3, None, None]
    for wrong in ("*", "A*B", " "):
        with pytest.raises(ValidationError, match="a key is the whole text"):
            WooCommerceSettings(url=URL, category_by_sku={wrong: "x"})
    with pytest.raises(ValidationError):
        WooCommerceSettings(url=URL, fee_kinds={"x": "discount"})


def test_the_check_learns_classes_and_kinds_from_shop_and_settings() -> None:
    with serve() as shop:
        told: dict[str, Any] = {
            "url": shop.url, "category_by_sku": {"MOK": "servies"}, "gift_card_skus": ("BON",),
            "fee_kinds": {"Fooi": "tip", "Betaalkosten": "fee", "Afronding": "rounding"},
            "marketplace_orders": {"x": ("y",)},
        }  # fmt: skip
        keys = CONNECTOR.credentials_model.model_validate({"consumer_key": KEY, "consumer_secret": SECRET})
        facts = CONNECTOR.connect(WooCommerceSettings(**told), keys, None, None).check()
    assert facts.categories == ("reduced-rate", "servies", "standard")
    assert facts.traits == ("gift_card", "marketplace", "rounding", "tip")
