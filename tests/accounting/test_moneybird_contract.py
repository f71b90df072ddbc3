"""Moneybird keeps the contract of all accounting connectors, whichever way it rounds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.accounting.moneybird_world import MoneybirdWorld
from tests.contracts.accounting_contract import AccountingContract


class TestMoneybird(AccountingContract):
    @pytest.fixture(params=[False, True], ids=["rounds-per-rate", "rounds-per-line"])
    def world(self, request: pytest.FixtureRequest) -> Iterator[MoneybirdWorld]:
        made = MoneybirdWorld(per_line=request.param)
        yield made
        made.close()
