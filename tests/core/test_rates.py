"""The dated rate table: which rate was law on which day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from sluis.core import rates, territory

DAY = date(2026, 5, 4)


@pytest.mark.parametrize(
    ("country", "rate", "on", "known"),
    [
        ("NL", "21", DAY, True),
        ("NL", "21.0000", DAY, True),
        ("NL", "9", date(2019, 1, 1), True),
        ("NL", "9", date(2018, 12, 31), False),
        ("NL", "6", date(2018, 12, 31), True),
        ("NL", "6", date(2019, 1, 1), False),
        ("NL", "0", DAY, True),
        ("NL", "19", DAY, False),
        ("NL", "20.99", DAY, False),
        ("DE", "16", date(2020, 12, 31), True),
        ("DE", "16", date(2021, 1, 1), False),
        ("IE", "21", date(2021, 2, 28), True),
        ("IE", "21", date(2021, 3, 1), False),
        ("IE", "23", date(2021, 3, 1), True),
        ("LU", "16", date(2023, 6, 1), True),
        ("LU", "16", date(2024, 1, 1), False),
        ("EE", "20", date(2024, 1, 1), False),
        ("EE", "22", date(2025, 6, 30), True),
        ("EE", "24", date(2025, 7, 1), True),
        ("FI", "24", date(2024, 8, 31), True),
        ("FI", "25.5", date(2024, 9, 1), True),
        ("FI", "14", date(2026, 1, 1), False),
        ("FI", "13.5", date(2026, 1, 1), True),
        ("SK", "23", date(2025, 1, 1), True),
        ("SK", "20", date(2025, 1, 1), False),
        ("RO", "19", date(2025, 7, 31), True),
        ("RO", "21", date(2025, 7, 31), False),
        ("RO", "11", date(2025, 8, 1), True),
        ("CZ", "15", date(2023, 12, 31), True),
        ("CZ", "15", date(2024, 1, 1), False),
        ("CZ", "12", date(2024, 1, 1), True),
        ("ES", "7.5", date(2024, 12, 31), True),
        ("ES", "7.5", date(2025, 1, 1), False),
        ("PL", "0", date(2024, 3, 31), True),
        ("PL", "0", date(2024, 4, 1), False),
        ("LT", "9", date(2026, 1, 1), False),
        ("AT", "4.9", date(2026, 6, 30), False),
        ("AT", "4.9", date(2026, 7, 1), True),
        ("PT-20", "16", DAY, True),
        ("PT-30", "22", DAY, True),
        ("PT-30", "23", DAY, False),
        ("PT", "22", DAY, False),
        ("AT-JM", "19", DAY, True),
        ("CH", "8.1", date(2023, 12, 31), False),
        ("CH", "8.1", date(2024, 1, 1), True),
        ("XI", "20", DAY, True),
        ("US", "21", DAY, False),
    ],
)
def test_a_rate_is_known_on_its_days_only(country: str, rate: str, on: date, known: bool) -> None:
    assert rates.known(country, Decimal(rate), on) is known


def test_every_member_state_has_one_standard_rate_on_every_day_since_2021() -> None:
    changes = {rate.since for rate in rates.RATES} | {date(2021, 1, 1), DAY}
    for country in (*territory.MEMBERS, "XI", "GB", "CH", "NO", "PT-20", "PT-30", "AT-JM", "FR-20R", "GR-IS"):
        for day in changes:
            standard = [rate for rate in rates.of(country, day) if rate.name == "standard"]
            assert day < date(2021, 1, 1) or len(standard) == 1, (country, day)


def test_the_rows_of_one_rate_never_overlap() -> None:
    for first in rates.RATES:
        for second in rates.RATES:
            if first is not second and (first.country, first.percent) == (second.country, second.percent):
                early, late = sorted((first, second), key=lambda rate: rate.since)
                assert early.until is not None
                assert early.until < late.since


def test_every_row_names_its_law_and_ends_after_it_begins() -> None:
    assert all(rate.law for rate in rates.RATES)
    assert all(rate.until is None or rate.since < rate.until for rate in rates.RATES)


def test_every_region_with_rates_has_some() -> None:
    regions = {special.rates for special in territory.SPECIAL if special.rates}
    assert all(rates.of(region, DAY) for region in regions)
    assert not rates.of("US", DAY)


@pytest.mark.parametrize(
    ("raw", "written"), [("21.0000", "21"), ("20", "20"), ("5.50", "5.5"), ("0.00", "0"), ("100", "100")]
)
def test_a_rate_has_one_written_form(raw: str, written: str) -> None:
    assert str(rates.tidy(Decimal(raw))) == written


def test_the_versions_stand_together() -> None:
    assert rates.TABLE_VERSION in rates.RULES_VERSION
