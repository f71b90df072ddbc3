"""An end posts what is held for days, and says what the books did not take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluis.errors import NotConfigured, Reconnect, Refused, RetryLater
from sluis.flows.ending import Ended, end_integration, end_merchant
from sluis.flows.restoring import may_resume
from sluis.flows.wiring import Session
from sluis.privacy.keyring import Keyring
from sluis.store.database import owner_connection
from sluis.store.integrations import Integrations, IntegrationState
from tests.conftest import Database
from tests.flows.summaries_world import D1, D2, NO_WAIT, DailyWorld

pytestmark = pytest.mark.postgres


@pytest.fixture
def daily(database: Database, monkeypatch: pytest.MonkeyPatch) -> DailyWorld:
    world = DailyWorld()
    monkeypatch.setattr(Session, "package", world.books)
    world.hold(D1)
    world.hold(D2, net="10")
    return world


def end(world: DailyWorld) -> Ended:
    with owner_connection() as conn:
        return end_integration(conn, Keyring.from_environment(), world.merchant, world.code, wait=NO_WAIT)


def test_held_days_are_posted_before_the_credential_goes(daily: DailyWorld) -> None:
    ended = end(daily)
    assert (ended.documents_not_posted, ended.credentials_deleted) == (0, 2)
    assert daily.books.booked == [("D20261101", "2026-11-01", 12100), ("D20261102", "2026-11-02", 1210)]
    daily.prove()


def test_a_package_that_is_away_holds_the_end_off(daily: DailyWorld) -> None:
    daily.books.before.append(RetryLater("502"))
    with pytest.raises(RetryLater, match="2 documents of integration") as caught:
        end(daily)
    assert caught.value.code == "days_not_posted"
    assert end(daily).integrations == (daily.code,)
    daily.prove()


@pytest.mark.parametrize("error", [Reconnect("401"), NotConfigured("no credential"), Refused("locked")])
def test_what_can_never_be_posted_is_told(daily: DailyWorld, error: Exception) -> None:
    daily.books.before += [error, error]
    with owner_connection() as conn:
        ended = end_merchant(conn, Keyring.from_environment(), daily.merchant, wait=NO_WAIT)
    assert (ended.integrations, ended.documents_not_posted) == ((daily.code,), 2)
    assert daily.books.entries == []


def test_days_not_posted_leave_the_guard_of_a_restore(daily: DailyWorld) -> None:
    daily.books.before.append(RetryLater("502"))
    now = datetime.now(UTC)
    with owner_connection() as conn:
        Integrations(conn).set_state(daily.merchant, daily.code, IntegrationState.LIVE)
        Integrations(conn).restored(now - timedelta(days=1), now)
        with pytest.raises(RetryLater) as caught:
            end(daily)
        assert caught.value.code == "days_not_posted"
        with pytest.raises(NotConfigured) as refused:
            may_resume(Integrations(conn).get(daily.merchant, daily.code))
    assert refused.value.code == "adopt_first"
