"""Settings change while orders are on their way: none is lost for it, and the report names what decided."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from sluis.core.bookable import books_more
from sluis.core.settings import IntegrationSettings
from sluis.flows import integrations, sync
from sluis.flows.integrations import Changed
from sluis.flows.wiring import open_session
from sluis.sandbox.server import SandboxServer
from tests.conftest import Database
from tests.flows.world import NO_WAIT, World, empty_config, hour

ON_HOLD_TOO = {"*": ["processing", "completed", "on-hold"]}


def change(world: World, **patch: Any) -> Changed:
    with open_session(world.merchant, world.code) as session:
        return integrations.change(session.conn, world.merchant, world.code, patch)


def on_hold(world: World, at: float) -> str:
    order = world.order(hour(at))
    world.change(order, hour(at), status="on-hold")
    return order


def test_a_wider_trigger_reads_again_what_was_skipped(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sluis.settings")
    on_hold(world, 0)
    world.order(hour(0.1))
    world.run(world.scheduled(1))
    world.run(world.scheduled(9))
    changed = change(world, trigger_statuses=ON_HOLD_TOO)
    start = world.integration.watermark
    assert changed.rereads_from == start
    assert start is not None
    assert start.astimezone(world.integration.settings.zone).date() == world.start
    assert "reads the shop again from" in caplog.text
    done = world.run(world.scheduled(10))
    assert done is not None
    assert (done.booked, done.already_booked, done.watermark) == (1, 1, hour(10))
    assert len(world.books.invoices) == 2


def test_an_earlier_start_date_reads_what_lies_before(database: Database) -> None:
    with SandboxServer(empty_config()) as server:
        world = World(server, start=hour(24).date())
        world.order(hour(-24 * 5))
        assert world.run(world.scheduled(49)) is None
        changed = change(world, start_date=str(hour(-24 * 10).date()))
        assert changed.rereads_from is not None
        done = world.run(world.scheduled(50))
        assert done is not None
        assert (done.booked, done.watermark) == (1, hour(50))
        world.prove()


def test_a_test_payment_that_is_none_after_all_is_read_again(world: World) -> None:
    order = world.order(hour(0))
    world.change(order, hour(0), meta_data=[{"id": 1, "key": "_mollie_payment_mode", "value": "test"}])
    done = world.run(world.scheduled(1))
    assert done is not None
    assert done.skipped == 1
    world.run(world.scheduled(9))
    assert change(world, shop={"test_payments": {}}).rereads_from is not None
    world.run(world.scheduled(10))
    world.prove()


WIDER: list[dict[str, Any]] = [
    {"trigger_statuses": {"*": ["processing", "completed"], "cod": ["processing"]}},
    {"trigger_statuses": {"*": ["processing", "completed"], "cod": None}},
    {"require_paid": {"bacs": False}},
    {"filter_countries": []},
    {"filter_countries": ["NL", "BE"]},
    {"filter_currencies": ["EUR", "USD"]},
    {"document_date": "order"},
    {"timezone": "UTC"},
    {"start_date": str(hour(-72).date())},
    {"shop": {"test_payments": {}}},
]
NO_WIDER: list[dict[str, Any]] = [
    {"trigger_statuses": {"*": ["completed"]}},
    {"require_paid": {"*": True, "bacs": True, "ideal": True}},
    {"filter_countries": ["NL"]},
    {"start_date": str(hour(0).date())},
    {"reference_prefix": "W-"},
    {"overlap_minutes": 20},
]


@pytest.mark.parametrize("patch", [*WIDER, *NO_WIDER], ids=str)
def test_only_what_may_book_more_reads_again(patch: dict[str, Any]) -> None:
    given = {"require_paid": {"*": True}, "filter_countries": ["NL"], "filter_currencies": ["EUR"]}
    before = IntegrationSettings.model_validate({"start_date": hour(-48).date(), **given})
    after = integrations.merged(before.model_dump(mode="json"), patch)
    assert books_more(before, IntegrationSettings.model_validate(after)) == (patch in WIDER)


def test_settings_that_book_no_more_leave_the_watermark_where_it_is(world: World) -> None:
    world.run(world.scheduled(1))
    assert change(world, reference_prefix="W-").rereads_from is None
    assert world.integration.watermark == hour(1)


def test_before_the_first_run_there_is_nothing_to_read_again(world: World) -> None:
    assert change(world, trigger_statuses=ON_HOLD_TOO).rereads_from is None
    assert world.integration.watermark is None


@pytest.mark.parametrize("first", [True, False], ids=["first_import", "later"])
@pytest.mark.parametrize("when", ["after_extract", "after_transform"])
def test_a_run_underway_does_not_move_the_watermark_past_what_it_skipped(world: World, first: bool, when: str) -> None:
    if not first:
        world.run(world.scheduled(0))
    on_hold(world, 0.1)
    world.order(hour(0.2))
    request = world.scheduled(1)
    before = world.integration.settings_version
    sync.extract(request)
    if when == "after_extract":
        change(world, trigger_statuses=ON_HOLD_TOO)
    sync.transform(request)
    if when == "after_transform":
        change(world, trigger_statuses=ON_HOLD_TOO)
    done = sync.load(request, settle=NO_WAIT)
    sync.shred(request)
    assert done.watermark is None
    with open_session(world.merchant, world.code) as session:
        (report, *_) = session.reports.list()
    assert report.settings_version == before + (when == "after_extract")  # the one that decided
    world.run(world.scheduled(2))
    assert len(world.books.invoices) == 2
    assert world.integration.watermark == hour(2)


def test_the_log_of_a_load_tells_the_window_and_the_shops_own_count(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.orders(hour(0), 2)
    request = world.scheduled(1)
    sync.extract(request)
    sync.transform(request)
    caplog.set_level(logging.INFO, logger="sluis.load")
    caplog.clear()
    sync.load(request, settle=NO_WAIT)
    sync.shred(request)
    line = next(record.message for record in caplog.records if record.message.startswith("loading "))
    assert "documents=2 " in line
    assert "shop_count=2 " in line
    assert f"end={hour(1)} " in line
