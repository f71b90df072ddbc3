"""After a restore the books hold what our store does not know: nothing of it goes there a second time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sluis.errors import NotConfigured
from sluis.flows import backup, integrations
from sluis.flows.adopt import adopt
from sluis.flows.restoring import period
from sluis.flows.wiring import open_session
from sluis.privacy import backup as backups
from sluis.sandbox.server import SandboxServer
from sluis.store.database import OWNER_URL, TASK_URL, owner_connection
from sluis.store.integrations import Integrations, IntegrationState
from sluis.store.migrate import TASK_ROLE
from sluis.store.server import LocalServer
from tests.conftest import OWNER, Database
from tests.flows.payments_desk import Desk, sale
from tests.flows.payments_desk import paid as payment_on_invoice
from tests.flows.summaries_world import D1, D2, DailyWorld
from tests.flows.test_late_payments import paid, pay, told
from tests.flows.test_modes import Shop, accounts
from tests.flows.world import World, edit, empty_config, hour

pytestmark = pytest.mark.postgres


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    with SandboxServer(empty_config()) as server:
        yield World(server)


@pytest.fixture
def target(postgres: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A new, empty database, and a directory for the backups."""
    monkeypatch.setenv(backups.BACKUPS, str(tmp_path / "backups"))
    name = f"put_back_{os.getpid()}_{datetime.now(UTC):%H%M%S%f}"
    postgres.provide(name, OWNER)
    try:
        yield postgres.dsn(name, OWNER)
    finally:
        postgres.discard(name)


def put_back(made: backups.Backup, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore, and let everybody work with the new database."""
    backup.restore(made.path, target, typed=True, now=datetime.now(UTC))
    monkeypatch.setenv(OWNER_URL, target)
    monkeypatch.setenv(TASK_URL, target.replace(f"//{OWNER}@", f"//{TASK_ROLE}@"))


def resume(world: World) -> None:
    with open_session(world.merchant, world.code) as session:
        integrations.resume(session)


def adopted(world: World, start: date | None = None, end: date | None = None, *, dry_run: bool = False) -> int:
    """Adopt what resume asks for, or another period."""
    with open_session(world.merchant, world.code) as session:
        days = period(session.integration)
        assert days is not None
        return adopt(session, start or days[0], end or days[1], dry_run=dry_run).stored


def live_again(world: World) -> None:
    """What no command does: go on without having adopted anything."""
    with owner_connection() as conn:
        Integrations(conn).set_state(world.merchant, world.code, IntegrationState.LIVE)


def test_from_backup_to_resume_nothing_is_booked_twice(
    world: World, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    world.orders(now - timedelta(hours=5), 3)
    world.run(world.request())
    made = backup.make(None)
    world.orders(now - timedelta(minutes=4), 3)
    world.run(world.request())
    assert len(world.booked()) == 6
    put_back(made, target, monkeypatch)
    assert world.integration.state_reason == "restored"
    assert world.run(world.request()) is None  # a scheduled run calls nobody
    with pytest.raises(NotConfigured, match="integration adopt"):
        resume(world)
    assert adopted(world, dry_run=True) == 0
    with pytest.raises(NotConfigured, match="adopt"):
        resume(world)
    assert adopted(world, end=now.date() - timedelta(days=3)) == 0  # not all of the time since the backup
    with pytest.raises(NotConfigured, match="adopt"):
        resume(world)
    assert adopted(world) == 3
    resume(world)
    world.orders(now - timedelta(minutes=1), 1)
    world.run(world.request())
    assert len(world.booked()) == 7
    world.prove()


def test_without_the_guards_everything_since_the_backup_is_booked_twice(
    world: World, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the guards are for: the same way without them."""
    world.orders(datetime.now(UTC) - timedelta(hours=2), 3)
    made = backup.make(None)
    world.run(world.request())
    put_back(made, target, monkeypatch)
    live_again(world)
    with owner_connection() as conn:
        conn.execute("update sluis.integration set restored_from = null, restored_at = null")
    world.run(world.request())
    assert len(world.booked()) == 6
    assert len(set(world.booked())) == 3


def test_who_forces_his_way_past_adopting_books_nothing_twice_either(
    world: World, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each document is looked up: also one of long before the time that is adopted, which a backfill booked."""
    world.orders(hour(0), 3)
    world.orders(datetime.now(UTC) - timedelta(hours=2), 2)
    made = backup.make(None)
    world.run(world.request())
    world.run(world.backfill(-2, 2))
    assert len(world.booked()) == 5
    put_back(made, target, monkeypatch)
    live_again(world)
    world.run(world.request())
    world.run(world.backfill(-2, 2))
    world.prove()


def test_a_correction_of_the_time_between_is_not_made_again(
    world: World, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    order = world.order(now - timedelta(hours=6))
    refunded = world.order(now - timedelta(hours=6), quantity=3, buyer="bert")
    world.run(world.request())
    made = backup.make(None)
    edit(world, order, now - timedelta(minutes=2), quantity=5)
    world.refund(refunded, now - timedelta(minutes=2))
    world.change(refunded, now - timedelta(minutes=2))
    world.run(world.request())
    before = world.booked()
    assert len(before) > 3
    put_back(made, target, monkeypatch)
    adopted(world)
    resume(world)
    world.run(world.request())
    assert world.booked() == before


def test_a_day_that_was_posted_since_is_not_posted_again(
    database: Database, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily = DailyWorld()
    daily.hold(D1)
    made = backup.make(None)
    assert told(daily.post(D2)) == [("D20261101", "booked", None)]
    put_back(made, target, monkeypatch)
    assert told(daily.post(D2)) == [("D20261101", "adopted", None)]
    assert daily.books.booked == [("D20261101", "2026-11-01", 12100)]


def test_a_late_payment_of_the_time_between_is_not_posted_again(
    database: Database, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop()
    shop.daily.change(booking_mode="journal_entry")
    shop.run(paid())
    made = backup.make(None)
    assert told(pay(shop, paid("121"))) == [("1001-P1", "booked", None)]
    books = accounts(shop)
    put_back(made, target, monkeypatch)
    assert told(pay(shop, paid("121"))) == [("1001-P1", "booked", None)]
    assert accounts(shop) == books


def test_a_payment_of_the_time_between_is_not_registered_again(
    world: World, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a document that the backup knows, and of one that was booked after it."""
    desk = Desk(world)
    known = sale("121.00", payment_on_invoice("121.00"))
    desk.book(known)
    made = backup.make(None)
    desk.settle(known)
    assert [str(amount) for amount in desk.amounts(known)] == ["121.0"]
    put_back(made, target, monkeypatch)
    live_again(world)
    assert [outcome.result.value for outcome in desk.settle(known)] == ["adopted"]
    assert [str(amount) for amount in desk.amounts(known)] == ["121.0"]
    assert desk.settle(known) == ()


def test_without_looking_a_payment_would_stand_there_twice(
    world: World, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(world)
    known = sale("121.00", payment_on_invoice("121.00"))
    desk.book(known)
    made = backup.make(None)
    desk.settle(known)
    put_back(made, target, monkeypatch)
    live_again(world)
    with owner_connection() as conn:
        conn.execute("update sluis.integration set restored_from = null, restored_at = null")
    desk.settle(known)
    assert len(desk.amounts(known)) == 2
