"""Shop, sluis and package compared: a quiet month, and one test for every cause that can make them differ."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluis.core import reconciliation as rec
from sluis.core.reconciliation import Difference, Period, Reconciliation
from sluis.flows import integrations, quarantine
from sluis.flows.context import RunRequest
from sluis.flows.reconcile import reconcile
from sluis.flows.wiring import open_session
from sluis.store.database import owner_connection
from sluis.store.reconciliations import Reconciliations
from tests.flows.world import T0, World
from tests.flows.world import hour as world_hour

PERIOD = Period.of(f"{T0:%Y-%m}")
#: Hours of these tests lie on one day in the middle of the period, whatever the day is on which they run.
SHIFT = (datetime(T0.year, T0.month, 10, 12, tzinfo=UTC) - T0) / timedelta(hours=1)


def hour(number: float) -> datetime:
    return world_hour(SHIFT + number)


def scheduled(world: World, number: float) -> RunRequest:
    return world.scheduled(SHIFT + number)


def compared(world: World, period: Period = PERIOD, **more: Any) -> Reconciliation:
    with open_session(world.merchant, world.code) as session:
        return reconcile(session, period, **more).result


def causes(found: Reconciliation) -> dict[str, int]:
    return {cause.cause: cause.documents for cause in found.causes}


def one(found: Reconciliation) -> Difference:
    (difference,) = found.differences
    return difference


def test_a_quiet_month_is_equal_on_all_three_sides(world: World) -> None:
    world.orders(hour(0), 3)
    order = world.order(hour(0.5))
    world.refund(order, hour(0.6))
    world.run(scheduled(world, 1))
    found = compared(world)
    assert causes(found) == {}
    assert found.settled
    (line,) = found.totals
    assert line.shop == line.sluis == line.package
    assert line.shop.documents == 5
    assert line.shop.net_cents + line.shop.vat_cents == sum(amount for _, amount in world.expected())
    assert all(treatment.agrees for treatment in found.treatments)
    boxes = {box.box.value: box for box in found.vat_return.boxes or ()}
    assert boxes["1a"].turnover_cents + boxes["1b"].turnover_cents == line.sluis.net_cents
    assert (boxes["1a"].vat_cents or 0) + (boxes["1b"].vat_cents or 0) == line.sluis.vat_cents


# --------------------------------------------------------------------------------- between the shop and sluis


def test_what_changed_since_the_last_run_is_not_read_yet(world: World) -> None:
    world.run(scheduled(world, 1))
    world.order(hour(2))
    found = compared(world)
    assert causes(found) == {rec.NOT_READ_YET: 1}
    assert found.settled
    assert (one(found).first_cents, one(found).second_cents) == (world.expected()[0][1], None)


def test_what_a_run_left_out_is_not_booked(world: World) -> None:
    world.order(hour(0.5))
    world.run(scheduled(world, 3))  # the first run reads from the start date on
    late = world.order(hour(1))  # put in with a date of change that the watermark has passed
    found = compared(world)
    assert causes(found) == {rec.NOT_BOOKED: 1}
    assert not found.settled
    world.run(world.backfill(SHIFT, SHIFT + 3))
    assert causes(compared(world)) == {}
    assert late


def test_quarantine_is_not_booked_and_told_with_its_reason(world: World) -> None:
    order = world.order(hour(0.5))
    world.change(order, hour(0.6), currency="USD")
    with open_session(world.merchant, world.code) as session:
        integrations.change(session.conn, world.merchant, world.code, {"foreign_currency": "quarantine"})
    world.order(hour(0.7))
    world.run(scheduled(world, 1))
    (reason,) = world.waiting().values()
    found = compared(world)
    assert causes(found) == {rec.QUARANTINED: 1}
    assert not found.settled
    assert [(q.code, q.currency, q.documents) for q in found.quarantined] == [(reason, "USD", 1)]
    assert {line.currency: (line.shop.documents, line.sluis.documents) for line in found.totals} == {
        "EUR": (1, 1), "USD": (1, 0),
    }  # fmt: skip
    number = one(found).order_number or ""
    with owner_connection() as conn:
        quarantine.close(conn, world.merchant, world.code, [number], quarantine.ClosedAs.NOT_TO_BE_BOOKED)
    found = compared(world)
    assert causes(found) == {rec.NOT_TO_BE_BOOKED: 1}
    assert found.settled


def test_an_order_that_is_no_sale_is_left_out_with_the_reason(world: World) -> None:
    order = world.order(hour(0.5))
    world.change(order, hour(0.6), status="pending")
    world.run(scheduled(world, 1))
    found = compared(world)
    assert (causes(found), found.settled) == ({}, True)
    assert [(s.code, s.documents) for s in found.skipped] == [("status_not_bookable", 1)]
    assert found.totals == ()


def test_an_order_deleted_in_the_shop_is_gone(world: World) -> None:
    order = world.order(hour(0.5))
    world.order(hour(0.6))
    world.run(scheduled(world, 1))
    booked = dict(world.booked())
    world.shop.book.delete(int(order))
    found = compared(world)
    assert causes(found) == {rec.GONE_FROM_SHOP: 1}
    assert one(found).second_cents == booked[one(found).reference or ""]


def test_an_order_changed_after_it_was_booked(world: World) -> None:
    order = world.order(hour(0.5))
    world.run(scheduled(world, 1))
    raw = world.shop.book.orders[int(order)].raw
    world.shop.book.change(int(order), {"total": raw["total"]}, at=hour(0.7))
    assert causes(compared(world)) == {}
    change_a_quantity(world, order)
    found = compared(world)
    assert causes(found) == {rec.CHANGED_AFTER_BOOKING: 1}
    assert one(found).cents != 0


def change_a_quantity(world: World, order_id: str, at: float = 0.7) -> None:
    """Sell one piece more; by default in silence, the date of change staying before the watermark."""
    bigger = world.shop.book.orders[int(world.order(hour(0.5), quantity=2))]
    world.shop.book.delete(bigger.id)
    fields = {name: bigger.raw[name] for name in ("line_items", "tax_lines", "total", "total_tax", "cart_tax")}
    world.change(order_id, hour(at), **fields)


# ------------------------------------------------------------------------------- between sluis and the package


def only(world: World) -> dict[str, Any]:
    (invoice,) = world.books.invoices.values()
    return invoice


@pytest.fixture
def booked(world: World) -> World:
    world.order(hour(0.5))
    world.run(scheduled(world, 1))
    return world


def test_a_document_deleted_in_the_package_is_missing(booked: World) -> None:
    booked.books.delete_invoice(only(booked)["id"])
    found = compared(booked)
    assert causes(found) == {rec.MISSING_IN_PACKAGE: 1}
    assert one(found).second_cents is None


def test_another_total_in_the_package_differs(booked: World) -> None:
    invoice = only(booked)
    for name in ("total_price_incl_tax", "total_price_excl_tax"):
        invoice[name] = str(Decimal(invoice[name]) + 10)
    found = compared(booked)
    assert causes(found) == {rec.TOTAL_DIFFERS: 1}
    assert one(found).cents == -1000


def test_a_cent_of_the_packages_own_vat_is_explained_and_more_is_not(booked: World) -> None:
    invoice = only(booked)
    invoice["total_price_excl_tax"] = str(Decimal(invoice["total_price_excl_tax"]) - Decimal("0.01"))
    found = compared(booked)
    assert (causes(found), found.settled) == ({rec.VAT_ROUNDING: 1}, True)
    (line,) = found.totals
    assert line.package.vat_cents == line.sluis.vat_cents + 1
    invoice["total_price_excl_tax"] = str(Decimal(invoice["total_price_excl_tax"]) - Decimal("1.00"))
    found = compared(booked)
    assert (causes(found), found.settled) == ({rec.VAT_DIFFERS: 1}, False)


def test_a_date_moved_in_the_package(booked: World) -> None:
    invoice = only(booked)
    day = date.fromisoformat(invoice["date"])
    inside = day + timedelta(days=1) if day.day < 28 else day - timedelta(days=1)
    invoice["date"] = inside.isoformat()
    found = compared(booked)
    assert (causes(found), found.settled) == ({rec.DATE_MOVED: 1}, True)
    invoice["date"] = (PERIOD.start - timedelta(days=1)).isoformat()
    found = compared(booked)
    assert (causes(found), found.settled) == ({rec.DATED_ELSEWHERE: 1}, False)
    before = Period.of(f"{PERIOD.start - timedelta(days=1):%Y-%m}")
    there = compared(booked, before)
    assert causes(there) == {rec.DATED_ELSEWHERE: 1}
    assert (one(there).first_cents, one(there).second_cents) == (None, one(found).first_cents)


def test_a_create_that_the_package_did_twice_stands_there_twice(booked: World) -> None:
    twin = {**only(booked), "id": str(int(only(booked)["id"]) + 1)}
    booked.books._store(twin)  # as a create does whose answer was lost and that was sent again
    found = compared(booked)
    assert causes(found) == {rec.BOOKED_TWICE: 1}
    assert one(found).second_cents == booked.expected()[0][1]
    twin["reference"] = "nobody knows it"
    assert causes(compared(booked)) == {rec.UNKNOWN_TO_SLUIS: 1}
    twin["source"] = "by hand"
    found = compared(booked)
    assert (causes(found), found.settled) == ({}, True)
    assert [(o.code, o.documents) for o in found.others] == [("made_by_others", 1)]


# --------------------------------------------------------------------------------------------- what is kept


def test_what_is_stored_names_no_document(booked: World) -> None:
    booked.books.delete_invoice(only(booked)["id"])
    found = compared(booked)
    with open_session(booked.merchant, booked.code) as session:
        (stored,) = Reconciliations(session.conn, session.integration).list(PERIOD.name)
    assert (stored.settled, stored.run_id) == (False, "cli")
    assert "differences" not in stored.result
    assert one(found).reference not in _texts(stored.result)
    assert [c["cause"] for c in stored.result["causes"]] == [rec.MISSING_IN_PACKAGE]


def _texts(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*(_texts(inner) for inner in value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*(_texts(inner) for inner in value)) if value else set()
    return {str(value)}


def test_emptied_figures_leave_the_totals(booked: World) -> None:
    booked.shop.book.delete(int(next(iter(booked.shop.book.orders))))
    with owner_connection() as conn:
        conn.execute("update sluis.booking set figures = null where merchant_code = %s", [booked.merchant])
    found = compared(booked)
    assert found.not_split == 1
    assert [line.key.name for line in found.treatments] == ["not_split"]
    (line,) = found.totals
    assert line.sluis == line.package


# ---------------------------------------------------------------------------- corrections and days' entries


def test_a_corrected_order_is_equal_again_and_its_documents_are_explained(world: World) -> None:
    order = world.order(hour(0.5))
    world.run(scheduled(world, 1))
    change_a_quantity(world, order, at=1.5)
    world.run(scheduled(world, 2))
    found = compared(world)
    assert (causes(found), found.settled) == ({rec.CORRECTED: 1}, True)
    (line,) = found.totals
    assert (line.shop.documents, line.sluis.documents, line.package.documents) == (1, 3, 3)
    assert line.agrees


def test_a_cancelled_order_that_was_credited_is_no_sale(world: World) -> None:
    order = world.order(hour(0.5))
    world.run(scheduled(world, 1))
    world.change(order, hour(1.5), status="cancelled")
    world.run(scheduled(world, 2))
    found = compared(world)
    assert (causes(found), found.settled) == ({rec.CORRECTED: 1}, True)
    (line,) = found.totals
    assert line.sluis.net_cents == line.package.net_cents == line.shop.net_cents == 0
