"""The matrix of a convolution: as it is drawn on the board, as a linear map, sparse, and differentiable."""

# NumPy arrays are taken where annotations say jax.Array.
# pyright: reportArgumentType=false

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn import conv, conv_backward, conv_matrix, conv_transpose
from jcnn.definition import conv_definition
from tests.draws import draws
from tests.geometries import geometries
from tests.references import Geometry, assert_agree, normal

GROUPS = st.sampled_from([(1, 2, 3), (2, 4, 2), (3, 3, 6)])


def test_one_dimension_is_a_banded_toeplitz_matrix() -> None:
    w = np.array([1.0, 2, 3])[:, None, None]
    drawn = [[1, 2, 3, 0, 0], [0, 1, 2, 3, 0], [0, 0, 1, 2, 3]]
    np.testing.assert_array_equal(conv_matrix(w, (5, 1)), drawn)
    np.testing.assert_array_equal(conv_matrix(w, (5, 1), stride=2), drawn[::2])
    np.testing.assert_array_equal(conv_matrix(w, (3, 1), padding=1), [[2, 3, 0], [1, 2, 3], [0, 1, 2]])
    np.testing.assert_array_equal(conv_matrix(w, (5, 1), dilation=2), [[1, 0, 2, 0, 3]])


def test_two_dimensions_are_doubly_blocked() -> None:
    """Blocks along diagonals, each with its own row of the filter along its diagonals."""
    w = np.array([[1.0, 2], [3, 4]])[..., None, None]
    upper, lower, zero = (np.array(block) for block in ([[1, 2, 0], [0, 1, 2]], [[3, 4, 0], [0, 3, 4]], np.zeros((2, 3))))
    np.testing.assert_array_equal(conv_matrix(w, (3, 3, 1)), np.block([[upper, lower, zero], [zero, upper, lower]]))


def test_channels_are_blocks_and_groups_do_not_meet() -> None:
    w = np.arange(1.0, 5).reshape(1, 2, 2)  # one tap: its matrix, transposed, at every pixel
    np.testing.assert_array_equal(conv_matrix(w, (2, 2)), np.kron(np.eye(2), w[0].T))
    np.testing.assert_array_equal(conv_matrix(w, (1, 4), groups=2), [[1, 3, 0, 0], [0, 0, 2, 4]])


@given(geometries(), GROUPS)
@draws(parts=2)
def test_the_matrix_is_the_convolution(geometry: Geometry, channels: tuple[int, int, int]) -> None:
    groups, c_in, c_out = channels
    options: Any = {**geometry.options, "groups": groups}
    x, w = normal(1, *geometry.sizes, c_in), normal(*geometry.window, c_in // groups, c_out)

    @jax.jit
    def both(w: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        sparse = conv_matrix(w, x.shape[1:], sparse=True, **options)
        return conv_matrix(w, x.shape[1:], **options), sparse.data, sparse.indices

    dense, data, indices = map(np.asarray, both(w))
    assert_agree(dense @ x.ravel(), conv_definition(x, w, **options).ravel())
    entries = np.zeros_like(dense)
    entries[tuple(indices.T)] = data
    np.testing.assert_array_equal(entries, dense)


def test_sparse_has_the_entries_alone_sorted_and_multiplies() -> None:
    x, w = normal(6, 5, 2), normal(3, 3, 2, 4)
    matrix = conv_matrix(w, x.shape, padding=1, sparse=True)
    indices = np.asarray(matrix.indices)
    inside = (3 * 6 - 2) * (3 * 5 - 2)  # taps of 6 · 5 windows that see no padding
    assert matrix.nse == inside * 2 * 4
    assert (np.diff(np.ravel_multi_index(tuple(indices.T), matrix.shape)) > 0).all()
    assert_agree(jax.jit(lambda m, v: m @ v)(matrix, x.ravel()), np.asarray(conv(x[None], w, padding=1)).ravel())


def test_the_transposed_matrix_is_the_transposed_convolution() -> None:
    y, w = normal(1, 3, 4, 2), normal(3, 2, 1, 2)
    matrix = conv_matrix(w, (7, 8, 1), stride=2)
    assert_agree(np.asarray(matrix).T @ y.ravel(), conv_transpose(y, w, stride=2, output_size=(7, 8)).ravel())


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_differentiable_in_the_filters(sparse: bool) -> None:
    x, w, dy = normal(1, 5, 5, 2), jnp.asarray(normal(3, 3, 2, 2)), normal(1, 2, 2, 2)

    def product(w: jax.Array) -> jax.Array:
        return conv_matrix(w, (5, 5, 2), stride=2, sparse=sparse) @ x.ravel() @ dy.ravel()  # type: ignore[call-overload]

    _, dw, _ = conv_backward(dy, x, w, stride=2)
    assert_agree(jax.jit(jax.grad(product))(w), dw)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((5, 5, 3), {}, r"input_shape=\(5, 5, 3\) has 3 channels, w 2 in each of 1 groups"),
        ((5, 2), {}, r"w has shape \(3, 3, 2, 4\): expected"),
        ((5,), {}, r"input_shape=\(5,\): expected \(\*S, C\)"),
        ((5, 0, 2), {}, r"input_shape\[1\]=0: expected an integer of at least 1"),
        ((2, 5, 2), {}, r"F=3"),
        ((5, 5, 6), {"groups": 3}, r"groups=3: expected a divisor of C_out = 4"),
    ],
    ids=["channels", "rank", "no-space", "empty", "too-small", "groups"],
)
def test_what_does_not_fit_is_named(shape: tuple[int, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conv_matrix(jnp.ones((3, 3, 2, 4)), shape, **options)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "int32"])
def test_the_matrix_has_the_dtype_of_the_filters(dtype: str) -> None:
    matrix = partial(conv_matrix, jnp.ones((2, 1, 1), dtype), (3, 1))
    assert matrix().dtype == matrix(sparse=True).dtype == dtype
