"""The shops that sluis can read. A connector is a folder here whose package offers ``CONNECTOR``; there is no list."""

from __future__ import annotations

import importlib
import pkgutil

from sluis.errors import NotConfigured
from sluis.ports import Connectable


def connectors() -> dict[str, Connectable]:
    """Return every shop connector by its folder's name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    found = ((name, importlib.import_module(f"{__name__}.{name}")) for name in names)
    return {name: module.CONNECTOR for name, module in found if hasattr(module, "CONNECTOR")}


def connector(name: str) -> Connectable:
    """Return one shop connector. Raises ``NotConfigured``, naming the known ones."""
    known = connectors()
    if name not in known:
        raise NotConfigured(f"there is no shop connector of that name; known: {', '.join(known)}", code="unknown_shop")
    return known[name]
