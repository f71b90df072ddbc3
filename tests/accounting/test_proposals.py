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
    assert [item.setting for item in proposed.open] == ["mapping.revenue['gift_card']"]


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
