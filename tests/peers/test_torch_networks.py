"""Whole networks, and layers of any geometry, against PyTorch's: values, gradients, running statistics, in float64.

Training and evaluation. What is dropped out is drawn by our keys on both sides.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jcnn
from jcnn.layers.composite import as_layer

torch = pytest.importorskip("torch", reason="PyTorch is not installed here; `make test-peers` installs it")
functional = torch.nn.functional

KEY = jax.random.key(0)
DRAWS = 40
ROOM = {1: 9, 2: 6, 3: 4}


def numbers(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def tensors(tree: Any) -> Any:
    """Leaves of their own, whose gradients PyTorch takes down."""
    return jax.tree.map(lambda leaf: torch.tensor(np.asarray(leaf), requires_grad=True), tree)


def beside(values: Any, x: Any) -> Any:
    """One number a channel, (C,), beside x, (N, C, *S)."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def assert_agree(ours: Any, theirs: Any) -> None:
    """Leaf by leaf to 1e-11 of the largest value of all: a gradient that is 0 but for rounding has no size of its own."""
    ours, theirs = jax.tree.leaves(ours), [np.asarray(leaf) for leaf in jax.tree.leaves(theirs)]
    largest = max(float(np.abs(leaf).max()) for leaf in theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-11 * largest)


class Pass:
    """A forward pass by PyTorch, channels first; in training it moves the running statistics in place."""

    def __init__(self, training: bool) -> None:
        self.training = training

    def layer(self, layer: Any, w: Any, kept: Any, x: Any, key: Any) -> Any:
        """A layer's output, given its parameters, its state and its key."""
        if isinstance(layer, tuple):
            for index, inner in enumerate(layer):
                x = self.layer(inner, w[index], kept[index], x, jax.random.fold_in(key, index + 1))
            return x
        if layer.branches:
            parts = {
                name: self.layer(part, w[name], kept[name], x, jax.random.fold_in(key, number))
                for number, (name, part) in enumerate(layer.branches.items(), 1)
            }
            return self.joined(layer, x, parts)
        return self.plain(layer, w, kept, x, key)

    def joined(self, layer: Any, x: Any, parts: Any) -> Any:
        match layer:
            case jcnn.Residual():
                return parts["body"] + parts.get("shortcut", x)
            case jcnn.Gate():
                gate = parts["body"]
                return x * gate.reshape(*gate.shape, *[1] * (x.ndim - gate.ndim))
            case jcnn.Parallel():
                return torch.cat(list(parts.values()), 1) if layer.join == "concat" else sum(parts.values())
        raise AssertionError(f"{layer!r} has no counterpart here")

    def plain(self, layer: Any, w: Any, kept: Any, x: Any, key: Any) -> Any:
        rank = x.ndim - 2
        match layer:
            case jcnn.Conv():
                size = np.broadcast_to(layer.window, rank)
                padding = [int(n - 1) // 2 for n in size] if layer.padding == "same" else layer.padding
                filters = w["w"].permute(rank + 1, rank, *range(rank))
                how = {"stride": layer.stride, "padding": padding, "dilation": layer.dilation, "groups": layer.groups}
                return self.named("conv", rank)(x, filters, w.get("b"), **how)
            case jcnn.ConvTranspose():
                filters = w["w"].permute(rank + 1, rank, *range(rank))
                how = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation, "groups": layer.groups}
                return self.named("conv_transpose", rank)(x, filters, w.get("b"), output_padding=layer.output_padding, **how)
            case jcnn.Whiten():
                filters = kept["w"].permute(rank + 1, rank, *range(rank)).detach()
                return self.named("conv", rank)(x, filters, w["b"] + kept["b"].detach())
            case jcnn.MaxPool():
                return self.named("max_pool", rank)(x, layer.window, layer.stride)
            case jcnn.AvgPool():
                return self.named("avg_pool", rank)(x, layer.window)
            case jcnn.GlobalMaxPool():
                return x.amax(tuple(range(2, x.ndim)))
            case jcnn.GlobalAvgPool():
                return x.mean(tuple(range(2, x.ndim)))
            case jcnn.UpSample():
                modes = {"nearest": {}, "linear": {"align_corners": False}}
                name = "nearest" if layer.method == "nearest" else {1: "linear", 2: "bilinear", 3: "trilinear"}[rank]
                factor = tuple(map(float, np.broadcast_to(layer.factor, rank)))
                return functional.interpolate(x, scale_factor=factor, mode=name, **modes[layer.method])
            case jcnn.BatchNorm():
                return functional.batch_norm(
                    x, kept["mean"].data, kept["variance"].data, w.get("scale"), w.get("offset"),
                    self.training, layer.momentum, layer.epsilon,
                )  # fmt: skip
            case jcnn.GroupNorm():
                return functional.group_norm(x, layer.groups, w.get("scale"), w.get("offset"), layer.epsilon)
            case jcnn.LayerNorm(axes="channels"):
                last = x.movedim(1, -1)
                y = functional.layer_norm(last, last.shape[-1:], w.get("scale"), w.get("offset"), layer.epsilon)
                return y.movedim(-1, 1)
            case jcnn.Dropout():
                if not self.training:
                    return x
                last = jax.ShapeDtypeStruct((x.shape[0], *x.shape[2:], x.shape[1]), jnp.float64)
                keep = jcnn.dropout_mask(jnp.zeros(last.shape), key, rate=layer.rate, spatial=layer.spatial)
                return x * torch.tensor(np.moveaxis(np.asarray(keep), -1, 1).copy()) / (1 - layer.rate)
            case jcnn.PadChannels():
                return torch.cat([x, x.new_zeros(x.shape[0], layer.channels - x.shape[1], *x.shape[2:])], 1)
            case jcnn.Flatten():
                return x.movedim(1, -1).flatten(1)  # channels fastest, as ours
            case jcnn.Dense():
                y = x.movedim(1, -1) @ w["w"]
                return (y + w["b"] if layer.bias else y).movedim(-1, 1)
            case jcnn.Scale():
                return layer.factor * x
        simple = {jcnn.Relu: functional.relu, jcnn.Tanh: torch.tanh, jcnn.Gelu: functional.gelu, jcnn.Sigmoid: torch.sigmoid}
        return simple[type(layer)](x)

    @staticmethod
    def named(function: str, rank: int) -> Any:
        return getattr(functional, f"{function}{rank}d")


def moved(tree: Any, seed: int) -> Any:
    """Numbers a little beside those given, so that no scale is 1 and no offset 0."""
    leaves, structure = jax.tree.flatten(tree)
    return jax.tree.unflatten(structure, [leaf + 0.1 * numbers(seed + i, *leaf.shape) for i, leaf in enumerate(leaves)])


def both_agree(network: Any, shape: tuple[int, ...], n: int, classes: int) -> None:
    """A step in training and an evaluation after it, ours by hand."""
    params = moved(jcnn.init(KEY, network, shape, jnp.float64), 1)
    state = jcnn.init_state(network, shape, jnp.float64)
    x, labels = numbers(0, n, *shape), np.arange(n) % classes
    w, kept, first = tensors(params), tensors(state), torch.tensor(np.moveaxis(x, -1, 1).copy())
    loss = functional.cross_entropy(Pass(True).layer(network, w, kept, first, KEY), torch.tensor(labels))
    loss.backward()
    step = jax.jit(partial(jcnn.backprop, network))
    (ours, after), gradients = step(params, jnp.asarray(x), jnp.asarray(labels), state=state, key=KEY)
    assert math.isclose(float(ours), loss.item(), rel_tol=1e-11)
    assert_agree(gradients, jax.tree.map(lambda leaf: leaf.grad, w))
    if jax.tree.leaves(after):
        assert_agree(after, jax.tree.map(lambda leaf: leaf.detach(), kept))
    asked = jax.jit(partial(jcnn.apply, network))(params, jnp.asarray(x), state=after)
    theirs = Pass(False).layer(network, w, kept, first, KEY).detach()
    assert_agree(asked, np.moveaxis(theirs.numpy(), 1, -1))


@pytest.mark.parametrize("name", [name for name in jcnn.PRESETS if name != "resnet56"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3)], ids=["8x8x1", "32x32x3"])
def test_presets(name: str, shape: tuple[int, ...]) -> None:
    both_agree(jcnn.PRESETS[name](shape, 10), shape, 4, 10)


@st.composite
def stages(draw: st.DrawFn, rank: int, channels: int) -> tuple[Any, ...]:
    """A few layers of our new kinds, of any options, over maps of this rank; they leave `channels` as they found them."""
    groups = st.sampled_from([divisor for divisor in (1, 2, 4) if channels % divisor == 0])
    sizes = st.integers(1, 3)
    flags = {"scale": draw(st.booleans()), "offset": draw(st.booleans()), "epsilon": draw(st.sampled_from([1e-5, 0.1]))}
    stride = draw(st.tuples(*[sizes] * rank))
    kinds = {
        "batch": lambda: jcnn.BatchNorm(draw(st.floats(0.05, 1)), **flags),
        "group": lambda: jcnn.GroupNorm(draw(st.sampled_from([1, 2])), **flags),
        "layer": lambda: jcnn.LayerNorm(**flags),
        "dropout": lambda: jcnn.Dropout(draw(st.floats(0, 0.6)), draw(st.booleans())),
        "transposed": lambda: jcnn.ConvTranspose(
            channels, draw(st.tuples(*[sizes] * rank)), stride=stride, groups=draw(groups), bias=draw(st.booleans()),
            output_padding=tuple(draw(st.integers(0, s - 1)) for s in stride),
        ),
        "enlarged": lambda: jcnn.UpSample(draw(st.integers(1, 2)), draw(st.sampled_from(["nearest", "linear"]))),
        "gated": lambda: jcnn.squeeze_excitation(channels, ratio=2),
        "depthwise": lambda: jcnn.depthwise_separable(channels, channels, stride=draw(st.integers(1, 2))),
        "residual": lambda: jcnn.Residual((jcnn.IdentityConv(channels, 3, padding=1), jcnn.BatchNorm())),
        "curved": jcnn.Gelu,
    }  # fmt: skip
    return tuple(kinds[kind]() for kind in draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=4)))


@given(st.data())
@settings(max_examples=DRAWS, deadline=None)
def test_layers_of_any_options_over_maps_of_any_rank(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 3))
    shape = (*data.draw(st.tuples(*[st.integers(3, ROOM[rank])] * rank)), 2)
    network = (jcnn.Conv(4, 2), *data.draw(stages(rank, 4)), jcnn.GlobalAvgPool(), jcnn.Dense(3))
    both_agree(network, shape, data.draw(st.integers(2, 4)), 3)
    assert as_layer(network).output_shape(shape) == (3,)
