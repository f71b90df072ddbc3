"""The schema comes up from nothing, once, whoever asks, and refuses what a newer sluis made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sluis.errors import Defect, RetryLater
from sluis.store.database import connect
from sluis.store.migrate import upgrade
from tests.conftest import Database

pytestmark = pytest.mark.postgres


def test_up_from_empty_and_again_changes_nothing(empty_database: str) -> None:
    assert upgrade(empty_database) == (None, "0002")
    assert upgrade(empty_database) == ("0002", "0002")


def test_two_upgrades_at_once_both_end_well(empty_database: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(upgrade, [empty_database] * 2))
    assert sorted(results, key=str) == [("0002", "0002"), (None, "0002")]


def test_a_newer_schema_is_refused_with_both_versions(empty_database: str) -> None:
    upgrade(empty_database)
    with connect(empty_database) as conn:
        conn.execute("update sluis.alembic_version set version_num = '9999'")
    with pytest.raises(Defect, match=r"schema version 9999, this sluis knows up to 0002") as caught:
        upgrade(empty_database)
    assert caught.value.code == "schema_newer"


def test_a_server_that_is_away_is_worth_a_retry(tmp_path: object) -> None:
    with pytest.raises(RetryLater) as caught:
        upgrade(f"postgresql://nobody@/none?host={tmp_path}&port=5432")
    assert caught.value.code == "database_away"


def test_every_column_says_what_it_is(database: Database) -> None:
    with database.owner() as conn:
        silent = conn.execute(
            """select c.relname, a.attname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where n.nspname = 'sluis' and c.relkind = 'r' and c.relname <> 'alembic_version'
            and col_description(c.oid, a.attnum) is null"""
        ).fetchall()
    assert silent == []


def test_every_table_with_a_merchant_has_a_guard_on_its_rows(database: Database) -> None:
    with database.owner() as conn:
        guarded = dict(
            conn.execute(
                """select c.relname, c.relrowsecurity from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname = 'sluis' and c.relkind = 'r'"""
            ).fetchall()
        )
    assert {table for table, on in guarded.items() if not on} == {"alembic_version", "limiter"}
    assert len(guarded) == 13
