# Two commands do everything on a fresh machine: `make demo` and `make test`.
# They install once into VENV (about 7 GB on Linux, with torch's CUDA libraries); override with `make test VENV=/elsewhere`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

.PHONY: demo test quick check docs venv clean

demo: venv
	$(BIN)/robust demo

test: check
	$(PYTEST)

quick: venv
	$(PYTEST) -m "not slow"

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/check_types.py

docs: venv
	OMP_NUM_THREADS=1 $(BIN)/python docs/variants_page.py
	$(BIN)/python docs/evidence_schema.py
	$(BIN)/python docs/statistics_page.py
	$(BIN)/python docs/messages.py

venv: $(INSTALLED)

# opencv-python (asked for by Ultralytics) and opencv-python-headless (by albumentations) write the same folder. The
# headless one goes last, so that it wins: it gives the same pixels and needs no display libraries.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable ".[dev,pdf]"
	$(BIN)/python -m pip install --constraint constraints.txt --force-reinstall --no-deps opencv-python-headless
	touch $@

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
