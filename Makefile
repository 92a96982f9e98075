PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: serve test lint format browser clean

serve: $(INSTALLED)
	$(BIN)/python server.py $(ARGS)

# Two processes of one thread each: the tests' models are too small to gain from threads.
test: lint browser
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch goes first and alone: given the choice, pip brings a CUDA build of several gigabytes for another package's sake.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
		"Choirmaster needs Python 3.11 or newer, this is %d.%d: name one with make PYTHON=..." % sys.version_info[:2])'
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/pip install torch==2.13.0 -c constraints.txt
	$(BIN)/pip install -e '.[dev,offline,corpus]' -c constraints.txt
	touch $@

# Without a browser the tests marked `browser` skip themselves and say so.
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -q \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends chromium fonts-liberation; } \
		|| echo 'chromium is missing and could not be installed: the browser tests will skip'

clean:
	rm -rf .venv build choirmaster.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
