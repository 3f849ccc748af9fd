# Two commands: `make demo` shows OMASGAN at work, `make test` checks it. Both set up .venv when it is not there.
.DEFAULT_GOAL := help
.PHONY: help demo test heavy slow lint docs benchmark clean

MISSING_PYTHON = "make: Python 3.11 or newer is needed and was not found: install it, or name it, as in 'make demo PYTHON=/opt/python3.12/bin/python3'"
MISSING_PACKAGES = "make: the packages could not be installed (the lines above say which): is there a network, and 10 GB of free disk? Mend it and run make again"

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

help:
	@echo "make demo       install into .venv, run OMASGAN on scikit-learn's digits, show the table (about 3 minutes after the install)"
	@echo "make test       install into .venv, then lint, types, the documentation and the fast tests (6 minutes after the install)"
	@echo "make heavy      the tests that start many processes, a browser or another program (5 minutes)"
	@echo "make slow       the tests that take minutes each"
	@echo "make docs       the documentation as a site that opens from disk: site/index.html"
	@echo "make benchmark  time of a training step and of scoring, against plain float32 code"
	@echo "make clean      remove .venv (runs stay)"

.venv/installed: pyproject.toml
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo $(MISSING_PYTHON); exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable '.[dev]' || { echo $(MISSING_PACKAGES); exit 1; }
	@touch $@

demo: .venv/installed
	.venv/bin/omasgan experiment=quickstart

test: lint docs
	.venv/bin/pytest --numprocesses 2 --dist worksteal

lint: .venv/installed
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict --quiet

heavy: .venv/installed
	.venv/bin/pytest -m 'heavy and not slow' --numprocesses 2 --dist worksteal

slow: .venv/installed
	.venv/bin/pytest -m slow

benchmark: .venv/installed
	.venv/bin/python experiments/speed/benchmark.py

clean:
	rm -rf .venv
