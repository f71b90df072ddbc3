"""The schema comes up from nothing, once, whoever asks, and refuses what a newer sluis made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psycopg import sql

from sluis.errors import Defect, RetryLater
from sluis.store.database import connect
from sluis.store.migrate import upgrade
from sluis.store.migrations import versions
from tests.conftest import Database

pytestmark = pytest.mark.postgres
#: The last step, by the names of their files.
HEAD = max(step.stem[1:5] for step in Path(versions.__file__).parent.glob("v*.py"))
#: With a merchant's code, and no right of the task role at all: records of retention over all merchants.
NO_TASKS = {"retention_run", "deletion_certificate", "hold", "tombstone"}


def test_up_from_empty_and_again_changes_nothing(empty_database: str) -> None:
    assert upgrade(empty_database) == (None, HEAD)
    assert upgrade(empty_database) == (HEAD, HEAD)


def test_two_upgrades_at_once_both_end_well(empty_database: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(upgrade, [empty_database] * 2))
    assert sorted(results, key=str) == [(HEAD, HEAD), (None, HEAD)]


def test_a_newer_schema_is_refused_with_both_versions(empty_database: str) -> None:
    upgrade(empty_database)
    with connect(empty_database) as conn:
        conn.execute("update sluis.alembic_version set version_num = '9999'")
    with pytest.raises(Defect, match=f"schema version 9999, this sluis knows up to {HEAD}") as caught:
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
            where n.nspname = 'sluis' and c.relkind in ('r', 'p') and not c.relispartition
            and c.relname <> 'alembic_version'
            and col_description(c.oid, a.attnum) is null"""
        ).fetchall()
    assert silent == []


def test_every_table_with_a_merchant_has_a_guard_on_its_rows(database: Database) -> None:
    with database.owner() as conn:
        guarded = dict(
            conn.execute(
                """select c.relname, c.relrowsecurity from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname = 'sluis' and c.relkind in ('r', 'p') and not c.relispartition"""
            ).fetchall()
        )
        with_merchant = {
            r[0]
            for r in conn.execute(
                """select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
                where c.relnamespace = 'sluis'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                and a.attname = 'merchant_code' and not a.attisdropped"""
            )
        }
        reached = conn.execute(
            """select c.relname from pg_class c where c.relnamespace = 'sluis'::regnamespace and c.relispartition
            and has_table_privilege('sluis_task', c.oid, 'select, insert, update, delete')"""
        ).fetchall()
    unguarded = {table for table, on in guarded.items() if not on}
    assert with_merchant & unguarded == NO_TASKS
    assert reached == [], "a task reaches a part around the guard of its table"


def test_no_task_reads_the_records_of_retention(database: Database) -> None:
    with database.task("mnobody") as conn:
        for table in NO_TASKS:
            with pytest.raises(Defect, match="42501"):
                conn.execute(sql.SQL("select from sluis.{}").format(sql.Identifier(table)))
