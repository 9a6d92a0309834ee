# make help        what there is
# make test VENV=~/envs/radedit      another place for the environment, made there if it is missing
# make test PY=python                an environment that is already active, taken as it is

PYTHON ?= python3
VENV ?= .venv
SCENARIO ?= manifestation
REALCXR ?= ../shared/realcxr
pytest = $(PY) -m pytest -n auto --maxprocesses 8 --dist loadfile

ifeq ($(origin PY),command line)
  env :=
else
  PY := $(VENV)/bin/python
  env := $(VENV)/.installed
endif

.DEFAULT_GOAL := help
.PHONY: help demo smoke editors open test test-quick test-slow docs schema lint types format install constraints

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(env) ## A stress test on synthetic phantoms, with a report: minutes on a laptop
	$(PY) -m radedit.stress +scenario=$(SCENARIO) preset=demo

smoke: $(env) ## All three scenarios on a handful of records, predictors trained for a few steps: minutes
	for scenario in acquisition manifestation population; do \
	$(PY) -m radedit.stress +scenario=$$scenario preset=smoke || exit; done

editors: $(env) ## All editors against known truth, on synthetic phantoms
	$(PY) -m radedit.benchmark

open: $(env) realcxr outputs/open/bundle/unet/config.json ## The main job on real radiographs: make open REALCXR=/data/realcxr
	$(PY) -m radedit.stress +scenario=population setting=open preset=open realcxr=$(REALCXR)

# Each training goes on where it was stopped; what is finished is not done again.
outputs/open/bundle/vae/config.json: | $(env) realcxr
	$(PY) -m radedit.train +experiment=autoencoder setting=open realcxr=$(REALCXR)

outputs/open/bundle/unet/config.json: outputs/open/bundle/vae/config.json | $(env) realcxr
	$(PY) -m radedit.train +experiment=diffusion setting=open realcxr=$(REALCXR)

.PHONY: realcxr
realcxr:
	@head -n 1 '$(REALCXR)/manifest.csv' 2>/dev/null | grep -q 'finding_labels.*mask' || { \
	echo "error: $(REALCXR) is no folder of openly licensed radiographs: its manifest.csv is missing, or has other columns."; \
	echo "Say where it is: make open REALCXR=/data/realcxr"; exit 2; } >&2

test-quick: $(env) ## Schedule, editing, verdict, layers: under a minute
	$(PY) -m pytest -q tests/test_schedule.py tests/editing tests/harness/evidence/test_verdict.py tests/test_layers.py

test: $(env) ## Fast tests, no GPU, no downloads
	$(pytest)

test-slow: $(env) ## Tests that train or run a scenario in earnest
	$(pytest) -m 'slow and not gpu and not data and not weights' || [ $$? -eq 5 ] # 5: there is none

docs: $(env) ## The documentation as a site, outputs/site; a broken link or reference is an error
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

schema: $(env) ## Write the JSON schema of results.json into the docs
	$(PY) -c "import json; from radedit.harness.evidence.results import schema; \
	print(json.dumps(schema(), indent=1, ensure_ascii=False))" > docs/reference/results.schema.json

lint: $(env) ## Style
	$(PY) -m ruff check
	$(PY) -m ruff format --check

types: $(env) ## Types
	$(PY) -m mypy

format: $(env) ## Mend what `make lint` can mend by itself
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

install: $(VENV)/.installed ## The environment; the targets above make it when it is missing

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --constraint constraints.txt --editable '.[dev]'
	@touch $@

constraints: ## Renew constraints.txt from the newest versions that pyproject.toml admits
	@set -e; new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; \
	$(PYTHON) -m venv $$new/venv; \
	$$new/venv/bin/python -m pip install '.[dev]'; \
	$$new/venv/bin/python -m pip freeze --exclude radedit >$$new/pins; \
	grep '^#' constraints.txt >$$new/constraints.txt; \
	cat $$new/pins >>$$new/constraints.txt; \
	mv $$new/constraints.txt constraints.txt
