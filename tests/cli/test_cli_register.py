"""``sluis register check`` as a pipeline runs it: a line per difference, and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluis.privacy.register import register_path
from tests.cli.runner import ok, ok_json, run
from tests.conftest import Database

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def _nothing_else_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the environment name one folder and no Airflow."""
    for name in ("AIRFLOW_HOME", "AIRFLOW__LOGGING__BASE_LOG_FOLDER", "SLUIS_BACKUPS", "SLUIS_REGISTER",
                 "SLUIS_AIRFLOW_DATABASE_URL"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLUIS_HOME", str(tmp_path))


def test_a_fresh_store_is_clean_and_what_was_not_looked_at_is_told(database: Database, tmp_path: Path) -> None:
    (tmp_path / "integrations.json").write_text("[]")
    text = ok("register", "check")
    assert text.startswith("register 1 names everything: ")
    assert text.splitlines()[0].endswith("tables, 1 files")
    assert "not checked: Airflow's database: it was not given" in text
    told = ok_json("register", "check")
    assert told["findings"] == []
    assert told["files"] == 1
    assert told["airflow_tables"] is None
    assert len(told["sha256"]) == 64


def test_one_unnamed_column_and_one_unnamed_file_are_two_lines_and_exit_code_1(
    database: Database, tmp_path: Path
) -> None:
    with database.owner() as conn:
        conn.execute("alter table sluis.merchant add telephone text")
    (tmp_path / "export.csv").write_text("x")
    result = run("register", "check")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        "column sluis.merchant.telephone: stands in no category; name it in config/register.yaml with its purpose and"
        " period, or take it away",
        "file sluis_home/export.csv: no category names it; name it in config/register.yaml with its purpose and"
        " period, or take it away",
    ]
    assert "names everything" not in result.stdout
    as_json = run("register", "check", "--json")
    assert as_json.exit_code == 1
    assert [each["place"] for each in json.loads(as_json.stdout)["findings"]] == [
        "column sluis.merchant.telephone", "file sluis_home/export.csv",
    ]  # fmt: skip


def test_airflows_database_is_looked_into_when_it_is_given(
    database: Database, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("register", "check", "--airflow-database", empty_database)
    assert result.exit_code == 1
    assert "Airflow's table dag_run: is named, but this Airflow has it not" in result.stdout
    assert "it was not given" not in result.stdout
    monkeypatch.setenv("SLUIS_AIRFLOW_DATABASE_URL", empty_database.replace("postgresql:", "postgresql+psycopg:"))
    assert run("register", "check").exit_code == 1


def test_a_wrong_register_is_one_line(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "register.yaml"
    path.write_bytes(register_path().read_bytes().replace(b"    period: P24M\n", b"    period: P24X\n", 1))
    monkeypatch.setenv("SLUIS_REGISTER", str(path))
    result = run("register", "check")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("sluis: [register_wrong] the register is wrong: category payment_key, period: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_store_that_was_never_migrated_is_told(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUIS_DATABASE_URL", empty_database)
    result = run("register", "check")
    assert result.exit_code == 1
    assert "run `sluis migrate`" in result.stdout + result.stderr
