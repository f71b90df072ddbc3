"""Payments whose amount and day retention has emptied: known, never paid twice, and told where nobody can look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluis.core import reasons
from sluis.core.invoice import Result
from tests.conftest import Database
from tests.core.journals_world import payment
from tests.flows.payments_desk import Desk, paid, sale
from tests.flows.test_expired_rows import expire
from tests.flows.test_late_payments import pay
from tests.flows.test_modes import Shop, sold
from tests.flows.world import World

pytestmark = pytest.mark.postgres


@pytest.fixture
def desk(world: World) -> Desk:
    """The payments of a live integration."""
    return Desk(world)


def test_an_expired_payment_is_known_and_a_new_one_is_registered_beside_it(desk: Desk, database: Database) -> None:
    first = sale("121.00", paid("21.00"))
    desk.book(first)
    desk.settle(first)
    expire(database)
    assert desk.settle(first) == ()
    assert desk.calls() == 1
    more = first.model_copy(update={"payments": (*first.payments, paid("100.00", "second"))})
    [told] = desk.settle(more)
    assert (told.result, desk.calls()) == (Result.BOOKED, 2)


def test_an_expired_claim_is_told_and_never_paid_again(desk: Desk, database: Database) -> None:
    document = sale("121.00", paid("121.00"))
    desk.book(document)
    desk.settle(document)
    with database.owner() as conn:
        conn.execute("alter table sluis.payment disable trigger user")
        conn.execute("update sluis.payment set state = 'claimed', external_id = null, booked_at = null")
        conn.execute("alter table sluis.payment enable trigger user")
    expire(database)
    for _ in range(2):
        [told] = desk.settle(document)
        assert (told.result, told.reason, told.field) == (
            Result.QUARANTINED,
            reasons.PAYMENT_REFUSED,
            reasons.CLAIM_EXPIRED,
        )
    assert (desk.calls(), len(desk.on(document))) == (1, 1)


def test_what_was_paid_after_an_entry_expired_waits_for_a_person(database: Database) -> None:
    shop = Shop()
    shop.daily.change(booking_mode="journal_entry")
    at = datetime.now(UTC)
    before, after = (
        payment("ideal", "121").model_copy(update={"payment_id": "p1", "paid_at": at + timedelta(days=days)})
        for days in (-3, 3)
    )
    shop.run(sold("100", [before]))
    assert pay(shop, sold("100", [before])) == []
    expire(database)
    entries = len(shop.daily.books.entries)
    assert pay(shop, sold("100", [before])) == [], "what was paid when it was booked stands in its entry"
    [told] = pay(shop, sold("100", [after]))
    assert (told.result, told.reason, told.field) == (
        Result.QUARANTINED,
        reasons.PAYMENT_REFUSED,
        reasons.BOOKED_FIGURES_EXPIRED,
    )
    assert len(shop.daily.books.entries) == entries
