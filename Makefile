# `make` lists the targets. `make demo` and `make test` install all that they need, from one lock file.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
DATA ?= $(or $(RAPPORT_DATA),./data)
PORT ?= $(or $(RAPPORT_PORT),8080)

.PHONY: help install demo test test-fast coverage attacks lint types bench screenshots lock vendor clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/run  ## the command, as .venv/bin/rapport

demo: $(VENV)/run  ## sample data, a server on port 8080 (or PORT=…), and a request to paste; it ends today (or DAY=…)
	@$(BIN)/rapport demo --data $(DATA) --port $(PORT) $(if $(DAY),--day $(DAY))

test: $(VENV)/all  ## all tests
	@$(BIN)/pytest -n 2 --dist worksteal

test-fast: $(VENV)/all  ## a first answer within a minute: what needs no PostgreSQL, browser, JDK or PHP, and isn't slow
	@$(BIN)/pytest -n 2 --dist worksteal -m "not postgres and not browser and not slow"

coverage: $(VENV)/all  ## all tests, with line and branch coverage of src
	@$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report=term-missing:skip-covered

attacks: $(VENV)/all  ## every attack on a server, the long ones too, with what it costs other clients
	@$(BIN)/pytest tests/attacks --capture=no

lint: $(VENV)/all  ## style, format, and which package imports which
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

types: $(VENV)/all  ## types, strictly
	@$(BIN)/mypy

bench: $(VENV)/all  ## every measurement, each against a yardstick: a table, then JSON lines
	@$(BIN)/python -m bench

screenshots: $(VENV)/all  ## docs/screenshots anew, from the pages with sample data
	@PYTHONPATH=. $(BIN)/python scripts/screenshots.py

lock:  ## renew requirements.lock from pyproject.toml
	@scripts/lock $(PYTHON)

vendor:  ## build anew, from npm, what the pages have from others
	@scripts/vendor $(PYTHON)

clean:  ## take away what the targets made, but not ./data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Two steps off the one lock file: what runs, and all that tests, checks and measures besides.
$(VENV)/run: requirements.lock pyproject.toml
	@scripts/install $(PYTHON) $(VENV) run
	@touch $@

$(VENV)/all: requirements.lock pyproject.toml
	@scripts/install $(PYTHON) $(VENV) all
	@touch $(VENV)/run $@
