# The commands of this project. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# every version is pinned with its hashes, so nothing is resolved at install time
PIP_PINNED := $(PIP) install --quiet --no-deps --no-build-isolation --require-hashes
SCRIPTS := .ci/run requirements/lock docker/healthy docker/make-secrets

.PHONY: help install quickstart lint types unit attached test bench bench-compare evaluation lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/installed ## create .venv with pinned dependencies and this project

$(VENV)/installed: pyproject.toml requirements/build.txt requirements/all.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "enginebench needs Python 3.11 or newer; set PYTHON=/path/to/it" >&2; exit 1; }
	@echo "creating $(VENV) (a few minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP_PINNED) -r requirements/build.txt
	@$(PIP_PINNED) -r requirements/all.txt -r requirements/dev.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

quickstart: install ## run two ready experiments on scikit-learn, Dask and Spark
	@$(BIN)/enginebench run kmeans-digits xgboost-breast-cancer

lint: install ## check style and formatting, of Python, shell and container files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/shellcheck $(SCRIPTS)
	@$(BIN)/hadolint --failure-threshold style docker/Dockerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker/compose.yaml

types: install ## check types
	@$(BIN)/mypy

unit: install ## run the tests; TESTS="--numprocesses 2 --no-loadscope-reorder" runs two at a time
	@$(BIN)/pytest $(TESTS)

attached: install ## run the contract again, on engines that join a cluster of two workers each
	@$(BIN)/pytest tests/contract --attached $(TESTS)

test: lint types unit attached ## lint, types and tests: what must pass before a change lands

bench: install ## measure the tool itself and its engines, and save it under .benchmarks/
	@$(BIN)/pytest tests/benchmarks --benchmark-only --capture=no --benchmark-autosave

bench-compare: install ## measure the engines again and compare with what `make bench` saved last
	@compgen -G '.benchmarks/*/[0-9]*.json' >/dev/null \
		|| { echo "nothing is saved to compare with; run make bench first" >&2; exit 1; }
	@$(BIN)/pytest tests/benchmarks/test_engines.py --benchmark-only --benchmark-compare

evaluation: install ## write the reports of results/reference again, and results/README.md from them
	@$(BIN)/python results/evaluate.py --reports

lock: install ## pin the newest dependencies again (needs uv)
	@requirements/lock

clean: ## remove .venv and everything that tools leave behind
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
