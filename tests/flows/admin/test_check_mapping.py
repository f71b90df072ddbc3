"""Every gap of the mapping is named before the first order, with the setting to fill."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sluis.core.settings import Mapping
from sluis.flows.check_mapping import form_findings, mapping_findings
from sluis.flows.check_needs import needed
from sluis.flows.findings import Finding, Needed
from sluis.ports import Form, LedgerAccount, TaxRate
from tests.flows.admin.check_cases import TODAY, books, codes, settings, shop

BALANCE = tuple(
    LedgerAccount(id=number, name=name, code=number, kind="current_assets", active=False)
    for number, name in (("1250", "Tussenrekening"), ("1300", "Debiteuren"), ("1500", "Btw"))
)
OLD = LedgerAccount(id="1999", name="Oud", code=None, kind="current_assets", active=False, open=False)
FULL: dict[str, Any] = {
    "tax_rates": {"S 21 NL": "21", "S 9 NL": "9", "G 0 NL": "0", "K 0 NL": "0"},
    "revenue": {"goods": "8000"},
    "clearing": {"*": "1250"},
}
ENTRIES: dict[str, Any] = {"vat_accounts": {"S 21 NL": "1500", "S 9 NL": "1500"}, "receivable": "1300"}


def findings(mapping: dict[str, Any], facts: dict[str, Any] | None = None, **chosen: Any) -> list[Finding]:
    mapped, seller = settings(mapping=Mapping(**mapping), **chosen), shop(**(facts or {}))
    package = books(
        ledger_accounts=(*books().ledger_accounts, *BALANCE, OLD),
        tax_rates=(
            *books().tax_rates,
            TaxRate(id="0", name="0%", percent=Decimal(0), country=None),
            TaxRate(id="de", name="DE 21%", percent=Decimal(21), country="DE"),
        ),
    )
    needs = [n for n in needed(mapped, seller, TODAY) if isinstance(n, Needed)]
    return list(mapping_findings(mapped, needs, seller, package))


def message(found: list[Finding], code: str) -> str:
    return " ".join(finding.message for finding in found if finding.code == code)


def test_a_full_mapping_misses_nothing() -> None:
    assert {finding.level for finding in findings(FULL)} == {"ok"}
    assert {finding.level for finding in findings(FULL | ENTRIES, booking_mode="daily")} == {"ok"}


def test_an_export_that_may_come_is_a_warning_and_a_home_rate_is_missing() -> None:
    found = findings(FULL | {"tax_rates": {"S 21 NL": "21"}})
    assert codes(found, "missing") == codes(found, "warning") == {"tax_rate_missing"}
    assert "mapping.tax_rates['S 9 NL']" in next(f.message for f in found if f.level == "missing")
    assert {"'G 0 NL'", "'K 0 NL'"} == {f.message.split("[")[1].split("]")[0] for f in found if f.level == "warning"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tax_rates": {**FULL["tax_rates"], "S 9 NL": "gone"}}, "tax_rate_gone"),
        ({"tax_rates": {**FULL["tax_rates"], "S 9 NL": "old"}}, "tax_rate_gone"),
        ({"tax_rates": {**FULL["tax_rates"], "S 21 NL": "9"}}, "tax_rate_differs"),
        ({"tax_rates": {**FULL["tax_rates"], "S 21 NL": "de"}}, "tax_rate_differs"),
        ({"revenue": {}}, "ledger_account_missing"),
        ({"revenue": {"goods": "8000", "shipping": "gone"}}, "ledger_account_gone"),
        ({"revenue": {"goods": "1250"}}, "ledger_account_gone"),
        ({"rounding": "gone"}, "ledger_account_gone"),
        ({"accounts": ({"account": "gone", "country": "DE"},)}, "ledger_account_gone"),
        ({"clearing": {"*": "1999"}}, "ledger_account_gone"),
    ],
)
def test_what_a_mapping_misses(change: dict[str, Any], code: str) -> None:
    assert codes(findings(FULL | change), "missing") == {code}


@pytest.mark.parametrize("kind", ["gift_card", "deposit"])
def test_what_is_owed_to_a_customer_never_falls_back_on_turnover(kind: str) -> None:
    mapping = FULL | {"tax_rates": {**FULL["tax_rates"], "O 0 NL": "0", "E 0 NL": "0"}}
    found = findings(mapping, {"traits": (kind,)})
    assert "ledger_account_missing" in codes(found, "missing")
    assert f"mapping.revenue['{kind}']" in message(found, "ledger_account_missing")
    assert not codes(findings(mapping, {"traits": ("tip",)}), "missing")
    filled = mapping | {"revenue": {"goods": "8000", kind: "8000"}}
    assert not codes(findings(filled, {"traits": (kind,)}), "missing")


def test_tips_and_cash_rounding_that_stand_with_turnover_are_told() -> None:
    found = findings(FULL, {"traits": ("rounding", "tip")})
    assert "ledger_account_default" in codes(found, "warning")
    assert "mapping.revenue['tip']" in message(found, "ledger_account_default")
    assert "mapping.rounding" in message(found, "ledger_account_default")


def test_every_payment_method_of_the_shop_needs_a_clearing_account() -> None:
    facts = {"payment_methods": ("bacs", "ideal")}
    found = findings(FULL | {"clearing": {"ideal": "1250"}}, facts)
    assert codes(found, "warning") == {"clearing_account_missing"}
    assert "mapping.clearing['bacs']" in message(found, "clearing_account_missing")
    assert not codes(findings(FULL | {"clearing": {}}, facts, register_payments=False), "warning")


@pytest.mark.parametrize("mode", ["daily", "journal_entry"])
def test_entries_cannot_be_made_without_clearing_accounts(mode: str) -> None:
    mapping = FULL | ENTRIES | {"clearing": {}}
    found = findings(mapping, {"payment_methods": ("ideal",)}, booking_mode=mode)
    assert codes(found, "missing") == {"clearing_account_missing"}
    left_open = findings(mapping, {"payment_methods": ("ideal",)}, booking_mode=mode, register_payments=False)
    assert codes(left_open, "missing") == ({"clearing_account_missing"} if mode == "daily" else set())


def test_a_shop_whose_methods_are_not_known_needs_an_account_for_all() -> None:
    found = findings(FULL | {"clearing": {}})
    assert "mapping.clearing['*']" in message(found, "clearing_account_missing")


def test_clearing_accounts_of_methods_that_the_shop_does_not_have_are_told() -> None:
    mapping = FULL | {"clearing": {"*": "1250", "oud": "1250", "gift_card": "1250"}}
    found = findings(mapping, {"payment_methods": ("ideal",)})
    assert codes(found, "warning") == {"payment_method_unknown"}
    assert "oud" in message(found, "payment_method_unknown")


@pytest.mark.parametrize("mode", ["daily", "journal_entry"])
def test_entries_need_a_receivable_and_accounts_of_vat(mode: str) -> None:
    found = findings(FULL, booking_mode=mode)
    assert codes(found, "missing") == {"receivable_missing", "vat_account_missing"}
    text = message(found, "vat_account_missing")
    assert "'S 21 NL'" in text
    assert "'S 9 NL'" in text
    assert "'G 0 NL'" not in text  # no VAT, so no account of it
    gone = findings(FULL | ENTRIES | {"receivable": "1999"}, booking_mode=mode)
    assert codes(gone, "missing") == {"ledger_account_gone"}


def test_a_rule_for_a_class_that_no_line_carries_is_told() -> None:
    rules = ({"account": "8000", "category": "boeken"}, {"account": "8000"})
    found = findings(FULL | {"accounts": rules}, {"categories": ("standard",)})
    assert codes(found, "warning") == {"category_unknown", "rule_without_condition"}
    assert not codes(findings(FULL | {"accounts": rules[:1]}), "warning")  # the classes are not known


def test_a_package_without_ids_needs_no_mapping() -> None:
    found = list(mapping_findings(settings(), [], shop(), books(needs_mapping=False)))
    assert [(finding.level, finding.code) for finding in found] == [("ok", "mapping")]


def test_without_the_administrations_answer_only_what_is_empty_is_judged() -> None:
    mapped = settings(mapping=Mapping(**{**FULL, "tax_rates": {"S 21 NL": "anything"}}))
    needs = [n for n in needed(mapped, shop(), TODAY) if isinstance(n, Needed)]
    found = list(mapping_findings(mapped, needs, shop(), None))
    assert codes(found, "missing") == {"tax_rate_missing"}


@pytest.mark.parametrize(
    ("forms", "chosen", "missing", "warned"),
    [
        (set(Form), {"booking_mode": "daily"}, False, False),
        ({Form.INVOICE}, {"booking_mode": "daily"}, True, True),
        ({Form.INVOICE}, {"booking_mode": "journal_entry", "register_payments": False}, True, False),
        ({Form.INVOICE}, {}, False, True),
        ({Form.INVOICE, Form.PAYMENT}, {}, False, False),
        ({Form.JOURNAL_ENTRY, Form.PAYMENT}, {}, True, False),
        ({Form.JOURNAL_ENTRY, Form.PAYMENT}, {"booking_mode": "journal_entry"}, False, False),
    ],
)
def test_settings_that_the_package_cannot_do(
    forms: set[Form], chosen: dict[str, Any], missing: bool, warned: bool
) -> None:
    found = list(form_findings(settings(**chosen), forms))
    assert codes(found, "missing") == ({"mode_not_possible"} if missing else set())
    assert codes(found, "warning") == ({"payments_not_possible"} if warned else set())
