"""Airflow's own database after a month: what goes, what a running Airflow needs and keeps, and no copy of anything."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sluis.errors import Defect, NotConfigured, RetryLater
from sluis.local.places import repository
from sluis.privacy.register import read_register
from sluis.privacy.retention import airflow
from sluis.privacy.retention.airflow import AIRFLOW_URL, COMMAND, CleanAirflow
from sluis.privacy.retention.airflow_tables import CLEANED, EXPIRED
from sluis.privacy.retention.contract import Rule
from tests.airflow_harness import AirflowTemplate
from tests.dags.airflow_rows import Rows

pytestmark = pytest.mark.airflow
NOW = datetime(2026, 11, 23, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
CUTOFF = NOW.replace(hour=0, minute=0) - 30 * DAY
OLD, FRESH = CUTOFF - DAY, CUTOFF + DAY
REGISTER = read_register(repository() / "config" / "register.yaml").register_
_numbers = itertools.count()


def rule(**values: Any) -> Rule:
    return Rule(**{"category": REGISTER.category("airflow_database"), "clock": NOW, "cutoff": CUTOFF, **values})


@pytest.fixture
def dsn(airflow_template: AirflowTemplate, tmp_path: Path) -> str:
    """A migrated database of Airflow, without a run."""
    return airflow_template.copy(tmp_path / f"home{next(_numbers)}")


@pytest.fixture
def rows(dsn: str) -> Iterator[Rows]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        yield Rows(conn)


def asked(dsn: str, query: str) -> list[Any]:
    with psycopg.connect(dsn) as conn:
        return [found[0] for found in conn.execute(query).fetchall()]


def filled(rows: Rows) -> None:
    """DAGs of four merchants: in use, gone with a run that hung, at rest for weeks, and in a run that hangs."""
    version = rows.dag("sync__m1__a", NOW)
    for at in (OLD - 60 * DAY, OLD, FRESH, NOW - DAY):
        rows.run("sync__m1__a", at, version=version)
    rows.run("sync__m1__a", OLD, kind="manual", version=rows.version("sync__m1__a", OLD - 90 * DAY, 0))
    gone = rows.dag("sync__m2__a", OLD)
    rows.run("sync__m2__a", OLD - DAY, version=gone)
    rows.run("sync__m2__a", OLD, state="running", version=gone)  # it hung when its DAG went
    rows.run("sync__m3__a", OLD, version=rows.dag("sync__m3__a", NOW))
    living = rows.dag("sync__m4__a", NOW)
    rows.run("sync__m4__a", OLD - 9 * DAY, version=living)
    rows.run("sync__m4__a", OLD, state="running", version=living)
    for at in (OLD, FRESH):
        rows.add("log", event="trigger_dag_run", dttm=at, owner="operator")
        rows.add("job", job_type="SchedulerJob", latest_heartbeat=at, state="success")
        rows.add("import_error", timestamp=at, filename="x")
        rows.add("callback", created_at=at, state="success", data={})
        rows.add("asset_event", timestamp=at, asset_id=1)
        rows.add("backfill", dag_id="sync__m1__a", completed_at=at, triggering_user_name="operator")
    asset = rows.add("asset", name="x", uri="x")
    for key, at in (("old", OLD), ("fresh", FRESH)):
        rows.add("asset_state_store", asset_id=asset["id"], key=key, updated_at=at)
    rows.add("session", session_id="ended", expiry=datetime(2026, 11, 23, 3, 9))  # noqa: DTZ001 - FAB's column has no zone
    rows.add("session", session_id="in use", expiry=datetime(2026, 11, 24))  # noqa: DTZ001


def waited_for(dsn: str, rows: Rows) -> None:
    """A trigger that the hanging run waits for, and one that nobody does."""
    trigger = rows.add("trigger", classpath="waited for", created_date=OLD)
    rows.add("trigger", classpath="forgotten", created_date=OLD)
    with psycopg.connect(dsn) as conn:
        conn.execute(
            "update task_instance set trigger_id = %s where dag_id = 'sync__m4__a' and state = 'running'",
            [trigger["id"]],
        )


def test_a_month_goes_and_what_airflow_needs_stays(dsn: str, rows: Rows) -> None:
    filled(rows)
    waited_for(dsn, rows)
    before = rows.counts()
    deleter = CleanAirflow(dsn, COMMAND)
    counted = deleter.count(rule()).expired
    assert counted["airflow.dag_run"] == 6
    assert deleter.delete(rule()) == counted
    assert deleter.count(rule()).expired == {}
    after = rows.counts()
    assert asked(dsn, "select dag_id || ' ' || start_date::date from dag_run order by 1") == [
        f"sync__m1__a {FRESH.date()}", f"sync__m1__a {(NOW - DAY).date()}", f"sync__m3__a {OLD.date()}",
        f"sync__m4__a {OLD.date()}",
    ]  # fmt: skip
    # The last run of a DAG at rest is kept as a date to go on from, its tasks are not.
    assert asked(dsn, "select distinct dag_id from task_instance order by 1") == ["sync__m1__a", "sync__m4__a"]
    assert asked(dsn, "select dag_id from dag order by 1") == ["sync__m1__a", "sync__m3__a", "sync__m4__a"]
    assert asked(dsn, "select session_id from session") == ["in use"]
    assert asked(dsn, "select classpath from trigger") == ["waited for"]
    assert asked(dsn, "select key from asset_state_store") == ["fresh"]
    for table in ("job", "import_error", "callback", "asset_event", "backfill"):
        assert (before[table], after[table]) == (2, 1), table
    # What the cleaner tells of itself in the audit log is of now.
    assert asked(dsn, f"select count(*) from log where dttm < '{CUTOFF.isoformat()}'") == [0]
    assert [name for name in after if "deleted" in name or "archive" in name] == []


def test_airflows_own_cleaner_finds_nothing_more(dsn: str, rows: Rows) -> None:
    filled(rows)
    CleanAirflow(dsn, COMMAND).delete(rule())
    told = subprocess.run(
        [*COMMAND, "db", "clean", "--dry-run", "--clean-before-timestamp", CUTOFF.isoformat(), "--exclude-dag-ids",
         "sync__m4__a"],
        env=airflow._environment(dsn, "/nowhere"), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = re.findall(r"Checking table (\w+)\nFound (\d+) rows", told)
    assert len(found) > 12
    assert [table for table, count in found if count != "0"] == []


def test_every_table_that_airflow_cleans_is_known_here() -> None:
    from airflow.utils.db_cleanup import ARCHIVED_TABLES_FROM_DB_MIGRATIONS, config_dict

    theirs = set(config_dict) - set(ARCHIVED_TABLES_FROM_DB_MIGRATIONS)
    assert theirs - set(CLEANED) == {"trigger"}
    assert set(CLEANED) - theirs <= {"session"}  # where FAB keeps them
    assert set(CLEANED) <= set(EXPIRED)


def test_the_register_names_every_table_that_is_cleaned() -> None:
    named = {table for place in REGISTER.category("airflow_database").places for table in place.tables}
    assert set(EXPIRED) <= named


@pytest.mark.parametrize(("at", "goes"), [(CUTOFF, 0), (CUTOFF - timedelta(microseconds=1), 1)])
def test_what_is_a_month_old_to_the_day_stands(dsn: str, rows: Rows, at: datetime, goes: int) -> None:
    version = rows.dag("sync__m1__a", NOW)
    rows.run("sync__m1__a", at, version=version)
    rows.run("sync__m1__a", NOW - DAY, version=version)
    rows.add("log", event="x", dttm=at)
    expired = CleanAirflow(dsn).count(rule()).expired
    assert (expired.get("airflow.dag_run", 0), expired.get("airflow.log", 0)) == (goes, goes)


def test_a_copy_that_a_killed_cleaner_left_is_dropped_also_where_nothing_has_expired(dsn: str, rows: Rows) -> None:
    with psycopg.connect(dsn) as conn:
        conn.execute("create table _airflow_deleted__log__20260101000000 as select * from log")
    deleter = CleanAirflow(dsn, ("never", "called"))
    assert deleter.count(rule()).expired == {"airflow.copies": 1}
    assert deleter.delete(rule()) == {"airflow.copies": 1}
    assert asked(dsn, "select count(*) from pg_tables where tablename like '%deleted%'") == [0]
    assert deleter.delete(rule()) == {}


def test_a_merchant_on_hold_keeps_his_rows_and_nobody_elses(dsn: str, rows: Rows) -> None:
    filled(rows)
    CleanAirflow(dsn, COMMAND).delete(rule(held_merchants=frozenset({"m2"})))
    kept = asked(dsn, "select distinct dag_id from dag_run where start_date < '2026-10-24' order by 1")
    assert kept == ["sync__m2__a", "sync__m3__a", "sync__m4__a"]
    assert asked(dsn, "select count(*) from xcom where dag_id = 'sync__m2__a'") == [2]


@pytest.mark.parametrize("values", [{"merchant": "m1"}, {"held": True}, {"cutoff": None}])
def test_it_is_no_merchants_alone_and_may_be_held(dsn: str, rows: Rows, values: Any) -> None:
    filled(rows)
    deleter = CleanAirflow(dsn, ("never", "called"))
    assert deleter.count(rule(**values)).total == 0
    assert deleter.delete(rule(**values)) == {}


def test_a_cleaner_that_fails_is_named_by_its_table_and_shows_no_row(dsn: str, rows: Rows) -> None:
    filled(rows)
    script = "print('Checking table log'); print('Jan de Vries'); raise SystemExit(3)"
    with pytest.raises(Defect, match="ended with 3 at table log") as caught:
        CleanAirflow(dsn, (sys.executable, "-c", script)).delete(rule())
    assert caught.value.code == "airflow_not_cleaned"
    assert "Jan" not in str(caught.value)
    with pytest.raises(Defect, match="could not run"):
        CleanAirflow(dsn, ("/no/such/command",)).delete(rule())


def test_an_address_that_is_missing_wrong_or_silent_is_named(module_database: Any) -> None:
    with pytest.raises(NotConfigured, match=AIRFLOW_URL):
        CleanAirflow("").count(rule())
    with pytest.raises(NotConfigured, match="it has no runs"):
        CleanAirflow(module_database.owner_dsn).count(rule())
    with pytest.raises(RetryLater) as caught:
        CleanAirflow("postgresql://nobody@127.0.0.1:1/nothing").count(rule())
    assert caught.value.code == "airflow_database_away"
