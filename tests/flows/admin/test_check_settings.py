"""Contradictory settings, and those that nothing answers to, are told."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from sluis.flows.check_settings import date_findings, locked_until, period_findings, settings_findings
from tests.flows.admin.check_cases import TODAY, books, codes, settings, shop

FINE: dict[str, Any] = {"vat_number": "NL123456782B90"}
CLASSES = {"categories": ("reduced-rate", "standard")}


def test_a_start_date_longer_ago_than_anything_is_booked() -> None:
    assert codes(date_findings(settings(start_date=date(2024, 1, 1)), TODAY), "warning") == {"start_date_old"}
    assert codes(date_findings(settings(), TODAY), "ok") == {"start_date"}


def test_settings_that_agree_are_said_to() -> None:
    found = list(settings_findings(settings(**FINE), shop(**CLASSES)))
    assert [(finding.level, finding.code) for finding in found] == [("ok", "settings")]


@pytest.mark.parametrize(
    ("chosen", "code", "named"),
    [
        ({"eu_consumers": "oss", "oss_from": TODAY}, "setting_without_effect", "oss_from"),
        ({"kor_until": TODAY}, "setting_without_effect", "kor_until"),
        ({"registrations": ("NL",)}, "setting_without_effect", "registrations"),
        ({"registrations": ("US",)}, "setting_without_effect", "US has no EU VAT"),
        ({"eu_kor": ("NL",)}, "setting_without_effect", "eu_kor"),
        ({"registrations": ("DE",), "eu_kor": ("DE",)}, "settings_contradict", "DE"),
        ({"vat_number": ""}, "vat_number_missing", "request id"),
        ({"vat_number_check": "off"}, "vat_number_check_off", "not looked up"),
        ({"vat_number": "DE136695976"}, "vat_number_elsewhere", "home_country"),
        ({"ships_from": "NL"}, "setting_without_effect", "ships_from"),
        ({"closed_period": "first_open_day"}, "setting_without_effect", "closed_period"),
        ({"foreign_currency": "quarantine", "filter_currencies": ("EUR", "USD")}, "settings_contradict", "USD"),
        ({"booking_mode": "daily", "document_date": "completed"}, "daily_by_completion", "completed"),
        ({"booking_mode": "daily", "register_payments": False}, "setting_without_effect", "register_payments"),
        ({"zero_rate_categories": ("boeken",)}, "category_unknown", "zero_rate_categories"),
        ({"supplies_by_category": {"boeken": "electronic"}}, "category_unknown", "supplies_by_category"),
        ({"margin_categories": {"antiek": "J"}}, "category_unknown", "antiek"),
        ({"reverse_charge_categories": ("gsm",)}, "category_unknown", "reduced-rate, standard"),
    ],
)
def test_what_has_no_effect_or_contradicts_is_a_warning(chosen: dict[str, Any], code: str, named: str) -> None:
    found = list(settings_findings(settings(**{**FINE, **chosen}), shop(**CLASSES)))
    assert codes(found, "missing") == set()
    assert codes(found, "warning") == {code}
    assert any(named in finding.message for finding in found)


def test_one_class_under_two_schemes_is_a_contradiction() -> None:
    both = settings(**FINE, margin_categories={"standard": "F"}, reverse_charge_categories=("standard",))
    assert codes(settings_findings(both, shop(**CLASSES)), "warning") == {"settings_contradict"}


@pytest.mark.parametrize(
    ("chosen", "code"),
    [({"ships_from": "DE"}, "registration_missing"), ({"vat_number": "NL123456789B90"}, "vat_number_wrong")],
)
def test_what_would_make_every_order_wait_is_missing(chosen: dict[str, Any], code: str) -> None:
    assert codes(settings_findings(settings(**{**FINE, **chosen}), None), "missing") == {code}


def test_a_number_is_not_repeated_where_it_is_wrong() -> None:
    found = list(settings_findings(settings(vat_number="CANARY"), None))
    assert "CANARY" not in str(found)


def test_a_registration_where_the_goods_leave_from_answers_it() -> None:
    assert not codes(settings_findings(settings(**FINE, ships_from="DE", registrations=("DE",)), None), "missing")


def test_without_the_shops_answer_no_class_is_judged() -> None:
    chosen = settings(**FINE, margin_categories={"antiek": "J"})
    assert not codes(settings_findings(chosen, None), "warning")
    assert not codes(settings_findings(chosen, shop()), "warning")


@pytest.mark.parametrize(
    ("warning", "start", "closed", "told"),
    [
        ("period_locked_until_2026-09-30", date(2026, 9, 1), None, True),
        ("period_locked_until_20260930", date(2026, 9, 1), date(2026, 8, 31), True),
        ("period_locked_until_2026-09-30", date(2026, 9, 1), date(2026, 9, 30), False),
        ("period_locked_until_2026-09-30", date(2026, 10, 1), None, False),
        ("administration_suspended", date(2026, 9, 1), None, False),
    ],
)
def test_a_lock_of_the_package_that_the_settings_do_not_know(
    warning: str, start: date, closed: date | None, told: bool
) -> None:
    chosen = settings(start_date=start, books_closed_until=closed)
    found = list(period_findings(chosen, books(warnings=(warning,))))
    assert codes(found, "missing") == ({"period_locked"} if told else set())
    assert locked_until(["x", warning]) == (None if "suspended" in warning else date(2026, 9, 30))
