"""Forward passes and gradients against PyTorch's autograd, in float64."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jcnn
from jcnn.compilation import compiler_options
from tests import rounding
from tests.geometries import pads
from tests.references import normal
from tests.ways import KINDS, layers

torch = pytest.importorskip("torch", reason="PyTorch is not installed here; `make test-peers` installs it")
functional = torch.nn.functional

DRAWS = 60
ROOM = {1: 9, 2: 6, 3: 4}


def numbers(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def tensor(array: np.ndarray) -> Any:
    return torch.tensor(np.asarray(array), requires_grad=True)


def channels_first(x: Any) -> Any:
    """(N, *S, C) → (N, C, *S), an array or a tensor."""
    order = (0, x.ndim - 1, *range(1, x.ndim - 1))
    return x.permute(order).contiguous() if isinstance(x, torch.Tensor) else np.transpose(x, order)


def channels_last(x: Any) -> np.ndarray:
    return np.moveaxis(x.detach().numpy(), 1, -1)


def filters_first(w: Any) -> Any:
    """(*F, C_in, C_out) → (C_out, C_in, *F), a tensor."""
    return w.permute(w.ndim - 1, w.ndim - 2, *range(w.ndim - 2)).contiguous()


def assert_agree(ours: Sequence[Any], theirs: Sequence[Any]) -> None:
    for a, b in zip(map(np.asarray, ours), map(np.asarray, theirs), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * max(float(np.abs(b).max()), 1.0))


@st.composite
def convolutions(draw: st.DrawFn, strides: int = 3) -> dict[str, Any]:
    rank = draw(st.sampled_from((1, 2, 3)))
    draw_each = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))  # noqa: E731
    window, stride, dilation = draw_each(1, 3), draw_each(1, strides), draw_each(1, 2)
    spans = [d * (f - 1) + 1 for f, d in zip(window, dilation, strict=True)]
    padding = tuple(draw(pads(span)) for span in spans)
    least = [max(1, span - lo - hi) for span, (lo, hi) in zip(spans, padding, strict=True)]
    sizes = tuple(draw(st.integers(low, low + ROOM[rank])) for low in least)
    groups = draw(st.sampled_from((1, 2, 3)))
    c_in, c_out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    seed = draw(st.integers(0, 1000))
    return {
        "x": numbers(seed, draw(st.integers(1, 3)), *sizes, c_in),
        "w": numbers(seed + 1, *window, c_in // groups, c_out),
        "b": numbers(seed + 2, c_out),
        "options": options,
    }


def convolved(x: Any, w: Any, b: Any, *, padding: Sequence[tuple[int, int]], **options: Any) -> Any:
    """Torch pads alike on both sides; its `pad` as it is told, beginning with the last axis."""
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[x.ndim - 3]
    padded = functional.pad(channels_first(x), [edge for pair in reversed(padding) for edge in pair])
    return convolve(padded, filters_first(w), b, **options)


@settings(max_examples=DRAWS)
@given(convolutions())
def test_convolution(drawn: dict[str, Any]) -> None:
    x, w, b, options = drawn["x"], drawn["w"], drawn["b"], drawn["options"]
    tx, tw, tb = tensor(x), tensor(w), tensor(b)
    ty = convolved(tx, tw, tb, **options)
    y = jcnn.conv(x, w, b, **options)
    dy = numbers(7, *y.shape)
    ty.backward(torch.tensor(np.ascontiguousarray(channels_first(dy))))
    assert_agree([y, *jcnn.conv_backward(dy, x, w, **options)], [channels_last(ty), tx.grad, tw.grad, tb.grad])


@pytest.mark.parametrize("options", [None, compiler_options()], ids=["default", "training"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=3)
@given(data=st.data())
def test_every_way_of_auto(kind: str, options: Any, data: st.DataObject) -> None:
    """In float32, for which there are more ways; PyTorch in float64."""
    layer = data.draw(layers(kind))
    x, w, dy = (normal(*shape, seed=seed).astype("float32") for seed, shape in enumerate(layer.shapes))
    wide = [array.astype(np.float64) for array in (dy, x, w)]
    tx, tw = tensor(wide[1]), tensor(wide[2])
    moves = {name: value for name, value in layer.options.items() if name != "rounding"}
    ty = convolved(tx, tw, None, **moves)
    ty.backward(torch.tensor(np.ascontiguousarray(channels_first(wide[0]))))

    def passes(x: jax.Array, w: jax.Array, dy: jax.Array) -> Any:
        form: Any = partial(jcnn.conv, **layer.options, formulation="auto", gradient="manual")
        y, pull = jax.vjp(form, x, w)
        return y, *pull(dy)

    ours = jax.jit(passes, compiler_options=options)(x, w, dy)
    tolerances = rounding.direct(layer.options, *wide, unit=float(np.finfo("float32").eps))
    if "winograd" in KINDS[kind].ways.values():
        tolerances = tuple(map(np.maximum, tolerances, rounding.minimal(layer.groups, *wide, dtype="float32")))
    for mine, theirs, tolerance in zip(ours, [channels_last(ty), tx.grad, tw.grad], tolerances, strict=True):
        assert (np.abs(np.asarray(mine, np.float64) - np.asarray(theirs)) <= tolerance).all()


@settings(max_examples=DRAWS)
@given(convolutions())
def test_transposed_convolution(drawn: dict[str, Any]) -> None:
    w, options = drawn["w"], drawn["options"]
    y = jcnn.conv(drawn["x"], w, **options)
    padding = options["padding"]
    whole = {name: value for name, value in options.items() if name != "padding"}
    sizes = [
        s * (o - 1) + d * (f - 1) + 1 - lo - hi
        for o, f, s, d, (lo, hi) in zip(y.shape[1:-1], w.shape, options["stride"], options["dilation"], padding, strict=False)
    ]
    if min(sizes) < 1:
        return  # neither library makes an empty result
    ty, tw = tensor(np.asarray(y)), tensor(w)
    transpose = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)[y.ndim - 3]
    tx = transpose(channels_first(ty), filters_first(tw), **whole)
    tx = tx[(..., *(slice(lo, lo + size) for (lo, _), size in zip(padding, sizes, strict=True)))]  # its padding is one a side
    x, pull = jax.vjp(lambda y, w: jcnn.conv_transpose(y, w, **options), y, jnp.asarray(w))
    dx = numbers(8, *x.shape)
    tx.backward(torch.tensor(np.ascontiguousarray(channels_first(dx))))
    assert_agree([x, *pull(jnp.asarray(dx))], [channels_last(tx), ty.grad, tw.grad])


@settings(max_examples=DRAWS)
@given(convolutions(), st.booleans(), st.booleans())
def test_pooling(drawn: dict[str, Any], ceil: bool, count_padding: bool) -> None:
    """PyTorch pads by at most half a window, wants images no smaller than it, and averages without dilation."""
    x, window, stride = drawn["x"], drawn["w"].shape[:-2], drawn["options"]["stride"]
    rank = x.ndim - 2
    padding = tuple(min(lo, f // 2) for (lo, _), f in zip(drawn["options"]["padding"], window, strict=True))
    if any(n < f for n, f in zip(x.shape[1:-1], window, strict=True)):
        return
    options = {"stride": stride, "padding": padding, "rounding": "ceil" if ceil else "floor"}
    theirs = {"stride": stride, "padding": padding, "ceil_mode": ceil}
    pools = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[rank - 1]
    averages = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[rank - 1]
    ties = np.round(x)  # equal maxima: the first one takes the gradient, here as there
    for values in (x, ties):
        tx = tensor(values)
        ty = pools(channels_first(tx), window, **theirs)
        y = jcnn.max_pool(values, window, **options)
        dy = numbers(9, *y.shape)
        ty.backward(torch.tensor(np.ascontiguousarray(channels_first(dy))))
        assert_agree([y, jcnn.max_pool_backward(dy, values, window, **options)], [channels_last(ty), tx.grad])
    tx = tensor(x)
    ty = averages(channels_first(tx), window, **theirs, count_include_pad=count_padding)
    y = jcnn.avg_pool(x, window, **options, count_padding=count_padding)
    dy = numbers(9, *y.shape)
    ty.backward(torch.tensor(np.ascontiguousarray(channels_first(dy))))
    ours = [y, jcnn.avg_pool_backward(dy, x, window, **options, count_padding=count_padding)]
    assert_agree(ours, [channels_last(ty), tx.grad])


@pytest.mark.parametrize(
    ("ours", "backward", "theirs"),
    [
        pytest.param(jcnn.relu, jcnn.relu_backward, functional.relu, id="relu"),
        pytest.param(jcnn.leaky_relu, jcnn.leaky_relu_backward, functional.leaky_relu, id="leaky_relu"),
        pytest.param(jcnn.elu, jcnn.elu_backward, functional.elu, id="elu"),
        pytest.param(jcnn.selu, jcnn.selu_backward, functional.selu, id="selu"),
        pytest.param(jcnn.sigmoid, jcnn.sigmoid_backward, torch.sigmoid, id="sigmoid"),
        pytest.param(jcnn.tanh, jcnn.tanh_backward, torch.tanh, id="tanh"),
        pytest.param(jcnn.gelu, jcnn.gelu_backward, functional.gelu, id="gelu"),
        pytest.param(jcnn.softplus, jcnn.softplus_backward, functional.softplus, id="softplus"),
        pytest.param(jcnn.softmax, jcnn.softmax_backward, lambda x: torch.softmax(x, -1), id="softmax"),
        pytest.param(jcnn.log_softmax, jcnn.log_softmax_backward, lambda x: torch.log_softmax(x, -1), id="log_softmax"),
    ],
)
def test_activations(ours: Callable[..., Any], backward: Callable[..., Any], theirs: Callable[..., Any]) -> None:
    x, dy = 3 * numbers(0, 5, 7), numbers(1, 5, 7)
    x[0, :2] = 0.0  # at 0 too: both take the derivative from the left
    tx = tensor(x)
    ty = theirs(tx)
    ty.backward(torch.tensor(dy))
    # PyTorch's softplus is the identity above 20; none of these values is.
    assert_agree([ours(x), backward(dy, x)], [ty.detach().numpy(), tx.grad])


def test_losses() -> None:
    logits, target, dy = 3 * numbers(0, 6, 5), numbers(1, 6, 5), numbers(2, 6)
    labels = np.array([0, 4, 2, 2, 1, 3])
    tx = tensor(logits)
    ty = functional.cross_entropy(tx, torch.tensor(labels), reduction="none")
    ty.backward(torch.tensor(dy))
    ours = [jcnn.softmax_cross_entropy(logits, labels), jcnn.softmax_cross_entropy_backward(dy, logits, labels)]
    assert_agree(ours, [ty.detach().numpy(), tx.grad])
    tx = tensor(logits)
    ty = functional.mse_loss(tx, torch.tensor(target), reduction="none").mean(-1)
    ty.backward(torch.tensor(dy))
    ours = [jcnn.mean_squared_error(logits, target), jcnn.mean_squared_error_backward(dy, logits, target)]
    assert_agree(ours, [ty.detach().numpy(), tx.grad])
