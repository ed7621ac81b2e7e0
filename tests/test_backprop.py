"""Whole networks backwards by hand, against jax.grad."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jcnn import (
    PRESETS,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Elu,
    Flatten,
    Gate,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    IdentityConv,
    Layer,
    LayerNorm,
    LeakyRelu,
    Maxout,
    MaxPool,
    Ops,
    PadChannels,
    Relu,
    Residual,
    Scale,
    Selu,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample,
    Whiten,
    apply,
    backprop,
    init,
    init_state,
    squeeze_excitation,
    value_and_grad,
)
from tests.draws import DRAWS

LABELS = jnp.array([0, 2, 1, 2])
SHAPE = (9, 8, 4)
ACTIVATIONS = (Relu(), LeakyRelu(0.2), Elu(0.5), Selu(), Sigmoid(), Tanh(), Gelu(), Softplus(), Maxout(2))
NETWORKS: dict[str, tuple[Layer, ...]] = {
    "activations": (
        *(layer for activation in ACTIVATIONS for layer in (Dense(6), activation)),
        GlobalAvgPool(),
        Dense(3),
    ),
    "convolutions": (
        Conv(6, 3, stride=2, padding="same", groups=2, bias=False),
        Tanh(),
        Conv(6, (3, 2), dilation=(1, 2), padding=((0, 1), (2, 0)), groups=6),
        Conv(3, 2, stride=2, rounding="ceil"),
        GlobalMaxPool(),
    ),
    "poolings": (
        MaxPool(3, stride=2, padding=1),
        AvgPool(3, stride=2, rounding="ceil"),
        AvgPool(2, stride=1, padding=1, count_padding=True),
        Flatten(),
        Dense(3, bias=False),
    ),
    "normalisations": (
        *(BatchNorm(), Dense(6), BatchNorm(0.4, scale=False), Tanh(), GroupNorm(3, offset=False), Dropout(0.3)),
        *(LayerNorm("all"), Dropout(0.3, spatial=True), Dense(6), LayerNorm(), GlobalAvgPool(), Dense(3)),
    ),
    "blocks": (
        *(Whiten(2), IdentityConv(6, 3, padding=1), squeeze_excitation(6, ratio=3), Gate(Sigmoid())),
        Residual((Conv(6, 3, padding=1, bias=False), BatchNorm()), PadChannels(6)),
        *(ConvTranspose(4, (3, 2), stride=2, padding=1, groups=2), MaxPool(3)),
        *(UpSample(2), UpSample((1, 2), "linear"), GlobalMaxPool(), Dense(3), Scale(0.2)),
    ),
    "one dimension": (Conv(5, 3), Relu(), MaxPool(2), Flatten(), Dense(3)),
    "three dimensions": (Conv(5, 2), Relu(), AvgPool(2), Flatten(), Dense(3)),
}
DEEP_PRESETS = [name for name in PRESETS if name != "resnet56"]
"""It is a longer resnet20, which takes minutes to compile."""
SHAPES = {"one dimension": (9, 2), "three dimensions": (4, 5, 4, 2)}


def assert_agree(ours: Any, theirs: Any) -> None:
    """Leaf by leaf to 1e-12 of the leaf's largest value."""
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * max(float(jnp.abs(b).max()), 1e-3))


def kept(network: tuple[Any, ...], shape: tuple[int, ...]) -> dict[str, Any]:
    """What a step needs where layers keep something or draw."""
    return {"state": init_state(network, shape, jnp.float64), "key": jax.random.key(2)}


def batch(network: tuple[Layer, ...], shape: tuple[int, ...], dtype: Any = jnp.float64) -> tuple[Any, jax.Array]:
    return init(jax.random.key(0), network, shape, dtype), jax.random.normal(jax.random.key(1), (4, *shape), dtype)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_backwards(name: str) -> None:
    network, shape = NETWORKS[name], SHAPES.get(name, SHAPE)
    params, x = batch(network, shape)
    more = kept(network, shape)

    @jax.jit
    def both(params: Any, x: jax.Array) -> tuple[Any, Any]:
        return backprop(network, params, x, LABELS, **more), value_and_grad(network, params, x, LABELS, **more)

    assert_agree(*both(params, x))


def test_neither_needs_to_be_compiled() -> None:
    network = NETWORKS["one dimension"]
    params, x = batch(network, SHAPES["one dimension"])
    assert_agree(backprop(network, params, x, LABELS), value_and_grad(network, params, x, LABELS))


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1)], ids=["8x8", "28x28"])
@pytest.mark.parametrize("name", DEEP_PRESETS if DRAWS > 40 else ("small", "lecture", "lenet5"))
def test_the_presets_backwards(name: str, shape: tuple[int, ...]) -> None:
    network = PRESETS[name](shape, 10)
    params, x = batch(network, shape)
    more = kept(network, shape)
    by_hand = jax.jit(lambda params, x: backprop(network, params, x, LABELS, **more))(params, x)
    assert_agree(by_hand, jax.jit(lambda params, x: value_and_grad(network, params, x, LABELS, **more))(params, x))


@pytest.mark.parametrize("differentiate", [backprop, value_and_grad])
def test_distributions_as_labels(differentiate: Callable[..., Any]) -> None:
    network = (Flatten(), Dense(3))
    params, x = batch(network, SHAPE)
    one_hot = jax.nn.one_hot(LABELS, 3, dtype=x.dtype)
    assert_agree(differentiate(network, params, x, one_hot), backprop(network, params, x, LABELS))


def test_there_is_no_autodiff_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("autodiff was called")

    network = NETWORKS["convolutions"]
    params, x = batch(network, SHAPE)
    expected = value_and_grad(network, params, x, LABELS)
    for name in ("grad", "value_and_grad", "vjp", "jvp", "linearize", "linear_transpose"):
        monkeypatch.setattr(jax, name, forbidden)
    # Nothing that was compiled before takes its place.
    with jax.disable_jit():
        assert_agree(backprop(network, params, x, LABELS), expected)


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_over_four_devices_the_gradients_are_the_same(gradient: Any) -> None:
    network = (*NETWORKS["poolings"][:2], Conv(3, 2), GlobalAvgPool())
    params, x = batch(network, SHAPE)
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))

    def part(params: Any, x: jax.Array, labels: jax.Array) -> Any:
        mean = value_and_grad(network, params, x, labels, ops=Ops(gradient=gradient))
        return jax.lax.pmean(mean, "batch")

    sharded = jax.shard_map(
        part,
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec("batch"), PartitionSpec("batch")),
        out_specs=PartitionSpec(),
        check_vma=False,
    )
    assert_agree(jax.jit(sharded)(params, x, LABELS), backprop(network, params, x, LABELS))


def test_second_order_gradients_go_through_the_rule() -> None:
    network = (Conv(3, 2), Tanh(), MaxPool(2), Flatten(), Dense(3))
    params, x = batch(network, (5, 5, 2))

    @partial(jax.jit, static_argnums=1)
    @jax.grad
    def through(x: jax.Array, gradient: Any) -> jax.Array:
        _, gradients = value_and_grad(network, params, x, LABELS, ops=Ops(gradient=gradient))
        return jnp.stack([(leaf**2).sum() for leaf in jax.tree.leaves(gradients)]).sum()

    assert_agree(through(x, "manual"), through(x, "autodiff"))


def test_vmap_and_scan_go_through_the_rule() -> None:
    network = (Conv(3, 2), Relu(), MaxPool(2), Flatten(), Dense(3))
    params, x = batch(network, (5, 5, 2))
    many = jnp.stack([x, 2 * x, -x])
    ops = Ops(gradient="manual")
    by_hand = jax.jit(lambda x: backprop(network, params, x, LABELS))
    singly = [by_hand(one) for one in many]
    expected = jax.tree.map(lambda *leaves: jnp.stack(leaves), *singly)
    mapped = jax.jit(jax.vmap(lambda x: value_and_grad(network, params, x, LABELS, ops=ops)))(many)
    assert_agree(mapped, expected)
    _, scanned = jax.lax.scan(lambda carry, x: (carry, value_and_grad(network, params, x, LABELS, ops=ops)), 0, many)
    assert_agree(scanned, expected)


def test_forward_mode_over_the_rule_says_what_to_use() -> None:
    network = (Conv(3, 2), GlobalAvgPool())
    params, x = batch(network, (5, 5, 2))
    with pytest.raises(TypeError, match=r'has no forward mode .*use gradient="autodiff"'):
        jax.jvp(lambda x: apply(network, params, x, ops=Ops(gradient="manual")), (x,), (x,))
