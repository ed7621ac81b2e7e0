"""A layer from a user's own module works wherever one of ours does."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import jcnn
from jcnn import Conv, Dense, Flatten, NetworkError, Ops, Parallel, Relu, Residual
from jcnn.data.digits import load_digits
from jcnn.figures import Run, render
from jcnn.layers import Context, Layer, Shape
from jcnn.layers.base import EVALUATION
from jcnn.training import checkpoint
from jcnn.training.checkpoint import CheckpointError
from jcnn.training.config import Config
from jcnn.training.step import initial_state, make_run_steps
from tests.layers.users_layers import Gated

NETWORK = (
    *(Conv(4, 3, padding=1, stride=2), Relu(), Gated(3)),
    Residual((Gated(3), Gated(3))),
    Parallel(Gated(2), (Gated(1), Relu())),
    *(Flatten(), Dense(10)),
)
SHAPE = (8, 8, 1)
DATA = {"name": "digits", "input_shape": [8, 8, 1], "class_names": ["a", "b"], "fingerprint": "0" * 64}
NAMES = ["the mix/0/left", "the mix/0/right", "γ/scale"]


@dataclass(frozen=True, repr=False)
class Silent(Layer):
    """Says neither what it costs nor what it sees."""


@dataclass(frozen=True, repr=False)
class Moving(Layer):
    """Says what it sees by fields."""

    window: Any
    stride: Any
    padding: Any
    dilation: Any
    rounding: Any


@dataclass(frozen=True, repr=False)
class Costly(Layer):
    """Says what it is told to say of its cost."""

    count: Any

    def multiply_adds(self, shape: Shape) -> Any:
        return self.count


def test_its_gradients_by_hand_and_by_autodiff() -> None:
    params = jcnn.init(jax.random.key(0), NETWORK, SHAPE, jnp.float64)
    x, labels = jax.random.uniform(jax.random.key(1), (4, *SHAPE), jnp.float64), jnp.array([0, 3, 9, 3])
    both = jax.jit(lambda p: (jcnn.backprop(NETWORK, p, x, labels), jcnn.value_and_grad(NETWORK, p, x, labels)))
    by_hand, derived = both(params)
    assert jax.tree.structure(by_hand[1]) == jax.tree.structure(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14), by_hand, derived)


def test_its_row_in_the_summary() -> None:
    rows = {row.place: row for row in jcnn.summary(NETWORK, SHAPE).rows}
    assert (rows["3"].layer, rows["3"].parameters, rows["3"].multiply_adds) == ("Gated(3)", 2 * 4 * 3 + 1, 24)
    assert (rows["5.2.1"].layer, rows["5.2.1"].parameters) == ("Gated(1)", 2 * 3 * 1 + 1)


def test_what_a_layer_does_not_say_is_not_made_up() -> None:
    """From it on no receptive field is known, and where it stands inside of another layer, of that one neither."""
    network = (Conv(4, 3), Parallel((Conv(2, 3), Silent()), Conv(2, 3)), Conv(2, 1), Silent(), Flatten(), Dense(2))
    table = jcnn.summary(network, SHAPE)
    rows = {row.place: row for row in table.rows}
    assert {place for place, row in rows.items() if row.multiply_adds is None} == {"2", "2.1.2", "4"}
    unknown = {place for place, row in rows.items() if row.receptive_field[1:] == (None, None, None)}
    assert unknown == {"2", "2.1.2", "3", "4", "5", "6"}
    assert rows["2.1.1"].receptive_field.size == rows["2.2"].receptive_field.size == (5, 5)
    known = (6 * 6 * 4 * 9, *2 * [4 * 4 * 2 * 9 * 4], 4 * 4 * 2 * 4, 4 * 4 * 2 * 2)
    assert (table.multiply_adds, table.flops) == (sum(known), 2 * sum(known))
    lines = [line.split() for line in str(table).splitlines()]
    assert next(line[-4:] for line in lines if line[0] == "2.1.2") == ["0", "?", "?", "?"]
    assert lines[-1] == ["total", "264", "at", "least", "3,792"]
    assert "at least" not in str(jcnn.summary(network[:1], SHAPE))


@pytest.mark.parametrize("shape", [(12, 2), (12, 11, 2)], ids=["1-D", "2-D"])
@pytest.mark.parametrize(
    "ours",
    [Conv(2, 1), Conv(2, 3, stride=2, padding=1), Conv(2, 2, dilation=3, padding="same"), jcnn.MaxPool(2, rounding="ceil")],
    ids=repr,
)
def test_a_layer_that_says_its_window_has_the_receptive_field_of_ours(ours: Any, shape: Shape) -> None:
    options = {name: getattr(ours, name) for name in ("window", "stride", "padding", "dilation", "rounding")}
    theirs = Moving(**options)
    before, after = Conv(2, 3), Conv(2, 2)
    expected, found = (jcnn.receptive_field((before, layer, after), shape[:-1]) for layer in (ours, theirs))
    assert [field[1:] for field in found] == [field[1:] for field in expected]


@pytest.mark.parametrize("count", [1.5, -1, "3", (3,), True], ids=repr)
def test_a_cost_that_is_no_number_is_refused_by_the_layer_s_place(count: Any) -> None:
    with pytest.raises(NetworkError, match=r"layer 2\.1, Costly\(.*\): multiply_adds=.*expected an int.*None"):
        jcnn.summary((Relu(), Residual(Costly(count))), SHAPE)
    assert jcnn.summary((Costly(np.int64(7)),), SHAPE).multiply_adds == 7


def test_a_network_with_it_trains_is_stopped_and_goes_on(tmp_path: Path) -> None:
    """The checkpoint names its parameters by their path, and what goes on from it has the bits of what went through."""
    train = load_digits("train")
    images, labels = jnp.asarray(train.images[:64]), jnp.asarray(train.labels[:64])
    config = replace(Config(), batch_size=16, epochs=2, augment=False)
    steps = make_run_steps(config, NETWORK, 64, Ops(gradient="manual"))
    whole, _ = steps(initial_state(config, NETWORK, SHAPE, 8), images, labels, 0, 8)
    half, _ = steps(initial_state(config, NETWORK, SHAPE, 8), images, labels, 0, 5)
    path = checkpoint.save(tmp_path, half, step=5, seed=0, config={"epochs": 2, "seed": 0}, data=DATA)
    found = checkpoint.load(path)
    kept = [name.removeprefix("params/") for name in found.arrays if name.startswith("params/")]
    assert [f"2/{name}" for name in NAMES] == [name for name in kept if name.startswith("2/")]
    assert {f"3/body/1/{name}" for name in NAMES} | {f"4/1/0/{name}" for name in NAMES} <= set(kept)
    restored = checkpoint.restore(found, jax.eval_shape(lambda: initial_state(config, NETWORK, SHAPE, 8)))
    again, _ = steps(restored, images, labels, 5, 8)
    jax.tree.map(np.testing.assert_array_equal, again, whole)
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), again.params, initial_state(config, NETWORK, SHAPE, 8).params)
    assert jax.tree.all(moved[2])


def test_names_that_would_be_one_in_a_checkpoint(tmp_path: Path) -> None:
    state: Any = {"params": {"a": {"b": jnp.ones(2)}, "a/b": jnp.zeros(2)}}
    with pytest.raises(CheckpointError, match="two arrays of the state are both called params/a/b"):
        checkpoint.save(tmp_path, state, step=1, seed=0, config={"epochs": 2, "seed": 0}, data=DATA)
    assert list(tmp_path.iterdir()) == []


def test_the_report_of_a_run_with_it() -> None:
    test = load_digits("test")
    few = test._replace(images=test.images[:6], labels=test.labels[:6])
    params = jcnn.init(jax.random.key(0), NETWORK, SHAPE)
    run = Run("nested", {}, {}, {"accuracy": "10 %"}, NETWORK, params, [], few, np.full((6, 10), 0.1), "")
    page = render(run)
    for words in (">Residual<", ">Parallel<", ">Gated(3)<", ">5.2.1<", "filters of 3×3 pixels of layer 1,"):
        assert words in page


@dataclass(frozen=True, repr=False)
class Scaled(Layer):
    """A user's layer with another inside and a parameter beside it: factor · inner(x)."""

    inner: Layer

    @property
    def branches(self) -> dict[str, Any]:
        return {"inner": self.inner}

    def output_shape(self, shape: Shape) -> Shape:
        return self.inner.output_shape(shape)

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> Any:
        return {"inner": self.inner.init(key, shape, gain, dtype), "factor": jnp.asarray(2.0, dtype)}

    def forward(self, params: Any, x: Array, context: Context = EVALUATION) -> tuple[Array, Any]:
        y, saved = self.inner.forward(params["inner"], x, context.inside(1, "inner"))
        return params["factor"] * y, (y, saved)

    def backward(self, params: Any, saved: Any, dy: Array) -> tuple[Array, Any]:
        y, inside = saved
        dx, gradients = self.inner.backward(params["inner"], inside, dy * params["factor"])
        return dx, {"inner": gradients, "factor": (dy * y).sum()}


def test_a_user_s_layer_may_be_made_of_others() -> None:
    network = (Flatten(), Scaled(Dense(3)))
    params = jcnn.init(jax.random.key(0), network, (4,), jnp.float64)
    rows = {row.place: (row.layer, row.parameters, row.multiply_adds) for row in jcnn.summary(network, (4,)).rows}
    assert rows == {"1": ("Flatten()", 0, 0), "2": ("Scaled", 1, None), "2.1": ("Dense(3)", 15, 12)}
    x, labels = jax.random.normal(jax.random.key(1), (4, 4), jnp.float64), jnp.array([0, 2, 1, 2])
    by_hand, derived = (way(network, params, x, labels) for way in (jcnn.backprop, jcnn.value_and_grad))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14), by_hand, derived)
    with pytest.raises(NetworkError, match=r"params\[1\]\['inner'\] has w: layer 2\.1, Dense\(3\), takes b, w"):
        jcnn.apply(network, ({}, {**params[1], "inner": {"w": params[1]["inner"]["w"]}}), x)
    with pytest.raises(NetworkError, match=r"params\[1\] has none: layer 2, Scaled\(Dense\(3\)\), takes factor"):
        jcnn.apply(network, ({}, {"inner": params[1]["inner"]}), x)
