"""Places as VAT law sees them, told by country code and postcode."""

from __future__ import annotations

import pytest

from sluis.core import territory

OUTSIDE = [
    ("ES", "35001", "Canary Islands"), ("ES", "38 001", "Canary Islands"), ("IC", "", "Canary Islands"),
    ("ES", "51001", "Ceuta"), ("ES", "52001", "Melilla"), ("EA", "", "Ceuta and Melilla"),
    ("IT", "23041", "Livigno"), ("IT", "22061", "Campione d'Italia"), ("DE", "78266", "Büsingen"),
    ("DE", "D-78266", "Büsingen"), ("DE", "27498", "Helgoland"), ("FI", "22100", "Åland"),
    ("FI", "FI-22100", "Åland"), ("AX", "", "Åland"), ("FR", "97110", "French overseas"),
    ("FR", "97400", "French overseas"), ("FR", "98600", "French overseas"), ("GP", "", "Guadeloupe"),
    ("RE", "97400", "Réunion"), ("YT", "", "Mayotte"), ("GR", "630 86", "Mount Athos"),
]  # fmt: skip
REGIONS = [
    ("AT", "6691", "AT-JM"), ("AT", "A-6993", "AT-JM"), ("PT", "9000-042", "PT-30"), ("PT", "9400", "PT-30"),
    ("PT", "9500-321", "PT-20"), ("FR", "20000", "FR-20R"), ("GR", "85300", "GR-IS"), ("GR", "81100", "GR-IS"),
]  # fmt: skip


@pytest.mark.parametrize(("country", "postcode", "name"), OUTSIDE)
def test_territories_outside_the_vat_area(country: str, postcode: str, name: str) -> None:
    place = territory.place(country, postcode)
    assert (place.name, place.goods_inside, place.services_inside) == (name, False, False)


@pytest.mark.parametrize(("country", "postcode", "region"), REGIONS)
def test_regions_with_rates_of_their_own(country: str, postcode: str, region: str) -> None:
    place = territory.place(country, postcode)
    assert (place.country, place.rates, place.goods_inside) == (country, region, True)


@pytest.mark.parametrize(("country", "postcode"), [("GB", "BT1 5GS"), ("GB", "bt15gs"), ("XI", "")])
def test_northern_ireland_is_inside_for_goods_alone(country: str, postcode: str) -> None:
    place = territory.place(country, postcode)
    assert (place.country, place.goods_inside, place.services_inside) == ("XI", True, False)


def test_monaco_counts_as_france() -> None:
    place = territory.place("MC", "98000")
    assert (place.country, place.goods_inside, place.services_inside, place.rates) == ("FR", True, True, "")


@pytest.mark.parametrize(
    ("country", "postcode"),
    [
        ("ES", "28013"), ("IT", "23030"), ("DE", "78267"), ("FI", "00100"), ("FR", "98000"), ("FR", "75001"),
        ("NL", "3500 AB"), ("BE", ""), ("ES", ""), ("AT", "6692"), ("PT", "1000-001"), ("GR", "10431"),
    ],
)  # fmt: skip
def test_ordinary_places_of_a_member_state(country: str, postcode: str) -> None:
    assert territory.place(country, postcode) == territory.Place(country, goods_inside=True, services_inside=True)


@pytest.mark.parametrize(
    ("country", "postcode"), [("GB", "BA1 1AA"), ("GB", "B1 1BT"), ("CH", "8238"), ("NO", ""), ("US", "35001")]
)
def test_ordinary_places_outside_the_eu(country: str, postcode: str) -> None:
    assert territory.place(country, postcode) == territory.Place(country, goods_inside=False, services_inside=False)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("NL", "NL"), (" nl ", "NL"), ("EL", "GR"), ("UK", "GB"), ("IC", "IC"), ("", None), ("XX", None),
        ("Nederland", None), ("??", None),
    ],
)  # fmt: skip
def test_countries_are_recognised(given: str, code: str | None) -> None:
    assert territory.normalise(given) == code


def test_member_states_are_countries() -> None:
    assert territory.EU < territory.COUNTRIES
    assert len(territory.MEMBERS) == 27
    assert {"MC"} == territory.EU - territory.MEMBERS
    assert "GB" not in territory.EU


def test_every_special_place_names_its_law_and_stands_under_a_country() -> None:
    assert all(special.law and special.country in territory.COUNTRIES for special in territory.SPECIAL)
