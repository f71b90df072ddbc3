"""The shop misbehaves while it is read: the batch is shredded, the right error leaves, the watermark stays."""

from __future__ import annotations

from typing import Any

import pytest

from sluis.errors import NotAShop, Reconnect, RetryLater, SluisError
from sluis.flows import extract as extract_flow
from sluis.flows import sync
from sluis.http import VendorSession
from sluis.shops.woocommerce import client
from sluis.store.integrations import IntegrationState
from sluis.transit.store import Transit
from tests.flows.world import ORDERS, World, hour

#: Rows per page and per chunk in these tests, so that few orders make several of each.
FEW = 3


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PER_PAGE", FEW)
    monkeypatch.setattr(extract_flow, "CHUNK", FEW)


@pytest.fixture(autouse=True)
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds of patience, and no second try of a read in place."""
    defaults = {**VendorSession.__init__.__kwdefaults__, "read_timeout": 2.0, "read_retries": 0}
    monkeypatch.setattr(VendorSession.__init__, "__kwdefaults__", defaults)


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ({"kind": "hang", "seconds": 60.0}, RetryLater, "timed_out"),
        ({"kind": "reset"}, RetryLater, None),
        ({"kind": "truncated"}, RetryLater, "answer_cut_off"),
        ({"kind": "status", "status": 503}, RetryLater, "vendor_fault"),
        ({"kind": "html"}, NotAShop, "html_around_json"),
        ({"kind": "status", "status": 401}, Reconnect, "credential_refused"),
    ],
    ids=lambda value: value.get("kind") if isinstance(value, dict) else None,
)
def test_the_second_page_fails(world: World, fault: dict[str, Any], error: type[SluisError], code: str | None) -> None:
    world.orders(hour(0), 8)
    world.fault(**fault, method="GET", path=ORDERS, skip=1)
    with pytest.raises(error) as caught:
        sync.extract(world.scheduled(1))
    assert type(caught.value) is error
    assert code in (None, caught.value.code)
    assert world.in_transit() == 0
    assert world.integration.watermark is None
    dead = error is Reconnect
    assert world.integration.state is (IntegrationState.RECONNECT if dead else IntegrationState.LIVE)
    if not dead:
        world.run(world.scheduled(2))
        world.prove()


def test_the_shop_changes_while_it_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = world.orders(hour(0), 8)
    put = Transit.put
    changed: list[str] = []

    def put_and_change(self: Transit, batch_id: str, stage: str, number: int, items: Any) -> None:
        put(self, batch_id, stage, number, items)
        if stage == "extracted" and number == 0:  # the first page was read: one of it changes, and one still to come
            for order in (orders[1], orders[6]):
                world.change(order, hour(1.5), customer_note="please ring twice")
                changed.append(order)
            world.order(hour(1.6), buyer="new")

    with monkeypatch.context() as patched:
        patched.setattr(Transit, "put", put_and_change)
        first = world.run(world.scheduled(1))
    assert len(changed) == 2
    assert first is not None
    assert (first.booked, first.quarantined) == (7, 0)  # order 6 left the window, and nobody calls that a loss
    second = world.run(world.scheduled(2))
    assert second is not None
    assert (second.booked, second.already_booked) == (2, 1)
    world.prove()


def test_an_order_deleted_while_the_shop_is_read_stops_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = world.orders(hour(0), 8)
    put = Transit.put

    def put_and_delete(self: Transit, batch_id: str, stage: str, number: int, items: Any) -> None:
        put(self, batch_id, stage, number, items)
        if stage == "extracted" and number == 0:
            world.shop.book.delete(int(orders[5]))

    with monkeypatch.context() as patched:
        patched.setattr(Transit, "put", put_and_delete)
        done = world.run(world.scheduled(1))
    assert done is not None
    assert done.booked == 7
    world.prove()


def test_orders_without_an_id_are_counted_one_by_one_and_hold_the_window(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = world.orders(hour(0), 4)
    answer = client.WooCommerceClient.rows

    def without_ids(self: client.WooCommerceClient, *given: Any) -> Any:
        rows, total = answer(self, *given)
        return [{**row, "id": None} if str(row.get("id")) in orders[:2] else row for row in rows], total

    with monkeypatch.context() as patched:
        patched.setattr(client.WooCommerceClient, "rows", without_ids)
        with pytest.raises(RetryLater) as caught:
            world.run(world.scheduled(1))
    assert caught.value.code == "id_missing"
    assert "gave 2 orders or refunds without a readable id" in str(caught.value)
    assert world.in_transit() == 0
    assert world.integration.watermark is None
    world.run(world.scheduled(2))
    world.prove()
