"""A store full of rows of the release before comes up to this one with every row as it was."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from sluis.errors import NotConfigured
from sluis.store import migrate
from sluis.store.database import Connection, connect, rows

pytestmark = pytest.mark.postgres
BEFORE = "0002"
#: One row per table and merchant, of the release before, with every column that may be null filled once and empty once.
_FILL = """
insert into sluis.merchant (code, name, hash_key_wrapped, key_id) values
    ('mone', 'Een', 'w', 'k'), ('mtwo', 'Twee', 'w', 'k');
insert into sluis.integration (merchant_code, code, shop, package, settings, administration_key, report_sequence)
    select code, 'shop', 'woocommerce', 'moneybird', '{}', 'moneybird/' || code, 1 from sluis.merchant;
insert into sluis.credential (merchant_code, integration_code, side, key_id, ciphertext)
    select code, 'shop', 'package', 'k', 'c' from sluis.merchant;
insert into sluis.booking (merchant_code, integration_code, administration_key, kind, document_key, revision, state,
    reference, order_number, booked_at, external_id, debtor_id, fingerprint, total_cents, vat_cents,
    package_total_cents, package_vat_cents, currency, issue_date, run_id, form, figures, payment_method, paid, evidence,
    original_date, summary_key, summary_revision)
    select code, 'shop', 'moneybird/' || code, 'invoice', sha256(n::text::bytea), 0, 'booked', n::text, n::text, now(),
    'x' || n, 'd', 'f', 1210, 210, 1210, 210, 'EUR', date '2025-01-01' + n, 'run', 'journal_entry', '[]', 'ideal', '[]',
    '{}', '2024-12-31', sha256('day'), 0 from sluis.merchant, generate_series(1, 50) as n;
insert into sluis.booking (merchant_code, integration_code, administration_key, kind, document_key, revision, state,
    reference, fingerprint, currency, issue_date, run_id)
    select code, 'shop', 'moneybird/' || code, 'invoice', sha256('claim'), 0, 'claimed', 'c1', 'f', 'EUR', '2026-11-01',
    'run' from sluis.merchant;
insert into sluis.payment (merchant_code, integration_code, kind, document_key, revision, payment_key, state,
    amount_cents, currency, paid_on, account, booked_at, external_id, run_id)
    select merchant_code, integration_code, kind, document_key, revision, sha256('pay'), 'booked', 1210, 'EUR',
    issue_date, 'a', now(), 'p', 'run' from sluis.booking;
insert into sluis.debtor_link (merchant_code, administration_key, customer_key, debtor_id)
    select code, 'moneybird/' || code, 'c', 'd' from sluis.merchant;
insert into sluis.quarantine (merchant_code, integration_code, kind, document_key, shop_order_id, order_number, reason,
    currency, total_cents) select code, 'shop', 'credit_note', sha256('q'), '1', '1', 'unreadable', 'EUR', -5
    from sluis.merchant;
insert into sluis.vat_number_check (merchant_code, number_key, answer, checked_at, source)
    select code, sha256('n'), 'valid', now(), 'vies' from sluis.merchant;
insert into sluis.run_report (merchant_code, integration_code, sequence, dag_run_id, try_number, run_type, started_at,
    ended_at, settings_version, rules_version, code_version, extracted, tally, lines_hash, previous_hash, hash)
    select code, 'shop', n, 'run', 1, 'manual', '2024-01-31 22:00+00', timestamptz '2024-01-31 23:30+00'
    + n * interval '45 days', 1, '1', '1', 1, '{}', 'l', 'p', 'h' from sluis.merchant, generate_series(1, 20) as n;
insert into sluis.reconciliation (merchant_code, integration_code, period, made_at, run_id, settled, result)
    select code, 'shop', '2025Q1', timestamptz '2025-03-31 23:59:59.999+00' + n * interval '1 month', 'cli', true, '{}'
    from sluis.merchant, generate_series(0, 12) as n;
insert into sluis.transit_chunk (merchant_code, batch_id, stage, number, items, key_id, ciphertext)
    select code, 'b', 'orders', 0, 1, 'k', 'c' from sluis.merchant;
insert into sluis.limiter (key, period_seconds) values ('token', 60);
"""


def contents(conn: Connection) -> dict[str, list[str]]:
    """Return every row of every table as JSON, without the columns that are younger than the release before."""
    tables = [r["name"] for r in rows(conn, _TABLES)]
    query = "select to_jsonb(t) as row from sluis.{} as t"
    found: dict[str, list[str]] = {}
    for table in tables:
        taken: list[dict[str, Any]] = [r["row"] for r in rows(conn, query.format(table))]
        found[table] = sorted(
            str(sorted((k, v) for k, v in one.items() if v is not None and k not in _YOUNGER)) for one in taken
        )
    return found


#: Columns of later steps that are never null.
_YOUNGER = {"contributed"}
_TABLES = """select relname as name from pg_class where relnamespace = 'sluis'::regnamespace and relkind in ('r', 'p')
    and not relispartition and relname <> 'alembic_version' order by 1"""


@pytest.fixture
def filled(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of the release before, with rows in every table."""
    from alembic.script import ScriptDirectory

    with monkeypatch.context() as patch:
        patch.setattr(ScriptDirectory, "get_current_head", lambda *_: BEFORE)
        patch.setattr("alembic.command.upgrade", _only_to(BEFORE))
        assert migrate.upgrade(empty_database) == (None, BEFORE)
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute(_FILL)
    return empty_database


def _only_to(revision: str) -> Any:
    from alembic import command

    upgrade = command.upgrade
    return lambda config, _: upgrade(config, revision)


def test_every_row_is_there_after_the_upgrade(filled: str) -> None:
    with connect(filled) as conn:
        before = contents(conn)
    assert all(before.values()), [table for table, found in before.items() if not found]
    assert migrate.upgrade(filled)[0] == BEFORE
    with connect(filled) as conn:
        after = contents(conn)
        parts = rows(conn, "select count(distinct tableoid)::int as n from sluis.run_report")
    assert {table: after[table] for table in before} == before
    assert parts[0]["n"] >= 15, "the reports of years stand in months of their own"
    assert migrate.upgrade(filled)[0] == migrate.upgrade(filled)[1]


def test_rows_of_before_are_under_the_rules_of_now(filled: str) -> None:
    migrate.upgrade(filled)
    with connect(filled) as conn:
        removed = conn.execute("delete from sluis.booking where reference = '7' and merchant_code = 'mone'").rowcount
        left = rows(conn, "select count(*)::int as n from sluis.payment where merchant_code = 'mone'")
    assert (removed, left[0]["n"]) == (1, 50), "its payment went with it"


def test_two_merchants_in_one_administration_stop_the_upgrade_with_their_names(filled: str) -> None:
    with connect(filled) as conn:
        conn.execute(
            """insert into sluis.integration (merchant_code, code, shop, package, settings, administration_key)
            values ('mtwo', 'taken', 'woocommerce', 'moneybird', '{}', 'moneybird/mone')"""
        )
    with pytest.raises(NotConfigured, match="mone/shop, mtwo/taken") as caught:
        migrate.upgrade(filled)
    assert caught.value.code == "administration_taken"
    with connect(filled) as conn:
        assert rows(conn, "select version_num from sluis.alembic_version") == [{"version_num": BEFORE}]
        conn.execute("delete from sluis.integration where code = 'taken'")
    assert migrate.upgrade(filled)[0] == BEFORE
