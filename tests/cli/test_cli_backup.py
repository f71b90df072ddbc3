"""``sluis backup`` and ``sluis restore`` as a person types them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluis.store.database import connect
from sluis.store.merchants import Merchants
from sluis.store.server import LocalServer
from tests.cli.runner import ok, ok_json, run
from tests.conftest import OWNER, Database
from tests.privacy.backup_world import fill

pytestmark = pytest.mark.postgres


@pytest.fixture
def target(postgres: LocalServer) -> Iterator[str]:
    name = f"typed_{os.getpid()}_{datetime.now(UTC):%H%M%S%f}"
    postgres.provide(name, OWNER)
    try:
        yield postgres.dsn(name, OWNER)
    finally:
        postgres.discard(name)


def test_a_backup_from_making_to_restoring(database: Database, tmp_path: Path, target: str) -> None:
    merchant, where = fill(database), ["--directory", str(tmp_path / "backups")]
    made = ok_json("backup", *where)
    assert made["rows"]["merchant"] == 1
    listed = ok_json("backup", "list", *where)
    assert listed == [made]
    shown = ok("backup", *where[:1], where[1], "list")  # the directory may stand before the command too
    assert made["expires_on"] in shown
    assert f"{made['name']}: whole" in ok("backup", "verify", *where)
    told = ok("restore", made["path"], "--into", target)
    assert "1 integration(s) are held off" in told
    assert "was read for what was deleted since" in told
    with connect(target) as conn:
        assert Merchants(conn).get(merchant).ended_at is None


def test_it_says_when_the_backup_goes_and_who_deletes_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUIS_BACKUPS", str(tmp_path / "backups"))
    told = ok("backup")
    made = ok_json("backup", "list")[0]
    assert f"it has to go on {made['expires_on']}" in told
    assert "retention deletes it on that day" in told
    assert "delete it yourself" in ok("backup", "--directory", str(tmp_path / "elsewhere"))


def test_a_damaged_backup_is_found_and_the_others_are_whole(database: Database, tmp_path: Path) -> None:
    where = ["--directory", str(tmp_path / "backups")]
    made = ok_json("backup", *where)
    path = Path(made["path"])
    path.write_bytes(path.read_bytes()[:-1])
    found = run("backup", "verify", *where)
    assert found.exit_code == 1
    assert "backup_damaged" in found.stdout
    assert run("backup", "verify", "sluis-20000101T000000Z", *where).exit_code == 1


def test_without_a_directory_it_says_what_to_set(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUIS_BACKUPS", raising=False)
    found = run("backup")
    assert found.exit_code == 1
    assert "SLUIS_BACKUPS" in found.output


def test_a_living_store_is_never_restored_over(database: Database, tmp_path: Path) -> None:
    made = ok_json("backup", "--directory", str(tmp_path / "backups"))
    found = run("restore", made["path"], "--into", database.owner_dsn)
    assert found.exit_code == 1
    assert "database_taken" in found.output


def test_a_password_is_taken_from_the_environment_only(
    database: Database, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ok_json("backup", "--directory", str(tmp_path / "backups"))
    secret = target.replace(f"//{OWNER}@", f"//{OWNER}:geheim@")
    found = run("restore", made["path"], "--into", secret)
    assert found.exit_code == 1
    assert "password_typed" in found.output
    assert "geheim" not in found.output
    monkeypatch.setenv("SLUIS_RESTORE_URL", secret)
    assert "was restored" in ok("restore", made["path"])
