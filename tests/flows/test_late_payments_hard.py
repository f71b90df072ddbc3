"""Late payments whose answer was lost, and what happened to their order meanwhile: counted once, whatever came."""

from __future__ import annotations

import pytest

from sluis.core.invoice import DocumentOutcome, Invoice, Result
from sluis.core.invoicing import outcome
from sluis.errors import OutcomeUnknown
from sluis.flows.booking import Booker
from sluis.flows.patience import Patience
from tests.conftest import Database
from tests.flows.summaries_world import NO_WAIT
from tests.flows.test_late_payments import paid, pay, told
from tests.flows.test_modes import CHANGED, Shop, accounts, sold

pytestmark = pytest.mark.postgres


#: The money came in, and the customer has it to his credit.
CREDIT = {"1200": -12100, "1300": 12100}


@pytest.fixture
def shop(database: Database) -> Shop:
    made = Shop()
    made.daily.change(booking_mode="journal_entry")
    return made


def cancel(shop: Shop, document: Invoice) -> tuple[DocumentOutcome, list[DocumentOutcome]]:
    """Let the order end; returns what became of it, and what was made beside it."""
    shop.runs += 1
    left_out = outcome(document, Result.SKIPPED, reason="status_not_bookable")
    ended = left_out.model_copy(update={"ended": True, "changed_at": CHANGED})
    with shop.daily.session() as session:
        booker = Booker(session, f"run{shop.runs}", settle=NO_WAIT, patience=Patience(bound=NO_WAIT))
        booker.prefetch([ended])
        return booker.skip(ended), [made.outcome for made in booker.drain()]


def without_answer(shop: Shop, *, written: bool = True, amount: str = "121") -> None:
    """Book an order, and pay it later by an entry whose answer is lost."""
    shop.run(paid())
    (shop.books.after if written else shop.books.before).append(OutcomeUnknown("time-out"))
    assert told(pay(shop, paid(amount))) == [("1001-P1", "deferred", "outcome_unknown")]


def test_a_payment_that_grew_meanwhile_counts_as_it_was_sent(shop: Shop) -> None:
    without_answer(shop, amount="50")
    assert told(pay(shop, paid("121"))) == [("1001-P1", "adopted", None), ("1001-P2", "booked", None)]
    assert pay(shop, paid("121")) == []
    assert accounts(shop) == {"1200": -12100, "8000": 10000, "1500": 2100}


def test_a_payment_that_grew_and_was_never_written_is_sent_whole(shop: Shop) -> None:
    without_answer(shop, amount="50", written=False)
    assert told(pay(shop, paid("121"))) == [("1001-P1", "booked", None)]
    assert accounts(shop) == {"1200": -12100, "8000": 10000, "1500": 2100}


@pytest.mark.parametrize("written", [True, False])
def test_an_edited_order_keeps_what_was_paid_without_an_answer(shop: Shop, written: bool) -> None:
    without_answer(shop, written=written)
    edited = sold("150", paid("121").payments)
    for _ in range(3):
        shop.run(edited)
        pay(shop, edited)
    assert accounts(shop) == {"1200": -12100, "1300": -6050, "8000": 15000, "1500": 3150}


@pytest.mark.parametrize("written", [True, False])
def test_a_cancelled_order_leaves_as_a_credit_what_was_paid_without_an_answer(shop: Shop, written: bool) -> None:
    without_answer(shop, written=written)
    done, made = cancel(shop, paid("121"))
    assert done.result is Result.CORRECTED
    found = [("1001-P1", "adopted", None)] if written else []
    assert told(made) == [*found, ("1001-C", "booked", None)]
    cancel(shop, paid("121"))
    assert accounts(shop) == (CREDIT if written else {})


def test_an_order_waits_while_nobody_knows_what_was_paid_on_it(shop: Shop) -> None:
    without_answer(shop)
    shop.books.finding.append(OutcomeUnknown("time-out"))
    done, made = cancel(shop, paid("121"))
    assert (done.result, done.reason, made) == (Result.DEFERRED, "outcome_unknown", [])
    assert cancel(shop, paid("121"))[0].result is Result.CORRECTED
    assert accounts(shop) == CREDIT


def test_a_payment_that_stands_twice_waits_until_a_person_has_deleted_one(shop: Shop) -> None:
    without_answer(shop)
    shop.books.entries.append(("twin", shop.books.entries[-1][1]))
    twice = [("1001-P1", "quarantined", "booked_twice")]
    assert told(pay(shop, paid("121"))) == twice
    assert told(pay(shop, paid("121"))) == twice
    done, _ = cancel(shop, paid("121"))
    assert (done.result, done.reason, done.field) == (Result.QUARANTINED, "booked_twice", "1001-P1 copies=2")
    shop.books.entries.pop()
    assert told(pay(shop, paid("121"))) == [("1001-P1", "adopted", None)]
    assert accounts(shop) == {"1200": -12100, "8000": 10000, "1500": 2100}
