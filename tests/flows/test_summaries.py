"""Days: posted once when they are over, again with only the difference, and never twice whatever goes wrong."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sluis.core.invoice import DocumentKind, Role
from sluis.core.order import LineKind
from sluis.errors import NotConfigured, OutcomeUnknown, ProofFailed, QuotaSpent, Reconnect, Refused, RetryLater
from sluis.flows import summaries
from sluis.flows.context import RunRequest
from sluis.flows.patience import Patience
from sluis.store.summaries import Summaries
from tests.conftest import Database
from tests.core.journals_world import S9, S21, invoice, payment
from tests.flows.summaries_world import D1, D2, D3, DailyWorld, told

pytestmark = pytest.mark.postgres


@pytest.fixture
def daily(database: Database) -> DailyWorld:
    return DailyWorld()


# ---------------------------------------------------------------------------------------------------- when, and once


def test_a_day_is_posted_once_when_it_is_over(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.hold(D1, net="50", treatment=S9)
    daily.hold(D2, net="10")
    assert not daily.due(D1)
    assert daily.post(D1) == []
    assert daily.due(D2)
    outcomes = daily.post(D2)
    assert told(outcomes) == [("D20261101", "booked", None)]
    assert daily.books.booked == [("D20261101", "2026-11-01", 17550)]
    assert not daily.due(D2)
    assert daily.post(D2) == []
    assert told(daily.post(D3)) == [("D20261102", "booked", None)]
    daily.prove()


def test_an_outcome_tells_the_sum_of_the_day_and_counts_as_our_own(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.hold(D1, back=True, net="30")
    (outcome,) = daily.post(D2)
    assert (outcome.kind, outcome.role, outcome.document_id) == (DocumentKind.DAY_SUMMARY, Role.OWN, "2026-11-01")
    assert (outcome.total, outcome.vat, outcome.external_id) == (Decimal("84.70"), Decimal("14.70"), "e1")
    assert (outcome.order_id, outcome.issue_date, outcome.currency) == ("", D1, "EUR")


def test_what_comes_later_is_an_entry_of_the_difference_alone(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.post(D2)
    daily.hold(D1, net="7")
    daily.hold(D1, net="100", back=True)
    assert daily.due(D2)
    assert told(daily.post(D2)) == [("D20261101-2", "booked", None)]
    daily.hold(D1, net="1")
    daily.post(D3)
    assert daily.books.booked == [
        ("D20261101", "2026-11-01", 12100), ("D20261101-2", "2026-11-01", 847 - 12100),
        ("D20261101-3", "2026-11-01", 121),
    ]  # fmt: skip
    daily.prove()


def test_the_prefix_stands_before_the_day(database: Database) -> None:
    daily = DailyWorld(settings={"reference_prefix": "NL-"})
    daily.hold(D1)
    assert told(daily.post(D2)) == [("NL-D20261101", "booked", None)]


def test_a_day_that_nets_to_zero_is_settled_without_an_entry(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.hold(D1, back=True)
    (outcome,) = daily.post(D2)
    assert (outcome.result.value, outcome.total, outcome.external_id) == ("booked", Decimal(0), summaries.NOTHING)
    assert daily.books.calls == []
    assert {row.state.value for row in daily.rows().values()} == {"booked"}
    assert not daily.due(D3)


def test_days_of_another_integration_are_left_alone(database: Database) -> None:
    one, other = DailyWorld(), DailyWorld(settings={"package": {"administration_id": "460000000000000002"}})
    one.hold(D1)
    other.hold(D1, net="5")
    one.post(D2)
    assert one.books.booked == [("D20261101", "2026-11-01", 12100)]
    assert other.due(D2)
    one.prove()


def test_held_days_are_posted_whatever_the_setting_is_now(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.change(booking_mode="invoice")
    assert told(daily.post(D2)) == [("D20261101", "booked", None)]
    daily.prove()


# ------------------------------------------------------------------------------------------------ what can go wrong


class Killed(BaseException):
    """The process is gone: nothing is caught, nothing is tidied."""


@pytest.mark.parametrize("written", [False, True])
def test_an_entry_without_an_answer_is_looked_up_before_anything_else(daily: DailyWorld, written: bool) -> None:
    daily.hold(D1)
    (daily.books.after if written else daily.books.before).append(OutcomeUnknown("time-out"))
    assert told(daily.post(D2)) == [("D20261101", "deferred", "outcome_unknown")]
    assert daily.due(D1)
    assert told(daily.post(D2, "second")) == [("D20261101", "adopted" if written else "booked", None)]
    assert daily.books.calls[:2] == ["post D20261101", "find D20261101"]
    assert len(daily.books.entries) == 1
    daily.prove()


@pytest.mark.parametrize("written", [False, True])
def test_killed_while_posting(daily: DailyWorld, written: bool) -> None:
    daily.hold(D1)
    (daily.books.after if written else daily.books.before).append(Killed())
    with pytest.raises(Killed):
        daily.post(D2)
    daily.hold(D1, net="1")  # arrives before the next run
    daily.post(D2)
    assert sum(total for _, _, total in daily.books.booked) == 12221
    assert len(daily.books.entries) == (2 if written else 1)
    daily.prove()


def test_killed_before_the_answer_is_recorded(daily: DailyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    daily.hold(D1)
    with monkeypatch.context() as patch:

        def die(*_: object, **__: object) -> int:
            raise Killed

        patch.setattr(Summaries, "record", die)
        with pytest.raises(Killed):
            daily.post(D2)
    assert told(daily.post(D2)) == [("D20261101", "adopted", None)]
    daily.prove()


def test_an_answer_is_waited_for_before_its_absence_proves_anything(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.books.before.append(OutcomeUnknown("time-out"))
    daily.post(D2)
    with daily.session() as session:
        summaries.post_due(session, "run", D2, Patience(), timedelta(seconds=60), sleep=daily.slept.append)
    assert len(daily.slept) == 1
    assert 50 < daily.slept[0] <= 60


def test_a_package_that_is_away_defers_all_days_and_is_not_asked_again(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.hold(D2)
    daily.books.before.append(RetryLater("502"))
    assert told(daily.post(D3)) == [
        ("D20261101", "deferred", "package_unavailable"), ("D20261102", "deferred", "package_unavailable"),
    ]  # fmt: skip
    assert daily.books.calls == ["post D20261101"]
    daily.post(D3)
    assert [reference for reference, _, _ in daily.books.booked] == ["D20261101", "D20261102"]
    daily.prove()


def test_a_look_up_without_an_answer_leaves_the_claim_where_it_is(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.books.after.append(OutcomeUnknown("time-out"))
    daily.post(D2)
    daily.books.finding.append(RetryLater("502"))
    assert told(daily.post(D2)) == [("D20261101", "deferred", "package_unavailable")]
    daily.post(D2)
    assert len(daily.books.entries) == 1
    daily.prove()


def test_a_spent_quota_is_waited_for_and_deferred_beyond_the_bound(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.hold(D2)
    waited: list[float] = []
    daily.books.before.append(QuotaSpent("429", retry_after=timedelta(seconds=30)))
    outcomes = daily.post(D2, patience=Patience(sleep=waited.append))
    assert (told(outcomes), waited) == ([("D20261101", "booked", None)], [30.0])
    daily.books.before.append(QuotaSpent("429", retry_after=timedelta(seconds=30)))
    assert told(daily.post(D3)) == [("D20261102", "deferred", "quota_spent")]
    daily.post(D3)
    daily.prove()


def test_a_refused_entry_waits_for_a_person_and_is_tried_by_every_run(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.hold(D2)
    daily.books.before.append(Refused("locked", code="period_closed", field="date"))
    assert told(daily.post(D3)) == [("D20261101", "quarantined", "period_closed"), ("D20261102", "booked", None)]
    assert daily.rows()["WEB-1001"].waits_for_summary
    assert daily.due(D3)
    daily.post(D3)
    daily.prove()


def test_an_account_that_is_not_mapped_is_named(daily: DailyWorld) -> None:
    daily.hold(D1, invoice((LineKind.GOODS, S21, "10"), pays="klarna"))
    daily.change(mapping={"clearing": {"*": "", "ideal": "1200"}})
    (outcome,) = daily.post(D2)
    assert told([outcome]) == [("D20261101", "quarantined", "mapping_missing")]
    assert outcome.field == "mapping.clearing['klarna']"
    daily.change(mapping={"clearing": {"klarna": "1220"}})
    daily.post(D2)
    assert daily.books.entries[0][1].lines[0].account == "1220"


def test_a_setting_that_only_the_package_misses_waits_too(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.books.before.append(NotConfigured("mapping.tax_rates['S 21 NL'] is not filled with an id"))
    assert told(daily.post(D2)) == [("D20261101", "quarantined", "mapping_missing")]
    daily.post(D2)
    daily.prove()


def test_a_dead_credential_takes_the_claim_back_and_stops_the_run(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.books.before.append(Reconnect("401"))
    with pytest.raises(Reconnect):
        daily.post(D2)
    assert told(daily.post(D2)) == [("D20261101", "booked", None)]
    assert daily.books.calls == ["post D20261101", "post D20261101"]
    daily.prove()


def test_an_entry_that_stands_wrongly_is_neither_recorded_nor_sent_again(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.books.change = {"total_with_vat": Decimal("1.00")}
    for _ in range(2):
        (outcome,) = daily.post(D2)
        assert told([outcome]) == [("D20261101", "quarantined", "total_differs")]
        assert "sent=12100" in (outcome.field or "")
    assert daily.books.calls == ["post D20261101", "find D20261101"]
    daily.books.change = {}  # a person put it right
    assert told(daily.post(D2)) == [("D20261101", "adopted", None)]
    daily.prove()


def test_an_entry_that_stands_twice_waits_for_a_person(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.books.after.append(OutcomeUnknown("time-out"))
    daily.post(D2)
    daily.books.entries *= 2
    assert told(daily.post(D2)) == [("D20261101", "quarantined", "booked_twice")]
    daily.books.entries.pop()
    assert told(daily.post(D2)) == [("D20261101", "adopted", None)]
    daily.prove()


def test_a_reference_that_another_document_has_waits_for_a_person(daily: DailyWorld) -> None:
    daily.hold(D1)
    with daily.session() as session:
        session.conn.execute("update sluis.booking set reference = 'D20261101', order_number = 'WEB-1001'")
    assert told(daily.post(D2)) == [("D20261101", "quarantined", "duplicate_number")]
    assert daily.books.calls == []


# ------------------------------------------------------------------------------------------------- a closed period


def test_a_day_whose_period_was_closed_since_waits_or_is_moved_by_setting(daily: DailyWorld) -> None:
    daily.hold(D1)
    daily.change(books_closed_until="2026-11-02")
    assert told(daily.post(D2)) == [("D20261101", "quarantined", "period_closed")]
    daily.change(closed_period="first_open_day")
    (outcome,) = daily.post(D2)
    assert (outcome.reference, outcome.issue_date) == ("D20261101", D3)
    assert daily.books.booked == [("D20261101", "2026-11-03", 12100)]
    assert daily.rows()["D20261101"].original_date == D1
    daily.prove()


def test_a_moved_entry_without_an_answer_is_found_on_the_day_it_was_moved_to(daily: DailyWorld) -> None:
    daily.change(books_closed_until="2026-11-30", closed_period="first_open_day")
    daily.hold(D1)
    daily.books.after.append(OutcomeUnknown("time-out"))
    daily.post(D2)
    (outcome,) = daily.post(D2)
    assert (outcome.document_id, outcome.issue_date, outcome.result.value) == (
        "2026-11-01", date(2026, 12, 1), "adopted",
    )  # fmt: skip
    daily.prove()


# ----------------------------------------------------------------------------------------------------- proof, privacy


def test_a_claim_proves_that_it_takes_what_its_entry_was_made_of(daily: DailyWorld) -> None:
    daily.hold(D1)
    with daily.session() as session:
        content = {
            "revision": 0, "reference": "D", "reference_key": bytes(32), "order_number": "D",
            "fingerprint": bytes(32), "vat_cents": 2100,
            "currency": "EUR", "issue_date": D1, "run_id": "run",
        }  # fmt: skip
        for documents, total in ((1, 12099), (2, 12100)):
            with pytest.raises(ProofFailed):
                Summaries(session.conn, session.integration).claim(
                    bytes(32), D1, documents=documents, total_cents=total, **content
                )
    assert {n: row.summary_key for n, row in daily.rows().items()} == {"WEB-1001": None}


def test_neither_entry_nor_log_names_a_customer_or_an_order(
    daily: DailyWorld, caplog: pytest.LogCaptureFixture
) -> None:
    pays = [payment("gift_card", "10", gift_card=True), payment("ideal", "111")]
    daily.hold(D1, invoice((LineKind.GOODS, S21, "100"), pays=pays))
    with caplog.at_level(logging.DEBUG):
        outcomes = daily.post(D2)
    said = caplog.text + json.dumps([e.model_dump(mode="json") for _, e in daily.books.entries])
    said += json.dumps([outcome.model_dump(mode="json") for outcome in outcomes])
    assert not any(word in said for word in ("WEB-1001", "Anna", "sjaal", "tr_secret"))
    assert (
        "day=2026-11-01 entry=D20261101 documents=1 total_cents=12100 vat_cents=2100 rates=S/21/NL:10000+2100"
        in caplog.text
    )


# -------------------------------------------------------------------------------------------------- how far it is read


@pytest.mark.parametrize(
    ("run_type", "order_ids", "window_end", "watermark", "day"),
    [
        ("scheduled", (), "2026-11-02T22:59:00Z", None, D2),
        ("scheduled", (), "2026-11-02T23:00:00Z", None, D3),  # midnight in Amsterdam
        ("manual", (), "2026-11-02T12:00:00Z", "2026-11-01T12:00:00Z", D2),
        ("backfill", (), "2026-11-03T12:00:00Z", "2026-11-01T12:00:00Z", D1),
        ("manual", ("1",), None, "2026-11-01T12:00:00Z", D1),
        ("backfill", (), "2026-11-03T12:00:00Z", None, date.min),
        ("scheduled", (), "2100-01-01T00:00:00Z", None, None),
    ],
)
def test_a_day_is_over_when_the_shop_was_read_past_it(
    daily: DailyWorld, run_type: str, order_ids: tuple[str, ...], window_end: str, watermark: str, day: date | None
) -> None:
    request = RunRequest(
        merchant=daily.merchant, integration=daily.code, dag_id="d", run_id="r", run_type=run_type, order_ids=order_ids
    )
    with daily.session() as session:
        moment = datetime.fromisoformat(watermark) if watermark else None
        session.__dict__["integration"] = session.integration.model_copy(update={"watermark": moment})
        reached = summaries.reached(session, request, datetime.fromisoformat(window_end) if window_end else None)
    today = datetime.now(UTC).astimezone(session.integration.settings.zone).date()
    assert reached == (day or today)
