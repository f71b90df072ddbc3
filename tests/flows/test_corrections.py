"""Changes after booking: a credit note and a new invoice, never silence, never a second invoice, whatever dies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sluis.errors import RetryLater
from sluis.flows import integrations, quarantine, sync
from sluis.flows.context import Loaded
from sluis.flows.wiring import open_session
from sluis.sandbox.server import SandboxServer
from sluis.store.bookings import BookingState
from sluis.store.database import owner_connection, rows
from tests.conftest import Database
from tests.flows.victim import kill
from tests.flows.world import NO_WAIT, World, edit, empty_config, finished, hour, prepared

pytestmark = pytest.mark.postgres


def run(world: World, number: float) -> Loaded:
    done = world.run(world.scheduled(number))
    assert done is not None
    return done


def net(world: World) -> dict[str, int]:
    """Cents per order in the books: what its documents add up to."""
    sums: dict[str, int] = {}
    for reference, total in world.booked():
        number = reference.split("-")[0]
        sums[number] = sums.get(number, 0) + total
    return sums


def sold(world: World, order: str) -> int:
    """What the shop says was sold, less what was given back, in cents."""
    return sum(total for reference, total in world.expected() if reference.split("-")[0] == order)


def tallies(world: World) -> list[dict[str, Any]]:
    with open_session(world.merchant, world.code) as session:
        assert session.reports.verify() >= 0
        return [report.tally for report in reversed(session.reports.list())]


def settle_all(world: World, order: str) -> None:
    """The books hold the order as the shop has it now, nothing waits, and another run changes nothing."""
    assert net(world)[order] == sold(world, order)
    assert len(world.booked()) == len({reference for reference, _ in world.booked()})
    assert world.states()[BookingState.CLAIMED] == 0
    assert world.waiting() == {}
    before = world.booked()
    world.run(world.request("manual", order_ids=(order,)))
    assert world.booked() == before


def test_an_edit_becomes_a_credit_note_and_a_new_invoice(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    run(world, 1)
    (before,) = world.booked()
    edit(world, order, hour(1.5), quantity=5)
    done = run(world, 2)
    assert (done.corrected, done.booked, done.quarantined) == (1, 0, 0)
    now = sold(world, order)
    assert world.booked() == sorted([before, (f"{order}-C", -before[1]), (f"{order}-R1", now)])
    assert done.cents == {"EUR": now - before[1]}
    assert tallies(world)[-1]["documents"] == {"corrected": 1}
    assert tallies(world)[-1]["own"] == {"credit_note": {"booked": 1}}
    assert tallies(world)[-1]["cents"] == {"EUR": {"corrected": now}}
    settle_all(world, order)


def test_the_correction_is_dated_on_the_day_of_the_change_on_the_debtor_it_stood_on(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    run(world, 1)
    edit(world, order, hour(30), quantity=3)
    run(world, 31)
    (invoice, back, again) = sorted(world.books.invoices.values(), key=lambda i: int(i["id"]))
    with open_session(world.merchant, world.code) as session:
        day = hour(30).astimezone(session.integration.settings.zone).date().isoformat()
    assert (back["date"], again["date"]) == (day, day)
    assert back["contact_id"] == invoice["contact_id"]
    assert [d["ledger_account_id"] for d in back["details"]] == [d["ledger_account_id"] for d in invoice["details"]]
    assert [d["tax_rate_id"] for d in back["details"]] == [d["tax_rate_id"] for d in invoice["details"]]
    assert "Reversal of" in back["details"][0]["description"]


def test_every_further_edit_gets_a_revision_of_its_own(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    run(world, 1)
    for number, quantity in ((2, 3), (3, 2), (4, 9)):
        edit(world, order, hour(number - 0.5), quantity=quantity)
        assert run(world, number).corrected == 1
    assert {reference for reference, _ in world.booked()} == {
        order, f"{order}-C", f"{order}-R1", f"{order}-R1-C", f"{order}-R2", f"{order}-R2-C", f"{order}-R3",
    }  # fmt: skip
    settle_all(world, order)


def test_a_new_vat_number_is_another_debtor(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    run(world, 1)
    raw = world.shop.book.orders[int(order)].raw
    world.change(order, hour(1.5), billing={**raw["billing"], "company": "Voorbeeld BV"})
    assert run(world, 2).corrected == 1
    settle_all(world, order)


def test_a_refund_after_a_correction_refers_to_the_invoice_that_stands(world: World) -> None:
    order = world.order(hour(0), quantity=4)
    run(world, 1)
    world.refund(order, hour(1.1))
    run(world, 2)
    raw = world.shop.book.orders[int(order)].raw
    world.change(order, hour(2.5), billing={**raw["billing"], "company": "Voorbeeld BV"})
    assert run(world, 3).corrected == 2
    world.refund(order, hour(3.5))
    assert run(world, 4).booked == 1
    references = {reference for reference, _ in world.booked()}
    # the refund is the new buyer's too: its credit note was taken back with the invoice
    assert references == {order, f"{order}-C1", f"{order}-C", f"{order}-R1", f"{order}-R1-C1", f"{order}-R1-C2"}
    settle_all(world, order)


def test_an_edit_of_the_amounts_leaves_the_refunds_where_they_are(world: World) -> None:
    order = world.order(hour(0), quantity=4)
    world.refund(order, hour(0.5))
    run(world, 1)
    edit(world, order, hour(1.5), quantity=6)
    done = run(world, 2)
    assert (done.corrected, done.already_booked, done.quarantined) == (1, 1, 0)
    assert {reference for reference, _ in world.booked()} == {order, f"{order}-C1", f"{order}-C", f"{order}-R1"}
    assert net(world)[order] == sold(world, order)


def test_a_cancelled_order_is_credited_for_what_is_left(world: World) -> None:
    order = world.order(hour(0), quantity=4)
    run(world, 1)
    world.refund(order, hour(1.1))
    run(world, 2)
    world.change(order, hour(2.5), status="cancelled")
    done = run(world, 3)
    assert (done.corrected, done.already_booked) == (1, 1)
    assert net(world) == {order: 0}
    assert world.waiting() == {}
    assert tallies(world)[-1]["reasons"]["corrected"] == {"cancelled_after_booking": 1}
    again = world.run(world.backfill(0, 3))
    assert again is not None
    assert (again.skipped, again.corrected) == (1, 0)
    assert net(world) == {order: 0}


def test_a_refund_made_with_the_cancellation_is_a_credit_note_of_its_own_and_never_credited_twice(world: World) -> None:
    order = world.order(hour(0), quantity=5)
    run(world, 1)
    world.refund(order, hour(1.4), quantity=3)
    world.change(order, hour(1.5), status="cancelled")
    done = run(world, 2)
    assert (done.booked, done.corrected) == (1, 1)
    assert net(world) == {order: 0}
    world.refund(order, hour(2.5))  # what was credited already is given back as money
    later = run(world, 3)
    assert (later.booked, later.quarantined) == (0, 0)
    assert net(world) == {order: 0}
    assert world.waiting() == {}


def test_an_order_that_was_refunded_in_full_has_nothing_left_to_credit(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    run(world, 1)
    world.refund(order, hour(1.4), quantity=2)
    run(world, 2)
    world.change(order, hour(2.5), status="cancelled")
    assert run(world, 3).corrected == 0
    assert {reference for reference, _ in world.booked()} == {order, f"{order}-C1"}


@pytest.mark.parametrize("refunded", [0, 1])
def test_an_order_that_is_brought_back_is_invoiced_anew_with_its_refunds(world: World, refunded: int) -> None:
    order = world.order(hour(0), quantity=4)
    if refunded:
        world.refund(order, hour(0.5))
    run(world, 1)
    world.change(order, hour(1.5), status="cancelled")
    run(world, 2)
    assert net(world) == {order: 0}
    world.change(order, hour(2.5), status="completed")
    assert run(world, 3).corrected == 1 + refunded
    settle_all(world, order)
    world.change(order, hour(4.5), status="cancelled")
    run(world, 5)
    assert net(world) == {order: 0}
    assert world.waiting() == {}


def test_a_refund_that_the_shop_deleted_waits_for_a_person(world: World) -> None:
    order = world.order(hour(0), quantity=4)
    world.refund(order, hour(0.5))
    run(world, 1)
    book = world.shop.book
    (refund,) = book.by_parent[int(order)]
    book.by_parent[int(order)].remove(refund)
    world.change(order, hour(1.5), customer_note="sorry")
    run(world, 2)
    assert world.waiting() == {f"{order}/credit": "refund_deleted"}
    world.change(order, hour(2.5), status="cancelled")  # it counts while it stands
    run(world, 3)
    assert net(world) == {order: 0}


def test_a_correction_in_a_closed_period_waits_or_moves_as_the_settings_say(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    run(world, 1)
    closed = (hour(48)).date().isoformat()
    with open_session(world.merchant, world.code) as session:
        integrations.change(session.conn, world.merchant, world.code, {"books_closed_until": closed})
    world.change(order, hour(1.5), customer_note="please ring")
    assert run(world, 2).already_booked == 1  # nothing changed: what is booked stays booked
    edit(world, order, hour(2.5), quantity=3)
    run(world, 3)
    assert world.waiting() == {order: "period_closed"}
    assert len(world.booked()) == 1
    with open_session(world.merchant, world.code) as session:
        integrations.change(session.conn, world.merchant, world.code, {"closed_period": "first_open_day"})
    world.offer(order)
    run(world, 4)
    day = (hour(48).date() + timedelta(days=1)).isoformat()
    assert {i["date"] for i in world.books.invoices.values() if i["reference"] != order} == {day}
    settle_all(world, order)


def test_figures_that_retention_emptied_leave_the_correction_to_a_person(world: World) -> None:
    order = world.order(hour(0))
    run(world, 1)
    with owner_connection() as conn:
        conn.execute("update sluis.booking set figures = null, order_number = null where merchant_code = %s",
                     [world.merchant])  # fmt: skip
    edit(world, order, hour(1.5))
    run(world, 2)
    assert world.waiting() == {order: "changed_after_booking"}
    assert world.field(order) == "figures"
    assert len(world.booked()) == 1


#: (where it dies, at which time of passing, what stands then): claim, answer and record of reversal and replacement.
DEATHS = [
    ("before_claim", 1, 1), ("after_claim", 1, 1), ("answered", 1, 2), ("recorded", 1, 2),
    ("before_claim", 2, 2), ("after_claim", 2, 2), ("answered", 2, 3), ("recorded", 2, 3), ("reported", 1, 3),
]  # fmt: skip


@pytest.mark.parametrize("again", ["retry", "next_run"])
@pytest.mark.parametrize(("point", "at", "stand"), DEATHS)
def test_a_load_that_dies_in_a_correction_is_finished_by_the_next(
    world: World, point: str, at: int, stand: int, again: str
) -> None:
    order = world.order(hour(0), quantity=2)
    run(world, 1)
    edit(world, order, hour(1.5), quantity=5)
    request = prepared(world, world.scheduled(2))
    kill("load", request, point, at)
    assert len(world.books.invoices) == stand
    if again == "retry":
        finished(world, request)
    else:
        sync.shred(request)
        world.run(world.scheduled(3))
    assert {reference for reference, _ in world.booked()} == {order, f"{order}-C", f"{order}-R1"}
    told = [tally["documents"] for tally in tallies(world)[1:]]
    own = [tally["own"] for tally in tallies(world)[1:] if tally["own"]]
    assert sum(documents.get("corrected", 0) for documents in told) == 1
    assert len(own) == 1
    settle_all(world, order)


@pytest.mark.parametrize("fault", [{"kind": "reset_after"}, {"kind": "reset"}, {"kind": "status", "status": 503}])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_correction_without_an_answer_is_looked_up(world: World, fault: dict[str, Any], skip: int) -> None:
    order = world.order(hour(0), quantity=2)
    run(world, 1)
    edit(world, order, hour(1.5), quantity=5)
    request = prepared(world, world.scheduled(2))
    world.fault(**fault, skip=skip)
    with pytest.raises(RetryLater):
        sync.load(request, settle=NO_WAIT)
    finished(world, request)
    assert len(world.booked()) == 3
    settle_all(world, order)


def test_an_edit_undone_while_the_reversal_had_no_answer_needs_the_replacement_all_the_same(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    run(world, 1)
    first = dict(world.shop.book.orders[int(order)].raw)
    edit(world, order, hour(1.5), quantity=5)
    world.fault("reset_after")
    with pytest.raises(RetryLater):
        world.run(world.scheduled(2))
    copied = ("total", "total_tax", "cart_tax", "line_items", "tax_lines", "discount_total", "discount_tax")
    world.change(order, hour(2.5), **{name: first[name] for name in copied})
    run(world, 3)
    assert {reference for reference, _ in world.booked()} == {order, f"{order}-C", f"{order}-R1"}
    settle_all(world, order)


def test_a_quota_spent_between_reversal_and_replacement_defers_the_replacement(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    run(world, 1)
    edit(world, order, hour(1.5), quantity=5)
    world.fault("status", status=429, headers={"Retry-After": "300"}, skip=1, times=9)
    done = run(world, 2)
    assert (done.deferred, done.corrected) == (1, 0)
    assert tallies(world)[-1]["own"] == {"credit_note": {"booked": 1}}
    world.server.state.faults.clear()
    world.quota_frees()
    assert run(world, 3).corrected == 1
    settle_all(world, order)


def test_what_a_person_corrected_himself_is_not_corrected_again(database: Database) -> None:
    with SandboxServer(empty_config()) as server:
        world = World(server, settings={"changed_orders": "quarantine"})
        order = world.order(hour(0))
        run(world, 1)
        edit(world, order, hour(1.5))
        run(world, 2)
        with owner_connection() as conn:
            quarantine.close(conn, world.merchant, world.code, [order], quarantine.ClosedAs.BOOKED_BY_HAND)
        with open_session(world.merchant, world.code) as session:
            integrations.change(session.conn, world.merchant, world.code, {"changed_orders": "correct"})
        world.run(world.request("manual", order_ids=(order,)))
        assert len(world.booked()) == 1
        assert world.waiting() == {}


def test_consumers_share_one_debtor_and_businesses_have_their_own(database: Database) -> None:
    with SandboxServer(empty_config()) as server:
        world = World(server, settings={"debtor_mode": "collective_consumers"})
        world.orders(hour(0), 4, buyers=4)
        business = world.order(hour(0.5), buyer="zaak")
        raw = world.shop.book.orders[int(business)].raw
        raw["billing"]["company"] = "Voorbeeld BV"
        run(world, 1)
        contacts = list(world.books.contacts.values())
        assert sorted(c["company_name"] for c in contacts) == ["Voorbeeld BV", "Webshop consumers"]
        collective = next(c for c in contacts if c["company_name"] == "Webshop consumers")
        assert not any(collective.get(field) for field in ("firstname", "lastname", "send_invoices_to_email", "city"))
        world.prove()


def test_the_stored_figures_hold_no_text_of_the_order(world: World) -> None:
    world.order(hour(0), quantity=2)
    run(world, 1)
    with owner_connection() as conn:
        (stored,) = rows(conn, "select figures, paid, total_cents from sluis.booking")
    assert sum(f["net_cents"] + f["vat_cents"] for f in stored["figures"]) == stored["total_cents"]
    assert {key for figure in stored["figures"] for key in figure} == {
        "kind", "category", "treatment", "net_cents", "vat_cents", "lines",
    }  # fmt: skip


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    with SandboxServer(empty_config()) as server:
        yield World(server)
