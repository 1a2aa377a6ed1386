# From nothing: `make demo` or `make test`. Needs Python 3.10 or newer; everything lands in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo-$(shell date +%Y%m%d-%H%M%S)

.PHONY: help install check test torture lint demo fit-smoke truth-smoke docs docs-pictures tensorboard wheel clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## set up .venv with the tested versions

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

check: lint ## the quick loop: style, types, layers, tests of what changed (under two minutes)
	$(BIN)/python tests/changed.py

test: lint ## everything that CI checks
	$(BIN)/pytest --quiet --numprocesses 2 --dist worksteal

torture: install ## try to break it: damaged files, bad input, attacks, kills (CASES=100000 for a night)
	$(BIN)/python -m tests.torture $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED)) $(if $(FIRST),--first $(FIRST)) $(KINDS)

lint: install ## style, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

demo: install ## search a cell on digits, draw it, retrain it
	$(BIN)/python search.py --dataset digits --preset quick --k 4 --run-dir $(DEMO)/search
	$(BIN)/python -m darts draw $(DEMO)/search/genotype.yaml -o $(DEMO)/search/cells
	$(BIN)/python evaluate.py --genotype $(DEMO)/search/genotype.yaml --dataset digits --preset quick --run-dir $(DEMO)/evaluate

fit-smoke: install ## from digits to an exported network within 150 s, as fit does it
	$(BIN)/python -m darts fit digits --quick --out runs/fit-smoke-$(shell date +%Y%m%d-%H%M%S)

truth-smoke: install ## search, look up, correlate, score: the whole chain, as small as it can be
	$(BIN)/python benchmarks/truth_smoke.py

docs: $(VENV)/.docs ## build the documentation as a site: site/index.html
	NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Open site/index.html in a browser."

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

docs-pictures: install ## redraw the picture of the packages in docs/
	$(BIN)/python docs/rooms.py

tensorboard: install ## watch all runs in the browser
	$(BIN)/tensorboard --logdir runs

wheel: install ## build dist/*.whl
	$(BIN)/python -m build --wheel

clean: ## remove .venv, builds and caches; runs stay
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
