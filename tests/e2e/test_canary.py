"""No personal datum stays behind: markers in every personal field of orders, driven through success and every failure.

Through a real Airflow: booked, refunded, refused (422 whose body repeats the order), answered 500 after it was booked,
never answered, answered with HTML around it, a debtor refused, quarantined four ways, tried again, both credentials
refused and an HTML page of the shop; and, in this process, every way of booking (tests/e2e/marked_books.py). Then every
sink is searched (tests/e2e/sinks.py). The control leaks an order of its own into each class of sink and must be found
in all of them.
"""

from __future__ import annotations

import base64
import html
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from sluis.local.places import repository
from sluis.store.integrations import IntegrationState
from sluis.store.server import LocalServer
from tests.airflow_harness import AirflowStack
from tests.e2e import marked_orders as marked
from tests.e2e.marked_books import book_in_every_way
from tests.e2e.merchant import ALL_GREEN, Merchant, joined, store_of, until
from tests.e2e.sinks import Canaries, Found, Sinks, scan
from tests.flows.world import ORDERS

CONTACTS = "*/contacts.json"
#: An unknown outcome in a try: order 2 (500), 3 (no answer) and 5 (HTML).
ADOPTED = 3


@dataclass(frozen=True)
class Journey:
    """A merchant whose orders are under way, and what to look for."""

    merchant: Merchant
    canaries: Canaries
    sinks: Sinks


@pytest.fixture(scope="session")
def journey(airflow_stack: AirflowStack, postgres: LocalServer) -> Iterator[Journey]:
    """Ten orders and what happens to each of them; the first scheduled run has begun with them."""
    since, canaries = time.time(), Canaries()
    with store_of(airflow_stack), joined(airflow_stack) as merchant:
        world = merchant.world
        for place, label in enumerate(("well", "refused", "broken", "silent", "refunded", "page", "nobody")):
            order = marked.put(world, canaries, place, label)
            if label == "refunded":
                marked.give_back(world, canaries, order, place)
        marked.put(world, canaries, 7, "unreadable", date_paid_gmt=canaries.text("date"))
        marked.put(world, canaries, 8, "currency", currency=canaries.word)
        marked.put(world, canaries, 9, "differs", total="0.01")
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
        yield Journey(merchant, canaries, Sinks(airflow_stack, postgres, since))


@pytest.mark.airflow
def test_orders_with_markers_are_on_their_way(journey: Journey) -> None:
    until(lambda: journey.merchant.world.books.invoices, "the first order is booked")
    contacts = json.dumps(list(journey.merchant.world.books.contacts.values()), default=str)
    assert journey.canaries.word in contacts, "the books got the person"


@pytest.mark.airflow
def test_no_marker_stays_behind(journey: Journey) -> None:
    merchant, canaries = journey.merchant, journey.canaries
    _first_run(merchant)
    _refused_keys_and_a_page(merchant, canaries)
    book_in_every_way(canaries, merchant.stack.logs / "processes")
    assert merchant.in_transit() == 0
    found = journey.sinks.search(canaries)
    assert [(hit.sink, hit.place, hit.form, hit.around) for hit in found.hits] == []
    _told(found)
    assert min(found.read.values()) > 0


def _first_run(merchant: Merchant) -> None:
    """The scheduled run needs two tries: three outcomes are unknown after the first."""
    run = merchant.first_run()
    run_id = run["dag_run_id"]
    assert (run["state"], merchant.states(run_id)) == ("success", ALL_GREEN)
    assert merchant.api.tasks(merchant.dag_id, run_id)["load"]["try_number"] == 2
    assert merchant.world.server.state.faults.left() == 0
    tally = merchant.report(run_id).tally
    # Refused in the first try and offered again by the second: the order, and the debtor of another one.
    assert merchant.api.log(merchant.dag_id, run_id, "load").count("reason=refused_by_package") == 2
    assert tally["documents"] == {"booked": 5, "adopted": ADOPTED, "quarantined": 3}


def _refused_keys_and_a_page(merchant: Merchant, canaries: Canaries) -> None:
    """Runs that fail in extract and in load, with answers that repeat markers; and the one that books after all."""
    world = merchant.world
    marked.put(world, canaries, 20 * 24 * 60 - 30, "late")
    refused = marked.refusal(canaries, "message")
    for fault, reconnects in (
        ({"kind": "status", "status": 401, "method": "GET", "path": ORDERS, "body": refused}, True),
        ({"kind": "html", "method": "GET", "path": ORDERS, "body": marked.page(canaries)}, False),
        ({"kind": "status", "status": 401, "body": marked.page(canaries)}, True),
    ):
        world.fault(**fault)
        run_id = merchant.manual()
        assert merchant.api.run(merchant.dag_id, run_id)["state"] == "failed"
        assert world.server.state.faults.left() == 0
        assert (world.integration.state is IntegrationState.RECONNECT) is reconnects
        if reconnects:
            merchant.resume()
    assert merchant.states(merchant.manual()) == ALL_GREEN


def _told(found: Found) -> None:
    """Say what was searched, for whoever runs it with -s."""
    print({sink: f"{size / 1e6:.1f} MB" for sink, size in found.read.items()})  # noqa: T201


# -------------------------------------------------------------------------------------------------------- the control


@pytest.mark.airflow
def test_no_marker_stays_behind_unless_somebody_leaks(journey: Journey) -> None:
    """The control: the search finds an order that a task leaked, in every class of sink that it reads."""
    canaries, merchant = Canaries(), journey.merchant
    order = marked.put(merchant.world, canaries, 0, "leaked")
    in_tree = repository() / f"leaked-{merchant.world.merchant}.log"  # ignored by git: in nobody's commit
    conf = {"merchant": merchant.world.merchant, "code": merchant.world.code, "order_id": order, "file": str(in_tree)}
    merchant.api.wait_for_dags(["probe_leaky"])
    try:
        run_id = merchant.api.trigger("probe_leaky", conf=conf)
        assert merchant.api.wait_for_run("probe_leaky", run_id) == "failed"
        log = merchant.api.log("probe_leaky", run_id, "leak")
        assert "cannot read the order of" in log, log
        found = journey.sinks.search(canaries)
    finally:
        for left in (in_tree, *Path(tempfile.gettempdir()).glob(f"leaked-{merchant.world.merchant}-*")):
            left.unlink(missing_ok=True)
    assert found.sinks == set(found.read)


@pytest.mark.parametrize("field", ["last_name", "note"])
def test_the_search_knows_every_form(field: str) -> None:
    canaries = Canaries()
    text = canaries.text(field)
    forms = [
        text, text.lower(), text.upper(), text.title(), quote(text), quote_plus(text), quote(text, safe=""),
        html.escape(text), json.dumps(text), repr(text), text.encode().hex(),
        *(base64.b64encode(("x" * shift + text).encode()).decode() for shift in range(3)),
        *(base64.urlsafe_b64encode(("x" * shift + text.upper()).encode()).decode() for shift in range(3)),
        f"+{canaries.digits}", quote(canaries.address, safe=""),
    ]  # fmt: skip
    missed = [form for form in forms if not list(scan(BytesIO(f"before {form} after".encode()), canaries.needles))]
    assert missed == []
    assert list(scan(BytesIO(text.encode("utf-16-le")), canaries.needles))
    assert not list(scan(BytesIO(Canaries().text(field).encode() * 1000), canaries.needles))


def test_the_search_finds_what_two_pieces_share(monkeypatch: pytest.MonkeyPatch) -> None:
    canaries = Canaries()
    monkeypatch.setattr("tests.e2e.sinks.CHUNK", 64)
    for before in range(50, 70):
        assert list(scan(BytesIO(b"-" * before + canaries.word.encode() + b"-" * 200), canaries.needles)), before
