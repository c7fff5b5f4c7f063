# On a fresh machine `make demo` and `make test` do all the set-up they need.
PYTHON ?= python3
BIN := .venv/bin
ESCNN_BIN := .venv-escnn/bin
READY := .venv/.ready
ESCNN_READY := .venv-escnn/.ready
# A real screen would let the windows of the tests flash by, so tests get their own.
SCREEN := $(if $(filter Linux,$(shell uname)),xvfb-run -a -s "-screen 0 1400x900x24")
# What numpy 1.26 could break; the rest of the suite has nothing to do with escnn.
ESCNN_TESTS = $(wildcard $(addprefix tests/,escnn contracts images filters numpy_network evaluation learning recipes spectra synthetic))

.DEFAULT_GOAL := help
.PHONY: demo test test-escnn lint screenshots clean help

help:
	@echo "make demo        the main job on generated shots, with a report; opens napari when someone is there"
	@echo "make test        the whole test suite"
	@echo "make test-escnn  the numerics and learning tests beside escnn, in an environment of its own"
	@echo "make lint        style, types, import rules"
	@echo "make screenshots the pictures of the tutorial, from a real window"
	@echo "make clean       remove both environments and every cache"

demo: $(READY)
	@.ci/system-packages display || echo "Without them napari may not open; the report is written all the same."
	$(BIN)/bgremove demo $(DEMO_OPTIONS)

test: $(READY)
	@.ci/system-packages display
	$(SCREEN) $(BIN)/python -m pytest $(TEST_OPTIONS)

# pytest-qt is switched off because this environment holds no Qt.
test-escnn: $(ESCNN_READY)
	$(ESCNN_BIN)/python -m pytest -p no:pytest-qt $(ESCNN_TESTS) $(TEST_OPTIONS)

screenshots: $(READY)
	@.ci/system-packages display
	$(SCREEN) $(BIN)/python docs/make_screenshots.py

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari.yaml

$(BIN)/python $(ESCNN_BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; type for example: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/system-packages python
	$(PYTHON) -m venv $(@D:/bin=)

# The stamps keep a second run from installing again.
$(READY): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[all,dev]"
	@touch $@

$(ESCNN_READY): pyproject.toml constraints-escnn.txt | $(ESCNN_BIN)/python
	.ci/system-packages fortran
	$(ESCNN_BIN)/python -m pip install --quiet -c constraints-escnn.txt -e ".[escnn,xray,test]"
	@touch $@

clean:
	rm -rf .venv .venv-escnn build dist demo-report .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} +
