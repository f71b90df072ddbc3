"""Fixtures of the tests that run DAGs; ``airflow_stack`` and ``airflow_template`` stand in tests/airflow_harness.py."""

from __future__ import annotations

import tests.airflow_home  # noqa: F401
from tests.airflow_harness import airflow_stack, airflow_template

__all__ = ["airflow_stack", "airflow_template"]
