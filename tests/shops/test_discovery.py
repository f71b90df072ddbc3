"""Shop connectors are found by their folders."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sluis import shops
from sluis.errors import NotConfigured


def test_every_folder_with_a_connector_is_found() -> None:
    folders = {path.parent.name for path in Path(shops.__file__).parent.glob("*/__init__.py")}
    assert set(shops.connectors()) == folders
    assert all(name == connector.name for name, connector in shops.connectors().items())


def test_a_new_folder_is_found_without_an_edit_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nieuwshop").mkdir()
    (tmp_path / "nieuwshop" / "__init__.py").write_text("class CONNECTOR:\n    name = 'nieuwshop'\n")
    (tmp_path / "helper").mkdir()
    (tmp_path / "helper" / "__init__.py").write_text("")
    monkeypatch.setattr(shops, "__path__", [*shops.__path__, str(tmp_path)])
    try:
        assert shops.connector("nieuwshop").name == "nieuwshop"
        assert "helper" not in shops.connectors()
    finally:
        for name in ("sluis.shops.nieuwshop", "sluis.shops.helper"):
            sys.modules.pop(name, None)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(NotConfigured, match=r"known: .*woocommerce"):
        shops.connector("magento")
