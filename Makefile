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
	@$(PY) -m sluis.demo $(if $(ONCE),--once) $(if $(ORDERS),--orders "$(ORDERS)") $(if $(PORT),--port $(PORT))

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

.PHONY: lock
lock: env-dev ## compile requirements*.in into locks with hashes
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements.in -o requirements.txt
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements.txt requirements-dev.in -o requirements-dev.txt

.PHONY: clean
clean: ## remove what demo and tests made (.demo); the environment stays
	@rm -rf .demo .mypy_cache .ruff_cache build
