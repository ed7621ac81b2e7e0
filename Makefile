# Every target sets up .venv by itself, and only when the lock file or the project's description changed.
# GPU or TPU: make train EXTRA=cuda (or EXTRA=tpu).   Options of the command: make train ARGS="--epochs 20 --seed 1"

PYTHON ?= python3
EXTRA ?=
ARGS ?=
BIN := .venv/bin
READY := .venv/ready-$(or $(EXTRA),cpu)

.PHONY: train test test-deep lint bench experiments clean

train: $(READY)
	$(BIN)/jcnn train $(ARGS)

test: $(READY)
	$(BIN)/pytest -n auto $(ARGS)

# The drawn checks of our own operations, 2,000 times.
test-deep: $(READY)
	JCNN_DRAWS=2000 $(BIN)/pytest -n auto $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

bench: $(READY)
	$(BIN)/python experiments/benchmarks/digits.py $(ARGS)

experiments: $(READY)
	for script in experiments/[0-9]*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf .venv runs results .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jcnn needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation $(if $(EXTRA),-e ".[$(EXTRA)]",--no-deps -e .)
	@touch $@
