# Needs Python 3.11 or newer, git and make. Everything is installed into .venv.
#   make demo     run a published circuit and look at demo/
#   make test     the fast tests and the examples in the docstrings

# The first Python on the PATH that is new enough; `make PYTHON=/path/to/python demo` chooses.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
# What is installed is described in these; a change of either installs again.
DESCRIPTION := setup.cfg pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-sweeps lint bench bench-peers docs clean

help:
	@echo "make demo         run a published circuit, check its claims, write demo/"
	@echo "make test         fast tests and docstring examples"
	@echo "make test-slow    the tests that take longer"
	@echo "make test-sweeps  batches of simulations, killed and broken, on Dask and on Slurm"
	@echo "make lint         style and import rules"
	@echo "make bench        speed beside NumPy, JAX, PyTorch, Brian2, NEST, ANNarchy; against size"
	@echo "make bench-peers  installs these peers, each under .bench/ (2.8 GB)"
	@echo "make docs         the documentation, in docs/_build/html"
	@echo "make clean        remove everything that was made, except .venv and .bench"

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "neurodyn needs Python 3.11 or newer; none was found: " \
	  "give one with make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "The venv module of $(PYTHON) does not work; " \
	  "on Debian install python3-venv" >&2; exit 1; }

.venv/.installed: $(DESCRIPTION) | $(BIN)/python
	@echo "Installing neurodyn and what it needs into .venv"
	$(PIP) --editable .
	@touch $@

# One stamp per extra: .venv/.installed-test, .venv/.installed-docs, ...
.venv/.installed-%: $(DESCRIPTION) | $(BIN)/python
	@echo "Installing neurodyn and what it needs for: $*"
	$(PIP) --editable '.[$*]'
	@touch $@ .venv/.installed

demo: .venv/.installed
	$(BIN)/neurodyn run adaptive_whitening --out demo

# A process for each core, because most of the time goes into compiling; a file stays in one process,
# whose tests then share what it has compiled.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile

test: .venv/.installed-test .venv/.installed-notebooks
	$(PYTEST) -m "not slow"

test-slow: .venv/.installed-test .venv/.installed-notebooks
	$(PYTEST) -m slow

# Sweeps on Dask and on a real Slurm, which is installed if that is possible here; one process,
# because there is one Slurm.
test-sweeps: .venv/.installed-test .venv/.installed-dask .venv/.installed-notebooks
	NEURODYN_TEST_SLURM=install $(BIN)/python -m pytest -q -rs tests/neurodyn/sweeps

lint: .venv/.installed-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m pytest -q tests/neurodyn/test_package.py -m "not slow"

bench: .venv/.installed-bench
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/spiking_scaling.py
	$(BIN)/python benchmarks/analysis_scaling.py

bench-peers: .venv/.installed-bench
	$(BIN)/python benchmarks/peers.py

docs: .venv/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf build dist demo runs reproduction docs/_build docs/generated docs/jupyter_execute neurodyn.egg-info \
	  .pytest_cache .ruff_cache .hypothesis .mypy_cache .coverage
	find neurodyn circuits analyses data tests benchmarks tutorials -name __pycache__ -prune \
	  -exec rm -rf {} +
