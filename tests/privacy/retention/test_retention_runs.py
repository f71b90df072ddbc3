"""Runs of retention: a contract's end, holds, months, the guard, wrong registers, kills, and syncs beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from sluis.errors import Defect, NotConfigured
from sluis.privacy.register import read_register
from sluis.privacy.retention import run as steps
from sluis.privacy.retention.kit import Kit
from sluis.privacy.retention.runs import RetentionRuns, RunState
from sluis.store.database import Connection
from tests.conftest import Database
from tests.privacy.retention import world

REGISTER = world.stored()
NOW = datetime.now(UTC)
OLD = (NOW - timedelta(days=900)).date()
FRESH = NOW.date()
OF_MERCHANT = (
    "booking", "payment", "debtor_link", "quarantine", "vat_number_check", "run_report", "reconciliation", "credential",
    "merchant_period", "notice", "integration", "transit_chunk",
)  # fmt: skip


@pytest.fixture
def owner(database: Database) -> Iterator[Connection]:
    with database.owner() as conn:
        yield conn


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.retention() as made:
        yield made


def fill(owner: Connection, code: str) -> None:
    """Give a merchant one fresh row of everything."""
    booking = world.put(owner, "booking", merchant_code=code, issue_date=FRESH)
    world.put_payment(owner, booking)
    for table in ("debtor_link", "quarantine", "credential", "merchant_period", "transit_chunk", "notice"):
        world.put(owner, table, merchant_code=code)
    world.put(owner, "debtor_link", merchant_code=code, last_booked_on=FRESH)
    world.put(owner, "vat_number_check", merchant_code=code, checked_at=NOW)
    world.put(owner, "run_report", merchant_code=code, ended_at=NOW)
    world.put(owner, "reconciliation", merchant_code=code, made_at=NOW)
    world.put(owner, "invoicing_month", merchant_code=code)


def rows_of(owner: Connection, code: str) -> dict[str, int]:
    return {table: world.count(owner, table, f"merchant_code = '{code}'") for table in OF_MERCHANT}


def old_bookings(owner: Connection, number: int, code: str = "m1") -> None:
    for _ in range(number):
        world.put(owner, "booking", merchant_code=code, issue_date=OLD)


def started(conn: Connection, kit: Kit = world.KIT) -> steps.RetentionRun:
    run = steps.plan(conn, REGISTER, NOW, dag_run_id="test", kit=kit)
    return world.let_through(conn, run, REGISTER)


# ---------------------------------------------------------------------------------------------------- contract's end


def test_everything_of_an_ended_merchant_goes(owner: Connection, conn: Connection) -> None:
    for code, days in (("gone", 32), ("going", 29)):
        world.merchant(owner, code, ended=NOW - timedelta(days=days))
        fill(owner, code)
    world.merchant(owner, "stays")
    fill(owner, "stays")
    before = rows_of(owner, "stays"), rows_of(owner, "going")
    run = world.carry_out(conn, REGISTER, NOW)
    assert rows_of(owner, "gone") == dict.fromkeys(OF_MERCHANT, 0)
    transit = {"transit_chunk": 0, "debtor_link": 1}
    assert rows_of(owner, "stays") == before[0] | {"debtor_link": 1} | {"transit_chunk": 1}
    assert rows_of(owner, "going") == before[1] | transit
    assert world.count(owner, "merchant", "code = 'gone' and hash_key_wrapped is null and key_id is null") == 1
    assert world.count(owner, "merchant", "code <> 'gone' and hash_key_wrapped is not null") == 2
    assert world.count(owner, "invoicing_month") == 3
    planned = {name: category.total for name, category in run.plan.categories.items() if category.total}
    assert planned == {name: sum(went.values()) for name, went in run.done.deleted.items() if sum(went.values())}


def test_credentials_of_an_ended_integration_go_at_once(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    world.put(owner, "credential")
    world.put(owner, "integration", code="ended", state="ended", administration_key="moneybird/2")
    world.put(owner, "credential", integration_code="ended")
    world.carry_out(conn, REGISTER, NOW)
    assert world.count(owner, "credential") == world.count(owner, "credential", "integration_code = 'shop'") == 1
    assert world.count(owner, "integration") == 2


def test_a_shorter_period_is_that_merchants_alone(owner: Connection, conn: Connection) -> None:
    day = FRESH - timedelta(days=40)
    for code in ("short", "long"):
        world.merchant(owner, code)
        world.put(owner, "debtor_link", merchant_code=code, last_booked_on=day)
    world.put(owner, "merchant_period", merchant_code="short", period="P30D")
    world.put(owner, "merchant_period", merchant_code="long", period="P10Y")
    world.carry_out(conn, REGISTER, NOW)
    assert world.count(owner, "debtor_link", "merchant_code = 'short'") == 0
    assert world.count(owner, "debtor_link", "merchant_code = 'long'") == 1
    world.carry_out(conn, REGISTER, NOW + timedelta(days=365))
    assert world.count(owner, "debtor_link") == 1, "a period of his own longer than the register's has no effect"
    world.carry_out(conn, REGISTER, NOW + timedelta(days=700))
    assert world.count(owner, "debtor_link") == 0


def test_by_hand_for_one_merchant_and_one_category(owner: Connection, conn: Connection) -> None:
    for code in ("m1", "m2"):
        world.merchant(owner, code)
        world.put_payment(owner, world.put(owner, "booking", merchant_code=code, issue_date=OLD))
        world.put(owner, "debtor_link", merchant_code=code)
    run = world.carry_out(conn, REGISTER, NOW, merchant="m1", category="booking_key")
    assert run.done.deleted == {"booking_key": {"booking": 1}, "payment_key": {"payment": 1}}
    assert world.count(owner, "booking", "merchant_code = 'm2'") == world.count(owner, "payment") == 1
    assert world.count(owner, "debtor_link") == 2


# ------------------------------------------------------------------------------------------------------------- holds


@pytest.mark.parametrize(
    ("category", "code"), [("booking_key", None), ("payment_key", "m1"), ("booking_amounts", "m1"), (None, "m1")]
)
def test_a_hold_keeps_the_booking_and_all_it_hangs_on(
    owner: Connection, conn: Connection, category: str | None, code: str | None
) -> None:
    for name in ("m1", "m2"):
        world.merchant(owner, name, ended=NOW - timedelta(days=40))
        world.put_payment(owner, world.put(owner, "booking", merchant_code=name, issue_date=OLD))
    world.put(owner, "hold", category=category, merchant_code=code, ends_on=FRESH)
    run = world.carry_out(conn, REGISTER, NOW)
    left = 2 if code is None else 1
    assert run.plan.holds == 1
    assert world.count(owner, "booking") == left
    assert world.count(owner, "payment") == (0 if category == "booking_key" else left), "its own category, not held"
    assert world.count(owner, "integration") == left, "whatever is held stands on its integration"
    amounts = category in ("booking_amounts", None)
    assert world.count(owner, "booking", "order_number is not null") == (1 if amounts else 0)
    world.carry_out(conn, REGISTER, NOW + timedelta(days=1))
    assert world.count(owner, "booking") == world.count(owner, "integration") == 0, "a hold ends by itself"


def test_a_hold_made_after_the_plan_counts(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    old_bookings(owner, 3)
    run = started(conn)
    world.put(owner, "hold", category="booking_key", ends_on=FRESH)
    steps.prove(conn, steps.delete(conn, run, REGISTER, kit=world.KIT), REGISTER, kit=world.KIT)
    assert world.count(owner, "booking") == 3


# ------------------------------------------------------------------------------------------------------------ months


def test_months_are_dropped_and_held_rows_keep_theirs(owner: Connection, conn: Connection) -> None:
    first = date(FRESH.year - 2, 3, 1)
    parts = [world.month(owner, "run_report", first.replace(month=month)) for month in (3, 4, 5)]
    for code in ("m1", "m2"):
        world.merchant(owner, code)
        for month in (3, 4, 5):
            world.put(owner, "run_report", merchant_code=code, ended_at=world.midnight(first.replace(month=month)))
    world.put(owner, "hold", category="run_report", merchant_code="m1", ends_on=FRESH)
    owner.execute("delete from sluis.run_report where merchant_code = 'm1' and ended_at < %s", [first.replace(month=4)])
    run = world.carry_out(conn, REGISTER, NOW)
    assert run.done.deleted["run_report"] == {"run_report": 3}
    exists = [owner.execute("select to_regclass(%s)", [f"sluis.{part}"]).fetchone() for part in parts]
    assert [found is not None and found[0] is not None for found in exists] == [False, True, True]
    assert world.count(owner, "run_report") == world.count(owner, "run_report", "merchant_code = 'm1'") == 2
    owner.execute("update sluis.hold set released_at = now()")
    run = world.carry_out(conn, REGISTER, NOW)
    assert run.done.deleted["run_report"] == {"run_report": 2}
    assert run.done.rewrite == ()
    assert owner.execute("select to_regclass(%s)", [f"sluis.{parts[2]}"]).fetchone() == (None,)


def test_months_ahead_are_made(owner: Connection, conn: Connection) -> None:
    steps.plan(conn, REGISTER, NOW, dag_run_id="test", kit=world.KIT)
    name = f"sluis.run_report_{NOW.year + 1}_12"
    assert owner.execute("select to_regclass(%s) is not null", [name]).fetchone() == (True,)


# ------------------------------------------------------------------------------------------------------------- guard


def test_a_plan_far_larger_than_ever_waits_for_its_hash(
    owner: Connection, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluis.privacy.retention.guard.FLOOR", 5)
    world.merchant(owner, "m1")
    old_bookings(owner, 6)
    run = steps.plan(conn, REGISTER, NOW, dag_run_id="test", kit=world.KIT)
    with pytest.raises(Defect, match=run.plan_hash) as refused:
        steps.guard(conn, run, REGISTER)
    assert refused.value.code == "plan_too_large"
    assert RetentionRuns(conn).get(run.id).state is RunState.WAITING
    with pytest.raises(Defect, match="guard lets it through"):
        steps.delete(conn, run, REGISTER, kit=world.KIT)
    with pytest.raises(Defect) as other:
        steps.guard(conn, run, REGISTER, confirm="0" * 64)
    assert other.value.code == "plan_hash"
    with pytest.raises(Defect) as unknown:
        steps.waiting(conn, run.plan_hash[:12])
    assert unknown.value.code == "plan_unknown"
    assert world.count(owner, "booking") == 6
    confirmed = steps.guard(conn, steps.waiting(conn, run.plan_hash), REGISTER, confirm=run.plan_hash)
    world.put(owner, "booking", issue_date=OLD)
    with pytest.raises(Defect, match="booking_key") as larger:
        steps.delete(conn, confirmed, REGISTER, kit=world.KIT)
    assert larger.value.code == "plan_too_large"
    assert world.count(owner, "booking") == 7
    again = RetentionRuns(conn).get(run.id)
    assert (again.state, again.confirmed_at) == (RunState.WAITING, None)
    assert again.plan_hash != run.plan_hash
    assert again.plan_hash in str(larger.value)
    confirmed = steps.guard(conn, steps.waiting(conn, again.plan_hash), REGISTER, confirm=again.plan_hash)
    steps.prove(conn, steps.delete(conn, confirmed, REGISTER, kit=world.KIT), REGISTER, kit=world.KIT)
    assert world.count(owner, "booking") == 0
    owner.execute("update sluis.retention_run set state = 'certified'")
    old_bookings(owner, 21)
    assert (
        steps.guard(conn, steps.plan(conn, REGISTER, NOW, dag_run_id="2", kit=world.KIT), REGISTER).state == "deleting"
    )


def test_a_plan_that_leaves_nothing_waits_but_not_what_lives_a_day(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    for _ in range(60):
        world.put(owner, "vat_number_check")
    run = steps.plan(conn, REGISTER, NOW, dag_run_id="1", kit=world.KIT)
    assert steps.guard(conn, run, REGISTER).state is RunState.DELETING
    steps.prove(conn, steps.delete(conn, run, REGISTER, kit=world.KIT), REGISTER, kit=world.KIT)
    owner.execute("update sluis.retention_run set state = 'certified'")
    for _ in range(60):
        world.put(owner, "debtor_link")
    run = steps.plan(conn, REGISTER, NOW, dag_run_id="2", kit=world.KIT)
    with pytest.raises(Defect, match="debtor_link: 60 of 60") as refused:
        steps.guard(conn, run, REGISTER)
    assert refused.value.code == "plan_too_large"
    for _ in range(7):
        world.put(owner, "debtor_link", last_booked_on=FRESH)
    run = steps.plan(conn, REGISTER, NOW, dag_run_id="3", kit=world.KIT)
    assert steps.guard(conn, run, REGISTER).state is RunState.DELETING, "60 of 67 is less than nine in ten"


@pytest.mark.parametrize("days", [2, -2])
def test_a_strange_clock_waits(owner: Connection, conn: Connection, days: int) -> None:
    run = steps.plan(conn, REGISTER, NOW + timedelta(days=days), dag_run_id="test", kit=world.KIT)
    with pytest.raises(Defect) as refused:
        steps.guard(conn, run, REGISTER)
    assert refused.value.code == "clock_suspicious"


def test_a_clock_behind_the_last_certified_run_waits(owner: Connection, conn: Connection) -> None:
    world.carry_out(conn, REGISTER, NOW)
    run = steps.plan(conn, REGISTER, NOW - timedelta(hours=1), dag_run_id="test", kit=world.KIT)
    with pytest.raises(Defect, match="certified") as refused:
        steps.guard(conn, run, REGISTER)
    assert refused.value.code == "clock_suspicious"


# --------------------------------------------------------------------------------------------------- wrong registers


def test_a_category_without_a_deleter_stops_everything(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    old_bookings(owner, 2)
    whole = world.stored()
    category = whole.register_.category("limiter").model_copy(update={"deleter": "nobody"})
    kept = tuple(category if c.id == "limiter" else c for c in whole.register_.categories)
    wrong = whole.model_copy(update={"register_": whole.register_.model_copy(update={"categories": kept})})
    with pytest.raises(NotConfigured, match=r"limiter \(nobody\)") as refused:
        steps.plan(conn, wrong, NOW, dag_run_id="test", kit=world.KIT)
    assert refused.value.code == "deleter_missing"
    run = started(conn)
    with pytest.raises(NotConfigured, match=r"limiter \(nobody\)"):
        steps.delete(conn, run, wrong, kit=world.KIT)
    assert world.count(owner, "booking", "order_number is not null") == 2


def test_the_whole_register_has_its_deleters(conn: Connection) -> None:
    plan = steps.preview(conn, read_register(world.REGISTER), NOW, category="limiter", kit=world.KIT)
    assert plan.total == 0


def test_a_month_is_not_dropped_by_another_columns_date(conn: Connection) -> None:
    category = REGISTER.register_.category("run_report")
    assert category.trigger is not None
    by_start = category.trigger.model_copy(update={"column": "started_at"})
    wrong = world.only(REGISTER, ["run_report"], trigger=by_start)
    with pytest.raises(NotConfigured) as refused:
        steps.plan(conn, wrong, NOW, dag_run_id="test", kit=world.KIT)
    assert refused.value.code == "register_trigger"


def test_a_longer_period_in_a_newer_register_counts_for_a_plan_under_way(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    old_bookings(owner, 2)
    run = started(conn)
    kept = tuple(c.model_copy(update={"period": "P10Y"}) if c.id == "booking_key" else c
                 for c in REGISTER.register_.categories)  # fmt: skip
    longer = REGISTER.model_copy(update={"register_": REGISTER.register_.model_copy(update={"categories": kept})})
    steps.delete(conn, run, longer, kit=world.KIT)
    assert world.count(owner, "booking") == 2
