# Everything from a fresh clone: only Python 3.11 or newer and make are needed. PYTHON=… chooses another interpreter.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
WORKERS ?= auto
# Tests start hundreds of commands; without bytecode each would compile all modules again.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(WORKERS)

.PHONY: setup demo sample test test-unit architecture chaos sqlalchemy-suite lint clean
.DELETE_ON_ERROR:

setup: $(READY)

# Four skews by six levels of concurrency on the embedded stand-in; ends with the path of the report. On a busy machine a
# cell may not be usable (exit code 4): the report says so, and the demo is none the worse for it.
demo: $(READY)
	$(BIN)/hotrow sweep transfer --skew uniform,zipf:0.8,zipf:0.99,hot --users 1,2,4,8,16,32 --duration 6s || [ $$? -eq 4 ]

# docs/sample: a run of three minutes on the stand-in, its summary and two pictures. It needs a quiet machine.
sample: $(READY)
	$(BIN)/python bench/sample.py

# All tests, in one worker more than there are cores (WORKERS=… chooses), each with a server of its own: on two cores
# about six minutes. To run a single file in one process: .venv/bin/python -m pytest tests/keys/test_skew.py
test: $(READY)
	$(PYTEST)

# The tests that start no server: under a minute on two cores.
test-unit: $(READY)
	$(PYTEST) -m unit

# The rooms of the house, the arrows between them and the circles among them; fails if an arrow runs upwards.
architecture: $(READY)
	$(BIN)/python -m tests.architecture

# Runs whose processes, server, disk and clock fail: about ten minutes, and a table. As root it also fills a disk; with
# Debian's libfaketime it also moves a clock.
chaos: $(READY)
	$(BIN)/python -m tests.chaos

# SQLAlchemy's compliance suite with AWS's dialect on the endpoint: a few minutes.
sqlalchemy-suite: $(READY)
	$(BIN)/python -m tests.clients.sqlalchemy_suite

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build *.egg-info

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "hotrow needs Python 3.11 or newer: no '$(PYTHON)' was found (make PYTHON=/path/to/python3.12 …)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "hotrow needs Python 3.11 or newer: '$(PYTHON)' is $$($(PYTHON) --version 2>&1) (make PYTHON=/path/to/python3.12 …)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "hotrow needs Python's venv module: install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)
