"""First calls outside of `jax.jit`: every operation in a fresh process with nothing compiled before, beside `lax`'s own.

`python -m experiments.benchmarks.first_calls` measures all, with `--only init value_and_grad` some. The cases take turns, and
every round has the reference too, the vjp of `lax.conv_general_dilated`: ratios are those within a round.
"""

import inspect
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax import Array, lax
from rich.console import Console
from rich.table import Table

import jcnn
from jcnn import activations

REFERENCE = "lax.conv vjp"
PROCESSES = {
    "import jax": ("-c", "import jax"),
    "import jcnn": ("-c", "import jcnn"),
    "jcnn --version": ("-m", "jcnn", "--version"),
}
"""Whole processes; the ratios of these are to the first of them."""
LATER = 9
"""Later calls, of which the median is told."""
SIZES = (28, 28, 1)


class Seconds(NamedTuple):
    """What one call or process took.

    Attributes:
        wall: by the clock.
        processor: of all cores together, which depends less on what else the machine does.
        later: by the clock, of a later call.
    """

    wall: float
    processor: float
    later: float = 0.0


@dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    only: tuple[str, ...] = ()
    """Cases by name; all by default."""
    repeats: int = 7
    """Rounds."""
    case: str | None = None
    """One case, measured once in this process, as JSON: how this program calls itself."""


def cases() -> dict[str, Callable[[], Any]]:
    """Every case by its name, its arrays made."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return jax.device_put(rng.normal(size=shape).astype(np.float32))

    x, w, dy = normal(8, 28, 28, 8), normal(3, 3, 8, 16), normal(8, 26, 26, 16)
    halved, rows, matrix, scores, losses = normal(8, 14, 14, 8), normal(8, 64), normal(64, 10), normal(8, 10), normal(8)
    inner, means, own = normal(8, 26, 26, 8), normal(8, 8), normal(26, 26, 3, 3, 8, 16)
    images, labels = normal(8, *SIZES), jax.device_put(np.arange(8, dtype=np.int32))
    network, key = jcnn.small(SIZES, 10), jax.random.key(0)
    found: dict[str, Callable[[], Any]] = {
        REFERENCE: partial(_lax_vjp, x, w, dy),
        "conv": partial(jcnn.conv, x, w),
        "conv, auto": partial(jcnn.conv, x, w, formulation="auto", gradient="manual"),
        "convolve": partial(jcnn.convolve, x, w),
        "conv_backward": partial(jcnn.conv_backward, dy, x, w),
        "conv_transpose": partial(jcnn.conv_transpose, dy, w),
        "conv_transpose_backward": partial(jcnn.conv_transpose_backward, x, dy, w),
        "conv_matrix": partial(jcnn.conv_matrix, w, (6, 6, 8)),
        "locally_connected": partial(jcnn.locally_connected, x, own),
        "locally_connected_backward": partial(jcnn.locally_connected_backward, dy, x, own),
        "dense": partial(jcnn.dense, rows, matrix),
        "dense_backward": partial(jcnn.dense_backward, scores, rows, matrix),
        "flatten": partial(jcnn.flatten, x),
        "flatten_backward": partial(jcnn.flatten_backward, x.reshape(8, -1), x),
        "max_pool": partial(jcnn.max_pool, x, 2),
        "max_pool_backward": partial(jcnn.max_pool_backward, halved, x, 2),
        "max_pool_backward 3×3/1": partial(jcnn.max_pool_backward, inner, x, 3, stride=1),
        "avg_pool": partial(jcnn.avg_pool, x, 2),
        "avg_pool_backward": partial(jcnn.avg_pool_backward, halved, x, 2),
        "global_avg_pool": partial(jcnn.global_avg_pool, x),
        "global_avg_pool_backward": partial(jcnn.global_avg_pool_backward, means, x),
        "global_max_pool": partial(jcnn.global_max_pool, x),
        "global_max_pool_backward": partial(jcnn.global_max_pool_backward, means, x),
        "softmax_cross_entropy": partial(jcnn.softmax_cross_entropy, scores, labels),
        "softmax_cross_entropy_backward": partial(jcnn.softmax_cross_entropy_backward, losses, scores, labels),
        "mean_squared_error": partial(jcnn.mean_squared_error, scores, scores),
        "mean_squared_error_backward": partial(jcnn.mean_squared_error_backward, losses, scores, scores),
        "init": partial(jcnn.init, key, network, SIZES),
    }
    for name in activations.__all__:
        function, options = getattr(jcnn, name), {}
        if "pieces" in inspect.signature(function).parameters:
            options = {"pieces": 2}
        given = x[..., :4] if options else x
        found[name] = partial(function, given, x, **options) if name.endswith("_backward") else partial(function, x, **options)
    shapes = jax.eval_shape(lambda: jcnn.init(key, network, SIZES))
    params = jax.tree.map(lambda shape: normal(*shape.shape), shapes)
    return {
        **found,
        "apply": partial(jcnn.apply, network, params, images),
        "value_and_grad": partial(jcnn.value_and_grad, network, params, images, labels),
        "backprop": partial(jcnn.backprop, network, params, images, labels),
        "value_and_grad in plain lax": partial(jax.jit(jax.value_and_grad(_lax_loss)), params, images, labels),
    }


def _lax_conv(x: Array, w: Array, padding: str = "VALID") -> Array:
    return lax.conv_general_dilated(x, w, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _lax_vjp(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
    _, back = jax.vjp(_lax_conv, x, w)
    return back(dy)


def _lax_loss(params: Any, x: Array, labels: Array) -> Array:
    """The loss of the preset `small`, as one would write it without jcnn."""
    one, _, _, two, _, _, _, hidden, _, last = params
    for layer in (one, two):
        x = jax.nn.relu(_lax_conv(x, layer["w"], "SAME") + layer["b"])
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = jax.nn.relu(x.reshape(len(x), -1) @ hidden["w"] + hidden["b"])
    log_p = jax.nn.log_softmax(x @ last["w"] + last["b"])
    return -jnp.take_along_axis(log_p, labels[:, None], -1).mean()


def _measure(call: Callable[[], Any]) -> Seconds:
    def once() -> Seconds:
        started, used = time.perf_counter(), time.process_time()
        jax.block_until_ready(call())
        return Seconds(time.perf_counter() - started, time.process_time() - used)

    first = once()
    once()
    return first._replace(later=statistics.median(once().wall for _ in range(LATER)))


def _in_a_process(name: str) -> Seconds:
    """One case in a process of its own, without a cache on the disk."""
    # As everywhere else, Python keeps what it has made of our sources.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    arguments = PROCESSES.get(name) or ("-m", "experiments.benchmarks.first_calls", "--case", name)
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    if name not in PROCESSES:
        return Seconds(*json.loads(done.stdout))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Seconds(time.perf_counter() - started, processor)


def main(config: Benchmark) -> None:
    """Measures, and prints a table."""
    if config.case is not None:
        sys.stdout.write(json.dumps(_measure(cases()[config.case])))
        return
    known = [*PROCESSES, *cases()]
    chosen = [name for name in known if not config.only or name in config.only or name in (REFERENCE, next(iter(PROCESSES)))]
    found: dict[str, list[Seconds]] = {name: [] for name in chosen}
    for name in PROCESSES:
        _in_a_process(name)  # Python's compiled files are there then
    for _ in range(config.repeats):
        for name in chosen:
            found[name].append(_in_a_process(name))
    table = Table("case", "first, s", "ratio", "CPU, s", "ratio", "later, ms")
    for name, rounds in found.items():
        beside = found[next(iter(PROCESSES)) if name in PROCESSES else REFERENCE]
        row = [name]
        for what in ("wall", "processor"):
            values = [getattr(one, what) for one in rounds]
            ratios = [value / getattr(other, what) for value, other in zip(values, beside, strict=True)]
            row += [f"{statistics.median(values):.3f}", f"{statistics.median(ratios):.2f}"]
        later = statistics.median(one.later for one in rounds)
        table.add_row(*row, "" if name in PROCESSES else f"{1e3 * later:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Benchmark))
