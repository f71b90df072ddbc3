"""Airflow's pools: one per accounting package, so that many merchants cannot overrun one vendor.

``config/pools.json`` (the form of ``airflow pools import``) sets the slots; a package without an entry gets a few, so
that a new connector needs no edit elsewhere. A task in a pool that does not exist is never started, without a word.
"""

from __future__ import annotations

import pkgutil
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from sluis import accounting
from sluis.core.frozen import Frozen
from sluis.errors import NotConfigured

DEFAULT_SLOTS = 4


class Pool(Frozen):
    """One pool as Airflow knows it."""

    slots: int = Field(ge=1)
    description: str = ""
    include_deferred: bool = False


_FILE = TypeAdapter(dict[str, Pool])


def wanted(file: Path) -> dict[str, Pool]:
    """Return every pool by name, sorted. Raises ``NotConfigured`` for a file that cannot be read."""
    try:
        pools = _FILE.validate_json(file.read_bytes())
    except (OSError, ValidationError):
        raise NotConfigured(f"{file} is not a list of pools (name -> slots, description, include_deferred)") from None
    for package in pkgutil.iter_modules(accounting.__path__):
        if package.ispkg:
            described = f"Loads into {package.name} at a time."
            pools.setdefault(f"package__{package.name}", Pool(slots=DEFAULT_SLOTS, description=described))
    return dict(sorted(pools.items()))
