"""Row-level security: a task that tries another merchant's rows, table by table, first with the wall down.

It guards against mistakes. Whoever runs his own SQL as the task role can name another merchant: that is shown as well.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import sql

from sluis.errors import Defect
from sluis.store.database import Connection, rows
from tests.conftest import Database
from tests.privacy.retention.world import merchant, put, put_payment

pytestmark = pytest.mark.postgres
MINE, THEIRS = "m1mine", "m2theirs"
#: Every table with a merchant in it; a test holds the list against the catalogue.
OWNED = (
    "booking", "credential", "debtor_link", "integration", "invoicing_month", "merchant", "merchant_period", "notice",
    "payment", "quarantine", "reconciliation", "run_report", "settled_by_hand", "statistics_contribution",
    "statistics_refusal", "transit_chunk", "vat_number_check",
)  # fmt: skip
#: Records of retention: the task role has no right to them at all.
NO_RIGHTS = ("deletion_certificate", "hold", "retention_run", "tombstone")
#: Tables of merchants that no task needs.
NO_TASK_READS = ("merchant_period", "notice")
_NOW = datetime.now(UTC)
#: Rows of tables that are split by month need a month that is there.
_DATED = {"run_report": {"ended_at": _NOW}, "reconciliation": {"made_at": _NOW}}


def column(table: str) -> str:
    return "code" if table == "merchant" else "merchant_code"


@pytest.fixture(scope="module")
def world(module_database: Database) -> Database:
    """Two merchants, each with a row in every table."""
    with module_database.owner() as owner:
        for code in (MINE, THEIRS):
            merchant(owner, code)
            for table in OWNED:
                if table not in ("merchant", "integration", "payment"):
                    made = put(owner, table, merchant_code=code, **_DATED.get(table, {}))
                    if table == "booking":
                        put_payment(owner, made)
    return module_database


def count(conn: Connection, table: str, code: str) -> int:
    query = sql.SQL("select count(*) from sluis.{} where {} = {}").format(
        sql.Identifier(table), sql.Identifier(column(table)), sql.Literal(code)
    )
    found = conn.execute(query).fetchone()
    assert found is not None
    return int(found[0])


def attempt(conn: Connection, statement: sql.Composed) -> int | None:
    """Run a statement and take it back; returns how many rows it touched, ``None`` where it was refused."""
    try:
        with conn.transaction(force_rollback=True):
            return conn.execute(statement).rowcount
    except Defect as error:
        if "42501" not in str(error):  # anything but "not allowed" is no answer
            raise
        return None


def attempts(conn: Connection, table: str, code: str) -> dict[str, int | None]:
    """Read, change, take and add rows of a merchant; what each of them did."""
    names = {"table": sql.Identifier(table), "own": sql.Identifier(column(table)), "code": sql.Literal(code)}
    key = sql.Identifier(_changeable(conn, table))
    where = sql.SQL(" from sluis.{table} where {own} = {code}").format(**names)
    tried = {
        "read": sql.SQL("select {own}").format(**names) + where,
        "change": sql.SQL("update sluis.{table} set {key} = {key} where {own} = {code}").format(**names, key=key),
        "take": sql.SQL("delete") + where,
    }
    return {name: attempt(conn, statement) for name, statement in tried.items()}


def _changeable(conn: Connection, table: str) -> str:
    """Return a column that the task role may change, any column where there is none."""
    found = rows(
        conn,
        """select attname as name from pg_attribute where attrelid = %(table)s::regclass and attnum > 0
        and not attisdropped and attidentity = ''
        order by has_column_privilege('sluis_task', attrelid, attnum, 'update') desc, attnum limit 1""",
        {"table": f"sluis.{table}"},
    )
    return str(found[0]["name"])


def test_every_table_with_a_merchant_is_tried(world: Database) -> None:
    with world.owner() as conn:
        found = rows(
            conn,
            """select distinct c.relname as name from pg_class as c join pg_attribute as a on a.attrelid = c.oid
            where c.relnamespace = 'sluis'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and (a.attname = 'merchant_code' or (c.relname = 'merchant' and a.attname = 'code'))""",
        )
    assert {line["name"] for line in found} == {*OWNED, *NO_RIGHTS}


@pytest.mark.parametrize("table", OWNED)
def test_anothers_rows_are_neither_seen_nor_changed_nor_taken(world: Database, table: str) -> None:
    with world.owner() as owner, world.task(MINE) as task:
        owner.execute(sql.SQL("alter table sluis.{} disable row level security").format(sql.Identifier(table)))
        try:
            open_ = attempts(task, table, THEIRS)
        finally:
            owner.execute(sql.SQL("alter table sluis.{} enable row level security").format(sql.Identifier(table)))
        if table in NO_TASK_READS:
            assert set(open_.values()) == {None}  # a wall of its own: the role has no right to the table
        else:
            assert 1 in open_.values()  # the leak
        closed = attempts(task, table, THEIRS)
        assert not any(closed.values()), closed
        assert attempts(task, table, MINE)["read"] == open_["read"]  # his own are there: it is no closed door
        assert count(owner, table, THEIRS) == 1


def test_rows_under_anothers_name_are_not_added(world: Database) -> None:
    statement = "insert into sluis.debtor_link (merchant_code, administration_key, customer_key, debtor_id) values {}"
    values = sql.SQL("({}, 'moneybird/x', 'c-new', 'd')").format(sql.Literal(THEIRS))
    with world.owner() as owner, world.task(MINE) as task:
        owner.execute("alter table sluis.debtor_link disable row level security")
        try:
            assert attempt(task, sql.SQL(statement).format(values)) == 1  # the leak
        finally:
            owner.execute("alter table sluis.debtor_link enable row level security")
        assert attempt(task, sql.SQL(statement).format(values)) is None
        own = sql.SQL("({}, 'moneybird/x', 'c-new', 'd')").format(sql.Literal(MINE))
        assert attempt(task, sql.SQL(statement).format(own)) == 1


@pytest.mark.parametrize("table", NO_RIGHTS)
def test_the_records_of_retention_are_closed_to_tasks(world: Database, table: str) -> None:
    with world.task(MINE) as task:
        assert attempt(task, sql.SQL("select * from sluis.{}").format(sql.Identifier(table))) is None


def test_without_a_merchant_there_is_nothing(world: Database) -> None:
    with world.task(None) as task:
        assert {table: attempts(task, table, MINE)["read"] or 0 for table in OWNED} == dict.fromkeys(OWNED, 0)


def test_code_that_means_harm_can_name_another_merchant(world: Database) -> None:
    """Said in walls.md: the setting is the session's own, so this wall stops mistakes and nobody's intent."""
    with world.task(MINE) as task:
        assert count(task, "booking", THEIRS) == 0
        task.execute("reset sluis.merchant")  # what a mistake does: it goes back to the merchant of the connection
        assert count(task, "booking", THEIRS) == 0
        assert count(task, "booking", MINE) == 1
        task.execute(sql.SQL("set sluis.merchant = {}").format(sql.Literal(THEIRS)))
        assert count(task, "booking", THEIRS) == 1
        for statement in ("alter table sluis.booking disable row level security", "set role sluis_owner"):
            with pytest.raises(Defect):
                task.execute(statement)  # type: ignore[call-overload]


def test_the_task_role_owns_nothing_and_passes_no_guard(world: Database) -> None:
    with world.owner() as owner:
        [role] = rows(
            owner,
            """select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
            (select count(*) from pg_class where relowner = r.oid) as owns,
            (select count(*) from pg_auth_members where member = r.oid) as member_of
            from pg_roles as r where rolname = 'sluis_task'""",
        )
        open_: list[Any] = rows(
            owner,
            """select relname from pg_class where relnamespace = 'sluis'::regnamespace and relkind in ('r', 'p')
            and not relispartition and relname = any(%s) and not relrowsecurity""",
            [list(OWNED)],
        )
    assert not any(role.values())
    assert open_ == []
