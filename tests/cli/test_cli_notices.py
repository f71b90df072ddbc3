"""What merchants are to be told, what our invoices rest on, and what waits for too long, on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluis.core.invoice import DocumentKind
from sluis.store.integrations import Integration
from sluis.store.invoicing import Invoicing
from sluis.store.quarantine import Quarantine
from tests.cli.runner import ok, ok_json, run
from tests.conftest import Database
from tests.store.helpers import add_integration

pytestmark = pytest.mark.postgres
NOW = datetime.now(UTC)


@pytest.fixture
def integration(database: Database) -> Integration:
    """An integration with two notices, and one item that was reduced."""
    made = add_integration(database)
    with database.owner() as conn:
        Quarantine(conn, made).put(
            kind=DocumentKind.INVOICE, document_key=b"\x3f" * 32, shop_order_id="1", order_number="1001",
            reason="unreadable", currency="EUR", total_cents=1210,
        )  # fmt: skip
        conn.execute(
            """update sluis.quarantine set shop_order_id = null, order_number = null, total_cents = null,
            first_seen = %(then)s, warned_at = %(now)s, reduced_at = %(now)s""",
            {"then": NOW - timedelta(days=91), "now": NOW},
        )
        for cause in ("quarantine_waiting", "quarantine_reduced"):
            conn.execute(
                "insert into sluis.notice (merchant_code, integration_code, cause, documents) values (%s, %s, %s, 1)",
                [made.merchant, made.code, cause],
            )
    return made


def test_notices_are_listed_until_somebody_has_told_them(integration: Integration, database: Database) -> None:
    other = add_integration(database)
    found = ok_json("notices", "list", "--merchant", integration.merchant)
    assert [(n["cause"], n["documents"], n["told_at"]) for n in found] == [
        ("quarantine_waiting", 1, None),
        ("quarantine_reduced", 1, None),
    ]
    assert "quarantine_reduced" in ok("notices", "list")
    first, second = (str(n["id"]) for n in found)
    assert ok("notices", "done", first) == "1 notice(s) told\n"
    assert ok_json("notices", "done", first, second) == {"told": 1}
    assert ok("notices", "list") == "nothing is to be told\n"
    assert [n["told_at"] is None for n in ok_json("notices", "list", "--told")] == [False, False]
    assert ok_json("notices", "list", "--merchant", other.merchant, "--told") == []


def test_a_number_or_a_merchant_that_is_none_is_named_and_nothing_is_told(integration: Integration) -> None:
    [first, _] = ok_json("notices", "list")
    wrong = run("notices", "done", str(first["id"]), "999999")
    assert (wrong.exit_code, "there is no notice 999999" in wrong.stderr) == (1, True)
    assert len(ok_json("notices", "list")) == 2
    unknown = run("notices", "list", "--merchant", "mnone")
    assert (unknown.exit_code, "merchant_unknown" in unknown.stderr) == (1, True)


def test_what_was_reduced_says_so_and_is_closed_by_its_item(integration: Integration) -> None:
    where = (integration.merchant, integration.code)
    table = ok("quarantine", "list")
    assert "warned" in table
    assert f"{NOW:%Y-%m-%d %H:%M}" in table
    [group] = ok_json("quarantine", "list")
    [item] = group["items"]
    assert (item["order_number"], item["total"], item["item"]) == (None, None, "q-3f3f3f3f")
    offered = run("quarantine", "offer", *where, item["item"])
    assert (offered.exit_code, "q-3f3f3f3f waited for 90 days" in offered.stdout) == (1, True)
    assert "1 document(s) still wait" not in ok("quarantine", "close", *where, item["item"], "--as", "not_to_be_booked")
    assert ok("quarantine", "list") == "nothing waits\n"


def test_documents_are_counted_per_merchant_and_month(integration: Integration, database: Database) -> None:
    with database.task(integration.merchant) as conn:
        counts = Invoicing(conn)
        counts.add(integration.merchant, datetime(2026, 11, 30, 23, 59, tzinfo=UTC), 3)
        counts.add(integration.merchant, datetime(2026, 11, 1, tzinfo=UTC), 2)
        counts.add(integration.merchant, datetime(2026, 12, 1, tzinfo=UTC), 7)
        counts.add(integration.merchant, datetime(2026, 10, 1, tzinfo=UTC), 0)
    assert ok_json("invoicing", "list", "--month", "2026-11") == [
        {"merchant": integration.merchant, "month": "2026-11-01", "documents": 5}
    ]
    assert integration.merchant in ok("invoicing", "list", "--month", "2026-12", "--merchant", integration.merchant)
    assert ok("invoicing", "list", "--month", "2026-10") == "nothing was booked in 2026-10\n"
    assert run("invoicing", "list", "--month", "november").exit_code == 2
