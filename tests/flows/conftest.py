"""Worlds for tests of whole runs: a sandbox in a thread, a fresh database, one live integration."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sluis.sandbox.server import SandboxServer
from tests.conftest import Database
from tests.flows.world import World, empty_config


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """Give a live integration whose shop has no order yet."""
    with SandboxServer(empty_config()) as server:
        made = World(server)
        yield made
        assert made.server.state.faults.left() == 0, "a fault that was switched on never struck"
