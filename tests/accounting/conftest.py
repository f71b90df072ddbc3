"""A fresh fake Moneybird for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.accounting.moneybird_world import MoneybirdWorld


@pytest.fixture
def world() -> Iterator[MoneybirdWorld]:
    made = MoneybirdWorld()
    yield made
    made.close()
