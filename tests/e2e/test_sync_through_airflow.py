"""A merchant's orders through a real Airflow: booked to the cent by a scheduled run, and a log an auditor can use."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from sluis import __version__
from sluis.core.rates import RULES_VERSION
from sluis.flows.wiring import open_session
from tests.airflow_harness import AirflowStack
from tests.e2e.merchant import ALL_GREEN, ONLY_EXTRACT, Merchant, interval, joined, store_of

pytestmark = pytest.mark.airflow


@dataclass(frozen=True)
class FirstRun:
    merchant: Merchant
    run: dict[str, Any]

    @property
    def run_id(self) -> str:
        return str(self.run["dag_run_id"])


@pytest.fixture(scope="module")
def synced(airflow_stack: AirflowStack) -> Iterator[FirstRun]:
    """A shop of 60 mixed orders, all of them older than three days, after the first scheduled run."""
    with store_of(airflow_stack), joined(airflow_stack, orders=60, age=timedelta(days=3)) as merchant:
        yield FirstRun(merchant, merchant.first_run())


def test_a_scheduled_run_books_everything_to_the_cent(synced: FirstRun) -> None:
    merchant, run_id = synced.merchant, synced.run_id
    assert (synced.run["state"], merchant.states(run_id)) == ("success", ALL_GREEN)
    world, report = merchant.world, merchant.report(run_id)
    listed, books = world.shop.stats()["listed"], world.books
    documents, money = report.tally["documents"], report.tally["cents"]["EUR"]
    assert report.extracted == sum(documents.values()) == listed["orders"] + listed["refunds"]
    assert sum(money.values()) == listed["orders_cents"] - listed["refunds_cents"]
    assert documents["booked"] == len(books.invoices) == len(set(books.references)) > 40
    assert money["booked"] == books.total_cents
    assert documents["skipped"] > 0
    assert len(world.waiting()) == documents["quarantined"] > 0
    assert report.run_type == "scheduled"
    assert merchant.watermark == report.window_end == interval(synced.run)[1]
    assert merchant.in_transit() == 0
    with open_session(world.merchant, world.code) as session:
        assert session.reports.verify() >= 1


def test_the_tasks_told_each_other_counts_and_cents_only(synced: FirstRun, airflow_stack: AirflowStack) -> None:
    merchant, run_id = synced.merchant, synced.run_id
    extracted, transformed, loaded, shredded = (
        merchant.summary(run_id, task) for task in ("extract", "transform", "load", "shred")
    )
    tally = merchant.report(run_id).tally
    assert extracted["documents"] == sum(transformed[k] for k in ("prepared", "skipped", "quarantined"))
    assert {k: loaded[k] for k in tally["documents"]} == tally["documents"]
    assert loaded["cents"] == {"EUR": tally["cents"]["EUR"]["booked"]}
    assert shredded["chunks"] > 0
    summaries = (extracted, transformed, loaded, shredded)
    (batch_id,) = {told.pop("batch_id") for told in summaries}
    assert re.fullmatch("[0-9a-f]{32}", batch_id)
    assert all(_is_small(value) for told in summaries for value in _leaves(told))
    with psycopg.connect(airflow_stack.dsn) as conn:
        keys = conn.execute("select distinct key from xcom where dag_id = %s", [merchant.dag_id]).fetchall()
    assert keys == [("summary",)]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    else:
        yield value


def _is_small(value: Any) -> bool:
    """A count, cents, a flag, or a moment."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).tzinfo is not None
    return isinstance(value, int) and abs(value) < 10**9


def test_an_auditor_finds_in_the_load_s_log_what_was_done_and_can_prove_it(synced: FirstRun) -> None:
    merchant, run_id = synced.merchant, synced.run_id
    report, world = merchant.report(run_id), merchant.world
    read = merchant.api.log(merchant.dag_id, run_id, "extract")
    log = merchant.api.log(merchant.dag_id, run_id, "load")
    # Who or what started it, under which versions.
    for task, text in (("extract", read), ("load", log)):
        told = r"run=(\S+) type=(\S+) started_by=(\S+) try=1 integration=(\S+) state=live (.*)"
        begin = re.search(f"{task} {told}", text)
        assert begin is not None
        assert begin.groups()[:4] == (run_id, "scheduled", "schedule", f"{world.merchant}/{world.code}")
        assert begin[5] == f"settings_version={report.settings_version} rules={RULES_VERSION} code={__version__}"
    start, end = report.window_start, report.window_end
    assert start is not None
    assert end is not None
    moments = [moment.isoformat(timespec="seconds") for moment in (start, end)]
    assert re.search(r"window start=(\S+) end=(\S+) watermark=-", read).groups() == tuple(moments)  # type: ignore[union-attr]
    # One line per document; the lines prove themselves against the chained report.
    lines = re.findall(r"document kind=.*$", log, flags=re.MULTILINE)
    assert len(lines) == report.extracted
    digest = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    assert digest == report.lines_hash
    assert hashlib.sha256("".join(f"{line}\n" for line in lines[1:]).encode()).hexdigest() != report.lines_hash
    by_result = {
        result: [line for line in lines if f" result={result} " in line] for result in report.tally["documents"]
    }
    assert {result: len(found) for result, found in by_result.items()} == report.tally["documents"]
    # A booked line names number, rule, reference, the books' own id, amounts, and VAT per rate.
    ids = {invoice["id"]: invoice for invoice in world.books.invoices.values()}
    for line in by_result["booked"]:
        found = dict(part.split("=", 1) for part in line.split() if "=" in part)
        invoice = ids[found["books_id"]]
        assert found["reference"] == invoice["reference"]
        assert found["rule"] not in ("", "-")
        total = re.search(r" total=(-?\d+\.\d\d) EUR ", line)
        assert total is not None
        assert Decimal(total[1]) == Decimal(invoice["total_price_incl_tax"])
        assert re.search(r" rates=\w/[\d.]+/[A-Z]{2}:", line)
    assert all(re.search(r" reason=\w+ ", line) for line in by_result["skipped"] + by_result["quarantined"])
    # Totals at the end, beside the shop's own count, and the link of the chain.
    assert f"proved extracted={report.extracted} documents" in log
    assert f"shop's own count {report.shop_count}" in log
    assert f"report sequence={report.sequence} hash={report.hash} lines={report.lines_hash}" in log


def test_a_run_with_nothing_new_starts_extract_only(synced: FirstRun) -> None:
    merchant = synced.merchant
    before, watermark = merchant.world.booked(), merchant.watermark
    run_id = merchant.manual()
    assert (merchant.api.run(merchant.dag_id, run_id)["state"], merchant.states(run_id)) == ("success", ONLY_EXTRACT)
    assert merchant.summary(run_id, "extract")["nothing_new"] is True
    assert merchant.report(run_id).extracted == 0
    assert merchant.world.booked() == before
    assert merchant.watermark == watermark
    assert "started_by=admin" in merchant.api.log(merchant.dag_id, run_id, "extract")
