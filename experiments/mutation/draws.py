"""Calls drawn at random, which have not seen the checker's cases: where a mutant differs in none of many, it is no mutant.

Sizes, windows, strides, paddings, channels and examples are drawn independently of one another; numbers are normal, whole with
ties, or far apart.
"""

from typing import Any

import numpy as np

from experiments.mutation.student import Restriction, Student, has_windows
from jcnn.check.operations import kind_of

Array = np.ndarray
Call = tuple[dict[str, Any], dict[str, Any]]


def draw(rng: np.random.Generator, student: Student, restriction: Restriction) -> Call:
    """Arguments and options that the implementation takes and the restriction allows."""
    while True:
        call = _drawn(rng, student, restriction)
        if call is not None and student.takes(*call) and restriction.allows(*call):
            return call


def _drawn(rng: np.random.Generator, student: Student, restriction: Restriction) -> Call | None:
    kind = student.kind
    base, back = kind.removesuffix("_backward"), kind.endswith("_backward")
    if has_windows(kind) and not base.startswith("global"):
        return _window_call(rng, student, restriction)
    if base.startswith("global"):
        x = _numbers(rng, rng.integers(1, 6, 2 + rng.choice(student.ranks)))
        dy = {"dy": _numbers(rng, (x.shape[0], x.shape[-1]))} if back else {}
        return {**dy, "x": x}, {}
    shape = tuple(rng.integers(1, 7, rng.integers(2, 5)))
    if base == "dense":
        x, w = _numbers(rng, shape), _numbers(rng, (shape[-1], rng.integers(1, 7)))
        if back:
            return {"dy": _numbers(rng, (*shape[:-1], w.shape[-1])), "x": x, "w": w}, {}
        return {"x": x, "w": w, **({"b": _numbers(rng, w.shape[-1:])} if rng.random() < 0.5 else {})}, {}
    if base == "mean_squared_error":
        dy = {"dy": _numbers(rng, shape[:-1])} if back else {}
        return {**dy, "prediction": _numbers(rng, shape), "target": _numbers(rng, shape)}, {}
    if base == "softmax_cross_entropy":
        soft = rng.random(shape)
        labels = soft / soft.sum(-1, keepdims=True) if rng.random() < 0.5 else rng.integers(0, shape[-1], shape[:-1])
        dy = {"dy": _numbers(rng, shape[:-1])} if back else {}
        return {**dy, "logits": _logits(rng, shape), "labels": labels}, {}
    if base == "flatten":
        x = _numbers(rng, shape)
        return ({"dy": _numbers(rng, (len(x), x[0].size)), "x": x} if back else {"x": x}), {}
    if base == "maxout":
        pieces = int(rng.integers(1, 5))
        x = _numbers(rng, (*shape, pieces * int(rng.integers(1, 4))))
        dy = {"dy": _numbers(rng, (*shape, x.shape[-1] // pieces))} if back else {}
        return {**dy, "x": x, "pieces": pieces}, {}
    x = _logits(rng, shape)
    dy = {"dy": _numbers(rng, shape)} if back else {}
    return {**dy, "x": x}, {name: float(rng.choice([0.3, 0.1, 2.0])) for name in student.options if rng.random() < 0.5}


def _window_call(rng: np.random.Generator, student: Student, restriction: Restriction) -> Call | None:
    kind = student.kind
    rank = int(rng.choice(student.ranks)) if restriction.options is None else 2
    allowed = student.options if restriction.options is None else [o for o in student.options if o in restriction.options]
    given = [name for name in allowed if rng.random() < 0.7]
    whole = restriction.options is not None or not student.per_axis or rng.random() < 0.4
    square = restriction.square or rng.random() < 0.2
    pool = "pool" in kind
    sizes, window = (_sizes(rng, rank, low, high, alike=square) for low, high in ((1, 10), (1, 6 if rank == 2 else 4)))
    if student.square:
        window = (window[0],) * rank
    options: dict[str, Any] = {}
    for name in given:
        if name in {"stride", "dilation"}:
            options[name] = int(rng.integers(1, 5)) if whole else _sizes(rng, rank, 1, 4)
        elif name == "padding":
            sides = [(int(rng.integers(0, 4)), int(rng.integers(0, 4))) for _ in range(rank)]
            several = tuple(sides) if rng.random() < 0.5 else tuple(side for side, _ in sides)
            named = student.names and rng.random() < 0.2 and restriction.options is None
            options[name] = int(rng.integers(0, 5)) if whole else str(rng.choice(student.names)) if named else several
        elif name == "count_padding":
            options[name] = bool(rng.random() < 0.5)
    batch = 1 if restriction.alone else int(rng.integers(1, 4))
    groups = int(rng.integers(1, 4)) if "groups" in given else 1
    if groups > 1:
        options["groups"] = groups
    inner, outer = (int(rng.integers(1, 4)) for _ in range(2))
    x = _numbers(rng, (batch, *sizes, inner * groups))
    w = _numbers(rng, (*window, inner, outer * groups))
    try:
        y = kind_of("max_pool" if pool else "conv").reference(x, window if pool else w, **_without(options, "count_padding"))
    except ValueError:
        return None
    if not np.isfinite(y).all():
        return None  # a window of padding alone has no maximum
    dy = _numbers(rng, y.shape)
    if pool:
        alike = len(set(window)) == 1
        args = {"x": x, "window": window[0] if alike else window}
        return ({"dy": dy, **args} if kind.endswith("backward") else args), options
    if kind.startswith("locally_connected"):
        w = _numbers(rng, (*y.shape[1:-1], *w.shape))
    if kind == "conv_transpose_backward":
        return {"dx": x, "y": dy, "w": w}, options
    if kind.endswith("backward"):
        return {"dy": dy, "x": x, "w": w}, options
    channels = x.shape[-1] if kind == "conv_transpose" else w.shape[-1]
    biases = y.shape[1:] if kind == "locally_connected" else (channels,)
    b = {"b": _numbers(rng, biases)} if student.bias and rng.random() < 0.3 else {}
    if kind != "conv_transpose":
        return {"x": x, "w": w, **b}, options
    if "output_size" in given:
        options["output_size"] = sizes
    try:
        kind_of(kind).reference(dy, w, **options)
    except ValueError:
        return None  # the smallest image that gives this y is empty
    return {"y": dy, "w": w, **b}, options


def _sizes(rng: np.random.Generator, rank: int, low: int, high: int, *, alike: bool = False) -> tuple[int, ...]:
    sizes = tuple(map(int, rng.integers(low, high, rank)))
    return (sizes[0],) * rank if alike else sizes


def _without(options: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != name}


def _numbers(rng: np.random.Generator, shape: Any) -> Array:
    """Normal, mostly; sometimes whole with ties, sometimes small or large."""
    shape, chosen = tuple(map(int, shape)), rng.random()
    if chosen < 0.2:
        return rng.integers(-2, 3, shape).astype(np.float64)
    return rng.normal(size=shape) * (1.0 if chosen < 0.8 else 10.0 ** rng.uniform(-4, 2))


def _logits(rng: np.random.Generator, shape: Any) -> Array:
    """As `_numbers`, sometimes so far apart that an exponential overflows, sometimes with zeros among them."""
    x = _numbers(rng, shape)
    if rng.random() < 0.3:
        x = x * rng.choice([10.0, 100.0, 1000.0])
    return np.where(rng.random(shape) < 0.1, 0.0, x) if rng.random() < 0.3 else x
