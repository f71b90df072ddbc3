"""Where the parts of the repository lie that are not in the package: DAGs, plugins, config."""

from __future__ import annotations

from pathlib import Path

import sluis
from sluis.errors import NotConfigured


def repository() -> Path:
    """Return the repository's root. Raises ``NotConfigured`` where the package was installed without it."""
    root = Path(sluis.__file__).resolve().parents[2]
    if not (root / "dags" / "sync.py").is_file():
        raise NotConfigured("sluis is installed without its repository: run this from a clone (pip install -e .)")
    return root
