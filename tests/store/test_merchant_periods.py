"""Merchants' own periods: only shorter, only where the register lets them, and never under another's name."""

from __future__ import annotations

from typing import Any

import pytest

from sluis.errors import NotConfigured
from sluis.privacy.register import Category, Register
from sluis.store.merchant_periods import MerchantPeriods, allowed, in_force
from sluis.store.merchants import Merchants
from tests.conftest import Database

WORDS = {"nl": "woorden", "en": "words"}


def category(name: str = "debtor_link", **other: Any) -> Category:
    values: dict[str, Any] = {
        "id": name, "what": WORDS, "places": [{"table": name, "columns": ["customer_key"]}], "data": "pseudonymous",
        "purposes": ["same_debtor"], "role": "processor", "basis": WORDS, "period": "P24M",
        "trigger": {"event": WORDS, "column": "last_booked_on"}, "contract_end": "P30D", "method": "delete_rows",
        "how": WORDS, "shorten": True, "shortest": "P1M",
    }  # fmt: skip
    return Category.model_validate({**values, **other})


FIXED = category("booking_key", shorten=False, shortest=None)


def register(*categories: Category) -> Register:
    return Register.model_validate(
        {"version": 1, "date": "2026-11-23", "backup_window": "P35D", "categories": categories}
    )


@pytest.mark.parametrize("period", ["P1M", "P31D", "P12M", "P1Y", "P24M", "P2Y"])
def test_from_the_shortest_to_the_registers_own(period: str) -> None:
    allowed(category(), period)


@pytest.mark.parametrize(
    ("of", "period", "code", "says"),
    [
        (category(), "P25M", "period_too_long", "P24M"),
        (category(), "P731D", None, None),  # 2024 has 366 days: two years from its first day are 731
        (category(), "P732D", "period_too_long", "P24M"),
        (category(), "P30D", "period_too_short", "P1M"),
        (category(), "P0D", "period_too_short", "P1M"),
        (category(shortest=None), "P0D", None, None),
        (category(), "PT24H", "period_impossible", "whole days"),
        (category(), "P40DT12H", "period_impossible", "whole days"),
        (category(), "24 months", "period_impossible", "ISO 8601"),
        (category(), "", "period_impossible", "ISO 8601"),
        (FIXED, "P1M", "period_fixed", "booking_key"),
        (category(period=None, trigger=None, shortest=None), "P1M", "period_fixed", "debtor_link"),
    ],
)
def test_what_is_refused_says_why(of: Category, period: str, code: str | None, says: str | None) -> None:
    if code is None:
        allowed(of, period)
        return
    with pytest.raises(NotConfigured, match=says) as raised:
        allowed(of, period)
    assert raised.value.code == code


def test_a_register_that_became_shorter_counts() -> None:
    chosen = {"debtor_link": "P12M", "booking_key": "P1M", "gone": "P1M"}
    assert in_force(register(category(), FIXED), chosen) == {"debtor_link": "P12M"}
    assert in_force(register(category(period="P12M"), FIXED), chosen) == {}
    assert in_force(register(category(period="P6M"), FIXED), chosen) == {}
    assert in_force(register(category(shorten=False, shortest=None)), chosen) == {}


@pytest.mark.postgres
def test_set_change_and_reset(database: Database) -> None:
    with database.owner() as conn:
        one, other = (Merchants(conn).add(name, database.keyring).code for name in ("Voorbeeld", "Ander voorbeeld"))
        periods = MerchantPeriods(conn)
        first = periods.set(one, category(), "P12M")
        assert (first.merchant, first.category, first.period) == (one, "debtor_link", "P12M")
        assert periods.set(one, category(), "P12M") == first
        assert periods.set(one, category(), "P6M").period == "P6M"
        periods.set(other, category(), "P3M")
        assert periods.all() == {one: {"debtor_link": "P6M"}, other: {"debtor_link": "P3M"}}
        assert periods.of(one) == {"debtor_link": "P6M"}
        assert periods.reset(one, "debtor_link")
        assert not periods.reset(one, "debtor_link")
        assert periods.all() == {other: {"debtor_link": "P3M"}}


@pytest.mark.postgres
def test_only_for_a_merchant_whose_contract_lasts(database: Database) -> None:
    with database.owner() as conn:
        periods = MerchantPeriods(conn)
        with pytest.raises(NotConfigured, match="no merchant mxxxx") as raised:
            periods.set("mxxxx", category(), "P12M")
        assert raised.value.code == "merchant_unknown"
        with pytest.raises(NotConfigured, match="no merchant mxxxx"):
            periods.reset("mxxxx", "debtor_link")
        ended = Merchants(conn).add("Voorbeeld", database.keyring).code
        Merchants(conn).end(ended)
        with pytest.raises(NotConfigured) as raised:
            periods.set(ended, category(), "P12M")
        assert raised.value.code == "merchant_ended"
        assert periods.all() == {}


@pytest.mark.postgres
def test_who_sees_which(database: Database) -> None:
    with database.owner() as conn:
        one, other = (Merchants(conn).add(name, database.keyring).code for name in ("Voorbeeld", "Ander voorbeeld"))
        for merchant in (one, other):
            MerchantPeriods(conn).set(merchant, category(), "P12M")
    with database.retention() as conn:
        assert MerchantPeriods(conn).all() == {one: {"debtor_link": "P12M"}, other: {"debtor_link": "P12M"}}
