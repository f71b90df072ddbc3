"""Whatever rows there are: what goes is exactly what an independent calendar says has expired."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluis.privacy.retention import run as steps
from sluis.store.database import Connection
from tests.conftest import Database
from tests.privacy.retention import world

REGISTER = world.stored()
MERCHANTS = ("m1", "m2", "m3")  # m2 chose a shorter period, m3's contract ended long ago
_FIRST = date(2022, 1, 1)
dates = st.dates(_FIRST, date(2028, 12, 31))
bookings = st.lists(st.tuples(st.sampled_from(MERCHANTS), dates), max_size=12)
links = st.lists(st.tuples(st.sampled_from(MERCHANTS), st.none() | dates, dates), max_size=12)


@pytest.fixture(scope="module")
def connections(module_database: Database) -> Iterator[tuple[Connection, Connection]]:
    with module_database.owner() as owner, module_database.retention() as conn:
        for code in MERCHANTS:
            world.merchant(owner, code, ended=datetime(2021, 1, 1, tzinfo=UTC) if code == "m3" else None)
        owner.execute("delete from sluis.integration where merchant_code = 'm3'")
        world.put(owner, "merchant_period", merchant_code="m2", category="debtor_link", period="P3M")
        yield owner, conn


def gone(trigger: date, period: str, rounded: str, clock: datetime) -> bool:
    return world.midnight(world.first_day_gone(trigger, period, rounded)) <= clock


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(booked=bookings, linked=links, day=st.dates(date(2024, 1, 1), date(2030, 12, 31)), hour=st.times())
def test_deleted_is_expired(
    connections: tuple[Connection, Connection],
    booked: list[tuple[str, date]],
    linked: list[tuple[str, date | None, date]],
    day: date,
    hour: time,
) -> None:
    owner, conn = connections
    clock = datetime.combine(day, hour, UTC)
    owner.execute("truncate sluis.booking, sluis.payment, sluis.debtor_link, sluis.retention_run")
    for number, (code, issued) in enumerate(booked):
        if code != "m3":  # his integration is gone, and with it what stood on it
            world.put(owner, "booking", merchant_code=code, issue_date=issued, run_id=str(number))
    for number, (code, last, made) in enumerate(linked):
        moment = world.midnight(made) + timedelta(hours=23, minutes=59)
        values = {"merchant_code": code, "last_booked_on": last, "created_at": moment, "debtor_id": str(number)}
        world.put(owner, "debtor_link", **values)
    for category in ("booking_amounts", "booking_key", "debtor_link"):
        run = steps.plan(conn, REGISTER, clock, dag_run_id="cli", category=category, kit=world.KIT)
        run = world.let_through(conn, run, REGISTER)
        steps.prove(conn, steps.delete(conn, run, REGISTER, kit=world.KIT), REGISTER, kit=world.KIT)
        owner.execute("delete from sluis.retention_run")
    kept = [
        (number, not gone(issued, "P45D", "quarter", clock))
        for number, (code, issued) in enumerate(booked)
        if code != "m3" and not gone(issued, "P24M", "none", clock)
    ]
    found = owner.execute("select run_id::int, reference is not null from sluis.booking order by 1").fetchall()
    assert found == kept
    links_kept = [
        number
        for number, (code, last, made) in enumerate(linked)
        if code != "m3" and not gone(last or made, "P3M" if code == "m2" else "P24M", "none", clock)
    ]
    found_links = owner.execute("select debtor_id::int from sluis.debtor_link order by 1").fetchall()
    assert [row[0] for row in found_links] == links_kept
