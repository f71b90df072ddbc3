"""The run reports on the command line: counts and cents, and a chain that shows what was altered."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sluis.core.settings import IntegrationSettings
from sluis.store.integrations import Integration, Integrations
from sluis.store.merchants import Merchants
from sluis.store.reports import Reports, RunReport
from tests.cli.runner import ok, ok_json, run
from tests.conftest import Database

pytestmark = pytest.mark.postgres
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def integration(database: Database) -> Integration:
    """An integration with three runs: the last one booked two invoices and a credit note, and quarantined an order."""
    with database.owner() as conn:
        merchant = Merchants(conn).add("Voorbeeld", database.keyring).code
        added = Integrations(conn).add(merchant, shop="woocommerce", package="moneybird",
                                       administration_key="moneybird/1",
                                       settings=IntegrationSettings(start_date=date(2026, 11, 1)))  # fmt: skip
        for number in range(1, 4):
            tally = {
                "documents": {"booked": number, "quarantined": 1},
                "cents": {"EUR": {"booked": 1210 * number - 5, "quarantined": 605}},
                "reasons": {"quarantined": {"untaxed_line": 1}},
                "warnings": {},
            }
            report = RunReport(
                merchant=merchant, integration=added.code, dag_run_id=f"scheduled__{number}", try_number=1,
                run_type="scheduled", started_at=NOON, ended_at=NOON, window_start=None, window_end=NOON,
                settings_version=1, rules_version="1", code_version="0.1.0", shop_count=4, extracted=number + 1,
                tally=tally,
            )  # fmt: skip
            Reports(conn, added).append(report, "a" * 64, watermark=NOON)
    return added


def test_runs_are_listed_with_counts_and_amounts(integration: Integration) -> None:
    where = (integration.merchant, integration.code)
    newest = ok_json("runs", *where, "--limit", "1")
    assert len(newest) == 1
    assert newest[0]["sequence"] == 3
    assert newest[0]["run_id"] == "scheduled__3"
    assert newest[0]["documents"] == {"booked": 3, "quarantined": 1}
    assert newest[0]["totals"] == {"EUR": {"booked": "36.25", "quarantined": "6.05"}}
    assert newest[0]["reasons"] == {"quarantined": {"untaxed_line": 1}}
    assert newest[0]["window_end"] == "2026-11-02T12:00:00Z"
    assert [line["sequence"] for line in ok_json("runs", "list", *where)] == [3, 2, 1]
    table = ok("runs", *where)
    assert "36.25 EUR" in table
    assert "scheduled__1" in table
    assert "corrected" not in table, "nothing corrects yet"


def test_a_chain_that_holds_and_one_that_was_altered(integration: Integration, database: Database) -> None:
    where = (integration.merchant, integration.code)
    verified = ok_json("runs", "verify", *where)
    assert verified["reports"] == 3
    assert verified["head"] == ok_json("runs", *where)[0]["hash"]

    with database.owner() as conn:
        conn.execute("update sluis.run_report set extracted = extracted + 1 where sequence = 2")
    broken = run("runs", "verify", *where)
    assert broken.exit_code == 1
    assert broken.stderr.startswith("sluis: [chain_broken]")
    assert "report 2" in broken.stderr


def test_an_integration_without_runs(integration: Integration, database: Database) -> None:
    with database.owner() as conn:
        other = Integrations(conn).add(integration.merchant, shop="woocommerce", package="moneybird",
                                       administration_key="moneybird/2", settings=integration.settings)  # fmt: skip
    assert ok("runs", integration.merchant, other.code) == "no run has ended yet\n"
    assert ok_json("runs", "verify", integration.merchant, other.code)["reports"] == 0
    assert run("runs", integration.merchant, "nothing").exit_code == 1
