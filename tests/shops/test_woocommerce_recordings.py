"""Every recorded order of a real WooCommerce 10.0.2 parses, with the facts that ``cases.yaml`` holds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
import yaml

from sluis.core.order import Order, OrderLine, Unreadable
from sluis.shops.woocommerce.mapping import to_order
from sluis.shops.woocommerce.settings import WooCommerceSettings
from tests.shared import shared_root

FOLDER = shared_root() / "recordings" / "woocommerce-10.0.2"
CASES = FOLDER / "cases.yaml"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not CASES.exists(), reason="needs shared/recordings/woocommerce-10.0.2, which is not here"),
]
SETTINGS = WooCommerceSettings(url="https://shop.example")
#: README of the recordings: compared on total and VAT only, the shop's split of a negative fee over rates is its own.
NET_NOT_STATED = {"fee-discount-negative-two", "fee-giftcard-negative-two"}


@cache
def cases() -> list[dict[str, Any]]:
    return yaml.safe_load(CASES.read_text())["cases"] if CASES.exists() else []


@cache
def recorded(name: str) -> Any:
    raw = json.loads((FOLDER / name).read_text(), parse_float=Decimal)
    return raw["response"]["body"]


def recorded_orders() -> list[str]:
    """Names of all files that hold one order."""
    if not FOLDER.exists():
        return []
    names = (path.name for path in sorted(FOLDER.glob("order-*.json")))
    return [name for name in names if isinstance(recorded(name), dict) and "line_items" in recorded(name)]


def order_of(case: dict[str, Any]) -> Order:
    name = f"order-{case['case']}.json"
    refunds = [recorded(file) for file in case["files"] if file.startswith("refunds-")]
    if not (FOLDER / name).exists():
        name = next(file for file in case["files"] if file.startswith("order-"))
    order = to_order(recorded(name), refunds[0] if refunds else [], SETTINGS)
    assert isinstance(order, Order), order
    return order


def vat(order: Order) -> dict[str, Decimal]:
    return {f"{row.rate.normalize():f}": row.amount for row in order.vat}


def net(lines: Iterable[OrderLine], refunded: Order | None = None) -> dict[str, Decimal]:
    """Net per rate; without a VAT row a line counts as ``none``, a refund's line as the line it takes back."""
    taken_back = {line.line_id: line for line in refunded.lines} if refunded else {}
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        if not line.vat and line.line_id in taken_back:
            found["+".join(f"{row.rate.normalize():f}" for row in taken_back[line.line_id].vat)] += line.net
            continue
        rate = "+".join(f"{row.rate.normalize():f}" for row in line.vat) or "none"
        found[rate] += line.net
    return {rate: amount for rate, amount in found.items() if amount}


def line_vat(lines: Iterable[OrderLine]) -> dict[str, Decimal]:
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        for row in line.vat:
            found[f"{row.rate.normalize():f}"] += row.amount
    return {rate: amount for rate, amount in found.items() if amount}


def stated(amounts: dict[str, str]) -> dict[str, Decimal]:
    """The facts, with ``untaxed`` and ``none`` as one (the answer cannot tell them apart) and without zeros."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for rate, amount in amounts.items():
        found["none" if rate == "untaxed" else rate] += Decimal(amount)
    return {rate: amount for rate, amount in found.items() if amount}


def test_all_cases_are_here() -> None:
    assert len(cases()) == 85
    assert len(recorded_orders()) >= 85


@pytest.mark.parametrize("name", recorded_orders())
def test_every_recorded_order_parses(name: str) -> None:
    order = to_order(recorded(name), [], SETTINGS)
    assert isinstance(order, Order), order


@pytest.mark.parametrize("case", cases(), ids=[case["case"] for case in cases()])
def test_the_facts_of_a_case(case: dict[str, Any]) -> None:
    expected, differs = case["expected"], case.get("shop_differs", {})
    order = order_of(case)
    assert order.status == case["status"]
    assert order.order_id == str(case["order_id"])
    assert order.currency == expected["currency"]
    assert order.total == Decimal(differs.get("recorded_total", expected["total"]))
    vat_per_rate = differs.get("recorded_vat_per_rate", expected["vat_per_rate"])
    assert {k: v for k, v in vat(order).items() if v} == stated_vat(vat_per_rate)
    gap = abs(order.total_vat - sum((row.amount for row in order.vat), Decimal(0)))
    assert gap <= (Decimal("0.01") if "recorded_parts_add_up_to" in case or "subround" in case["group"] else 0)
    if case["case"] not in NET_NOT_STATED:
        assert net(order.lines) == stated(differs.get("recorded_net_per_rate", expected["net_per_rate"]))
    assert order.ship_to.country == expected["country_of_destination"]
    assert order.ship_to.postcode.reveal() == expected["postcode_of_destination"]
    assert order.created_at == datetime.fromisoformat(expected["date_created_utc"]).astimezone(UTC)
    assert (order.paid_at is not None) == expected["paid"]
    assert order.prices_include_vat == expected["prices_entered_with_vat"]
    assert order.buyer.vat_number.reveal() == (expected["buyer_vat_number"] or "")
    assert not order.is_test


def stated_vat(amounts: dict[str, str]) -> dict[str, Decimal]:
    return {rate: Decimal(amount) for rate, amount in amounts.items() if Decimal(amount)}


@pytest.mark.parametrize(
    "case",
    [c for c in cases() if c["expected"]["refunds"]],
    ids=[c["case"] for c in cases() if c["expected"]["refunds"]],
)
def test_the_refunds_of_a_case(case: dict[str, Any]) -> None:
    order = order_of(case)
    assert len(order.refunds) == len(case["expected"]["refunds"])
    own_lines = {line.line_id for line in order.lines}
    for refund, expected in zip(order.refunds, case["expected"]["refunds"], strict=True):
        assert refund.total == Decimal(expected["total"])
        if expected["vat_per_rate"] == "not stated":
            assert refund.lines == ()
            continue
        assert net(refund.lines, order) == stated(expected["net_per_rate"])
        assert line_vat(refund.lines) == stated_vat(expected["vat_per_rate"])
        assert {line.line_id for line in refund.lines} <= own_lines


@pytest.mark.parametrize("case", [c for c in cases() if "expected_before_edit" in c], ids=lambda c: str(c["case"]))
def test_an_order_before_it_was_edited(case: dict[str, Any]) -> None:
    order = to_order(recorded(f"order-{case['case']}-before-edit.json"), [], SETTINGS)
    assert isinstance(order, Order)
    expected = case["expected_before_edit"]
    assert order.total == Decimal(expected["total"])
    assert vat(order) == stated_vat(expected["vat_per_rate"])
    assert net(order.lines) == stated(expected["net_per_rate"])


def test_two_orders_of_one_local_time_are_an_hour_apart() -> None:
    second = order_of(next(c for c in cases() if c["case"] == "date-dst-autumn-second"))
    assert second.created_at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_a_compound_tax_is_marked() -> None:
    order = order_of(next(c for c in cases() if c["case"] == "compound-ca-qc"))
    assert [(row.rate, row.compound) for row in order.vat] == [(Decimal(5), False), (Decimal("9.975"), True)]


def test_the_number_of_an_invoice_plugin_is_taken_where_its_key_is_named() -> None:
    case = next(c for c in cases() if c["case"] == "number-custom")
    assert order_of(case).number == "287"
    told = WooCommerceSettings(url="https://shop.example", number_keys=("_wcpdf_invoice_number", "_order_number"))
    order = to_order(recorded("order-number-custom.json"), [], told)
    assert isinstance(order, Order)
    assert order.number == "2026-00417"


@pytest.mark.parametrize("name", recorded_orders())
def test_names_are_plain_and_of_full_length(name: str) -> None:
    order = to_order(recorded(name), [], SETTINGS)
    assert isinstance(order, Order)
    articles = [line.description for line in order.lines if line.kind == "goods"]
    for raw, shown in zip(recorded(name)["line_items"], articles, strict=True):
        assert shown
        assert (
            "&" not in shown or "&" in raw["name"].replace("&amp;", "").replace("&quot;", "") or "&amp;" in raw["name"]
        )
        if "<" not in raw["name"] and "&" not in raw["name"]:
            assert shown == raw["name"]


def test_a_trashed_order_reads_as_trash() -> None:
    order = to_order(recorded("order-trashed-by-id.json"), [], SETTINGS)
    assert isinstance(order, Order)
    assert order.status == "trash"


def test_half_an_order_is_unreadable_and_says_where() -> None:
    raw = dict(recorded("orders-list-fields-only.json")[0])
    found = to_order(raw, [], SETTINGS)
    assert isinstance(found, Unreadable)
    assert (found.order_id, found.field) == ("304", "tax_lines")
    assert found.total == Decimal("5.94")


@pytest.mark.parametrize("name", recorded_orders())
def test_each_paid_order_names_its_payment_and_no_other_does(name: str) -> None:
    """As recorded: the total, under the gateway's transaction; no plugin for gift cards ran in that shop."""
    raw = recorded(name)
    order = to_order(raw, [], SETTINGS)
    assert isinstance(order, Order)
    paid, total = raw["date_paid_gmt"], Decimal(raw["total"])
    if not paid or not total:
        assert order.payments == ()
        return
    (payment,) = order.payments
    assert (payment.amount, payment.method) == (order.total, raw["payment_method"])
    assert payment.paid_at == datetime.fromisoformat(paid).replace(tzinfo=UTC)
    assert payment.reference.reveal() == raw["transaction_id"]
    assert not order.marketplace_liable
    assert order.rounding_amount == 0


def test_the_recorded_refunds_were_made_by_hand_so_nobody_knows_how_they_were_paid_back() -> None:
    refunds = [refund for case in cases() for refund in order_of(case).refunds]
    assert len(refunds) >= 12
    assert all(refund.payments == () for refund in refunds)


def test_the_recorded_negative_fees_are_discounts() -> None:
    for case in cases():
        if case["case"] in NET_NOT_STATED:
            assert "discount" in {line.kind for line in order_of(case).lines}
