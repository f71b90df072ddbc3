"""Restores: an old backup is put back, and what was deleted since is deleted still."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from psycopg.conninfo import conninfo_to_dict

from sluis.errors import Defect, NotConfigured, SluisError
from sluis.flows import backup as flow
from sluis.flows import retention
from sluis.flows.ending import end_integration
from sluis.flows.wiring import open_session
from sluis.privacy import backup as backups
from sluis.privacy import deletions_log
from sluis.privacy import restore as put_back
from sluis.privacy.keyring import Keyring
from sluis.privacy.register import Published, read_register, register_path
from sluis.privacy.retention import holds
from sluis.privacy.retention.at_once import carry_out, of_store
from sluis.privacy.retention.certificates import verify
from sluis.store import tombstones
from sluis.store.credentials import Credentials
from sluis.store.database import OWNER_URL, Connection, connect, rows
from sluis.store.integrations import Integrations, IntegrationState
from sluis.store.merchants import Merchants
from sluis.store.migrate import upgrade
from sluis.store.server import LocalServer
from tests.cli.runner import run
from tests.conftest import OWNER, Database
from tests.privacy.backup_world import book, fill

NOW = datetime.now(UTC)


@pytest.fixture
def target(postgres: LocalServer) -> Iterator[str]:
    """A new, empty database to restore into."""
    name = f"restored_{os.getpid()}_{datetime.now(UTC):%H%M%S%f}"
    postgres.provide(name, OWNER)
    try:
        yield postgres.dsn(name, OWNER)
    finally:
        postgres.discard(name)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where backups and the log stand."""
    monkeypatch.setenv(backups.BACKUPS, str(tmp_path / "backups"))
    return tmp_path / "backups"


def test_what_ended_since_the_backup_has_ended_still(database: Database, directory: Path, target: str) -> None:
    ended, disconnected, lives = fill(database), fill(database), fill(database)
    made = flow.make(None)
    with database.owner() as conn:
        Merchants(conn).end(ended)
        Credentials(conn, database.keyring).delete(disconnected, "woocommerce_moneybird")
        moment = Merchants(conn).get(ended).ended_at
    done = flow.restore(made.path, target, typed=True, now=NOW)
    with connect(target) as conn:
        assert Merchants(conn).get(ended).ended_at == moment
        assert Integrations(conn).get(ended, "woocommerce_moneybird").state is IntegrationState.ENDED
        found = rows(conn, "select merchant_code as m, count(*) as n from sluis.credential group by 1")
        assert {r["m"]: r["n"] for r in found} == {lives: 2}
    assert (done.living, done.ended_again, done.paused) == ("read", 2, 3)


def test_an_integration_that_was_ended_by_hand_stays_ended(
    database: Database, directory: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command's own use-case, which writes the log; the store of before is lost."""
    merchant = fill(database)
    made = flow.make(None)
    with database.owner() as conn:
        end_integration(conn, database.keyring, merchant, "woocommerce_moneybird", wait=timedelta(0))
    monkeypatch.setenv("SLUIS_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/gone")
    done = flow.restore(made.path, target, typed=True, now=NOW)
    assert (done.living, done.ended_again) == ("away", 2)
    with connect(target) as conn:
        integration = Integrations(conn).get(merchant, "woocommerce_moneybird")
        assert (integration.state, integration.state_reason) == (IntegrationState.ENDED, "ended_by_restore")
        assert not rows(conn, "select from sluis.credential")
        assert Merchants(conn).get(merchant).ended_at is None


def test_the_log_alone_is_enough_when_the_store_is_lost(
    database: Database, directory: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = fill(database)
    made = flow.make(None)
    with database.owner() as conn:
        Merchants(conn).end(ended)
        flow.write_down(conn)
    monkeypatch.setenv("SLUIS_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/gone")
    done = flow.restore(made.path, target, typed=True, now=NOW)
    assert (done.living, done.ended_again) == ("away", 1)
    with connect(target) as conn:
        assert Merchants(conn).get(ended).ended_at is not None
        assert not rows(conn, "select from sluis.credential")


def test_without_tombstones_the_deleted_would_be_back(
    database: Database, directory: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leak that tombstones stop: neither store nor log, and the contract lives again."""
    ended = fill(database)
    made = flow.make(None)
    with database.owner() as conn:
        Merchants(conn).end(ended)
    monkeypatch.setenv("SLUIS_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/gone")
    (directory / deletions_log.NAME).unlink(missing_ok=True)
    with pytest.raises(NotConfigured) as caught:
        flow.restore(made.path, target, typed=True, now=NOW)
    assert caught.value.code == "deletions_unknown"
    flow.restore(made.path, target, typed=True, now=NOW, incomplete=True)
    with connect(target) as conn:
        assert Merchants(conn).get(ended).ended_at is None


def test_what_expired_since_is_deleted_with_proof(database: Database, directory: Path, target: str) -> None:
    """Columns, rows and months: everything whose period ran out after the backup was made."""
    merchant = fill(database)
    old, code = NOW.date() - timedelta(days=400), "woocommerce_moneybird"
    with database.owner() as conn:
        book(conn, merchant, code, 2, old)
        book(conn, merchant, code, 3, NOW.date() - timedelta(days=900))
        conn.execute(
            """insert into sluis.quarantine (merchant_code, integration_code, kind, document_key, shop_order_id,
            order_number, reason, currency, closed_at, closed_as) values
            (%s, %s, 'invoice', %s, '9', '9', 'x', 'EUR', now() - interval '100 days', 'adopted')""",
            [merchant, code, bytes(32)],
        )
        month = datetime(NOW.year - 2, 3, 1, tzinfo=UTC)
        conn.execute(
            f"""create table if not exists sluis.run_report_{month:%Y_%m} partition of sluis.run_report
            for values from ('{month:%Y-%m-01}') to ('{month:%Y}-04-01')"""
        )
    made = flow.make(None)
    published = read_register(register_path())
    with database.owner() as conn:  # the living store has deleted it since
        went = carry_out(
            conn, published, NOW, keyring=database.keyring, dag_run_id="daily", backups_gone_on=None
        )  # fmt: skip
    done = flow.restore(made.path, target, typed=True, now=datetime.now(UTC))
    expected = {"booking_amounts": 2, "booking_key": 1, "quarantine_closed": 1}
    assert {name: went.get(name) for name in expected} == expected
    assert {name: done.deleted.get(name) for name in expected} == expected
    with connect(target) as conn:
        found = rows(conn, "select document_key, order_number, total_cents from sluis.booking order by 1")
        assert [(r["order_number"], r["total_cents"]) for r in found] == [("1", 12100), (None, None)]
        assert not rows(conn, "select from sluis.quarantine")
        assert rows(conn, "select to_regclass(%s) as t", [f"sluis.run_report_{month:%Y_%m}"])[0]["t"] is None


def test_the_chain_of_certificates_goes_on_behind_the_living_one(
    database: Database, directory: Path, target: str
) -> None:
    fill(database)
    published = read_register(register_path())

    def daily(run_id: str) -> None:
        with database.owner() as conn:
            carry_out(
                conn, published, datetime.now(UTC), keyring=database.keyring, dag_run_id=run_id, backups_gone_on=None
            )

    daily("first")
    made = flow.make(None)
    daily("second")
    with database.owner() as conn:
        living = verify(conn, keyring=database.keyring)
    flow.restore(made.path, target, typed=True, now=datetime.now(UTC))
    with connect(target) as conn:
        after = verify(conn, keyring=database.keyring, head=(living.last or 0, living.head or ""))
        runs = [r["dag_run_id"] for r in rows(conn, "select dag_run_id from sluis.deletion_certificate order by 1")]
    assert (living.last, after.last) == (2, 3)
    assert after.findings == ()
    assert sorted(runs) == ["first", flow.RUN_ID, "second"]
    day = made.manifest.expires_on
    with connect(target) as conn:
        told = rows(conn, "select backups_gone_on as d from sluis.deletion_certificate where sequence = 3")
    assert told[0]["d"] == day


def test_the_log_alone_brings_the_chain_and_the_holds_back(
    database: Database, directory: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is lost: what the last day of retention certified and what is held are known from the file."""
    merchant = fill(database)
    made, published = flow.make(None), read_register(register_path())
    with database.owner() as conn:
        book(conn, merchant, "woocommerce_moneybird", 2, NOW.date() - timedelta(days=900))
    assert run(
        "hold", "add", "--merchant", merchant, "--reason", "claim", "--owner", "legal",
        "--ends", str(NOW.date() + timedelta(days=9)),
    ).exit_code == 0  # fmt: skip
    with database.owner() as conn:
        living = certified(conn, published, database)
    monkeypatch.setenv("SLUIS_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/gone")
    done = flow.restore(made.path, target, typed=True, now=datetime.now(UTC))
    assert done.living == "away"
    with connect(target) as conn:
        assert len(holds.active(conn, NOW.date())) == 1
        found = verify(conn, keyring=database.keyring, head=living)
    assert (found.findings, found.last) == ((), 2)


def certified(conn: Connection, published: Published, database: Database) -> tuple[int, str]:
    """Carry retention out as the command line does, on the store's own tables; returns the head of the chain."""
    made = retention.carry_out(conn, of_store(published), database.keyring)[1]
    return made.sequence, made.hash


def test_a_hold_made_since_holds_what_would_go_again(database: Database, directory: Path, target: str) -> None:
    merchant = fill(database)
    with database.owner() as conn:
        book(conn, merchant, "woocommerce_moneybird", 2, NOW.date() - timedelta(days=900))
    made = flow.make(None)
    with database.owner() as conn:
        conn.execute(
            "insert into sluis.hold (merchant_code, reason, owner, ends_on) values (%s, 'claim', 'legal', %s)",
            [merchant, NOW.date() + timedelta(days=10)],
        )
    flow.restore(made.path, target, typed=True, now=NOW)
    with connect(target) as conn:
        assert len(holds.active(conn, NOW.date())) == 1
        assert rows(conn, "select count(*) as n from sluis.booking")[0]["n"] == 2


def test_only_an_empty_database_is_restored_into(database: Database, directory: Path) -> None:
    made = flow.make(None)
    with pytest.raises(NotConfigured, match="not empty"):
        flow.restore(made.path, database.owner_dsn, typed=True, now=NOW)


def test_another_key_a_damaged_file_and_a_newer_schema_leave_nothing(
    database: Database, directory: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database)
    made = flow.make(None)
    monkeypatch.setenv("SLUIS_KEYS", Keyring.generate())
    with pytest.raises(NotConfigured, match="not in SLUIS_KEYS"):
        flow.restore(made.path, target, typed=True, now=NOW)
    monkeypatch.setenv("SLUIS_KEYS", database.keys)
    manifest = made.path.with_suffix(".json")
    newer = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**newer, "schema_version": "9999"}))
    with pytest.raises(Defect, match="9999"):
        flow.restore(made.path, target, typed=True, now=NOW)
    manifest.unlink()
    with pytest.raises(Defect, match="copy both"):
        flow.restore(made.path, target, typed=True, now=NOW)
    manifest.write_text(json.dumps(newer))
    made.path.write_bytes(made.path.read_bytes()[:-100])
    with pytest.raises(SluisError, match="SHA-256"):
        flow.restore(made.path, target, typed=True, now=NOW)
    with connect(target) as conn:
        assert not rows(conn, "select from pg_namespace where nspname = 'sluis'")


def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    database: Database, empty_database: str, directory: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store of the version before, its backup, and the sluis of now."""
    older = "0006"
    with monkeypatch.context() as patch:
        migrate = command.upgrade
        patch.setattr(ScriptDirectory, "get_current_head", lambda *_: older)
        patch.setattr("alembic.command.upgrade", lambda config, _: migrate(config, older))
        upgrade(empty_database)
    with connect(empty_database) as conn:
        conn.execute("insert into sluis.merchant (code, name) values ('m1old', 'Voorbeeld')")
    monkeypatch.setenv(OWNER_URL, empty_database)
    made = flow.make(None)
    done = flow.restore(made.path, target, typed=True, now=NOW)
    assert (done.schema_before, done.schema_after > older) == (older, True)
    with connect(target) as conn:
        assert rows(conn, "select code from sluis.merchant") == [{"code": "m1old"}]


def test_a_password_in_the_command_is_refused(directory: Path) -> None:
    with pytest.raises(NotConfigured, match="PGPASSFILE"):
        flow.restore(Path("x.dump"), "postgresql://o:geheim@127.0.0.1/x", typed=True, now=NOW)


def test_tasks_and_retention_reach_the_restored_store_with_their_rights(
    database: Database, directory: Path, target: str, postgres: LocalServer
) -> None:
    merchant, other = fill(database), fill(database)
    made = flow.make(None)
    flow.restore(made.path, target, typed=True, now=NOW)
    task = target.replace(f"//{OWNER}@", "//sluis_task@")
    with connect(task, merchant=merchant) as conn:
        assert [r["merchant_code"] for r in rows(conn, "select merchant_code from sluis.booking")] == [merchant]
    assert other != merchant
    with connect(target.replace(f"//{OWNER}@", "//sluis_retention@")) as conn:
        assert rows(conn, "select count(*) as n from sluis.booking")[0]["n"] == 2


# -------------------------------------------------------------------------------------------------------------- the log


def test_the_log_holds_no_name_and_no_secret(database: Database, directory: Path) -> None:
    merchant = fill(database)
    with database.owner() as conn:
        Merchants(conn).end(merchant)
        flow.write_down(conn)
    text = (directory / deletions_log.NAME).read_text()
    assert merchant in text
    assert "Voorbeeld" not in text
    assert "geheim" not in text
    assert (directory / deletions_log.NAME).stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_crash_tore_is_written_again(database: Database, directory: Path) -> None:
    merchant = fill(database)
    with database.owner() as conn:
        Merchants(conn).end(merchant)
        flow.write_down(conn)
        log = directory / deletions_log.NAME
        whole = log.read_text()
        log.write_text(whole[: len(whole) // 2])
        assert deletions_log.read(directory) == []
        flow.write_down(conn)
        assert [line.row["kind"] for line in deletions_log.read(directory)] == ["merchant"]
        flow.write_down(conn)
        assert len(deletions_log.read(directory)) == 1


def test_a_deletion_that_was_rolled_back_is_in_no_log(database: Database, directory: Path) -> None:
    merchant = fill(database)
    with database.owner() as conn:
        with conn.transaction(force_rollback=True):
            tombstones.record(conn, "merchant", merchant)
        flow.write_down(conn)
    assert deletions_log.read(directory) == []


def test_a_log_that_cannot_be_written_is_told(database: Database, directory: Path) -> None:
    merchant = fill(database)
    directory.write_text("not a directory")
    with database.owner() as conn:
        Merchants(conn).end(merchant)
        with pytest.raises(Defect, match="cannot be written"):
            flow.write_down(conn)


@pytest.mark.parametrize(
    "damage", [lambda lines: lines[1:], lambda lines: [lines[0][:40], *lines[1:]], lambda lines: [*lines, lines[0]]]
)
def test_a_log_that_somebody_changed_is_refused_and_made_anew_by_the_store(
    database: Database, directory: Path, target: str, damage: Callable[[list[str]], list[str]]
) -> None:
    """A line taken out, torn, or there twice."""
    first, second = fill(database), fill(database)
    made = flow.make(None)
    log = directory / deletions_log.NAME
    with database.owner() as conn:
        Merchants(conn).end(first)
        Merchants(conn).end(second)
        flow.write_down(conn)
        whole = log.read_text()
        log.write_text("\n".join(damage(whole.splitlines())) + "\n")
        with pytest.raises(Defect) as caught:
            flow.restore(made.path, target, typed=True, now=NOW)
        assert caught.value.code == "deletions_log_damaged"
        flow.write_down(conn)
    assert deletions_log.inspect(directory).bad == 0
    assert len({line.key for line in deletions_log.read(directory)}) == 2
    flow.restore(made.path, target, typed=True, now=NOW)


def test_a_line_that_sluis_did_not_write_ends_nobody(
    database: Database, directory: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, lives = fill(database), fill(database)
    made = flow.make(None)
    log = directory / deletions_log.NAME
    with database.owner() as conn:
        Merchants(conn).end(ended)
        flow.write_down(conn)
    forged = json.loads(log.read_text())
    forged["row"] |= {"merchant_code": lives, "id": str(uuid4())}
    log.write_text(log.read_text() + json.dumps({**forged, "after": forged["seal"]}) + "\n")
    monkeypatch.setenv("SLUIS_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/gone")
    done = flow.restore(made.path, target, typed=True, now=NOW, incomplete=True)
    assert (done.log_damaged, done.ended_again) == (1, 1)
    with connect(target) as conn:
        assert Merchants(conn).get(lives).ended_at is None


def test_a_backup_older_than_the_window_is_refused_and_brings_no_contract_back(
    database: Database, directory: Path, target: str
) -> None:
    """Fifty days later tombstones and log have gone; the living store still says who ended."""
    ended, disconnected = fill(database), fill(database)
    made = flow.make(None)
    with database.owner() as conn:
        Merchants(conn).end(ended)
        end_integration(conn, database.keyring, disconnected, "woocommerce_moneybird", wait=timedelta(0))
        conn.execute("delete from sluis.tombstone")
    (directory / deletions_log.NAME).write_text("")
    later = NOW + timedelta(days=50)
    with pytest.raises(NotConfigured) as caught:
        flow.restore(made.path, target, typed=True, now=later)
    assert caught.value.code == "backup_too_old"
    done = flow.restore(made.path, target, typed=True, now=later, older_than_window=True)
    assert done.living == "read"
    with connect(target) as conn:
        assert Merchants(conn).get(ended).ended_at is not None
        assert Integrations(conn).get(disconnected, "woocommerce_moneybird").state is IntegrationState.ENDED
        assert not rows(conn, "select from sluis.credential")


@pytest.mark.parametrize("killed_at", ["upgrade", "carry_over", "retention"])
def test_a_restore_that_was_killed_lets_nobody_work_with_what_it_left(
    database: Database,
    directory: Path,
    target: str,
    postgres: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
    killed_at: str,
) -> None:
    """After the pour, after the schema, before retention: integrations may stand there live, with no guard."""
    merchant = fill(database)
    made = flow.make(None)

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((flow, "carry_out") if killed_at == "retention" else (put_back, killed_at)), kill)
        with pytest.raises(KeyboardInterrupt):
            flow.restore(made.path, target, typed=True, now=NOW)
    task = target.replace(f"//{OWNER}@", "//sluis_task@")
    monkeypatch.setenv("SLUIS_TASK_DATABASE_URL", task)
    with pytest.raises(NotConfigured) as caught, open_session(merchant, "woocommerce_moneybird", role="task"):
        pass
    assert caught.value.code == "restore_unfinished"
    for role in (OWNER, "sluis_retention"):
        with pytest.raises(NotConfigured, match="not finished"):
            connect(target.replace(f"//{OWNER}@", f"//{role}@"))
    with psycopg.connect(target) as raw, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        raw.execute("update sluis.integration set state = 'live'")
    with pytest.raises(NotConfigured, match="not empty"):
        flow.restore(made.path, target, typed=True, now=NOW)
    name = conninfo_to_dict(target)["dbname"]
    assert isinstance(name, str)
    postgres.discard(name)
    postgres.provide(name, OWNER)
    assert flow.restore(made.path, target, typed=True, now=NOW).paused == 1
    with open_session(merchant, "woocommerce_moneybird", role="task") as session:
        assert session.integration.state_reason == "restored"
