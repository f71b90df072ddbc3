"""The chain of run reports: one link after the other, the watermark with it, and no edit that goes unnoticed."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from sluis.errors import Defect, NotConfigured, ProofFailed
from sluis.store.integrations import Integration, Integrations
from sluis.store.reports import NO_HASH, Reports, RunReport, report_hash
from tests.conftest import Database
from tests.store.helpers import add_integration

pytestmark = pytest.mark.postgres
NOON = datetime(2026, 11, 2, 12, 0, 0, 123456, tzinfo=UTC)
LINES = hashlib.sha256(b"lines").hexdigest()


def report(integration: Integration, number: int = 1, **other: Any) -> RunReport:
    """Return a report as a run makes it."""
    values: dict[str, Any] = {
        "merchant": integration.merchant, "integration": integration.code, "dag_run_id": f"scheduled__{number}",
        "try_number": 1, "run_type": "scheduled", "started_at": NOON, "ended_at": NOON + timedelta(seconds=5),
        "window_start": NOON - timedelta(hours=1), "window_end": NOON, "settings_version": 1, "rules_version": "2026.1",
        "code_version": "0.1.0", "shop_count": 3, "extracted": 3,
        "tally": {"documents": {"booked": 3}, "cents": {"EUR": {"booked": 3630}}},
    }  # fmt: skip
    return RunReport(**{**values, **other})


@pytest.fixture
def integration(database: Database) -> Integration:
    """An integration without reports."""
    return add_integration(database)


def test_reports_form_a_chain_and_move_the_watermark_with_them(database: Database, integration: Integration) -> None:
    i = integration
    with database.task(i.merchant) as conn:
        reports = Reports(conn, i)
        assert reports.verify() == 0
        first = reports.append(report(i), LINES, watermark=NOON)
        second = reports.append(report(i, 2), LINES, watermark=NOON - timedelta(hours=2))
        third = reports.append(report(i, 3), LINES, watermark=None)
        assert [r.sequence for r in (first, second, third)] == [1, 2, 3]
        assert [r.previous_hash for r in (first, second, third)] == [NO_HASH, first.hash, second.hash]
        assert reports.list() == [third, second, first]
        assert reports.list(limit=1) == [third]
        assert reports.verify() == 3
        assert reports.told("scheduled__2")
        assert not reports.told("scheduled__9")
        assert reports.mark("scheduled__9") == "scheduled__9"
        assert reports.mark("scheduled__2") == "scheduled__2~1"  # cleared: what it books now no report has told yet
        assert not reports.told("scheduled__2~1")
        assert Integrations(conn).get(i.merchant, i.code).watermark == NOON  # never backwards


def test_the_hash_is_what_the_docstring_says(integration: Integration) -> None:
    told = report(integration, started_at=NOON.astimezone(timezone(timedelta(hours=1)))).model_copy(
        update={"sequence": 1, "lines_hash": LINES, "previous_hash": NO_HASH}
    )
    fields = json.loads(told.model_dump_json(exclude={"hash"}))
    for name in ("started_at", "ended_at", "window_start", "window_end"):
        fields[name] = getattr(told, name).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    assert report_hash(told) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("wrong", [LINES + "\n", LINES.upper(), LINES[:-1], ""])
def test_the_hash_of_the_lines_is_a_hash(database: Database, integration: Integration, wrong: str) -> None:
    with database.owner() as conn, pytest.raises(Defect, match="SHA-256"):
        Reports(conn, integration).append(report(integration), wrong, watermark=None)


@pytest.mark.parametrize(
    ("edit", "broken"),
    [
        ("update sluis.run_report set extracted = 4 where sequence = 2", r"report 2 \(run scheduled__2\) was altered"),
        (
            """update sluis.run_report set tally = jsonb_set(tally, '{documents,booked}', '4') where sequence = 1""",
            r"report 1 \(run scheduled__1\) was altered",
        ),
        ("update sluis.run_report set lines_hash = hash where sequence = 3", "report 3"),
        ("update sluis.run_report set window_end = null where sequence = 3", "report 3"),
        ("update sluis.run_report set previous_hash = hash where sequence = 2", "report 2 does not follow"),
        ("delete from sluis.run_report where sequence = 2", "report 2 is missing"),
        ("delete from sluis.run_report where sequence = 4", "report 4 is missing"),
        ("delete from sluis.run_report", "report 4 is missing"),
        ("update sluis.run_report set sequence = 9 where sequence = 4", "report 4 is missing"),
        (
            """insert into sluis.run_report select (jsonb_populate_record(r, '{"sequence": 5}')).*
            from sluis.run_report as r where sequence = 4""",
            "report 5",
        ),
        ("update sluis.integration set report_hash = decode(repeat('00', 32), 'hex')", "report 4 is not the one"),
    ],
)
def test_any_edit_breaks_the_chain_at_the_right_place(
    database: Database, integration: Integration, edit: str, broken: str
) -> None:
    with database.owner() as conn:
        reports = Reports(conn, integration)
        for number in (1, 2, 3, 4):
            reports.append(report(integration, number), LINES, watermark=None)
        assert reports.verify() == 4
        assert conn.execute(edit).rowcount > 0
        with pytest.raises(ProofFailed, match=broken) as caught:
            reports.verify()
    assert caught.value.code == "chain_broken"


def test_a_forged_link_with_a_right_hash_of_its_own_breaks_the_next_one(
    database: Database, integration: Integration
) -> None:
    with database.owner() as conn:
        reports = Reports(conn, integration)
        links = [reports.append(report(integration, number), LINES, watermark=None) for number in (1, 2)]
        forged = links[0].model_copy(update={"extracted": 99})
        conn.execute(
            "update sluis.run_report set extracted = 99, hash = decode(%s, 'hex') where sequence = 1",
            [report_hash(forged)],
        )
        with pytest.raises(ProofFailed, match="report 2 does not follow"):
            reports.verify()


def test_retention_may_take_the_oldest_reports(database: Database, integration: Integration) -> None:
    with database.owner() as conn:
        reports = Reports(conn, integration)
        for number in (1, 2, 3):
            reports.append(report(integration, number), LINES, watermark=None)
        conn.execute("delete from sluis.run_report where sequence = 1")
        assert reports.verify() == 2


def test_two_runs_that_end_at_once_make_one_chain(database: Database, integration: Integration) -> None:
    def run(number: int) -> None:
        with database.task(integration.merchant) as conn:
            for step in range(10):
                Reports(conn, integration).append(report(integration, number * 100 + step), LINES, watermark=None)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    with database.task(integration.merchant) as conn:
        assert Reports(conn, integration).verify() == 30


def test_a_report_that_cannot_be_stored_moves_no_watermark(database: Database, integration: Integration) -> None:
    i = integration
    with database.task(i.merchant) as conn:
        with pytest.raises(Defect, match="SQLSTATE"):
            Reports(conn, i).append(report(i, shop_count=2**40), LINES, watermark=NOON)
        assert Integrations(conn).get(i.merchant, i.code).watermark is None
        with pytest.raises(Defect, match="lines hash"):
            Reports(conn, i).append(report(i), "abc", watermark=NOON)
        with pytest.raises(Defect, match="belongs to the integration"):
            Reports(conn, i).append(report(i).model_copy(update={"integration": "other"}), LINES, watermark=NOON)
        assert Reports(conn, i).verify() == 0
    stranger = add_integration(database, administration="moneybird/2")
    with database.task(i.merchant) as conn, pytest.raises(NotConfigured):
        Reports(conn, stranger).append(report(stranger), LINES, watermark=NOON)


@pytest.mark.parametrize("tally", [{"a": 1.0}, {"a": "x"}, {"a": {"b": None}}, {"a": True}, {"a": [1]}])
def test_a_tally_holds_whole_numbers_only(integration: Integration, tally: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="whole counts and cents"):
        report(integration, tally=tally)
