"""XLA's flags for the tests, and for the processes that tests start."""

import os
from importlib.metadata import version

GIVEN = os.environ.get("XLA_FLAGS", "")
"""Of whoever runs the tests."""

FOUR_DEVICES = " --xla_force_host_platform_device_count=4"

# XLA ends the process over a flag it does not know, and another version may not know these.
KNOWN = version("jaxlib").startswith("0.10.")
IN_ONE_PIECE = " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1" if KNOWN else ""

QUICKLY_COMPILED = " --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true" + IN_ONE_PIECE
"""Nearly all programs run once: without LLVM's optimizations, in one piece and by the simpler emitters, which changes no value
that a test may rely on, they are ready in a third of the time. XLA's own passes stay."""

FOR_TRAINING = " --xla_backend_optimization_level=1" + IN_ONE_PIECE
"""Where steps are many, a little of LLVM's optimizations is soon gained back."""
