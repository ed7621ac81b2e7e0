"""Poolings and their gradients, as students write them: loops, tiles, taps."""

from typing import Any

import numpy as np

from experiments.mutation.student import Student

Array = np.ndarray


def max_by_loops(x: Array, window: int, stride: Any = None, padding: int = 0) -> Array:
    """Every window by itself, the part of it that lies on the map."""
    step = window if stride is None else stride
    n, height, width, channels = x.shape
    rows = (height + 2 * padding - window) // step + 1
    columns = (width + 2 * padding - window) // step + 1
    y = np.zeros((n, rows, columns, channels))
    for i in range(rows):
        for j in range(columns):
            top, left = i * step - padding, j * step - padding
            seen = x[:, max(top, 0) : top + window, max(left, 0) : left + window]
            y[:, i, j] = seen.max(axis=(1, 2))
    return y


def max_by_tiles(x: Array, window: int) -> Array:
    """Tiles that do not overlap, as axes of their own."""
    n, height, width, channels = x.shape
    rows, columns = height // window, width // window
    tiles = x[:, : rows * window, : columns * window].reshape(n, rows, window, columns, window, channels)
    return tiles.max(axis=(2, 4))


def max_by_taps(x: Array, window: Any, stride: Any = None, padding: Any = 0) -> Array:
    """The larger of what the taps see."""
    f, g = (window, window) if isinstance(window, int) else window
    s, t = (f, g) if stride is None else (stride, stride) if isinstance(stride, int) else stride
    p, q = (padding, padding) if isinstance(padding, int) else padding
    low, high = (p, p) if isinstance(p, int) else p
    left, right = (q, q) if isinstance(q, int) else q
    padded = np.pad(x, ((0, 0), (low, high), (left, right), (0, 0)), constant_values=-np.inf)
    rows, columns = (padded.shape[1] - f) // s + 1, (padded.shape[2] - g) // t + 1
    y = np.full((x.shape[0], rows, columns, x.shape[3]), -np.inf)
    for a in range(f):
        for c in range(g):
            y = np.maximum(y, padded[:, a : a + s * (rows - 1) + 1 : s, c : c + t * (columns - 1) + 1 : t])
    return y


def max_backward_by_loops(dy: Array, x: Array, window: int, stride: Any = None, padding: int = 0) -> Array:
    """Every window of every channel by itself."""
    step = window if stride is None else stride
    n, rows, columns, channels = dy.shape
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=-np.inf)
    grown = np.zeros(padded.shape)
    for k in range(n):
        for i in range(rows):
            for j in range(columns):
                for c in range(channels):
                    seen = padded[k, i * step : i * step + window, j * step : j * step + window, c]
                    row, column = np.unravel_index(np.argmax(seen), seen.shape)
                    grown[k, i * step + row, j * step + column, c] += dy[k, i, j, c]
    return grown[:, padding : padding + x.shape[1], padding : padding + x.shape[2]]


def max_backward_by_tiles(dy: Array, x: Array, window: int) -> Array:
    """Tiles that do not overlap, one row each, and the first maximum of every row."""
    n, rows, columns, channels = dy.shape
    height, width = rows * window, columns * window
    tiles = x[:, :height, :width].reshape(n, rows, window, columns, window, channels)
    flat = tiles.transpose(0, 1, 3, 5, 2, 4).reshape(n, rows, columns, channels, -1)
    first = flat.argmax(-1)
    taken = np.arange(window * window) == first[..., None]
    back = (taken * dy[..., None]).reshape(n, rows, columns, channels, window, window)
    dx = np.zeros(x.shape)
    dx[:, :height, :width] = back.transpose(0, 1, 4, 2, 5, 3).reshape(n, height, width, channels)
    return dx


def max_backward_by_taps(dy: Array, x: Array, window: Any, stride: Any = None, padding: Any = 0) -> Array:
    """Tap by tap, what no tap before has taken."""
    f, g = (window, window) if isinstance(window, int) else window
    s, t = (f, g) if stride is None else (stride, stride) if isinstance(stride, int) else stride
    p, q = (padding, padding) if isinstance(padding, int) else padding
    low, high = (p, p) if isinstance(p, int) else p
    left, right = (q, q) if isinstance(q, int) else q
    padded = np.pad(x, ((0, 0), (low, high), (left, right), (0, 0)), constant_values=-np.inf)
    rows, columns = dy.shape[1:3]
    largest = np.full(dy.shape, -np.inf)
    for a in range(f):
        for c in range(g):
            largest = np.maximum(largest, padded[:, a : a + s * rows : s, c : c + t * columns : t][:, :rows, :columns])
    free = np.ones(dy.shape, bool)
    grown = np.zeros(padded.shape)
    for a in range(f):
        for c in range(g):
            at = (slice(None), slice(a, a + s * (rows - 1) + 1, s), slice(c, c + t * (columns - 1) + 1, t))
            wins = free & (padded[at] == largest)
            grown[at] += wins * dy
            free &= ~wins
    return grown[:, low : low + x.shape[1], left : left + x.shape[2]]


def mean_by_loops(x: Array, window: int, stride: Any = None, padding: int = 0) -> Array:
    """Every window by itself, the part of it that lies on the map."""
    step = window if stride is None else stride
    n, height, width, channels = x.shape
    rows = (height + 2 * padding - window) // step + 1
    columns = (width + 2 * padding - window) // step + 1
    y = np.zeros((n, rows, columns, channels))
    for i in range(rows):
        for j in range(columns):
            top, left = i * step - padding, j * step - padding
            seen = x[:, max(top, 0) : top + window, max(left, 0) : left + window]
            y[:, i, j] = seen.mean(axis=(1, 2))
    return y


def mean_by_tiles(x: Array, window: int) -> Array:
    """Tiles that do not overlap, as axes of their own."""
    n, height, width, channels = x.shape
    rows, columns = height // window, width // window
    tiles = x[:, : rows * window, : columns * window].reshape(n, rows, window, columns, window, channels)
    return tiles.sum(axis=(2, 4)) / window**2


def mean_by_taps(x: Array, window: Any, stride: Any = None, padding: int = 0, count_padding: bool = False) -> Array:
    """What the taps see added up, and how many of them see the map."""
    f, g = (window, window) if isinstance(window, int) else window
    s, t = (f, g) if stride is None else (stride, stride)
    edges = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = np.pad(x, edges)
    counted = np.pad(np.ones((1, *x.shape[1:3], 1)), edges, constant_values=float(count_padding))
    rows, columns = (padded.shape[1] - f) // s + 1, (padded.shape[2] - g) // t + 1
    total = np.zeros((x.shape[0], rows, columns, x.shape[3]))
    count = np.zeros((1, rows, columns, 1))
    for a in range(f):
        for c in range(g):
            at = (slice(None), slice(a, a + s * (rows - 1) + 1, s), slice(c, c + t * (columns - 1) + 1, t))
            total += padded[at]
            count += counted[at]
    return total / count


def mean_backward_by_loops(dy: Array, x: Array, window: int, stride: Any = None, padding: int = 0) -> Array:
    """Every window by itself."""
    step = window if stride is None else stride
    dx = np.zeros(x.shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            top, left = i * step - padding, j * step - padding
            down = slice(max(top, 0), min(top + window, x.shape[1]))
            along = slice(max(left, 0), min(left + window, x.shape[2]))
            count = (down.stop - down.start) * (along.stop - along.start)
            dx[:, down, along] += (dy[:, i, j] / count)[:, None, None]
    return dx


def mean_backward_by_tiles(dy: Array, x: Array, window: int) -> Array:
    """Every number repeated over its tile."""
    spread = dy.repeat(window, axis=1).repeat(window, axis=2) / (window * window)
    dx = np.zeros(x.shape)
    dx[:, : spread.shape[1], : spread.shape[2]] = spread
    return dx


def mean_backward_by_taps(
    dy: Array, x: Array, window: Any, stride: Any = None, padding: int = 0, count_padding: bool = False
) -> Array:
    """A share for each of the taps that see the map."""
    f, g = (window, window) if isinstance(window, int) else window
    s, t = (f, g) if stride is None else (stride, stride)
    rows, columns = dy.shape[1:3]
    edges = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    counted = np.pad(np.ones((1, *x.shape[1:3], 1)), edges, constant_values=float(count_padding))
    places = []
    count = np.zeros((1, rows, columns, 1))
    for a in range(f):
        for c in range(g):
            at = (slice(None), slice(a, a + s * (rows - 1) + 1, s), slice(c, c + t * (columns - 1) + 1, t))
            places.append(at)
            count += counted[at]
    grown = np.zeros((x.shape[0], x.shape[1] + 2 * padding, x.shape[2] + 2 * padding, x.shape[3]))
    for at in places:
        grown[at] += dy / count
    return grown[:, padding : padding + x.shape[1], padding : padding + x.shape[2]]


def whole_max(x: Array) -> Array:
    """Over all spatial axes."""
    return x.reshape(x.shape[0], -1, x.shape[-1]).max(axis=1)


def whole_max_by_loops(x: Array) -> Array:
    """Pixel by pixel."""
    n, height, width, channels = x.shape
    y = np.full((n, channels), -np.inf)
    for i in range(height):
        for j in range(width):
            y = np.maximum(y, x[:, i, j])
    return y


def whole_max_backward(dy: Array, x: Array) -> Array:
    """dy at the first maximum."""
    n, channels = dy.shape
    flat = x.reshape(n, -1, channels)
    first = flat.argmax(axis=1)
    dx = np.zeros(flat.shape)
    for k in range(n):
        for c in range(channels):
            dx[k, first[k, c], c] = dy[k, c]
    return dx.reshape(x.shape)


def whole_max_backward_by_loops(dy: Array, x: Array) -> Array:
    """Pixel by pixel, the largest so far."""
    n, height, width, channels = x.shape
    dx = np.zeros(x.shape)
    for k in range(n):
        for c in range(channels):
            row, column = 0, 0
            for i in range(height):
                for j in range(width):
                    if x[k, i, j, c] > x[k, row, column, c]:
                        row, column = i, j
            dx[k, row, column, c] = dy[k, c]
    return dx


def whole_mean(x: Array) -> Array:
    """Over all spatial axes."""
    return x.mean(axis=tuple(range(1, x.ndim - 1)))


def whole_mean_by_loops(x: Array) -> Array:
    """Pixel by pixel."""
    n, height, width, channels = x.shape
    y = np.zeros((n, channels))
    for i in range(height):
        for j in range(width):
            y += x[:, i, j]
    return y / (height * width)


def whole_mean_backward(dy: Array, x: Array) -> Array:
    """A share for every pixel."""
    pixels = x[0, ..., 0].size
    shape = (dy.shape[0], *[1] * (x.ndim - 2), dy.shape[1])
    return np.ones(x.shape) * dy.reshape(shape) / pixels


def whole_mean_backward_by_loops(dy: Array, x: Array) -> Array:
    """Pixel by pixel."""
    dx = np.zeros(x.shape)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            dx[:, i, j] = dy / (x.shape[1] * x.shape[2])
    return dx


_BOTH = ("stride", "padding")
_ANY = (1, 2, 3)

POOLINGS = (
    Student(max_by_loops, "max_pool", _BOTH, square=True),
    Student(max_by_tiles, "max_pool", square=True),
    Student(max_by_taps, "max_pool", _BOTH, per_axis=True),
    Student(max_backward_by_loops, "max_pool_backward", _BOTH, square=True),
    Student(max_backward_by_tiles, "max_pool_backward", square=True),
    Student(max_backward_by_taps, "max_pool_backward", _BOTH, per_axis=True),
    Student(mean_by_loops, "avg_pool", _BOTH, square=True),
    Student(mean_by_tiles, "avg_pool", square=True),
    Student(mean_by_taps, "avg_pool", (*_BOTH, "count_padding")),
    Student(mean_backward_by_loops, "avg_pool_backward", _BOTH, square=True),
    Student(mean_backward_by_tiles, "avg_pool_backward", square=True),
    Student(mean_backward_by_taps, "avg_pool_backward", (*_BOTH, "count_padding")),
    Student(whole_max, "global_max_pool", ranks=_ANY),
    Student(whole_max_by_loops, "global_max_pool"),
    Student(whole_max_backward, "global_max_pool_backward", ranks=_ANY),
    Student(whole_max_backward_by_loops, "global_max_pool_backward"),
    Student(whole_mean, "global_avg_pool", ranks=_ANY),
    Student(whole_mean_by_loops, "global_avg_pool"),
    Student(whole_mean_backward, "global_avg_pool_backward", ranks=_ANY),
    Student(whole_mean_backward_by_loops, "global_avg_pool_backward"),
)
