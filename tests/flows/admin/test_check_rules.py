"""What ``integration check`` says of shop, administration, references and filters."""

from __future__ import annotations

from typing import Any

import pytest

from sluis.flows import check_rules as rules
from sluis.store.integrations import Integration
from tests.flows.admin.check_cases import books, codes, integration, settings, shop

# ------------------------------------------------------------------------------------------------------- both sides


def test_a_shop_that_fits_misses_nothing() -> None:
    found = list(rules.shop_findings(settings(), shop()))
    assert {finding.level for finding in found} == {"ok"}


@pytest.mark.parametrize(
    ("facts", "level", "code"),
    [
        ({"currency": "USD"}, "missing", "currency_shop"),
        ({"timezone": "Europe/London"}, "missing", "timezone_shop"),
        ({"timezone": ""}, "warning", "timezone_shop"),
        ({"statuses": ("pending", "completed")}, "missing", "status_unknown"),
        ({"orders": 0}, "warning", "no_orders"),
        ({"warnings": ("rounds_at_subtotal",)}, "warning", "rounds_at_subtotal"),
    ],
)
def test_a_shop_that_differs(facts: dict[str, Any], level: str, code: str) -> None:
    found = list(rules.shop_findings(settings(), shop(**facts)))
    assert codes(found, level) == {code}
    assert codes(found, "missing") == ({code} if level == "missing" else set())


@pytest.mark.parametrize(
    ("facts", "level", "code"),
    [
        ({"currency": "USD"}, "missing", "currency_books"),
        ({"country": "BE"}, "warning", "country_differs"),
        ({"has_debtors": True}, "warning", "debtors_before_start"),
        ({"warnings": ("administration_suspended",)}, "warning", "administration_suspended"),
    ],
)
def test_an_administration_that_differs(facts: dict[str, Any], level: str, code: str) -> None:
    found = list(rules.package_findings(settings(), books(**facts)))
    assert codes(found, "warning") | codes(found, "missing") == {code}
    assert code in codes(found, level)


def test_a_payment_method_that_the_shop_does_not_have() -> None:
    chosen = settings(require_paid={"*": False, "bacs": True})
    assert codes(rules.shop_findings(chosen, shop(payment_methods=("ideal",))), "warning") == {"payment_method_unknown"}
    assert not codes(rules.shop_findings(chosen, shop(payment_methods=("bacs",))), "warning")


# ------------------------------------------------------------------------------------------------------- references


@pytest.mark.parametrize(
    ("mine", "theirs", "collide"),
    [("", "", True), ("", "B-", True), ("A-", "", True), ("A", "AB", True), ("A-", "B-", False), ("W1-", "W2-", False)],
)
def test_references_collide_where_one_prefix_begins_another(mine: str, theirs: str, collide: bool) -> None:
    this = integration("one", reference_prefix=mine)
    other = integration("two", merchant="mghjk", reference_prefix=theirs)
    found = list(rules.reference_findings(this, [this, other]))
    assert bool(codes(found, "missing")) is collide


def test_the_empty_prefix_is_fine_alone_and_beside_one_that_has_ended() -> None:
    this = integration("one")
    assert not codes(rules.reference_findings(this, [this, integration("two", state="ended")]), "missing")


# ---------------------------------------------------------------------------------------------------------- filters


def filter_codes(level: str, this: Integration, *others: Integration, **facts: Any) -> set[str]:
    return codes(rules.filter_findings(this, [this, *others], shop(**facts)), level)


def test_one_integration_without_filters_takes_every_order() -> None:
    assert filter_codes("ok", integration()) == {"filters"}


def test_two_that_book_the_same_orders_overlap() -> None:
    everywhere, belgium = integration("one"), integration("two", filter_countries=("BE",))
    assert filter_codes("missing", everywhere, belgium) == {"filters_overlap"}
    assert filter_codes("missing", belgium, everywhere) == {"filters_overlap"}
    dollars = integration("three", filter_currencies=("USD",))
    assert filter_codes("missing", everywhere, dollars) == {"filters_overlap"}


def test_two_that_share_the_shop_by_currency() -> None:
    euros = integration("one", filter_currencies=("EUR",))
    dollars = integration("two", filter_currencies=("USD",))
    assert filter_codes("ok", euros, dollars) == {"filters"}
    assert filter_codes("missing", dollars) == {"filters_gap"}


def test_a_gap_where_the_shop_charges_vat_is_missing_and_elsewhere_a_warning() -> None:
    home = integration("one", filter_countries=("NL",))
    assert filter_codes("warning", home) == {"filters_gap"}
    rates = (("NL", "21", ""), ("BE", "21", ""))
    assert filter_codes("missing", home, tax_rates=rates) == {"filters_gap"}
    belgium = integration("two", filter_countries=("BE",))
    assert filter_codes("missing", home, belgium, tax_rates=rates) == set()


def test_another_shop_and_another_merchant_have_orders_of_their_own() -> None:
    this = integration("one")
    assert filter_codes("ok", this, integration("two", url="https://other.example.com")) == {"filters"}
    assert filter_codes("ok", this, integration("two", merchant="mghjk")) == {"filters"}
    assert filter_codes("missing", this, integration("two", url="http://www.shop.example.com/")) == {"filters_overlap"}


def test_a_folder_belongs_to_one_merchant_and_nothing_is_told_of_another() -> None:
    mine = integration(package={"target": "file:///srv/invoices"})
    theirs = integration(merchant="mzzzz", package={"target": "file:///srv/invoices"})
    found = list(rules.reference_findings(mine, [mine, theirs]))
    assert [f.code for f in found] == ["folder_of_another_merchant", "reference_collision"]
    assert not any("mzzzz" in f.message for f in found)
