# `make demo` and `make test` are all that a fresh clone needs: Python 3.11+ and make do the rest.
#   make PYTHON=/path/to/python3 …   uses that interpreter instead of looking for one
#   make test WORKERS=4              runs the tests in four processes (default: one a core)
#   make spec ENGINES=jit            runs the specification's tests on that engine
#   make fuzz FUZZ_SECONDS=3600      tries generated modules and programs, damaged files and sources for an hour
#   make fuzz FUZZ_ENGINE=jit        compares that engine with the reference engine (default: the interpreter)

.DEFAULT_GOAL := help
.PHONY: help setup demo test spec check slow fuzz bench docs clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := $(VENV)/.peers
WORKERS ?= auto
FUZZ_SECONDS ?= 60
FUZZ_ENGINE ?= interpreter
# Tried in this order. Each is run, not just looked up: a version manager's shim may exist and yet refuse to start.
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3.13 python3.12 python3.11 python3)
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

help:  ## Show the targets.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 15

setup: $(READY)  ## Create .venv with svm and its test tools (again when pyproject.toml changes).

$(READY): pyproject.toml setup.py
	@for candidate in $(CANDIDATES); do \
	    if $$candidate -c '$(USABLE)' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "setup: none of [$(CANDIDATES)] is a working Python 3.11+ with the venv module" >&2; exit 1; \
	fi; \
	echo "==> setup: $(VENV) with $$($$python --version) ($$python), about a minute the first time"; \
	$$python -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: $(READY)  ## Compile examples/stats.kr and run it over a table of the Nile's flow.
	@mkdir -p build
	@echo "==> svm build examples/stats.kr -o build/stats.svmb"
	@$(BIN)/svm build examples/stats.kr -o build/stats.svmb
	@echo "==> svm run build/stats.svmb < examples/data/nile.txt"
	@$(BIN)/svm run build/stats.svmb < examples/data/nile.txt

test: $(READY)  ## Run the tests.
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

spec: $(READY)  ## Run the WebAssembly specification's tests on every engine, where they and wabt are at hand.
	@$(BIN)/python -m tests.spec $(ENGINES)

slow: $(READY)  ## Run the long tests: guests moved at every safepoint, and others.
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m slow

fuzz: $(READY)  ## Try generated modules and programs, damaged files and sources on FUZZ_ENGINE, for FUZZ_SECONDS (default 60).
	@$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) --engine $(FUZZ_ENGINE)

check: $(READY)  ## Lint, types, layers, public surface, generated documents.
	@echo "==> ruff"
	@$(BIN)/ruff check .
	@echo "==> mypy --strict"
	@$(BIN)/mypy
	@echo "==> layers, public surface, generated documents"
	@$(BIN)/python -m pytest -q tests/test_house.py

bench: $(PEERS)  ## Measure; the figures go to build/bench.md, build/bench.json and build/bench.svg.
	@$(BIN)/python -m benchmarks

$(PEERS): $(READY)
	@echo "==> bench: what svm is compared with, into $(VENV)"
	@for peers in bench wasm3; do \
	    $(BIN)/python -m pip install --disable-pip-version-check --quiet --editable ".[$$peers]" || \
	        echo "bench: the extra [$$peers] cannot be installed here; what it lacks is left out" >&2; \
	done
	@touch $@

docs: $(READY)  ## Write the generated documents anew.
	@$(BIN)/python -c 'from pathlib import Path; from svm.isa import document; \
	    Path("docs/isa.md").write_text(document.render(), encoding="utf-8")'
	@echo "wrote docs/isa.md"

clean:  ## Remove the environment, builds and caches.
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find svm compiler tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
