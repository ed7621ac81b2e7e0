"""References in NumPy float64, written from the textbook sums and independent of the library.

A geometry is five sequences with one entry per spatial axis (sizes N, window F, stride S, padding (lo, hi), dilation D) and a
rounding. Every reference walks it pixel by pixel: output o sees, through tap k, the pixel S·o + D·k − lo.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

Index = tuple[int, ...]


class Geometry(NamedTuple):
    """A window and the spatial sizes it moves over, one entry per axis; padding as pairs or by name."""

    sizes: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...] | str
    dilation: tuple[int, ...]
    rounding: str

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of the library's functions."""
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "rounding")}

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The padding in pixels."""
        if not isinstance(self.padding, str):
            return self.padding
        axes = zip(self.sizes, self.window, self.stride, self.dilation, strict=True)
        return tuple(named_padding(self.padding, *axis) for axis in axes)

    @property
    def starts(self) -> list[list[int]]:
        """Along every axis, the first pixel of every window position."""
        axes = zip(self.sizes, self.window, self.stride, self.pairs, self.dilation, strict=True)
        return [starts(*axis, self.rounding) for axis in axes]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The output sizes."""
        return tuple(map(len, self.starts))


def named_padding(name: str, n: int, f: int, stride: int, dilation: int) -> tuple[int, int]:
    """As TensorFlow documents it: ⌈N/S⌉ windows in all, as little padding as they need, the odd pixel at the end."""
    if name == "valid":
        return 0, 0
    total = max((math.ceil(n / stride) - 1) * stride + dilation * (f - 1) + 1 - n, 0)
    less, more = total // 2, math.ceil(total / 2)
    return (less, more) if name == "same" else (more, less)


def starts(n: int, f: int, stride: int, padding: tuple[int, int], dilation: int, rounding: str) -> list[int]:
    """The first pixel of every window position, by walking; negative on the left padding.

    With "ceil" one more window looks at pixels that the others missed, unless it would start in the right padding.
    """
    lo, hi = padding
    reach = dilation * (f - 1) + 1
    found, start = [], -lo
    while start + reach <= n + hi:
        found.append(start)
        start += stride
    if rounding == "ceil" and found and found[-1] + reach < n + hi and start < n:
        found.append(start)
    return found


def walk(geometry: Geometry) -> Iterator[tuple[Index, list[tuple[Index, Index]]]]:
    """Every output index, with the (tap, pixel) pairs it sees on the input."""
    for output in itertools.product(*(range(o) for o in geometry.outputs)):
        first = [axis[o] for axis, o in zip(geometry.starts, output, strict=True)]
        pairs = []
        for tap in itertools.product(*map(range, geometry.window)):
            pixel = tuple(s + d * k for s, d, k in zip(first, geometry.dilation, tap, strict=True))
            if all(0 <= i < n for i, n in zip(pixel, geometry.sizes, strict=True)):
                pairs.append((tap, pixel))
        yield output, pairs


def sees_input(geometry: Geometry) -> bool:
    """Whether every window sees a pixel of the input, as poolings ask."""
    return all(pairs for _, pairs in walk(geometry))


def conv(x: np.ndarray, w: np.ndarray, b: np.ndarray, geometry: Geometry, groups: int = 1) -> np.ndarray:
    """y[n, o] = Σ_k x[n, S·o + D·k − lo] · w[k] + b, within each group of channels."""
    y = np.zeros((x.shape[0], *geometry.outputs, w.shape[-1]), x.dtype) + b
    filters = w.shape[-1] // groups
    for output, pairs in walk(geometry):
        for tap, pixel in pairs:
            for group in range(groups):
                ins = slice(group * w.shape[-2], (group + 1) * w.shape[-2])
                outs = slice(group * filters, (group + 1) * filters)
                y[(slice(None), *output, outs)] += x[(slice(None), *pixel, ins)] @ w[(*tap, slice(None), outs)]
    return y


def max_pool(x: np.ndarray, dy: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """(y, dx): the largest value seen, and dy at the first place where it stands; a NaN is larger than everything."""
    y, dx = np.zeros_like(dy, x.dtype), np.zeros_like(x, dy.dtype)
    for output, pairs in walk(geometry):
        for n, c in np.ndindex(x.shape[0], x.shape[-1]):
            seen = [x[(n, *pixel, c)] for _, pixel in pairs]
            first = int(np.argmax(seen))  # the first maximum, or the first NaN
            y[(n, *output, c)] = seen[first]
            dx[(n, *pairs[first][1], c)] += dy[(n, *output, c)]
    return y, dx


def avg_pool(x: np.ndarray, geometry: Geometry, *, count_padding: bool = False) -> np.ndarray:
    """The mean of what each window sees; with `count_padding` the zeros of the padding are seen too, what hangs over is not."""
    y = np.zeros((x.shape[0], *geometry.outputs, x.shape[-1]))
    if count_padding:
        x = np.pad(x, ((0, 0), *geometry.pairs, (0, 0)))
        sizes = tuple(n + lo + hi for n, (lo, hi) in zip(geometry.sizes, geometry.pairs, strict=True))
        padded = geometry._replace(sizes=sizes, padding=((0, 0),) * len(sizes), rounding="ceil")
    else:
        padded = geometry
    for output, pairs in walk(padded):
        if all(o < size for o, size in zip(output, geometry.outputs, strict=True)):
            y[(slice(None), *output)] = np.mean([x[(slice(None), *pixel)] for _, pixel in pairs], 0)
    return y


def assert_agree(actual: Any, expected: Any, tolerance: float = 1e-12) -> None:
    """Same structure, shapes and values, up to `tolerance` times the largest magnitude of each array.

    The default covers float64 sums: a few hundred terms at 1.1e-16 each, and cancellation down to a hundredth of the terms.
    """
    if isinstance(expected, tuple | list):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_agree(one, other, tolerance)
        return
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.isfinite(expected).all()
    expected_64 = expected.astype(np.float64)
    bound = tolerance * max(float(np.abs(expected_64).max()), np.finfo(np.float64).tiny)
    np.testing.assert_allclose(actual.astype(np.float64), expected_64, rtol=0, atol=bound)


def normal(*shape: int, seed: int = 0) -> Any:
    """Standard normal numbers, the same every time; a NumPy array, which annotations of the library do not mention."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def levels(*shape: int, count: int = 3, seed: int = 0) -> Any:
    """Numbers from 0 to `count` − 1, so few that maxima tie; typed as `normal`."""
    return np.random.default_rng([seed, *shape]).integers(0, count, shape).astype(np.float64)


def same_everywhere(function: Any, sequence: Sequence[Any]) -> None:
    """Asserts that `function` gives bitwise the same for every entry."""
    first, *others = [np.asarray(function(entry)) for entry in sequence]
    for other in others:
        np.testing.assert_array_equal(other, first)
