"""Convolutions and their gradients, as students write them: loops, windows, columns, taps, gradients pulled apart."""

from typing import Any

import numpy as np

from experiments.mutation.student import Student

Array = np.ndarray


def conv_by_loops(x: Array, w: Array, b: Any = None, stride: int = 1, padding: int = 0) -> Array:
    """Every product by itself."""
    n, height, width, channels = x.shape
    f, g, _, filters = w.shape
    padded = np.zeros((n, height + 2 * padding, width + 2 * padding, channels))
    padded[:, padding : padding + height, padding : padding + width] = x
    rows = (height + 2 * padding - f) // stride + 1
    columns = (width + 2 * padding - g) // stride + 1
    y = np.zeros((n, rows, columns, filters))
    for k in range(n):
        for i in range(rows):
            for j in range(columns):
                for a in range(f):
                    for c in range(g):
                        y[k, i, j] += padded[k, i * stride + a, j * stride + c] @ w[a, c]
    if b is not None:
        y += b
    return y


def conv_by_windows(x: Array, w: Array, b: Any = None, stride: int = 1, padding: int = 0) -> Array:
    """A loop over the positions of the window."""
    f, g = w.shape[0], w.shape[1]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows = (padded.shape[1] - f) // stride + 1
    columns = (padded.shape[2] - g) // stride + 1
    y = np.zeros((x.shape[0], rows, columns, w.shape[3]))
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            seen = padded[:, top : top + f, left : left + g, :]
            y[:, i, j, :] = np.tensordot(seen, w, axes=3)
    return y if b is None else y + b


def conv_by_columns(x: Array, w: Array, *, stride: int = 1, padding: int = 0) -> Array:
    """One matrix product of all windows as rows (im2col)."""
    n, height, width, channels = x.shape
    f, g, _, filters = w.shape
    padded = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    rows = (height + 2 * padding - f) // stride + 1
    columns = (width + 2 * padding - g) // stride + 1
    windows = np.empty((n, rows, columns, f * g * channels))
    for i in range(rows):
        for j in range(columns):
            seen = padded[:, i * stride : i * stride + f, j * stride : j * stride + g]
            windows[:, i, j] = seen.reshape(n, -1)
    return (windows.reshape(-1, f * g * channels) @ w.reshape(-1, filters)).reshape(n, rows, columns, filters)


def conv_without_options(x: Array, w: Array) -> Array:
    """All windows at once."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (w.shape[0], w.shape[1]), axis=(1, 2))
    return np.einsum("nijcab,abco->nijo", windows, w)


def conv_by_taps(
    x: Array, w: Array, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Array:
    """A loop over the taps, each of which sees a strided slice; most options."""
    s, t = (stride, stride) if isinstance(stride, int) else stride
    d, e = (dilation, dilation) if isinstance(dilation, int) else dilation
    f, g, inner, filters = w.shape
    if padding == "same":
        edges = []
        for size, taps, step, apart in ((x.shape[1], f, s, d), (x.shape[2], g, t, e)):
            total = max((-(-size // step) - 1) * step + apart * (taps - 1) + 1 - size, 0)
            edges.append((total // 2, total - total // 2))
    elif isinstance(padding, int):
        edges = [(padding, padding), (padding, padding)]
    else:
        edges = [(side, side) if isinstance(side, int) else side for side in padding]
    padded = np.pad(x, ((0, 0), edges[0], edges[1], (0, 0)))
    rows = (padded.shape[1] - d * (f - 1) - 1) // s + 1
    columns = (padded.shape[2] - e * (g - 1) - 1) // t + 1
    outer = filters // groups
    y = np.zeros((x.shape[0], rows, columns, filters))
    for k in range(groups):
        for a in range(f):
            for c in range(g):
                seen = padded[:, a * d : a * d + s * rows : s, c * e : c * e + t * columns : t]
                seen = seen[:, :rows, :columns, k * inner : (k + 1) * inner]
                y[..., k * outer : (k + 1) * outer] += seen @ w[a, c, :, k * outer : (k + 1) * outer]
    return y if b is None else y + b


def conv_along_any_axes(x: Array, w: Array, *, stride: int = 1, padding: int = 0) -> Array:
    """Lines, images and volumes."""
    rank = x.ndim - 2
    padded = np.pad(x, ((0, 0), *((padding, padding),) * rank, (0, 0)))
    sizes = [(padded.shape[1 + axis] - w.shape[axis]) // stride + 1 for axis in range(rank)]
    y = np.zeros((x.shape[0], *sizes, w.shape[-1]))
    for tap in np.ndindex(*w.shape[:rank]):
        at = tuple(slice(k, k + stride * (size - 1) + 1, stride) for k, size in zip(tap, sizes, strict=True))
        y += padded[(slice(None), *at)] @ w[tap]
    return y


def convolve_by_loops(x: Array, w: Array, b: Any = None, stride: int = 1, padding: int = 0) -> Array:
    """The filter read from its end."""
    f, g = w.shape[0], w.shape[1]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows = (padded.shape[1] - f) // stride + 1
    columns = (padded.shape[2] - g) // stride + 1
    y = np.zeros((x.shape[0], rows, columns, w.shape[3]))
    for i in range(rows):
        for j in range(columns):
            for a in range(f):
                for c in range(g):
                    y[:, i, j] += padded[:, i * stride + f - 1 - a, j * stride + g - 1 - c] @ w[a, c]
    if b is not None:
        y = y + b
    return y


def convolve_by_flipping(x: Array, w: Array, *, stride: int = 1, padding: int = 0) -> Array:
    """The correlation with the filter turned round."""
    turned = w[::-1, ::-1]
    f, g = w.shape[:2]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows = (x.shape[1] + 2 * padding - f) // stride + 1
    columns = (x.shape[2] + 2 * padding - g) // stride + 1
    y = np.zeros((len(x), rows, columns, w.shape[3]))
    for i in range(rows):
        for j in range(columns):
            seen = padded[:, i * stride : i * stride + f, j * stride : j * stride + g]
            y[:, i, j] = np.einsum("nabc,abco->no", seen, turned)
    return y


def convolve_without_options(x: Array, w: Array) -> Array:
    """Taps from the last to the first."""
    f, g = w.shape[:2]
    rows, columns = x.shape[1] - f + 1, x.shape[2] - g + 1
    y = np.zeros((x.shape[0], rows, columns, w.shape[-1]))
    for a in range(f):
        for c in range(g):
            y += x[:, f - 1 - a : f - 1 - a + rows, g - 1 - c : g - 1 - c + columns] @ w[a, c]
    return y


def backward_by_loops(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Any:
    """Every product by itself."""
    n, height, width, channels = x.shape
    f, g, _, filters = w.shape
    padded = np.zeros((n, height + 2 * padding, width + 2 * padding, channels))
    padded[:, padding : padding + height, padding : padding + width] = x
    grown = np.zeros(padded.shape)
    dw = np.zeros(w.shape)
    db = np.zeros(filters)
    for k in range(n):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                db += dy[k, i, j]
                for a in range(f):
                    for c in range(g):
                        grown[k, i * stride + a, j * stride + c] += w[a, c] @ dy[k, i, j]
                        dw[a, c] += np.outer(padded[k, i * stride + a, j * stride + c], dy[k, i, j])
    dx = grown[:, padding : padding + height, padding : padding + width]
    return dx, dw, db


def backward_by_windows(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Any:
    """A loop over the positions of the window."""
    f, g = w.shape[0], w.shape[1]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dx, dw = np.zeros_like(padded), np.zeros_like(w)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            top, left = i * stride, j * stride
            here = dy[:, i, j, :]
            dx[:, top : top + f, left : left + g, :] += np.tensordot(here, w, axes=(1, 3))
            dw += np.tensordot(padded[:, top : top + f, left : left + g, :], here, axes=(0, 0))
    db = dy.sum(axis=(0, 1, 2))
    return dx[:, padding : padded.shape[1] - padding, padding : padded.shape[2] - padding, :], dw, db


def backward_by_columns(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Any:
    """Windows as rows of a matrix, gathered by index and scattered by `np.add.at` (im2col, col2im)."""
    n, height, width, channels = x.shape
    f, g, _, filters = w.shape
    rows, columns = dy.shape[1], dy.shape[2]
    down = stride * np.arange(rows)[:, None, None, None] + np.arange(f)[None, None, :, None]
    right = stride * np.arange(columns)[None, :, None, None] + np.arange(g)[None, None, None, :]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    windows = padded[:, down, right].reshape(n * rows * columns, -1)
    flat = dy.reshape(-1, filters)
    dw = (windows.T @ flat).reshape(w.shape)
    parts = (flat @ w.reshape(-1, filters).T).reshape(n, rows, columns, f, g, channels)
    grown = np.zeros((n, height + 2 * padding, width + 2 * padding, channels))
    np.add.at(grown, (slice(None), down, right), parts)  # pyright: ignore[reportArgumentType] (NumPy's own type is too narrow)
    return grown[:, padding : padding + height, padding : padding + width], dw, flat.sum(0)


def backward_pulled_apart(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Any:
    """dx as a correlation of dy, S − 1 zeros between its entries, with the filter turned round."""
    n, height, width, channels = x.shape
    f, g, _, filters = w.shape
    rows, columns = dy.shape[1:3]
    apart = np.zeros((n, height + 2 * padding - f + 1, width + 2 * padding - g + 1, filters))
    apart[:, : stride * rows : stride, : stride * columns : stride] = dy
    edged = np.pad(apart, ((0, 0), (f - 1, f - 1), (g - 1, g - 1), (0, 0)))
    turned = w[::-1, ::-1].transpose(0, 1, 3, 2)
    dx = np.zeros((n, height, width, channels))
    for i in range(height):
        for j in range(width):
            seen = edged[:, i + padding : i + padding + f, j + padding : j + padding + g]
            dx[:, i, j] = np.tensordot(seen, turned, 3)
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dw = np.zeros(w.shape)
    for a in range(f):
        for c in range(g):
            seen = padded[:, a : a + apart.shape[1], c : c + apart.shape[2]]
            dw[a, c] = np.einsum("nijc,nijo->co", seen, apart)
    return dx, dw, dy.reshape(-1, filters).sum(axis=0)


def backward_without_options(dy: Array, x: Array, w: Array) -> Any:
    """Neither stride nor padding."""
    f, g = w.shape[:2]
    rows, columns = dy.shape[1:3]
    dx = np.zeros(x.shape)
    dw = np.zeros(w.shape)
    for a in range(f):
        for c in range(g):
            dx[:, a : a + rows, c : c + columns] += dy @ w[a, c].T
            dw[a, c] = np.einsum("nijc,nijo->co", x[:, a : a + rows, c : c + columns], dy)
    return dx, dw, np.einsum("nijo->o", dy)


def backward_by_taps(
    dy: Array, x: Array, w: Array, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """A loop over the taps; most options."""
    s, t = (stride, stride) if isinstance(stride, int) else stride
    d, e = (dilation, dilation) if isinstance(dilation, int) else dilation
    p, q = (padding, padding) if isinstance(padding, int) else padding
    low, high = (p, p) if isinstance(p, int) else p
    left, right = (q, q) if isinstance(q, int) else q
    f, g, inner, filters = w.shape
    outer = filters // groups
    rows, columns = dy.shape[1:3]
    padded = np.pad(x, ((0, 0), (low, high), (left, right), (0, 0)))
    grown, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for k in range(groups):
        into, out = slice(k * inner, (k + 1) * inner), slice(k * outer, (k + 1) * outer)
        for a in range(f):
            for c in range(g):
                down = slice(a * d, a * d + s * (rows - 1) + 1, s)
                along = slice(c * e, c * e + t * (columns - 1) + 1, t)
                grown[:, down, along, into] += dy[..., out] @ w[a, c, :, out].T
                dw[a, c, :, out] = np.einsum("nijc,nijo->co", padded[:, down, along, into], dy[..., out])
    return grown[:, low : low + x.shape[1], left : left + x.shape[2]], dw, dy.sum((0, 1, 2))


def backward_along_any_axes(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Any:
    """Lines, images and volumes."""
    rank = x.ndim - 2
    padded = np.pad(x, ((0, 0), *((padding, padding),) * rank, (0, 0)))
    grown, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for o in np.ndindex(*dy.shape[1:-1]):
        at = (slice(None), *(slice(stride * i, stride * i + f) for i, f in zip(o, w.shape[:rank], strict=True)))
        here = dy[(slice(None), *o)]
        grown[at] += np.tensordot(here, w, (1, -1))
        dw += np.tensordot(padded[at], here, (0, 0))
    inside = (slice(None), *(slice(padding, padding + size) for size in x.shape[1:-1]))
    return grown[inside], dw, dy.sum(tuple(range(rank + 1)))


def transpose_by_windows(y: Array, w: Array, b: Any = None, stride: int = 1, padding: int = 0) -> Array:
    """Every output adds its filter, what falls on the padding is cropped."""
    n, rows, columns, _ = y.shape
    f, g, channels, _ = w.shape
    height, width = stride * (rows - 1) + f, stride * (columns - 1) + g
    grown = np.zeros((n, height, width, channels))
    for i in range(rows):
        for j in range(columns):
            grown[:, i * stride : i * stride + f, j * stride : j * stride + g] += np.tensordot(y[:, i, j], w, (1, 3))
    x = grown[:, padding : height - padding, padding : width - padding]
    return x if b is None else x + b


def transpose_by_loops(y: Array, w: Array, *, stride: int = 1, padding: int = 0, output_size: Any = None) -> Array:
    """Every product by itself, those that fall outside left out."""
    n, rows, columns, _ = y.shape
    f, g, channels, _ = w.shape
    if output_size is None:
        height, width = stride * (rows - 1) + f - 2 * padding, stride * (columns - 1) + g - 2 * padding
    else:
        height, width = output_size
    x = np.zeros((n, height, width, channels))
    for i in range(rows):
        for j in range(columns):
            for a in range(f):
                for c in range(g):
                    row, column = i * stride + a - padding, j * stride + c - padding
                    if 0 <= row < height and 0 <= column < width:
                        x[:, row, column] += y[:, i, j] @ w[a, c].T
    return x


def transpose_pulled_apart(y: Array, w: Array, *, stride: int = 1) -> Array:
    """A correlation of y, S − 1 zeros between its entries, with the filter turned round."""
    n, rows, columns, filters = y.shape
    f, g, channels, _ = w.shape
    apart = np.zeros((n, stride * (rows - 1) + 1, stride * (columns - 1) + 1, filters))
    apart[:, ::stride, ::stride] = y
    edged = np.pad(apart, ((0, 0), (f - 1, f - 1), (g - 1, g - 1), (0, 0)))
    height, width = apart.shape[1] + f - 1, apart.shape[2] + g - 1
    x = np.zeros((n, height, width, channels))
    for a in range(f):
        for c in range(g):
            x += edged[:, a : a + height, c : c + width] @ w[f - 1 - a, g - 1 - c].T
    return x


_BOTH = ("stride", "padding")

CONVOLUTIONS = (
    Student(conv_by_loops, "conv", _BOTH, bias=True),
    Student(conv_by_windows, "conv", _BOTH, bias=True),
    Student(conv_by_columns, "conv", _BOTH),
    Student(conv_without_options, "conv"),
    Student(conv_by_taps, "conv", (*_BOTH, "dilation", "groups"), per_axis=True, names=("same",), bias=True),
    Student(conv_along_any_axes, "conv", _BOTH, ranks=(1, 2, 3)),
    Student(convolve_by_loops, "convolve", _BOTH, bias=True),
    Student(convolve_by_flipping, "convolve", _BOTH),
    Student(convolve_without_options, "convolve"),
    Student(backward_by_loops, "conv_backward", _BOTH),
    Student(backward_by_windows, "conv_backward", _BOTH),
    Student(backward_by_columns, "conv_backward", _BOTH),
    Student(backward_pulled_apart, "conv_backward", _BOTH),
    Student(backward_without_options, "conv_backward"),
    Student(backward_by_taps, "conv_backward", (*_BOTH, "dilation", "groups"), per_axis=True),
    Student(backward_along_any_axes, "conv_backward", _BOTH, ranks=(1, 2, 3)),
    Student(transpose_by_windows, "conv_transpose", _BOTH, bias=True),
    Student(transpose_by_loops, "conv_transpose", (*_BOTH, "output_size")),
    Student(transpose_pulled_apart, "conv_transpose", ("stride",)),
)
