# Each target makes .venv and installs what it needs from pyproject.toml.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo

.PHONY: demo test lint docs lock clean

$(VENV)/.installed: pyproject.toml constraints.txt constraints-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints-dev.txt --editable '.[dev,docs]'
	touch $@

demo: $(VENV)/.installed
	@echo "Rendering two sample videos: drawn by a script, no footage of a patient."
	$(BIN)/python scripts/render_demo.py $(DEMO)/videos
	$(BIN)/curate run $(DEMO)/videos/demo.csv -w $(DEMO)/workspace
	@echo
	$(BIN)/curate status -w $(DEMO)/workspace
	@echo
	@echo "Shards:  $(DEMO)/workspace/exports"
	@echo "Funnel:  $(BIN)/curate status -w $(DEMO)/workspace"

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed
	$(BIN)/mkdocs build --strict

# The newest versions that pyproject.toml and constraints.txt allow, into constraints-dev.txt.
lock:
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs,download]'
	$(VENV)-lock/bin/python scripts/lock.py > constraints-dev.txt.new
	mv constraints-dev.txt.new constraints-dev.txt
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) $(VENV)-lock $(DEMO) site
