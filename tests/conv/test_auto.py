"""The fastest formulation: one of those that exist, by the rule that was measured, with the same values and gradients."""

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

import jcnn
from jcnn.conv.ways import Formulation
from jcnn.rules import Gradient

CASES = [
    {"c_in": 3, "c_out": 4},
    {"c_in": 1, "c_out": 4},
    {"c_in": 6, "c_out": 6, "groups": 6},
    {"c_in": 3, "c_out": 6, "groups": 3},
    {"c_in": 4, "c_out": 2, "groups": 2},
    {"c_in": 4, "c_out": 4, "groups": 4, "stride": 2, "padding": 1},
    {"c_in": 4, "c_out": 4, "groups": 4, "dilation": 2, "padding": 2},
    {"c_in": 4, "c_out": 5, "window": (2, 3)},  # folded
    {"c_in": 2, "c_out": 5, "window": (2, 3)},  # its filter gradient folded
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_the_same_values_and_gradients(case: dict[str, Any], gradient: Gradient) -> None:
    case = dict(case)
    window = case.pop("window", (3, 2))
    c_in, c_out, groups = case.pop("c_in"), case.pop("c_out"), case.get("groups", 1)
    x = jax.random.normal(jax.random.key(0), (2, 7, 6, c_in))
    w = jax.random.normal(jax.random.key(1), (*window, c_in // groups, c_out))

    def conv(formulation: Formulation, rule: Gradient, x: jax.Array, w: jax.Array) -> jax.Array:
        return jcnn.conv(x, w, formulation=formulation, gradient=rule, **case)  # pyright: ignore[reportArgumentType]

    @partial(jax.jit, static_argnums=(0, 1))
    def pulled(formulation: Formulation, rule: Gradient, x: jax.Array, w: jax.Array, dy: jax.Array) -> Any:
        return jax.vjp(partial(conv, formulation, rule), x, w)[1](dy)

    forward = jax.jit(conv, static_argnums=(0, 1))
    expected, found = (forward(formulation, "autodiff", x, w) for formulation in ("lax", "auto"))
    dy = jax.random.normal(jax.random.key(2), expected.shape)
    # Sums of at most 2·7·6·6 products of float64, in another order.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    for mine, theirs in zip(pulled("auto", gradient, x, w, dy), pulled("lax", "autodiff", x, w, dy), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12)
