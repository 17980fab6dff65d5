# Everything from a fresh clone: only Python 3.11 or newer and make are needed. PYTHON=… chooses another interpreter.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin

.PHONY: setup demo test chaos lint clean
.DELETE_ON_ERROR:

setup: $(READY)

# Four skews by six levels of concurrency on the embedded stand-in; ends with the path of the report. On a busy machine a
# cell may not be usable (exit code 4): the report says so, and the demo is none the worse for it.
demo: $(READY)
	$(BIN)/hotrow sweep transfer --skew uniform,zipf:0.8,zipf:0.99,hot --users 1,2,4,8,16,32 --duration 6s || [ $$? -eq 4 ]

test: $(READY)
	$(BIN)/python -m pytest

# Runs whose processes, server, disk and clock fail: about ten minutes, and a table. As root it also fills a disk; with
# Debian's libfaketime it also moves a clock.
chaos: $(READY)
	$(BIN)/python -m tests.chaos

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
