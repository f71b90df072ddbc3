"""What runs make of bookings whose number and amounts retention has emptied: nothing twice, nothing in silence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from sluis.core import reasons
from sluis.core.bookable import oldest_bookable
from sluis.core.invoice import Result
from sluis.core.reconciliation import Period
from sluis.errors import NotConfigured
from sluis.flows import integrations
from sluis.flows.reconcile import reconcile
from sluis.flows.wiring import open_session
from sluis.sandbox.server import SandboxServer
from sluis.store.bookings import BookingState
from tests.conftest import Database
from tests.flows.summaries_world import DailyWorld
from tests.flows.world import World, edit, empty_config, hour

pytestmark = pytest.mark.postgres
#: What the categories booking_amounts and quarantine_open of the register empty.
BOOKING = """update sluis.booking set reference = null, order_number = null, total_cents = null, vat_cents = null,
    package_total_cents = null, package_vat_cents = null, figures = null, payment_method = null, paid = null,
    evidence = null, original_date = null"""
PAYMENT = "update sluis.payment set amount_cents = null, paid_on = null"


def expire(database: Database) -> None:
    """Empty everything, as the role of retention."""
    with database.retention() as conn:
        conn.execute(BOOKING)
        conn.execute(PAYMENT)


def test_an_unchanged_order_stays_booked_and_a_changed_one_waits_for_a_person(world: World, database: Database) -> None:
    same, changed = world.orders(hour(0.2), 2)
    world.refund(same, hour(0.4))
    world.run(world.scheduled(1))
    before = world.booked()
    expire(database)
    edit(world, changed, hour(1.2))
    world.change(same, hour(1.2))
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.already_booked, done.quarantined, done.booked) == (2, 1, 0)
    number = world.shop.book.orders[int(changed)].raw["number"]
    assert world.waiting() == {number: reasons.BOOKED_FIGURES_EXPIRED}
    assert world.booked() == before


def test_a_cancelled_order_whose_figures_expired_waits_for_a_person(world: World, database: Database) -> None:
    order = world.order(hour(0.2))
    world.run(world.scheduled(1))
    expire(database)
    world.change(order, hour(1.2), status="cancelled")
    world.run(world.scheduled(2))
    assert list(world.waiting().values()) == [reasons.BOOKED_FIGURES_EXPIRED]
    assert len(world.booked()) == 1


def test_a_refund_on_an_expired_order_is_a_credit_note_on_its_invoice_and_debtor(
    world: World, database: Database
) -> None:
    order = world.order(hour(0.2), quantity=3)
    world.run(world.scheduled(1))
    number = world.shop.book.orders[int(order)].raw["number"]
    expire(database)
    world.refund(order, hour(1.2))
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.booked, done.already_booked, done.quarantined) == (1, 1, 0)
    assert [reference for reference, _ in world.booked()] == [number, f"{number}-C1"]
    contacts = {invoice["contact_id"] for invoice in world.books.invoices.values()}
    assert len(contacts) == 1


def test_a_number_that_fits_no_hash_is_not_guessed(world: World, database: Database) -> None:
    order = world.order(hour(0.2), quantity=3)
    world.run(world.scheduled(1))
    with database.owner() as conn:  # as a former connector called it
        conn.execute("update sluis.booking set reference_key = sha256('WC-1')")
    expire(database)
    world.refund(order, hour(1.2))
    world.run(world.scheduled(2))
    assert list(world.waiting().values()) == [reasons.BOOKED_FIGURES_EXPIRED]
    assert len(world.booked()) == 1


def test_a_claim_that_expired_is_never_created_anew(world: World, database: Database) -> None:
    order = world.order(hour(0.2))
    world.run(world.scheduled(1))
    with database.owner() as conn:
        conn.execute("alter table sluis.booking disable trigger user")
        conn.execute("update sluis.booking set state = 'claimed', external_id = null, booked_at = null")
        conn.execute("alter table sluis.booking enable trigger user")
    expire(database)
    creates = world.calls("POST", "sales_invoices")
    world.change(order, hour(1.2))
    world.run(world.scheduled(2))
    assert list(world.waiting().values()) == [reasons.CLAIM_EXPIRED]
    world.offer(world.shop.book.orders[int(order)].raw["number"])
    world.run(world.scheduled(3))
    assert list(world.waiting().values()) == [reasons.CLAIM_EXPIRED]
    assert world.calls("POST", "sales_invoices") == creates
    assert world.states()[BookingState.CLAIMED] == 1


def test_what_an_earlier_report_told_is_not_told_again_when_that_report_is_gone(
    world: World, database: Database
) -> None:
    order = world.order(hour(0.2))
    world.run(world.scheduled(1))
    world.order(hour(1.2))
    world.run(world.scheduled(2))
    with database.owner() as conn:
        conn.execute("delete from sluis.run_report where sequence = 1")
    expire(database)
    world.change(order, hour(2.2))
    done = world.run(world.scheduled(3))
    assert done is not None
    assert (done.booked, done.already_booked) == (0, 1)
    with open_session(world.merchant, world.code) as session:
        assert session.reports.verify() == 2


def test_a_period_that_expired_is_not_compared_but_said_to_be(world: World, database: Database) -> None:
    world.orders(hour(0.2), 2)
    world.run(world.scheduled(1))
    period = Period.of(f"{hour(0.2):%Y-%m}")
    with open_session(world.merchant, world.code) as session:
        assert reconcile(session, period).result.settled
        expire(database)
        with pytest.raises(NotConfigured, match="2 documents") as caught:
            reconcile(session, period)
        made = session.conn.execute("select count(*) from sluis.reconciliation").fetchone()
    assert (caught.value.code, made) == ("period_expired", (1,))


def test_what_was_held_for_a_day_and_expired_stops_that_day_alone(daily: DailyWorld, database: Database) -> None:
    daily.hold(date(2026, 11, 1))
    daily.hold(date(2026, 11, 1))
    expire(database)
    daily.hold(date(2026, 11, 2), net="10")
    first, second = daily.post(date(2026, 11, 3))
    assert (first.result, first.reason, first.field) == (Result.QUARANTINED, reasons.HELD_EXPIRED, "documents=2")
    assert second.result is Result.BOOKED
    assert [entry.reference for _, entry in daily.books.entries] == ["D20261102"]


def test_a_days_entry_without_an_answer_that_expired_is_never_posted_again(
    daily: DailyWorld, database: Database
) -> None:
    daily.hold(date(2026, 11, 1))
    assert [o.result for o in daily.post(date(2026, 11, 2))] == [Result.BOOKED]
    with database.owner() as conn:
        conn.execute("alter table sluis.booking disable trigger user")
        conn.execute("update sluis.booking set state = 'held', external_id = null, booked_at = null"
                     " where kind <> 'day_summary'")  # fmt: skip
        conn.execute("update sluis.booking set state = 'claimed', external_id = null, booked_at = null"
                     " where kind = 'day_summary'")  # fmt: skip
        conn.execute("alter table sluis.booking enable trigger user")
    expire(database)
    for _ in range(2):
        [told] = daily.post(date(2026, 11, 5))
        assert (told.result, told.reason, told.reference) == (
            Result.QUARANTINED,
            reasons.CLAIM_EXPIRED,
            "D20261101",
        )
    assert len(daily.books.entries) == 1


@pytest.fixture
def daily(database: Database) -> DailyWorld:
    """An integration that books by day."""
    return DailyWorld()


@pytest.fixture
def old_world(database: Database) -> Iterator[World]:
    """An integration that started four years ago."""
    with SandboxServer(empty_config()) as server:
        yield World(server, start=datetime.now(UTC).date() - timedelta(days=4 * 365))


def test_a_document_older_than_its_key_is_never_booked_by_itself(old_world: World, database: Database) -> None:
    """Neither with its booking, nor once the row is gone; and no refund of that time either."""
    world, then = old_world, datetime.now(UTC) - timedelta(days=25 * 31)
    assert then.date() < oldest_bookable(datetime.now(UTC).date())
    order = world.order(hour(0.2), quantity=3)
    world.run(world.scheduled(1))
    world.refund(order, then + timedelta(days=3))
    told = then.strftime("%Y-%m-%dT%H:%M:%S")
    dates = {f"date_{what}{zone}": told for what in ("created", "paid", "completed") for zone in ("", "_gmt")}
    for number in (2, 3):
        world.change(order, hour(number - 0.5), **dates)
        done = world.run(world.scheduled(number))
        assert done is not None
        assert (done.booked, done.corrected, done.adopted, len(world.booked())) == (0, 0, 0, 1)
        with open_session(world.merchant, world.code) as session:
            assert session.reports.list(1)[0].tally["reasons"] == {"skipped": {reasons.TOO_OLD: 2}}
        with database.owner() as conn:
            conn.execute("delete from sluis.booking")


def test_a_new_refund_of_a_sale_that_is_too_old_waits_where_the_settings_say_so(
    old_world: World, database: Database
) -> None:
    world, then = old_world, datetime.now(UTC) - timedelta(days=25 * 31)
    with database.owner() as conn:
        integrations.change(conn, world.merchant, world.code, {"earlier_refunds": "quarantine"})
    order = world.order(hour(0.2), quantity=3)
    told = then.strftime("%Y-%m-%dT%H:%M:%S")
    dates = {f"date_{what}{zone}": told for what in ("created", "paid", "completed") for zone in ("", "_gmt")}
    world.refund(order, hour(0.4))
    world.change(order, hour(0.5), **dates)
    world.run(world.scheduled(1))
    assert world.booked() == []
    assert list(world.waiting().values()) == [reasons.REFUND_OF_UNBOOKED_ORDER]


@pytest.mark.parametrize("how", ["paid", "completed"])
def test_an_order_whose_key_expired_is_not_booked_again_when_the_shop_dates_it_anew(
    database: Database, how: str
) -> None:
    with SandboxServer(empty_config()) as server:
        world = World(server, settings={"document_date": how}, start=hour(0).date() - timedelta(days=800))
        order = world.order(hour(0.1))
        world.run(world.scheduled(1))
        before = world.booked()
        then = (hour(0) - timedelta(days=768)).strftime("%Y-%m-%dT%H:%M:%S")
        old = {f"date_{name}{zone}": then for name in ("created", "paid", "completed") for zone in ("", "_gmt")}
        world.change(order, hour(1.1), **old)
        with database.retention() as conn:
            conn.execute("delete from sluis.booking")
        anew = hour(1.2).strftime("%Y-%m-%dT%H:%M:%S")
        world.change(order, hour(1.2), **{f"date_{how}": anew, f"date_{how}_gmt": anew})
        done = world.run(world.scheduled(2))
        assert done is not None
        assert (done.booked, done.skipped) == (0, 1)
        assert world.booked() == before
