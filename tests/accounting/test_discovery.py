"""Packages are found by walking the folders."""

from __future__ import annotations

import pytest

from sluis import accounting
from sluis.errors import NotConfigured


def test_every_folder_is_a_package() -> None:
    found = accounting.connectors()
    assert "moneybird" in found
    assert all(connector.name == name for name, connector in found.items())


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(NotConfigured, match="moneybird"):
        accounting.connector("moneybirds")


def test_models_of_another_package_are_refused() -> None:
    moneybird = accounting.connector("moneybird")
    with pytest.raises(NotConfigured):
        moneybird.connect({}, {}, None, None)  # type: ignore[arg-type]
