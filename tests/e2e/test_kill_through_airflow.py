"""A load that is killed in the middle of booking, under a real Airflow: its plain retry books the rest, once each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest

from sluis.store.bookings import BookingState
from tests.airflow_harness import AirflowStack
from tests.e2e.merchant import ALL_GREEN, Merchant, joined, store_of, until
from tests.flows.world import hour

pytestmark = pytest.mark.airflow

ORDERS = 9


@dataclass(frozen=True)
class Killed:
    """A run whose load was killed, as it stood at that moment."""

    merchant: Merchant
    run_id: str
    in_books: int
    states: dict[BookingState, int]
    in_transit: int


@pytest.fixture(scope="session")
def killed(airflow_stack: AirflowStack) -> Iterator[Killed]:
    """Books that answer slowly, and SIGKILL for the process that books, while it waits for an answer."""
    with store_of(airflow_stack), joined(airflow_stack) as merchant:
        world = merchant.world
        world.orders(hour(0), ORDERS, buyers=3)
        world.fault("slow", skip=3, seconds=20.0, times=ORDERS)  # booked, and the answer is a long time coming
        merchant.api.wait_for_dags([merchant.dag_id])
        until(lambda: len(world.books.invoices) > 3, "the load books")
        (process,) = airflow_stack.task_processes(merchant.dag_id)
        process.kill()
        psutil.wait_procs([process], timeout=30)
        run = merchant.scheduled_runs()[0]["dag_run_id"]
        at_death = Killed(merchant, run, len(world.books.invoices), world.states(), merchant.in_transit())
        world.server.state.faults.clear()
        yield at_death


def test_a_load_is_killed_in_the_middle_of_booking(killed: Killed) -> None:
    # It died while it waited for an answer: booked, but all that we know is that it was claimed.
    assert killed.in_books == 4 < ORDERS
    assert (killed.states[BookingState.BOOKED], killed.states[BookingState.CLAIMED]) == (3, 1)
    assert killed.in_transit > 0


def test_the_next_try_books_the_rest_once(killed: Killed, airflow_stack: AirflowStack) -> None:
    merchant, run_id = killed.merchant, killed.run_id
    assert merchant.api.wait_for_run(merchant.dag_id, run_id) == "success"
    assert merchant.states(run_id) == ALL_GREEN
    tasks = merchant.api.tasks(merchant.dag_id, run_id)
    assert {name: tasks[name]["try_number"] for name in ("extract", "transform", "load")} == {
        "extract": 1, "transform": 1, "load": 2
    }  # fmt: skip
    # It never asked the policy: what tried again were Airflow's plain retries.
    assert "Retry policy decision" not in merchant.api.log(merchant.dag_id, run_id, "load", 1)
    documents = merchant.report(run_id).tally["documents"]
    assert documents == {"booked": ORDERS - 1, "adopted": 1}
    merchant.world.prove()
    assert merchant.in_transit() == 0
    assert len(merchant.world.books.contacts) == 3
