"""Deleted is off the disk: the data files are read. First the leak: DELETE, and VACUUM after it, leave the bytes."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from sluis.errors import Defect
from sluis.privacy.retention import physical
from sluis.privacy.retention.schema import parts
from sluis.store.database import Connection
from sluis.store.server import SUPERUSER, LocalServer
from tests.conftest import Database
from tests.privacy.retention import world

CANARY = "KANARIE-7f3e-plooi"
NOW = datetime.now(UTC)
OLD = (NOW - timedelta(days=900)).date()
FRESH = NOW.date()
REGISTER = world.stored()


def files(server: LocalServer, database: Database, table: str) -> list[bytes]:
    """Return what stands in the data files of a table: its parts, their TOAST tables and indexes."""
    with psycopg.connect(server.dsn(database.name, SUPERUSER), autocommit=True) as conn:
        conn.execute("checkpoint")
        found = conn.execute(
            """select pg_relation_filepath(r.oid) from pg_class as c
            join lateral (select c.oid union select c.reltoastrelid where c.reltoastrelid <> 0
                union select indexrelid from pg_index where indrelid = c.oid) as r (oid) on true
            where c.oid = %(table)s::regclass or c.oid in (select relid from pg_partition_tree(%(table)s::regclass))""",
            {"table": f"sluis.{table}"},
        ).fetchall()
    paths = [server.data / row[0] for row in found if row[0]]
    return [path.read_bytes() for path in paths if path.exists()]


def on_disk(server: LocalServer, database: Database, table: str) -> bool:
    return any(CANARY.encode() in content for content in files(server, database, table))


@pytest.fixture(autouse=True)
def _readable(postgres: LocalServer) -> None:
    if not os.access(postgres.data, os.R_OK):
        pytest.skip("the data files belong to another account")


def seed(owner: Connection, table: str) -> None:
    """Put a canary where retention is to delete it, and enough fresh rows beside it that its page stays."""
    world.merchant(owner, "m1")
    if table == "booking":
        for day in (FRESH, OLD):  # the last row of a page is what VACUUM does not write over
            world.put(owner, table, issue_date=day, order_number=f"{CANARY if day == OLD else 'fresh'}")
    elif table == "payment":
        for day in (OLD, FRESH):
            booking = world.put(owner, "booking", issue_date=day)
            world.put_payment(owner, booking, account=CANARY if day == OLD else "fresh")
    elif table == "debtor_link":
        world.put(owner, table, customer_key=CANARY, last_booked_on=OLD)
        world.put(owner, table, last_booked_on=FRESH)
    elif table == "run_report":
        first = date(FRESH.year - 2, 3, 1)
        world.month(owner, table, first)
        world.put(owner, table, dag_run_id=CANARY, ended_at=world.midnight(first))
        world.put(owner, table, ended_at=NOW)
    elif table == "limiter":
        world.put(owner, table, key=CANARY, updated_at=NOW - timedelta(days=40))
        world.put(owner, table, updated_at=NOW)


@pytest.mark.parametrize("table", ["booking", "payment", "debtor_link", "run_report", "limiter"])
def test_nothing_deleted_stays_in_a_data_file(postgres: LocalServer, database: Database, table: str) -> None:
    with database.owner() as owner, database.retention() as conn:
        seed(owner, table)
        assert on_disk(postgres, database, table), "the canary can be found at all"
        world.carry_out(conn, REGISTER, NOW)
        assert not on_disk(postgres, database, table)
        assert world.count(owner, table) == 1


def test_nothing_of_an_emptied_column_stays_in_a_data_file(postgres: LocalServer, database: Database) -> None:
    with database.owner() as owner, database.retention() as conn:
        world.merchant(owner, "m1")
        world.put(owner, "booking", issue_date=(NOW - timedelta(days=200)).date(), order_number=CANARY)
        assert on_disk(postgres, database, "booking")
        world.carry_out(conn, REGISTER, NOW)
        assert world.count(owner, "booking", "order_number is null") == 1
        assert not on_disk(postgres, database, "booking")


def test_transit_left_by_a_crash_is_written_anew(postgres: LocalServer, database: Database) -> None:
    """An UNLOGGED table reaches its file at a clean stop only, so here it is the file itself that must be another."""
    with database.owner() as owner, database.retention() as conn:
        world.merchant(owner, "m1")
        world.put(owner, "transit_chunk", created_at=NOW - timedelta(hours=25))
        query = "select pg_relation_filenode('sluis.transit_chunk'), pg_relation_size('sluis.transit_chunk')"
        before = owner.execute(query).fetchone()
        world.carry_out(conn, REGISTER, NOW)
        after = owner.execute(query).fetchone()
        assert before is not None
        assert after is not None
        assert before[0] != after[0]
        assert (before[1] > 0, after[1]) == (True, 0)


def test_the_leak_without_it(postgres: LocalServer, database: Database) -> None:
    with database.owner() as owner, database.retention() as conn:
        seed(owner, "booking")
        owner.execute("delete from sluis.booking where issue_date = %s", [OLD])
        assert on_disk(postgres, database, "booking"), "DELETE leaves the bytes"
        owner.execute("vacuum sluis.booking")
        assert on_disk(postgres, database, "booking"), "VACUUM after it, too"
        for part in parts(conn, "booking"):
            assert physical.rewrite(conn, part, world.KIT)
        assert not on_disk(postgres, database, "booking")


def test_an_older_snapshot_keeps_it_pending(
    postgres: LocalServer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who could still see the row (a dump, a report) makes PostgreSQL carry it over: told, not trusted."""
    monkeypatch.setattr(physical, "_FIRST_PAUSE", 0.0)
    with database.owner() as owner, database.retention() as conn, database.owner() as reader:
        seed(owner, "debtor_link")
        part = next(p for p in parts(conn, "debtor_link") if world.count(owner, p))
        with reader.transaction():
            reader.execute("set transaction isolation level repeatable read")
            world.count(reader, "merchant")
            owner.execute("delete from sluis.debtor_link where customer_key = %s", [CANARY])
            assert not physical.rewrite(conn, part, world.KIT)
            assert on_disk(postgres, database, "debtor_link")
        assert physical.rewrite(conn, part, world.KIT)
        assert not on_disk(postgres, database, "debtor_link")


def test_a_role_that_may_not_rewrite_is_told(database: Database) -> None:
    with database.owner() as owner, database.retention() as conn:
        owner.execute("revoke maintain on sluis.limiter from sluis_retention")
        with pytest.raises(Defect) as refused:
            physical.rewrite(conn, "limiter", world.KIT)
        assert refused.value.code == "not_rewritten"


def test_a_part_that_was_dropped_meanwhile_is_done(database: Database) -> None:
    with database.retention() as conn:
        assert physical.rewrite(conn, "run_report_1999_01", world.KIT)
