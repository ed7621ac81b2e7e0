"""The gain of every activation keeps the signal: by an integral, and by networks of many layers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jcnn
from jcnn import Conv, Dense, Layer, apply, init
from jcnn.layers.activation import Activation
from tests.draws import DRAWS

ACTIVATIONS: list[Any] = [
    jcnn.Relu(),
    *(jcnn.LeakyRelu(slope) for slope in (0.0, 0.01, 0.5, 1.0, 5.0)),
    *(jcnn.Elu(alpha) for alpha in (0.1, 1.0, 3.0)),
    *(jcnn.Selu(), jcnn.Gelu(), jcnn.Softplus(), jcnn.Sigmoid(), jcnn.Tanh()),
    *(jcnn.Maxout(pieces) for pieces in (1, 2, 5)),
]
BOUNDED = (jcnn.Sigmoid, jcnn.Tanh)
every = pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)


def channels(activation: Any, wanted: int) -> int:
    """How many channels go in for so many to come out."""
    return wanted * getattr(activation, "pieces", 1)


def mean_square(activation: Any, gain: float) -> float:
    """E[f(g·z)²] by Gauss and Legendre, in panels that end where activations bend; of maxout, of the largest of k."""
    k = getattr(activation, "pieces", 1)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    z = (np.arange(-9, 9)[:, None] + (nodes + 1) / 2).ravel()
    y = np.asarray(activation.forward({}, jnp.asarray(np.repeat(gain * z[:, None], k, 1)))[0])[:, 0]
    density = k * scipy.stats.norm.cdf(z) ** (k - 1) * scipy.stats.norm.pdf(z)
    return float(np.tile(weights / 2, 18) @ (y**2 * density))


@every
def test_the_gain_by_an_integral(activation: Any) -> None:
    """Mean square 1 comes out, or where nothing of that size can, variance 1 goes into the next."""
    if isinstance(activation, BOUNDED):
        kept = activation.gain**2 * mean_square(activation, 1.0)
    else:
        kept = mean_square(activation, activation.gain)
    assert kept == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("activation", "variance"),
    [
        (jcnn.Relu(), 2.0),  # He et al. 2015, equation 10
        (jcnn.LeakyRelu(0.25), 2 / (1 + 0.25**2)),  # equation 15
        (jcnn.Selu(), 1.0),  # Klambauer et al. 2017, section "Initialization"
        (jcnn.Elu(1e-300), 2.0),  # as good as relu
        (jcnn.LeakyRelu(1.0), 1.0),
        (jcnn.Maxout(2), 1.0),  # the mean square of the larger of two, and that of the smaller, are together 2
    ],
    ids=repr,
)
def test_known_gains(activation: Any, variance: float) -> None:
    assert activation.gain**2 == pytest.approx(variance, rel=1e-9)


def test_every_activation_is_tested() -> None:
    public = {value for value in vars(jcnn).values() if isinstance(value, type) and issubclass(value, Activation)}
    assert public - {Activation} == {type(activation) for activation in ACTIVATIONS}


LAYERS, WIDTH, SEEDS = 20, 256, 12 if DRAWS > 40 else 3
FEW = [jcnn.Relu(), jcnn.Elu(1.0), jcnn.Gelu(), jcnn.Tanh(), jcnn.Maxout(2)]


@pytest.mark.parametrize("activation", [*ACTIVATIONS, None] if DRAWS > 40 else FEW, ids=repr)
def test_twenty_layers_keep_the_signal(activation: Any) -> None:
    """E[a²] behind the twentieth over that behind the first, the geometric mean over seeds.

    Of 256 units the mean square scatters by 10 % a layer, which relu carries on and gelu enlarges: of one seed alone it may
    well be 0.2 or 4 in the end.
    """
    stage: tuple[Layer, ...] = (Dense(channels(activation, WIDTH)), *([activation] if activation else []))

    @jax.jit
    def squares(key: jax.Array) -> jax.Array:
        def layer(x: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
            x = apply(stage, init(key, stage, (WIDTH,), jnp.float32), x)
            return x, jnp.square(x).mean()

        x = jax.random.normal(jax.random.fold_in(key, 0), (32, WIDTH), jnp.float32)
        return jax.lax.scan(layer, x, jax.random.split(key, LAYERS))[1]

    ends = np.array([squares(jax.random.key(seed))[jnp.array([0, -1])] for seed in range(SEEDS)], np.float64)
    assert 0.5 <= np.exp(np.log(ends[:, 1] / ends[:, 0]).mean()) <= 2


@pytest.mark.parametrize("activation", FEW, ids=repr)
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda many: Conv(many, 3, padding="same"), (9, 9, 64)),
        (lambda many: Conv(many, 5, groups=4), (20, 64)),
        (Dense, (4, 4, 100)),
    ],
    ids=["2-D", "1-D in groups", "at every pixel"],
)
def test_layers_of_any_kind_give_what_the_activation_can(activation: Any, layer: Any, shape: tuple[int, ...]) -> None:
    """Inputs of mean square 1, seen by whole windows, become activations of mean square E[f(g·z)²], 1 but for the bounded."""
    network = (layer(channels(activation, 400)), activation)
    x = jax.random.normal(jax.random.key(1), (1, *shape), jnp.float32)
    y = apply(network, init(jax.random.key(0), network, shape), x)
    inner = y[:, 1:-1, 1:-1] if shape == (9, 9, 64) else y
    expected = mean_square(activation, activation.gain) if isinstance(activation, BOUNDED) else 1.0
    # The mean square of some hundred inputs scatters by a tenth.
    assert float(jnp.square(inner).mean()) == pytest.approx(expected, rel=0.2)


def test_the_squared_gains_that_init_tells_are_these() -> None:
    told = " ".join(str(init.__doc__).split())
    gelu, elu, softplus, tanh, sigmoid = (
        layer.gain**2 for layer in (jcnn.Gelu(), jcnn.Elu(), jcnn.Softplus(), jcnn.Tanh(), jcnn.Sigmoid())
    )
    assert f"{gelu:.2f} for gelu, {elu:.2f} for elu, {softplus:.2f} for softplus" in told
    assert f"g² = {tanh:.2f} and {sigmoid:.2f}" in told
