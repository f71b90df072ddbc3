"""The door of the statistics: what passes adds up, what does not is refused with a reason and never bent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from sluis.core.figures import Figure
from sluis.core.invoice import VatCategory, VatTreatment
from sluis.core.order import LineKind
from sluis.errors import Refused
from sluis.statistics import door

DAY = date(2026, 11, 20)


def figure(net: int, vat: int, *, rate: str = "21", country: str = "NL", lines: int = 1) -> Figure:
    category = VatCategory("S") if Decimal(rate) else VatCategory("Z")
    treatment = VatTreatment(category=category, rate=Decimal(rate), country=country)
    return Figure(kind=LineKind.GOODS, category=None, treatment=treatment, net_cents=net, vat_cents=vat, lines=lines)


ROUNDING = Figure(kind=None, category=None, treatment=None, net_cents=-2, vat_cents=0)


def test_lines_add_up_per_country_and_rate_and_cash_rounding_is_no_revenue() -> None:
    figures = (figure(1000, 210), figure(-100, -21), figure(500, 45, rate="9"), figure(700, 0, rate="0"), ROUNDING)
    assert door.admitted(figures, credit=False, currency="EUR", on=DAY) == (
        door.Sums("NL", Decimal("0"), 700, 0),
        door.Sums("NL", Decimal("9"), 500, 45),
        door.Sums("NL", Decimal("21"), 900, 189),
    )


def test_a_credit_note_counts_as_what_it_gives_back() -> None:
    (part,) = door.admitted((figure(-1000, -210),), credit=True, currency="EUR", on=DAY)
    assert (part.net_cents, part.vat_cents) == (1000, 210)


def test_a_region_has_rates_of_its_own_in_its_country() -> None:
    figures = (figure(1000, 160, rate="16", country="PT"),)
    assert door.admitted(figures, credit=False, currency="EUR", on=DAY)


def test_a_credit_note_may_be_of_a_rate_that_was_law_before() -> None:
    lowered = (figure(-1000, -160, rate="16", country="DE"),)
    assert door.admitted(lowered, credit=True, currency="EUR", on=date(2026, 1, 5))  # Germany, the second half of 2020
    assert door.admitted((figure(-1000, -210),), credit=True, currency="EUR", on=DAY)


@pytest.mark.parametrize(
    ("figures", "currency", "credit", "reason"),
    [
        (None, "EUR", False, door.FIGURES_EXPIRED),
        ((figure(1000, 210),), "USD", False, door.NOT_IN_EURO),
        ((figure(-1000, -210),), "EUR", False, door.NEGATIVE_AMOUNT),
        ((figure(1000, 210),), "EUR", True, door.NEGATIVE_AMOUNT),
        ((figure(1000, 210), figure(-500, -45, rate="9")), "EUR", False, door.NEGATIVE_AMOUNT),
        ((figure(1000, 0, rate="0", country="US"),), "EUR", False, door.UNKNOWN_COUNTRY),
        ((figure(1000, 200, rate="20"),), "EUR", False, door.RATE_NOT_IN_LAW),
        ((figure(1000, 190),), "EUR", False, door.VAT_NOT_OF_RATE),
        ((figure(1000, 20, rate="0"),), "EUR", False, door.VAT_NOT_OF_RATE),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(
    figures: tuple[Figure, ...] | None, currency: str, reason: str, *, credit: bool
) -> None:
    with pytest.raises(Refused) as refused:
        door.admitted(figures, credit=credit, currency=currency, on=DAY)
    assert refused.value.code == reason
