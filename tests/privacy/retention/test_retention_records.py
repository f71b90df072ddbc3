"""What a run leaves on record: what a proof counted, which plan counts, and no merchant's code longer than needed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from sluis.errors import Defect, ProofFailed
from sluis.privacy.keyring import Keyring
from sluis.privacy.register import Published
from sluis.privacy.retention import run as steps
from sluis.privacy.retention.certificates import ProvedRun, certify, verify
from sluis.privacy.retention.chain import of_run
from sluis.privacy.retention.runs import RetentionRun, RetentionRuns, RunState
from sluis.store.database import Connection
from tests.privacy.retention import world
from tests.privacy.retention.test_retention_runs import FRESH, NOW, OLD, REGISTER, conn, old_bookings, owner, started

__all__ = ["conn", "owner"]  # fixtures

KEYRING = Keyring.parse(Keyring.generate())


def certified(conn: Connection, run: ProvedRun) -> object:
    return certify(conn, run, keyring=KEYRING, code_version="1", backups_gone_on=None)


def planned(conn: Connection, **asked: Any) -> RetentionRun:
    return steps.plan(conn, REGISTER, asked.pop("clock", NOW), dag_run_id="test", kit=world.KIT, **asked)


def refused(conn: Connection, run: RetentionRun) -> RetentionRun:
    """Have the guard stop a plan, which waits from then on."""
    with pytest.raises(Defect) as caught:
        steps.guard(conn, run, REGISTER)
    assert caught.value.code == "plan_too_large"
    return RetentionRuns(conn).get(run.id)


def sixty_links(owner: Connection) -> None:
    world.merchant(owner, "m1")
    for _ in range(60):
        world.put(owner, "debtor_link")


# ---------------------------------------------------------------------------------------------- what a proof finds


def test_what_a_proof_finds_is_deleted_by_the_next_run(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    old_bookings(owner, 2)
    run = steps.delete(conn, started(conn), REGISTER, kit=world.KIT)
    world.put_payment(owner, world.put(owner, "booking", issue_date=OLD))  # put back, claimed long before the plan
    with pytest.raises(ProofFailed, match="booking_key: 1 left"):
        steps.prove(conn, run, REGISTER, kit=world.KIT)
    done = RetentionRuns(conn).get(run.id).done
    assert not {"booking_amounts", "booking_key", "payment_key"} & {*done.finished}
    assert "limiter" in done.finished, "what is proved gone is not looked for again"
    assert done.after["booking_key"] == {"booking": 1}
    with pytest.raises(Defect, match="not finished"):
        planned(conn)
    assert steps.finish_earlier(conn, REGISTER, kit=world.KIT, certify=certified) == [run.id]
    assert world.count(owner, "booking") == world.count(owner, "payment") == 0
    certificate = of_run(conn, run.id)
    assert certificate is not None
    told = next(deletion for deletion in certificate.deletions if deletion.category == "booking_key")
    assert (told.before, told.deleted, told.after) == ({"booking": 2}, {"booking": 3}, {"booking": 0})
    assert planned(conn).plan.total == 0


def test_what_a_proof_finds_of_a_confirmed_plan_waits_for_a_person_and_blocks_nobody(
    owner: Connection, conn: Connection
) -> None:
    sixty_links(owner)
    waits = refused(conn, planned(conn))
    run = steps.delete(conn, steps.guard(conn, waits, REGISTER, confirm=waits.plan_hash), REGISTER, kit=world.KIT)
    world.put(owner, "debtor_link")
    with pytest.raises(ProofFailed, match="debtor_link: 1 left"):
        steps.prove(conn, run, REGISTER, kit=world.KIT)
    with pytest.raises(Defect) as asked:
        steps.finish_earlier(conn, REGISTER, kit=world.KIT, certify=certified)
    assert asked.value.code == "plan_too_large"
    newer = planned(conn)
    again = RetentionRuns(conn).get(run.id)
    assert (again.state, newer.plan.total) == (RunState.WAITING, 1), "what it deleted is still to be certified"
    run = steps.guard(conn, steps.waiting(conn, again.plan_hash), REGISTER, confirm=again.plan_hash)
    steps.prove(conn, steps.delete(conn, run, REGISTER, kit=world.KIT), REGISTER, kit=world.KIT)
    assert world.count(owner, "debtor_link") == 0


# --------------------------------------------------------------------------------------------- which plan counts


def test_a_newer_plan_supersedes_those_that_wait(owner: Connection, conn: Connection) -> None:
    sixty_links(owner)
    one_merchants = planned(conn, merchant="m1")
    first, second = (refused(conn, planned(conn, clock=NOW + timedelta(seconds=n))) for n in (0, 1))
    states = {run.id: run.state for run in map(RetentionRuns(conn).get, (one_merchants.id, first.id, second.id))}
    assert list(states.values()) == [RunState.PLANNED, RunState.SUPERSEDED, RunState.WAITING]
    with pytest.raises(Defect, match=second.plan_hash) as told:
        steps.waiting(conn, first.plan_hash)
    assert told.value.code == "plan_superseded"
    assert f"run {second.id}, which is waiting" in str(told.value)
    with pytest.raises(Defect, match=second.plan_hash) as at_the_guard:
        steps.guard(conn, first, REGISTER, confirm=first.plan_hash)
    assert at_the_guard.value.code == "plan_superseded"
    assert world.count(owner, "debtor_link") == 60
    ended = world.count(owner, "retention_run", "state = 'superseded' and ended_at is not null")
    assert ended == 1, "its record has an end, from which its own period counts"
    steps.guard(conn, steps.waiting(conn, second.plan_hash), REGISTER, confirm=second.plan_hash)


def test_a_task_whose_plan_was_superseded_deletes_nothing(owner: Connection, conn: Connection) -> None:
    sixty_links(owner)
    first, second = planned(conn), planned(conn)
    with pytest.raises(Defect, match=second.plan_hash) as told:
        steps.guard(conn, first, REGISTER)
    assert told.value.code == "plan_superseded"
    with pytest.raises(Defect, match="superseded"):
        steps.delete(conn, first, REGISTER, kit=world.KIT)


# ------------------------------------------------------------------------------------- merchants' own periods


def test_a_period_that_the_register_no_longer_allows_has_no_effect(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    world.put(owner, "merchant_period", period="P6M")
    world.put(owner, "debtor_link", last_booked_on=FRESH - timedelta(days=300))

    def left(register: Published) -> int:
        return steps.preview(conn, register, NOW, category="debtor_link", kit=world.KIT).categories["debtor_link"].total

    assert left(world.only(REGISTER, ["debtor_link"])) == 1, "his own, shorter"
    assert left(world.only(REGISTER, ["debtor_link"], period="P3M")) == 1, "the register's, shorter by now"
    assert left(world.only(REGISTER, ["debtor_link"], shorten=False, shortest=None)) == 0, "nobody's own any more"
    owner.execute("update sluis.merchant_period set period = 'P30D', category = 'booking_key'")
    world.put(owner, "booking", issue_date=FRESH - timedelta(days=60))
    whole = steps.preview(conn, REGISTER, NOW, category="booking_key", kit=world.KIT)
    assert whole.categories["booking_key"].own_cutoffs == {}


# --------------------------------------------------------------------------------------------------- certificates


def test_a_certificate_counts_the_holds_that_kept_something_back(owner: Connection, conn: Connection) -> None:
    for code in ("m1", "m2"):
        world.merchant(owner, code)
    world.put_payment(owner, world.put(owner, "booking", merchant_code="m1", issue_date=OLD))
    for category, code in (("payment_key", "m1"), (None, "m1"), ("booking_key", "m2"), ("limiter", None)):
        world.put(owner, "hold", category=category, merchant_code=code, ends_on=FRESH)
    run = steps.apply_holds(conn, planned(conn), REGISTER, kit=world.KIT)
    assert run.plan.holds == 4, "in force"
    run = steps.delete(conn, world.let_through(conn, run, REGISTER), REGISTER, kit=world.KIT)
    told = steps.proved(steps.prove(conn, run, REGISTER, kit=world.KIT))
    assert told.holds == 2, "both of m1 keep his payment; m2 has nothing, and no limiter expired"
    assert world.count(owner, "payment") == 1


def test_no_merchants_code_stays_in_a_plan_that_is_over_and_its_hash_stays_true(
    owner: Connection, conn: Connection
) -> None:
    world.merchant(owner, "gone1", ended=NOW - timedelta(days=40))
    for code in ("held1", "own1"):
        world.merchant(owner, code)
    world.put(owner, "merchant_period", merchant_code="own1", period="P30D")
    world.put(owner, "hold", merchant_code="held1", category="debtor_link", ends_on=FRESH)
    planned(conn)  # superseded by the next, which does its work
    run = steps.apply_holds(conn, planned(conn), REGISTER, kit=world.KIT)
    codes = ("gone1", "held1", "own1")
    assert all(code in str(run.plan) for code in codes)
    run = steps.delete(conn, steps.guard(conn, run, REGISTER), REGISTER, kit=world.KIT)
    certified(conn, steps.proved(steps.prove(conn, run, REGISTER, kit=world.KIT)))
    over = RetentionRuns(conn).of_state(RunState.SUPERSEDED, RunState.CERTIFIED)
    assert len(over) == 2
    for one in over:
        stored = owner.execute("select plan::text from sluis.retention_run where id = %s", [one.id]).fetchone()
        assert stored is not None
        assert not any(code in stored[0] for code in codes)
        assert one.plan.sha256() == one.plan_hash
        assert one.plan.salt == "", "without it nobody tries all codes"
    assert len(over[1].plan.categories["debtor_link"].held_merchants) == 1
    assert verify(conn, keyring=KEYRING).holds


def test_a_payment_counts_from_the_date_of_its_booking(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    clock = datetime(2026, 11, 1, 3, tzinfo=UTC)
    for issued in (date(2024, 10, 31), date(2024, 11, 1)):
        world.put_payment(owner, world.put(owner, "booking", issue_date=issued), paid_on=date(2020, 1, 1))
    plan = steps.preview(conn, REGISTER, clock, category="booking_key", kit=world.KIT)
    assert {name: dict(found.counts) for name, found in plan.categories.items()} == {
        "booking_key": {"booking": 1}, "payment_key": {"payment": 1},
    }  # fmt: skip
    assert plan.categories["payment_key"].cutoff == plan.categories["booking_key"].cutoff
