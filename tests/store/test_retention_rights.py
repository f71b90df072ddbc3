"""What the role that deletes may see and do: dates, keys and states of all merchants, and nothing that is worth taking.

It is a guard against mistakes and against a stolen connection string, not against whoever owns the database.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sluis.errors import Defect
from sluis.store.bookings import Bookings
from sluis.store.credentials import Credentials
from sluis.store.database import rows
from sluis.store.integrations import Integration
from sluis.transit.store import Transit
from tests.conftest import Database
from tests.privacy.retention import world
from tests.store.helpers import add_integration, claim

pytestmark = pytest.mark.postgres


@pytest.fixture
def integration(database: Database) -> Integration:
    """An integration with a credential, a booking and an order in transit."""
    made = add_integration(database)
    with database.owner() as conn:
        Credentials(conn, database.keyring).put(made.merchant, made.code, "shop", {"key": "k"})
    with database.task(made.merchant) as conn:
        claim(Bookings(conn, made), 1)
        Transit(conn, made.merchant, database.keyring).seal("b", "orders", 0)
    return made


@pytest.mark.parametrize(
    "statement",
    [
        "select name from sluis.merchant",
        "select * from sluis.merchant",
        "select ciphertext from sluis.credential",
        "select key_id from sluis.credential",
        "select ciphertext from sluis.transit_chunk",
        "select * from sluis.booking_0",
        "update sluis.merchant set ended_at = now()",
        "update sluis.merchant set name = 'x'",
        "update sluis.integration set state = 'live'",
        "update sluis.credential set updated_at = now()",
        "insert into sluis.booking select * from sluis.booking",
        "update sluis.booking set state = 'booked'",
        "update sluis.booking set reference_key = null",
        "update sluis.booking set external_id = 'y'",
        "update sluis.payment set state = 'booked'",
        "update sluis.quarantine set closed_at = now()",
        "update sluis.quarantine set reason = 'x'",
        "insert into sluis.quarantine select * from sluis.quarantine",
        "update sluis.run_report set extracted = 0",
        "update sluis.deletion_certificate set holds = 0",
        "update sluis.hold set ends_on = '2020-01-01'",
        "insert into sluis.hold (merchant_code, reason, owner, ends_on) values ('m', 'court', 'legal', '2030-01-01')",
        "truncate sluis.booking",
        "drop table sluis.booking",
        "drop table sluis.run_report_2026_01",
        "alter table sluis.run_report detach partition sluis.run_report_2026_01",
        "alter table sluis.booking disable row level security",
        "drop policy retention on sluis.booking",
        "set row_security = off; select * from sluis.merchant",
        "set role sluis_owner",
        "set session authorization sluis_owner",
        "set role sluis_task",
        "alter role sluis_retention bypassrls",
        "select sluis.drop_months('booking', '2026-01-01')",
        "select sluis.drop_months('integration', '2026-01-01')",
        "select * from sluis.active_integrations()",
        "select settings from sluis.integration",
        "select * from sluis.integration",
        "delete from sluis.certificate_checkpoint",
        "truncate sluis.certificate_checkpoint",
        "alter table sluis.booking disable trigger only_emptied",
        "set session_replication_role = replica; update sluis.booking set total_cents = 5",
        "create table sluis.mine ()",
        "create table public.mine ()",
    ],
)
def test_retention_cannot_take_add_rewrite_or_drop(
    database: Database, integration: Integration, statement: str
) -> None:
    with database.retention() as conn, pytest.raises(Defect, match="42501"):
        conn.execute(statement)


EMPTIED = {
    "merchant": {"hash_key_wrapped": "'x'", "key_id": "'x'"},
    "booking": {
        "reference": "'x'", "order_number": "'x'", "total_cents": "5", "vat_cents": "5", "package_total_cents": "5",
        "package_vat_cents": "5", "figures": "'[]'", "payment_method": "'x'", "paid": "'{}'", "evidence": "'{}'",
        "original_date": "'2025-01-01'",
    },
    "payment": {"amount_cents": "5", "paid_on": "'2025-01-01'"},
    "quarantine": {"shop_order_id": "'x'", "order_number": "'x'", "field": "'x'", "total_cents": "5"},
}  # fmt: skip


def test_every_column_that_retention_may_change_is_named_here(database: Database) -> None:
    with database.owner() as conn:
        found = rows(
            conn,
            """select table_name as tab, column_name as col from information_schema.column_privileges
            where grantee = 'sluis_retention' and privilege_type = 'UPDATE' and table_name = any(%s)""",
            [[*EMPTIED]],
        )
    named = {(table, column) for table, columns in EMPTIED.items() for column in columns}
    assert {(r["tab"], r["col"]) for r in found} == named | {("quarantine", "warned_at"), ("quarantine", "reduced_at")}


@pytest.mark.parametrize(("table", "column"), [(table, column) for table, known in EMPTIED.items() for column in known])
def test_retention_empties_and_writes_no_value(database: Database, table: str, column: str) -> None:
    with database.owner() as owner:
        world.merchant(owner, "m1")
        world.put_payment(owner, world.put(owner, "booking"))
        world.put(owner, "quarantine")
    also = {"merchant": "hash_key_wrapped = null, key_id = null", "quarantine": f"{column} = null, reduced_at = now()"}
    with database.retention() as conn:
        with pytest.raises(Defect, match="42501"):
            conn.execute(f"update sluis.{table} set {column} = {EMPTIED[table][column]}")  # type: ignore[call-overload]
        emptied = also.get(table, f"{column} = null")
        assert conn.execute(f"update sluis.{table} set {emptied}").rowcount == 1  # type: ignore[call-overload]
        with pytest.raises(Defect, match="42501"):
            conn.execute(f"update sluis.{table} set {column} = {EMPTIED[table][column]}")  # type: ignore[call-overload]


def test_a_checkpoint_is_followed_by_a_later_one_alone(database: Database) -> None:
    put = """insert into sluis.certificate_checkpoint (sequence, kind, hash, certified_at, public_key, signature)
        values (%s, %s, 'x', now(), 'x', 'x') on conflict (kind) do update set sequence = excluded.sequence"""
    with database.retention() as conn:
        for sequence in (3, 3, 4):
            conn.execute(put, [sequence, "head"])
        with pytest.raises(Defect, match="42501"):
            conn.execute(put, [3, "head"])
        with pytest.raises(Defect, match="42501"):
            conn.execute("update sluis.certificate_checkpoint set kind = 'dropped'")
        assert rows(conn, "select sequence, kind from sluis.certificate_checkpoint") == [
            {"sequence": 4, "kind": "head"}
        ]


def test_retention_drops_months_that_are_over_for_long_and_no_other_whatever_it_asks(database: Database) -> None:
    with database.retention() as conn:
        asked = rows(conn, "select sluis.drop_months('run_report', '2999-01-01') as name")
    dropped = {str(found["name"]) for found in asked}
    today = datetime.now(UTC).date()
    this, last = (f"run_report_{day:%Y_%m}" for day in (today, _month_before(today)))
    assert not dropped & {this, last}
    with database.owner() as conn:
        left = {
            str(found["name"])
            for found in rows(conn, "select inhrelid::regclass::text as name from pg_inherits"
                                    " where inhparent = 'sluis.run_report'::regclass")
        }  # fmt: skip
    assert {f"sluis.{this}"} <= left
    assert all(name > this for name in (found.removeprefix("sluis.") for found in left) if name not in (this, last))
    if today.month > 2:
        assert f"sluis.{last}" in left
        assert f"run_report_{today.year}_01" in dropped


def test_without_a_merchant_a_task_sees_no_row_of_what_was_split(database: Database, integration: Integration) -> None:
    with database.task(None) as conn:
        for table in ("booking", "payment", "quarantine", "debtor_link", "run_report", "invoicing_month"):
            assert rows(conn, f"select merchant_code from sluis.{table}") == []
        with pytest.raises(Defect, match="42501"):
            claim(Bookings(conn, integration), 2)
    with database.retention() as conn:
        assert len(rows(conn, "select merchant_code from sluis.booking")) == 1


def test_an_administration_is_one_merchants_whoever_writes(database: Database) -> None:
    mine = add_integration(database, administration="moneybird/1")
    other = add_integration(database)
    add_integration(database, merchant=mine.merchant, administration="moneybird/1", code="second")
    with pytest.raises(Defect) as caught:
        add_integration(database, administration="moneybird/1")
    assert caught.value.code == "administration_taken"
    assert mine.merchant not in str(caught.value)
    with database.owner() as conn, pytest.raises(Defect, match="23505, table integration"):
        conn.execute(
            "update sluis.integration set administration_key = 'moneybird/1' where merchant_code = %s", [other.merchant]
        )


def _month_before(day: date) -> date:
    return date(day.year - (day.month == 1), (day.month - 2) % 12 + 1, 1)
