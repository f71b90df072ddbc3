"""Exactly once hangs on these rows: claims, their races, and what each state allows."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from typing import Any

import pytest

from sluis.core.invoice import DocumentKind
from sluis.errors import Defect, Refused
from sluis.store.bookings import Bookings, BookingState
from tests.conftest import Database
from tests.store.helpers import add_integration, claim, key, name

pytestmark = pytest.mark.postgres
INVOICE = DocumentKind.INVOICE
ANSWER: dict[str, Any] = {
    "external_id": "901", "debtor_id": "77", "package_total_cents": 1210, "package_vat_cents": 210, "adopted": False,
}  # fmt: skip
FOUND: dict[str, Any] = {
    "reference_key": name("1"), "order_number": "1", "fingerprint": b"g" * 32, "total_cents": 1210, "vat_cents": 210,
    "currency": "EUR", "issue_date": date(2026, 11, 2), "run_id": "run", "external_id": "901", "debtor_id": "77",
    "package_total_cents": 1210, "package_vat_cents": 210,
}  # fmt: skip
#: What retention does to a row 45 days after its quarter.
EMPTY = """update sluis.booking set reference = null, order_number = null, total_cents = null, vat_cents = null,
    package_total_cents = null, package_vat_cents = null, figures = null, payment_method = null, paid = null,
    evidence = null, original_date = null"""


@pytest.fixture
def bookings(database: Database) -> Any:
    integration = add_integration(database)
    with database.task(integration.merchant) as conn:
        yield Bookings(conn, integration)


def test_a_claim_is_seen_at_once_by_others_and_counted_when_it_comes_again(database: Database) -> None:
    integration = add_integration(database)
    with database.task(integration.merchant) as one, database.task(integration.merchant) as two:
        first = claim(Bookings(one, integration), 1)
        assert Bookings(two, integration).latest([(INVOICE, key(1))]) == {(INVOICE, key(1)): first}
        again = claim(Bookings(two, integration), 1, reference="other", total_cents=1, run_id="later")
    assert (first.attempts, first.state) == (1, BookingState.CLAIMED)
    assert (again.attempts, again.reference, again.total_cents, again.run_id) == (2, "1", 1210, "later")


def test_a_claim_gets_its_answer_once_and_the_same_answer_again_is_fine(bookings: Bookings) -> None:
    claim(bookings, 1)
    booked = bookings.booked(INVOICE, key(1), 0, **ANSWER)
    assert (booked.state, booked.external_id, booked.package_total_cents) == (BookingState.BOOKED, "901", 1210)
    assert booked.booked_at is not None
    assert bookings.booked(INVOICE, key(1), 0, **ANSWER) == booked
    with pytest.raises(Defect, match="it is booked"):
        bookings.booked(INVOICE, key(1), 0, **{**ANSWER, "external_id": "902"})


def test_what_a_state_does_not_allow_is_refused_and_changes_nothing(bookings: Bookings) -> None:
    for forbidden in (
        lambda: bookings.booked(INVOICE, key(1), 0, **ANSWER),
        lambda: bookings.release(INVOICE, key(1), 0),
        lambda: bookings.quarantine(INVOICE, key(1), 0, "total_differs"),
    ):
        with pytest.raises(Defect, match="it is not claimed"):
            forbidden()
    claim(bookings, 1)
    booked = bookings.booked(INVOICE, key(1), 0, **ANSWER)
    for refused in (
        lambda: bookings.release(INVOICE, key(1), 0),
        lambda: bookings.quarantine(INVOICE, key(1), 0, "total_differs"),
        lambda: claim(bookings, 1),
        lambda: bookings.adopt(
            kind=INVOICE, document_key=key(1), revision=0, reference="1", **{**FOUND, "external_id": "9"}
        ),
    ):
        with pytest.raises(Defect, match="booked"):
            refused()
    assert bookings.latest([(INVOICE, key(1))])[(INVOICE, key(1))] == booked


def test_release_frees_document_and_number(bookings: Bookings) -> None:
    claim(bookings, 1)
    bookings.release(INVOICE, key(1), 0)
    assert bookings.latest([(INVOICE, key(1))]) == {}
    assert claim(bookings, 2, reference="1").attempts == 1


def test_quarantined_without_a_document_in_the_books_can_be_claimed_again(bookings: Bookings) -> None:
    claim(bookings, 1)
    assert bookings.quarantine(INVOICE, key(1), 0, "refused_by_package").reason == "refused_by_package"
    again = claim(bookings, 1)
    assert (again.state, again.attempts, again.reason) == (BookingState.CLAIMED, 2, None)


def test_quarantined_with_a_wrong_document_in_the_books_is_not_booked_beside_it(bookings: Bookings) -> None:
    claim(bookings, 1)
    bookings.quarantine(INVOICE, key(1), 0, "total_differs", external_id="901")
    with pytest.raises(Refused) as caught:
        claim(bookings, 1)
    assert (caught.value.code, caught.value.field) == ("total_differs", "external_id")
    bookings.release(INVOICE, key(1), 0)  # a person deleted it there
    assert claim(bookings, 1).attempts == 1


def test_latest_gives_the_highest_revision_of_each_document_in_one_query(bookings: Bookings) -> None:
    claim(bookings, 1)
    bookings.booked(INVOICE, key(1), 0, **ANSWER)
    claim(bookings, 1, revision=1, reference="1-R1")
    claim(bookings, 1, kind=DocumentKind.CREDIT_NOTE, reference="1-C1", total_cents=-1210, vat_cents=-210)
    found = bookings.latest([(INVOICE, key(1)), (DocumentKind.CREDIT_NOTE, key(1)), (INVOICE, key(3))])
    assert {k: (b.revision, b.reference) for k, b in found.items()} == {
        (INVOICE, key(1)): (1, "1-R1"),
        (DocumentKind.CREDIT_NOTE, key(1)): (0, "1-C1"),
    }
    assert found[(DocumentKind.CREDIT_NOTE, key(1))].total_cents == -1210
    assert bookings.latest([]) == {}
    assert bookings.counts() == {**dict.fromkeys(BookingState, 0), BookingState.CLAIMED: 2, BookingState.BOOKED: 1}


def test_a_number_is_given_once_in_an_administration_whoever_asks(database: Database) -> None:
    one = add_integration(database, administration="moneybird/1")
    two = add_integration(database, merchant=one.merchant, administration="moneybird/1")
    elsewhere = add_integration(database, merchant=one.merchant, administration="moneybird/2")
    with database.task(one.merchant) as conn:
        claim(Bookings(conn, one), 1001)
        with pytest.raises(Refused) as caught:
            claim(Bookings(conn, two), 1001)
        assert (caught.value.code, caught.value.field) == ("duplicate_number", "number")
        with pytest.raises(Refused, match="1001"):
            claim(Bookings(conn, one), 2, reference="1001")
        assert claim(Bookings(conn, elsewhere), 1001, reference_key=name("2/1001")).attempts == 1
        assert Bookings(conn, two).counts()[BookingState.CLAIMED] == 0


def test_a_number_is_not_given_again_once_retention_emptied_it(bookings: Bookings, database: Database) -> None:
    claim(bookings, 1, reference="1001")
    with database.owner() as conn:
        assert conn.execute(EMPTY).rowcount == 1
    with pytest.raises(Refused) as caught:
        claim(bookings, 2, reference="1001")
    assert caught.value.code == "duplicate_number"
    emptied = bookings.latest([(INVOICE, key(1))])[INVOICE, key(1)]
    assert (emptied.emptied, emptied.reference, emptied.reference_key) == (True, None, name("1001"))
    assert claim(bookings, 2, reference="1002").reference == "1002"


def test_rows_of_before_the_keyed_references_get_theirs_once(bookings: Bookings, database: Database) -> None:
    claim(bookings, 1)
    claim(bookings, 2)
    with database.owner() as conn:
        conn.execute("update sluis.booking set reference_key = null where reference = '1'")
    assert bookings.key_references(name) == 1
    assert bookings.key_references(name) == 0
    found = bookings.latest([(INVOICE, key(1)), (INVOICE, key(2))])
    assert [row.reference_key for row in found.values()] == [name("1"), name("2")]


def test_adopting_an_emptied_claim_says_again_what_it_is(bookings: Bookings, database: Database) -> None:
    claim(bookings, 1)
    with database.owner() as conn:
        conn.execute(EMPTY)
    adopted = bookings.adopt(kind=INVOICE, document_key=key(1), revision=0, reference="1", **FOUND)
    assert (adopted.state, adopted.reference, adopted.order_number) == (BookingState.BOOKED, "1", "1")
    assert adopted.total_cents == 1210


def test_adopt_records_what_stands_in_the_books_and_settles_an_unanswered_claim(bookings: Bookings) -> None:
    adopted = bookings.adopt(kind=INVOICE, document_key=key(1), revision=0, reference="1", **FOUND)
    assert (adopted.state, adopted.adopted, adopted.external_id) == (BookingState.BOOKED, True, "901")
    assert bookings.adopt(kind=INVOICE, document_key=key(1), revision=0, reference="1", **FOUND) == adopted
    claim(bookings, 2)
    settled = bookings.adopt(
        kind=INVOICE,
        document_key=key(2),
        revision=0,
        reference="2",
        **{**FOUND, "external_id": "902", "reference_key": name("2")},
    )
    assert (settled.state, settled.adopted, settled.fingerprint) == (BookingState.BOOKED, True, b"g" * 32)
    with pytest.raises(Refused) as caught:
        bookings.adopt(kind=INVOICE, document_key=key(3), revision=0, reference="2", **FOUND)
    assert caught.value.code == "duplicate_number"


_RACE = """
import sys
from sluis.store.bookings import Bookings
from sluis.store.database import task_connection
from sluis.store.integrations import Integrations
from tests.store.helpers import claim
merchant, code = sys.argv[1:3]
with task_connection(merchant) as conn:
    bookings = Bookings(conn, Integrations(conn).get(merchant, code))
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(50):
        print(claim(bookings, number).attempts, flush=True)
"""


def test_two_processes_that_claim_the_same_documents_never_both_come_first(database: Database) -> None:
    integration = add_integration(database)
    command = [sys.executable, "-c", _RACE, integration.merchant, integration.code]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        answers = [[int(line) for line in racer.communicate(timeout=60)[0].split()] for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    assert [sorted(pair) for pair in zip(*answers, strict=True)] == [[1, 2]] * 50


def test_held_is_changed_until_a_summary_takes_it_and_of_orders_finds_by_number(bookings: Bookings) -> None:
    content: dict[str, Any] = {
        "reference": "1", "reference_key": name("1"), "order_number": "1", "fingerprint": b"f" * 32,
        "total_cents": 1210, "vat_cents": 210,
        "currency": "EUR", "issue_date": date(2026, 11, 2), "run_id": "run", "form": "journal_entry",
    }  # fmt: skip
    held = bookings.hold(kind=INVOICE, document_key=key(1), revision=0, **content)
    assert (held.state, held.stands, held.waits_for_summary) == (BookingState.HELD, True, True)
    changed = bookings.rehold(kind=INVOICE, document_key=key(1), revision=0, **{**content, "total_cents": 2420})
    assert changed is not None
    assert changed.total_cents == 2420
    assert bookings.of_orders([], ["1"]) == [changed]
    bookings.release(INVOICE, key(1), 0)
    assert bookings.of_orders([(INVOICE, key(1))], ["1"]) == []
    assert bookings.rehold(kind=INVOICE, document_key=key(1), revision=0, **content) is None
