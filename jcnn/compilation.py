"""What was compiled is kept on the disk, and memory once mapped by the process: for the command, never on import."""

import ctypes
import hashlib
import os
import platform
from functools import lru_cache
from pathlib import Path

import jax
from jax.sharding import SingleDeviceSharding

EIGEN_CONVOLUTIONS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
"""What YNNPACK may take over: single matrix products, and so no convolutions."""

BARRIERS = {"xla_disable_hlo_passes": "cse_barrier_expander"}
"""The pass that removes optimization barriers before XLA decides what to fuse, left out: what is held is computed once."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Options of glibc's `mallopt`."""

KEPT = 1 << 30
"""Bytes: blocks up to this size are taken from the heap, and go back to it, not to the operating system."""


def compiler_options(platform: str | None = None) -> dict[str, str] | None:
    """Options to compile a training step with, as `jax.jit` takes them; None: XLA's own.

    They hold for one platform: a program compiled for another takes those of that one.

    On the CPU: convolutions by Eigen, matrix products by YNNPACK. By default XLA takes YNNPACK for both, whose convolutions
    took up to twice as long in the versions measured. And barriers stay: by default XLA's CPU backend removes them early, and
    then computes what stands before one anew for every pixel of what comes after, as often as it is read (max-pooling's
    backward by overlapping windows took 20 times as long). An XLA that does not know an option is left as it is.

    Args:
        platform: what is compiled for, as JAX names it; None: the platform of JAX's default device.
    """
    if (platform or jax.default_backend()) != "cpu":
        return None
    if _known(tuple((both := {**EIGEN_CONVOLUTIONS, **BARRIERS}).items())):
        return both
    return next((one for one in (EIGEN_CONVOLUTIONS, BARRIERS) if _known(tuple(one.items()))), None)


@lru_cache
def _known(options: tuple[tuple[str, str], ...]) -> bool:
    try:
        cpu = SingleDeviceSharding(jax.devices("cpu")[0])
        jax.jit(lambda x: x, compiler_options=dict(options), in_shardings=cpu)(0)
    except (RuntimeError, ValueError):
        return False
    return True


def keep_compiled(folder: Path | None = None) -> Path | None:
    """Turns JAX's persistent compilation cache on, for programs of any size and compile time.

    What cannot be read or written there is compiled as without.

    Args:
        folder: where; None: $JAX_COMPILATION_CACHE_DIR, else jcnn/compiled in the user's cache folder with a part for this kind
            of processor, since code compiled for another may not run here.

    Returns:
        The folder; None where it cannot be made, and nothing is kept.
    """
    folder = folder or Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or compiled_folder())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # JAX's own limits leave out what compiles within a second, which is nearly all there is here.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def compiled_folder() -> Path:
    """Where compiled programs are kept on this machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "jcnn" / "compiled" / _processor()


def keep_memory() -> bool:
    """Has glibc keep freed blocks up to `KEPT` bytes for the process.

    XLA's CPU backend allocates its scratch memory anew for every call. By glibc's defaults each large block is mapped from the
    operating system and handed back, so that every page of it is faulted in and zeroed again at every step.

    Returns:
        Whether there is a glibc that took it.
    """
    try:
        library = ctypes.CDLL(None)
        return all(library.mallopt(option, KEPT) == 1 for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD))
    except (OSError, AttributeError, TypeError):  # another C library, or another system
        return False


def _processor() -> str:
    """A name for what code is compiled for: the machine, and the features of its processor."""
    described = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
        described += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        pass
    return f"{platform.machine()}-{hashlib.sha256(described.encode()).hexdigest()[:8]}"
