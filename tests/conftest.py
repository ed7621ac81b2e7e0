"""One setting for all tests: float64, no silent promotion of dtypes or ranks, four devices on the CPU, compiled once."""

import functools
import gc
import os

from tests.flags import FOR_TRAINING, FOUR_DEVICES, GIVEN, QUICKLY_COMPILED

os.environ["XLA_FLAGS"] = GIVEN + FOUR_DEVICES + QUICKLY_COMPILED
os.environ["JAX_PLATFORMS"] = os.environ.get("JAX_PLATFORMS", "cpu")

import hypothesis
import jax
from jax._src.interpreters import mlir

from jcnn.compilation import compiled_folder, keep_compiled

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")

jax.devices()  # the flags are read now
os.environ["XLA_FLAGS"] = GIVEN + FOUR_DEVICES + FOR_TRAINING  # of the processes that tests start
# Apart from what the command keeps: JAX would take a program compiled so for one of those.
keep_compiled(compiled_folder() / "tests")

# JAX makes a context of MLIR for every program and keeps it: a third of the time, and two thirds of the memory, of tests that
# compile much. One serves them all, in each process; where JAX has no such function any more, it is left as it is.
if make_context := getattr(mlir, "make_ir_context", None):
    setattr(mlir, "make_ir_context", functools.cache(make_context))  # noqa: B010

# What lives as long as the process is not looked through again whenever a few hundred objects were made.
gc.set_threshold(50_000, 20, 100)

hypothesis.settings.register_profile("jcnn", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("jcnn")


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
