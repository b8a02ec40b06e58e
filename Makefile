# Everything starts from a clean clone with Python >= 3.11, make and a network to the package registry.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2

.PHONY: demo demo-serve test bench lint types unit browser docs clean

demo: $(VENV)/.base
	rm -rf demo-home
	$(BIN)/gongzhi demo --home demo-home

demo-serve: $(VENV)/.base
	$(BIN)/python -m portal.demo_serve --home demo-home

test: lint types unit

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

unit: $(VENV)/.test browser
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

browser: $(VENV)/.test
	$(BIN)/python tests/portal/get_browser.py

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

docs: $(VENV)/.test browser
	$(BIN)/python -m portal.documents
	rm -rf artefacts/guide
	$(BIN)/python -m pytest -q tests/portal/test_guide.py -k taken
	mkdir -p docs/pictures
	cp artefacts/guide/*.png docs/pictures/

clean:
	rm -rf $(VENV) demo-home bench-out

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	touch $@
