"""Merchants, integrations, their settings and watermarks, debtor links, the quarantine and the registry's copy."""

from __future__ import annotations

import logging
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sluis.core.invoice import DocumentKind
from sluis.errors import Defect, NotConfigured, RetryLater
from sluis.privacy.keyring import Keyring
from sluis.store.credentials import Credentials
from sluis.store.database import Connection, connect
from sluis.store.debtors import DebtorLinks
from sluis.store.integrations import Integrations, IntegrationState
from sluis.store.merchants import Merchants
from sluis.store.quarantine import Quarantine, QuarantineTotal
from sluis.store.registry_cache import FILE_NAME, active_integrations
from tests.conftest import Database
from tests.store.helpers import SETTINGS, add_integration, key

pytestmark = pytest.mark.postgres
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_a_merchant_gets_an_opaque_code_and_a_hash_key_of_his_own(database: Database) -> None:
    with database.owner() as conn:
        merchants = Merchants(conn)
        one, two = merchants.add(" Eerste Winkel ", database.keyring), merchants.add("Tweede", database.keyring)
        keys = {merchants.hash_key(m.code, database.keyring) for m in (one, two)}
        assert merchants.list() == [one, two]
        with pytest.raises(Defect):
            merchants.add("  ", database.keyring)
        with pytest.raises(NotConfigured, match="no merchant mnone"):
            merchants.hash_key("mnone", database.keyring)
        with pytest.raises(NotConfigured, match="not in SLUIS_KEYS"):
            merchants.hash_key(one.code, Keyring.parse(Keyring.generate()))
    assert one.name == "Eerste Winkel"
    assert one.code[0] == "m"
    assert len(one.code) == 5
    assert "eerste" not in one.code
    assert len(keys) == 2
    assert {len(k) for k in keys} == {32}


def test_a_task_opens_its_own_merchants_hash_key(database: Database) -> None:
    merchant = add_integration(database).merchant
    with database.task(merchant) as conn:
        assert len(Merchants(conn).hash_key(merchant, database.keyring)) == 32


def test_ending_a_merchant_ends_his_integrations_and_deletes_his_credentials_only(database: Database) -> None:
    ending, staying = add_integration(database), add_integration(database, administration="moneybird/2")
    with database.owner() as conn:
        credentials = Credentials(conn, database.keyring)
        for i in (ending, staying):
            credentials.put(i.merchant, i.code, "shop", {"key": "k"})
        assert Merchants(conn).end(ending.merchant).ended_at is not None
        after = Integrations(conn).get(ending.merchant, ending.code)
        assert (after.state, after.state_reason) == (IntegrationState.ENDED, "merchant_ended")
        assert conn.execute("select merchant_code from sluis.credential").fetchall() == [(staying.merchant,)]
        assert [i.merchant for i in Integrations.active(conn)] == [staying.merchant]
        with pytest.raises(NotConfigured, match="ended"):
            Integrations(conn).add(
                ending.merchant, shop="woocommerce", package="moneybird", settings=SETTINGS, administration_key="x"
            )


def test_an_integration_starts_in_preview_under_a_code_that_names_both_sides(database: Database) -> None:
    first = add_integration(database)
    second = add_integration(database, merchant=first.merchant)
    third = add_integration(database, merchant=first.merchant, code="winkel_nl")
    assert [i.code for i in (first, second, third)] == [
        "woocommerce_moneybird", "woocommerce_moneybird_2", "winkel_nl",
    ]  # fmt: skip
    assert first.dag_id == f"sync__{first.merchant}__woocommerce_moneybird"
    assert (first.state, first.settings, first.settings_version, first.watermark) == (
        IntegrationState.PREVIEW, SETTINGS, 1, None,
    )  # fmt: skip
    with pytest.raises(Defect, match="already has an integration winkel_nl"):
        add_integration(database, merchant=first.merchant, code="winkel_nl")
    with database.owner() as conn:
        assert Integrations(conn).all(first.merchant) == sorted([first, second, third], key=lambda i: i.code)
        with pytest.raises(NotConfigured, match="no integration other"):
            Integrations(conn).get(first.merchant, "other")


def test_state_carries_a_reason_and_the_end_is_final(database: Database) -> None:
    i = add_integration(database)
    with database.task(i.merchant) as conn:  # a task that finds a dead credential must be able to say so
        changed = Integrations(conn).set_state(i.merchant, i.code, IntegrationState.RECONNECT, "credential_refused")
        assert (changed.state, changed.state_reason) == (IntegrationState.RECONNECT, "credential_refused")
        assert Integrations(conn).set_state(i.merchant, i.code, IntegrationState.LIVE).state_reason is None
        Integrations(conn).set_state(i.merchant, i.code, IntegrationState.ENDED)
        with pytest.raises(Defect) as caught:
            Integrations(conn).set_state(i.merchant, i.code, IntegrationState.LIVE)
    assert caught.value.code == "integration_ended"


def test_rewind_sets_the_watermark_back_and_never_forward(database: Database) -> None:
    i = add_integration(database)
    with database.owner() as conn:
        integrations = Integrations(conn)
        assert not integrations.rewind(i.merchant, i.code, NOON)
        assert integrations.get(i.merchant, i.code).watermark is None  # nothing was read yet: all of it will be
        conn.execute("update sluis.integration set watermark = %s", [NOON])
        assert not integrations.rewind(i.merchant, i.code, NOON + timedelta(hours=1))
        assert integrations.rewind(i.merchant, i.code, NOON - timedelta(hours=1))
        assert integrations.get(i.merchant, i.code).watermark == NOON - timedelta(hours=1)


def test_the_settings_version_is_held_until_the_transaction_ends(database: Database) -> None:
    i = add_integration(database)
    with database.task(i.merchant) as conn, database.owner() as other, conn.transaction():
        assert Integrations(conn).held_version(i.merchant, i.code) == i.settings_version
        other.execute("set lock_timeout = '200ms'")
        with pytest.raises(RetryLater):
            Integrations(other).update_settings(i.merchant, i.code, i.settings)


def _put(quarantine: Quarantine, number: int, reason: str = "vat_rate_unknown", cents: int | None = 1210) -> None:
    quarantine.put(
        kind=DocumentKind.INVOICE, document_key=key(number), shop_order_id=f"s{number}", order_number=str(number),
        reason=reason, field="lines[0].vat", currency="EUR" if cents is not None else "", total_cents=cents,
    )  # fmt: skip


def test_new_settings_get_a_version_and_offer_what_waits(database: Database) -> None:
    i = add_integration(database)
    other = add_integration(database, merchant=i.merchant)
    with database.owner() as conn:
        for integration in (i, other):
            _put(Quarantine(conn, integration), 1)
        changed = SETTINGS.model_copy(update={"interval_minutes": 15})
        assert Integrations(conn).update_settings(i.merchant, i.code, changed) == 2
        after = Integrations(conn).get(i.merchant, i.code)
        assert (after.settings.interval_minutes, after.settings_version) == (15, 2)
        assert Quarantine(conn, i).offered_order_ids() == ["s1"]
        assert Quarantine(conn, other).offered_order_ids() == []


def test_quarantine_counts_offers_and_closes(database: Database) -> None:
    i = add_integration(database)
    with database.task(i.merchant) as conn:
        quarantine = Quarantine(conn, i)
        for number, reason, cents in ((1, "a", 100), (2, "a", -50), (3, "b", None)):
            _put(quarantine, number, reason, cents)
        _put(quarantine, 1, "a", 120)
        assert [(q.order_number, q.attempts, q.total_cents) for q in quarantine.open(reason="a")] == [
            ("1", 2, 120), ("2", 1, -50),
        ]  # fmt: skip
        assert [q.order_number for q in quarantine.open(limit=1)] == ["1"]
        with pytest.raises(Defect, match="say which items"):
            quarantine.offer()
        assert quarantine.offer(order_numbers=["2", "nope"]) == 1
        assert quarantine.offer(reason="b") == 1
        assert quarantine.offered_order_ids() == ["s2", "s3"]
        assert quarantine.summary() == [
            QuarantineTotal(reason="a", currency="EUR", documents=2, offered=1, total_cents=70),
            QuarantineTotal(reason="b", currency="", documents=1, offered=1, total_cents=0),
        ]
        assert quarantine.close(DocumentKind.INVOICE, key(2), "booked")
        assert not quarantine.close(DocumentKind.INVOICE, key(2), "booked")
        _put(quarantine, 3, "b", 5)  # came back: the offer is used up
        assert quarantine.offered_order_ids() == []
        assert quarantine.offer(everything=True) == 2
        _put(quarantine, 2, "c", 5)  # a closed one opens again
        assert [(q.reason, q.closed_at) for q in quarantine.open(order_number="2")] == [("c", None)]


def test_debtor_links_are_shared_in_an_administration_and_the_first_one_stays(database: Database) -> None:
    one = add_integration(database, administration="moneybird/1")
    two = add_integration(database, merchant=one.merchant, administration="moneybird/1")
    elsewhere = add_integration(database, merchant=one.merchant, administration="moneybird/2")
    with database.task(one.merchant) as conn:
        links = DebtorLinks(conn, one)
        assert links.put("c1", "77") == "77"
        assert DebtorLinks(conn, two).put("c1", "78") == "77"
        assert DebtorLinks(conn, two).get_many(["c1", "c2"]) == {"c1": "77"}
        assert DebtorLinks(conn, elsewhere).get_many(["c1"]) == {}
        assert links.touch(["c1", "c2"], date(2026, 11, 2)) == 1
        assert links.touch(["c1"], date(2026, 1, 1)) == 1
        assert conn.execute("select last_booked_on from sluis.debtor_link").fetchone() == (date(2026, 11, 2),)
        assert links.forget("c1")
        assert not links.forget("c1")


def test_the_registry_survives_a_database_that_is_away(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> Connection:
        return connect(f"postgresql://sluis_task@/none?host={tmp_path}&port=5432")

    with pytest.raises(RetryLater):
        active_integrations(tmp_path, away)
    i = add_integration(database)
    found = active_integrations(tmp_path)
    assert [(a.dag_id, a.interval_minutes, a.timezone) for a in found] == [(i.dag_id, 60, "Europe/Amsterdam")]
    path = tmp_path / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with caplog.at_level(logging.WARNING):
        assert active_integrations(tmp_path, away) == found
    assert "list of integrations of" in caplog.text
    path.write_text("[{broken")
    with pytest.raises(RetryLater):
        active_integrations(tmp_path, away)
    assert active_integrations(tmp_path) == found
    assert active_integrations(tmp_path, away) == found
    assert [p.name for p in tmp_path.iterdir()] == [FILE_NAME]


def test_a_home_that_cannot_be_written_does_not_hide_the_integrations(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_integration(database)
    (tmp_path / "file").write_text("")
    assert len(active_integrations(tmp_path / "file")) == 1
    assert "could not be written" in caplog.text


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (IntegrationState.PAUSED, "restored"),
        (IntegrationState.PAUSED, "paused_by_hand"),
        (IntegrationState.PREVIEW, None),
    ],
)
def test_a_refused_credential_opens_nothing_that_a_person_or_a_restore_closed(
    database: Database, state: IntegrationState, reason: str | None
) -> None:
    """A run may be underway when it is closed: reconnecting later would make it live."""
    i = add_integration(database)
    with database.owner() as conn:
        known = Integrations(conn)
        known.set_state(i.merchant, i.code, state, reason)
        assert known.wait_for_reconnect(i.merchant, i.code, "credential_refused") is False
        now = known.get(i.merchant, i.code)
        assert (now.state, now.state_reason) == (state, reason)
        known.set_state(i.merchant, i.code, IntegrationState.LIVE)
        assert known.wait_for_reconnect(i.merchant, i.code, "credential_refused") is True
        assert known.get(i.merchant, i.code).state is IntegrationState.RECONNECT
