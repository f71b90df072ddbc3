"""A person follows our advice while an order waits: what he books, deletes or renames by hand is never doubled."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sluis.core.invoice import Prepared
from sluis.core.invoicing import prepare
from sluis.core.order import Order
from sluis.flows import integrations
from sluis.flows import quarantine as flow
from sluis.flows.adopt import adopt
from sluis.flows.period import days
from sluis.flows.wiring import open_session
from sluis.store.database import owner_connection
from tests.conftest import Database
from tests.flows.world import World, edit, hour


def change_settings(world: World, **patch: object) -> integrations.Changed:
    with open_session(world.merchant, world.code) as session:
        return integrations.change(session.conn, world.merchant, world.code, patch)


def abroad(world: World, at: float) -> str:
    """An order whose VAT sluis leaves to a person (Dutch VAT in Germany) until the settings say otherwise."""
    order = world.order(hour(at), buyer="piet")
    raw = world.shop.book.orders[int(order)].raw
    for address in ("billing", "shipping"):
        raw[address]["country"] = "DE"
    return order


def book_by_hand(world: World, more: Decimal = Decimal(0)) -> None:
    """A bookkeeper books the shop's orders himself, under the shop's numbers and on a contact of his own."""
    with open_session(world.merchant, world.code) as session:
        settings = session.integration.settings.model_copy(update={"eu_consumers": "home_vat"})
        for page in session.shop.read(days(hour(-48).date(), hour(72).date(), settings), by="dated"):
            for order in page.documents:
                assert isinstance(order, Order)
                for decision in prepare(order, settings):
                    assert isinstance(decision, Prepared)
                    debtor = session.package.debtor(decision.invoice.buyer, "ab" * 20)
                    made = session.package.book(decision.invoice, debtor.id)
                    row = world.books.invoices[made.external_id]
                    row["total_price_incl_tax"] = str(Decimal(row["total_price_incl_tax"]) + more)


def book_a_cent_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package compute another total than was sent, for one run."""
    create = world.books.create_invoice

    def a_cent_more(given: dict[str, Any]) -> dict[str, Any]:
        invoice = create(given)
        invoice["total_price_incl_tax"] = str(Decimal(invoice["total_price_incl_tax"]) + Decimal("0.01"))
        return invoice

    with monkeypatch.context() as patched:
        patched.setattr(world.books, "create_invoice", a_cent_more)
        world.run(world.scheduled(1))


def delete_everything(world: World) -> None:
    for invoice in list(world.books.invoices):
        world.books.delete_invoice(invoice)


def test_an_order_booked_by_hand_while_it_waited_is_adopted_and_not_booked_again(world: World) -> None:
    order = abroad(world, 0)
    world.run(world.scheduled(1))
    assert world.waiting() == {order: "vat_wrong_regime"}
    book_by_hand(world)
    assert change_settings(world, eu_consumers="home_vat").offered == 1
    world.server.state.calls.clear()
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.adopted, done.booked) == (1, 0)
    assert world.calls("POST", "/books/") == 0
    assert world.waiting() == {}
    world.prove()


def test_an_order_booked_by_hand_with_another_total_is_shown_and_not_booked_again(world: World) -> None:
    order = abroad(world, 0)
    world.run(world.scheduled(1))
    book_by_hand(world, more=Decimal("0.05"))
    change_settings(world, eu_consumers="home_vat")
    world.run(world.scheduled(2))
    assert world.waiting() == {order: "total_differs"}
    assert len(world.books.invoices) == 1


def test_only_what_waited_is_looked_up_and_by_one_call(world: World) -> None:
    abroad(world, 0)
    world.run(world.scheduled(1))
    change_settings(world, eu_consumers="home_vat")
    world.orders(hour(1), 5)
    world.server.state.calls.clear()
    done = world.run(world.scheduled(2))
    assert done is not None
    assert done.booked == 6
    assert world.calls("GET", "/external_sales_invoices") == 1
    world.prove()


def test_a_document_that_was_deleted_as_advised_is_created_again_once_it_is_offered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = world.order(hour(0))
    book_a_cent_more(world, monkeypatch)
    assert world.waiting() == {order: "total_differs"}
    delete_everything(world)
    world.run(world.backfill(0, 1))
    assert world.booked() == []  # nobody offered it
    assert world.waiting() == {order: "total_differs"}
    world.offer(order)
    done = world.run(world.scheduled(2))
    assert done is not None
    assert done.booked == 1
    assert world.waiting() == {}
    world.prove()


def test_a_document_that_only_got_another_reference_by_hand_is_not_created_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = world.order(hour(0))
    book_a_cent_more(world, monkeypatch)
    next(iter(world.books.invoices.values()))["reference"] = "mine"
    world.offer(order)
    world.run(world.scheduled(2))
    assert world.waiting() == {order: "total_differs"}
    assert len(world.books.invoices) == 1


def test_a_credit_note_is_called_after_its_invoice_although_the_prefix_changed_since(world: World) -> None:
    order = world.order(hour(0), quantity=2)
    world.run(world.scheduled(1))
    change_settings(world, reference_prefix="W-")
    world.refund(order, hour(1.1))
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.booked, done.already_booked) == (1, 1)
    world.prove()  # <number> and <number>-C1


def test_what_adopt_has_linked_is_no_booking_of_the_next_run(world: World) -> None:
    abroad(world, 0)
    book_by_hand(world)
    change_settings(world, eu_consumers="home_vat")
    with open_session(world.merchant, world.code) as session:
        adopt(session, hour(-48).date(), hour(72).date())
    done = world.run(world.scheduled(1))
    assert done is not None
    assert (done.already_booked, done.adopted, done.booked) == (1, 0, 0)


@pytest.mark.parametrize("forgotten", [False, True], ids=["while the item stands", "after retention took the item"])
def test_what_was_closed_as_booked_by_hand_is_looked_up_however_late(
    world: World, database: Database, *, forgotten: bool
) -> None:
    order = abroad(world, 0)
    world.run(world.scheduled(1))
    book_by_hand(world)
    close_by_hand(world)
    if forgotten:
        forget(database)
    change_settings(world, eu_consumers="home_vat")
    world.change(order, hour(1.2), customer_note="x")
    done = world.run(world.scheduled(2))
    assert done is not None
    assert (done.adopted, done.booked) == (1, 0)
    assert len(world.books.invoices) == 1


@pytest.mark.parametrize("forgotten", [False, True], ids=["while the item stands", "after retention took the item"])
def test_what_a_person_corrected_is_not_corrected_again_however_late(
    world: World, database: Database, *, forgotten: bool
) -> None:
    order = world.order(hour(0.2), quantity=2)
    world.run(world.scheduled(1))
    before = world.booked()
    change_settings(world, changed_orders="quarantine")
    edit(world, order, hour(1.2), quantity=7)
    world.run(world.scheduled(2))
    close_by_hand(world)
    if forgotten:
        forget(database)
    change_settings(world, changed_orders="correct")
    world.change(order, hour(2.2), customer_note="x")
    world.run(world.scheduled(3))
    assert world.booked() == before


def close_by_hand(world: World) -> None:
    with open_session(world.merchant, world.code) as session:
        waiting = [item.order_number for item in session.quarantine.open()]
    with owner_connection() as conn:
        flow.close(conn, world.merchant, world.code, [name for name in waiting if name], flow.ClosedAs.BOOKED_BY_HAND)


def forget(database: Database) -> None:
    """What retention does 90 days after the item was closed."""
    with database.retention() as conn:
        assert conn.execute("delete from sluis.quarantine where closed_at is not null").rowcount == 1
