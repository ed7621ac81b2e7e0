"""Networks that nest: their values, gradients, shapes and receptive fields, against what they are by definition."""

# Wrong types are the point of some.
# pyright: reportArgumentType=false

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import jcnn
from jcnn import (
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    NetworkError,
    Ops,
    Parallel,
    Relu,
    Residual,
    Tanh,
    apply,
    backprop,
    init,
    receptive_field,
    value_and_grad,
)
from jcnn.geometry import DEEPEST, GeometryError
from jcnn.layers import Context
from jcnn.layers.composite import as_layer
from jcnn.network import activations, outputs_in_turn, trace
from tests.draws import draws
from tests.layers.networks import nested, resnet8
from tests.layers.users_layers import Gated, Noise

KEY = jax.random.key(3)


def assert_agree(ours: Any, theirs: Any, tolerance: float = 1e-10) -> None:
    """Leaf by leaf, to so much of the leaf's largest value."""
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(float(jnp.abs(b).max()), 1e-3))


@given(st.data())
@draws(8)
def test_random_nested_networks(data: st.DataObject) -> None:
    """By hand as by autodiff; and the shapes foretold, of outputs, of parameters, of every layer in turn, are those found."""
    body, _, stride = data.draw(nested(2))
    assume(stride <= 8)
    network, shape = (*body, GlobalAvgPool(), Dense(3)), (8, 2)
    params, x = init(KEY, network, shape, jnp.float64), jax.random.normal(KEY, (3, *shape), jnp.float64)
    labels = jnp.array([0, 2, 1])

    @jax.jit
    def both(params: Any) -> Any:
        return backprop(network, params, x, labels), value_and_grad(network, params, x, labels)

    assert_agree(*both(params))
    steps = trace(network, shape)
    found = jax.eval_shape(lambda params: activations(network, params, x), params)
    assert [y.shape[1:] for y in found] == [step.output_shape for step in outputs_in_turn(steps)]
    assert found[-1].shape[1:] == steps[-1].output_shape
    assert jcnn.count_parameters(network, shape) == sum(leaf.size for leaf in jax.tree.leaves(params))


@given(st.data())
@draws(8)
def test_the_receptive_field_is_what_an_output_feels(data: st.DataObject) -> None:
    """With weights of 1, an output's gradient is above zero from the first to the last pixel that it sees."""
    network, _, _ = data.draw(nested(1, linear=True))
    shape = (48, 1)
    field = receptive_field(network, shape[:-1])[-1]
    params = jax.tree.map(jnp.ones_like, init(KEY, network, shape, jnp.float64))
    output = trace(network, shape)[-1].output_shape[0] // 2
    felt = jax.jit(jax.grad(lambda x: apply(network, params, x)[0, output].sum()))(jnp.ones((1, *shape)))
    hit = np.flatnonzero(np.asarray(felt).any((0, 2)))
    ((size,), (jump,), (start,)) = field[1:]
    first = start + output * jump
    assert (hit.min(), hit.max()) == (max(first, 0), min(first + size, shape[0]) - 1)


@pytest.fixture(scope="module")
def deep() -> tuple[Any, Any, jax.Array, jax.Array]:
    """A ResNet-8 on pictures of 32×32×3, its parameters, and a batch, in float64."""
    network = resnet8(4)
    images = jax.random.uniform(KEY, (6, 32, 32, 3), jnp.float64)
    return network, init(KEY, network, (32, 32, 3), jnp.float64), images, jnp.arange(6)


WAYS: dict[str, Callable[..., Any]] = {
    "autodiff": value_and_grad,
    "by rules": lambda *args: value_and_grad(*args, ops=Ops(gradient="manual")),
    "by hand": backprop,
    "by hand, fast": lambda *args: backprop(*args, ops=Ops("auto", "manual")),
}


def test_a_resnet_learns_the_same_by_autodiff_and_by_hand(deep: tuple[Any, Any, jax.Array, jax.Array]) -> None:
    """Parameters after three steps of SGD."""
    network, params, x, labels = deep

    def trained(differentiate: Callable[..., Any]) -> Any:
        @jax.jit
        def step(params: Any) -> Any:
            loss, gradients = differentiate(network, params, x, labels)
            return loss, gradients, jax.tree.map(lambda p, g: p - 0.05 * g, params, gradients)

        after, results = params, []
        for _ in range(3):
            loss, gradients, after = step(after)
            results.append((loss, gradients, after))
        return results

    expected = trained(WAYS["autodiff"])
    assert float(expected[2][0]) < float(expected[0][0])
    for name in ("by rules", "by hand", "by hand, fast"):
        assert_agree(trained(WAYS[name]), expected)


def test_a_resnet_is_summarised(deep: tuple[Any, Any, jax.Array, jax.Array]) -> None:
    network, params, _, _ = deep
    table = jcnn.summary(network, (32, 32, 3))
    rows = {row.place: row for row in table.rows}
    assert [*rows][:8] == ["1", "2", "3.1", "3.1.1.1", "3.1.1.2", "3.1.1.3", "3.2", "4.1"]
    assert [*rows][-3:] == ["5.2", "6", "7"]
    assert rows["4.1"].layer == "Residual"
    assert (rows["4.1"].output_shape, rows["4.1"].parameters, rows["4.1"].multiply_adds) == ((16, 16, 8), 0, 0)
    assert rows["4.1.2"].layer == "Conv(8, 1, stride=2)"
    assert (rows["4.1.2"].parameters, rows["4.1.2"].multiply_adds) == (4 * 8 + 8, 16 * 16 * 4 * 8)
    # Behind 3×3, twice 3×3, and 3×3 in steps of two and 3×3 of those; the shortcut sees less, where it stands.
    assert (rows["4.1"].receptive_field.size, rows["4.1"].receptive_field.jump) == ((13, 13), (2, 2))
    assert (rows["4.1.2"].receptive_field.size, rows["4.1.2"].receptive_field.start) == ((7, 7), (-3, -3))
    assert table.parameters == sum(leaf.size for leaf in jax.tree.leaves(params)) == sum(row.parameters for row in table.rows)
    convs = [(3, 3, 4, 32)] + [(3, 4, 4, 32)] * 2 + [(3, 4, 8, 16), (3, 8, 8, 16), (1, 4, 8, 16)]
    convs += [(3, 8, 16, 8), (3, 16, 16, 8), (1, 8, 16, 8)]
    assert table.multiply_adds == sum(f * f * c * k * n * n for f, c, k, n in convs) + 16 * 10
    lines = str(table).splitlines()
    assert [line.split()[0] for line in lines[2:6]] == ["1", "2", "3.1", "3.1.1.1"]


def test_a_tuple_in_a_network_is_its_layers_in_turn() -> None:
    flat, shape = (Conv(4, 3), Relu(), MaxPool(2), Flatten(), Dense(3)), (8, 8, 2)
    deeper = ((Conv(4, 3), Relu()), [[MaxPool(2)], Flatten()], Dense(3))
    conv, _, _, _, dense = params = init(KEY, flat, shape)
    regrouped = ((conv, {}), (({},), {}), dense)
    assert jax.tree.structure(init(KEY, deeper, shape)) == jax.tree.structure(regrouped)
    x = jnp.ones((2, *shape), jnp.float32)
    for one, other in zip(activations(deeper, regrouped, x), activations(flat, params, x), strict=True):
        np.testing.assert_array_equal(one, other)
    tables = [jcnn.summary(network, shape) for network in (flat, deeper)]
    assert [row[1:6] for row in tables[0].rows] == [row[1:6] for row in tables[1].rows]
    assert [row.place for row in tables[1].rows] == ["1.1", "1.2", "2.1.1", "2.2", "3"]


@pytest.mark.parametrize(
    ("network", "weights", "variance"),
    [
        (((Dense(900),), Relu()), lambda p: p[0][0], 2 / 100),
        ((Dense(900), (Relu(), Dense(3))), lambda p: p[0], 2 / 100),
        ((Dense(900), Residual((Relu(), Dense(900)))), lambda p: p[0], 2 / 100),
        ((Dense(900), Residual((Dense(900), Relu()))), lambda p: p[0], 2 / 1000),
        ((Residual(Dense(100)), Relu()), lambda p: p[0]["body"], 2 / 100),
        ((Parallel((Dense(900), Relu()), Dense(900)),), lambda p: p[0][0][0], 2 / 100),
        ((Parallel((Dense(900), Relu()), Dense(900)),), lambda p: p[0][1], 2 / 1000),
        ((Dense(900), Parallel(MaxPool(1), MaxPool(1)), Relu()), lambda p: p[0], 2 / 100),
    ],
    ids=["behind", "first in a tuple", "first in a body", "weights first", "sum", "branch", "other branch", "beyond branches"],
)
def test_weights_are_drawn_for_the_activation_that_comes_next(network: Any, weights: Any, variance: float) -> None:
    w = weights(init(KEY, network, (4, 100), jnp.float64))["w"]
    assert float(w.var()) == pytest.approx(variance, rel=5 * (2 / w.size) ** 0.5)


def test_equal_layers_in_branches_are_drawn_apart() -> None:
    ((one, other), more) = init(KEY, (Parallel(Dense(4), Dense(4), join="sum"), Residual(Dense(4), Dense(4))), (4,))
    drawn = [one["w"], other["w"], more["body"]["w"], more["shortcut"]["w"]]
    assert len({w.tobytes() for w in map(np.asarray, drawn)}) == 4


@pytest.mark.parametrize(
    ("call", "pieces"),
    [
        (
            lambda: jcnn.summary((Relu(), Residual((Conv(4, 3, padding=1), (Relu(), Conv(4, 9))))), (6, 6, 4)),
            ["layer 2.1.2.2, Conv(4, 9), does not fit its input (6, 6, 4)", "N=6, F=9", "→ (6, 6, 4) → (6, 6, 4)"],
        ),
        (
            lambda: jcnn.summary((Relu(), Residual(Conv(4, 3))), (6, 6, 4)),
            [
                "layer 2, Residual(Conv(4, 3)), does not fit",
                "the body gives (4, 4, 4), the input is (6, 6, 4)",
                "a shortcut can",
            ],
        ),
        (
            lambda: jcnn.summary(((Residual(Conv(4, 3), Conv(8, 3)),),), (6, 6, 4)),
            ["layer 1.1, Residual", "the body gives (4, 4, 4), the shortcut gives (4, 4, 8): expected one shape"],
        ),
        (
            lambda: jcnn.summary((Parallel(Conv(4, 3), Conv(4, 1)),), (6, 6, 4)),
            ["layer 1, Parallel", "the branches give (4, 4, 4), (6, 6, 4): expected shapes that differ in their channels only"],
        ),
        (
            lambda: jcnn.summary((Parallel(Conv(4, 3), Conv(5, 3), join="sum"),), (6, 6, 4)),
            ["layer 1, Parallel", "the branches give (4, 4, 4), (4, 4, 5): expected one shape"],
        ),
        (lambda: jcnn.summary((Relu(), (Tanh(), Relu)), (4,)), ["layer 2.2 is <class", "write Relu(…)"]),
        (lambda: jcnn.summary((Relu(), ()), (4,)), ["layer 2 is (): expected a layer description"]),
        (lambda: Residual((Relu(), 3)), ["body.2 is 3: expected a layer"]),
        (lambda: Residual(Relu(), shortcut=Tanh), ["shortcut is <class", "write Tanh(…)"]),
        (Parallel, ["expected at least one branch"]),
        (lambda: Parallel(Relu(), [None]), ["branch 2.1 is None: expected a layer"]),
        (lambda: Parallel(Relu(), join="add"), ["join='add': expected 'sum' or 'concat'"]),
    ],
)
def test_refused_by_place(call: Callable[[], Any], pieces: list[str]) -> None:
    with pytest.raises(ValueError, match=re.escape(pieces[0])) as caught:
        call()
    for piece in pieces:
        assert piece in str(caught.value)


NET, SHAPE = (Residual((Dense(4), Relu())), Parallel((Gated(2),), Relu())), (4,)


@pytest.mark.parametrize(
    ("change", "pieces"),
    [
        (lambda p: ({}, p[1]), ["params[0] has none: layer 1, Residual(", "takes body"]),
        (lambda p: ({"body": p[0]["body"][:1]}, p[1]), ["params[0]['body'] has 1 entries: expected 2", "layer 1.1"]),
        (
            lambda p: ({"body": ({"w": jnp.ones((4, 4))}, {})}, p[1]),
            ["params[0]['body'][0] has w: layer 1.1.1, Dense(4), takes b, w for its input (4,)"],
        ),
        (lambda p: (p[0], p[1][:1]), ["params[1] has 1 entries: expected 2, one pytree per layer of layer 2"]),
        (
            lambda p: (p[0], (({"the mix": p[1][0][0]["the mix"]},), {})),
            ["params[1][0][0] has the mix/0/left, the mix/0/right: layer 2.1.1, Gated(2)", "γ/scale"],
        ),
        (
            lambda p: (p[0], (jax.tree.map(lambda leaf: jnp.ones((*leaf.shape, 1)), p[1][0]), {})),
            ["params[1][0][0]['the mix'][0].left has shape (4, 2, 1): expected (4, 2)", "layer 2.1.1"],
        ),
    ],
    ids=["a branch", "layers of a body", "parameters in a body", "branches", "names of a user's", "shape of a user's"],
)
def test_parameters_refused_by_place(change: Callable[[Any], Any], pieces: list[str]) -> None:
    params = init(KEY, NET, SHAPE, jnp.float64)
    with pytest.raises(NetworkError, match=re.escape(pieces[0])) as caught:
        apply(NET, change(params), jnp.ones((2, 4)))
    for piece in pieces[1:]:
        assert piece in str(caught.value)


def test_backprop_takes_the_fast_ways_of_its_ops() -> None:
    """Minimal filtering leaves XLA's convolution out, forward, for dx and for dw."""
    network = (Conv(64, 3, padding=1), Conv(64, 3, padding=1), GlobalAvgPool())
    params = jax.eval_shape(lambda: init(KEY, network, (8, 8, 64)))
    x = jax.ShapeDtypeStruct((2, 8, 8, 64), jnp.float32)

    def convolutions(ops: Ops) -> int:
        program = jax.jit(lambda params, x: backprop(network, params, x, jnp.arange(2), ops=ops)).lower(params, x)
        return program.as_text().count("stablehlo.convolution")

    assert convolutions(Ops("lax")) > 0
    assert convolutions(Ops("auto", "manual")) == 0


def test_every_layer_has_a_key_and_a_state_of_its_own() -> None:
    layer = as_layer((Noise(), Residual((Noise(), Noise())), Parallel(Noise(), Noise())))
    params = layer.init(KEY, (3,), None, jnp.float64)
    state = (1.0, {"body": (10.0, 100.0)}, (1000.0, 10000.0))
    x = jnp.zeros((2, 3))
    told, _ = layer.forward(params, x, Context(state=state))
    np.testing.assert_array_equal(told[0], [1112.0] * 3 + [10112.0] * 3)
    noisy = np.asarray(layer.forward(params, x, Context(training=True, key=KEY))[0])
    assert len(set(noisy.ravel().tolist())) == noisy.size
    np.testing.assert_array_equal(layer.forward(params, x, Context(key=KEY))[0], np.zeros((2, 6)))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_joins_round_once(dtype: str) -> None:
    """1 + ε/2 + ε/2, of which each alone would be rounded away, is 1 + ε; on the way back as on the way forward."""
    half = float(jnp.finfo(dtype).eps) / 2

    class Times(jcnn.Layer):
        def __init__(self, factor: float) -> None:
            self._keep(factor=factor)

        def forward(self, params: Any, x: jax.Array, context: Any = None) -> Any:
            return x * jnp.asarray(getattr(self, "factor"), x.dtype), None  # noqa: B009

        def backward(self, params: Any, saved: Any, dy: jax.Array) -> Any:
            return self.forward({}, dy)[0], {}

    layer, x = Parallel(Times(1.0), Times(half), Times(half), join="sum"), jnp.ones((1, 1), dtype)
    y, saved = layer.forward(({}, {}, {}), x)
    assert float(y[0, 0]) == float(layer.backward(({}, {}, {}), saved, x)[0][0, 0]) == 1 + 2 * half


@pytest.mark.parametrize(
    "layer",
    [Parallel(Dense(2), (Tanh(), Dense(3))), Parallel(Dense(3), Tanh(), join="sum"), Residual(Tanh(), Dense(3))],
    ids=["channels of two and three", "sum", "shortcut"],
)
def test_a_join_goes_back_as_autodiff(layer: jcnn.Layer) -> None:
    params, x = layer.init(KEY, (3,), None, jnp.float64), jax.random.normal(KEY, (4, 3), jnp.float64)
    (y, saved), pull = layer.forward(params, x), jax.vjp(lambda params, x: layer.forward(params, x)[0], params, x)[1]
    dy = jax.random.normal(jax.random.key(1), y.shape, jnp.float64)
    dx, gradients = layer.backward(params, saved, dy)
    assert_agree((gradients, dx), pull(dy))


def test_the_identity_is_a_path_of_its_own() -> None:
    """The first output of the body sees the padding only, the identity the first pixel."""
    body = Conv(1, 1, stride=2, padding=1)
    assert receptive_field((body,), (2,))[-1][1:] == ((1,), (2,), (-1,))
    field = receptive_field((Residual(body),), (2,))[-1]
    assert (field.name, field.size, field.start) == ("Residual", (2,), (-1,))


def test_paths_that_look_to_different_sides_see_more_than_each() -> None:
    sides = [Conv(1, 3, padding=((2, 0),)), Conv(1, 3, padding=((0, 2),))]
    (field,) = receptive_field((Parallel(*sides),), (8,))
    assert field == ("Parallel", (5,), (1,), (-2,))


@pytest.mark.parametrize("depth", [20, 200, 10**4])
def test_tuples_nest_so_deep_and_no_deeper(depth: int) -> None:
    inside: Any = jcnn.Relu()
    for _ in range(depth):
        inside = (inside,)
    if depth <= DEEPEST:
        assert jcnn.receptive_field((inside,))
        assert jcnn.summary((inside,), (4, 4, 1))
        return
    with pytest.raises(NetworkError, match=f"layer 1: tuples nest more than {DEEPEST} deep"):
        jcnn.init(jax.random.key(0), (inside,), (4, 4, 1))
    with pytest.raises(GeometryError, match=r"layers\[0\]: layers nest more than"):
        jcnn.receptive_field((inside,))
