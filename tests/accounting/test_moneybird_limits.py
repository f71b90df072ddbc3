"""The published limit counts from the first call, for Moneybird itself and not for a stand-in."""

from __future__ import annotations

import pytest

from sluis.accounting.moneybird import CONNECTOR
from sluis.accounting.moneybird.settings import MoneybirdSettings


@pytest.mark.parametrize(
    ("address", "limits"),
    [
        ("https://moneybird.com/api/v2", {"moneybird": (150, 300)}),
        ("https://api.moneybird.com/v2", {"moneybird": (150, 300)}),
        ("https://evil-moneybird.com/api/v2", {}),
        ("https://moneybird.com.example/api/v2", {}),
        ("http://127.0.0.1:8765/books/api/v2", {}),
    ],
)
def test_only_moneybird_s_own_address_has_its_published_limit(address: str, limits: dict[str, tuple[int, int]]) -> None:
    assert CONNECTOR.limits(MoneybirdSettings(administration_id="1", base_url=address)) == limits
