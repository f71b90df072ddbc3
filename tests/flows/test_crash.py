"""A worker process is killed (SIGKILL) between any two steps; whoever runs next books the rest, and nothing twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest

from sluis.errors import RetryLater, TransitLost
from sluis.flows import extract as extract_flow
from sluis.flows import load as load_flow
from sluis.flows import sync
from sluis.flows.context import RunRequest
from sluis.flows.wiring import open_session
from sluis.store.bookings import BookingState
from sluis.store.locks import administration_lock
from sluis.store.server import SUPERUSER, LocalServer
from tests.flows.victim import arm, kill
from tests.flows.world import NO_WAIT, World, hour

#: Five orders of three customers and a refund of the last: the sixth document is a credit note.
DOCUMENTS = 6


def fill(world: World) -> None:
    orders = world.orders(hour(0), 5, buyers=3)
    world.refund(orders[-1], hour(0.5), quantity=2)


def prepared(world: World) -> RunRequest:
    """A scheduled run whose load is about to start."""
    fill(world)
    request = world.scheduled(1)
    sync.extract(request)
    sync.transform(request)
    return request


def lock_is_free(world: World) -> None:
    with open_session(world.merchant, world.code) as session:
        key = session.integration.administration_key
        with session.connect() as own, administration_lock(own, key, timedelta(seconds=10)):
            pass


def finish(world: World, request: RunRequest, again: str) -> None:
    """Go on as Airflow would: with another try of the killed task, or (it gave up) with the next scheduled run."""
    if again == "retry":
        sync.load(request, settle=NO_WAIT)
        sync.shred(request)
    else:
        world.run(world.scheduled(2))
        assert world.in_transit() > 0  # nobody tidied up after the killed run
        with open_session(world.merchant, world.code) as session:
            session.transit.sweep(NO_WAIT)


@pytest.mark.parametrize(
    ("point", "at", "sent", "claims", "again"),
    [
        ("before_claim", 6, 5, 0, "retry"),
        ("after_claim", 1, 0, 1, "retry"),
        ("after_claim", 4, 3, 1, "next_run"),
        ("answered", 1, 1, 1, "retry"),
        ("answered", 4, 4, 1, "next_run"),
        ("answered", 6, 6, 1, "retry"),
        ("recorded", 4, 4, 0, "next_run"),
        ("debtor_created", 2, 1, 0, "retry"),
        ("debtor_linked", 3, 2, 0, "next_run"),
        ("reported", 1, 6, 0, "retry"),
        ("reported", 1, 6, 0, "next_run"),
    ],
)
def test_load_is_killed(world: World, point: str, at: int, sent: int, claims: int, again: str) -> None:
    request = prepared(world)
    kill("load", request, point, at)
    assert len(world.books.invoices) == sent  # it died where it should
    assert world.states()[BookingState.CLAIMED] == claims
    watermark = hour(1) if point == "reported" else None
    assert world.integration.watermark == watermark
    lock_is_free(world)
    finish(world, request, again)
    world.prove()
    assert len(world.books.contacts) == 3
    assert world.calls("POST", "/external_sales_invoices") == DOCUMENTS  # nothing was even sent twice
    assert world.in_transit() == 0
    assert world.integration.watermark == hour(1 if again == "retry" else 2)


def test_reports_of_a_killed_and_a_later_run_count_every_document_once(world: World) -> None:
    request = prepared(world)
    kill("load", request, "answered", 3)
    finish(world, request, "next_run")
    with open_session(world.merchant, world.code) as session:
        (report,) = session.reports.list()
    documents = report.tally["documents"]
    # two were booked by the run that died before it could report, the third had no answer and was found
    assert documents == {"adopted": 1, "booked": 5}


def test_what_a_later_run_adopted_is_told_by_its_own_report_also_when_that_run_died_too(world: World) -> None:
    first = prepared(world)
    kill("load", first, "answered", 1)
    sync.shred(first)
    second = world.scheduled(2)
    sync.extract(second)
    sync.transform(second)
    kill("load", second, "recorded", 1)
    done = sync.load(second, settle=NO_WAIT)
    sync.shred(second)
    assert (done.adopted, done.booked, done.already_booked) == (1, 5, 0)
    world.prove()


def test_a_load_that_dies_again_and_again_gets_there(world: World) -> None:
    request = prepared(world)
    for point in ("answered", "after_claim", "recorded"):
        kill("load", request, point, 2 if point == "recorded" else 1)
    done = sync.load(request, settle=NO_WAIT)
    sync.shred(request)
    assert (done.booked + done.adopted, done.already_booked) == (DOCUMENTS, 0)  # all of this run, in whatever try
    world.prove()
    assert world.calls("POST", "/external_sales_invoices") == DOCUMENTS


@pytest.mark.parametrize(
    ("point", "at", "again"), [("chunk_written", 1, "retry"), ("chunk_written", 3, "next_run"), ("sealed", 1, "retry")]
)
def test_extract_is_killed(world: World, point: str, at: int, again: str) -> None:
    fill(world)
    request = world.scheduled(1)
    kill("extract", request, point, at, chunk=2)
    assert world.in_transit() > 0
    with pytest.raises(TransitLost):  # half a batch is never taken for a whole one
        sync.transform(request)
    if again == "retry":
        world.run(request)
    else:
        world.run(world.scheduled(2))
        with open_session(world.merchant, world.code) as session:
            session.transit.sweep(NO_WAIT)
    world.prove()
    assert world.in_transit() == 0


def test_transform_is_killed_between_two_chunks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract_flow, "CHUNK", 2)
    fill(world)
    request = world.scheduled(1)
    sync.extract(request)
    kill("transform", request, "chunk_written", 2)
    with pytest.raises(TransitLost):
        sync.load(request, settle=NO_WAIT)
    assert not world.books.invoices
    sync.transform(request)  # Airflow's next try of the task
    sync.load(request, settle=NO_WAIT)
    sync.shred(request)
    world.prove()
    assert world.in_transit() == 0


def test_a_batch_lost_between_transform_and_load_is_read_again(world: World) -> None:
    request = prepared(world)
    sync.shred(request)  # the table is UNLOGGED: a crash of the server empties it
    with pytest.raises(TransitLost):
        sync.load(request, settle=NO_WAIT)
    assert world.integration.watermark is None
    assert not world.books.invoices
    world.run(request)  # cleared from extract on
    world.prove()
    assert world.integration.watermark == hour(1)


def test_one_chunk_lost_is_noticed_before_it_is_missed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract_flow, "CHUNK", 2)
    request = prepared(world)
    with open_session(world.merchant, world.code) as session:
        session.conn.execute("delete from sluis.transit_chunk where stage = 'transformed' and number = 1")
    with pytest.raises(TransitLost):
        sync.load(request, settle=NO_WAIT)
    assert world.integration.watermark is None
    sync.shred(request)
    world.run(world.scheduled(2))
    world.prove()


def test_the_database_goes_away_between_answer_and_record(world: World, postgres: LocalServer) -> None:
    request = prepared(world)

    def everybody_out() -> None:
        with psycopg.connect(postgres.dsn("postgres", SUPERUSER), autocommit=True) as conn:
            conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname like 'test_%'")

    owner, name, original = arm("answered", 3, everybody_out)
    try:
        with pytest.raises(RetryLater):
            sync.load(request, settle=NO_WAIT)
    finally:
        setattr(owner, name, original)
    assert len(world.books.invoices) == 3
    done = sync.load(request, settle=NO_WAIT)
    sync.shred(request)
    assert (done.booked, done.adopted) == (5, 1)
    world.prove()


def test_two_loads_at_once_take_turns_and_book_once(world: World) -> None:
    requests = [prepared(world), world.backfill(0, 1), world.request("manual")]
    for request in requests[1:]:
        sync.extract(request)
        sync.transform(request)
    with ThreadPoolExecutor(len(requests)) as pool:
        done = list(pool.map(lambda request: sync.load(request, settle=NO_WAIT), requests))
    for request in requests:
        sync.shred(request)
    assert sorted(d.booked for d in done) == [0, 0, DOCUMENTS]
    assert world.calls("POST", "/external_sales_invoices") == DOCUMENTS
    world.prove()


def test_a_load_that_does_not_get_its_turn_waits_for_another_try(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    request = prepared(world)
    monkeypatch.setattr(load_flow, "TURN", timedelta(milliseconds=50))
    with open_session(world.merchant, world.code) as session:
        key = session.integration.administration_key
        with (
            session.connect() as own,
            administration_lock(own, key, timedelta(seconds=1)),
            pytest.raises(RetryLater) as caught,
        ):
            sync.load(request, settle=NO_WAIT)
    assert caught.value.code == "administration_busy"
    assert not world.books.invoices
    sync.load(request, settle=NO_WAIT)
    sync.shred(request)
    world.prove()


def test_what_a_failed_run_booked_is_told_by_exactly_one_report(world: World) -> None:
    first = prepared(world)
    kill("load", first, "recorded", 2)
    sync.shred(first)
    second = world.scheduled(2)
    sync.extract(second)
    sync.transform(second)
    kill("load", second, "recorded", 1)  # it took two over, and dies before its report as well
    sync.shred(second)
    for number in (3, 4):
        world.run(world.backfill(-1, number))
    with open_session(world.merchant, world.code) as session:
        told = [report.tally["documents"] for report in reversed(session.reports.list())]
        money = session.reports.list()[-1].tally["cents"]["EUR"]
    assert told == [{"booked": DOCUMENTS}, {"already_booked": DOCUMENTS}]
    assert money == {"booked": world.books.total_cents}


def test_what_a_cleared_run_booked_before_it_died_is_told_by_the_next_report(world: World) -> None:
    first = world.scheduled(1)
    world.order(hour(0), buyer="before")
    world.run(first)
    world.orders(hour(0.1), 3)
    sync.extract(first)  # cleared: the same run again, and it has a report already
    sync.transform(first)
    kill("load", first, "recorded", 2)
    done = sync.load(first, settle=NO_WAIT)
    sync.shred(first)
    assert (done.booked, done.already_booked) == (3, 1)
    again = world.run(first)
    assert again is not None
    assert (again.booked, again.already_booked) == (0, 4)
    world.prove()
