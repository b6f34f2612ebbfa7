# From a fresh clone with Python 3.11 or newer, pip and make: `make demo` serves, `make test` tests. See README.md.

PYTHON ?= python3
PORT ?= 8080
DATA ?= .consent-registry
WORKERS ?= 1
JOBS ?= 2
EVENTS ?= 10000000

SHELL := /bin/sh
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet install
# Each of these files says that a step is done; a step is repeated when what it depends on has changed.
VENV := .venv/made.stamp
INSTALLED := .venv/installed.stamp
TOOLS := .venv/tools.stamp

unexport PYTHONHOME PYTHONPATH
export PIP_ROOT_USER_ACTION = ignore

.PHONY: help demo serve test check bench openapi lock crash mutants clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo     serve the five demonstration networks (PORT=8080 DATA=.consent-registry WORKERS=1)'
	@echo 'make test     every test that needs nothing but pip'
	@echo 'make check    linters, types, import contracts'
	@echo 'make serve    serve with CONSENT_REGISTRY_… from the environment'
	@echo 'make bench    measure and print figures (EVENTS=10000000 in the log that is searched)'
	@echo 'make crash    the crash campaign at its full size'
	@echo 'make mutants  every small mistake in domain/, the token check and part of audit/, each before its tests'
	@echo 'make openapi  write openapi/consent-registry.json anew'
	@echo 'make lock     write both lock files anew'
	@echo 'make clean    remove what was installed or generated; the data of a demonstration stays'

# exec: the supervisor takes the place of the recipe's shell, so that a signal to make reaches it, and it ends with make.
demo: $(INSTALLED)
	@exec $(PY) -m consent_registry demo --data "$(DATA)" --port "$(PORT)" --workers "$(WORKERS)" --end-with-parent

serve: $(INSTALLED)
	@exec $(PY) -m consent_registry serve --port "$(PORT)" --workers "$(WORKERS)"

test: $(TOOLS)
	$(PY) -m pytest -m 'not campaign and not system' -n $(JOBS) --dist loadfile

check: $(TOOLS)
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy src tests $(wildcard benchmarks)
	$(PY) -c 'from importlinter.cli import lint_imports_command as run; run()'

bench: $(TOOLS)
	$(PY) -m benchmarks
	$(PY) -m benchmarks.sealing
	$(PY) -m benchmarks.searching --events $(EVENTS)

crash: $(TOOLS)
	CRASH_SCALE=full $(PY) -m pytest -m campaign tests/campaigns/test_crash.py

mutants: $(TOOLS)
	$(PY) -m tests.mutations --jobs $(JOBS)

openapi: $(INSTALLED)
	$(PY) -m consent_registry openapi > openapi/consent-registry.json.new
	mv openapi/consent-registry.json.new openapi/consent-registry.json

# uv alone writes one lock for every platform; it is needed here and nowhere else.
lock:
	@rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check --quiet install uv
	echo hatchling | .venv-lock/bin/python -m uv pip compile $(COMPILE) --output-file requirements.lock pyproject.toml -
	.venv-lock/bin/python -m uv pip compile $(COMPILE) --output-file requirements-dev.lock \
		--constraints requirements.lock --group dev
	@rm -rf .venv-lock

COMPILE := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

clean:
	rm -rf .venv .venv-lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage build dist
	find src tests migrations -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo \
		"make: $(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo \
		"make: $(PYTHON) lacks the modules venv and ensurepip (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo 'Making .venv …'
	@$(PYTHON) -m venv .venv
	@touch $@

$(INSTALLED): requirements.lock pyproject.toml $(VENV)
	@echo 'Installing what the registry needs …'
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(TOOLS): requirements-dev.lock $(INSTALLED)
	@echo 'Installing what its tests need …'
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
