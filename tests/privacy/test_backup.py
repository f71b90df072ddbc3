"""Backups: what is in the file and what is not, who may read it, how long it stands."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sluis.errors import Defect, NotConfigured
from sluis.privacy import backup as backups
from sluis.privacy.keyring import Keyring
from sluis.privacy.sealed_file import CHUNK, opening, sealing
from sluis.store.postgres_tools import binary
from tests.conftest import Database
from tests.privacy.backup_world import fill, published

CANARY = b"canary-in-transit-7f3k"


def test_a_backup_holds_every_table_but_transit_and_counts_them(database: Database, tmp_path: Path) -> None:
    merchant = fill(database)
    with database.owner() as conn:
        conn.execute(
            """insert into sluis.transit_chunk (merchant_code, batch_id, stage, number, items, key_id, ciphertext)
            values (%s, 'b', 'extracted', 0, 1, 'k', %s)""",
            [merchant, CANARY],
        )
    made = backups.make(database.owner_dsn, tmp_path / "backups", database.keyring, published())
    with made.path.open("rb") as file:
        opened = b"".join(opening(file, database.keyring))
    assert CANARY.hex().encode() not in as_text(opened)
    assert merchant.encode() in as_text(opened)
    assert made.manifest.rows["merchant"] == 1
    assert made.manifest.rows["booking"] == 1
    assert "transit_chunk" not in made.manifest.rows


def test_without_the_switch_transit_would_be_in_the_dump(database: Database) -> None:
    """The leak that ``--no-unlogged-table-data`` stops, shown with the very same rows."""
    merchant = fill(database)
    with database.owner() as conn:
        conn.execute(
            """insert into sluis.transit_chunk (merchant_code, batch_id, stage, number, items, key_id, ciphertext)
            values (%s, 'b', 'extracted', 0, 1, 'k', %s)""",
            [merchant, CANARY],
        )
    command = [binary("pg_dump"), "--schema=sluis", f"--dbname={database.owner_dsn}"]
    without = subprocess.run(command, capture_output=True, check=True).stdout
    with_it = subprocess.run([*command, "--no-unlogged-table-data"], capture_output=True, check=True).stdout
    assert CANARY.hex().encode() in without
    assert CANARY.hex().encode() not in with_it


def test_nobody_else_reads_it_and_nothing_of_it_is_in_the_clear(database: Database, tmp_path: Path) -> None:
    merchant = fill(database)
    made = backups.make(database.owner_dsn, tmp_path / "backups", database.keyring, published())
    assert (made.path.parent.stat().st_mode & 0o777, made.path.stat().st_mode & 0o777) == (0o700, 0o600)
    assert made.path.with_suffix(".json").stat().st_mode & 0o777 == 0o600
    sealed = made.path.read_bytes()
    assert merchant.encode() not in sealed
    assert b"sluis_task" not in sealed
    assert made.manifest.sha256 == hashlib.sha256(sealed).hexdigest()
    assert sorted(p.suffix for p in made.path.parent.iterdir()) == [".dump", ".json"]


def test_a_directory_that_others_enter_is_refused(database: Database, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(NotConfigured, match="0700"):
        backups.make(database.owner_dsn, tmp_path / "open", database.keyring, published())
    assert not list((tmp_path / "open").iterdir())


def test_a_dump_that_fails_leaves_nothing(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "pg_dump"
    tool.write_text("#!/bin/sh\necho half a dump\necho 'pg_dump: error: secret-value-in-words' >&2\nexit 3\n")
    tool.chmod(0o755)
    monkeypatch.setattr("sluis.store.postgres_tools.installed_binaries", lambda: tmp_path)
    with pytest.raises(Defect, match="pg_dump failed") as caught:
        backups.make(database.owner_dsn, tmp_path / "backups", database.keyring, published())
    assert "secret-value" not in str(caught.value)
    assert not list((tmp_path / "backups").iterdir())


def test_no_password_is_an_argument(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tool is started with and given: its arguments and environment hold no password, its file does."""
    tool = tmp_path / "pg_dump"
    tool.write_text(
        '#!/bin/sh\nprintf PGDMP\n{ echo "$@"; env; } > "' + str(tmp_path) + '/seen"\n'
        'cat "$PGPASSFILE" > "' + str(tmp_path) + '/pass"\nstat -c %a "$PGPASSFILE" > "' + str(tmp_path) + '/mode"\n'
    )
    tool.chmod(0o755)
    monkeypatch.setattr("sluis.store.postgres_tools.installed_binaries", lambda: tmp_path)
    dsn = database.owner_dsn.replace("sluis_owner@", "sluis_owner:geheim%3Awoord@")
    backups.make(dsn, tmp_path / "backups", database.keyring, published())
    seen = (tmp_path / "seen").read_text()
    assert "geheim" not in seen
    assert database.keys not in seen
    assert f"PGDATABASE={database.name}" in seen
    assert (tmp_path / "pass").read_text() == "*:*:*:*:geheim\\:woord\n"
    assert (tmp_path / "mode").read_text() == "600\n"


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_sealing_gives_back_what_went_in(size: int) -> None:
    keyring = Keyring.parse(Keyring.generate())
    plain = os.urandom(size)
    sealed = b"".join(sealing(io.BytesIO(plain), keyring))
    assert b"".join(opening(io.BytesIO(sealed), keyring)) == plain


def test_a_cut_swapped_or_altered_file_is_not_opened() -> None:
    keyring = Keyring.parse(Keyring.generate())
    sealed = b"".join(sealing(io.BytesIO(os.urandom(3 * CHUNK)), keyring))
    head = len(sealed) - 3 * (CHUNK + 16)
    one, two = sealed[head : head + CHUNK + 16], sealed[head + CHUNK + 16 : head + 2 * (CHUNK + 16)]
    three = sealed[head + 2 * (CHUNK + 16) :]
    for wrong in (
        sealed[:head] + one + two, sealed[:-1], sealed[:head] + one + three + two, sealed[:-1] + bytes([sealed[-1] ^ 1])
    ):  # fmt: skip
        with pytest.raises((Defect, NotConfigured)):
            b"".join(opening(io.BytesIO(wrong), keyring))


def test_another_key_is_told_apart_from_damage() -> None:
    key = Keyring.generate()
    sealed = b"".join(sealing(io.BytesIO(b"x"), Keyring.parse(key)))
    with pytest.raises(NotConfigured, match="not in SLUIS_KEYS"):
        b"".join(opening(io.BytesIO(sealed), Keyring.parse(Keyring.generate())))
    same_id = key.split(":")[0] + ":" + Keyring.generate().split(":")[1]
    with pytest.raises(NotConfigured, match="another key of the same id"):
        b"".join(opening(io.BytesIO(sealed), Keyring.parse(same_id)))
    with pytest.raises(Defect, match="not one that sluis made"):
        b"".join(opening(io.BytesIO(b"PGDMP" + bytes(100)), Keyring.parse(key)))


def test_verify_finds_a_changed_byte(database: Database, tmp_path: Path) -> None:
    made = backups.make(database.owner_dsn, tmp_path / "backups", database.keyring, published())
    backups.verify(made, database.keyring)
    raw = bytearray(made.path.read_bytes())
    raw[len(raw) // 2] ^= 1
    made.path.write_bytes(raw)
    with pytest.raises(Defect, match="SHA-256"):
        backups.verify(made, database.keyring)
    manifest = json.loads(made.path.with_suffix(".json").read_text())
    manifest["sha256"] = hashlib.sha256(raw).hexdigest()  # also by one who alters the manifest with it
    made.path.with_suffix(".json").write_text(json.dumps(manifest))
    with pytest.raises((Defect, NotConfigured)):
        backups.verify(backups.find(made.path), database.keyring)


def test_what_is_committed_later_is_not_counted(database: Database, tmp_path: Path) -> None:
    """Dump and counts are of one snapshot: a second backup shows what the first could not have."""
    first = backups.make(database.owner_dsn, tmp_path / "backups", database.keyring, published())
    fill(database)
    later = first.manifest.made_at + timedelta(seconds=1)
    while datetime.now(UTC) < later:  # a backup is named by its second
        pass
    second = backups.make(database.owner_dsn, tmp_path / "backups", database.keyring, published())
    assert (first.manifest.rows["booking"], second.manifest.rows["booking"]) == (0, 1)
    assert [b.name for b in backups.listing(tmp_path / "backups")] == [first.name, second.name]


def as_text(dump: bytes) -> bytes:
    """What the dump holds, as SQL."""
    return subprocess.run([binary("pg_restore"), "--file=-"], input=dump, capture_output=True, check=True).stdout
