"""Periods: what they mean to the day, and which are refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluis.errors import NotConfigured
from sluis.privacy.periods import Rounded, cutoff, duration, not_longer

NOW = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "rounded", "before"),
    [
        ("PT24H", "none", datetime(2026, 11, 22, 15, 30, tzinfo=UTC)),
        ("PT36H", "none", datetime(2026, 11, 22, 3, 30, tzinfo=UTC)),
        ("P1D", "none", datetime(2026, 11, 22, tzinfo=UTC)),
        ("P0D", "none", datetime(2026, 11, 23, tzinfo=UTC)),
        ("P24M", "none", datetime(2024, 11, 23, tzinfo=UTC)),
        ("P45D", "quarter", datetime(2026, 10, 1, tzinfo=UTC)),  # the third quarter ended 54 days ago
        ("P54D", "quarter", datetime(2026, 7, 1, tzinfo=UTC)),  # its 54th day is today: it stands
        ("P7Y", "year", datetime(2019, 1, 1, tzinfo=UTC)),
    ],
)
def test_what_is_before_this_has_expired(period: str, rounded: Rounded, before: datetime) -> None:
    assert cutoff(period, NOW, rounded) == before


@pytest.mark.parametrize("period", ["", "P", "PT", "24M", "P-1D", "P1W", "P1.5M", "P31Y", "P99999D", "P1H"])
def test_an_impossible_period(period: str) -> None:
    with pytest.raises(NotConfigured) as raised:
        duration(period)
    assert raised.value.code == "period_impossible"


def test_which_is_longer() -> None:
    assert not_longer("P12M", "P1Y")
    assert not_longer("P30D", "P1M")
    assert not not_longer("P32D", "P1M")
