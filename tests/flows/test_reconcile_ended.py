"""When the DAG reconciles by itself, what it tells, and that it happens once."""

from __future__ import annotations

import copy
import logging
from datetime import UTC, datetime, timedelta

import pytest

from sluis.core.reconciliation import Period, ended
from sluis.flows import integrations
from sluis.flows.context import RunRequest
from sluis.flows.reconcile import reconcile
from sluis.flows.reconcile_books import InPackage, shown
from sluis.flows.reconcile_ended import is_due, reconcile_ended
from sluis.flows.wiring import open_session
from sluis.store.integrations import Integrations, IntegrationState
from sluis.store.reconciliations import Reconciliations
from tests.flows.world import World

TODAY = datetime.now(UTC)
#: 1 a.m. UTC on the first of this month: already that day in Amsterdam.
TURN = TODAY.replace(day=1, hour=1, minute=0, second=0, microsecond=0)
MONTH = ended(TURN.date())[0]


def run_of(world: World, end: datetime, run_type: str = "scheduled", run_id: str | None = None) -> RunRequest:
    return world.request(run_type, run_id, interval_start=end - timedelta(hours=1), interval_end=end)


def periods(world: World) -> list[str]:
    with open_session(world.merchant, world.code) as session:
        stored = Reconciliations(session.conn, session.integration)
        return [found.period for period in ended(TURN.date()) for found in stored.list(period.name)]


@pytest.fixture
def followed(world: World) -> World:
    """A shop that was read past the turn of the month, with one order in the month before."""
    world.order(TURN - timedelta(days=5))
    world.run(run_of(world, TURN))
    return world


def test_the_month_that_ended_is_reconciled_once(followed: World) -> None:
    request = run_of(followed, TURN, run_id="scheduled__turn")
    assert is_due(request)
    told = reconcile_ended(request)
    assert told.periods == len(ended(TURN.date()))
    assert told.differing == 0
    assert told.cents == {"EUR": told.periods * followed.expected()[0][1]}
    assert periods(followed) == [period.name for period in ended(TURN.date())]
    assert not is_due(request)
    assert reconcile_ended(request).periods == 0


def test_before_the_turn_in_the_shops_time_zone_the_month_before_counts(followed: World) -> None:
    reconcile_ended(run_of(followed, TURN))
    before = TURN - timedelta(hours=3)  # 23:00 or midnight in Amsterdam: the month is not over
    with open_session(followed.merchant, followed.code) as session:
        start = session.integration.settings.start_date
    earlier = ended(before.date())[0]
    assert is_due(run_of(followed, before)) is (earlier.end >= start)
    assert earlier.end < MONTH.start


def test_an_open_difference_is_counted_and_named_in_the_log(followed: World, caplog: pytest.LogCaptureFixture) -> None:
    (invoice,) = followed.books.invoices.values()
    followed.books.delete_invoice(invoice["id"])
    with caplog.at_level(logging.INFO, logger="sluis.reconcile"):
        told = reconcile_ended(run_of(followed, TURN))
    assert told.differing == told.periods
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("open difference")]
    assert len(lines) == told.periods
    assert f"reference={invoice['reference']}" in lines[0]
    assert "missing_in_package" in lines[0]
    assert not is_due(run_of(followed, TURN))  # told once: from then on a person reconciles


def test_what_a_person_typed_in_the_package_is_not_shown(followed: World, caplog: pytest.LogCaptureFixture) -> None:
    (invoice,) = list(followed.books.invoices.values())
    typed = ("Jan Kanarie jan@example.com", "0612345678-C1", f"{invoice['reference']}-C1")
    for at, reference in enumerate(typed):
        copied = {**copy.deepcopy(invoice), "id": f"99999999{at}", "reference": reference}
        followed.books.invoices[copied["id"]] = copied
        followed.books.by_date[copied["date"]].append(copied["id"])
    with caplog.at_level(logging.INFO, logger="sluis"):
        reconcile_ended(run_of(followed, TURN))
    log = "\n".join(r.getMessage() for r in caplog.records)
    for hidden in ("Kanarie", "example.com", "0612345678"):
        assert hidden not in log
    for told in ("reference=id:999999990 ", "reference=id:999999991 ", f"reference={typed[2]} "):
        assert told in log
    with open_session(followed.merchant, followed.code) as session:
        made = reconcile(session, MONTH).result
    assert {d.reference for d in made.differences} == {"id:999999990", "id:999999991", typed[2]}


@pytest.mark.parametrize(
    ("prefix", "reference", "is_shown"),
    [
        ("", "1001", True), ("WEB-", "WEB-1001-C1", True), ("", "1001-R2-C", True), ("", "1001-V1-C2", True),
        ("", "1001-RC", True), ("", "1001-P1", True), ("W", "WD20261101-2", True), ("", "2026/0001", True),
        ("", "Jan", False), ("", "jan@example.com", False), ("", "J. de Vries 12", False), ("", "0612345678", False),
        ("", "0612345678-P1", False), ("WEB-", "WEB-0612345678", False), ("NL", "NL123456782B90", False),
        ("", "NL91ABNA0417164300", False), ("", "", False), ("", "1001\n", False),
    ],
)  # fmt: skip
def test_a_reference_is_shown_where_it_is_a_number_of_our_form(prefix: str, reference: str, is_shown: bool) -> None:
    found = InPackage("77", reference, MONTH.start, "EUR", 1, 0, None)
    assert shown(found, prefix) == (reference if is_shown else "id:77")


def test_a_shop_that_was_not_read_past_the_end_waits(world: World) -> None:
    world.order(TURN - timedelta(days=5))
    world.run(run_of(world, TURN - timedelta(hours=4)))
    request = run_of(world, TURN)
    assert is_due(request)
    assert world.integration.watermark == TURN - timedelta(hours=4)
    assert reconcile_ended(request).periods == 0
    assert periods(world) == []


def test_only_scheduled_runs_of_a_live_integration_that_ran_before(world: World) -> None:
    assert not is_due(run_of(world, TURN))  # its first run
    world.run(run_of(world, TURN))
    assert is_due(run_of(world, TURN))
    assert not is_due(run_of(world, TURN, "backfill"))
    assert not is_due(world.request("manual"))
    with open_session(world.merchant, world.code) as session:
        Integrations(session.conn).set_state(world.merchant, world.code, IntegrationState.PAUSED)
    assert not is_due(run_of(world, TURN))


def test_a_month_before_the_start_date_is_nobodys(followed: World) -> None:
    with open_session(followed.merchant, followed.code) as session:
        integrations.change(session.conn, followed.merchant, followed.code, {"start_date": TURN.date().isoformat()})
    assert not is_due(run_of(followed, TURN))


def test_what_a_run_stored_is_seen_by_the_task_role(followed: World) -> None:
    reconcile_ended(run_of(followed, TURN))
    with open_session(followed.merchant, followed.code, role="task") as session:
        stored = Reconciliations(session.conn, session.integration)
        assert stored.made_by_runs(MONTH.name)
        assert not stored.made_by_runs(Period.of("2020-01").name)
