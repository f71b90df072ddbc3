"""Amounts are whole cents of a finite decimal; anything else is refused, not rounded, and its value is not shown."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from sluis.core.bookable import local_date, oldest_bookable
from sluis.core.frozen import Frozen
from sluis.core.money import Amount, cents, from_cents, round_cents
from tests.core import golden

AMOUNT: TypeAdapter[Decimal] = TypeAdapter(Amount)


class _Priced(Frozen):
    price: Amount


@pytest.mark.parametrize(
    "given", [1.10, "1.105", "NaN", "Infinity", "-Infinity", "1e40", "9" * 40, "", "ten", None, "1,10"]
)
def test_what_is_no_amount_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        AMOUNT.validate_python(given)


def test_a_refused_value_is_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        _Priced.model_validate({"price": "1234.567"})
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "kept"), [("1", "1.00"), (" 1.1 ", "1.10"), (-3, "-3.00"), ("1.100000", "1.10"), ("1E2", "100.00")]
)
def test_an_amount_has_two_decimals(given: object, kept: str) -> None:
    assert str(AMOUNT.validate_python(given)) == kept


@pytest.mark.parametrize(
    ("given", "rounded"), [("1.155", "1.16"), ("-1.155", "-1.16"), ("1.1549", "1.15"), ("0.005", "0.01")]
)
def test_half_a_cent_goes_away_from_zero(given: str, rounded: str) -> None:
    assert str(round_cents(Decimal(given))) == rounded


def test_cents_and_back() -> None:
    assert cents(Decimal("-12.34")) == -1234
    assert str(from_cents(-1234)) == "-12.34"
    with pytest.raises(ValueError, match="whole number of cents"):
        cents(Decimal("0.001"))


@pytest.mark.parametrize(
    ("today", "oldest"),
    [
        (date(2026, 11, 23), date(2024, 12, 23)),
        (date(2026, 1, 31), date(2024, 2, 29)),
        (date(2027, 1, 31), date(2025, 2, 28)),
        (date(2026, 12, 31), date(2025, 1, 31)),
    ],
)
def test_the_oldest_bookable_day_is_23_months_ago(today: date, oldest: date) -> None:
    assert oldest_bookable(today) == oldest


def test_a_day_at_the_end_of_the_calendar_stops_nothing() -> None:
    moment = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    assert local_date(moment, golden.settings_of(None)) == date(9999, 12, 31)
