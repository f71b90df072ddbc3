"""The fixed domain: what a release lists follows from law, calendar and connectors alone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sluis.core import rates
from sluis.errors import Defect
from sluis.statistics.contract import Table
from sluis.statistics.domain import domain, first_day, last_day, law, quarter_of, quarters_of_year


def listed(quarter: str, table: Table) -> set[tuple[str, ...]]:
    return set(domain(quarter, ["woocommerce"], ["moneybird"])[table])


def test_every_day_lies_in_its_quarter() -> None:
    day = date(2023, 12, 30)
    while day < date(2025, 1, 3):
        name = quarter_of(day)
        assert first_day(name) <= day <= last_day(name)
        assert first_day(name).month in {1, 4, 7, 10}
        assert quarter_of(last_day(name) + timedelta(days=1)) != name
        day += timedelta(days=1)
    assert quarters_of_year("2024-Q2") == ("2024-Q1", "2024-Q2", "2024-Q3", "2024-Q4")


@pytest.mark.parametrize("wrong", ["2026Q3", "2026-Q5", "2026-Q0", "2026-q1", "26-Q1", "0000-Q1", "2026-Q1 ", ""])
def test_another_form_of_quarter_is_refused(wrong: str) -> None:
    with pytest.raises(Defect, match="2026-Q3"):
        first_day(wrong)


def test_a_region_counts_to_its_country() -> None:
    countries = {key[0] for key in listed("2026-Q3", Table.COUNTRY)}
    assert countries == {rate.country.partition("-")[0] for rate in rates.RATES}
    assert all(len(code) == 2 for code in countries)
    assert {"XI", "IC", "CH", "GR"} <= countries
    assert ("PT", "22") in listed("2026-Q3", Table.COUNTRY_RATE)  # Madeira
    assert ("GR", "17") in listed("2026-Q3", Table.COUNTRY_RATE)  # five islands


def test_rates_are_those_of_the_quarter_and_of_a_year_before_it() -> None:
    # Estonia: 22 % ended on 30 June 2025, 24 % began on 1 July.
    assert ("EE", "24") not in listed("2025-Q2", Table.COUNTRY_RATE)
    assert {("EE", "22"), ("EE", "24")} <= listed("2025-Q3", Table.COUNTRY_RATE)
    assert ("EE", "22") in listed("2026-Q2", Table.COUNTRY_RATE)  # since 1 April 2025
    assert ("EE", "22") not in listed("2026-Q3", Table.COUNTRY_RATE)  # since 1 July 2025
    assert ("22",) in listed("2026-Q3", Table.RATE)  # still law in others


def test_every_country_has_the_rate_zero() -> None:
    of_country = law("2026-Q3")
    assert all(known[0] == 0 and list(known) == sorted(set(known)) for known in of_country.values())
    assert {(country, "0") for country in of_country} <= listed("2026-Q3", Table.COUNTRY_RATE)


def test_it_is_in_a_fixed_order_whatever_order_connectors_are_found_in() -> None:
    one = domain("2026-Q3", ["woocommerce", "shopify"], ["moneybird", "exact"])
    other = domain("2026-Q3", ("shopify", "woocommerce", "shopify"), iter(["exact", "moneybird"]))
    assert one == other
    assert one[Table.PLATFORM_PACKAGE] == (
        ("shopify", "exact"), ("shopify", "moneybird"), ("woocommerce", "exact"), ("woocommerce", "moneybird"),
    )  # fmt: skip
    assert [key[0] for key in one[Table.RATE]][:3] == ["0", "0.9", "1.05"]  # as numbers, not as texts
    for table, keys in one.items():
        assert len(keys) == len(set(keys)), table
        assert all(len(key) == len(table.dimensions) for key in keys)


def test_statistics_without_connectors_are_a_mistake() -> None:
    with pytest.raises(Defect, match="names of the installed"):
        domain("2026-Q3", [], ["moneybird"])
