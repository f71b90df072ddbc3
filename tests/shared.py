"""Finds the recordings and specifications that lie beside the repository, and skips where they do not.

Everything else in tests/ must pass without them; a test that needs them carries the marker ``shared``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shared_root() -> Path:
    """Return the folder ``shared``: named by ``SLUIS_SHARED``, else the sibling of the repository's root."""
    named = os.environ.get("SLUIS_SHARED")
    return Path(named) if named else ROOT.parent / "shared"


def shared_path(relative: str) -> Path:
    """Return a path below ``shared``, or skip the test (the whole module, when called at import)."""
    path = shared_root() / relative
    if not path.exists():
        pytest.skip(f"needs shared/{relative}, which is not on this machine", allow_module_level=True)
    return path
