#!/usr/bin/env bash
# Everything that CI runs: format, lint, types, then all tests. Plain tests first: they say soonest what is wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
# Tests drive their own servers on 127.0.0.1 only; nothing may phone home or write core files with orders in them.
export GX_ANALYTICS_ENABLED=false AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
ulimit -c 0
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/pytest -m "not airflow" -n 2 --dist loadgroup "$@"
.venv/bin/pytest -m airflow "$@"
