"""Credentials are sealed to their row, refreshed by one at a time, and sealed anew while the store is in use."""

from __future__ import annotations

import threading
import time

import pytest

from sluis.errors import NotConfigured, Reconnect, Refused
from sluis.privacy.keyring import Keyring
from sluis.store.credentials import Credentials
from sluis.store.database import Connection
from sluis.store.integrations import Integration
from sluis.store.merchants import Merchants
from tests.conftest import Database
from tests.store.helpers import add_integration

pytestmark = pytest.mark.postgres
SECRET = {"token": "tok-MARKER-123", "refresh_token": "ref-MARKER-456"}


@pytest.fixture
def integration(database: Database) -> Integration:
    """An integration with a credential for its package."""
    made = add_integration(database)
    with database.owner() as conn:
        Credentials(conn, database.keyring).put(made.merchant, made.code, "package", SECRET)
    return made


def test_a_task_reads_what_the_owner_stored_and_the_table_shows_nothing_of_it(
    database: Database, integration: Integration
) -> None:
    i = integration
    with database.task(i.merchant) as conn:
        assert Credentials(conn, database.keyring).get(i.merchant, i.code, "package") == SECRET
    with database.owner() as conn:
        stored = conn.execute("select ciphertext, c::text from sluis.credential as c").fetchone()
    assert stored is not None
    assert b"MARKER" not in stored[0]
    assert "MARKER" not in stored[1]


def test_what_is_missing_says_what_to_do(database: Database, integration: Integration) -> None:
    i = integration
    with database.owner() as conn:
        credentials = Credentials(conn, database.keyring)
        with pytest.raises(Reconnect) as missing:
            credentials.get(i.merchant, i.code, "shop")
        with pytest.raises(NotConfigured, match="no integration other"):
            credentials.get(i.merchant, "other", "shop")
        with pytest.raises(NotConfigured, match="no integration other"):
            credentials.put(i.merchant, "other", "shop", SECRET)
        with pytest.raises(NotConfigured, match="not in SLUIS_KEYS"):
            Credentials(conn, Keyring.parse(Keyring.generate())).get(i.merchant, i.code, "package")
        assert credentials.delete(i.merchant, i.code) == 1
        with pytest.raises(Reconnect):
            credentials.get(i.merchant, i.code, "package")
    assert missing.value.code == "credential_missing"


def test_a_ciphertext_moved_to_another_row_does_not_open(database: Database, integration: Integration) -> None:
    i = integration
    with database.owner() as conn:
        credentials = Credentials(conn, database.keyring)
        conn.execute("update sluis.credential set side = 'shop'")
        with pytest.raises(NotConfigured, match="was altered"):
            credentials.get(i.merchant, i.code, "shop")


def wait_for_a_waiter(conn: Connection) -> None:
    """Return when some session of this server waits for a row or transaction that another holds."""
    for _ in range(3000):
        if conn.execute("select exists (select from pg_locks where not granted)").fetchone() == (True,):
            return
        time.sleep(0.01)
    pytest.fail("nobody waits")


def test_a_second_refresh_waits_and_gets_the_first_ones_token(database: Database, integration: Integration) -> None:
    i = integration
    seen: list[str] = []
    held = threading.Event()

    def second() -> None:
        with database.task(i.merchant) as conn:
            held.wait(30)
            with Credentials(conn, database.keyring).locked(i.merchant, i.code, "package") as credential:
                seen.append(credential.values["token"])

    waiting = threading.Thread(target=second)
    waiting.start()
    with database.task(i.merchant) as conn, database.owner() as watcher:
        with Credentials(conn, database.keyring).locked(i.merchant, i.code, "package") as credential:
            held.set()
            wait_for_a_waiter(watcher)
            assert seen == []
            credential.replace({"token": "new"})
        waiting.join(30)
    assert seen == ["new"]


def test_a_replaced_token_is_kept_also_when_the_block_fails_afterwards(
    database: Database, integration: Integration
) -> None:
    i = integration
    with database.task(i.merchant) as conn:
        credentials = Credentials(conn, database.keyring)
        with pytest.raises(Refused), credentials.locked(i.merchant, i.code, "package") as credential:  # noqa: PT012
            credential.replace({"token": "new"})
            raise Refused("the vendor's next answer")
        assert credentials.get(i.merchant, i.code, "package") == {"token": "new"}
        with pytest.raises(Refused), credentials.locked(i.merchant, i.code, "package"):
            raise Refused("before anything was replaced")
        assert credentials.get(i.merchant, i.code, "package") == {"token": "new"}


def test_rotation_on_a_live_store_leaves_nothing_behind_and_loses_no_refresh(
    database: Database, integration: Integration
) -> None:
    old = database.keyring
    others = [add_integration(database, merchant=integration.merchant) for _ in range(3)]
    with database.owner() as conn:
        for other in others:
            Credentials(conn, old).put(other.merchant, other.code, "shop", {"token": other.code})
        hash_key = Merchants(conn).hash_key(integration.merchant, old)
    new_key = Keyring.generate()
    both, alone = Keyring.parse(f"{new_key},{database.keys}"), Keyring.parse(new_key)
    i, done = integration, []

    def rotate() -> None:
        with database.owner() as conn:
            done.append(Credentials(conn, both).rotate())

    rotation = threading.Thread(target=rotate)
    with database.task(i.merchant) as conn, database.owner() as watcher:
        with Credentials(conn, old).locked(i.merchant, i.code, "package") as credential:  # a refresh is underway
            rotation.start()
            wait_for_a_waiter(watcher)
            assert len(Credentials(watcher, both).stale()) == 2  # the others were not held up by it
            credential.replace({"token": "refreshed"})
        rotation.join(30)
    assert done == [5]
    with database.owner() as conn:
        credentials = Credentials(conn, alone)
        assert credentials.stale() == {alone.primary_id: 5}
        assert credentials.get(i.merchant, i.code, "package") == {"token": "refreshed"}
        assert [credentials.get(o.merchant, o.code, "shop")["token"] for o in others] == [o.code for o in others]
        assert Merchants(conn).hash_key(i.merchant, alone) == hash_key
        assert Credentials(conn, both).rotate() == 0
