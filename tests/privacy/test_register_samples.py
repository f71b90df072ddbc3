"""The planner's statistics: a place that nobody lists, where deleted values would stay."""

from __future__ import annotations

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from sluis.privacy.register import read_register, register_path
from sluis.privacy.register_catalogue import check_store
from sluis.store.database import Connection, rows
from sluis.store.migrations.versions import v0006_unsampled
from tests.conftest import Database

pytestmark = pytest.mark.postgres
_SAMPLED = """
select c.relname as part, r.relname as tab, a.attname as col, format_type(a.atttypid, null) as type,
    coalesce(col_description(r.oid, a.attnum), '') as comment
from pg_class as c join pg_class as r on r.oid = coalesce(pg_partition_root(c.oid), c.oid)
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'sluis'::regnamespace and c.relkind in ('r', 'p') and a.attstattarget is distinct from 0
"""


def samples(conn: Connection) -> str:
    """Return all values that the statistics hold, as one text."""
    found = rows(
        conn,
        """select coalesce(most_common_vals::text, '') || coalesce(histogram_bounds::text, '') as held from pg_stats
        where schemaname = 'sluis'""",
    )
    return "".join(each["held"] for each in found)


def fill(conn: Connection) -> None:
    """Put bookings with a marker in the store, let PostgreSQL sample them, and empty and rewrite as retention does."""
    conn.execute("insert into sluis.merchant (code, name) values ('m1', 'MARKER-name')")
    conn.execute(
        """insert into sluis.integration (merchant_code, code, shop, package, settings, administration_key)
        values ('m1', 'a', 'woocommerce', 'moneybird', '{"seller_name": "MARKER-seller"}', 'moneybird/1')"""
    )
    conn.execute(
        """insert into sluis.booking (merchant_code, integration_code, administration_key, kind, document_key, revision,
            state, reference, order_number, fingerprint, currency, issue_date, run_id, total_cents, vat_cents,
            claimed_at, attempts, adopted, form)
        select 'm1', 'a', 'moneybird/1', 'invoice', sha256(i::text::bytea), 0, 'claimed', 'MARKER-' || i,
            'MARKER-' || i, sha256('f'), 'EUR', '2026-07-01', 'r', 1, 0, now(), 1, false, 'invoice'
        from generate_series(1, 200) as i"""
    )
    conn.execute("analyze sluis.booking")
    conn.execute("analyze sluis.merchant, sluis.integration")
    conn.execute("update sluis.booking set reference = null, order_number = null")
    for part in range(8):
        conn.execute(f"vacuum (full) sluis.booking_{part}")


def test_what_was_emptied_is_not_kept_by_the_planner(database: Database) -> None:
    with database.owner() as conn:
        fill(conn)
        assert "MARKER" not in samples(conn)
        assert "m1" in samples(conn), "codes are sampled: lookups depend on it"


def test_without_it_the_values_stay_after_the_rewriting(database: Database) -> None:
    """The leak itself."""
    with database.owner() as conn:
        conn.execute("alter table sluis.booking alter order_number set statistics -1")
        fill(conn)
        assert "MARKER-1" in samples(conn)


@pytest.mark.parametrize("table", ["booking", "booking_7", "merchant"])
def test_the_check_finds_a_column_that_is_sampled_again(database: Database, table: str) -> None:
    column = "name" if table == "merchant" else "order_number"
    register = read_register(register_path()).register_

    def found() -> list[str]:
        with database.owner() as conn:
            return [one.place for one in check_store(conn, register).findings if "sampled" in one.what]

    assert found() == []
    with database.owner() as conn:
        conn.execute(f"alter table only sluis.{table} alter {column} set statistics -1")
    assert found() == [f"column sluis.{table}.{column}"]


def test_what_was_sampled_before_the_migration_goes_with_it(database: Database) -> None:
    with database.owner() as conn:
        conn.execute("alter table sluis.merchant alter name set statistics -1")
        conn.execute(
            "insert into sluis.merchant (code, name) select 'm' || i, 'MARKER' from generate_series(1, 50) as i"
        )
        conn.execute("analyze sluis.merchant")
        assert "MARKER" in samples(conn)
    engine = create_engine(database.owner_dsn.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        v0006_unsampled.upgrade()
    with database.owner() as conn:
        assert "MARKER" not in samples(conn)
        assert rows(conn, "select count(*) as n from sluis.merchant where name = 'MARKER'") == [{"n": 50}]


def test_no_column_that_says_something_of_a_person_is_sampled_in_any_part(database: Database) -> None:
    register = read_register(register_path()).register_
    with database.retention() as conn:
        conn.execute("select sluis.provide_months('2031-01-01')")
    with database.owner() as conn:
        found = rows(conn, _SAMPLED)
    assert {"run_report_2030_12", "booking_7", "booking"} <= {each["part"] for each in found}
    wrong = set()
    for each in found:
        category = register.columns[each["tab"], each["col"]]
        told = "(pseudonymous" in each["comment"] or "keyed hash" in each["comment"].lower()
        whole = category.id in ("booking_amounts", "quarantine_open") or each["type"] in ("jsonb", "bytea")
        if category.data in ("personal", "pseudonymous") and (told or whole):
            wrong.add((each["part"], each["col"]))
    assert wrong == set()
