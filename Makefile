# Two commands for a new machine: `make run` and `make test`. Needs Python 3.11 or newer and make.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run ask setup test test-slow lint constraints clean

run: $(BIN)/.installed
	@$(BIN)/tutor ui

ask: $(BIN)/.installed
	@$(BIN)/tutor ask "$$Q"

setup: $(BIN)/.installed

# Two workers: while one builds the index, the other runs what does without. Each may hold 2.5 GB.
test: $(BIN)/.tested lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# The tests that take minutes.
test-slow: $(BIN)/.tested
	$(BIN)/python -m pytest -m slow

lint: $(BIN)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=…")'
	$(PYTHON) -m venv .venv

$(BIN)/.installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing into .venv (about 2 minutes the first time) …"
	@$(PIP) --editable .
	@touch $@

# The browser test drives Debian's Chromium; elsewhere install it by hand, the test says how.
$(BIN)/.tested: $(BIN)/.installed
	@$(PIP) --editable '.[dev,eval]'
	@command -v chromium >/dev/null || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] || \
		(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null)
	@touch $@

# Resolves everything anew, extras included, and writes down what came out. Read the diff, run `make test`, commit.
constraints:
	rm -rf .cache/resolve && $(PYTHON) -m venv .cache/resolve
	.cache/resolve/bin/python -m pip install --quiet --editable '.[dev,eval]'
	(echo '# Made by `make constraints`; honoured by every install of the Makefile.'; \
		.cache/resolve/bin/python -m pip freeze --exclude-editable | sed -E 's/\+cpu$$//; s/ @ .*//' | sort -f) > constraints.txt
	rm -rf .cache/resolve

clean:
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache
