"""An order booked as an entry and paid later: one more entry, once, and a correction takes all of it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluis.core.invoice import DocumentOutcome, Invoice
from sluis.core.order import Payment
from sluis.errors import OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater
from sluis.flows.late_payments import LatePayments
from sluis.flows.patience import Patience
from sluis.store.bookings import BookingState
from tests.conftest import Database
from tests.core.journals_world import payment
from tests.flows.summaries_world import NO_WAIT
from tests.flows.test_modes import Shop, accounts, sold

pytestmark = pytest.mark.postgres

Told = list[tuple[str | None, str, str | None]]


@pytest.fixture
def shop(database: Database) -> Shop:
    made = Shop()
    made.daily.change(booking_mode="journal_entry")
    return made


def pay(shop: Shop, document: Invoice, patience: Patience | None = None) -> list[DocumentOutcome]:
    """Register what was paid, as a load does behind the document itself."""
    with shop.daily.session() as session:
        key = session.pseudonyms.document_key(shop.daily.code, document.kind, document.document_id)
        row = session.bookings.latest([(document.kind, key)])[document.kind, key]
        late = LatePayments(session, "run", patience or Patience(bound=NO_WAIT), NO_WAIT)
        return list(late.settle(document, row))


def told(outcomes: list[DocumentOutcome]) -> Told:
    return [(o.reference, o.result.value, o.reason) for o in outcomes]


def paid(*amounts: str, net: str = "100") -> Invoice:
    pays: list[Payment] = []
    for place, amount in enumerate(amounts, start=1):
        at = datetime(2026, 11, place, 12, tzinfo=UTC)
        pays.append(payment("ideal", amount).model_copy(update={"payment_id": f"p{place}", "paid_at": at}))
    return sold(net, pays)


def test_a_payment_that_came_later_settles_the_debtor_once(shop: Shop) -> None:
    shop.run(paid())
    assert accounts(shop) == {"1300": -12100, "8000": 10000, "1500": 2100}
    assert pay(shop, paid()) == []
    assert told(pay(shop, paid("121"))) == [("1001-P1", "booked", None)]
    assert accounts(shop) == {"1200": -12100, "8000": 10000, "1500": 2100}
    assert pay(shop, paid("121")) == []
    (sale, later) = (entry for _, entry in shop.books.entries)
    debtors = {line.debtor_id for entry in (sale, later) for line in entry.lines if line.account == "1300"}
    assert len(debtors) == 1
    assert None not in debtors


def test_payments_in_parts_are_numbered_in_the_order_they_came(shop: Shop) -> None:
    shop.run(paid("21"))
    assert told(pay(shop, paid("21", "50"))) == [("1001-P1", "booked", None)]
    assert told(pay(shop, paid("21", "50", "30", "20"))) == [("1001-P2", "booked", None), ("1001-P3", "booked", None)]
    assert accounts(shop) == {"1200": -12100, "8000": 10000, "1500": 2100}


def test_a_payment_that_grew_is_posted_with_the_rest_of_it(shop: Shop) -> None:
    shop.run(paid("21"))
    assert told(pay(shop, paid("121"))) == [("1001-P1", "booked", None)]
    assert accounts(shop)["1200"] == -12100


@pytest.mark.parametrize("written", [False, True])
def test_a_payment_without_an_answer_is_looked_up_first(shop: Shop, written: bool) -> None:
    shop.run(paid())
    (shop.books.after if written else shop.books.before).append(OutcomeUnknown("time-out"))
    assert told(pay(shop, paid("100", "21"))) == [("1001-P1", "deferred", "outcome_unknown")]
    assert told(pay(shop, paid("100", "21"))) == [
        ("1001-P1", "adopted" if written else "booked", None), ("1001-P2", "booked", None),
    ]  # fmt: skip
    assert accounts(shop)["1200"] == -12100
    assert pay(shop, paid("100", "21")) == []


def test_what_was_certainly_not_written_is_tried_again(shop: Shop) -> None:
    shop.run(paid())
    waited: list[float] = []
    quota = QuotaSpent("429", retry_after=timedelta(seconds=30))
    for error, result in (
        (RetryLater("502"), ("1001-P1", "deferred", "package_unavailable")),
        (quota, ("1001-P1", "deferred", "quota_spent")),
        (Refused("no", field="date"), ("1001-P1", "quarantined", "payment_refused")),
    ):
        shop.books.before.append(error)
        assert told(pay(shop, paid("121"))) == [result]
    shop.books.before.append(Reconnect("401"))
    with pytest.raises(Reconnect):
        pay(shop, paid("121"))
    shop.books.before.append(quota)
    assert told(pay(shop, paid("121"), Patience(sleep=waited.append))) == [("1001-P1", "booked", None)]
    assert waited == [30.0]
    assert accounts(shop)["1200"] == -12100


def test_settings_that_stand_in_the_way_are_named(shop: Shop) -> None:
    shop.run(paid())
    shop.daily.change(mapping={"clearing": {"ideal": "", "*": ""}})
    (outcome,) = pay(shop, paid("121"))
    assert (outcome.reason, outcome.field) == ("mapping_missing", "mapping.clearing['ideal']")
    shop.daily.change(mapping={"clearing": {"ideal": "1200"}}, books_closed_until="2026-11-01")
    (outcome,) = pay(shop, paid("121"))
    assert (outcome.reason, outcome.field) == ("payment_refused", "payment_date")
    shop.daily.change(closed_period="first_open_day")
    assert told(pay(shop, paid("121"))) == [("1001-P1", "booked", None)]
    assert shop.books.booked[-1][1] == "2026-11-02"


def test_without_registered_payments_all_stays_open(shop: Shop) -> None:
    shop.daily.change(register_payments=False)
    shop.run(paid("121"))
    assert pay(shop, paid("121")) == []
    assert accounts(shop) == {"1300": -12100, "8000": 10000, "1500": 2100}


def test_a_correction_takes_back_what_was_paid_later_too(shop: Shop) -> None:
    shop.run(paid())
    pay(shop, paid("121"))
    shop.settle(paid("121", net="200"))
    assert accounts(shop) == {"1200": -12100, "1300": -12100, "8000": 20000, "1500": 4200}
    assert pay(shop, paid("121", net="200")) == []


def test_a_held_order_gets_no_entry_of_its_own(shop: Shop) -> None:
    shop.daily.change(booking_mode="daily")
    shop.run(paid("121"))
    assert pay(shop, paid("121", "10")) == []
    with shop.daily.session() as session:
        assert session.bookings.counts()[BookingState.HELD] == 1
