"""Every order of the recorded WooCommerce shop, through mapping and core: booked right, or not booked and why.

The facts of ``cases.yaml`` (or the figures the shop charged instead, ``shop_differs``) are held against what would be
booked, per rate. What becomes of each case is written down in ``recorded_outcomes.yaml`` for a person to review.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluis.core.evidence import Evidence, ExchangeRate, VatCheck
from sluis.core.invoice import Decision, DocumentKind, Invoice, Prepared, Result
from sluis.core.invoicing import needs, outcome, prepare
from sluis.core.money import CENT, round_cents
from sluis.core.order import Order
from sluis.core.settings import IntegrationSettings
from sluis.core.summary import Tally, extracted
from sluis.shops.woocommerce.mapping import to_order
from sluis.shops.woocommerce.settings import WooCommerceSettings
from tests.core import golden
from tests.shared import shared_path, shared_root

RECORDINGS = "recordings/woocommerce-10.0.2"
ABSENT = not (shared_root() / RECORDINGS / "cases.yaml").exists()
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(ABSENT, reason=f"needs shared/{RECORDINGS}, which is not on this machine"),
]
REVIEWED = Path(__file__).parent / "recorded_outcomes.yaml"
#: Books are of the shop's class ``reduced-rate``, and of 0 % in Northern Ireland.
SETTINGS = IntegrationSettings(start_date=date(2020, 1, 1), zero_rate_categories=("reduced-rate",))
TODAY = date(2026, 11, 23)
#: Units of the dollar for a euro: an invented rate, for no recording names one.
USD = Decimal("1.1000")
#: The recordings' README: "compared on total and VAT only".
NET_SPLIT_UNKNOWN = {"fee-discount-negative-two"}


def cases() -> list[dict[str, Any]]:
    path = shared_root() / RECORDINGS / "cases.yaml"
    return [] if ABSENT else list(yaml.safe_load(path.read_text(encoding="utf-8"))["cases"])


def variants() -> Iterator[tuple[str, dict[str, Any], str, dict[str, Any]]]:
    """Name, case, order file and figures: an edited order counts twice, as it was and as it is."""
    for case in cases():
        for file in case["files"]:
            before = file.endswith("-before-edit.json")
            if file.startswith("order-"):
                figures = case["expected_before_edit"] if before else facts(case)
                yield f"{case['case']}{' before edit' if before else ''}", case, file, figures


def facts(case: dict[str, Any]) -> dict[str, Any]:
    """The bookkeeper's figures, or what the shop charged where that differs."""
    differs = {key.removeprefix("recorded_"): value for key, value in case.get("shop_differs", {}).items()}
    return {**case["expected"], **differs}


def body(file: str) -> Any:
    text = shared_path(f"{RECORDINGS}/{file}").read_text(encoding="utf-8")
    return json.loads(text, parse_float=Decimal)["response"]["body"]


def order_of(case: dict[str, Any], file: str) -> Order:

    names = [] if file.endswith("-before-edit.json") else [f for f in case["files"] if f.startswith("refunds-")]
    refunds = [refund for name in names for refund in body(name)]
    order = to_order(body(file), refunds, WooCommerceSettings(url="https://shop.example"))
    assert isinstance(order, Order), order
    return order


def decided(order: Order) -> tuple[Decision, ...]:
    """Decide an order, with the answers of registers that it asks for: numbers that can exist are valid."""
    asked = needs(order, SETTINGS, today=TODAY)
    check = VatCheck(state="valid", checked_at=order.modified_at, request_id="TEST") if asked.vat_number else None
    exchange = None
    if asked.exchange is not None:
        currency, day = asked.exchange
        exchange = ExchangeRate(currency=currency, rate=USD, on=day, source="invented")
    return prepare(order, SETTINGS, today=TODAY, evidence=Evidence(vat_check=check, exchange=exchange))


def decisions_of(case: dict[str, Any], file: str) -> tuple[Decision, ...]:
    return decided(order_of(case, file))


def per_rate(values: dict[str, str]) -> dict[str, Decimal]:
    """Figures of ``cases.yaml``; what is nothing is left out, and without VAT is 0 %, whatever row said so."""
    sums: dict[str, Decimal] = {}
    for rate, amount in values.items():
        name = "0" if rate in ("none", "untaxed") else rate
        sums[name] = sums.get(name, Decimal(0)) + Decimal(amount)
    return {rate: amount for rate, amount in sums.items() if amount}


def booked_net(invoice: Invoice) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for line in invoice.lines:
        if line.kind is not None:
            rate = str(line.treatment.rate)
            sums[rate] = sums.get(rate, Decimal(0)) + line.net
    return {rate: amount for rate, amount in sums.items() if amount}


def booked_vat(invoice: Invoice) -> dict[str, Decimal]:
    return {str(part.treatment.rate): part.vat_amount for part in invoice.vat_breakdown if part.vat_amount}


def assert_booked_as(invoice: Invoice, figures: dict[str, Any], *, net_split: bool = True) -> None:
    rounding = sum((line.net for line in invoice.lines if line.kind is None), start=Decimal(0))
    assert invoice.total_with_vat == Decimal(figures["total"])
    assert booked_vat(invoice) == per_rate(figures["vat_per_rate"])
    assert abs(rounding) <= CENT * len(invoice.lines)
    nets = per_rate(figures["net_per_rate"])
    if net_split:
        assert booked_net(invoice) == nets
    else:
        assert sum(booked_net(invoice).values()) == sum(nets.values())


def assert_converted(invoice: Invoice, figures: dict[str, Any]) -> None:
    """Held in euro: total and VAT per rate are those of the shop, divided by the rate."""
    vat = per_rate(figures["vat_per_rate"])
    assert (invoice.charged_total, invoice.charged_vat) == (Decimal(figures["total"]), sum(vat.values()))
    assert invoice.total_with_vat == round_cents(Decimal(figures["total"]) / USD)
    assert booked_vat(invoice) == {rate: round_cents(amount / USD) for rate, amount in vat.items()}


@pytest.mark.parametrize(("name", "case", "file", "figures"), list(variants()), ids=[v[0] for v in variants()])
def test_what_is_booked_is_what_was_charged(
    name: str, case: dict[str, Any], file: str, figures: dict[str, Any]
) -> None:
    first, *others = decisions_of(case, file)
    if isinstance(first, Prepared):
        assert first.invoice.kind is DocumentKind.INVOICE
        assert (first.invoice.amount_due == 0) == (case["expected"]["paid"] or not first.invoice.total_with_vat)
        if first.invoice.charged_currency:
            assert_converted(first.invoice, figures)
        else:
            assert_booked_as(first.invoice, figures, net_split=name not in NET_SPLIT_UNKNOWN)
        assert_whose_vat(first.invoice, figures)
    given_back = {refund["total"]: refund for refund in case["expected"]["refunds"]}
    for decision in others:
        if isinstance(decision, Prepared):
            facts_of_refund = given_back[str(decision.invoice.total_with_vat)]
            if facts_of_refund["vat_per_rate"] == "not stated":
                assert_within_the_sale(decision.invoice, figures)
            else:
                assert_booked_as(decision.invoice, facts_of_refund)


#: Whose VAT it is (``None``: that of the destination) and under which categories, by the case's supply.
SUPPLIES: dict[str, tuple[str | None, set[str]]] = {
    "domestic": ("NL", {"S", "Z", "O"}),
    "export": ("NL", {"G"}),
    "eu-business": ("NL", {"K"}),
    "eu-consumer": (None, {"S", "Z"}),
    "northern-ireland": ("XI", {"S", "Z"}),
    "special-territory": ("NL", {"G"}),
}


def assert_whose_vat(invoice: Invoice, figures: dict[str, Any]) -> None:
    """Country and category are those of the case's supply (an order before its edit went to the Netherlands)."""
    country, categories = SUPPLIES[figures.get("supply", "domestic")]
    country = country or figures["country_of_destination"]
    assert {part.treatment.country for part in invoice.vat_breakdown} <= {country}
    assert {part.treatment.category.value for part in invoice.vat_breakdown} <= categories


def assert_within_the_sale(invoice: Invoice, figures: dict[str, Any]) -> None:
    """An amount given back has the rates of the sale, each with VAT that is its rate of the amount."""
    assert set(booked_vat(invoice)) <= set(per_rate(figures["vat_per_rate"]))
    for part in invoice.vat_breakdown:
        assert abs(part.taxable_amount * part.treatment.rate / 100 - part.vat_amount) <= CENT


def test_every_outcome_is_as_reviewed() -> None:
    found = {name: [_line(d) for d in decisions_of(case, file)] for name, case, file, _ in variants()}
    assert found == golden.read(REVIEWED)


def test_nothing_recorded_is_lost() -> None:
    """Documents and cents of all recorded orders, booked or not, are those of the shop."""

    orders = [order_of(case, file) for _, case, file, _ in variants()]
    tally = Tally()
    for order in orders:
        for decision in decided(order):
            tally.add(outcome(decision.invoice, Result.BOOKED) if isinstance(decision, Prepared) else decision)
    tally.prove(*extracted(orders))


def _line(decision: Decision) -> str:
    """One document on one line: what it is, what becomes of it, and its amounts."""
    shown = golden.shown(decision)
    if not isinstance(decision, Prepared):
        place = f" ({shown['field']})" if "field" in shown else ""
        return f"{shown['document']} {shown['total']} {shown['result']}: {shown['reason']}{place}"
    parts = [f"{rate}: {amounts}" for rate, amounts in shown["rates"].items()]
    parts += [f"rounding {text}" for text in shown.get("rounding", ())] + shown.get("warnings", [])
    head = f"{shown['document']} {shown['number']} {shown['total']} on {shown['date']} by {shown['rule']}"
    flags = [name for name in ("earlier", "part", "charged") if shown.get(name)]
    told = [name if shown[name] is True else f"{name} {shown[name]}" for name in flags]
    return "; ".join([head, *told, *parts])
