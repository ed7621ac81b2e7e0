"""Layer descriptions: what they print, the shapes they promise, and that they compute the function they are named after."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import jcnn
from jcnn import Context, Layer, Ops, geometry, init
from tests.references import assert_agree, normal

# Each layer, an input it takes (one example), and the operation it stands for, given its parameters.
LAYERS: list[tuple[Layer, tuple[int, ...], Any]] = [
    (jcnn.Conv(6, 3), (7, 8, 2), lambda p, x: jcnn.conv(x, p["w"], p["b"])),
    (
        jcnn.Conv(4, (3, 2), stride=(2, 1), padding=((1, 0), (0, 1)), dilation=2, groups=2, bias=False, rounding="ceil"),
        (8, 7, 4),
        lambda p, x: jcnn.conv(x, p["w"], stride=(2, 1), padding=((1, 0), (0, 1)), dilation=2, groups=2, rounding="ceil"),
    ),
    (jcnn.Conv(2, 3, padding="same"), (9, 2), lambda p, x: jcnn.conv(x, p["w"], p["b"], padding="same")),
    (jcnn.Conv(2, 2), (3, 3, 3, 1), lambda p, x: jcnn.conv(x, p["w"], p["b"])),
    (jcnn.MaxPool(2), (7, 6, 3), lambda _, x: jcnn.max_pool(x, 2)),
    (
        jcnn.MaxPool(3, 2, 1, rounding="ceil"),
        (6, 6, 3),
        lambda _, x: jcnn.max_pool(x, 3, stride=2, padding=1, rounding="ceil"),
    ),
    (jcnn.AvgPool(3, stride=1, padding=1), (5, 3), lambda _, x: jcnn.avg_pool(x, 3, stride=1, padding=1)),
    (
        jcnn.AvgPool(3, stride=1, padding=1, count_padding=True),
        (5, 3),
        lambda _, x: jcnn.avg_pool(x, 3, stride=1, padding=1, count_padding=True),
    ),
    (jcnn.GlobalAvgPool(), (4, 5, 3), lambda _, x: jcnn.global_avg_pool(x)),
    (jcnn.GlobalMaxPool(), (4, 5, 3), lambda _, x: jcnn.global_max_pool(x)),
    (
        jcnn.IdentityConv(3, 3, stride=2, padding=1, groups=3),
        (5, 4, 6),
        lambda p, x: jcnn.conv(x, p["w"], p["b"], stride=2, padding=1, groups=3),
    ),
    (
        jcnn.ConvTranspose(4, (3, 2), stride=2, padding=1, groups=2, output_padding=1),
        (4, 5, 6),
        lambda p, x: jcnn.conv_transpose(x, p["w"], p["b"], stride=2, padding=1, groups=2, output_padding=1),
    ),
    (
        jcnn.ConvTranspose(2, 3, stride=2, padding="same", bias=False),
        (4, 3),
        lambda p, x: jcnn.conv_transpose(x, p["w"], stride=2, padding="same"),
    ),
    (jcnn.UpSample(2), (3, 4, 2), lambda _, x: jcnn.upsample(x, 2)),
    (jcnn.UpSample((2, 3), "linear"), (3, 4, 2), lambda _, x: jcnn.upsample(x, (2, 3), method="linear")),
    (jcnn.PadChannels(5), (3, 4, 2), lambda _, x: jnp.concatenate([x, jnp.zeros((*x.shape[:-1], 3))], -1)),
    (jcnn.PadChannels(2), (2,), lambda _, x: x),
    (jcnn.Scale(0.25), (3, 4), lambda _, x: x / 4),
    (jcnn.LayerNorm(), (3, 4), lambda p, x: jcnn.layer_norm(x, p["scale"], p["offset"])),
    (
        jcnn.LayerNorm("all", epsilon=0.1, offset=False),
        (3, 4),
        lambda p, x: jcnn.layer_norm(x, p["scale"], jnp.zeros(4), epsilon=0.1, axes="all"),
    ),
    (
        jcnn.GroupNorm(2, epsilon=0.1, scale=False),
        (3, 4),
        lambda p, x: jcnn.group_norm(x, jnp.ones(4), p["offset"], groups=2, epsilon=0.1),
    ),
    (
        jcnn.Gate((jcnn.GlobalAvgPool(), jcnn.Dense(3), jcnn.Sigmoid())),
        (4, 5, 3),
        lambda p, x: x * jcnn.sigmoid(jcnn.dense(jcnn.global_avg_pool(x), p["body"][1]["w"], p["body"][1]["b"]))[:, None, None],
    ),
    (jcnn.Gate(jcnn.Sigmoid()), (4, 3), lambda _, x: x * jcnn.sigmoid(x)),
    (jcnn.Flatten(), (4, 5, 3), lambda _, x: jcnn.flatten(x)),
    (jcnn.Dense(5), (7,), lambda p, x: jcnn.dense(x, p["w"], p["b"])),
    (jcnn.Dense(5, bias=False), (4, 4, 3), lambda p, x: jcnn.dense(x, p["w"])),
    (jcnn.Relu(), (3, 4), lambda _, x: jcnn.relu(x)),
    (jcnn.LeakyRelu(0.3), (3, 4), lambda _, x: jcnn.leaky_relu(x, 0.3)),
    (jcnn.Elu(2.0), (3, 4), lambda _, x: jcnn.elu(x, 2.0)),
    (jcnn.Selu(), (3, 4), lambda _, x: jcnn.selu(x)),
    (jcnn.Sigmoid(), (3, 4), lambda _, x: jcnn.sigmoid(x)),
    (jcnn.Tanh(), (3, 4), lambda _, x: jcnn.tanh(x)),
    (jcnn.Gelu(), (3, 4), lambda _, x: jcnn.gelu(x)),
    (jcnn.Softplus(), (3, 4), lambda _, x: jcnn.softplus(x)),
    (jcnn.Maxout(2), (3, 4), lambda _, x: jcnn.maxout(x, 2)),
    (
        jcnn.Residual((jcnn.Dense(4), jcnn.Tanh())),
        (3, 4),
        lambda p, x: x + jcnn.tanh(jcnn.dense(x, p["body"][0]["w"], p["body"][0]["b"])),
    ),
    (
        jcnn.Residual(jcnn.MaxPool(2), shortcut=jcnn.AvgPool(2)),
        (4, 6, 3),
        lambda _, x: jcnn.max_pool(x, 2) + jcnn.avg_pool(x, 2),
    ),
    (
        jcnn.Parallel(jcnn.Dense(2), (jcnn.Relu(), jcnn.Dense(3))),
        (3, 4),
        lambda p, x: jnp.concatenate(
            [jcnn.dense(x, p[0]["w"], p[0]["b"]), jcnn.dense(jcnn.relu(x), p[1][1]["w"], p[1][1]["b"])], -1
        ),
    ),
    (
        jcnn.Parallel(jcnn.MaxPool(2), jcnn.AvgPool(2), jcnn.MaxPool(1, 2), join="sum"),
        (4, 6, 3),
        lambda _, x: jcnn.max_pool(x, 2) + jcnn.avg_pool(x, 2) + x[:, ::2, ::2],
    ),
]


@pytest.mark.parametrize(("layer", "shape", "operation"), LAYERS, ids=[repr(layer) for layer, _, _ in LAYERS])
def test_a_layer_is_its_operation(layer: Layer, shape: tuple[int, ...], operation: Any) -> None:
    (params,) = init(jax.random.key(0), (layer,), shape, jnp.float64)
    # A bias of zero and a scale of one could be forgotten.
    params = jax.tree.map(lambda leaf: leaf + jnp.arange(1.0, 1.0 + leaf.size) if leaf.ndim == 1 else leaf, params)
    x = jnp.asarray(normal(2, *shape))
    y, _ = layer.forward(params, x)
    assert y.shape == (2, *layer.output_shape(shape))
    assert_agree(y, operation(params, x))


def test_every_public_layer_is_tested() -> None:
    """Those that keep something or draw have tests of their own."""
    public = {value for value in vars(jcnn).values() if isinstance(value, type) and issubclass(value, Layer)}
    assert public - {Layer} == {type(layer) for layer, _, _ in LAYERS} | {jcnn.BatchNorm, jcnn.Dropout, jcnn.Whiten}


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (jcnn.Conv(6, 5), "Conv(6, 5)"),
        (jcnn.Conv(6, (5, 3), padding="same", bias=False), "Conv(6, (5, 3), padding='same', bias=False)"),
        (jcnn.MaxPool(3, 2), "MaxPool(3, stride=2)"),
        (jcnn.Relu(), "Relu()"),
        (jcnn.LeakyRelu(0.2), "LeakyRelu(slope=0.2)"),
        (jcnn.Maxout(pieces=2), "Maxout(2)"),
        (jcnn.BatchNorm(), "BatchNorm()"),
        (jcnn.BatchNorm(0.4, scale=False), "BatchNorm(momentum=0.4, scale=False)"),
        (jcnn.GroupNorm(2, epsilon=0.1), "GroupNorm(2, epsilon=0.1)"),
        (jcnn.Dropout(0.5, spatial=True), "Dropout(0.5, spatial=True)"),
        (jcnn.Gate([jcnn.Relu()]), "Gate((Relu(),))"),
        (jcnn.Residual([jcnn.Conv(6, 5), jcnn.Relu()]), "Residual((Conv(6, 5), Relu()))"),
        (jcnn.Residual(jcnn.Relu(), jcnn.Tanh()), "Residual(Relu(), shortcut=Tanh())"),
        (jcnn.Parallel(jcnn.Relu(), [jcnn.Tanh()]), "Parallel(Relu(), (Tanh(),))"),
        (jcnn.Parallel(jcnn.Relu(), join="sum"), "Parallel(Relu(), join='sum')"),
    ],
)
def test_the_description_is_what_one_would_write(layer: Layer, text: str) -> None:
    assert repr(layer) == text
    assert eval(text, dict(vars(jcnn))) == layer  # noqa: S307 (the texts above)


def test_layers_are_values() -> None:
    assert jcnn.Conv(6, 5) == jcnn.Conv(6, 5, stride=1)
    assert hash(jcnn.Conv(6, (5, 5))) == hash(jcnn.Conv(6, (5, 5)))
    assert jcnn.MaxPool(2) != jcnn.AvgPool(2)
    assert hash(jcnn.Residual([jcnn.Relu(), [jcnn.Tanh()]])) == hash(jcnn.Residual((jcnn.Relu(), (jcnn.Tanh(),))))
    assert jcnn.Parallel(jcnn.Relu(), join="sum") != jcnn.Parallel(jcnn.Relu())


@pytest.mark.parametrize("shape", [(6, 2), (6, 5, 2), (6, 5, 4, 2)], ids=["1d", "2d", "3d"])
def test_multiply_adds_by_counting(shape: tuple[int, ...]) -> None:
    """One product for every output value, tap and input channel of its group."""
    rank = len(shape) - 1
    layer = jcnn.Conv(4, 3, padding=1, groups=2)
    assert layer.multiply_adds(shape) == math.prod(shape[:-1]) * 4 * 3**rank * (shape[-1] // 2)
    assert jcnn.Dense(7).multiply_adds((3, 4, 5)) == 3 * 4 * 5 * 7
    assert jcnn.MaxPool(2).multiply_adds(shape) == 0
    assert geometry.conv_multiply_adds((2, 2), (3, 3), 4, 6, groups=2) == 4 * 9 * 2 * 6


def test_ops_reach_the_operations() -> None:
    """A gradient by hand has no forward mode, which shows that it is in use."""
    x, by_hand = jnp.ones((1, 4, 4, 1)), Context(Ops(gradient="manual"))
    for layer in (jcnn.Conv(1, 3), jcnn.MaxPool(2)):
        (params,) = init(jax.random.key(0), (layer,), (4, 4, 1), jnp.float64)
        with pytest.raises(TypeError, match="has no forward mode"):
            jax.jvp(lambda x, layer=layer, params=params: layer.forward(params, x, by_hand)[0], (x,), (x,))
    with pytest.raises(ValueError, match="formulation='magic': expected one of 'lax'"):
        Ops(formulation="magic")  # pyright: ignore[reportArgumentType]
