"""One setting for all tests: float64, no silent promotion of dtypes or ranks, four devices on the CPU, compiled once."""

import os

from tests.flags import FOR_TRAINING, FOUR_DEVICES, GIVEN, QUICKLY_COMPILED

os.environ["XLA_FLAGS"] = GIVEN + FOUR_DEVICES + QUICKLY_COMPILED
os.environ["JAX_PLATFORMS"] = os.environ.get("JAX_PLATFORMS", "cpu")

import hypothesis
import jax

from jcnn.compilation import compiled_folder, keep_compiled

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")

jax.devices()  # the flags are read now
os.environ["XLA_FLAGS"] = GIVEN + FOUR_DEVICES + FOR_TRAINING  # of the processes that tests start
# Apart from what the command keeps: JAX would take a program compiled so for one of those.
keep_compiled(compiled_folder() / "tests")

hypothesis.settings.register_profile("jcnn", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("jcnn")
