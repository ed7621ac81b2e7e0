"""The ways back of `convolve` and `conv_transpose`, filters that are not shared, maxout and flattening, as students write."""

from typing import Any

import numpy as np

from experiments.mutation.student import Student

Array = np.ndarray


def convolve_backward_by_loops(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Any:
    """The filter read from its end."""
    f, g = w.shape[0], w.shape[1]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    grown, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            for a in range(f):
                for c in range(g):
                    row, column = i * stride + f - 1 - a, j * stride + g - 1 - c
                    grown[:, row, column] += dy[:, i, j] @ w[a, c].T
                    dw[a, c] += padded[:, row, column].T @ dy[:, i, j]
    dx = grown[:, padding : padding + x.shape[1], padding : padding + x.shape[2]]
    return dx, dw, dy.sum(axis=(0, 1, 2))


def convolve_backward_by_flipping(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Any:
    """The way back of the correlation, the filter turned round before and its gradient after."""
    turned = w[::-1, ::-1]
    f, g = w.shape[:2]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dx, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            top, left = i * stride, j * stride
            dx[:, top : top + f, left : left + g] += np.einsum("no,abco->nabc", dy[:, i, j], turned)
            dw += np.einsum("nabc,no->abco", padded[:, top : top + f, left : left + g], dy[:, i, j])
    inside = dx[:, padding : padded.shape[1] - padding, padding : padded.shape[2] - padding]
    return inside, dw[::-1, ::-1], dy.reshape(-1, dy.shape[-1]).sum(0)


def transpose_backward_by_windows(dx: Array, y: Array, w: Array, stride: int = 1, padding: int = 0) -> Any:
    """dy is the correlation of dx, dw that of y with the windows of dx."""
    f, g = w.shape[:2]
    padded = np.pad(dx, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dy, dw = np.zeros(y.shape), np.zeros(w.shape)
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            seen = padded[:, i * stride : i * stride + f, j * stride : j * stride + g]
            dy[:, i, j] = np.tensordot(seen, w, 3)
            dw += np.tensordot(seen, y[:, i, j], (0, 0))
    return dy, dw, dx.sum((0, 1, 2))


def transpose_backward_by_taps(dx: Array, y: Array, w: Array, stride: int = 1) -> Any:
    """A loop over the taps, without padding."""
    f, g = w.shape[:2]
    rows, columns = y.shape[1:3]
    dy, dw = np.zeros(y.shape), np.zeros(w.shape)
    for a in range(f):
        for c in range(g):
            seen = dx[:, a : a + stride * (rows - 1) + 1 : stride, c : c + stride * (columns - 1) + 1 : stride]
            dy += seen @ w[a, c]
            dw[a, c] = np.einsum("nijc,nijo->co", seen, y)
    return dy, dw, np.einsum("nijc->c", dx)


def unshared_by_windows(x: Array, w: Array, b: Any = None, stride: int = 1, padding: int = 0) -> Array:
    """Every position its own filter."""
    rows, columns, f, g = w.shape[:4]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    y = np.zeros((x.shape[0], rows, columns, w.shape[5]))
    for i in range(rows):
        for j in range(columns):
            seen = padded[:, i * stride : i * stride + f, j * stride : j * stride + g]
            y[:, i, j] = np.tensordot(seen, w[i, j], 3)
    if b is not None:
        y += b
    return y


def unshared_by_taps(x: Array, w: Array, *, stride: int = 1) -> Array:
    """A loop over the taps, without padding."""
    rows, columns, f, g = w.shape[:4]
    y = np.zeros((x.shape[0], rows, columns, w.shape[-1]))
    for a in range(f):
        for c in range(g):
            seen = x[:, a : a + stride * (rows - 1) + 1 : stride, c : c + stride * (columns - 1) + 1 : stride]
            y += np.einsum("nijc,ijco->nijo", seen, w[:, :, a, c])
    return y


def unshared_backward_by_windows(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Any:
    """Every position its own filter."""
    rows, columns, f, g = w.shape[:4]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    grown, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            grown[:, top : top + f, left : left + g] += np.tensordot(dy[:, i, j], w[i, j], (1, 3))
            dw[i, j] = np.tensordot(padded[:, top : top + f, left : left + g], dy[:, i, j], (0, 0))
    return grown[:, padding : padding + x.shape[1], padding : padding + x.shape[2]], dw, dy.sum(axis=0)


def unshared_backward_by_taps(dy: Array, x: Array, w: Array, stride: int = 1) -> Any:
    """A loop over the taps, without padding."""
    rows, columns, f, g = w.shape[:4]
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for a in range(f):
        for c in range(g):
            down = slice(a, a + stride * (rows - 1) + 1, stride)
            along = slice(c, c + stride * (columns - 1) + 1, stride)
            dx[:, down, along] += np.einsum("nijo,ijco->nijc", dy, w[:, :, a, c])
            dw[:, :, a, c] = np.einsum("nijc,nijo->ijco", x[:, down, along], dy)
    return dx, dw, np.einsum("nijo->ijo", dy)


def maxout(x: Array, pieces: int) -> Array:
    """Neighbouring channels as an axis of their own."""
    return x.reshape(*x.shape[:-1], x.shape[-1] // pieces, pieces).max(axis=-1)


def maxout_by_loops(x: Array, pieces: int) -> Array:
    """Piece by piece."""
    y = x[..., 0::pieces]
    for k in range(1, pieces):
        y = np.maximum(y, x[..., k::pieces])
    return y


def maxout_backward(dy: Array, x: Array, pieces: int) -> Array:
    """dy at the first maximum of its channels."""
    parts = x.reshape(*dy.shape, pieces)
    taken = np.arange(pieces) == parts.argmax(axis=-1)[..., None]
    return (taken * dy[..., None]).reshape(x.shape)


def maxout_backward_by_loops(dy: Array, x: Array, pieces: int) -> Array:
    """Piece by piece, what no piece before has taken."""
    dx = np.zeros(x.shape)
    largest = x.reshape(*dy.shape, pieces).max(-1)
    free = np.ones(dy.shape, bool)
    for k in range(pieces):
        wins = free & (x[..., k::pieces] == largest)
        dx[..., k::pieces] = wins * dy
        free &= ~wins
    return dx


def flatten(x: Array) -> Array:
    """One reshape."""
    return x.reshape(x.shape[0], -1).copy()


def flatten_by_examples(x: Array) -> Array:
    """Example by example."""
    y = np.zeros((len(x), x[0].size))
    for k in range(len(x)):
        y[k] = x[k].ravel()
    return y


def flatten_backward(dy: Array, x: Array) -> Array:
    """One reshape."""
    return dy.reshape(x.shape).copy()


def flatten_backward_by_examples(dy: Array, x: Array) -> Array:
    """Example by example."""
    dx = np.zeros(x.shape)
    for k in range(len(x)):
        dx[k] = dy[k].reshape(x.shape[1:])
    return dx


_BOTH = ("stride", "padding")

RELATIVES = (
    Student(convolve_backward_by_loops, "convolve_backward", _BOTH),
    Student(convolve_backward_by_flipping, "convolve_backward", _BOTH),
    Student(transpose_backward_by_windows, "conv_transpose_backward", _BOTH),
    Student(transpose_backward_by_taps, "conv_transpose_backward", ("stride",)),
    Student(unshared_by_windows, "locally_connected", _BOTH, bias=True),
    Student(unshared_by_taps, "locally_connected", ("stride",)),
    Student(unshared_backward_by_windows, "locally_connected_backward", _BOTH),
    Student(unshared_backward_by_taps, "locally_connected_backward", ("stride",)),
    Student(maxout, "maxout"),
    Student(maxout_by_loops, "maxout"),
    Student(maxout_backward, "maxout_backward"),
    Student(maxout_backward_by_loops, "maxout_backward"),
    Student(flatten, "flatten"),
    Student(flatten_by_examples, "flatten"),
    Student(flatten_backward, "flatten_backward"),
    Student(flatten_backward_by_examples, "flatten_backward"),
)
