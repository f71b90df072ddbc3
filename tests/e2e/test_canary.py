"""No personal datum stays behind: markers in every personal field of orders, driven through success and every failure.

Through a real Airflow, three merchants at once (docs/reference/canary.md lists the ways): one whose orders are booked,
refunded, refused, answered 500 or never after they were booked, quarantined, and tried again; one whose load is killed
with orders in memory; one whose shop and books refuse him, answer with pages and with other types, and who is
backfilled. In this process, meanwhile, every way of booking (tests/e2e/marked_books.py). Then every sink is searched
(tests/e2e/sinks.py) and what is found must be what the register allows (tests/e2e/allowed.py). The control leaks an
order of its own into each class of sink and must be found in all of them.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from sluis.local.places import repository
from sluis.privacy import backup
from sluis.privacy.register import read_register
from sluis.store.integrations import IntegrationState
from sluis.store.server import LocalServer
from tests.airflow_harness import AirflowStack
from tests.e2e import marked_orders as marked
from tests.e2e.canaries import Canaries, Kind
from tests.e2e.expired import carry_out
from tests.e2e.marked_books import book_in_every_way
from tests.e2e.merchant import ALL_GREEN, DAY_MINUTES, ONLY_EXTRACT, Merchant, joined, store_of, ticks, until
from tests.e2e.sinks import MUST_BE_EMPTY, Found, Sinks
from tests.flows.world import ORDERS, hour

pytestmark = pytest.mark.airflow

CONTACTS = "*/contacts.json"
PLATFORM = "woocommerce"
#: An unknown outcome in a try: the orders answered with 500, never, and with HTML.
ADOPTED = 3


@dataclass
class Journey:
    """Merchants whose orders are under way, and what to look for where."""

    failing: Merchant
    killed: Merchant
    refused: Merchant
    canaries: Canaries
    in_files: Canaries  #: of the orders that go into UBL files
    sinks: Sinks
    folder: Path  #: of this test: backups and the merchant's UBL files
    backups: list[backup.Backup] = field(default_factory=list)

    @property
    def dag_ids(self) -> list[str]:
        """The DAGs of the merchants."""
        return [merchant.dag_id for merchant in (self.failing, self.killed, self.refused)]

    @property
    def merchant_files(self) -> Path:
        """Where the e-invoices are written."""
        return self.folder / "ubl"

    def back_up(self) -> backup.Backup:
        """Make a backup, as ``sluis backup`` does."""
        database = self.failing.stack.database
        published = read_register(repository() / "config" / "register.yaml")
        made = backup.make(database.owner_dsn, self.folder / "backups", database.keyring, published)
        self.backups.append(made)
        return made


@pytest.fixture(scope="session")
def journey(airflow_stack: AirflowStack, postgres: LocalServer) -> Iterator[Journey]:
    """Three merchants; the first scheduled runs of those with orders have begun."""
    since, canaries = time.time(), Canaries()
    folder = Path(tempfile.mkdtemp(prefix="sluis-canary-"))
    try:
        with ExitStack() as stack:
            stack.enter_context(store_of(airflow_stack))
            failing, killed, refused = (stack.enter_context(joined(airflow_stack)) for _ in range(3))
            _killed_orders(killed, canaries)
            _failing_orders(failing, canaries)
            yield Journey(failing, killed, refused, canaries, Canaries(), Sinks(airflow_stack, postgres, since), folder)
    finally:
        shutil.rmtree(folder)


def _failing_orders(merchant: Merchant, canaries: Canaries) -> None:
    world, shop = merchant.world, marked.marked_shop(PLATFORM)
    # Orders of one customer each, except the last of them: of the first one's number.
    for place, label in enumerate(("well", "refused", "broken", "silent", "refunded", "page", "nobody")):
        order = marked.put(world, canaries, place, label, known=label == "well")
        if label == "refunded":
            marked.give_back(world, canaries, order, place)
    first = next(iter(world.shop.book.orders.values())).raw["number"]
    marked.put(world, canaries, 8, "duplicate", number=first)
    marked.put(world, canaries, 9, "differs", total="0.01")
    for place, (label, fields) in enumerate(shop.wrong_types(canaries).items(), start=10):
        marked.put(world, canaries, place, label, **fields)
    page = marked.page(canaries)
    # ``skip`` counts the creates of invoices that no earlier fault struck.
    for fault in (
        {"kind": "status", "status": 422, "skip": 1, "body": marked.refusal(canaries, "reference")},
        {"kind": "status_after", "skip": 1, "body": page, "headers": {"content-type": "text/html"}},
        {"kind": "hang_after", "skip": 1, "seconds": 40.0},
        {"kind": "html", "skip": 3, "body": page},
    ):
        world.fault(**fault)
    world.fault("status", path=CONTACTS, status=422, skip=6, body=marked.refusal(canaries, "firstname"))


def _killed_orders(merchant: Merchant, canaries: Canaries) -> None:
    """Orders whose answers are a long time coming, and one that a proxy delivers twice."""
    for place, label in enumerate(("before", "during", "after")):
        marked.put(merchant.world, canaries, place, label)
    merchant.world.fault("twice")
    merchant.world.fault("slow", seconds=20.0, times=2)


def test_orders_with_markers_are_on_their_way(journey: Journey) -> None:
    """The books get the persons. A load is killed with orders in memory: what is left of it is sealed."""
    merchant = journey.killed
    until(lambda: len(merchant.world.books.invoices) > 1, "the load books")
    (process,) = journey.sinks.stack.task_processes(merchant.dag_id)
    process.kill()
    psutil.wait_procs([process], timeout=30)
    merchant.world.server.state.faults.clear()
    assert merchant.in_transit() > 0
    made = journey.sinks.opened(journey.back_up())
    assert b"COPY sluis.booking" in made
    assert re.search(rb"COPY sluis\.transit_chunk .*\n(?!\\\.)", made) is None, "a backup with orders in transit"
    found = journey.sinks.search(journey.canaries, backups=journey.backups)
    assert found.leaks(journey.sinks.allowed) == []
    assert found.read["sluis_database"] > 0
    until(lambda: journey.failing.world.books.invoices, "the first order is booked")
    contacts = json.dumps(list(journey.failing.world.books.contacts.values()), default=str)
    assert journey.canaries.word in contacts, "the books got the person"


def test_no_marker_stays_behind(journey: Journey) -> None:
    canaries, logs = journey.canaries, journey.sinks.stack.logs / "dag_id=in_this_process"
    with ThreadPoolExecutor(1) as thread:
        booked = thread.submit(book_in_every_way, canaries, journey.in_files, logs, journey.merchant_files)
        _refused_keys_pages_and_a_backfill(journey.refused, canaries)
        booked.result()
    _killed_and_tried_again(journey.killed)
    _failed_and_tried_again(journey.failing)
    for merchant in (journey.failing, journey.killed, journey.refused):
        assert merchant.in_transit() == 0
        marked.remember_books(merchant.world, canaries)
    journey.back_up()
    found = journey.sinks.search(canaries, journey.dag_ids, backups=journey.backups)
    _told(found)
    assert found.leaks(journey.sinks.allowed) == []
    assert {sink for sink, size in found.read.items() if not size} == MUST_BE_EMPTY
    _stands_where_it_may(found)
    _stands_in_its_files(journey.sinks.search(journey.in_files, merchant_files=journey.merchant_files), journey)


def _stands_where_it_may(found: Found) -> None:
    """The search had something to find: what may stand does, in the places that are meant for it."""
    assert found.places(Kind.PERSON) == set()
    columns = {"booking.reference", "booking.order_number", "quarantine.order_number"}
    assert found.places(Kind.ORDER_NUMBER) >= {"backups", "pages", "task_logs"} | columns
    assert found.places(Kind.ORDER_ID) >= {"quarantine.shop_order_id", "dag_run.conf"}
    assert found.places(Kind.BOOKS_ID) >= {
        "booking.external_id", "booking.debtor_id", "debtor_link.debtor_id", "task_logs"
    }  # fmt: skip


def _stands_in_its_files(found: Found, journey: Journey) -> None:
    """Of what was written as e-invoices the persons stand in the merchant's own folder, and nowhere else."""
    assert found.places(Kind.PERSON) == {"merchant_files"}
    assert found.leaks(journey.sinks.allowed) == []


def _failed_and_tried_again(merchant: Merchant) -> None:
    """The scheduled run needs two tries: three outcomes are unknown after the first."""
    run = merchant.first_run()
    run_id = run["dag_run_id"]
    assert (run["state"], merchant.states(run_id)) == ("success", ALL_GREEN)
    assert merchant.api.tasks(merchant.dag_id, run_id)["load"]["try_number"] == 2
    assert merchant.world.server.state.faults.left() == 0
    # Refused in the first try and offered again by the second: the order, and the debtor of another one.
    assert merchant.api.log(merchant.dag_id, run_id, "load").count("reason=refused_by_package") == 2
    waiting = list(merchant.world.waiting().values())
    wrong = len(marked.marked_shop(PLATFORM).wrong_types(Canaries()))
    assert waiting.count("unreadable") == wrong, waiting
    documents = merchant.report(run_id).tally["documents"]
    assert documents == {"booked": 5, "adopted": ADOPTED, "quarantined": wrong + 2}


def _killed_and_tried_again(merchant: Merchant) -> None:
    run = merchant.first_run()
    assert (run["state"], merchant.states(run["dag_run_id"])) == ("success", ALL_GREEN)
    assert merchant.api.tasks(merchant.dag_id, run["dag_run_id"])["load"]["try_number"] == 2
    # Three orders, each once by us; the one that the proxy delivered twice stands there twice.
    assert sorted(merchant.world.books.references.values()) == [1, 1, 2]


def _refused_keys_pages_and_a_backfill(merchant: Merchant, canaries: Canaries) -> None:
    """Runs that fail in extract and in load, with answers that repeat markers; then what books after all."""
    world = merchant.world
    assert merchant.states(merchant.first_run()["dag_run_id"]) == ONLY_EXTRACT
    # Of this minute: the scheduled run has read up to the last tick, wherever in the day that was.
    order = marked.put(world, canaries, (datetime.now(UTC) - hour(0)) // timedelta(minutes=1), "late")
    refused, wrong = marked.refusal(canaries, "message"), marked.marked_shop(PLATFORM).wrong_answer(canaries)
    read = {"method": "GET", "path": ORDERS}
    other = json.dumps({"code": canaries.text("code"), "message": refused})
    for fault, reconnects in (
        ({"kind": "status", "status": 401, "body": refused, **read}, True),
        ({"kind": "html", "body": marked.page(canaries), **read}, False),
        ({"kind": "wrong_json", "body": other, **read}, False),
        ({"kind": "status", "status": 401, "body": marked.page(canaries)}, True),
    ):
        world.fault(**fault)
        run_id = merchant.manual()
        told = (fault["kind"], world.server.state.faults.left(), merchant.states(run_id))
        assert merchant.api.run(merchant.dag_id, run_id)["state"] == "failed", told
        assert world.server.state.faults.left() == 0
        assert (world.integration.state is IntegrationState.RECONNECT) is reconnects
        if reconnects:
            merchant.resume()
    assert merchant.states(merchant.manual(order_ids=[order])) == ALL_GREEN
    world.fault("wrong_json", body=wrong, **read)  # no order in it has an id: tried again, and then read
    assert merchant.api.run(merchant.dag_id, merchant.manual())["state"] == "success"
    assert world.server.state.faults.left() == 0
    _backfilled(merchant, canaries)


def _backfilled(merchant: Merchant, canaries: Canaries) -> None:
    """An order that came to light later, on a day that was handled long ago."""
    start = ticks(merchant.dag_id, DAY_MINUTES)[0] - timedelta(days=10)
    place = (start + timedelta(minutes=30) - hour(0)) // timedelta(minutes=1)
    marked.put(merchant.world, canaries, place, "backfilled")
    edges = (start - timedelta(hours=1), start + timedelta(hours=1))
    merchant.api.wait_for_backfill(merchant.api.backfill(merchant.dag_id, *edges))
    (run,) = merchant.api.runs(merchant.dag_id, run_type="backfill")
    assert merchant.report(run["dag_run_id"]).tally["documents"] == {"booked": 1}


def _told(found: Found) -> None:
    """Say what was searched, for whoever runs it with -s."""
    print({sink: f"{size / 1e6:.1f} MB" for sink, size in found.read.items()})  # noqa: T201
    print({kind.value: sorted(found.places(kind)) for kind in Kind})  # noqa: T201


# -------------------------------------------------------------------------------------------------------- the control


def test_no_marker_stays_behind_unless_somebody_leaks(journey: Journey) -> None:
    """The control: the search finds an order that a task leaked, in every class of sink that it reads."""
    canaries, merchant = Canaries(), journey.failing
    order = marked.put(merchant.world, canaries, 0, "leaked")
    in_tree = repository() / f"leaked-{merchant.world.merchant}.log"  # ignored by git: in nobody's commit
    conf = {"merchant": merchant.world.merchant, "code": merchant.world.code, "order_id": order, "file": str(in_tree)}
    merchant.api.wait_for_dags(["probe_leaky"])
    try:
        run_id = merchant.api.trigger("probe_leaky", conf=conf)
        assert merchant.api.wait_for_run("probe_leaky", run_id) == "failed"
        log = merchant.api.log("probe_leaky", run_id, "leak")
        assert "cannot read the order of" in log, log
        found = journey.sinks.search(canaries, ["probe_leaky"], backups=[journey.back_up()])
    finally:
        for left in (in_tree, *Path(tempfile.gettempdir()).glob(f"leaked-{merchant.world.merchant}-*")):
            left.unlink(missing_ok=True)
    assert found.sinks == set(found.read)
    assert found.sinks >= MUST_BE_EMPTY
    assert "xcom.value" in found.places(Kind.PERSON)
    assert "quarantine.field" in found.places(Kind.PERSON)
    leaked = {hit.sink for hit in found.leaks(journey.sinks.allowed) if hit.kind is Kind.PERSON}
    assert leaked == found.sinks, "the register allows none of it"


# ---------------------------------------------------------------------------------------------------- past its period

#: More than a quarter and 45 days, and more than the 90 days of the quarantine.
PAST = timedelta(days=200)


def test_no_marker_stays_behind_past_its_period(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention with a moved clock: order numbers too are gone, also from the bytes of the database's files."""
    stack, backups = journey.sinks.stack, journey.folder / "backups"
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(stack.logs))
    monkeypatch.setenv("SLUIS_BACKUPS", str(backups))
    clock = datetime.now(UTC) + PAST
    for category in ("booking_amounts", "quarantine_open", "quarantine_closed", "task_logs", "backups"):
        assert carry_out(stack, clock, category).done.deleted.get(category), category
    assert backup.listing(backups) == []
    found = journey.sinks.search(journey.canaries, backups=backup.listing(backups), everywhere=True)
    # What is written ahead goes with its own window; the conf of runs by hand with Airflow's history, after a month.
    assert found.places(Kind.ORDER_NUMBER) <= {"write_ahead_log"}
    assert not [hit for hit in found.hits if hit.kind is Kind.ORDER_ID and hit.sink == "sluis_database"]
    assert found.places(Kind.PERSON) == set()
    found = journey.sinks.search(journey.in_files, merchant_files=journey.merchant_files, everywhere=True)
    assert found.places(Kind.PERSON) == {"merchant_files"}
    assert found.places(Kind.ORDER_NUMBER) <= {"merchant_files", "write_ahead_log"}
