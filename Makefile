# Every target sets up .venv by itself, and only when the lock file or the project's description changed.
# Another Python beside it: make test PYTHON=python3.12 VENV=.venv-3.12 (from 3.12 on the lock file has a newer JAX).
# GPU or TPU: make train EXTRA=cuda (or EXTRA=tpu).   Options of the command: make train ARGS="--epochs 20 --seed 1"

PYTHON ?= python3
EXTRA ?=
ARGS ?=
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := pip install -q --disable-pip-version-check
READY := $(VENV)/ready-$(or $(EXTRA),cpu)

# The first of these that runs. A command that pyenv put on the path need not.
PYENV := $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions
CANDIDATES = $(foreach minor,3.13 3.12,python$(minor) $(wildcard $(PYENV)/$(minor).*/bin/python))
PYTHON_NEWEST ?= $(firstword $(foreach python,$(CANDIDATES),$(if $(shell $(python) -c 'print(1)' 2>/dev/null),$(python))))

.PHONY: train native test test-newest test-deep test-peers test-wheel wheel lint bench mutations experiments lock clean

train: $(READY)
	$(BIN)/jcnn train $(ARGS)

# Convolutions by oneDNN for an x86-64 CPU under Linux, optional; compiled here, by the C++ compiler of the system.
native: $(READY)
	$(BIN)/python -m $(INSTALL) --require-hashes -r native/requirements.lock
	$(BIN)/python -m $(INSTALL) --no-build-isolation --no-deps ./native

# Bytecode is written whatever the environment says: without it each of the many processes compiles all that it imports anew.
test: $(READY)
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -n auto --dist worksteal --ignore tests/peers --ignore tests/wheel $(ARGS)

# The same suite with the newest Python and JAX, in a virtual environment of its own.
test-newest:
	@test -n "$(PYTHON_NEWEST)" || { echo "No Python 3.13 or 3.12 found; make test-newest PYTHON_NEWEST=/path/to/python says where one is"; exit 1; }
	@$(PYTHON_NEWEST) -c 'import sys; sys.exit(sys.version_info < (3, 12) and "the newest JAX needs Python 3.12 or newer, $(PYTHON_NEWEST) is " + sys.version.split()[0])'
	@$(MAKE) test VENV=.venv-newest PYTHON=$(PYTHON_NEWEST)

# What the suite only samples, at length: every formulation against the definition and no false alarm of the checker over 2,000
# drawn geometries each, bad input of every kind for every public name, mutants, forged answers, twenty trainings at once, runs killed again and again,
# every picture and movie of the lecture.
DEEP := check/classroom check/grading/test_false_agreement.py check/grading/test_free_passes.py \
  check/grading/test_repair.py check/grading/test_roundoff.py check/probing check/repair check/selfcheck/test_matrix.py \
  check/submissions check/test_hints.py check/test_mistakes.py commands/test_grade_all.py commands/test_main.py commands/test_predict.py conv \
  data/test_augment.py data/test_many_pictures.py data/test_pictures.py data/test_sizes.py experiments/test_mutation.py \
  experiments/test_mutation_rules.py experiments/test_planted.py experiments/test_topics.py fuzz layers/test_normalisation.py test_compilation.py \
  test_named_values.py test_precision.py \
  training/test_interrupted.py training/test_simultaneous.py
test-deep: $(READY)
	env -u PYTHONDONTWRITEBYTECODE JCNN_DRAWS=2000 $(BIN)/pytest -n auto $(addprefix tests/,$(DEEP)) $(ARGS)

# Gradients against PyTorch's, in a virtual environment of its own.
test-peers: .venv-peers/ready
	.venv-peers/bin/python -m pytest tests/peers $(ARGS)

# What is given away: dist/jcnn-….whl, built from dist/jcnn-….tar.gz.
wheel: $(READY)
	$(BIN)/python -m build --no-isolation

# The wheel in an empty virtual environment of each Python, with what the package registry has today: does it train there?
test-wheel: $(READY)
	JCNN_PYTHONS="$(PYTHON) $(PYTHON_NEWEST)" $(BIN)/pytest tests/wheel $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

bench: $(READY) .venv-peers/ready
	$(BIN)/python experiments/agreement.py
	$(BIN)/python experiments/known_mistakes.py
	$(BIN)/python experiments/benchmarks/digits.py
	$(BIN)/python experiments/benchmarks/gradients.py
	$(BIN)/python -m experiments.benchmarks.speed

# Mechanical mistakes in plain implementations of every operation: are all found (which leaves docs/mutation_scores.md), and is
# the rule that is said of each the mistake that was made?
mutations: $(READY)
	$(BIN)/python experiments/mutation_scores.py $(ARGS)
	$(BIN)/python experiments/mutation_rules.py $(ARGS)

# The lecture: every experiment runs, and results/index.html shows them.
experiments: $(READY)
	$(BIN)/python experiments/gallery.py

# Makes requirements.lock anew, with the versions it has where they still fit; newer ones with ARGS=--upgrade.
lock: .venv-lock/ready
	.venv-lock/bin/uv pip compile -q --universal --python-version 3.11 --group dev --generate-hashes --no-header --no-annotate \
	  $(ARGS) -o requirements.lock pyproject.toml

clean:
	rm -rf .venv .venv-* dist runs results .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jcnn needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m $(INSTALL) --require-hashes -r requirements.lock
	$(BIN)/python -m $(INSTALL) --no-build-isolation $(if $(EXTRA),-e ".[$(EXTRA)]",--no-deps -e .)
	@touch $@

.venv-peers/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m $(INSTALL) --require-hashes -r requirements.lock
	.venv-peers/bin/python -m $(INSTALL) --no-build-isolation -e ".[peers]"
	@touch $@

.venv-lock/ready:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m $(INSTALL) "uv>=0.13"
	@touch $@
