"""What is set from outside and decides numbers: fixed for a run where the run must not depend on it, else written down."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import jax

FIXED = {
    "threefry_partitionable": True,
    "numpy_dtype_promotion": "standard",
    "numpy_rank_promotion": "allow",
    "debug_nans": False,
    "debug_infs": False,
    "disable_jit": False,
}
"""JAX's settings as a run has them, whatever JAX_THREEFRY_PARTITIONABLE and the like say; names as in `jax`, whose later
versions may lack one."""

HARMLESS = (
    "JAX_COMPILATION_CACHE",
    "JAX_PERSISTENT_CACHE",
    "JAX_ENABLE_COMPILATION_CACHE",
    "JAX_LOG",
    "JAX_LOGGING",
    "JAX_TRACEBACK",
    "JAX_DEBUG_LOG",
    "JAX_PLATFORMS",
    "JAX_ENABLE_X64",
    "JAX_DEFAULT_PRNG_IMPL",
    "JAX_RANDOM_SEED_OFFSET",
    *(f"JAX_{name.upper()}" for name in FIXED),
)
"""Beginnings of variables that change no number of a run: where things are kept and told, and what is fixed."""

TOLD = ("JAX_", "XLA_FLAGS", "OMP_NUM_THREADS", "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE")
"""Beginnings of variables that may."""


@contextmanager
def fixed(dtype: str) -> Iterator[None]:
    """While inside, what JAX computes with a seed and a config in this dtype does not depend on how it was set before."""
    with ExitStack() as stack:
        stack.enter_context(jax.enable_x64(dtype == "float64"))
        for name, value in FIXED.items():
            if (setting := getattr(jax, name, None)) is not None:
                stack.enter_context(setting(value))
        yield


def found() -> dict[str, str]:
    """What is set from outside and may change the numbers of a run, by name."""
    settings = {
        name: value
        for name, value in sorted(os.environ.items())
        if value and name.startswith(TOLD) and not name.startswith(HARMLESS)
    }
    precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    return settings if precision is None else {**settings, "JAX_DEFAULT_MATMUL_PRECISION": str(precision)}


def machine() -> dict[str, str]:
    """What computes: results are the same bits on the same machine with as many threads."""
    devices = jax.devices()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"device": f"{len(devices)} × {devices[0].device_kind} ({devices[0].platform})", "processor cores": str(cores)}


def differing(now: Mapping[str, str], before: Mapping[str, str]) -> str:
    """What two such findings disagree on, as text; empty when they agree."""
    return ", ".join(
        f"{name} is {now.get(name, 'unset')} (it was {before.get(name, 'unset')})"
        for name in sorted(now.keys() | before.keys())
        if now.get(name) != before.get(name)
    )
