"""A merchant whose hash key died with his contract: said clearly, and in nobody's way."""

from __future__ import annotations

import pytest

from sluis.errors import NotConfigured
from sluis.flows import keys
from sluis.flows.wiring import open_session
from sluis.privacy.keyring import Keyring
from sluis.store.credentials import Credentials
from sluis.store.merchants import Merchants
from tests.conftest import Database
from tests.store.helpers import add_integration

pytestmark = pytest.mark.postgres


def test_keys_are_listed_and_rotated_past_a_merchant_without_one(database: Database) -> None:
    ended, stays = add_integration(database), add_integration(database)
    with database.owner() as conn:
        Merchants(conn).end(ended.merchant)
    with database.retention() as conn:
        gone = "update sluis.merchant set hash_key_wrapped = null, key_id = null where code = %s"
        assert conn.execute(gone, [ended.merchant]).rowcount == 1
    newer = Keyring.parse(f"{Keyring.generate()},{database.keys}")
    with database.owner() as conn:
        assert sum(Credentials(conn, newer).stale().values()) == 1
        assert [line.opens for line in keys.listing(conn, newer)] == [0, 1]
        assert keys.rotate(conn, newer).resealed == 1
        assert Credentials(conn, newer).stale() == {newer.primary_id: 1}
        assert len(Merchants(conn).hash_key(stays.merchant, newer)) == 32
        assert [m.code for m in Merchants(conn).list()] == [ended.merchant, stays.merchant]


def test_naming_something_of_his_says_that_the_key_is_gone(database: Database) -> None:
    ended = add_integration(database)
    with database.owner() as conn:
        conn.execute("update sluis.merchant set hash_key_wrapped = null, key_id = null")
    with open_session(ended.merchant, ended.code) as session, pytest.raises(NotConfigured) as caught:
        session.reference_key("1001")
    assert caught.value.code == "hash_key_gone"
