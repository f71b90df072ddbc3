"""A merchant's orders through a real Airflow: booked to the cent by a scheduled run, and a log an auditor can use."""

from __future__ import annotations

import hashlib
import re
from ast import literal_eval
from collections import Counter
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


def test_an_auditor_reads_who_started_what_under_which_versions_and_the_totals(synced: FirstRun) -> None:
    merchant, run_id = synced.merchant, synced.run_id
    report, world = merchant.report(run_id), merchant.world
    read, log = (merchant.api.log(merchant.dag_id, run_id, task) for task in ("extract", "load"))
    for task, text in (("extract", read), ("load", log)):
        told = r"run=(\S+) type=(\S+) started_by=(\S+) try=1 integration=(\S+) state=live (.*)"
        begin = re.search(f"{task} {told}", text)
        assert begin is not None
        assert begin.groups()[:4] == (run_id, "scheduled", "schedule", f"{world.merchant}/{world.code}")
        assert begin[5] == f"settings_version={report.settings_version} rules={RULES_VERSION} code={__version__}"
    window = re.search(r"window start=(\S+) end=(\S+) watermark=-", read)
    assert window is not None
    start, end = (datetime.fromisoformat(moment) for moment in window.groups())
    assert (start, end) == (report.window_start, report.window_end)
    # Totals at the end, beside the shop's own count, and the link of the chain.
    assert f"proved extracted={report.extracted} documents" in log
    totals = re.search(rf"shop's own count {report.shop_count}: (.*)$", log, flags=re.MULTILINE)
    assert totals is not None
    assert literal_eval(totals[1]) == report.tally
    assert f"report sequence={report.sequence} hash={report.hash} lines={report.lines_hash}" in log


def test_an_auditor_can_prove_the_lines_of_the_documents(synced: FirstRun) -> None:
    merchant, run_id = synced.merchant, synced.run_id
    report = merchant.report(run_id)
    lines = re.findall(r"document kind=.*$", merchant.api.log(merchant.dag_id, run_id, "load"), flags=re.MULTILINE)
    assert len(lines) == report.extracted
    # The hash over the lines stands in the chained report: none was altered, added or taken away since.
    assert _hash(lines) == report.lines_hash
    assert _hash(lines[1:]) != report.lines_hash
    results = [re.search(r" result=(\w+) ", line) for line in lines]
    assert Counter(result[1] for result in results if result) == report.tally["documents"]
    # A booked line names number, rule, reference, the books' own id, amounts, and VAT per rate.
    invoices = {invoice["id"]: invoice for invoice in merchant.world.books.invoices.values()}
    for line in lines:
        found = dict(part.split("=", 1) for part in line.split() if "=" in part)
        if found["result"] != "booked":
            assert re.fullmatch(r"\w+", found["reason"])
            continue
        invoice = invoices[found["books_id"]]
        assert found["reference"] == invoice["reference"]
        assert found["order"] == found["reference"].split("-C")[0]
        assert found["rule"] not in ("", "-")
        assert Decimal(found["total"]) == Decimal(invoice["total_price_incl_tax"])
        assert re.match(r"\w+/[\d.]+/[A-Z]{2}:-?\d", found["rates"])


def _hash(lines: list[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def test_a_run_with_nothing_new_starts_extract_only(synced: FirstRun) -> None:
    merchant = synced.merchant
    before, watermark = merchant.world.booked(), merchant.watermark
    run_id = merchant.manual()
    assert (merchant.api.run(merchant.dag_id, run_id)["state"], merchant.states(run_id)) == ("success", ONLY_EXTRACT)
    assert merchant.summary(run_id, "extract")["nothing_new"] is True
    assert merchant.report(run_id).extracted == 0
    assert merchant.world.booked() == before
    assert merchant.watermark == watermark
    assert "started_by=person" in merchant.api.log(merchant.dag_id, run_id, "extract")
