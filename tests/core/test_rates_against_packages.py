"""The rate table against two independent published data packages; ``rate_differences.yaml`` explains what differs."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duty27_eu_vat
import eu_vat_rates_data
import yaml

from sluis.core import rates, territory

Difference = tuple[str, str, str]

LISTED = yaml.safe_load((Path(__file__).parent / "rate_differences.yaml").read_text(encoding="utf-8"))
THIRD = ("CH", "GB", "LI", "NO", "XI")
FROM = date(2021, 1, 1)


def _listed(part: str) -> set[Difference]:
    return {(row["country"], row["rate"], row["only"]) for row in LISTED[part]}


def _standard(country: str, on: date) -> set[Decimal]:
    return {rate.percent for rate in rates.of(country, on) if rate.name == "standard"}


def _changes(country: str) -> set[date]:
    """Return the days on which either side says that the standard rate changed, and the day before each."""
    theirs = {window.effective_from for window in duty27_eu_vat.get_rate_history(country)}
    ours = {rate.since for rate in rates.RATES if rate.country == country and rate.name == "standard"}
    days = theirs | ours | {FROM, duty27_eu_vat.DATA_AS_OF}
    days |= {day - timedelta(days=1) for day in days}
    return {day for day in days if FROM <= day <= duty27_eu_vat.DATA_AS_OF}


def test_the_standard_rates_agree_on_every_day_since_2021() -> None:
    found: set[Difference] = set()
    for country in territory.MEMBERS:
        for day in _changes(country):
            theirs = duty27_eu_vat.get_standard_rate(country, day)
            for rate in _standard(country, day) ^ {theirs}:
                found.add((country, f"{rates.tidy(rate)} on {day}", "theirs" if rate == theirs else "ours"))
    assert found == _listed("standard-history")


def test_every_rate_of_today_agrees() -> None:
    on = date.fromisoformat(eu_vat_rates_data.data_version)
    found: set[Difference] = set()
    for country in (*territory.MEMBERS, *THIRD):
        data = eu_vat_rates_data.get_rate(country)
        assert data is not None
        given = [data["standard"], *data["reduced"], data["super_reduced"], data["parking"]]
        theirs = {Decimal(str(rate)) for rate in given if rate}
        ours = {rate.percent for rate in rates.of(country, on) if rate.percent}
        for rate in theirs ^ ours:
            found.add((country, str(rates.tidy(rate)), "theirs" if rate in theirs else "ours"))
    assert found == _listed("current")


def test_every_listed_difference_gives_its_reason() -> None:
    assert all(len(row["reason"]) > 20 for part in LISTED.values() for row in part)


def test_the_packages_are_compared_after_the_newest_change_but_announced_ones() -> None:
    """A table that knows later changes than the packages would not be checked by them."""
    newest = max(rate.since for rate in rates.RATES)
    assert newest <= min(duty27_eu_vat.DATA_AS_OF, date.fromisoformat(eu_vat_rates_data.data_version))
