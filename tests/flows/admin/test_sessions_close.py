"""An administrative flow that connects anew leaves no connection open when its session is closed."""

from __future__ import annotations

import pytest

from sluis.flows import integrations
from sluis.flows.wiring import Session, open_session
from sluis.sandbox.server import SandboxServer
from sluis.store.database import Connection
from tests.conftest import Database
from tests.flows.world import World, empty_config

pytestmark = pytest.mark.postgres


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """Every connection that a session opens beside its own."""
    found: list[Connection] = []
    connect = Session.connect

    def recorded(session: Session) -> Connection:
        found.append(connect(session))
        return found[-1]

    monkeypatch.setattr(Session, "connect", recorded)
    return found


def test_every_connection_is_closed_after_a_check_that_applies_and_after_a_reconnect(
    database: Database, opened: list[Connection]
) -> None:
    with SandboxServer(empty_config()) as server:
        world = World(server)  # checks and applies
        assert len(opened) >= 2
        assert [conn.closed for conn in opened] == [True] * len(opened)
        opened.clear()
        with open_session(world.merchant, world.code) as session:
            integrations.reconnect(session, {"package": {"token": world.books.config.token}})
    assert opened
    assert [conn.closed for conn in opened] == [True] * len(opened)
