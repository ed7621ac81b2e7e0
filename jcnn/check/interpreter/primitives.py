"""What JAX's primitives compute, by NumPy: moves of numbers, exact arithmetic, comparisons, sums and products of sums.

Every rule gives what XLA gives up to the order of sums, or raises: what is said of bounds, ties and NaN is XLA's. Elementwise
functions that are rounded in a way of XLA's own (exp, erf, a remainder, …) are not here.

Source: https://openxla.org/stablehlo/spec, jax.lax.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray
Sizes = Sequence[int]


class NotInterpretedError(Exception):
    """There is no rule for this, or none that is certain: it has to be compiled."""


def _demand(*certain: bool) -> None:
    if not all(certain):
        raise NotInterpretedError


_NORMAL = {np.dtype(name): np.finfo(name).tiny for name in ("float32", "float64")}


def demand_normal(x: Array) -> Array:
    """The array, where it has no number so small that XLA takes it for 0, and 0 / 0 for what it is not."""
    if x.dtype in _NORMAL:
        size = np.abs(x)
        _demand(not ((size < _NORMAL[x.dtype]) & (size > 0)).any())
    return x


def _broadcast_in_dim(x: Array, *, shape: Sizes, broadcast_dimensions: Sizes, **_: Any) -> Array:
    sizes = [1] * len(shape)
    for axis, size in zip(broadcast_dimensions, x.shape, strict=True):
        sizes[axis] = size
    return np.broadcast_to(x.reshape(sizes), shape)


def _reshape(x: Array, *, new_sizes: Sizes, dimensions: Sizes | None, **_: Any) -> Array:
    _demand(dimensions is None)
    return x.reshape(new_sizes)


def _slice(x: Array, *, start_indices: Sizes, limit_indices: Sizes, strides: Sizes | None) -> Array:
    return x[tuple(map(slice, start_indices, limit_indices, strides or (1,) * x.ndim))]


def _clamped(start: Any, size: int, taken: int) -> Any:
    """A start from which all that is taken lies within."""
    return np.minimum(np.maximum(start, 0), size - taken)


def _place(x: Array, starts: Sequence[Array], sizes: Sizes) -> tuple[slice, ...]:
    begins = [int(_clamped(start, size, taken)) for start, size, taken in zip(starts, x.shape, sizes, strict=True)]
    return tuple(slice(begin, begin + taken) for begin, taken in zip(begins, sizes, strict=True))


def _dynamic_slice(x: Array, *starts: Array, slice_sizes: Sizes) -> Array:
    return x[_place(x, starts, slice_sizes)]


def _dynamic_update_slice(x: Array, update: Array, *starts: Array) -> Array:
    made = x.copy()
    made[_place(x, starts, update.shape)] = update
    return made


def _pad(x: Array, value: Array, *, padding_config: Sequence[tuple[int, int, int]]) -> Array:
    """Numbers in between first, then edges, which are cut where they are negative."""
    inner = [max(0, (n - 1) * (between + 1) + 1) for n, (_, _, between) in zip(x.shape, padding_config, strict=True)]
    sizes = [n + max(lo, 0) + max(hi, 0) for n, (lo, hi, _) in zip(inner, padding_config, strict=True)]
    made = np.full(sizes, value, x.dtype)
    places, kept = [], []
    for n, size, (lo, hi, between) in zip(inner, sizes, padding_config, strict=True):
        places.append(slice(max(lo, 0), max(lo, 0) + n, between + 1))
        kept.append(slice(max(-lo, 0), size - max(-hi, 0)))
    made[tuple(places)] = x
    return made[tuple(kept)]


def _concatenate(*parts: Array, dimension: int) -> Array:
    return np.concatenate(parts, dimension)


def _split(x: Array, *, sizes: Sizes, axis: int) -> list[Array]:
    return np.split(x, np.cumsum(sizes)[:-1], axis)


def _iota(*, dtype: Any, shape: Sizes, dimension: int, **_: Any) -> Array:
    along = [-1 if axis == dimension else 1 for axis in range(len(shape))]
    return np.broadcast_to(np.arange(shape[dimension], dtype=dtype).reshape(along), shape)


def _select(which: Array, *cases: Array) -> Array:
    _demand(which.dtype == bool, len(cases) == 2)
    return np.where(which, cases[1], cases[0])


def _convert(x: Array, *, new_dtype: Any, **_: Any) -> Array:
    new = np.dtype(new_dtype)
    if x.dtype.kind == "f" and new.kind in "iu" and x.size:
        # Of numbers out of range, and of NaN, everybody makes something else.
        limits = np.iinfo(new)
        _demand(bool(np.isfinite(x).all()), float(x.min()) >= limits.min, float(x.max()) < limits.max)
    return x.astype(new)


def _div(x: Array, y: Array) -> Array:
    _demand(x.dtype.kind == "f")
    return x / y


def _dot_general(x: Array, y: Array, *, dimension_numbers: Any, preferred_element_type: Any, **_: Any) -> Array:
    (contracted_x, contracted_y), (batch_x, batch_y) = dimension_numbers
    dtype = preferred_element_type or x.dtype
    _demand(x.dtype != bool, y.dtype != bool)
    free_x = [axis for axis in range(x.ndim) if axis not in {*contracted_x, *batch_x}]
    free_y = [axis for axis in range(y.ndim) if axis not in {*contracted_y, *batch_y}]
    batch = [x.shape[axis] for axis in batch_x]
    rows, columns = [x.shape[axis] for axis in free_x], [y.shape[axis] for axis in free_y]
    summed = math.prod(x.shape[axis] for axis in contracted_x)
    left = x.transpose(*batch_x, *free_x, *contracted_x).reshape(*batch, math.prod(rows), summed)
    right = y.transpose(*batch_y, *contracted_y, *free_y).reshape(*batch, summed, math.prod(columns))
    return demand_normal(np.matmul(left.astype(dtype), right.astype(dtype)).reshape(*batch, *rows, *columns))


def _lowest(dtype: np.dtype) -> Any:
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min


def _highest(dtype: np.dtype) -> Any:
    if dtype.kind == "f":
        return np.inf
    return True if dtype.kind == "b" else np.iinfo(dtype).max


Identity = Callable[[np.dtype], Any]
_FOLDS: dict[str, tuple[np.ufunc, Identity]] = {
    "sum": (np.add, lambda dtype: dtype.type(0)),
    "max": (np.maximum, _lowest),
    "min": (np.minimum, _highest),
    "prod": (np.multiply, lambda dtype: dtype.type(1)),
}
"""How numbers are made one, and what leaves every number as it is."""


def _reduce(fold: np.ufunc, identity: Identity) -> Callable[..., Array]:
    def reduce(x: Array, *, axes: Sizes, **_: Any) -> Array:
        return fold.reduce(x, axis=tuple(axes), dtype=x.dtype, initial=identity(x.dtype))

    return reduce


def _logical(fold: np.ufunc) -> Callable[..., Array]:
    def reduce(x: Array, *, axes: Sizes, **_: Any) -> Array:
        _demand(x.dtype == bool)
        return fold.reduce(x, axis=tuple(axes))

    return reduce


def _extreme(place: Callable[..., Any]) -> Callable[..., Array]:
    """The first of several; a NaN before all."""

    def reduce(x: Array, *, axes: Sizes, index_dtype: Any) -> Array:
        (axis,) = axes
        return np.asarray(place(x, axis=axis)).astype(index_dtype)

    return reduce


def _cumulative(fold: np.ufunc) -> Callable[..., Array]:
    def accumulate(x: Array, *, axis: int, reverse: bool) -> Array:
        if reverse:
            return np.flip(fold.accumulate(np.flip(x, axis), axis, x.dtype), axis)
        return fold.accumulate(x, axis, x.dtype)

    return accumulate


def _windows(x: Array, sizes: Sizes, strides: Sizes, dilations: Sizes) -> Array:
    """All windows: their positions along the first axes, what each sees along as many more."""
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True)]
    shape = [max(0, -(-(n - span + 1) // stride)) for n, span, stride in zip(x.shape, spans, strides, strict=True)]
    if 0 in shape:
        return np.zeros((*shape, *sizes), x.dtype)
    steps = [slice(None, None, step) for step in (*strides, *dilations)]
    return sliding_window_view(x, spans)[tuple(steps)]


def _dilated(x: Array, value: Any, padding: Sequence[tuple[int, int]], dilations: Sizes) -> Array:
    config = [(lo, hi, dilation - 1) for (lo, hi), dilation in zip(padding, dilations, strict=True)]
    return _pad(x, value, padding_config=config)


def _adds(padding: Sequence[tuple[int, int]]) -> bool:
    """Whether padding cuts nothing off."""
    return all(lo >= 0 and hi >= 0 for lo, hi in padding)


def _reduce_window(fold: np.ufunc, identity: Identity) -> Callable[..., Array]:
    def reduce(
        x: Array,
        *,
        window_dimensions: Sizes,
        window_strides: Sizes,
        padding: Sequence[tuple[int, int]],
        base_dilation: Sizes,
        window_dilation: Sizes,
    ) -> Array:
        # XLA ends the process over some that are to be cut.
        _demand(_adds(padding))
        padded = _dilated(x, identity(x.dtype), padding, base_dilation)
        seen = _windows(padded, window_dimensions, window_strides, window_dilation)
        return fold.reduce(seen, axis=tuple(range(x.ndim, 2 * x.ndim)), dtype=x.dtype, initial=identity(x.dtype))

    return reduce


def _select_and_scatter_add(
    source: Array,
    x: Array,
    *,
    select_prim: Any,
    window_dimensions: Sizes,
    window_strides: Sizes,
    padding: Sequence[tuple[int, int]],
) -> Array:
    """Every window's number to the first maximum of what it sees."""
    _demand(select_prim.name == "ge", bool(np.isfinite(x).all()), _adds(padding))
    padded = _dilated(x, -np.inf, padding, (1,) * x.ndim)
    seen = _windows(padded, window_dimensions, window_strides, (1,) * x.ndim)
    first = seen.reshape(*source.shape, -1).argmax(-1)
    offsets = np.unravel_index(first, tuple(window_dimensions))
    corners = np.indices(source.shape)
    places = [corner * stride + offset for corner, stride, offset in zip(corners, window_strides, offsets, strict=True)]
    made = np.zeros(padded.shape, source.dtype)
    np.add.at(made, tuple(places), source)
    return made[tuple(slice(lo, lo + n) for (lo, _), n in zip(padding, x.shape, strict=True))]


def _conv_general_dilated(
    x: Array,
    w: Array,
    *,
    window_strides: Sizes,
    padding: Sequence[tuple[int, int]],
    lhs_dilation: Sizes,
    rhs_dilation: Sizes,
    dimension_numbers: Any,
    feature_group_count: int,
    batch_group_count: int,
    preferred_element_type: Any,
    **_: Any,
) -> Array:
    # XLA's own reads outside the image where a float32 one is to be cut.
    _demand(batch_group_count == 1, preferred_element_type in {None, x.dtype}, x.dtype == np.float64 or _adds(padding))
    # (N, C_in, *S), (C_out, C_in / groups, *F) and (N, C_out, *S).
    x, w = x.transpose(dimension_numbers.lhs_spec), w.transpose(dimension_numbers.rhs_spec)
    rank, groups = x.ndim - 2, feature_group_count
    padded = _dilated(x, 0, [(0, 0), (0, 0), *padding], (1, 1, *lhs_dilation))
    seen = _windows(padded, (1, 1, *w.shape[2:]), (1, 1, *window_strides), (1, 1, *rhs_dilation))
    seen = seen.reshape(*seen.shape[: 2 + rank], *w.shape[2:])
    taps = tuple(range(2 + rank, 2 + 2 * rank))
    made = [
        # Sums over channels and taps; channels come last.
        np.tensordot(part, filters, axes=((1, *taps), tuple(range(1, 2 + rank))))
        for part, filters in zip(np.split(seen, groups, 1), np.split(w, groups, 0), strict=True)
    ]
    y = np.moveaxis(demand_normal(np.concatenate(made, -1)), -1, 1)
    return y.transpose(np.argsort(dimension_numbers.out_spec))


def _starts(indices: Array, rank: int, named: Sizes, batching: Sizes, batching_of_indices: Sizes) -> list[Array]:
    """Where every window of a gather or scatter starts, along every axis of the operand."""
    shape = indices.shape[:-1]
    starts = [np.zeros(shape, np.int64)] * rank
    for number, axis in enumerate(named):
        starts[axis] = indices[..., number].astype(np.int64)
    for axis, place in zip(batching, batching_of_indices, strict=True):
        starts[axis] = np.indices(shape)[place]
    return starts


def _reached(starts: Sequence[Array], sizes: Sizes) -> list[Array]:
    """The places of all windows along every axis, to be broadcast: windows first, then what lies in them."""
    windows, rank = starts[0].ndim, len(sizes)
    found = []
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        within = np.arange(size).reshape(*[1] * axis, -1, *[1] * (rank - axis - 1))
        found.append(start.reshape(*start.shape, *[1] * rank) + within.reshape(*[1] * windows, *within.shape))
    return found


def _gather(x: Array, indices: Array, *, dimension_numbers: Any, slice_sizes: Sizes, mode: Any, **_: Any) -> Array:
    numbers = dimension_numbers
    starts = _starts(
        indices,
        x.ndim,
        numbers.start_index_map,
        numbers.operand_batching_dims,
        numbers.start_indices_batching_dims,
    )
    within = [_clamped(start, n, size) for start, n, size in zip(starts, x.shape, slice_sizes, strict=True)]
    filled = mode.name == "FILL_OR_DROP"
    _demand(not filled or all(map(np.array_equal, starts, within)))
    taken = x[tuple(_reached(within, slice_sizes))]
    windows = indices.ndim - 1
    dropped = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    kept = [size for axis, size in enumerate(slice_sizes) if axis not in dropped]
    taken = taken.reshape(*indices.shape[:-1], *kept)
    # The axes of what lies in a window go where they are to be.
    rank, offsets = windows + len(kept), tuple(numbers.offset_dims)
    others = [axis for axis in range(rank) if axis not in offsets]
    return taken.transpose(np.argsort([*others, *offsets]))


_SCATTERED: dict[str, Callable[..., Any]] = {
    "add": np.add.at,
    "mul": np.multiply.at,
    "min": np.minimum.at,
    "max": np.maximum.at,
}


def _scatter(put: Callable[..., Any] | None) -> Callable[..., Array]:
    """Into a copy; what is put at one place twice has to be folded, or is not certain."""

    def scatter(x: Array, indices: Array, updates: Array, *, dimension_numbers: Any, mode: Any, **_: Any) -> Array:
        numbers = dimension_numbers
        starts = _starts(
            indices,
            x.ndim,
            numbers.scatter_dims_to_operand_dims,
            numbers.operand_batching_dims,
            numbers.scatter_indices_batching_dims,
        )
        inserted = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
        inner = tuple(numbers.update_window_dims)
        left = iter(inner)
        sizes = [1 if axis in inserted else updates.shape[next(left)] for axis in range(x.ndim)]
        outer = [axis for axis in range(updates.ndim) if axis not in inner]
        values = updates.transpose(*outer, *inner).reshape(*indices.shape[:-1], *sizes)
        within = [_clamped(start, n, size) for start, n, size in zip(starts, x.shape, sizes, strict=True)]
        # A window that is not all there is left out.
        valid = np.ones(indices.shape[:-1], bool)
        if mode.name != "CLIP":
            for start, clamped in zip(starts, within, strict=True):
                valid &= start == clamped
        places = [start[valid] for start in within]
        reached = _reached(places, sizes)
        made = x.copy()
        if put is None:
            flat = np.ravel_multi_index(tuple(np.broadcast_arrays(*reached)), x.shape)
            _demand(np.unique(flat).size == flat.size)
            made[tuple(reached)] = values[valid]
        else:
            put(made, tuple(reached), values[valid])
        return made

    return scatter


def _sort(x: Array, *, dimension: int, **_: Any) -> list[Array]:
    return [np.sort(x, dimension, kind="stable")]


def _transpose(x: Array, *, permutation: Sizes) -> Array:
    return x.transpose(permutation)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numbers alone, whatever else is said for compiling it."""
    return lambda *args, **_: function(*args)


RULES: dict[str, Callable[..., Any]] = {
    **{name: _reduce(*fold) for name, fold in ((f"reduce_{name}", fold) for name, fold in _FOLDS.items())},
    **{f"reduce_window_{name}": _reduce_window(*_FOLDS[name]) for name in ("sum", "max", "min")},
    **{f"cum{name}": _cumulative(_FOLDS[name][0]) for name in ("sum", "max", "min", "prod")},
    **{f"scatter-{name}": _scatter(put) for name, put in _SCATTERED.items()},
    "scatter": _scatter(None),
    "gather": _gather,
    "reduce_and": _logical(np.logical_and),
    "reduce_or": _logical(np.logical_or),
    "argmax": _extreme(np.argmax),
    "argmin": _extreme(np.argmin),
    "add": _plain(np.add),
    "add_any": _plain(np.add),
    "sub": _plain(np.subtract),
    "mul": _plain(np.multiply),
    "div": _div,
    "neg": _plain(np.negative),
    "abs": _plain(np.absolute),
    "square": _plain(np.square),
    "max": _plain(np.maximum),
    "min": _plain(np.minimum),
    "eq": _plain(np.equal),
    "ne": _plain(np.not_equal),
    "lt": _plain(np.less),
    "le": _plain(np.less_equal),
    "gt": _plain(np.greater),
    "ge": _plain(np.greater_equal),
    "and": _plain(np.bitwise_and),
    "or": _plain(np.bitwise_or),
    "xor": _plain(np.bitwise_xor),
    "not": _plain(np.invert),
    "is_finite": _plain(np.isfinite),
    "select_n": _select,
    "convert_element_type": _convert,
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "squeeze": lambda x, *, dimensions: np.squeeze(x, tuple(dimensions)),
    "transpose": _transpose,
    "rev": lambda x, *, dimensions: np.flip(x, tuple(dimensions)),
    "slice": _slice,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "pad": _pad,
    "concatenate": _concatenate,
    "stack": lambda *parts, axis: np.stack(parts, axis),
    "unstack": lambda x, *, axis: list(np.moveaxis(x, axis, 0)),
    "split": _split,
    "tile": lambda x, *, reps: np.tile(x, reps),
    "iota": _iota,
    "copy": _plain(np.copy),
    "stop_gradient": _plain(np.copy),
    "sort": _sort,
    "dot_general": _dot_general,
    "conv_general_dilated": _conv_general_dilated,
    "select_and_scatter_add": _select_and_scatter_add,
}
"""By the names of the primitives: from arrays and parameters to an array, or a list of several."""

ELEMENTWISE = frozenset(
    itertools.chain(
        ("exp", "exp2", "expm1", "log", "log1p", "tanh", "logistic", "sin", "cos", "tan", "asin", "acos", "atan", "sinh"),
        ("cosh", "asinh", "acosh", "atanh", "atan2", "erf", "erfc", "erf_inv", "lgamma", "digamma", "sqrt", "rsqrt", "cbrt"),
        ("pow", "integer_pow", "rem", "div", "sign", "floor", "ceil", "round", "clamp", "nextafter"),
        ("shift_left", "shift_right_logical", "shift_right_arithmetic", "population_count", "convert_element_type"),
    )
)
"""Primitives whose every number comes from the numbers at its own place: XLA's own program for one length does for all."""
