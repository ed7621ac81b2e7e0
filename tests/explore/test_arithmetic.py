"""The sums that the page writes out are those that jcnn computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn.explore import fields, filters, gradients, inputs
from jcnn.explore.arithmetic import Setting, forward, products, size_sentences, sum_lines

X = np.arange(25.0).reshape(5, 5)
EDGES = np.asarray(filters.FILTERS["edges, left to right"], np.float64)


@pytest.mark.parametrize("setting", [Setting(), Setting(2, 1), Setting(1, 2, 2), Setting(3, 4, 3), Setting(2, 0, 1, "exact")])
@pytest.mark.parametrize("name", filters.FILTERS)
def test_every_number_is_the_sum_of_its_products(setting: Setting, name: str) -> None:
    layer = forward(inputs.digit(5)[:7, :7], np.asarray(filters.FILTERS[name], np.float64), setting)
    for (row, column), value in np.ndenumerate(layer.y):
        terms = [term for line in products(layer, row, column) for term in line]
        assert sum(term.pixel * term.weight for term in terms) == pytest.approx(value, abs=1e-12)
        assert all(term.pixel == 0 for term in terms if term.padded)


def test_the_output_is_that_of_conv() -> None:
    layer = forward(X, EDGES, Setting(2, 1))
    y = jcnn.conv(jnp.asarray(X)[None, ..., None], jnp.asarray(EDGES)[..., None, None], stride=2, padding=1)
    np.testing.assert_array_equal(layer.y, np.asarray(y)[0, ..., 0])


def test_a_sum_in_words() -> None:
    layer = forward(X, EDGES, Setting(padding=1))
    assert sum_lines(layer, 0, 1) == ["y[0, 1] = 0·(−1) + 0·0 + 0·1", "+ 0·(−2) + 1·0 + 2·2", "+ 5·(−1) + 6·0 + 7·1", "= 6"]


def test_a_size_in_words() -> None:
    assert size_sentences(forward(X, EDGES, Setting(2, 1))) == ["rows and columns: (5 + 1 + 1 − 3)/2 + 1 = 3"]
    assert size_sentences(forward(X[:4], EDGES, Setting(2))) == [
        "rows: (4 + 0 + 0 − 3)/2 + 1 = 1.5, rounded down to 1", "columns: (5 + 0 + 0 − 3)/2 + 1 = 2",
    ]  # fmt: skip
    assert size_sentences(forward(X, EDGES, Setting(dilation=2))) == [
        "rows and columns: (5 + 0 + 0 − (2·(3 − 1) + 1))/1 + 1 = 1"
    ]


@pytest.mark.parametrize("setting", [Setting(dilation=3), Setting(3, 0, 1, "exact")])
def test_what_does_not_fit_is_said_in_the_words_of_jcnn(setting: Setting) -> None:
    with pytest.raises(jcnn.GeometryError) as ours:
        jcnn.output_size(5, 3, **setting._asdict())
    with pytest.raises(jcnn.GeometryError) as shown:
        forward(X, EDGES, setting)
    assert str(shown.value) == f"spatial axis 0: {ours.value}"


@pytest.mark.parametrize("choice", gradients.CHOICES)
def test_the_way_back_is_that_of_jax(choice: str) -> None:
    layer = forward(inputs.digit(2), EDGES, Setting(2, 1))
    dy = gradients.output_gradient(layer, choice, 1, 2)
    found = gradients.backward(layer, dy)

    def loss(x: jax.Array, w: jax.Array) -> jax.Array:
        return (jcnn.conv(x[None, ..., None], w[..., None, None], stride=2, padding=1)[0, ..., 0] * dy).sum()

    for ours, theirs in zip((found.dx, found.dw), jax.grad(loss, (0, 1))(layer.x, layer.w), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert found.off < 1e-12


def test_one_output_pulls_at_what_its_window_sees() -> None:
    layer = forward(X, EDGES, Setting())
    found = gradients.backward(layer, gradients.output_gradient(layer, gradients.HERE, 1, 2))
    np.testing.assert_array_equal(found.dw, X[1:4, 2:5])
    np.testing.assert_array_equal(found.dx[1:4, 2:5], EDGES)


def test_fields_grow_and_end_where_the_map_does() -> None:
    layer = forward(inputs.digit(0), EDGES, Setting(2, 1))
    found = fields.fields(layer, 3)
    assert [field.size for field in found] == [(3, 3), (7, 7), (15, 15)]
    assert [field.map_size for field in found] == [(4, 4), (2, 2), (1, 1)]
    assert [field.first for field in found] == [(3, 3), (1, 1), (-7, -7)]
    with pytest.raises(jcnn.GeometryError, match="does not fit"):
        fields.fields(forward(X, EDGES, Setting()), 3)


def test_inputs() -> None:
    assert inputs.digit(7).shape == (8, 8)
    assert inputs.digit(7).max() == 16
    assert inputs.photograph().shape == (inputs.SIDE, inputs.SIDE)
    layer = forward(inputs.photograph(), np.asarray(filters.start(filters.OWN, 3)), Setting(padding=1))
    np.testing.assert_array_equal(layer.y, inputs.photograph())
