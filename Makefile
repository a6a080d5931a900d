# `make` lists the targets. `make demo` and `make test` install everything they need from one lock file.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
DATA ?= $(or $(RAPPORT_DATA),./data)
PORT ?= $(or $(RAPPORT_PORT),8080)

.PHONY: help install demo test test-fast coverage attacks lint types bench screenshots lock vendor clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/run  ## install the command as .venv/bin/rapport

demo: $(VENV)/run  ## serve sample data that ends today (or on DAY=…) on port 8080 (or PORT=…)
	@$(BIN)/rapport demo --data $(DATA) --port $(PORT) $(if $(DAY),--day $(DAY))

# More processes than cores, as many tests wait for servers, for the disk or for a timeout.
test: $(VENV)/all  ## run all tests
	@$(BIN)/pytest -n 4 --dist worksteal

test-fast: $(VENV)/all  ## run the tests that need no PostgreSQL, browser, JDK or PHP, in under a minute
	@$(BIN)/pytest -n 2 --dist worksteal -m "not postgres and not browser and not slow"

coverage: $(VENV)/all  ## run all tests, and print line and branch coverage of src
	@$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report=term-missing:skip-covered

attacks: $(VENV)/all  ## run all attacks on a server in full size, and print what they cost other clients
	@RAPPORT_TEST_ATTACKS=large $(BIN)/pytest tests/attacks --capture=no

lint: $(VENV)/all  ## check style, format and import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

types: $(VENV)/all  ## check types
	@$(BIN)/mypy

bench: $(VENV)/all  ## run all benchmarks, each against a baseline; print a table and JSON lines
	@$(BIN)/python -m bench

screenshots: $(VENV)/all  ## update docs/screenshots from the pages with sample data
	@PYTHONPATH=. $(BIN)/python scripts/screenshots.py

lock:  ## update requirements.lock from pyproject.toml
	@scripts/lock $(PYTHON)

vendor:  ## rebuild the third-party files of the pages from npm
	@scripts/vendor $(PYTHON)

clean:  ## remove everything the targets created, except ./data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*

# One lock file, two environments: the runtime, and everything for tests, checks and benchmarks too.
$(VENV)/run: requirements.lock pyproject.toml
	@scripts/install $(PYTHON) $(VENV) run
	@touch $@

$(VENV)/all: requirements.lock pyproject.toml
	@scripts/install $(PYTHON) $(VENV) all
	@touch $(VENV)/run $@
