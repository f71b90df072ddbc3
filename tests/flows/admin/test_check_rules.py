"""What ``integration check`` calls missing, and what it only warns of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from sluis.core.settings import IntegrationSettings, Mapping, tax_key
from sluis.flows import check_rules as rules
from sluis.flows.check_rules import Finding, Needed
from sluis.ports import LedgerAccount, PackageFacts, ShopFacts, TaxRate
from sluis.store.integrations import Integration, IntegrationState

TODAY = date(2026, 11, 23)


def settings(**other: Any) -> IntegrationSettings:
    return IntegrationSettings(**{"start_date": date(2026, 11, 1), "eu_consumers": "home_vat", **other})


def shop(**other: Any) -> ShopFacts:
    values: dict[str, Any] = {
        "version": "10.0.2", "currency": "EUR", "timezone": "Europe/Amsterdam", "prices_include_vat": True,
        "orders": 3, "tax_rates": (("NL", "21", "BTW"), ("NL", "9", "BTW laag")),
        "statuses": ("pending", "processing", "completed"),
    }  # fmt: skip
    return ShopFacts(**{**values, **other})


def books(**other: Any) -> PackageFacts:
    values: dict[str, Any] = {
        "administration": "1", "country": "NL", "currency": "EUR",
        "tax_rates": (
            TaxRate(id="21", name="21% btw", percent=Decimal(21), country=None),
            TaxRate(id="9", name="9% btw", percent=Decimal(9), country=None),
            TaxRate(id="old", name="19% btw", percent=Decimal(19), country=None, active=False),
        ),
        "ledger_accounts": (LedgerAccount(id="8000", name="Omzet", code="8000", kind="revenue"),),
        "has_debtors": False,
    }  # fmt: skip
    return PackageFacts(**{**values, **other})


def integration(code: str = "one", merchant: str = "mbcdf", state: str = "live", **other: Any) -> Integration:
    where = {"shop": {"url": other.pop("url", "https://shop.example.com")}}
    return Integration(
        merchant=merchant, code=code, shop="woocommerce", package="moneybird", state=IntegrationState(state),
        state_reason=None, settings=settings(**where, **other), settings_version=1, administration_key="moneybird/1",
        watermark=None, created_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip


def codes(findings: Iterable[object], level: str) -> set[str]:
    return {finding.code for finding in findings if isinstance(finding, Finding) and finding.level == level}


def keys(found: Iterable[object], *, certain: bool | None = None) -> set[str]:
    return {tax_key(n.treatment) for n in found if isinstance(n, Needed) and certain in (None, n.certain)}


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


def test_a_start_date_longer_ago_than_anything_is_booked() -> None:
    assert codes(rules.date_findings(settings(start_date=date(2024, 1, 1)), TODAY), "warning") == {"start_date_old"}
    assert codes(rules.date_findings(settings(), TODAY), "ok") == {"start_date"}


# -------------------------------------------------------------------------------------------------------- tax rates


def test_every_rate_that_the_shop_charges_is_needed_and_an_export_may_come() -> None:
    found = list(rules.needed(settings(), shop(), TODAY))
    assert keys(found, certain=True) == {"S 21 NL", "S 9 NL"}
    assert keys(found, certain=False) == {"G 0 NL"}


def test_a_rate_of_every_country_counts_as_the_home_rate() -> None:
    assert "S 21 NL" in keys(rules.needed(settings(), shop(tax_rates=(("", "21.0000", "BTW"),)), TODAY), certain=True)


def test_rates_that_would_wait_for_a_person_are_told_by_the_core() -> None:
    found = list(rules.needed(settings(), shop(tax_rates=(("NL", "21", ""), ("NL", "17", ""))), TODAY))
    assert codes(found, "warning") == {"vat_rate_unknown"}
    assert "17 % in NL" in next(f.message for f in found if isinstance(f, Finding))
    assert keys(found, certain=True) == {"S 21 NL"}


def test_a_shop_without_rates_misses_them_unless_the_key_may_not_read_them() -> None:
    assert codes(rules.needed(settings(), shop(tax_rates=()), TODAY), "missing") == {"shop_charges_no_vat"}
    hidden = list(rules.needed(settings(), shop(tax_rates=(), warnings=("taxes_not_readable",)), TODAY))
    assert codes(hidden, "missing") == set()
    assert keys(hidden, certain=True) == {"S 21 NL", "S 9 NL"}


def test_under_the_small_business_scheme_only_exempt_is_needed() -> None:
    found = list(rules.needed(settings(vat_scheme="kor"), shop(tax_rates=()), TODAY))
    assert keys(found) == {"E 0 NL"}
    assert codes(found, "missing") == set()
    charging = rules.needed(settings(vat_scheme="kor"), shop(), TODAY)
    assert codes(charging, "warning") == {"shop_charges_vat_under_kor"}


def test_exempt_lines_need_the_exempt_rate() -> None:
    assert "E 0 NL" in keys(rules.needed(settings(untaxed_lines="exempt"), shop(), TODAY), certain=True)


# ---------------------------------------------------------------------------------------------------------- mapping


def mapping_codes(level: str, **chosen: Any) -> set[str]:
    mapped = settings(mapping=Mapping(**chosen))
    needs = [n for n in rules.needed(mapped, shop(), TODAY) if isinstance(n, Needed)]
    return codes(rules.mapping_findings(mapped, needs, books()), level)


FULL = {"tax_rates": {"S 21 NL": "21", "S 9 NL": "9"}, "revenue": {"goods": "8000"}}


def test_a_full_mapping_misses_nothing() -> None:
    assert mapping_codes("missing", **FULL) == set()
    assert mapping_codes("warning", **FULL) == {"tax_rate_missing"}  # the export that may come


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tax_rates": {"S 21 NL": "21"}}, "tax_rate_missing"),
        ({"tax_rates": {"S 21 NL": "21", "S 9 NL": "gone"}}, "tax_rate_gone"),
        ({"tax_rates": {"S 21 NL": "21", "S 9 NL": "old"}}, "tax_rate_gone"),
        ({"tax_rates": {"S 21 NL": "9", "S 9 NL": "9"}}, "tax_rate_differs"),
        ({"revenue": {}}, "ledger_account_missing"),
        ({"revenue": {"goods": "8000", "shipping": "gone"}}, "ledger_account_gone"),
        ({"rounding": "gone"}, "ledger_account_gone"),
    ],
)
def test_what_a_mapping_misses(change: dict[str, Any], code: str) -> None:
    assert mapping_codes("missing", **{**FULL, **change}) == {code}


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


def test_a_shop_that_charges_elsewhere_in_the_eu_is_told_of_the_setting_for_small_sellers() -> None:
    charging = shop(tax_rates=(("NL", "21", "BTW"), ("DE", "19", "MwSt")))
    found = [f for f in rules.needed(settings(eu_consumers="oss"), charging, TODAY) if isinstance(f, Finding)]
    told = next(finding for finding in found if finding.code == "vat_oss_not_supported")
    assert told.level == "warning"
    assert "eu_consumers: home_vat" in told.message
