# make run   starts everything (PORT=8000 DATA=data LABELER=gemma|spacy|transformers|openai LABELER_MODEL=...)
# make test  runs every test          make lint    checks style, types, imports, templates
# make lock  re-reads pyproject.toml  make format  rewrites code in the project's style

PORT = 8000
DATA = data
LABELER ?= $(if $(LABELER_MODEL),transformers)
UV = uv
TORCH = 2.13.0
TORCH_INDEX = $(shell command -v nvidia-smi >/dev/null || [ "$$(uname -s)" = Darwin ] || \
  echo --extra-index-url https://download.pytorch.org/whl/cpu)
LOCK = --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock'
export PORT DATA LABELER
# Python's bytecode is kept whatever the machine says: tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

SHELL = /bin/sh
BIN = .venv/bin
# Two more than there are processors: many tests wait for programs and browsers.
PYTEST = $(BIN)/python -m pytest -n $$(expr $$(getconf _NPROCESSORS_ONLN) + 2)
WITHOUT_TORCH = PYTHONPATH=$(CURDIR)/tests/without_torch
FETCH = $(BIN)/python -m llm_labeler.fetch
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes
define install
@rm -f .venv/failed
@{ $(INSTALL) -r $(1) || touch .venv/failed; } | sed -n 's/^Collecting \([^ ]*\).*/  \1/p; /^Installing collected/s/:.*/ .../p'
@test ! -e .venv/failed
endef

.PHONY: run test lint format lock
.DEFAULT_GOAL = run

# Without LABELER, gemma where it can be had. What is fetched is there at the next start.
run: .venv/run.stamp $(if $(filter transformers,$(LABELER)),.venv/torch.stamp)
	@case "$$LABELER" in \
	  "") LABELER=gemma; $(FETCH) gemma --instead "dictionaries and rules read the notes (LABELER=spacy)" || LABELER=spacy;; \
	  gemma) $(FETCH) gemma || exit 1;; \
	  transformers) $(FETCH) "$${LABELER_MODEL:-gemma}" $${LABELER_ADAPTER:+--adapter "$$LABELER_ADAPTER"} \
	    --torch --record "$$DATA/model.json" || exit 1;; \
	esac; exec $(BIN)/python manage.py up --port "$$PORT" --data "$$DATA"

# PyTorch is not part of a default installation, and spaCy would load it into dozens of processes: kept for tests/models.
test: .venv/dev.stamp
	@$(BIN)/python tests/chromium.py
	$(WITHOUT_TORCH) $(BIN)/python tests/postgres.py $(PYTEST) --dist worksteal --ignore tests/models -m db
	$(WITHOUT_TORCH) $(PYTEST) --dist worksteal --ignore tests/models
	$(FETCH) gemma
	$(PYTEST) --dist loadfile tests/models

lint: .venv/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/djlint --quiet --lint templates
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null --settings tests.settings
	$(BIN)/python manage.py makemigrations --check --dry-run --settings tests.settings
	HTTPS=1 $(BIN)/python manage.py check --deploy --fail-level WARNING --settings tests.settings

format: .venv/dev.stamp
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock:
	$(UV) pip compile -q $(LOCK) --all-extras --group dev pyproject.toml -o requirements-dev.lock
	$(UV) pip compile -q $(LOCK) --extra embedded --extra labeler --extra llamacpp --extra formats -c requirements-dev.lock pyproject.toml -o requirements.lock
	$(UV) pip compile -q $(LOCK) --extra transformers --extra training -c requirements-dev.lock pyproject.toml -o requirements-torch.lock
	$(UV) pip compile -q $(LOCK) --extra formats -c requirements-dev.lock pyproject.toml -o docker/web.lock
	$(UV) pip compile -q $(LOCK) --extra labeler --extra llamacpp -c requirements-dev.lock pyproject.toml -o docker/worker.lock

# requirements-dev.lock holds all of requirements.lock, so one .venv serves both: each stamp says what it holds.
.venv/run.stamp: requirements.lock | $(BIN)/python
	@echo "Installing packages into .venv (once, about a minute) ..."
	$(call install,requirements.lock)
	@touch $@

# torch itself comes unhashed, since its build depends on the machine: the one for the CPU where there is no NVIDIA driver.
.venv/torch.stamp: requirements-torch.lock | $(BIN)/python
	@echo "Installing PyTorch into .venv (once, about a minute) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-input --retries 0 torch==$(TORCH) $(TORCH_INDEX)
	@$(INSTALL) -q --no-deps -r requirements-torch.lock
	@touch $@

.venv/dev.stamp: requirements-dev.lock requirements.lock .venv/torch.stamp | $(BIN)/python
	@echo "Installing packages for development into .venv (once, about two minutes) ..."
	$(call install,requirements-dev.lock)
	@touch $@ .venv/run.stamp

$(BIN)/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    exec $$python -m venv --clear .venv; \
	  fi; \
	done; \
	echo "Marginalia needs Python 3.11 or newer; python3 here is: $$(python3 --version 2>&1 | head -n 1)" >&2; exit 1
