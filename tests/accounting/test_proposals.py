"""Proposals are taken only where one candidate answers; otherwise the candidates are listed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sluis.accounting.proposals import propose_mapping
from sluis.core.order import LineKind
from sluis.core.settings import Mapping
from sluis.errors import NotConfigured
from sluis.ports import LedgerAccount, PackageFacts, TaxRate


def rate(identity: str, name: str, percent: str | None, country: str | None = None, *, active: bool = True) -> TaxRate:
    return TaxRate(
        id=identity, name=name, percent=None if percent is None else Decimal(percent), country=country, active=active
    )


def account(identity: str, name: str, kind: str = "revenue", *, active: bool = True) -> LedgerAccount:
    return LedgerAccount(id=identity, name=name, code=None, kind=kind, active=active)


#: As a Dutch administration has them; foreign rates carry their country.
RATES = (
    rate("1", "21% btw", "21.0"), rate("2", "9% btw", "9.0"), rate("3", "0% btw", "0.0"),
    rate("4", "Vrijgesteld van btw", "0"), rate("5", "Btw verlegd", "0.0"), rate("6", "Export buiten de EU", "0.0"),
    rate("7", "Intracommunautaire levering", "0.0"), rate("8", "Geen btw", None),
    rate("9", "19% MwSt", "19.0", "DE"), rate("10", "21% btw (oud)", "21.0", active=False),
    rate("11", "21% BE", "21.0", "BE"),
)  # fmt: skip
ACCOUNTS = (
    account("80", "Omzet"), account("81", "Ongecategoriseerde inkomsten"), account("82", "Verzendkosten"),
    account("13", "Debiteuren", "current_assets"),
)  # fmt: skip


def facts(rates: tuple[TaxRate, ...] = RATES, accounts: tuple[LedgerAccount, ...] = ACCOUNTS) -> PackageFacts:
    return PackageFacts(
        administration="1", country="NL", currency="EUR", tax_rates=rates, ledger_accounts=accounts, has_debtors=False
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("S 21 NL", "1"), ("S 9 NL", "2"), ("Z 0 NL", "3"), ("E 0 NL", "4"), ("AE 0 NL", "5"), ("G 0 NL", "6"),
        ("K 0 NL", "7"), ("O 0 NL", "8"), ("S 19 DE", "9"), ("S 21 BE", "11"),
    ],
)  # fmt: skip
def test_a_dutch_administration_answers_by_itself(key: str, value: str) -> None:
    proposed = propose_mapping(facts(), [key], kinds=())
    assert proposed.mapping.tax_rates == {key: value}
    assert proposed.open == ()


def test_two_of_a_rate_are_for_a_person() -> None:
    proposed = propose_mapping(
        facts((rate("1", "21% hoog", "21"), rate("2", "21% dienst", "21"))), ["S 21 NL"], kinds=()
    )
    assert proposed.mapping.tax_rates == {}
    (item,) = proposed.open
    assert (item.setting, item.outcome) == ("mapping.tax_rates['S 21 NL']", "ambiguous")
    assert [candidate.id for candidate in item.candidates] == ["1", "2"]


def test_the_word_btw_decides_between_two() -> None:
    rates = (rate("1", "21% marge", "21"), rate("2", "21% btw", "21"))
    assert propose_mapping(facts(rates), ["S 21 NL"], kinds=()).mapping.tax_rates == {"S 21 NL": "2"}


@pytest.mark.parametrize("key", ["G 0 NL", "E 0 NL", "AE 0 NL", "K 0 NL", "O 0 NL"])
def test_a_plain_zero_rate_is_shown_but_never_taken_for_an_export_or_an_exemption(key: str) -> None:
    (item,) = propose_mapping(facts((rate("3", "0% btw", "0.0"),)), [key], kinds=()).open
    assert (item.outcome, [candidate.id for candidate in item.candidates]) == ("ambiguous", ["3"])


def test_what_is_not_there_is_said() -> None:
    (item,) = propose_mapping(facts(), ["S 25.5 FI"], kinds=()).open
    assert (item.outcome, item.value, item.candidates) == ("nothing", None, ())


def test_accounts_of_revenue() -> None:
    proposed = propose_mapping(facts(), [], kinds=list(LineKind))
    assert proposed.mapping.revenue == {LineKind.GOODS: "80", LineKind.SHIPPING: "82"}
    assert [item.setting for item in proposed.open] == ["mapping.revenue['deposit']", "mapping.revenue['gift_card']"]


def test_two_accounts_of_revenue_are_for_a_person() -> None:
    accounts = (account("80", "Omzet hoog"), account("81", "Omzet laag"), account("82", "Oud", active=False))
    (item,) = propose_mapping(facts(accounts=accounts), []).open
    assert [candidate.id for candidate in item.candidates] == ["80", "81"]


def test_what_a_person_chose_stays() -> None:
    present = Mapping(tax_rates={"S 21 NL": "11", "S 9 NL": "99"}, revenue={LineKind.GOODS: "82"}, rounding="80")
    proposed = propose_mapping(facts(), ["S 21 NL", "S 9 NL"], present=present)
    assert proposed.mapping == present
    assert {item.setting: item.outcome for item in proposed.proposals} == {
        "mapping.tax_rates['S 21 NL']": "mapped",
        "mapping.tax_rates['S 9 NL']": "gone",
        "mapping.revenue['goods']": "mapped",
        "mapping.rounding": "mapped",
    }


def test_a_key_of_another_form_is_refused() -> None:
    with pytest.raises(NotConfigured, match="S 21 NL"):
        propose_mapping(facts(), ["21%"])


def test_an_account_for_roundings_is_proposed_where_there_is_one() -> None:
    accounts = (account("80", "Omzet"), account("89", "Betaalverschillen en afronding"))
    mapping = propose_mapping(facts(accounts=accounts), []).mapping
    assert (mapping.revenue, mapping.rounding) == ({LineKind.GOODS: "80"}, "89")
    assert propose_mapping(facts(), []).mapping.rounding is None


# ------------------------------------------------------------------------------------- accounts that are no revenue


def liability(identity: str, name: str, kind: str = "current_liabilities") -> LedgerAccount:
    """An account that sales may not be booked on, as Moneybird tells it."""
    return LedgerAccount(id=identity, name=name, code=None, kind=kind, active=False, open=True)


BALANCE = (
    liability("10", "Kas", "current_assets"), liability("11", "Rabobank", "current_assets"),
    liability("12", "Tussenrekening Mollie", "current_assets"), liability("14", "PayPal", "current_assets"),
    liability("13", "Debiteuren", "current_assets"), liability("15", "Btw hoog"), liability("16", "Btw laag"),
    liability("17", "Btw OSS"), liability("18", "Btw inkoop 21%"), liability("19", "Btw DE"),
    account("20", "Statiegeld", "current_liabilities"), account("21", "Cadeaubonnen", "current_liabilities"),
    account("84", "Korting cadeaubonnen"), account("49", "Bankkosten", "expenses"),
)  # fmt: skip


def proposed(accounts: tuple[LedgerAccount, ...] = BALANCE, **asked: object) -> Mapping:
    return propose_mapping(facts(accounts=accounts), [], kinds=(), **asked).mapping  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("cod", "10"), ("bacs", "11"), ("mollie_wc_gateway_ideal", "12"), ("ppcp-gateway", "14"), ("paypal", "14"),
        ("klarna_payments", None), ("gift", None),
    ],
)  # fmt: skip
def test_a_payment_method_has_the_account_of_its_provider(method: str, value: str | None) -> None:
    assert proposed(methods=[method]).clearing == ({method: value} if value else {})


def test_an_account_for_any_provider_is_taken_where_none_has_the_methods_name() -> None:
    accounts = (liability("12", "Tussenrekening betaaldienst"), liability("14", "Tussenrekening PayPal"))
    found = proposed(accounts, methods=["klarna_payments", "stripe_ideal", "paypal"]).clearing
    assert found == {"klarna_payments": "12", "stripe_ideal": "12", "paypal": "14"}


def test_two_banks_are_for_a_person_and_costs_are_no_bank() -> None:
    accounts = (liability("11", "Rabobank"), liability("12", "ING bank"), account("49", "Bank", "expenses"))
    (item,) = propose_mapping(facts(accounts=accounts), [], kinds=(), methods=["bacs"]).open
    assert (item.setting, item.outcome) == ("mapping.clearing['bacs']", "ambiguous")
    assert [candidate.id for candidate in item.candidates] == ["11", "12"]


def test_an_account_for_all_other_methods_leaves_nothing_to_ask() -> None:
    done = propose_mapping(
        facts(accounts=BALANCE), [], kinds=(), methods=["bacs", "x"], present=Mapping(clearing={"*": "9"})
    )
    assert done.open == ()
    assert done.mapping.clearing == {"*": "9"}


@pytest.mark.parametrize(
    ("key", "value"),
    [("S 21 NL", "15"), ("S 9 NL", "16"), ("S 19 DE", "19"), ("S 20 FR", "17")],
)
def test_vat_stands_on_the_account_of_its_rate_or_abroad_of_the_one_stop_shop(key: str, value: str) -> None:
    assert proposed(vat_keys=[key]).vat_accounts == {key: value}


def test_one_vat_account_serves_every_rate_at_home_and_none_abroad() -> None:
    found = proposed((liability("15", "Btw"),), vat_keys=["S 21 NL", "S 9 NL", "S 19 DE"])
    assert found.vat_accounts == {"S 21 NL": "15", "S 9 NL": "15"}


def test_the_receivable_is_proposed_for_journal_entries_only() -> None:
    assert proposed(receivable=True).receivable == "13"
    assert proposed().receivable is None


def test_what_is_owed_to_a_customer_is_no_revenue() -> None:
    kinds = (LineKind.GIFT_CARD, LineKind.DEPOSIT, LineKind.TIP)
    found = propose_mapping(facts(accounts=BALANCE), [], kinds=kinds)
    assert found.mapping.revenue == {LineKind.GIFT_CARD: "21", LineKind.DEPOSIT: "20"}
    assert found.open == ()  # a tip without an account of its own stands with goods


def test_the_rest_of_a_mapping_stays() -> None:
    rules = ({"account": "80", "country": "DE"},)
    present = Mapping.model_validate({
        "accounts": rules, "clearing": {"ideal": "12"}, "vat_accounts": {"S 21 NL": "15"}, "receivable": "13"
    })  # fmt: skip
    kept = propose_mapping(facts(accounts=BALANCE), [], kinds=(), present=present)
    assert kept.mapping == present
    gone = propose_mapping(facts(accounts=()), [], kinds=(), present=present, methods=["ideal"], receivable=True)
    assert [item.outcome for item in gone.proposals] == ["gone", "gone"]
    assert gone.mapping == present


def test_a_margin_scheme_wants_a_rate_of_that_name() -> None:
    rates = (rate("4", "Vrijgesteld van btw", "0"), rate("5", "Margeregeling", "0"))
    assert propose_mapping(facts(rates), ["E 0 NL VATEX-EU-F", "E 0 NL"], kinds=()).mapping.tax_rates == {
        "E 0 NL VATEX-EU-F": "5", "E 0 NL": "4",
    }  # fmt: skip
