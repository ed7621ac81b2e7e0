# Every target sets up .venv by itself, and only when the lock file or the project's description changed.
# GPU or TPU: make train EXTRA=cuda (or EXTRA=tpu).   Options of the command: make train ARGS="--epochs 20 --seed 1"

PYTHON ?= python3
EXTRA ?=
ARGS ?=
BIN := .venv/bin
INSTALL := pip install -q --disable-pip-version-check
READY := .venv/ready-$(or $(EXTRA),cpu)

.PHONY: train native test test-deep test-peers lint bench mutations experiments clean

train: $(READY)
	$(BIN)/jcnn train $(ARGS)

# Convolutions by oneDNN for an x86-64 CPU under Linux, optional; compiled here, by the C++ compiler of the system.
native: $(READY)
	$(BIN)/python -m $(INSTALL) --require-hashes -r native/requirements.lock
	$(BIN)/python -m $(INSTALL) --no-build-isolation --no-deps ./native

test: $(READY)
	$(BIN)/pytest -n auto --dist worksteal --ignore tests/peers $(ARGS)

# What the suite only samples, at length: every formulation against the definition and no false alarm of the checker over 2,000
# drawn geometries each, bad input of every kind for every public name, mutants, forged answers, twenty trainings at once.
DEEP := conv check/test_matrix.py check/test_mistakes.py check/test_roundoff.py check/test_free_passes.py experiments/test_mutation.py fuzz \
  test_precision.py training/test_simultaneous.py
test-deep: $(READY)
	JCNN_DRAWS=2000 $(BIN)/pytest -n auto $(addprefix tests/,$(DEEP)) $(ARGS)

# Gradients against PyTorch's, in a virtual environment of its own.
test-peers: .venv-peers/ready
	.venv-peers/bin/python -m pytest tests/peers $(ARGS)

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

# Mechanical mistakes in plain implementations of every operation: are all found? Leaves docs/mutation_scores.md.
mutations: $(READY)
	$(BIN)/python experiments/mutation_scores.py $(ARGS)

# The lecture: every experiment runs, and results/index.html shows them.
experiments: $(READY)
	$(BIN)/python experiments/gallery.py

clean:
	rm -rf .venv .venv-peers runs results .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jcnn needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m $(INSTALL) --require-hashes -r requirements.lock
	$(BIN)/python -m $(INSTALL) --no-build-isolation $(if $(EXTRA),-e ".[$(EXTRA)]",--no-deps -e .)
	@touch $@

.venv-peers/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m $(INSTALL) --require-hashes -r requirements.lock
	.venv-peers/bin/python -m $(INSTALL) --no-build-isolation -e ".[peers]"
	@touch $@
