# Imagewatch. `make up` runs everything on this machine; `make test` proves it.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON   ?= python3
VENV     := .venv
BIN      := $(VENV)/bin
PORT     ?= 4566
WEB_PORT ?= 8080
SAMPLES  ?= 1
# Containers reach this machine at another address than itself: LISTEN=0.0.0.0 lets `sam local invoke` in.
LISTEN   ?= 127.0.0.1

export PORT WEB_PORT SAMPLES

.PHONY: help up down test check bench chaos fuzz audit lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Imagewatch needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python could not make a virtual environment (on Debian and Ubuntu: apt-get install python3-venv)."; rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8

$(VENV)/.local-installed: $(BIN)/uv requirements/local.txt pyproject.toml
	@echo "Installing what the local stack needs into $(VENV) ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/local.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/.dev-installed: $(VENV)/.local-installed requirements/dev.txt
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

up: $(VENV)/.local-installed  ## run Imagewatch on this machine, with sample photos through the whole pipeline (PORT, WEB_PORT, SAMPLES=0)
	@$(BIN)/python -m local --detach --host $(LISTEN)
	@if [ "$(SAMPLES)" != 0 ]; then $(BIN)/python -m local.samples; fi

down: $(VENV)/.local-installed  ## stop what `make up` started
	@$(BIN)/python -m local --stop

test: $(VENV)/.dev-installed  ## every test that needs neither an AWS account nor a container engine
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev-installed  ## the gate for every commit: lint, types, template, contract
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(BIN)/sam validate --lint
	@$(BIN)/python -m tools.drawing --check
	@$(BIN)/pytest -q tests/contract

bench: $(VENV)/.dev-installed  ## what it costs: time, calls, money, as tables
	@$(BIN)/python -m bench

chaos: $(VENV)/.dev-installed  ## 1,000 images through throttles, crashes, duplicates and a killed intake
	@$(BIN)/python -m tests.chaos

fuzz: $(VENV)/.dev-installed  ## mutated images against the decoder, seeded and bounded
	@$(BIN)/python -m tests.fuzz

audit: $(BIN)/uv  ## checkov, in an environment of its own (its requirements differ from ours)
	@test -x .venv-audit/bin/checkov || { $(BIN)/uv venv --quiet --python $(BIN)/python .venv-audit && $(BIN)/uv pip install --quiet --python .venv-audit/bin/python --require-hashes -r requirements/audit.txt; }
	@.venv-audit/bin/checkov --quiet --compact -f template.yaml

lock: $(BIN)/uv  ## pin the requirements anew, with hashes and without addresses
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header requirements/dev.in -o requirements/dev.txt
	@for name in requirements/local functions/requirements; do \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header -c requirements/dev.txt $$name.in -o $$name.txt; done

clean: down  ## remove everything that was installed or built here
	@rm -rf $(VENV) .venv-audit .aws-sam .local .pytest_cache .ruff_cache .mypy_cache .hypothesis
