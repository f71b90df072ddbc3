"""How long backups stand: by the moment in their manifest, in the directory, in the list and in the certificate."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sluis.privacy import backup as backups
from sluis.privacy import deletions_log
from sluis.privacy.periods import cutoff
from sluis.privacy.register import read_register, register_path
from sluis.privacy.retention import run as steps
from sluis.privacy.retention.kit import Kit
from sluis.store.database import rows
from tests.conftest import Database
from tests.privacy.backup_world import fill, published

MADE = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
#: The last day of a window of 35 days.
LAST = datetime(2026, 12, 28, tzinfo=UTC)


def backup_of(directory: Path, made_at: datetime, window: str = "P35D") -> backups.Backup:
    """A backup's two files as they stand there; retention reads no more of the dump than its name."""
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f"sluis-{made_at:%Y%m%dT%H%M%SZ}.dump"
    path.write_bytes(b"sealed")
    manifest = backups.Manifest(
        made_at=made_at, expires_on=backups.expires_on(made_at, published(window).register_), sha256="0" * 64, bytes=6,
        key_id="k", schema_version="0005", register_version=3, register_sha256="0" * 64, sluis_version="1", rows={},
    )  # fmt: skip
    path.with_suffix(".json").write_text(manifest.model_dump_json())
    return backups.find(path)


def retained(database: Database, directory: Path, clock: datetime, category: str = "backups") -> dict[str, int]:
    """Run retention for one category with a moved clock; returns what went."""
    register, kit = read_register(register_path()), Kit(roots={"backups": directory})
    with database.retention() as conn:
        run = steps.plan(conn, register, clock, dag_run_id="test", category=category, kit=kit)
        conn.execute(
            "update sluis.retention_run set state = 'deleting', started_at = %s where id = %s", [clock, run.id]
        )
        run = steps.delete(conn, run, register, kit=kit)
        run = steps.prove(conn, run, register, kit=kit)
        conn.execute("update sluis.retention_run set state = 'superseded' where id = %s", [run.id])
    return dict(run.done.deleted.get(category, {}))


def test_a_backup_stands_until_the_last_day_and_is_gone_the_day_after(database: Database, tmp_path: Path) -> None:
    made = backup_of(tmp_path / "backups", MADE)
    assert made.manifest.expires_on == date(2026, 12, 29)
    os.utime(made.path, (0, 0))  # the file's own date counts for nothing
    for clock in (LAST - timedelta(days=1), LAST + timedelta(hours=23, minutes=59)):
        assert retained(database, tmp_path / "backups", clock) == {}
        assert [b.name for b in backups.listing(tmp_path / "backups")] == [made.name]
    assert retained(database, tmp_path / "backups", LAST + timedelta(days=1)) == {"backups": 1}
    assert backups.listing(tmp_path / "backups") == []
    assert list((tmp_path / "backups").iterdir()) == []


def test_only_what_has_expired_goes_and_a_missed_day_is_made_up(database: Database, tmp_path: Path) -> None:
    for days in range(4):
        backup_of(tmp_path / "backups", MADE + timedelta(days=days))
    assert retained(database, tmp_path / "backups", LAST + timedelta(days=3)) == {"backups": 3}
    assert [b.manifest.made_at for b in backups.listing(tmp_path / "backups")] == [MADE + timedelta(days=3)]


def test_a_register_that_keeps_longer_breaks_no_promise(database: Database, tmp_path: Path) -> None:
    """What a backup's manifest says holds, also where the register's window is longer by then."""
    backup_of(tmp_path / "backups", MADE, window="P7D")
    assert retained(database, tmp_path / "backups", MADE + timedelta(days=7)) == {}
    assert retained(database, tmp_path / "backups", MADE + timedelta(days=8)) == {"backups": 1}


def test_what_a_killed_backup_left_goes_after_a_day(database: Database, tmp_path: Path) -> None:
    directory = tmp_path / "backups"
    made = backup_of(directory, MADE)
    now = MADE + timedelta(days=2)
    left = [directory / "sluis-20261124T010000Z.dump.part", directory / "sluis-20261124T010000Z.json"]
    fresh = directory / "sluis-20261125T010000Z.dump.part"
    for path, age in ((left[0], 25), (left[1], 25), (fresh, 1)):
        path.write_bytes(b"half")
        moment = (now - timedelta(hours=age)).timestamp()
        os.utime(path, (moment, moment))
    retained(database, directory, now)
    assert sorted(directory.iterdir()) == sorted([made.path, made.path.with_suffix(".json"), fresh])


def test_the_last_day_that_something_is_in_a_backup(tmp_path: Path) -> None:
    register = published().register_
    assert backups.last_backup_expires(tmp_path / "none", register, MADE) is None
    assert backups.last_backup_expires(None, register, MADE) is None
    backup_of(tmp_path / "backups", MADE)
    backup_of(tmp_path / "backups", MADE - timedelta(days=3))
    assert backups.last_backup_expires(tmp_path / "backups", register, MADE) == date(2026, 12, 29)
    late = MADE + timedelta(days=90)  # it should have gone: the next run of retention deletes it
    assert backups.last_backup_expires(tmp_path / "backups", register, late) == late.date()


@pytest.mark.parametrize(("days", "stands"), [(35, True), (36, False)])
def test_a_line_of_the_log_lives_as_long_as_the_oldest_backup(
    database: Database, tmp_path: Path, days: int, stands: bool
) -> None:
    merchant, directory = fill(database), tmp_path / "backups"
    with database.owner() as conn:
        conn.execute("insert into sluis.tombstone (kind, merchant_code) values ('merchant', %s)", [merchant])
        made = rows(conn, "select made_at from sluis.tombstone")[0]["made_at"]
        deletions_log.catch_up(conn, directory, cutoff("P35D", made))
    clock = datetime.combine(made.date() + timedelta(days=days), datetime.min.time(), UTC)
    went = retained(database, directory, clock, "deletions_log")
    assert went == ({} if stands else {deletions_log.NAME: 1})
    assert len([line for line in deletions_log.read(directory) if line.table == "tombstone"]) == int(stands)


def test_a_day_of_retention_writes_what_a_kill_left_out_of_the_log(database: Database, tmp_path: Path) -> None:
    merchant, directory = fill(database), tmp_path / "backups"
    with database.owner() as conn:
        conn.execute("insert into sluis.tombstone (kind, merchant_code) values ('merchant', %s)", [merchant])
    assert retained(database, directory, datetime.now(UTC), "deletions_log") == {}
    assert [line.row["merchant_code"] for line in deletions_log.read(directory)] == [merchant]
