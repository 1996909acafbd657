# `make run` shows it, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAGE ?= dev

.PHONY: run test lint package screenshots clean

run: $(VENV)/installed
	@exec $(BIN)/python run.py

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every page, in light and dark, on a phone and on a desktop, in build/screenshots.
screenshots: $(VENV)/installed
	$(BIN)/python -m tests.browser.screenshots

# The CloudFormation template and the code, in build/package.
package: $(VENV)/installed
	mkdir -p build
	$(BIN)/python manage.py --stage $(STAGE) template resources > build/resources.json
	$(BIN)/chalice package --stage $(STAGE) --merge-template build/resources.json build/package

$(VENV)/installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, not " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
