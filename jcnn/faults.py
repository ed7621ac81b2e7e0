"""Faults of XLA on CPUs that give wrong numbers without a word, each small enough to be tried in a moment.

Every one is tried as its report has it, against NumPy, and beside it the same sums by jcnn, which shall not run into it. They
are tried in a process of their own, for what reads outside its memory may also end it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import jcnn
from jcnn.definition import conv_backward_definition, conv_definition

Array = np.ndarray

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_TRIES = 4
_PATIENCE = 120.0
# Sums of a few dozen float32 numbers; what is asked for is whether they are grossly wrong.
_NEAR = 1e-3


class Fault(NamedTuple):
    """A fault that somebody reported.

    Attributes:
        name: in a few words.
        source: the report.
        compute: what goes wrong, by XLA.
        right: the same in NumPy.
        ours: the same by jcnn, in every way there is.
    """

    name: str
    source: str
    compute: Callable[[], Array]
    right: Callable[[], Array]
    ours: Callable[[], Sequence[Array]]


class Tried(NamedTuple):
    """What came of a fault: whether this JAX has it, and whether jcnn runs into it."""

    name: str
    source: str
    here: bool
    ours: bool


def _normal(*shape: int) -> Array:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


_X, _W = _normal(2, 15, 6, 8), _normal(1, 2, 8, 8)
_BEYOND = ((0, 0), (6, 0))
_DY = _normal(2, 15, 11, 8)


def _conv(x: jax.Array, w: jax.Array, padding: Sequence[tuple[int, int]]) -> jax.Array:
    return lax.conv_general_dilated(x, w, (1, 1), padding, dimension_numbers=_LAYOUT)


def _cropped_by_padding() -> Array:
    return np.asarray(_conv(jnp.asarray(_X), jnp.asarray(_W[:, :1]), ((0, 0), (-5, 1))))


def _cropped() -> Array:
    return conv_definition(_X[:, :, 5:], _W[:, :1], padding=((0, 0), (0, 1)))


def _cropped_by_us() -> list[Array]:
    return [np.asarray(jcnn.conv(_X[:, :, 5:], _W[:, :1], padding=((0, 0), (0, 1))))]


def _back_beyond() -> Array:
    _, pull = jax.vjp(lambda x: _conv(x, jnp.asarray(_W), _BEYOND), jnp.asarray(_X))
    return np.asarray(pull(jnp.asarray(_DY))[0])


def _back_beyond_right() -> Array:
    return conv_backward_definition(_DY, _X, _W, padding=_BEYOND)[0]


def _back_beyond_by_us() -> list[Array]:
    _, pull = jax.vjp(lambda x: jcnn.conv(x, _W, padding=_BEYOND), jnp.asarray(_X))
    by_hand, _, _ = jcnn.conv_backward(_DY, _X, _W, padding=_BEYOND)
    return [np.asarray(pull(jnp.asarray(_DY))[0]), np.asarray(by_hand)]


@jax.jit
def _crop_and_conv(x: jax.Array, w: jax.Array) -> jax.Array:
    # The interior padding of an axis of one pixel does nothing, but keeps the crop from becoming a slice.
    cropped = lax.pad(x, x.dtype.type(0), ((0, 0, 1), (0, 0, 0), (-1, 0, 0), (0, 0, 0)))
    return _conv(cropped, w, ((0, 0), (1, 1)))


def _folded() -> Array:
    return np.asarray(_crop_and_conv(jnp.asarray(_X[:1]), jnp.asarray(_W)))


def _folded_right() -> Array:
    return conv_definition(_X[:1, :, 1:], _W, padding=((0, 0), (1, 1)))


def _folded_by_us() -> list[Array]:
    program = jax.jit(lambda x, w: jcnn.conv(x[:, :, 1:], w, padding=((0, 0), (1, 1))))
    return [np.asarray(program(_X[:1], _W))]


_MAP = _normal(64, 128)


def _pulled_apart() -> Array:
    windows = lax.reduce_window(jnp.asarray(_MAP), -jnp.inf, lax.max, (2, 1), (2, 1), ((0, 0), (0, 0)), base_dilation=(1, 2))
    return np.asarray(windows)


def _pulled_apart_right() -> Array:
    right = np.full((32, 255), -np.inf, np.float32)
    right[:, ::2] = np.maximum(_MAP[::2], _MAP[1::2])
    return right


def _pulled_apart_by_us() -> list[Array]:
    apart = lax.pad(jnp.asarray(_MAP), jnp.float32(-jnp.inf), ((0, 0, 0), (0, 0, 1)))[None, :, :, None]
    return [np.asarray(jcnn.max_pool(apart, (2, 1), stride=(2, 1), formulation=way))[0, ..., 0] for way in ("taps", "lax")]


FAULTS = (
    Fault(
        "a convolution that crops by negative padding",
        "openxla/xla#48713",
        _cropped_by_padding,
        _cropped,
        _cropped_by_us,
    ),
    Fault(
        "jax.vjp of a convolution padded beyond its filter",
        "openxla/xla#48713",
        _back_beyond,
        _back_beyond_right,
        _back_beyond_by_us,
    ),
    Fault(
        "a crop folded into a convolution's padding, under jit",
        "openxla/xla#48715",
        _folded,
        _folded_right,
        _folded_by_us,
    ),
    Fault(
        "a window over pixels that are pulled apart",
        "openxla/xla#48714",
        _pulled_apart,
        _pulled_apart_right,
        _pulled_apart_by_us,
    ),
)


def has(fault: Fault) -> bool:
    """Whether XLA gives wrong numbers here. What reads foreign memory may be right by chance, so that it is tried again."""
    right = fault.right()
    return any(not near(fault.compute(), right) for _ in range(_TRIES))


def try_fault(fault: Fault) -> Tried:
    """Tries a fault, here and by jcnn."""
    right = fault.right()
    ours = any(not near(got, right) for _ in range(_TRIES) for got in fault.ours())
    return Tried(fault.name, fault.source, has(fault), ours)


def near(got: Array, right: Array) -> bool:
    """Whether two arrays are the same but for float32 rounding; infinities count as numbers."""
    if got.shape != right.shape:
        return False
    finite = np.isfinite(right)
    size = float(np.abs(right[finite]).max(initial=0))
    with np.errstate(invalid="ignore"):
        close = np.abs(got.astype(np.float64) - right) <= _NEAR * size
    return bool(np.where(finite, close, got == right).all())


def try_all(module: str = "jcnn.faults") -> tuple[list[Tried], str]:
    """Tries all faults in a process of their own.

    Args:
        module: what to run; it prints a line of JSON for every fault, as `main` does.

    Returns:
        What came of those that were tried, and why it ended early; "" where it did not.
    """
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    try:
        ran = subprocess.run(  # noqa: S603 (our own module)
            [sys.executable, "-m", module], env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return [], f"not done after {_PATIENCE:.0f} s"
    found = [Tried(**json.loads(line)) for line in ran.stdout.splitlines() if line.startswith("{")]
    if not ran.returncode:
        return found, ""
    said = ran.stderr.strip().splitlines() or [""]
    reason = f"signal {-ran.returncode}" if ran.returncode < 0 else f"exit {ran.returncode}: {said[-1][:120]}"
    return found, f"the process that tried them ended by {reason}"


def main() -> None:
    """Prints what comes of every fault, one line of JSON each, at once."""
    for fault in FAULTS:
        print(json.dumps(try_fault(fault)._asdict()), flush=True)  # noqa: T201 (the parent process reads it)


if __name__ == "__main__":
    main()
