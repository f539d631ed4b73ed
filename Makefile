# Headroom's commands for people; CI calls `make test` alone.
#   make demo      the whole loop on this machine, in about five minutes
#   make install   only .venv with the `headroom` command
#   make test      everything: sets up what the tests need, then runs them all
#   make check     format, lint, types, import contracts, fast tests
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_FLAGS ?=
PYTEST_FLAGS ?=
# Tests that start programs of their own (Ray, a browser, Prometheus) mostly wait: they run in two lanes, each module in one
# of them, and all others beside them in what they leave of the processors. Before, those that want the machine alone.
REAL := ray or browser or prometheus
LANES := -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo install test check format system-packages clean constraints

help:
	@sed -n '2,5s/^# *//p' Makefile

demo: install
	@$(BIN)/headroom demo $(DEMO_FLAGS)

install: $(VENV)/.installed

test: $(VENV)/.installed-dev system-packages
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache
	@failed=0; said=$$(mktemp); \
	  $(BIN)/python -m pytest -m alone $(PYTEST_FLAGS) || failed=$$?; \
	  nice -n 10 $(BIN)/python -m pytest -n auto --dist worksteal -m "not ($(REAL))" $(PYTEST_FLAGS) >$$said 2>&1 & \
	  others=$$!; trap 'kill $$others; rm -f $$said; exit 130' INT TERM; \
	  $(BIN)/python -m pytest $(LANES) -m "($(REAL)) and not alone" $(PYTEST_FLAGS) || failed=$$?; \
	  wait $$others || failed=$$?; cat $$said; rm -f $$said; exit $$failed

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not ($(REAL) or slow)" $(PYTEST_FLAGS)

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

system-packages:
	@scripts/system-packages

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-report.json

# After a deliberate upgrade: `make constraints` writes down what is installed.
constraints: $(VENV)/.installed-dev
	scripts/write-constraints > constraints.txt

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11" >&2; echo "help: make PYTHON=python3.12 install" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "error: $(PYTHON) cannot create virtual environments" >&2; echo "help: apt-get install python3-venv" >&2; exit 2; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing headroom and its pinned dependencies into $(VENV) (a minute or two, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing what the tests need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,plot,postgresql]'
	@touch $@
