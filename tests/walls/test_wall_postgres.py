"""PostgreSQL: what its log and its errors hold when it is left alone, and what they hold as we run and ask it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from sluis.errors import Defect
from sluis.privacy.register_check import check_server
from sluis.store.database import connect
from sluis.store.server import SUPERUSER, LocalServer
from sluis.store.server_settings import server_findings
from tests.conftest import Database
from tests.walls.person import PERSON

pytestmark = pytest.mark.postgres
#: As PostgreSQL is when nobody says otherwise.
LEFT_ALONE = {
    "log_error_verbosity": "default",
    "log_min_error_statement": "error",
    "log_parameter_max_length_on_error": "-1",
}
Conn = psycopg.Connection[Any]


def twice(conn: Conn) -> None:
    conn.execute("create temp table if not exists buyer (name text unique)")
    conn.execute("insert into buyer values (%s) on conflict do nothing", [PERSON])
    conn.execute("insert into buyer values (%s)", [PERSON])


#: Statements that fail with a value in what PostgreSQL says.
FAILING: dict[str, Callable[[Conn], Any]] = {
    "a key that is there already": twice,
    "a check": lambda c: c.execute(
        "with x as (select 1) insert into sluis.hold (category, reason, owner, ends_on)"
        " values ('notices', %s, 'desk', '2026-01-01')", [PERSON],
    ),
    "a statement of words": lambda c: c.execute(f"select nothing_of_that_name('{PERSON}')"),
}  # fmt: skip


def superuser(postgres: LocalServer, database: Database) -> Conn:
    return psycopg.connect(postgres.dsn(database.name, SUPERUSER), autocommit=True)


def written(postgres: LocalServer, before: int) -> str:
    return postgres.log.read_bytes()[before:].decode()


@pytest.mark.parametrize("way", FAILING)
def test_the_servers_log(postgres: LocalServer, database: Database, way: str) -> None:
    with superuser(postgres, database) as conn:
        for name, value in LEFT_ALONE.items():
            conn.execute("select set_config(%s, %s, false)", [name, value])
        before = postgres.log.stat().st_size
        with pytest.raises(psycopg.Error):
            FAILING[way](conn)
        assert PERSON in written(postgres, before)  # the leak
    with superuser(postgres, database) as conn:
        before = postgres.log.stat().st_size
        with pytest.raises(psycopg.Error):
            FAILING[way](conn)
        told = written(postgres, before)
        assert "ERROR" in told  # it is logged, and says nothing
        assert PERSON not in told


def test_a_bad_cast_is_what_no_setting_stops(postgres: LocalServer, database: Database) -> None:
    """The message itself quotes the value: so types are checked before the database sees them (walls.md)."""
    with superuser(postgres, database) as conn:
        before = postgres.log.stat().st_size
        with pytest.raises(psycopg.Error):
            conn.execute("select %s::text::int", [PERSON])
        assert PERSON in written(postgres, before)


@pytest.mark.parametrize("way", FAILING)
def test_errors_of_psycopg(postgres: LocalServer, database: Database, way: str) -> None:
    with superuser(postgres, database) as conn, pytest.raises(psycopg.Error) as leak:
        FAILING[way](conn)
    assert PERSON in str(leak.value) + str(leak.value.diag.message_detail)
    with connect(postgres.dsn(database.name, SUPERUSER)) as ours, pytest.raises(Defect) as caught:
        FAILING[way](ours)
    assert PERSON not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "SQLSTATE" in str(caught.value)


def test_our_server_passes_and_one_left_alone_does_not(postgres: LocalServer, database: Database) -> None:
    with database.owner() as conn:
        assert server_findings(conn) == []
    with connect(postgres.dsn(database.name, SUPERUSER)) as conn:
        for name, value in (*LEFT_ALONE.items(), ("log_statement", "all"), ("log_min_duration_statement", "0")):
            conn.execute("select set_config(%s, %s, false)", [name, value])
        found = {finding.setting: finding for finding in server_findings(conn)}
        assert set(found) == {*LEFT_ALONE, "log_statement", "log_min_duration_statement"}
        assert found["log_error_verbosity"].how.startswith("set it to terse")
        told = [str(finding) for finding in check_server(conn)]
    assert len(told) == 5
    assert any("PostgreSQL's log_statement: is all" in line and "set it to none" in line for line in told)


def test_a_setting_of_the_database_or_the_role_counts_too(postgres: LocalServer, database: Database) -> None:
    with superuser(postgres, database) as conn:
        conn.execute(f"alter database {database.name} set log_min_error_statement = 'error'")
    with database.owner() as conn:
        assert [finding.setting for finding in server_findings(conn)] == ["log_min_error_statement"]
