"""What could not be booked waits for a person, keeps no payload, and is booked once its cause is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluis.flows import integrations
from sluis.store.database import owner_connection
from tests.flows.world import World, hour


def change_settings(world: World, **patch: Any) -> int:
    with owner_connection() as conn:
        return integrations.change(conn, world.merchant, world.code, patch).offered


def untaxed(world: World, at: float) -> str:
    """An order whose line carries no VAT row."""
    order = world.order(hour(at))
    raw = world.shop.book.orders[int(order)].raw
    free = {"total": "12.50", "subtotal": "12.50", "total_tax": "0.00", "subtotal_tax": "0.00", "taxes": []}
    line = {**raw["line_items"][0], **free}
    zero = dict.fromkeys(("total_tax", "cart_tax", "discount_tax", "shipping_tax"), "0.00")
    world.shop.book.change(int(order), {"line_items": [line], "tax_lines": [], "total": line["total"], **zero})
    return order


def test_offered_again_is_fetched_by_id_booked_and_closed(world: World) -> None:
    order = world.order(hour(0))
    good = world.shop.book.orders[int(order)].raw["shipping"], world.shop.book.orders[int(order)].raw["billing"]
    nowhere = [{**address, "country": ""} for address in good]
    world.change(order, hour(0), shipping=nowhere[0], billing=nowhere[1])
    world.run(world.scheduled(1))
    assert world.waiting() == {order: "country_missing"}
    assert world.run(world.scheduled(9)) is None  # far behind its window: nobody reads it again by himself
    world.shop.book.change(int(order), {"shipping": good[0], "billing": good[1]})  # not even a new date of change
    assert world.offer(order) == 1
    done = world.run(world.scheduled(10))
    assert done is not None
    assert done.booked == 1
    assert world.waiting() == {}
    world.prove()
    assert world.run(world.scheduled(20)) is None  # and it is fetched no more


def test_offered_but_not_mended_waits_again(world: World) -> None:
    order = untaxed(world, 0)
    world.run(world.scheduled(1))
    for number in (10, 20):
        assert world.offer(order) == 1
        world.run(world.scheduled(number))
        assert world.waiting() == {order: "untaxed_line"}
    assert not world.books.invoices
    assert world.run(world.scheduled(30)) is None  # offered once means tried once


def test_new_settings_offer_what_waits(world: World) -> None:
    order = untaxed(world, 0)
    world.orders(hour(0.1), 1)
    world.run(world.scheduled(1))
    assert world.waiting() == {order: "untaxed_line"}
    assert change_settings(world, reference_prefix="") == 1
    world.run(world.scheduled(10))
    assert world.waiting() == {order: "untaxed_line"}  # another setting than the one that matters
    rates = world.integration.settings.mapping.tax_rates
    none = rates["Z 0 NL"]
    assert change_settings(world, untaxed_lines="exempt", mapping={"tax_rates": {**rates, "E 0 NL": none}}) == 1
    done = world.run(world.scheduled(20))
    assert done is not None
    assert done.booked == 1
    assert world.waiting() == {}
    world.prove()


def test_a_mapping_that_is_missing_waits_and_is_booked_once_it_is_filled(world: World) -> None:
    order = world.order(hour(0))
    with owner_connection() as conn:
        rates = integrations.show(conn, world.merchant, world.code).settings["mapping"]["tax_rates"]
    change_settings(world, mapping={"tax_rates": dict.fromkeys(rates, None)})
    world.run(world.scheduled(1))
    assert world.waiting() == {order: "mapping_missing"}
    assert not world.books.contacts  # not even a debtor was made
    assert change_settings(world, mapping={"tax_rates": rates}) == 1
    world.run(world.scheduled(10))
    assert world.waiting() == {}
    world.prove()


def test_an_unreadable_order_waits_and_stops_nobody(world: World) -> None:
    odd, *_ = world.orders(hour(0), 3)
    paid = world.shop.book.orders[int(odd)].raw["date_paid_gmt"]
    world.shop.book.change(int(odd), {"date_paid_gmt": "yesterday"})
    done = world.run(world.scheduled(1))
    assert done is not None
    assert (done.booked, done.quarantined, done.watermark) == (2, 1, hour(1))
    assert world.waiting() == {odd: "unreadable"}
    assert world.field(odd) == "date_paid_gmt"
    world.shop.book.change(int(odd), {"date_paid_gmt": paid})
    world.offer(odd)
    world.run(world.scheduled(10))
    assert world.waiting() == {}
    world.prove()


def test_a_refund_waits_for_its_order(world: World) -> None:
    order = world.order(hour(0), quantity=3)
    lines = world.shop.book.orders[int(order)].raw["line_items"]
    world.fault("status", status=422)
    world.run(world.scheduled(1))
    world.refund(order, hour(1.5))
    world.fault("status", status=422)
    world.run(world.scheduled(2))
    assert world.waiting() == {order: "refused_by_package", f"{order}/credit": "refund_of_unbooked_order"}
    assert lines
    assert world.offer(order) == 2
    done = world.run(world.scheduled(10))
    assert done is not None
    assert done.booked == 2
    assert world.waiting() == {}
    world.prove()


def test_a_row_that_fails_a_quality_check_waits_with_the_checks_name(world: World) -> None:
    odd, *_ = world.orders(hour(0), 3)
    raw = world.shop.book.orders[int(odd)].raw
    soon = f"{datetime.now(UTC) + timedelta(hours=5):%Y-%m-%dT%H:%M:%S}"  # no other day than tomorrow: the core's case
    future = {"date_created": soon, "date_created_gmt": soon}
    paid = {"date_paid": soon, "date_paid_gmt": soon}
    world.change(odd, hour(0), **future, **paid)
    done = world.run(world.scheduled(1))
    assert done is not None
    assert (done.booked, done.quarantined) == (2, 1)
    assert world.waiting() == {odd: "quality_failed"}
    assert world.field(odd) == "not_in_the_future"
    names = ("date_created", "date_created_gmt", "date_paid", "date_paid_gmt")
    world.change(odd, hour(0), **{name: raw[name] for name in names})
    world.offer(odd)
    world.run(world.scheduled(10))
    assert world.waiting() == {}
    world.prove()


def test_an_offer_survives_a_run_that_fails(world: World) -> None:
    order = untaxed(world, 0)
    world.run(world.scheduled(1))
    world.offer(order)
    world.fault("status", method="GET", path="*/wc/v3/*", status=503, times=4)
    with pytest.raises(Exception, match="vendor_fault"):
        world.run(world.scheduled(10))
    done = world.run(world.scheduled(11))
    assert done is not None
    assert done.quarantined == 1  # it was fetched


def test_an_offered_order_that_the_quota_defers_stays_offered(world: World) -> None:
    order = world.order(hour(0))
    world.fault("status", status=422)
    world.run(world.scheduled(1))
    world.run(world.scheduled(9))
    world.offer(order)
    world.fault("status", status=429, headers={"Retry-After": "300"})
    first = world.run(world.scheduled(10))
    assert first is not None
    assert first.deferred == 1
    world.quota_frees()
    second = world.run(world.scheduled(11))
    assert second is not None
    assert second.booked == 1
    assert world.waiting() == {}
    world.prove()


def test_quarantine_keeps_no_payload(world: World) -> None:
    untaxed(world, 0)
    world.run(world.scheduled(1))
    with owner_connection() as conn:
        stored = str(conn.execute("select row_to_json(q) from sluis.quarantine as q").fetchall())
    billing = next(iter(world.shop.book.orders.values())).raw["billing"]
    for name in ("email", "last_name", "address_1", "postcode", "city"):
        assert billing[name] not in stored


def test_an_offered_order_that_is_gone_from_the_shop_is_closed_and_named(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    gone, stays = world.order(hour(0), number="W-77"), world.order(hour(0.1))
    for order in (gone, stays):
        world.change(order, hour(0.2), currency="AED")  # for which the ECB has no rate
    world.run(world.scheduled(1))
    del world.shop.book.orders[int(gone)]
    assert world.offer("W-77", stays) == 2
    world.run(world.scheduled(9))
    assert world.waiting() == {stays: "exchange_rate_missing"}
    assert "order=W-77 is not in the shop any more" in caplog.text
    with owner_connection() as conn:
        found = conn.execute("select order_number, closed_as from sluis.quarantine where closed_as is not null")
        assert found.fetchall() == [("W-77", "gone_from_shop")]
    world.server.state.calls.clear()
    assert world.run(world.scheduled(20)) is None
    assert world.calls("GET", f"/orders/{gone}") == 0
