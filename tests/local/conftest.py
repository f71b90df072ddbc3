"""Airflow's home, before anything imports Airflow."""

from __future__ import annotations

import tests.airflow_home  # noqa: F401
