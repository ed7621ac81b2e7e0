"""Is this machine ready? Devices, precision, versions and settings that matter, each with a verdict."""

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jcnn.compilation import compiler_options, keep_memory
from jcnn.conv import conv, conv_backward, native
from jcnn.data.stream import PART_OF_MEMORY, free_memory
from jcnn.faults import Tried, try_all

Verdict = Literal["good", "note", "bad"]


class Finding(NamedTuple):
    """One thing looked at: what, as found, the verdict and, where it is not good, what to do."""

    what: str
    found: str
    verdict: Verdict
    advice: str = ""


def examine() -> list[Finding]:
    """Looks at everything that decides whether jcnn runs, how fast, and how exactly."""
    return [
        _python(),
        *_versions(),
        _devices(),
        _threads(),
        _precision(),
        _float64(),
        *_settings(),
        _cache(),
        _memory(),
        _images(),
        _convolutions(),
        _native(),
        _known_values(),
        _gradients(),
        *_known_faults(*try_all()),
    ]


def _python() -> Finding:
    return Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}", "good")


def _versions() -> list[Finding]:
    findings = []
    for name in ("jcnn", "jax", "jaxlib", "numpy", "optax", "matplotlib", "tensorflow-datasets", "tyro", "rich"):
        try:
            findings.append(Finding(name, version(name), "good"))
        except PackageNotFoundError:
            findings.append(Finding(name, "missing", "bad", f"pip install {name}"))
    if version("jax") != version("jaxlib"):
        advice = "install jax and jaxlib of one version"
        findings.append(Finding("jax and jaxlib", f"{version('jax')} and {version('jaxlib')}", "note", advice))
    return findings


def _devices() -> Finding:
    backend, devices = jax.default_backend(), jax.devices()
    found = f"{backend}: {len(devices)} × {devices[0].device_kind}"
    if backend == "cpu" and os.path.exists("/proc/driver/nvidia/version"):  # noqa: PTH110 (a device node, not a path of ours)
        return Finding("devices", found, "note", 'an NVIDIA driver is here, its JAX is not: pip install "jcnn[cuda]"')
    return Finding("devices", found, "good")


def _threads() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    advice = "" if usable > 1 else "one core only: training will be slow"
    return Finding("processor cores", str(usable), "good" if usable > 1 else "note", advice)


def _precision() -> Finding:
    asked = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    found = f"float32 products: {asked or 'backend default'}"
    if jax.default_backend() == "cpu" or asked in ("highest", "float32"):
        return Finding("precision", f"{found}, full float32", "good")
    return Finding("precision", found, "note", "products may use fewer bits; JAX_DEFAULT_MATMUL_PRECISION=highest for checks")


def _float64() -> Finding:
    enabled = bool(jax.config.jax_enable_x64)  # pyright: ignore[reportAttributeAccessIssue]
    return Finding("float64", "on" if enabled else "off (JAX's default; --dtype float64 turns it on)", "good")


def _settings() -> list[Finding]:
    harmful = {"JAX_DISABLE_JIT": "unset it: everything runs uncompiled, very slowly", "JAX_DEBUG_NANS": "unset it for speed"}
    findings = []
    for name in sorted(os.environ):
        if name in harmful and os.environ[name].lower() not in ("", "0", "false"):
            findings.append(Finding(name, os.environ[name], "note", harmful[name]))
        elif name == "XLA_FLAGS" or name.startswith(("JAX_", "OMP_NUM")):
            findings.append(Finding(name, os.environ[name], "note", "set from outside; changes how JAX computes"))
    return findings or [Finding("JAX_*, XLA_FLAGS", "none set", "good")]


def _cache() -> Finding:
    folder = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if not folder:
        return Finding("compilation cache", "off", "good")
    writable = os.access(folder, os.W_OK) or not os.path.exists(folder)  # noqa: PTH110
    return Finding("compilation cache", folder, "good" if writable else "bad", "" if writable else "make it writable")


def _memory() -> Finding:
    if keep_memory():
        return Finding("scratch memory", "kept between calls (glibc's mallopt)", "good")
    return Finding("scratch memory", "taken anew for every call", "note", "steps may be slower: glibc, on Linux, would keep it")


def _images() -> Finding:
    free = free_memory()
    if free is None:
        found = "on the device as a whole: how much of it is free is not known"
        return Finding("training images", found, "note", 'fit(…, placement="streamed") streams what does not fit')
    most = PART_OF_MEMORY * free / 1e9
    return Finding("training images", f"up to {most:,.1f} GB on the device as a whole, more are streamed", "good")


def _convolutions() -> Finding:
    options = compiler_options()
    if jax.default_backend() != "cpu":
        return Finding("convolutions", "XLA's own for this backend", "good")
    if options is None:
        return Finding(
            "convolutions", "XLA's default", "note", "this XLA does not know the option for Eigen's; steps may be slower"
        )
    set_to = ", ".join(f"{name}={value}" for name, value in options.items())
    reasons = "YNNPACK's convolutions were slower where measured; what is held by a barrier is computed once"
    return Finding("convolutions", f"by Eigen in training, barriers kept: {reasons} ({set_to})", "good")


def _native() -> Finding:
    reason = native.missing()
    if reason is None:
        return Finding("native convolutions", "oneDNN, by jcnn_native", "good")
    if find_spec("jcnn_native") is None:
        return Finding("native convolutions", "not installed; optional, `make native` in the source of jcnn", "good")
    return Finding("native convolutions", reason, "note", "`make native` in the source of jcnn installs them anew")


def _known_values() -> Finding:
    x = jnp.arange(9, dtype=jnp.float32).reshape(1, 3, 3, 1)
    y = np.asarray(conv(x, jnp.ones((2, 2, 1, 1), jnp.float32)))[0, :, :, 0]
    right = np.array_equal(y, [[8, 12], [20, 24]])
    return Finding("a convolution", "gives its known values" if right else f"gives {y.tolist()}", "good" if right else "bad")


def _gradients() -> Finding:
    key = jax.random.key(0)
    x = jax.random.normal(key, (2, 6, 6, 3), jnp.float32)
    w = jax.random.normal(key, (3, 3, 3, 4), jnp.float32)
    with jax.default_matmul_precision("highest"):
        y, pull = jax.vjp(conv, x, w)
        by_autodiff = pull(y)
        by_hand = conv_backward(y, x, w)[:2]
    worst = max(float(jnp.abs(a - b).max() / jnp.abs(a).max()) for a, b in zip(by_autodiff, by_hand, strict=True))
    found = f"by hand and by autodiff differ by {worst:.1e} relative"
    # A filter gradient sums 32 products, an input gradient 36: far below 100 roundings of float32.
    return Finding("its gradients", found, "good" if worst < 100 * np.finfo(np.float32).eps else "bad")


def _known_faults(found: Sequence[Tried], ended: str) -> list[Finding]:
    """One finding for every fault of XLA's CPU backend that was tried."""
    findings = []
    for fault in found:
        what = f"XLA: {fault.name}"
        if fault.ours:
            findings.append(Finding(what, f"wrong numbers, by jcnn too ({fault.source})", "bad", "report it to jcnn"))
        elif fault.here:
            advice = "jcnn's operations are right here; check gradients of your own with jcnn.check.compare"
            findings.append(Finding(what, f"gives wrong numbers on CPUs ({fault.source})", "note", advice))
        else:
            findings.append(Finding(what, f"right ({fault.source} is not in this version)", "good"))
    if ended:
        findings.append(Finding("known faults of XLA", ended, "note", "the remaining ones were not tried"))
    return findings


def healthy(findings: list[Finding]) -> bool:
    """Whether nothing was found bad."""
    return all(finding.verdict != "bad" for finding in findings) and sys.version_info >= (3, 11)
