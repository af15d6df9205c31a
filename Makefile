# Two targets for everybody (run, test), four for those who change the code (check, docs, format, clean).
# Each installs what it needs into .venv first; python3, make and git are enough to begin with.
.DEFAULT_GOAL := help
.PHONY: help run test check docs format clean

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
RUN := data/derived/run

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

run: $(INSTALLED)
	for source in lcl ukdale ssen weather; do \
	  $(BIN)/loadproof ingest $$source --use-samples --output-root $(RUN)/processed || exit 1; \
	done
	$(BIN)/loadproof train --dataset lcl --use-samples --config params.yaml --models-root $(RUN)/models \
	  --model ridge --model lightgbm --model patchtst --model selfplay
	$(BIN)/loadproof forecast --dataset lcl --use-samples --config params.yaml --models-root $(RUN)/models \
	  --output-dir $(RUN)/forecast --model seasonal_naive --model seasonal_naive_week --model persistence_ensemble \
	  --model ridge --model lightgbm --model patchtst --model selfplay
	$(BIN)/loadproof forecast --dataset lcl --use-samples --config params.yaml --models-root $(RUN)/models \
	  --output-dir $(RUN)/forecast --model patchtst --at 2013-12-20
	$(BIN)/loadproof anomaly --dataset lcl --use-samples --config params.yaml --models-root $(RUN)/models \
	  --output-dir $(RUN)/forecast --detector ensemble
	$(BIN)/loadproof backtest --dataset lcl --use-samples --config params.yaml --records $(RUN)/board
	$(BIN)/loadproof feeders risk --dataset lcl --use-samples --config params.yaml --processed-root $(RUN)/processed \
	  --rating pole_100kva --output-dir $(RUN)/forecast/feeders
	$(BIN)/loadproof report --processed-root $(RUN)/processed --output-dir $(RUN)/forecast --models-root $(RUN)/models \
	  --report $(RUN)/report.html

test: $(INSTALLED)
	$(BIN)/python -m pytest

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
