# Everything a user or developer needs; each target makes its own virtual environment first.
PYTHON ?= $(shell tools/find-python)
VENV := .venv
RUN := $(VENV)/bin/
DIR ?= .
RAM ?=
ENGINE ?=
IMAGES ?=
ARGS ?=
# Tests wait about as much as they compute: one process more than the two that have an engine's stack each takes a fifth less.
# In the order of collection, as the short tests are last there, and fill up what the long ones leave.
BESIDE ?= -n 3 --dist loadgroup --no-loadscope-reorder
UP_FLAGS = $(if $(RAM),--ram $(RAM)) $(if $(ENGINE),--engine $(ENGINE)) $(if $(IMAGES),--images $(IMAGES)) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help install up down test test-full check check-rules golden dashboards bench bench-cli bench-app bench-backup bench-pace bench-monitoring clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

install: $(VENV)/.installed  ## Install stackctl into .venv

$(VENV)/.installed: pyproject.toml tools/make-venv
	@tools/make-venv "$(PYTHON)" $(VENV) .
	@touch $@

$(VENV)/.developer: $(VENV)/.installed
	@tools/make-venv "$(PYTHON)" $(VENV) '.[dev]'
	@touch $@

up: $(VENV)/.installed  ## Bring the stack up: make up RAM=16G [ENGINE=embedded|docker] [IMAGES=debian] [ARGS=...]
	@$(RUN)stackctl --project "$(DIR)" up $(UP_FLAGS)

down: $(VENV)/.installed  ## Stop the stack; its data stays
	@$(RUN)stackctl --project "$(DIR)" down $(ARGS)

test: $(VENV)/.developer check  ## Run all checks and tests on both engines
	@$(RUN)python -m pytest $(BESIDE) $(ARGS)

test-full: $(VENV)/.developer  ## Run the exhaustive matrices too
	@$(RUN)python -m pytest --full $(BESIDE) $(ARGS)

check: $(VENV)/.developer  ## Lint, types, import contracts
	@$(RUN)ruff check .
	@$(RUN)ruff format --check .
	@$(RUN)mypy
	@$(RUN)lint-imports --no-logo

check-rules:  ## See each alert fire and stay silent; needs Prometheus's promtool
	@promtool check rules --lint=all --lint-fatal config/prometheus/rules/*.yml
	@promtool test rules tests/alerts/*.yml

golden: $(VENV)/.developer  ## Rewrite the golden files, and the inventory of the exporter
	@$(RUN)python -m pytest -q --golden tests/golden tests/unit/settings tests/unit/operations/observing

dashboards: $(VENV)/.developer  ## Write the dashboards anew from tools/grafana
	@PYTHONPATH=tools $(RUN)python -m grafana

bench-cli: $(VENV)/.developer  ## Time the command line against a bare interpreter, and up against bare Compose
	@$(RUN)python tools/bench_cli.py $(ARGS)

bench: $(VENV)/.installed  ## Measure our configuration beside stock and others; ARGS="--ram 8G --quick --peers stackctl,guide"
	@$(RUN)stackctl --project "$(DIR)" bench $(UP_FLAGS)

bench-app: $(VENV)/.developer  ## Load the app beside what it is compared to; ARGS="--quick bound"
	@$(RUN)python tools/bench_app.py $(ARGS)

bench-backup: $(VENV)/.developer  ## Time backups beside what they are compared to; as root; ARGS="--runs 2 verify"
	@$(RUN)python tools/bench_backup.py $(ARGS)

bench-pace: $(VENV)/.developer  ## Measure what a backup does to the app beside it; as root; ARGS="--megabytes 2000"
	@$(RUN)python tools/bench_pace.py $(ARGS)

bench-monitoring: $(VENV)/.developer  ## Measure what monitoring costs the database; ARGS="--pairs 4"
	@$(RUN)python tools/bench_monitoring.py $(ARGS)

clean:  ## Remove the virtual environment and caches; never data
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
