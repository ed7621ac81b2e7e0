"""Public operations as programs: one for each shape, compiled once, and none where `jit` is disabled."""

import dataclasses
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import jcnn
from jcnn.programs import compiled
from tests.flags import GIVEN, QUICKLY_COMPILED
from tests.fuzz.calls import CALLS
from tests.program_counts import MORE_WAYS, NO_OPERATIONS, OPERATIONS, PUBLIC

X = np.random.default_rng(0).normal(size=(2, 6, 6, 4))


@pytest.fixture(scope="module")
def counts() -> dict[str, list[int]]:
    """Programs compiled by the first and by the second call of each operation."""
    quickly = {**os.environ, "XLA_FLAGS": GIVEN + QUICKLY_COMPILED}
    command = [sys.executable, "-m", "tests.program_counts"]
    done = subprocess.run(command, env=quickly, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", [*OPERATIONS, *MORE_WAYS])
def test_a_first_call_compiles_one_program_and_a_second_none(name: str, counts: dict[str, list[int]]) -> None:
    assert counts[name] == [1, 0]


def test_no_operation_is_left_out_of_the_count() -> None:
    with_gradients = {name.removesuffix("_backward") for name in PUBLIC if name.endswith("_backward")}
    assert not NO_OPERATIONS & {*with_gradients, *(f"{name}_backward" for name in with_gradients)}
    assert set(PUBLIC) >= NO_OPERATIONS


def test_equal_options_share_a_program_and_others_do_not() -> None:
    traced = []

    @compiled("times")
    def scaled(x: Array, times: tuple[int, ...]) -> Array:
        traced.append(times)
        return x * times[0]

    x = jnp.ones(3)
    results = [float(scaled(x, times)[0]) for times in ((2,), (2,), (3,), (2,))]
    assert (results, traced) == ([2, 2, 3, 2], [(2,), (3,)])


@pytest.mark.parametrize("precision", ["float32", "highest"])
def test_the_precision_of_products_is_that_of_the_call(precision: str) -> None:
    with jax.default_matmul_precision(precision):
        program = str(jax.make_jaxpr(jcnn.dense)(jnp.ones((2, 3)), jnp.ones((3, 4))))
    assert f"Precision.{'HIGHEST'}" in program
    with jax.default_matmul_precision("bfloat16"):
        assert "HIGHEST" not in str(jax.make_jaxpr(jcnn.dense)(jnp.ones((2, 3)), jnp.ones((3, 4))))


TRACED: dict[str, Callable[..., Any]] = {
    "relu": jcnn.relu,
    "elu": jcnn.elu,
    "max_pool": partial(jcnn.max_pool, window=2, stride=1),
    "avg_pool": partial(jcnn.avg_pool, window=2),
    "conv": lambda x: jcnn.conv(x, jnp.ones((3, 3, 4, 2), x.dtype)),
    "apply": lambda x: jcnn.apply((jcnn.Relu(), jcnn.MaxPool(2)), ({}, {}), x),
}


@pytest.mark.parametrize("name", TRACED)
def test_under_jit_no_program_is_to_be_seen_within(name: str) -> None:
    operation = TRACED[name]
    ours = {"_leaky_relu", "_elu", "_maximum", "_mean", "_forward", "_apply"}
    # In what is compiled: newer versions of JAX inline only on the way there.
    functions = set(re.findall(r"func\.func \w+ @(\w+)", jax.jit(operation).lower(jnp.asarray(X)).as_text()))
    with jax.disable_jit():
        plain = operation(jnp.asarray(X))
    assert "main" in functions
    assert not ours & functions
    np.testing.assert_allclose(jax.jit(operation)(jnp.asarray(X)), plain, rtol=1e-14)
    np.testing.assert_allclose(operation(jnp.asarray(X)), plain, rtol=1e-14)
    np.testing.assert_allclose(jax.vmap(operation)(jnp.asarray(X)[None])[0], plain, rtol=1e-14)


def test_a_layer_of_ones_own_sees_values() -> None:
    seen = []

    class Look(jcnn.Layer):
        def forward(self, params: Any, x: Array, context: Any = None) -> tuple[Array, None]:
            seen.append(np.asarray(x))
            return x, None

    jcnn.apply((jcnn.Relu(), Look()), ({}, {}), jnp.asarray(X))
    np.testing.assert_array_equal(seen[0], np.maximum(X, 0))


@dataclasses.dataclass(frozen=True, repr=False)
class Times(jcnn.Layer):
    """Layers that compare equal and differ: by an attribute, a field that is not compared, the sign of zero, the type."""

    factor: Any = dataclasses.field(default=2, compare=False)
    sign: float = 0.0
    number: Any = 1

    def forward(self, params: Any, x: Array, context: Any = None) -> tuple[Array, None]:
        more = vars(self).get("more", 1.0)
        return x * self.factor * math.copysign(1, self.sign) * (2 if self.number is True else 1) * more, None


def with_more(more: float) -> Times:
    layer = Times()
    object.__setattr__(layer, "more", more)
    return layer


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        (Times(2.0), Times(6.0), 3),
        (Times(sign=0.0), Times(sign=-0.0), -1),
        (Times(number=1), Times(number=True), 2),
        (with_more(1.0), with_more(5.0), 5),
    ],
    ids=["a field that is not compared", "the sign of zero", "another type", "an attribute"],
)
@pytest.mark.parametrize(
    "wrap", [lambda layer: layer, jcnn.Residual, lambda layer: (layer,)], ids=["", "in a residual", "nested"]
)
def test_layers_that_compare_equal_and_differ_keep_their_own_results(wrap: Any, one: Times, other: Times, ratio: float) -> None:
    assert one == other
    x = jnp.asarray(X)
    results = []
    for layer in (one, other):
        network = (wrap(layer),)
        y = jcnn.apply(network, jcnn.init(jax.random.key(0), network, X.shape[1:], X.dtype), x)
        results.append(y - x if isinstance(network[0], jcnn.Residual) else y)
    np.testing.assert_allclose(results[1], results[0] * ratio, rtol=1e-12)


@pytest.mark.parametrize("labels", [np.array([0, 3]), np.array([0, -1])])
def test_labels_are_checked_before_a_network_is_compiled(labels: np.ndarray) -> None:
    network, params = CALLS["backprop"].arguments["network"], CALLS["backprop"].arguments["params"]
    for differentiate in (jcnn.value_and_grad, jcnn.backprop):
        with pytest.raises(ValueError, match=r"labels\[1\] = -?\d: expected a class number from 0 to 2"):
            differentiate(network, params, X.astype(np.float32), labels)


def test_what_has_a_barrier_can_be_within_any_transformation() -> None:
    @compiled()
    def held(x: Array) -> Array:
        return jax.lax.optimization_barrier(x + 1) * 2

    x = jnp.arange(4.0)
    np.testing.assert_array_equal(held(x), (x + 1) * 2)
    # Options of the compiler may not be given within another program.
    np.testing.assert_array_equal(jax.jit(lambda y: held(x) + y)(x), (x + 1) * 2 + x)
    np.testing.assert_array_equal(jax.vmap(held)(x), (x + 1) * 2)
    np.testing.assert_array_equal(jax.grad(lambda x: held(x).sum())(x), np.full(4, 2))
