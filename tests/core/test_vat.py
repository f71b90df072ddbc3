"""The rate table, the territories and the shape of the decision table itself."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from sluis.core import rates, reasons, territory, vat
from sluis.core.order import LineKind
from sluis.errors import Refused

DAY = date(2026, 5, 4)


@pytest.mark.parametrize(
    ("rate", "on", "known"),
    [
        ("21", DAY, True),
        ("21.0000", DAY, True),
        ("9", date(2019, 1, 1), True),
        ("9", date(2018, 12, 31), False),
        ("6", date(2018, 12, 31), True),
        ("6", date(2019, 1, 1), False),
        ("0", DAY, True),
        ("19", DAY, False),
        ("21.5", DAY, False),
    ],
)
def test_a_rate_is_known_on_its_days_only(rate: str, on: date, known: bool) -> None:
    assert rates.known("NL", Decimal(rate), on) is known


def test_another_country_has_no_rates_yet() -> None:
    assert rates.covered("NL")
    assert not rates.covered("DE")
    assert not rates.known("DE", Decimal(19), DAY)


def test_the_rows_of_one_rate_name_never_overlap() -> None:
    for first in rates.RATES:
        for second in rates.RATES:
            if first is not second and (first.country, first.name) == (second.country, second.name):
                early, late = sorted((first, second), key=lambda rate: rate.since)
                assert early.until is not None
                assert early.until < late.since


@pytest.mark.parametrize(
    ("raw", "written"), [("21.0000", "21"), ("20", "20"), ("5.50", "5.5"), ("0.00", "0"), ("100", "100")]
)
def test_a_rate_has_one_written_form(raw: str, written: str) -> None:
    assert str(rates.tidy(Decimal(raw))) == written


def test_the_versions_stand_together() -> None:
    assert rates.TABLE_VERSION in rates.RULES_VERSION


@pytest.mark.parametrize(
    ("country", "postcode"),
    [
        ("ES", "35001"), ("ES", "38 001"), ("ES", "51001"), ("ES", "52001"), ("IT", "23041"), ("IT", "22061"),
        ("DE", "78266"), ("DE", "D-78266"), ("DE", "27498"), ("FI", "22100"), ("FI", "FI-22100"), ("FR", "97110"),
        ("FR", "98600"), ("GR", "630 86"), ("GB", "BT1 5GS"), ("GB", "bt15gs"), ("XI", ""), ("AX", ""), ("GP", ""),
    ],
)  # fmt: skip
def test_special_territories(country: str, postcode: str) -> None:
    assert territory.special(country, postcode)


@pytest.mark.parametrize(
    ("country", "postcode"),
    [
        ("ES", "28013"), ("IT", "23030"), ("DE", "78267"), ("FI", "00100"), ("FR", "98000"), ("FR", "75001"),
        ("GB", "BA1 1AA"), ("GB", "B1 1BT"), ("NL", "3500 AB"), ("BE", ""), ("ES", ""),
    ],
)  # fmt: skip
def test_ordinary_places(country: str, postcode: str) -> None:
    assert not territory.special(country, postcode)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("NL", "NL"),
        (" nl ", "NL"),
        ("EL", "GR"),
        ("UK", "GB"),
        ("", None),
        ("XX", None),
        ("Nederland", None),
        ("??", None),
    ],
)
def test_countries_are_recognised(given: str, code: str | None) -> None:
    assert territory.normalise(given) == code


def test_member_states_are_countries() -> None:
    assert territory.EU < territory.COUNTRIES
    assert len(territory.EU - {"MC"}) == 27
    assert "GB" not in territory.EU


def test_rule_ids_are_unique_and_every_rule_names_its_law() -> None:
    ids = [rule.id for rule in vat.TABLE]
    assert len(ids) == len(set(ids))
    assert all(rule.law for rule in vat.TABLE)


def _facts(**changes: object) -> vat.Facts:
    known: dict[str, object] = {
        "home": "NL", "destination": "NL", "special_territory": False, "vat_number": "none", "on": DAY,
        "foreign_currency": False, "compound": False, "kor": False, "eu_home_vat": False, "untaxed_exempt": False,
    }  # fmt: skip
    return vat.Facts(**{**known, **changes})  # type: ignore[arg-type]


def test_every_combination_of_facts_meets_a_rule() -> None:
    """The table is total: no order can fall through it, no row is dead, and what it refuses has a listed code."""
    met = set()
    charges = [
        vat.Charge(kind, Decimal(net), rate if rate is None else Decimal(rate), "lines[0].vat")
        for kind in LineKind
        for net in ("10.00", "0.00")
        for rate in (None, "0", "21", "8.1")
    ]
    for destination in ("NL", "BE", "CH", None):
        for number in ("none", "valid", "invalid"):
            for flags in range(16):
                facts = _facts(
                    destination=destination, vat_number=number, kor=bool(flags & 1), eu_home_vat=bool(flags & 2),
                    untaxed_exempt=bool(flags & 4), special_territory=bool(flags & 8),
                )  # fmt: skip
                for charge in charges:
                    rule = _first(vat.Case(facts, charge))
                    if isinstance(rule.outcome, vat.Refusal):
                        assert reasons.REASONS[rule.outcome.code].kind is reasons.Kind.QUARANTINED
                    else:
                        assert rule.outcome(vat.Case(facts, charge)).country == "NL"
                    met.add(rule.id)
    assert met | {"currency-foreign", "tax-compound", "home-unknown"} == {rule.id for rule in vat.TABLE}


def _first(case: vat.Case) -> vat.Rule:
    return next(rule for rule in vat.TABLE if rule.when(case))


def test_an_unknown_home_country_is_refused_by_name() -> None:
    charge = vat.Charge(LineKind.GOODS, Decimal("10.00"), Decimal(19), "lines[0].vat")
    with pytest.raises(Refused) as caught:
        vat.decide(_facts(home="DE", destination="DE"), charge)
    assert (caught.value.code, caught.value.field) == ("vat_home_not_supported", "settings.home_country")
