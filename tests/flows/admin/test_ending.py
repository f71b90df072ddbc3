"""An end waits for the run that is underway; then the credentials are gone at once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from sluis.core.settings import IntegrationSettings
from sluis.errors import NotConfigured, Reconnect, RetryLater
from sluis.flows.ending import HELD_AFTER_END, end_integration, end_merchant
from sluis.flows.restoring import may_resume
from sluis.store.credentials import Credentials
from sluis.store.integrations import RESTORED_ADOPTED, Integration, Integrations, IntegrationState
from sluis.store.locks import administration_lock
from sluis.store.merchants import Merchants
from sluis.transit.store import Transit
from tests.conftest import Database

pytestmark = pytest.mark.postgres
NO_WAIT = timedelta(0)


def two_integrations(database: Database) -> list[Integration]:
    """Add a merchant with two live integrations in one administration, each with credentials."""
    with database.owner() as conn:
        merchant = Merchants(conn).add("Voorbeeld", database.keyring).code
        added = [
            Integrations(conn).add(merchant, shop="woocommerce", package="moneybird", administration_key="moneybird/1",
                                   settings=IntegrationSettings(start_date=date(2026, 11, 1)))
            for _ in range(2)
        ]  # fmt: skip
        for one in added:
            Credentials(conn, database.keyring).put(merchant, one.code, "shop", {"consumer_key": "x"})
            Integrations(conn).set_state(merchant, one.code, IntegrationState.LIVE)
        return added


def states(database: Database) -> list[str]:
    with database.owner() as conn:
        return [integration.state.value for integration in Integrations(conn).all()]


def test_an_integration_ends_and_its_credential_is_gone(database: Database) -> None:
    one, other = two_integrations(database)
    with database.owner() as conn:
        ended = end_integration(conn, database.keyring, one.merchant, one.code, wait=NO_WAIT)
        assert (ended.integrations, ended.credentials_deleted) == ((one.code,), 1)
        with pytest.raises(Reconnect):
            Credentials(conn, database.keyring).get(one.merchant, one.code, "shop")
        assert Credentials(conn, database.keyring).get(one.merchant, other.code, "shop")
        again = end_integration(conn, database.keyring, one.merchant, one.code, wait=NO_WAIT)
        assert (again.integrations, again.credentials_deleted) == ((), 0)
    assert states(database) == ["ended", "live"]


def test_a_merchant_ends_with_all_of_it_and_is_told_until_when_the_rest_is_held(database: Database) -> None:
    one, other = two_integrations(database)
    with database.owner() as conn:
        ended = end_merchant(conn, database.keyring, one.merchant, wait=NO_WAIT)
    assert set(ended.integrations) == {one.code, other.code}
    assert ended.credentials_deleted == 2
    assert ended.everything_deleted_by == ended.ended_at + HELD_AFTER_END
    assert states(database) == ["ended", "ended"]


def test_orders_in_transit_hold_the_end_off_and_no_new_run_starts_meanwhile(database: Database) -> None:
    one, _ = two_integrations(database)
    batch = Transit.batch_id(one.dag_id, "run")
    with database.owner() as conn:
        transit = Transit(conn, one.merchant, database.keyring)
        transit.seal(batch, "extracted", 0)
        with pytest.raises(RetryLater) as caught:
            end_integration(conn, database.keyring, one.merchant, one.code, wait=NO_WAIT)
        assert caught.value.code == "run_underway"
        assert states(database) == ["paused", "live"]
        assert Credentials(conn, database.keyring).get(one.merchant, one.code, "shop")

        ended = end_integration(
            conn, database.keyring, one.merchant, one.code, wait=timedelta(minutes=1),
            sleep=lambda _: transit.shred(batch) and None,
        )  # fmt: skip
    assert ended.credentials_deleted == 1
    assert states(database) == ["ended", "live"]


def test_a_run_that_is_writing_to_the_books_holds_the_end_off(database: Database) -> None:
    one, _ = two_integrations(database)
    with database.owner() as writer, administration_lock(writer, one.administration_key, timedelta(seconds=1)):
        with database.owner() as conn, pytest.raises(RetryLater) as caught:
            end_merchant(conn, database.keyring, one.merchant, wait=NO_WAIT)
        assert caught.value.code == "run_underway"
    assert states(database) == ["paused", "paused"]


def test_an_end_deletes_what_a_crashed_run_left_in_transit(database: Database) -> None:
    one, _ = two_integrations(database)
    with database.owner() as conn:
        transit = Transit(conn, one.merchant, database.keyring)
        for batch, hours in (("crashed", 7), ("another one's run underway", 0)):
            transit.seal(batch, "extracted", 0)
            conn.execute(
                "update sluis.transit_chunk set created_at = now() - %s::interval where batch_id = %s",
                [timedelta(hours=hours), batch],
            )
        Integrations(conn).set_state(one.merchant, one.code, IntegrationState.ENDED)
        assert end_integration(conn, database.keyring, one.merchant, one.code, wait=NO_WAIT).chunks_deleted == 1
        assert conn.execute("select batch_id from sluis.transit_chunk").fetchall() == [("another one's run underway",)]
        transit.shred("another one's run underway")
        transit.seal("crashed", "extracted", 0)
        conn.execute("update sluis.transit_chunk set created_at = now() - interval '7 hours'")
        ended = end_merchant(conn, database.keyring, one.merchant, wait=NO_WAIT)
        assert (ended.chunks_deleted, ended.credentials_deleted) == (1, 1)
        assert conn.execute("select count(*) from sluis.transit_chunk").fetchone() == (0,)


@pytest.mark.parametrize("whole", [True, False])
def test_an_end_refused_halfway_leaves_the_guard_of_a_restore(database: Database, whole: bool) -> None:
    """Else `resume` would let an integration book again what the backup does not know."""
    one, _ = two_integrations(database)
    now = datetime.now(UTC)
    with (
        database.owner() as conn,
        database.owner() as writer,
        administration_lock(writer, one.administration_key, timedelta(seconds=1)),
    ):
        Integrations(conn).restored(now - timedelta(days=1), now)
        end = partial(end_integration, code=one.code) if not whole else end_merchant
        with pytest.raises(RetryLater) as caught:
            end(conn, database.keyring, one.merchant, wait=NO_WAIT)
        assert caught.value.code == "run_underway"
        with pytest.raises(NotConfigured) as refused:
            may_resume(Integrations(conn).get(one.merchant, one.code))
        assert refused.value.code == "adopt_first"
        Integrations(conn).set_state(one.merchant, one.code, IntegrationState.PAUSED, RESTORED_ADOPTED)
        with pytest.raises(RetryLater):
            end_integration(conn, database.keyring, one.merchant, one.code, wait=NO_WAIT)
        assert Integrations(conn).get(one.merchant, one.code).state_reason == RESTORED_ADOPTED
