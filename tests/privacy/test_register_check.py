"""The register against what is really there: clean on a fresh migration, and one unnamed thing is enough to fail.

The changes are made to the live database, as a migration, a person or a vendor's tool would make them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sluis.privacy.register import Published, Register, read_register, register_path
from sluis.privacy.register_catalogue import check_airflow, check_store
from sluis.privacy.register_check import check, check_deleting, check_windows
from sluis.privacy.register_files import check_files, check_roots, matches, roots
from sluis.store.database import connect, rows
from tests.conftest import Database

pytestmark = pytest.mark.postgres
#: A partition that every migration makes: this month's.
MONTH = f"{datetime.now(UTC):%Y_%m}"


@pytest.fixture
def published() -> Published:
    return read_register(register_path())


def changed(published: Published, name: str, change: Callable[[Any], None]) -> Register:
    """Return the register with one category changed; it is judged anew."""
    data = published.register_.model_dump(mode="json")
    change(next(each for each in data["categories"] if each["id"] == name))
    return Register.model_validate(data)


def found(database: Database, register: Register) -> list[str]:
    with database.owner() as conn:
        return [str(finding) for finding in check_store(conn, register).findings]


def test_a_fresh_migration_is_clean_for_the_owner_and_for_the_role_that_deletes(
    database: Database, published: Published
) -> None:
    with database.owner() as conn:
        checked = check(conn, published, environ={})
        assert [str(finding) for finding in checked.findings] == []
    with database.retention() as conn:  # it sees the catalogue, and no setting of an integration
        store = check_store(conn, published.register_)
        assert [str(finding) for finding in store.findings] == []
    for found in (checked, store):
        assert found.columns == len(published.register_.columns)
        assert found.tables == len({table for table, _ in published.register_.columns})


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("alter table sluis.hold add birthdate date", "column sluis.hold.birthdate: stands in no category; name it"),
        ("alter table sluis.booking add note text", "column sluis.booking.note: stands in no category; name it"),
        ("create table sluis.scratch (a int, b int)", "table sluis.scratch: stands in no category, with 2 columns"),
        ("create table public.scratch (a int)", "table public.scratch: stands in no category, with 1 columns"),
        ("create unlogged table sluis.fast ()", "table sluis.fast: stands in no category, with 0 columns"),
        (
            "create schema other; create table other.hold (like sluis.hold)",
            "table other.hold: stands in no category, with 8 columns",
        ),
        (
            "create materialized view sluis.seen as select name from sluis.merchant",
            "materialised view sluis.seen: stands in no category",
        ),
        ("select lo_create(0)", "large objects: 1 stand outside every table"),
        ("create sequence sluis.counting", "sequence sluis.counting: belongs to no column; drop it"),
        (
            f"alter table sluis.run_report detach partition sluis.run_report_{MONTH}",
            f"table sluis.run_report_{MONTH}: stands in no category, with 19 columns",
        ),
        (
            "create schema other; create table other.late partition of sluis.run_report"
            " for values from ('2090-01-01') to ('2090-02-01')",
            "part other.late: does not stand with its table",
        ),
        (
            "create table public.split (a int) partition by list (a); create table public.split_1 partition of"
            " public.split for values in (1)",
            "part public.split_1: belongs to public.split, which no category names",
        ),
        ("alter table sluis.limiter rename to brake", "category limiter: names the table sluis.limiter, which is not"),
        ("alter table sluis.hold drop owner", "category holds: names the column sluis.hold.owner, which is not there"),
        (
            "alter table sluis.booking alter paid set not null",
            "category booking_amounts: cannot empty sluis.booking.paid, which is not null",
        ),
        (
            "alter table sluis.tombstone alter made_at drop default, alter made_at type text",
            "category tombstones: counts from sluis.tombstone.made_at, which is text",
        ),
        ("create publication outside", "publication outside: carries rows to another server"),
    ],
)
def test_one_thing_that_differs_is_found(
    database: Database, published: Published, statement: str, message: str
) -> None:
    with database.owner() as conn:
        for one in statement.split("; "):
            conn.execute(one)
    told = found(database, published.register_)
    assert any(line.startswith(message) for line in told), told


def test_a_temporary_table_and_a_view_keep_nothing(database: Database, published: Published) -> None:
    with database.owner() as conn:
        conn.execute("create temp table underway (a int)")
        conn.execute("create view sluis.shown as select code from sluis.merchant")
        assert check_store(conn, published.register_).findings == ()


def _unknown_table(data: Any) -> None:
    data["places"][0]["table"] = "brake"


def _unknown_column(data: Any) -> None:
    data["places"][0]["columns"].append("birthdate")


def _unknown_trigger(data: Any) -> None:
    data["trigger"]["column"] = "asked_at"


def _trigger_of_another(data: Any) -> None:
    data["trigger"]["column"] = "watermark"


def _trigger_above_is_no_moment(data: Any) -> None:
    data["trigger"]["column"] = "fingerprint"


def _no_trigger_column(data: Any) -> None:
    data["trigger"]["column"] = None


def _trigger_of_files(data: Any) -> None:
    data["trigger"]["column"] = "ended_at"


def _drop_rows(data: Any) -> None:
    data["method"] = "drop_partition"


def _drop_other_months(data: Any) -> None:
    data["trigger"]["column"] = "started_at"


def _nobodys_rows(data: Any) -> None:
    data["contract_end"] = "P30D"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("limiter", _unknown_table, "category limiter: names the table sluis.brake, which is not there"),
        ("limiter", _unknown_table, "table sluis.limiter: stands in no category"),
        ("limiter", _unknown_column, "category limiter: names the column sluis.limiter.birthdate, which is not there"),
        ("limiter", _unknown_trigger, "category limiter: counts from sluis.limiter.asked_at, which is not there"),
        ("payment_key", _trigger_of_another, "category payment_key: counts from sluis.payment.watermark, which is not"),
        (
            "payment_key",
            _trigger_above_is_no_moment,
            "category payment_key: counts from sluis.payment.fingerprint, wh",
        ),
        ("limiter", _no_trigger_column, "category limiter: has a period and names no column it counts from"),
        ("task_logs", _trigger_of_files, "category task_logs: counts from a column of no table"),
        ("limiter", _drop_rows, "category limiter: drops partitions, but sluis.limiter is not split by range of"),
        ("debtor_link", _drop_rows, "category debtor_link: drops partitions, but sluis.debtor_link is not split by"),
        ("run_report", _drop_other_months, "category run_report: drops partitions, but sluis.run_report is not split"),
        ("limiter", _nobodys_rows, "category limiter: goes with a contract, but sluis.limiter does not say whose"),
    ],
)
def test_a_register_that_the_database_does_not_bear_out_is_found(
    database: Database, published: Published, name: str, change: Callable[[Any], None], message: str
) -> None:
    told = found(database, changed(published, name, change))
    assert any(line.startswith(message) for line in told), told


def test_a_category_that_nobody_deletes_is_found(database: Database, published: Published) -> None:
    def nobody(data: Any) -> None:
        data["deleter"] = "burn"

    def rows_of_files(data: Any) -> None:
        data["method"], data["how"] = "delete_rows", {"nl": "ja", "en": "yes"}

    with database.owner() as conn:
        for name, change, who in (("limiter", nobody, "burn"), ("task_logs", rows_of_files, "delete_rows")):
            told = [str(finding) for finding in check_deleting(conn, changed(published, name, change))]
            assert [line.partition(";")[0] for line in told] == [f"category {name}: is deleted by nobody ({who})"]
        assert list(check_deleting(conn, published.register_)) == []


def test_what_corrects_a_restored_backup_lasts_as_long_as_the_backup(published: Published) -> None:
    def shorter(data: Any) -> None:
        data["period"] = "P34D"

    assert list(check_windows(published.register_)) == []
    for name, what in (("tombstones", "goes before the last backup"), ("backups", "another period than")):
        told = [str(finding) for finding in check_windows(changed(published, name, shorter))]
        assert len(told) == 1
        assert what in told[0]


def test_every_column_called_pseudonymous_stands_with_data_of_persons(database: Database, published: Published) -> None:
    """The comments in the database and the register say the same."""
    with database.owner() as conn:
        called = rows(
            conn,
            """select c.relname as tab, a.attname as col from pg_attribute as a join pg_class as c on c.oid = a.attrelid
            where c.relnamespace = 'sluis'::regnamespace and not c.relispartition
                and (col_description(c.oid, a.attnum) like '%%(pseudonymous%%'
                    or col_description(c.oid, a.attnum) ilike '%%keyed hash%%')""",
        )
    assert len(called) > 15
    wrong = {
        (each["tab"], each["col"])
        for each in called
        if published.register_.columns[each["tab"], each["col"]].data not in ("personal", "pseudonymous")
    }
    assert wrong == set()


@pytest.mark.parametrize(
    ("pattern", "name", "answer"),
    [
        ("sluis_home/*", "sluis_home/a.json", True),
        ("sluis_home/*", "sluis_home/a/b.json", False),
        ("sluis_home/**", "sluis_home/a/b.json", True),
        ("airflow_logs/dag_id=*/**", "airflow_logs/dag_id=x/run_id=y/attempt=1.log", True),
        ("airflow_logs/dag_id=*/**", "airflow_logs/dag_id=x", False),
        ("backups/*.dump", "backups/a.dump.part", False),
        ("backups/*.dump", "backups/a-dump", False),
        ("sluis_home/a.json", "airflow_home/a.json", False),
    ],
)
def test_patterns(pattern: str, name: str, answer: bool) -> None:
    assert matches(pattern, name) is answer


def test_a_file_that_no_pattern_names_is_found_and_a_root_inside_another_is_its_own(
    tmp_path: Path, published: Published
) -> None:
    home, kept = tmp_path / "home", tmp_path / "home" / "kept"
    for name in (
        "integrations.json", "airflow.cfg", "logs/dag_id=sync__m1__a_b/run_id=x/attempt=1.log",
        "logs/processes/scheduler.log", "kept/sluis-20261123T000000Z.dump", "kept/deletions.jsonl",
    ):  # fmt: skip
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("x")
    where = roots({"SLUIS_HOME": str(home), "AIRFLOW_HOME": str(home), "SLUIS_BACKUPS": str(kept)})
    assert where["airflow_logs"] == home / "logs"
    assert check_files(published.register_, where) == ([], 6)
    (home / "export.csv").write_text("x")
    (home / "logs" / "core.1234").write_text("x")
    (kept / "Jan de Vries.dump").write_text("x")
    (home / "elsewhere").symlink_to(tmp_path)
    findings, seen = check_files(published.register_, where)
    assert seen == 10
    assert {finding.place for finding in findings} == {
        "file sluis_home/export.csv", "file airflow_logs/core.1234", "file backups/…", "file sluis_home/elsewhere",
    }  # fmt: skip
    assert "Vries" not in "".join(str(finding) for finding in findings)


def test_a_hundred_unnamed_files_do_not_fill_the_screen(tmp_path: Path, published: Published) -> None:
    for number in range(100):
        (tmp_path / f"f{number}").write_text("x")
    findings, _ = check_files(published.register_, {"sluis_home": tmp_path})
    assert len(findings) == 21
    assert str(findings[-1]).startswith("folder sluis_home: holds 80 more files that no category names")


def test_the_folder_of_a_merchants_files_is_the_merchants_also_inside_ours(
    database: Database, tmp_path: Path, published: Published
) -> None:
    target = tmp_path / "ubl"
    (target / "2026-11").mkdir(parents=True)
    (target / "2026-11" / "WS-1001.xml").write_text("<Invoice/>")
    with database.owner() as conn:
        told = check(conn, published, environ={"SLUIS_HOME": str(tmp_path)})
        assert [finding.place for finding in told.findings] == ["file sluis_home/ubl/2026-11/WS-1001.xml"]
        conn.execute("insert into sluis.merchant (code, name) values ('m1', 'Voorbeeld')")
        for number, address in enumerate((f"file://{target}", "s3://connection@bucket/invoices")):
            conn.execute(
                """insert into sluis.integration (merchant_code, code, shop, package, settings, administration_key)
                values ('m1', %s, 'woocommerce', 'ubl', jsonb_build_object('package',
                    jsonb_build_object('target', %s::text)), %s)""",
                [f"a{number}", address, f"ubl/{number}"],
            )
        told = check(conn, published, environ={"SLUIS_HOME": str(tmp_path)})
    assert told.findings == ()
    assert any("1 integrations write to an object store" in line for line in told.not_checked)


def test_a_pattern_below_no_root_is_found(published: Published) -> None:
    for pattern in ("attic/*", "sluis_home", "sluis_home/../*"):

        def elsewhere(data: Any, pattern: str = pattern) -> None:
            data["places"][0]["files"] = pattern

        told = [str(finding) for finding in check_roots(changed(published, "task_logs", elsewhere))]
        assert len(told) == 1
        assert f"names files below no root there is ({pattern}); start the pattern with one of sluis_home/" in told[0]
    assert list(check_roots(published.register_)) == []


def test_what_cannot_be_looked_at_is_told(database: Database, tmp_path: Path, published: Published) -> None:
    with database.owner() as conn:
        told = check(conn, published, environ={"SLUIS_HOME": str(tmp_path), "SLUIS_BACKUPS": str(tmp_path / "none")})
    assert told.not_checked == (
        "files of airflow_home: AIRFLOW_HOME is not set",
        "files of airflow_logs: AIRFLOW__LOGGING__BASE_LOG_FOLDER is not set",
        "files of backups: the folder is not there",
        "Airflow's database: it was not given",
    )


def test_airflows_tables_are_compared_by_name_both_ways(empty_database: str, published: Published) -> None:
    """A stand-in with the tables' names; the test below asks the installed Airflow."""
    named = {table for each in published.register_.categories for place in each.places for table in place.tables}
    with connect(empty_database) as conn:
        for table in sorted(named - {"celery_taskmeta", "celery_tasksetmeta"}):
            conn.execute(f'create table public."{table}" (id int)')
        assert check_airflow(conn, published.register_).findings == ()
        conn.execute("create table public._airflow_deleted__dag_run__20261123 (id int)")
        conn.execute("create table public.memory (id int)")
        conn.execute("drop table public.xcom")
        told = [str(finding) for finding in check_airflow(conn, published.register_).findings]
    assert told == [
        "Airflow's table _airflow_deleted__dag_run__20261123: is a copy of what was deleted;"
        " drop it: airflow db drop-archived --yes",
        "Airflow's table memory: stands in no category; name it in config/register.yaml with its purpose and period,"
        " or take it away",
        "Airflow's table xcom: is named, but this Airflow has it not; take its name away",
    ]
