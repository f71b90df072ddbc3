"""Fixtures of the tests that drive merchants through a real Airflow: one Airflow for the session, its store named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tests.airflow_home  # noqa: F401
from tests import airflow_harness
from tests.airflow_harness import AirflowStack
from tests.e2e.merchant import store_of
from tests.flows.conftest import world  # noqa: F401

#: Tests that end what another began. Airflow works on the beginnings (retries, waits) while the other tests run.
ENDINGS = ("test_the_next_try_books_the_rest_once", "test_no_marker_stays_behind")
#: After everything: it deletes with a moved clock.
LAST = "test_no_marker_stays_behind_past_its_period"


def pytest_configure(config: pytest.Config) -> None:
    """Share one Airflow with the other folders."""
    airflow_harness.offer(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin what takes long first, and look at its end last."""
    items.sort(key=lambda item: (item.name.startswith(ENDINGS), item.name == LAST))


@pytest.fixture(autouse=True)
def store(request: pytest.FixtureRequest) -> Iterator[None]:
    """Name the store that Airflow's tasks use in this process too, for tests that take ``airflow_stack``."""
    if "airflow_stack" not in request.fixturenames:
        yield
        return
    stack: AirflowStack = request.getfixturevalue("airflow_stack")
    with store_of(stack):
        yield
