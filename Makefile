# Two targets for everybody (run, test), four for those who change the code (check, docs, format, clean).
# Each installs what it needs into .venv first; python3, make and git are enough to begin with.
.DEFAULT_GOAL := help
.PHONY: help run test check docs format clean

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# make run INPUT=FOLDER reads lcl/, ukdale/, ssen/ and weather/ below that folder instead of the samples.
RUN := data/derived/$(if $(INPUT),real,run)

help:
	@echo "make run     the main job on the bundled samples, ends with a report (data/derived/run/report.html)"
	@echo "make test    the whole test suite"
	@echo "make check   lint, types and the import contracts"
	@echo "make docs    these documents and the reference as pages (data/derived/docs/index.html)"

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "loadproof wants Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 3 -c constraints.txt torch==2.13.0 uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[all]'
	@touch $@

# The nine stages of dvc.yaml, in a folder of their own: the lock that DVC writes is of this machine, and no part of the
# repository. DVC is told to ask no Git there, and to run what has changed alone.
run: $(INSTALLED)
	@mkdir -p $(RUN)/data
	@cp dvc.yaml params.yaml .dvcignore $(RUN)/
	@$(if $(INPUT),sed -i.samples -e 's|^  input_root: .*|  input_root: $(abspath $(INPUT))|' \
	  -e 's|^  input_kind: .*|  input_kind: files|' $(RUN)/params.yaml,true)
	@ln -sfn ../../../src $(RUN)/src && ln -sfn ../../../samples $(RUN)/data/samples
	@cd $(RUN) && if [ ! -d .dvc ]; then $(abspath $(BIN))/dvc init --quiet --no-scm; fi
	cd $(RUN) && PATH=$(abspath $(BIN)):$$PATH DVC_NO_ANALYTICS=1 dvc repro
	@cp $(RUN)/run/evaluation/report.html $(RUN)/run/poster/poster.* $(RUN)/
	@cat $(RUN)/poster.md
	@echo; echo "report: $(RUN)/report.html; the numbers above: $(RUN)/poster.md, .csv, .json"

# Two processes share the files out, and no file is torn apart: what it sets up is set up once.
test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# What builds the pages is installed for them alone; a warning is an error.
.venv/.installed-docs: $(INSTALLED)
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[docs]'
	@touch $@

docs: .venv/.installed-docs
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d data/derived/docs/.doctrees docs data/derived/docs
	@echo "documents: data/derived/docs/index.html"

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis $(RUN) data/derived/docs docs/reference
