"""One setting for all tests: float64, no silent promotion of dtypes or ranks, four devices on the CPU, compiled once."""

import os
from importlib.metadata import version

# Nearly all programs run once: compiled without LLVM's optimizations, in one piece and by the simpler emitters, which changes no
# value that a test may rely on, they are ready in a third of the time. XLA's own passes stay.
QUICKLY_COMPILED = " --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
if version("jaxlib").startswith("0.10."):  # XLA ends the process over a flag it does not know; another may not know these
    QUICKLY_COMPILED += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4" + QUICKLY_COMPILED
os.environ["JAX_PLATFORMS"] = os.environ.get("JAX_PLATFORMS", "cpu")

import hypothesis
import jax

from jcnn.compilation import compiled_folder, keep_compiled

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "highest")

jax.devices()  # the flags are read now
# The processes that tests start train: a little of LLVM's optimizations is soon gained back.
os.environ["XLA_FLAGS"] = os.environ["XLA_FLAGS"].replace("optimization_level=0", "optimization_level=1")
# Apart from what the command keeps: JAX would take a program compiled so for one of those.
keep_compiled(compiled_folder() / "tests")

hypothesis.settings.register_profile("jcnn", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("jcnn")
