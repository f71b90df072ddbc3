"""What the task role may see and do: its own merchant's rows, and no way around that."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from sluis.core.evidence import Evidence, VatCheck
from sluis.core.invoice import DocumentKind
from sluis.errors import Defect, NotConfigured, RetryLater
from sluis.store.bookings import Bookings
from sluis.store.credentials import Credentials
from sluis.store.database import connect, owner_connection, task_connection
from sluis.store.debtors import DebtorLinks
from sluis.store.integrations import Integration, Integrations
from sluis.store.merchants import Merchants
from sluis.store.payments import PaymentRows, PaymentState, Place
from sluis.store.quarantine import Quarantine
from sluis.store.server import LocalServer
from sluis.store.vat_checks import VatChecks
from sluis.transit.store import Transit
from tests.conftest import Database
from tests.store.helpers import add_integration, claim, key

pytestmark = pytest.mark.postgres
GUARDED = (
    "merchant", "integration", "credential", "booking", "debtor_link", "quarantine", "run_report", "transit_chunk",
    "payment", "vat_number_check", "reconciliation",
)  # fmt: skip

CHECK = VatCheck(state="invalid", checked_at=datetime(2026, 11, 23, tzinfo=UTC), request_id="WAPI1")
PAID = Place(kind=DocumentKind.INVOICE, document_key=key(1), revision=0, payment_key=key(5))
AMOUNT: dict[str, Any] = {
    "amount_cents": 1210, "currency": "EUR", "paid_on": date(2026, 11, 2), "account": "1", "run_id": "run",
}  # fmt: skip


@pytest.fixture
def two_merchants(database: Database) -> tuple[str, str]:
    """Two merchants with a row in every table that can have one."""
    codes = []
    for administration in ("moneybird/1", "moneybird/2"):
        integration = add_integration(database, administration=administration)
        with database.owner() as conn:
            Credentials(conn, database.keyring).put(integration.merchant, integration.code, "shop", {"key": "k"})
        with database.task(integration.merchant) as conn:
            claim(Bookings(conn, integration), 1)
            DebtorLinks(conn, integration).put("customer", "77")
            Quarantine(conn, integration).put(
                kind=DocumentKind.INVOICE, document_key=key(1), shop_order_id="1", order_number="1", reason="unpaid"
            )
            Transit(conn, integration.merchant, database.keyring).seal("b", "orders", 0)
            PaymentRows(conn, integration).claim(PAID, **AMOUNT)
            VatChecks(conn, integration.merchant).put(key(9), CHECK)
            conn.execute(
                """insert into sluis.reconciliation (merchant_code, integration_code, period, run_id, settled, result)
                values (%s, %s, '2026Q3', 'cli', true, '{}')""",
                [integration.merchant, integration.code],
            )
        codes.append(integration.merchant)
    return codes[0], codes[1]


def _visible(conn: psycopg.Connection[tuple[object, ...]], table: str) -> set[object]:
    column = "code" if table == "merchant" else "merchant_code"
    query = sql.SQL("select {} from sluis.{}").format(sql.Identifier(column), sql.Identifier(table))
    return {r[0] for r in conn.execute(query)}


@pytest.mark.parametrize("table", GUARDED)
def test_a_task_sees_its_merchant_only_and_without_one_nothing(
    database: Database, two_merchants: tuple[str, str], table: str
) -> None:
    mine, _ = two_merchants
    expected = set() if table == "run_report" else {mine}
    with database.task(mine) as conn:
        assert _visible(conn, table) == expected
        conn.execute("reset sluis.merchant")  # goes back to the connection's own option
        assert _visible(conn, table) == expected
    with database.task(None) as conn:
        assert _visible(conn, table) == set()


def test_a_task_can_neither_write_nor_change_nor_delete_anothers_rows(
    database: Database, two_merchants: tuple[str, str]
) -> None:
    mine, other = two_merchants
    with database.owner() as owner:
        theirs = Integrations(owner).all(other)[0]
    with database.task(mine) as conn:
        for write in (
            lambda: claim(Bookings(conn, theirs), 2),
            lambda: DebtorLinks(conn, theirs).put("new", "1"),
            lambda: Transit(conn, other, database.keyring).seal("b2", "orders", 0),
            lambda: PaymentRows(conn, theirs).claim(PAID.model_copy(update={"payment_key": key(6)}), **AMOUNT),
            lambda: VatChecks(conn, other).put(key(8), CHECK),
        ):
            with pytest.raises(Defect, match="42501"):
                write()
        assert conn.execute("update sluis.booking set attempts = 99 where merchant_code = %s", [other]).rowcount == 0
        assert conn.execute("delete from sluis.booking where merchant_code = %s", [other]).rowcount == 0
        assert Transit(conn, other, database.keyring).shred("b") == 0
        with pytest.raises(Defect, match="42501"):
            conn.execute("update sluis.booking set merchant_code = %s", [other])
        with pytest.raises(NotConfigured):
            Integrations(conn).get(other, theirs.code)
    with database.owner() as owner:
        assert owner.execute("select sum(attempts), count(*) from sluis.booking").fetchone() == (2, 2)


def test_a_task_takes_no_number_in_anothers_administration(database: Database, two_merchants: tuple[str, str]) -> None:
    mine, other = two_merchants
    with database.owner() as owner:
        [ours], [theirs] = (Integrations(owner).all(merchant) for merchant in two_merchants)
    posing = ours.model_copy(update={"administration_key": theirs.administration_key})
    with database.task(mine) as conn:
        with pytest.raises(Defect, match="23503"):
            claim(Bookings(conn, posing), 7)
        with pytest.raises(Defect, match="23503"):
            conn.execute(
                "update sluis.booking set administration_key = %s, reference = '8'", [theirs.administration_key]
            )
    with database.task(other) as conn:
        assert claim(Bookings(conn, theirs), 7).reference == "7"


@pytest.mark.parametrize(
    "statement",
    [
        "set row_security = off; select * from sluis.booking",
        "alter table sluis.booking disable row level security",
        "drop policy own_merchant on sluis.booking",
        "create policy open on sluis.booking using (true)",
        "set role sluis_owner",
        "set session authorization sluis_owner",
        "alter role sluis_task bypassrls",
        "truncate sluis.transit_chunk",
        "select name from sluis.merchant",
        "update sluis.integration set settings = '{}'",
        "update sluis.run_report set extracted = 0",
        "delete from sluis.run_report",
        "insert into sluis.merchant values ('mzzzz')",
        "delete from sluis.credential",
        "select * from sluis.alembic_version",
        "update sluis.payment set amount_cents = 1",
        "update sluis.payment set paid_on = '2020-01-01'",
        "update sluis.payment set account = '2'",
        "update sluis.payment set payment_key = document_key",
        "update sluis.vat_number_check set number_key = sha256('x')",
        "update sluis.reconciliation set settled = true",
        "delete from sluis.reconciliation",
        "drop trigger booked_stays on sluis.booking",
        "alter table sluis.payment disable trigger booked_stays",
        "create table sluis.mine ()",
        "create table public.mine ()",
    ],
)
def test_the_task_role_cannot_lift_the_guard_or_take_what_it_does_not_need(
    database: Database, two_merchants: tuple[str, str], statement: str
) -> None:
    with database.task(two_merchants[0]) as conn, pytest.raises(Defect, match="42501"):
        conn.execute(statement)


@pytest.fixture
def booked(database: Database) -> Integration:
    """An integration with a booked invoice and its booked payment."""
    integration = add_integration(database)
    with database.task(integration.merchant) as conn:
        claim(Bookings(conn, integration), 1, evidence=Evidence(vat_check=CHECK))
        Bookings(conn, integration).booked(
            DocumentKind.INVOICE, key(1), 0, external_id="x", debtor_id=None, package_total_cents=1210,
            package_vat_cents=210, adopted=False,
        )  # fmt: skip
        PaymentRows(conn, integration).claim(PAID, **AMOUNT)
        PaymentRows(conn, integration).booked(PAID, "p")
    return integration


@pytest.mark.parametrize(
    "statement",
    [
        "update sluis.booking set state = 'claimed'",
        "update sluis.booking set external_id = 'y'",
        """update sluis.booking set evidence = '{"vat_check": {"state": "valid"}}'""",
        "update sluis.booking set figures = '[]'",
        "update sluis.booking set total_cents = 1",
        "update sluis.booking set vat_cents = 0",
        "update sluis.payment set state = 'claimed'",
        "update sluis.payment set state = 'quarantined', external_id = null",
        "update sluis.payment set external_id = 'q'",
    ],
)
def test_a_task_cannot_rewrite_what_is_booked(database: Database, booked: Integration, statement: str) -> None:
    with database.task(booked.merchant) as conn, pytest.raises(Defect, match="42501"):
        conn.execute(statement)


def test_a_task_deletes_claims_and_nothing_that_is_booked(database: Database, booked: Integration) -> None:
    other = PAID.model_copy(update={"payment_key": key(6)})
    with database.task(booked.merchant) as conn:
        store = PaymentRows(conn, booked)
        store.claim(other, **AMOUNT)
        store.release(other)
        claim(Bookings(conn, booked), 2)
        Bookings(conn, booked).release(DocumentKind.INVOICE, key(2), 0)
        assert conn.execute("delete from sluis.payment").rowcount == 0
        assert conn.execute("delete from sluis.booking").rowcount == 0
        assert [row.payment_key for row in store.of([(PAID.kind, PAID.document_key)])] == [PAID.payment_key]


def test_retention_may_empty_what_is_booked_and_the_owner_delete_it(database: Database, booked: Integration) -> None:
    with database.task(booked.merchant) as conn:
        emptied = "evidence = null, figures = null, total_cents = null, vat_cents = null, payment_method = null"
        assert conn.execute(f"update sluis.booking set {emptied}").rowcount == 1
    with database.owner() as conn:
        assert conn.execute("update sluis.payment set amount_cents = null, paid_on = null").rowcount == 1
        [row] = PaymentRows(conn, booked).of([(PAID.kind, PAID.document_key)])
        assert (row.emptied, row.amount_cents, row.paid_on, row.state) == (True, None, None, PaymentState.BOOKED)
        with pytest.raises(Defect, match="payment_emptied"):
            _ = row.sent
        assert PaymentRows(conn, booked).claim(PAID, **AMOUNT) is None  # never again
        assert conn.execute("delete from sluis.booking").rowcount == 1
        assert conn.execute("select count(*) from sluis.payment").fetchone() == (0,)


def test_a_claim_keeps_its_amount_no_longer_than_what_is_booked(
    database: Database, two_merchants: tuple[str, str]
) -> None:
    with database.retention() as conn:
        assert conn.execute("update sluis.payment set amount_cents = null, paid_on = null").rowcount == 2
    with database.task(two_merchants[0]) as conn:
        [integration] = Integrations(conn).all()
        [row] = PaymentRows(conn, integration).of([(PAID.kind, PAID.document_key)])
        assert (row.state, row.emptied) == (PaymentState.CLAIMED, True)
        assert PaymentRows(conn, integration).claim(PAID, **AMOUNT) is None  # nobody knows whether it was paid


def test_the_registry_function_gives_codes_and_schedules_of_all_and_nothing_else(
    database: Database, two_merchants: tuple[str, str]
) -> None:
    with database.task(None) as conn:
        active = Integrations.active(conn)
        columns = [c.name for c in conn.execute("select * from sluis.active_integrations()").description or ()]
    assert {i.merchant for i in active} == set(two_merchants)
    assert columns == ["merchant", "code", "shop", "package", "state", "interval_minutes", "timezone"]


@pytest.mark.parametrize("role", ["sluis_task", "sluis_retention"])
@pytest.mark.parametrize("power", ["superuser", "bypassrls"])
def test_a_role_that_may_bypass_the_guard_is_refused(
    database: Database, postgres: LocalServer, role: str, power: str
) -> None:
    from sluis.store.migrate import upgrade
    from sluis.store.server import SUPERUSER

    with psycopg.connect(postgres.dsn("postgres", SUPERUSER), autocommit=True) as admin:
        change = sql.SQL("alter role {} {}{}")
        names = sql.Identifier(role), sql.SQL(power)
        admin.execute(change.format(names[0], sql.SQL(""), names[1]))
        try:
            with pytest.raises(
                NotConfigured, match=f"{role} is a superuser or may bypass row-level security"
            ) as caught:
                upgrade(database.owner_dsn)
            assert caught.value.code == role.removeprefix("sluis_") + "_role"
        finally:
            admin.execute(change.format(names[0], sql.SQL("no"), names[1]))


def test_errors_of_the_database_show_no_value(database: Database) -> None:
    with database.owner() as conn:
        Merchants(conn).add("Canary Merchant", database.keyring)
        for statement in (
            "insert into sluis.merchant (code, name, hash_key_wrapped, key_id) values ('CANARY', 'x', '', '')",
            "insert into sluis.merchant select * from sluis.merchant where name = 'Canary Merchant'",
            "select 'canary'::int",
        ):
            with pytest.raises(Defect) as caught:
                conn.execute(statement)
            assert "canary" not in repr(caught.value).lower() + str(caught.value).lower()
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__
    assert "SQLSTATE 22P02" in str(caught.value)


def test_a_connection_that_dies_says_that_the_database_is_away(database: Database) -> None:
    with database.owner() as victim, database.owner() as other:
        pid = victim.info.backend_pid
        other.execute("select pg_terminate_backend(%s)", [pid])
        with pytest.raises(RetryLater) as caught:
            victim.execute("select 1")
    assert caught.value.code == "database_away"


def test_the_environment_names_the_store(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    merchant = add_integration(database).merchant
    with owner_connection() as owner, task_connection(merchant) as task:
        assert owner.execute("select current_user").fetchone() == ("sluis_owner",)
        assert task.execute("select current_user, current_setting('sluis.merchant')").fetchone() == (
            "sluis_task",
            merchant,
        )
    for code in ("x -c sluis.merchant=other", f"{merchant}\n", f"\n{merchant}", "", "a" * 33):
        with pytest.raises(Defect, match="letters and digits"):
            task_connection(code)
    monkeypatch.delenv("SLUIS_TASK_DATABASE_URL")
    with pytest.raises(NotConfigured, match="SLUIS_TASK_DATABASE_URL is not set"):
        task_connection(merchant)
    with pytest.raises(NotConfigured, match="not a PostgreSQL connection string"):
        connect("nonsense")
