"""Fixtures of the tests that run DAGs; ``airflow_stack`` and ``airflow_template`` stand in tests/airflow_harness.py."""

from __future__ import annotations

import pytest

import tests.airflow_home  # noqa: F401
from tests import airflow_harness


def pytest_configure(config: pytest.Config) -> None:
    """Share one Airflow with the other folders."""
    airflow_harness.offer(config)
