"""The shared limiter and the lock on an administration, between real processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from sluis.errors import QuotaSpent, Refused, RetryLater
from sluis.ports import Limiter
from sluis.store.limiter import StoreLimiter
from sluis.store.locks import administration_lock
from tests.conftest import Database

pytestmark = pytest.mark.postgres
START = datetime(2026, 11, 2, 12, tzinfo=UTC)


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """A clock of this test."""
    return Clock()


def make(
    database: Database, clock: Clock, wait: float = 20, defaults: dict[str, tuple[int, int]] | None = None
) -> StoreLimiter:
    """Return a limiter for the task role, with 3 calls per 10 seconds for keys of ``books`` unless told otherwise."""
    return StoreLimiter(
        database.task_dsn, {"books": (3, 10)} if defaults is None else defaults,
        max_wait=timedelta(seconds=wait), now=clock, sleep=clock.sleep,
    )  # fmt: skip


def test_calls_beyond_the_limit_wait_for_the_next_window(database: Database, clock: Clock) -> None:
    limiter: Limiter = make(database, clock)
    for _ in range(3):
        limiter.acquire("books:t")
    assert clock.now == START
    limiter.acquire("books:t")
    assert clock.now == START + timedelta(seconds=10)
    limiter.acquire("books:other")
    assert clock.now == START + timedelta(seconds=10)


def test_a_long_wait_is_a_spent_quota_with_the_time_to_come_back(database: Database, clock: Clock) -> None:
    limiter = make(database, clock, wait=5)
    for _ in range(3):
        limiter.acquire("books:t")
    clock.now += timedelta(seconds=4)
    with pytest.raises(QuotaSpent) as caught:
        limiter.acquire("books:t")
    assert caught.value.retry_after == timedelta(seconds=6)
    clock.now += timedelta(seconds=6)
    limiter.acquire("books:t")


def test_a_key_without_a_limit_leaves_no_row_and_learns_one_from_an_answer(database: Database, clock: Clock) -> None:
    limiter = make(database, clock, wait=0, defaults={})
    for _ in range(20):
        limiter.acquire("shop:x")
    limiter.observe("shop:x", limit=None, remaining=None, resets_at=None)
    with database.owner() as conn:
        assert conn.execute("select count(*) from sluis.limiter").fetchone() == (0,)
    limiter.observe("shop:x", limit=10, remaining=1, resets_at=START + timedelta(seconds=30))
    limiter.acquire("shop:x")
    with pytest.raises(QuotaSpent) as caught:
        limiter.acquire("shop:x")
    assert caught.value.retry_after == timedelta(seconds=30)


def test_nothing_remaining_blocks_until_the_vendor_says_so(database: Database, clock: Clock) -> None:
    limiter = make(database, clock, wait=0, defaults={})
    limiter.observe("shop:x", limit=None, remaining=0, resets_at=START + timedelta(seconds=90))
    with pytest.raises(QuotaSpent) as caught:
        limiter.acquire("shop:x")
    assert caught.value.retry_after == timedelta(seconds=90)
    limiter.observe("shop:x", limit=None, remaining=0, resets_at=START - timedelta(seconds=5))  # old news
    clock.now += timedelta(seconds=90)
    limiter.acquire("shop:x")


def test_headers_correct_the_count_and_never_give_back_what_is_on_its_way(database: Database, clock: Clock) -> None:
    limiter = make(database, clock, wait=0)
    window_end = START + timedelta(seconds=10)
    limiter.acquire("books:t")
    limiter.acquire("books:t")
    limiter.observe("books:t", limit=3, remaining=2, resets_at=window_end)  # the answer to the first call
    limiter.acquire("books:t")
    with pytest.raises(QuotaSpent):
        limiter.acquire("books:t")
    clock.now = window_end
    limiter.acquire("books:t")
    limiter.observe("books:t", limit=3, remaining=0, resets_at=window_end + timedelta(seconds=10))  # others call too
    with pytest.raises(QuotaSpent):
        limiter.acquire("books:t")


def test_a_new_window_of_the_vendor_replaces_our_count(database: Database, clock: Clock) -> None:
    limiter = make(database, clock, wait=0)
    for _ in range(3):
        limiter.acquire("books:t")
    clock.now += timedelta(seconds=5)
    limiter.observe("books:t", limit=3, remaining=2, resets_at=START + timedelta(seconds=15))
    limiter.acquire("books:t")
    limiter.acquire("books:t")
    with pytest.raises(QuotaSpent) as caught:
        limiter.acquire("books:t")
    assert caught.value.retry_after == timedelta(seconds=10)


def test_the_key_is_stored_as_a_hash(database: Database, clock: Clock) -> None:
    make(database, clock).acquire("books:token-MARKER")
    with database.owner() as conn:
        stored = conn.execute("select key from sluis.limiter").fetchone()
    assert stored is not None
    assert stored[0].startswith("books:")
    assert "MARKER" not in stored[0]


_CALLER = """
import sys
from datetime import timedelta
from sluis.errors import QuotaSpent
from sluis.store.limiter import StoreLimiter
limiter = StoreLimiter(sys.argv[1], {"books": (25, 3600)}, max_wait=timedelta(0))
print("ready", flush=True)
sys.stdin.readline()
taken = 0
for _ in range(20):
    try:
        limiter.acquire("books:t")
        taken += 1
    except QuotaSpent:
        pass
print(taken, flush=True)
"""


def test_four_processes_together_never_take_more_than_the_limit(database: Database) -> None:
    callers = [
        subprocess.Popen(
            [sys.executable, "-c", _CALLER, database.task_dsn],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    try:
        for caller in callers:
            assert caller.stdout is not None
            assert caller.stdout.readline() == "ready\n"
        for caller in callers:
            assert caller.stdin is not None
            caller.stdin.write("go\n")
            caller.stdin.flush()
        taken = [int(caller.communicate(timeout=60)[0]) for caller in callers]
    finally:
        for caller in callers:
            caller.kill()
            caller.wait()
    assert sum(taken) == 25


def test_one_writer_per_administration_and_the_second_is_told_to_come_back(database: Database) -> None:
    moment = timedelta(milliseconds=20)
    with database.task("mone") as one, database.task("mtwo") as two:
        with administration_lock(one, "moneybird/1", moment):
            with pytest.raises(RetryLater) as caught, administration_lock(two, "moneybird/1", moment):
                pytest.fail("two writers")
            with administration_lock(two, "moneybird/2", moment):
                pass
        with administration_lock(two, "moneybird/1", moment):
            pass
    assert caught.value.code == "administration_busy"


def test_the_lock_is_waited_for_and_ends_with_a_block_that_fails_or_a_connection_that_dies(database: Database) -> None:
    long = timedelta(seconds=30)
    got = threading.Event()

    def second() -> None:
        with database.task("mtwo") as conn, administration_lock(conn, "moneybird/1", long):
            got.set()

    with database.task("mone") as one:
        with pytest.raises(Refused), administration_lock(one, "moneybird/1", long):  # noqa: PT012
            waiting = threading.Thread(target=second)
            waiting.start()
            assert not got.wait(0.1)
            raise Refused("in the middle")
        waiting.join(30)
        assert got.is_set()
        with administration_lock(one, "moneybird/1", long):
            one.close()
    with database.task("mtwo") as conn, administration_lock(conn, "moneybird/1", timedelta(seconds=5)):
        pass
