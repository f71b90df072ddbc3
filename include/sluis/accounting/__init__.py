"""The accounting packages that sluis can write to: one folder each, found by walking, never by a list.

A folder here that offers ``CONNECTOR`` in its ``__init__`` is a connector; nothing else has to be edited to add one.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from sluis.errors import NotConfigured
from sluis.ports import PackageConnectable


@cache
def names() -> tuple[str, ...]:
    """Return the names of the folders, sorted, without importing any of them."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg))


def connector(name: str) -> PackageConnectable:
    """Return one package's ``CONNECTOR``; raises ``NotConfigured`` for a name that has no folder."""
    if name not in names():
        raise NotConfigured(f"no accounting package is called {name!r}; there are: {', '.join(names())}")
    found: PackageConnectable = importlib.import_module(f"{__name__}.{name}").CONNECTOR
    return found


def connectors() -> dict[str, PackageConnectable]:
    """Return every package's ``CONNECTOR`` by its name."""
    return {name: connector(name) for name in names()}
