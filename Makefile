# `make run` shows it, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAGE ?= dev
LOCKS := requirements requirements-dev requirements-lock tests/stack/requirements-ministack \
	bench/peers/dot/requirements bench/peers/authlib_flask/requirements
# asserts, made-up secrets, chance that a seed repeats, and programs that they start: what is not shipped is made of these.
TESTS_MAY := B101,B105,B106,B107,B311,B404,B603,B607
INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-compile

.PHONY: run test lint lock faults fuzz soak bench bench-quick deploy destroy package screenshots clean

run: $(VENV)/installed
	@exec $(BIN)/python run.py

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

# Everything at once for half an hour, with faults, on MiniStack. SOAK="--minutes 5 --seed 1 --json" says otherwise.
soak: $(VENV)/installed
	@$(BIN)/python -m tests.soak $(SOAK)

# Every fault at every request to DynamoDB of every flow, and what became of each. `make test` takes a part of them.
faults: $(VENV)/installed
	FAULTS=all $(BIN)/python -m pytest tests/matrix

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive app.py manage.py run.py chalicelib management tools
	$(BIN)/bandit --quiet --skip $(TESTS_MAY) --recursive tests bench examples
	$(BIN)/python -m tools.vulnerabilities

# What each .in file asks for, with all that it needs, in the .txt file beside it: versions and hashes, for Python 3.11
# and later on Linux and macOS. Versions stay as they are, unless UPGRADE names packages, or is `all`.
lock: build/lock/installed
	@set -e; for lock in $(LOCKS); do \
		build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--custom-compile-command 'make lock' \
			$(if $(filter all,$(UPGRADE)),--upgrade,$(addprefix --upgrade-package ,$(UPGRADE))) \
			--output-file $$lock.txt $$lock.in; \
	done

# 100,000 hostile requests, and every parser fuzzed, in about a quarter of an hour: for the night.
# ARGS="--requests 1000000 --minutes 60 --seed 1" sends others; ARGS=--help says what there is.
fuzz: $(VENV)/installed
	$(BIN)/python -m tests.hostile run $(ARGS)

# How fast and how cheap it is, beside other servers, which are installed in build/bench: writes bench/report.md.
bench: $(VENV)/installed
	$(BIN)/python -m bench

# Counts, and rough ratios, in half a minute. Fails if one is far from what is claimed; so does `make test` (tests/bench).
bench-quick: $(VENV)/installed
	$(BIN)/python -m bench --quick

# Every page, in light and dark, on a phone and on a desktop, in build/screenshots.
screenshots: $(VENV)/installed
	$(BIN)/python -m tests.browser.screenshots

# To AWS, with the credentials and the region of its command line. PLAN=1 shows first what would change.
deploy: $(VENV)/installed
	@$(BIN)/python manage.py --stage $(STAGE) deploy $(if $(PLAN),--plan)

# Out of AWS again. Asks for the stage's name, unless it is in YES.
destroy: $(VENV)/installed
	@$(BIN)/python manage.py --stage $(STAGE) destroy $(if $(YES),--yes $(YES))

# What `make deploy` uploads, in build/package.
package: $(VENV)/installed
	@$(BIN)/python manage.py --stage $(STAGE) package

$(VENV)/installed: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, not " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) -r requirements-dev.txt
	@touch $@

build/lock/installed: requirements-lock.txt
	$(PYTHON) -m venv build/lock
	build/lock/bin/python $(INSTALL) -r requirements-lock.txt
	@touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
