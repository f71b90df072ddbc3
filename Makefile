# The front door. `make help` lists what there is; nothing here needs root or anything installed by hand but python3.
SHELL := /bin/bash
PY := .venv/bin/python
.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: env
env: ## the run-time environment in .venv (locked, with hashes)
	@scripts/environment.sh requirements.txt

.PHONY: env-dev
env-dev: ## the same with what tests and checks need
	@scripts/environment.sh requirements-dev.txt

.PHONY: demo
demo: env ## a shop, books, PostgreSQL and Airflow on this machine; ONCE=1 ends by itself, ORDERS=<csv> brings real lines
	@$(PY) -m sluis.demo $(if $(ONCE),--once) $(if $(ORDERS),--orders "$(ORDERS)") $(if $(PORT),--port "$(PORT)")

.PHONY: airflow
airflow: env ## Airflow for a store of your own (SLUIS_* and AIRFLOW_DATABASE_URL; PORT=8081): up until Ctrl-C, drops nothing
	@$(PY) -m sluis.local.run $(if $(PORT),--port "$(PORT)")

.PHONY: postgres
postgres: env ## a PostgreSQL 18 in .sluis for a store of your own, prints its addresses; STOP=1 stops it
	@$(PY) -m sluis.local.postgres $(if $(STOP),--stop)

.PHONY: test
test: env-dev ## everything that CI runs
	@scripts/test.sh

.PHONY: check
check: env-dev ## format, lint and types
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy

.PHONY: bench
bench: env-dev ## speed and memory as ratios against a bare script (never fails by a clock)
	@$(PY) bench/sync.py

.PHONY: docs
docs: env-dev ## render the pages of docs/reference that are made from code
	@$(PY) -m sluis.cli.reference > docs/reference/cli.md
	@$(PY) -m sluis.local.reference > docs/reference/airflow.md

.PHONY: lock
lock: env-dev ## compile requirements*.in into locks with hashes
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements.in -o requirements.txt
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements.txt requirements-dev.in -o requirements-dev.txt

.PHONY: clean
clean: ## remove what demo and tests made (.demo, its database too); .sluis and the environment stay
	@if [ -x $(PY) ]; then $(PY) -m sluis.demo.clean; else rm -rf .demo; fi
	@rm -rf .mypy_cache .ruff_cache build
