"""Retention is killed, missed, busy and beside a sync: what is left is made up, and nothing fresh is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sluis.errors import Defect, ProofFailed, RetryLater
from sluis.privacy.retention import physical
from sluis.privacy.retention import run as steps
from sluis.privacy.retention.runs import RetentionRuns, RunState
from sluis.store.database import Connection
from tests.conftest import Database
from tests.privacy.retention import world
from tests.privacy.retention.test_retention_runs import FRESH, NOW, OLD, REGISTER, conn, old_bookings, owner, started

__all__ = ["conn", "owner"]  # fixtures


# ------------------------------------------------------------------------------------------------- kills and resuming


class Killed(BaseException):
    """Stands for a process that is gone."""


@contextmanager
def killed_after(steps_left: int) -> Iterator[None]:
    """Kill the process that deletes once it has recorded so many steps."""
    before = {name: getattr(RetentionRuns, name) for name in ("record", "rewritten")}
    left = steps_left

    def killing(name: str) -> Any:
        def instead(self: RetentionRuns, *args: Any, **kwargs: Any) -> None:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            before[name](self, *args, **kwargs)

        return instead

    with pytest.MonkeyPatch.context() as patch:
        for name in before:
            patch.setattr(RetentionRuns, name, killing(name))
        yield


@pytest.mark.parametrize("step", range(0, 48, 4))
def test_a_kill_anywhere_is_made_up_by_the_next(owner: Connection, database: Database, step: int) -> None:
    world.merchant(owner, "m1")
    world.merchant(owner, "m2", ended=NOW - timedelta(days=40))
    for code in ("m1", "m2"):
        for _ in range(3):
            world.put_payment(owner, world.put(owner, "booking", merchant_code=code, issue_date=OLD))
    kit = world.KIT.model_copy(update={"batch": 2})
    with database.retention() as first:
        run = world.let_through(first, steps.plan(first, REGISTER, NOW, dag_run_id="1", kit=kit), REGISTER)
        with killed_after(step), pytest.raises(Killed):
            steps.delete(first, run, REGISTER, kit=kit)
    certified: list[int] = []
    with database.retention() as second:
        with pytest.raises(Defect, match="not finished"):
            steps.plan(second, REGISTER, NOW, dag_run_id="2", kit=kit)
        done = steps.finish_earlier(second, REGISTER, kit=kit, certify=lambda _, told: certified.append(told.id))
        assert done == certified == [run.id]
        run = RetentionRuns(second).get(run.id)
    assert world.count(owner, "booking") == world.count(owner, "payment") == 0
    assert run.state is RunState.PROVED
    assert run.done.rewrite == ()
    assert run.done.deleted["booking_key"] == {"booking": 6}
    assert run.done.deleted["payment_key"] == {"payment": 6}
    assert run.done.deleted["booking_amounts"] == {"booking": 6, "payment": 6}


_KILLED = """
import os, signal, sys
from sluis.privacy.retention import run as steps
from sluis.privacy.retention.runs import RetentionRuns
from sluis.store.database import retention_connection
from tests.privacy.retention import world

record, left = RetentionRuns.record, int(sys.argv[2])
def dying(self, *args, **kwargs):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    record(self, *args, **kwargs)
RetentionRuns.record = dying
with retention_connection() as conn:
    run = RetentionRuns(conn).get(int(sys.argv[1]))
    steps.delete(conn, run, world.stored(), kit=world.KIT.model_copy(update={"batch": 2}))
"""


def test_a_process_that_is_killed_leaves_nothing_half(owner: Connection, conn: Connection) -> None:
    """The same with SIGKILL: its transaction is rolled back, its lock is free, the next call does the rest."""
    world.merchant(owner, "m1")
    old_bookings(owner, 5)
    run = started(conn)
    command = [sys.executable, "-c", _KILLED, str(run.id), "2"]
    assert subprocess.run(command, cwd=Path(__file__).parents[3], check=False).returncode == -signal.SIGKILL
    halfway = RetentionRuns(conn).get(run.id).done.deleted
    emptied = world.count(owner, "booking", "order_number is null")
    assert halfway["booking_amounts"]["booking"] == emptied
    assert 0 < emptied < 5, "what was recorded is what was done, neither more nor less"
    deadline = time.monotonic() + 10
    while True:
        try:
            run = steps.delete(conn, run, REGISTER, kit=world.KIT)
            break
        except RetryLater:  # until PostgreSQL noticed that the other one is gone
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert steps.prove(conn, run, REGISTER, kit=world.KIT).state is RunState.PROVED
    assert run.done.deleted["booking_key"] == {"booking": 5}


def test_a_missed_day_is_made_up(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    for days in range(10):
        world.put(owner, "debtor_link", last_booked_on=OLD + timedelta(days=days))
    world.carry_out(conn, REGISTER, NOW)
    assert world.count(owner, "debtor_link") == 0


def test_two_at_once_do_not_both_delete(owner: Connection, conn: Connection, database: Database) -> None:
    run = started(conn)
    with database.retention() as other, steps._alone(other), pytest.raises(RetryLater) as refused:
        steps.delete(conn, run, REGISTER, kit=world.KIT)
    assert refused.value.code == "retention_busy"


def test_a_proof_finds_what_is_left(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    old_bookings(owner, 2)
    run = started(conn)
    with pytest.raises(ProofFailed, match="booking_key: 2 left"):
        steps.prove(conn, run, REGISTER, kit=world.KIT)


def test_a_late_booking_of_an_old_order_is_the_next_runs(owner: Connection, conn: Connection) -> None:
    world.merchant(owner, "m1")
    run = steps.delete(conn, started(conn), REGISTER, kit=world.KIT)
    world.put(owner, "booking", issue_date=OLD, claimed_at=datetime.now(UTC) + timedelta(seconds=1))
    steps.prove(conn, run, REGISTER, kit=world.KIT)
    assert world.count(owner, "booking") == 1
    owner.execute("update sluis.retention_run set state = 'certified'")
    world.carry_out(conn, REGISTER, NOW)
    assert world.count(owner, "booking") == 0


# --------------------------------------------------------------------------------------------------- beside a sync


def test_beside_a_sync_that_writes(owner: Connection, conn: Connection, database: Database) -> None:
    world.merchant(owner, "m1")
    old_bookings(owner, 300)
    stop, errors, written = threading.Event(), [], 0

    def sync() -> None:
        nonlocal written
        try:
            with database.task("m1") as task:
                while not stop.is_set():
                    row = world.put(task, "booking", issue_date=FRESH)
                    world.put_payment(task, row)
                    written += 1
        except Exception as error:  # whatever it is, it is what the test is about
            errors.append(error)

    thread = threading.Thread(target=sync)
    thread.start()
    try:
        kit = world.KIT.model_copy(update={"batch": 20, "lock_seconds": 2.0, "tries": 20})
        world.carry_out(conn, REGISTER, NOW, kit=kit)
    finally:
        stop.set()
        thread.join()
    assert errors == []
    assert written > 0
    assert world.count(owner, "booking") == world.count(owner, "booking", "order_number is not null") == written
    assert world.count(owner, "payment") == written


def test_a_busy_part_is_rewritten_by_a_later_call(
    owner: Connection, conn: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(physical, "_FIRST_PAUSE", 0.0)
    world.merchant(owner, "m1")
    old_bookings(owner, 2)
    run = started(conn)
    with database.task("m1") as reader, reader.transaction():
        reader.execute("select count(*) from sluis.booking").fetchone()
        with pytest.raises(RetryLater, match="booking_") as busy:
            steps.delete(conn, run, REGISTER, kit=world.KIT)
        assert busy.value.code == "retention_busy"
        assert world.count(owner, "booking") == 0, "the rows are gone for everybody who asks"
        with pytest.raises(ProofFailed, match="booking_"):
            steps.prove(conn, run, REGISTER, kit=world.KIT)
    done = steps.delete(conn, run, REGISTER, kit=world.KIT)
    assert done.done.rewrite == ()
    assert steps.prove(conn, done, REGISTER, kit=world.KIT).state is RunState.PROVED
