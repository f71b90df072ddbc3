"""Days that do not add up, entries that a person touched, runs that died untold, and entries made by hand."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal

import pytest

from sluis.core.invoice import DocumentKind
from sluis.core.journals import entry_of
from sluis.core.money import cents
from sluis.errors import OutcomeUnknown, Refused, RetryLater
from sluis.ports import Form
from sluis.store.database import owner_connection
from tests.conftest import Database
from tests.core.journals_world import MAPPING
from tests.flows.summaries_world import D1, D2, D3, DailyWorld, told
from tests.flows.test_modes import Shop, sold

pytestmark = pytest.mark.postgres


@pytest.fixture
def daily(database: Database) -> DailyWorld:
    return DailyWorld()


# ------------------------------------------------------------------------------------------ a day that does not add up

UNSOUND = {
    "paid": "paid = '[]'",
    "total": "total_cents = total_cents + 1",
    "figures": "figures = null",
}


@pytest.mark.parametrize("change", UNSOUND.values(), ids=UNSOUND)
def test_a_day_that_does_not_add_up_stops_no_other(
    daily: DailyWorld, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    daily.hold(D1)
    wrong = daily.hold(D1, net="50")
    daily.hold(D2, net="10")
    with daily.session() as session:
        session.conn.execute(f"update sluis.booking set {change} where reference = '{wrong}'")
    with caplog.at_level(logging.ERROR, "sluis.summaries"):
        outcomes = daily.post(D3)
    assert told(outcomes) == [("D20261101", "quarantined", "summary_inconsistent"), ("D20261102", "booked", None)]
    assert outcomes[0].field == wrong
    assert daily.books.booked == [("D20261102", "2026-11-02", 1210)]
    assert "day=2026-11-01 does not add up" in caplog.text
    assert daily.rows()[wrong].waits_for_summary
    assert daily.due(D3)


def test_a_look_up_that_is_refused_stops_no_other_day(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.hold(D2, net="10")
    daily.books.after.append(RuntimeError("gone"))
    with pytest.raises(RuntimeError):
        daily.post(D2)
    daily.books.finding.append(Refused("no", field="reference"))
    outcomes = daily.post(D3)
    assert told(outcomes) == [("D20261101", "quarantined", "refused_by_package"), ("D20261102", "booked", None)]
    daily.post(D3)
    daily.prove()


# -------------------------------------------------------------------------------- an entry that stood wrongly, touched


def stands_wrongly(daily: DailyWorld) -> None:
    """Post a day that the books compute otherwise; it waits in quarantine, as a load puts it there."""
    daily.hold(D1)
    daily.books.change = {"total_vat": Decimal("1.00")}
    (outcome,) = daily.post(D2)
    assert told([outcome]) == [("D20261101", "quarantined", "total_differs")]
    daily.books.change = {}
    with daily.session() as session:
        key = session.pseudonyms.document_key(daily.code, outcome.kind, outcome.document_id)
        session.quarantine.put(
            kind=outcome.kind, document_key=key, shop_order_id=outcome.order_id, order_number=outcome.order_number,
            reason=outcome.reason or "", currency=outcome.currency, total_cents=cents(outcome.total),
        )  # fmt: skip


def offer(daily: DailyWorld) -> None:
    with daily.session() as session:
        assert session.quarantine.offer(everything=True) == 1


def test_an_entry_that_was_deleted_and_offered_is_posted_anew(daily: DailyWorld) -> None:
    stands_wrongly(daily)
    daily.books.entries.clear()
    offer(daily)
    assert told(daily.post(D2)) == [("D20261101", "booked", None)]
    daily.prove()


def test_an_entry_that_was_deleted_waits_for_the_offer(daily: DailyWorld) -> None:
    stands_wrongly(daily)
    daily.books.entries.clear()
    assert told(daily.post(D2)) == [("D20261101", "quarantined", "total_differs")]
    assert daily.books.entries == []


@pytest.mark.parametrize("change", [{"reference": "Dagstaat 1 nov"}, {"issue_date": D1 + timedelta(days=20)}])
@pytest.mark.parametrize("offered", [True, False])
def test_an_entry_that_was_renamed_or_moved_is_not_posted_anew(
    daily: DailyWorld, change: dict[str, object], offered: bool
) -> None:
    stands_wrongly(daily)
    ((key, entry),) = daily.books.entries
    daily.books.entries[0] = (key, entry.model_copy(update=change))
    if offered:
        offer(daily)
    for _ in range(2):
        (outcome,) = daily.post(D2)
        assert told([outcome]) == [("D20261101", "quarantined", "total_differs")]
        assert outcome.external_id == key
    assert len(daily.books.entries) == 1


def test_a_list_that_does_not_answer_proves_nothing(daily: DailyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    stands_wrongly(daily)
    daily.books.entries.clear()
    offer(daily)

    def away(*_: object) -> None:
        raise RetryLater("502")

    with monkeypatch.context() as patch:
        patch.setattr(type(daily.books), "documents", away)
        assert told(daily.post(D2)) == [("D20261101", "deferred", "package_unavailable")]
    assert told(daily.post(D2)) == [("D20261101", "booked", None)]
    daily.prove()


# --------------------------------------------------------------------------------------------- an entry made by hand


def waiting_for_an_account(shop: Shop, mode: str) -> None:
    """An order that lacks an account waits in quarantine."""
    shop.daily.change(booking_mode=mode, mapping={"vat_accounts": {"S 21 NL": ""}})
    (outcome,) = shop.run(sold())
    with shop.daily.session() as session:
        key = session.pseudonyms.document_key(shop.daily.code, DocumentKind.INVOICE, outcome.document_id)
        session.quarantine.put(
            kind=DocumentKind.INVOICE, document_key=key, shop_order_id="77", order_number="1001",
            reason=outcome.reason or "", field=outcome.field, currency="EUR", total_cents=12100,
        )  # fmt: skip


@pytest.mark.parametrize("mode", ["daily", "journal_entry"])
@pytest.mark.parametrize("form", ["journal_entry", "invoice"])
def test_a_document_that_was_booked_by_hand_is_not_posted_again(database: Database, mode: str, form: str) -> None:
    shop = Shop()
    waiting_for_an_account(shop, mode)
    if form == "invoice":
        shop.books.invoices.append(("hand", None, sold()))
    else:
        shop.books.entries.append(("hand", entry_of(sold(), MAPPING, None)))
    shop.daily.change(mapping={"vat_accounts": {"S 21 NL": "1500"}})
    shop.settle(sold())
    assert shop.books.total == 12100
    with shop.daily.session() as session:
        (row,) = session.bookings.of_orders([], ["1001"])
    assert (row.state.value, row.form, row.external_id, row.summary_key) == ("booked", form, "hand", None)


def test_a_package_without_entries_is_not_asked_for_one(database: Database) -> None:
    shop = Shop()
    waiting_for_an_account(shop, "daily")
    shop.books.forms = frozenset({Form.INVOICE})
    shop.daily.change(mapping={"vat_accounts": {"S 21 NL": "1500"}})
    shop.run(sold())
    assert shop.books.calls == []


# ------------------------------------------------------------------------------------- a run that died before it told


def test_a_day_of_a_run_that_died_is_told_once_by_the_next(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.post(D2, "died", reported=False)
    with daily.session() as session:
        daily.report(session, "idle")  # a run that read nothing in between
    assert daily.due(D2)
    daily.hold(D2, net="10")
    outcomes = daily.post(D3, "second")
    assert told(outcomes) == [("D20261102", "booked", None), ("D20261101", "booked", None)]
    assert (outcomes[1].total, outcomes[1].vat, outcomes[1].external_id) == (Decimal("121.00"), Decimal("21.00"), "e1")
    assert (outcomes[1].document_id, outcomes[1].issue_date) == ("2026-11-01", D1)
    assert daily.rows()["D20261101"].run_id == "second"
    assert not daily.due(D3)
    assert daily.post(D3, "third") == []
    assert daily.books.calls == ["post D20261101", "post D20261102"]
    daily.prove()


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_that_is_tried_again_or_cleared_tells_its_day(daily: DailyWorld, times: int) -> None:
    for _ in range(times - 1):
        assert daily.post(D1) == []  # an earlier time of the same run, with a report of its own
    daily.hold(D1)
    daily.post(D2, reported=False)
    assert told(daily.post(D2)) == [("D20261101", "booked", None)]
    assert daily.post(D2) == []


def test_an_adopted_day_is_told_as_adopted(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.books.after.append(OutcomeUnknown("time-out"))
    daily.post(D2)
    daily.post(D2, "died", reported=False)
    assert told(daily.post(D2, "second")) == [("D20261101", "adopted", None)]


def test_what_retention_took_the_report_of_is_not_told_again(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.post(D2, "first")
    daily.post(D2, "second")
    with owner_connection() as conn:
        conn.execute("delete from sluis.run_report where sequence = 1")
    assert not daily.due(D2)
    assert daily.post(D2, "third") == []
