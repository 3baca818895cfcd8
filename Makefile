# `make help` lists the targets. Those that run something set themselves up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXPERIMENT ?=
RUNS ?= 1
LONGEST ?= 30
SCALE ?= published
JOBS ?= 1
.DEFAULT_GOAL := help

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,docs,sweep,search,browser,tensorboard,text,captions]'
	touch $@

# The launchers of clusters bring some hundred megabytes, so they are installed where they are asked for.
$(VENV)/launchers: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[slurm,ray]'
	touch $@

.PHONY: help setup train test test-all test-browser test-launchers test-faults check figures report pages ledger docs reproduce verify benchmark clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## make .venv and install the tested versions into it

train: $(VENV)/installed ## set up, then train a net with noisy tanh units: repro train activation=noisy_tanh
	$(BIN)/repro train activation=noisy_tanh

check: $(VENV)/installed ## ruff, mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: check ## set up, then ruff, mypy and all tests but the three kinds below
	$(BIN)/pytest --numprocesses 2 --quiet --durations 20 --ignore tests/browser --ignore tests/launchers --ignore tests/faults

test-browser: $(VENV)/installed ## test the pages in the system's Chromium; skipped where there is none
	$(BIN)/pytest --quiet tests/browser

test-launchers: $(VENV)/launchers ## test sweeps by joblib, submitit, Slurm and Ray; Slurm is skipped where it is not installed
	$(BIN)/pytest --numprocesses 2 --quiet --timeout 900 tests/launchers

test-faults: $(VENV)/installed ## test kills, full disks, damaged files, many processes at once
	$(BIN)/pytest --numprocesses 2 --quiet --timeout 900 tests/faults

test-all: test test-browser test-launchers test-faults ## all of these

figures: $(VENV)/installed ## redraw every figure, verdict and page from the committed tables; trains nothing
	$(BIN)/repro figures $(EXPERIMENT)

report: $(VENV)/installed ## results/index.html and a page a paper: every claim, figure and setting
	$(BIN)/repro report

ledger: $(VENV)/installed ## rewrite results/README.md, the ledger, from the committed tables
	$(BIN)/repro report --readme results/README.md

pages: $(VENV)/installed ## rewrite every paper's README.md from its page.md and the committed tables
	$(BIN)/repro report --pages

docs: $(VENV)/installed ## build/site: README, docs/, the papers' pages and the ledger as a site that can be searched
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

reproduce: $(VENV)/installed ## train what is missing or stale (EXPERIMENT=paper/name SCALE=quick JOBS=2)
	$(BIN)/repro reproduce $(EXPERIMENT) scale=$(SCALE) $(if $(filter-out 1,$(JOBS)),hydra/launcher=joblib hydra.launcher.n_jobs=$(JOBS))

verify: $(VENV)/installed ## train RUNS=1 committed run of each experiment again, of those of LONGEST=30 s at most, and compare
	$(BIN)/repro reproduce --verify $(EXPERIMENT) --runs $(RUNS) --longest $(LONGEST)

benchmark: $(VENV)/installed ## measure the speed bars
	$(BIN)/python -m benchmarks

clean: ## remove .venv, caches and raw runs; committed results stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis results/runs results/sweeps results/mlflow results/*/*/smoke results/*/*/quick results/*/*/full results/*/*/custom
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
