# `make run` shows it, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAGE ?= dev

.PHONY: run test lint bench bench-quick deploy destroy package screenshots clean

run: $(VENV)/installed
	@exec $(BIN)/python run.py

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# How fast and how cheap it is, beside other servers, which are installed in build/bench: writes bench/report.md.
bench: $(VENV)/installed
	$(BIN)/python -m bench

# Counts, and rough ratios, in about a minute and without a network. Fails if one is far from what is claimed.
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

$(VENV)/installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, not " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
