"""Normalisation, dropout, enlarging and the loss's options against PyTorch's autograd, in float64, to 1e-11."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jcnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed here; `make test-peers` installs it")
functional = torch.nn.functional

DRAWS = 40


def numbers(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def tensor(array: np.ndarray) -> Any:
    return torch.tensor(np.asarray(array), requires_grad=True)


def channels_first(x: Any) -> Any:
    """(N, *S, C) → (N, C, *S), an array or a tensor."""
    order = (0, x.ndim - 1, *range(1, x.ndim - 1))
    return x.permute(order).contiguous() if isinstance(x, torch.Tensor) else np.ascontiguousarray(np.transpose(x, order))


def channels_last(x: Any) -> np.ndarray:
    return np.moveaxis(x.detach().numpy(), 1, -1)


def assert_agree(ours: Sequence[Any], theirs: Sequence[Any]) -> None:
    for a, b in zip(map(np.asarray, ours), map(np.asarray, theirs), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * max(float(np.abs(b).max()), 1.0))


@st.composite
def images(draw: st.DrawFn, least: int = 0) -> np.ndarray:
    """Batches with 0 to 3 spatial axes, of some size and place."""
    rank = draw(st.integers(least, 3))
    sizes = tuple(draw(st.integers(1, 5)) for _ in range(rank))
    seed = draw(st.integers(0, 1000))
    x = numbers(seed, draw(st.integers(2, 5)), *sizes, draw(st.sampled_from((2, 4, 6))))
    return x * draw(st.sampled_from((0.01, 1.0, 10.0))) + draw(st.sampled_from((0.0, 3.0)))


def parameters(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return numbers(1, x.shape[-1]), numbers(2, x.shape[-1])


def compare(
    forward: Callable[..., Any], backward: Callable[..., Any], theirs: Callable[..., Any], x: np.ndarray, **options: Any
) -> None:
    """y and the gradients by x, scale and offset; `theirs` takes and gives channels first."""
    scale, offset = parameters(x)
    tx, ts, to = tensor(x), tensor(scale), tensor(offset)
    ty = theirs(channels_first(tx), ts, to)
    y = forward(x, scale, offset, **options)
    dy = numbers(7, *y.shape)
    ty.backward(torch.tensor(channels_first(dy)))
    ours = [y, *backward(dy, x, scale, offset, **options)[:3]]
    assert_agree(ours, [channels_last(ty), tx.grad, ts.grad, to.grad])


epsilons = st.sampled_from((1e-5, 1e-3, 0.5))


@settings(max_examples=DRAWS)
@given(images(), epsilons)
def test_batch_normalisation_in_training(x: np.ndarray, epsilon: float) -> None:
    def theirs(x: Any, scale: Any, offset: Any) -> Any:
        return functional.batch_norm(x, None, None, scale, offset, training=True, eps=epsilon)

    compare(jcnn.batch_norm, jcnn.batch_norm_backward, theirs, x, epsilon=epsilon)


@settings(max_examples=DRAWS)
@given(images(), epsilons)
def test_batch_normalisation_in_evaluation(x: np.ndarray, epsilon: float) -> None:
    mean, variance = numbers(3, x.shape[-1]), numbers(4, x.shape[-1]) ** 2

    def theirs(x: Any, scale: Any, offset: Any) -> Any:
        given = torch.tensor(mean), torch.tensor(variance)
        return functional.batch_norm(x, *given, scale, offset, training=False, eps=epsilon)

    compare(jcnn.batch_norm, jcnn.batch_norm_backward, theirs, x, mean=mean, variance=variance, epsilon=epsilon)


@settings(max_examples=DRAWS)
@given(images(), st.sampled_from((0.1, 0.5)))
def test_running_statistics(x: np.ndarray, momentum: float) -> None:
    """Theirs collect the unbiased variance: ours times m / (m − 1)."""
    running = torch.zeros(x.shape[-1], dtype=torch.float64), torch.ones(x.shape[-1], dtype=torch.float64)
    functional.batch_norm(torch.tensor(channels_first(x)), *running, training=True, momentum=momentum)
    mean, variance = jcnn.batch_statistics(x)
    count = x[..., 0].size
    ours = momentum * np.asarray(mean), 1 - momentum + momentum * np.asarray(variance) * count / (count - 1)
    assert_agree(ours, running)


@settings(max_examples=DRAWS)
@given(images(), st.sampled_from(("channels", "all")), epsilons)
def test_layer_normalisation(x: np.ndarray, axes: Any, epsilon: float) -> None:
    def theirs(x: Any, scale: Any, offset: Any) -> Any:
        if axes == "channels":
            last = functional.layer_norm(x.movedim(1, -1), (x.shape[1],), scale, offset, eps=epsilon)
            return last.movedim(-1, 1)
        alone = (1, -1, *(1,) * (x.ndim - 2))
        normal = functional.layer_norm(x, x.shape[1:], eps=epsilon)
        return normal * scale.reshape(alone) + offset.reshape(alone)

    compare(jcnn.layer_norm, jcnn.layer_norm_backward, theirs, x, axes=axes, epsilon=epsilon)


@settings(max_examples=DRAWS)
@given(images(1), st.booleans(), epsilons)
def test_group_normalisation(x: np.ndarray, each: bool, epsilon: float) -> None:
    groups = x.shape[-1] if each and x[0, ..., 0].size > 1 else x.shape[-1] // 2

    def theirs(x: Any, scale: Any, offset: Any) -> Any:
        return functional.group_norm(x, groups, scale, offset, eps=epsilon)

    compare(jcnn.group_norm, jcnn.group_norm_backward, theirs, x, groups=groups, epsilon=epsilon)


@settings(max_examples=DRAWS)
@given(images(1), st.sampled_from((0.0, 0.3, 0.8)), st.booleans())
def test_dropout_by_our_mask(x: np.ndarray, rate: float, spatial: bool) -> None:
    """Their own masks are others; by ours their product is the same."""
    key = jax.random.key(x.size)
    keep = torch.tensor(np.array(jcnn.dropout_mask(x, key, rate=rate, spatial=spatial)))
    tx = tensor(x)
    ty = tx * keep / (1 - rate)
    dy = numbers(7, *x.shape)
    ty.backward(torch.tensor(dy))
    ours = [jcnn.dropout(x, key, rate=rate, spatial=spatial), jcnn.dropout_backward(dy, x, key, rate=rate, spatial=spatial)]
    assert_agree(ours, [ty.detach().numpy(), tx.grad])


@settings(max_examples=DRAWS)
@given(images(1), st.data(), st.sampled_from(("nearest", "linear")))
def test_upsampling(x: np.ndarray, data: st.DataObject, method: Any) -> None:
    factors = tuple(data.draw(st.integers(1, 4)) for _ in x.shape[1:-1])
    lines = {"mode": ("linear", "bilinear", "trilinear")[len(factors) - 1], "align_corners": False}
    tx = tensor(x)
    ty = functional.interpolate(
        channels_first(tx),
        size=tuple(n * a for n, a in zip(x.shape[1:-1], factors, strict=True)),
        **(lines if method == "linear" else {"mode": "nearest"}),
    )
    y = jcnn.upsample(x, factors, method=method)
    dy = numbers(7, *y.shape)
    ty.backward(torch.tensor(channels_first(dy)))
    assert_agree([y, jcnn.upsample_backward(dy, x, factors, method=method)], [channels_last(ty), tx.grad])


@settings(max_examples=2 * DRAWS)
@given(st.data())
def test_cross_entropy(data: st.DataObject) -> None:
    """Every example's loss, and the mean over the batch, which divides by the sum of the weights."""
    classes, examples, seed = data.draw(st.integers(2, 7)), data.draw(st.integers(1, 9)), data.draw(st.integers(0, 99))
    logits = 3 * numbers(seed, examples, classes)
    smoothing = data.draw(st.sampled_from((0.0, 0.1, 0.5)))
    weights = np.abs(numbers(seed + 1, classes)) if data.draw(st.booleans()) else None
    soft, ignored = data.draw(st.booleans()), data.draw(st.sampled_from((None, -100, 0)))
    labels: Any = np.random.default_rng(seed).integers(0, classes, examples)
    if soft:
        labels, ignored = np.abs(numbers(seed + 2, examples, classes)), None
    elif ignored is not None:
        labels[1::2] = ignored
        labels[0] = classes - 1
    theirs = {
        "label_smoothing": smoothing,
        "weight": None if weights is None else torch.tensor(weights),
        **({} if ignored is None else {"ignore_index": ignored}),
    }
    weighing: dict[str, Any] = {"class_weights": weights, "ignored_label": ignored}
    options: dict[str, Any] = {"label_smoothing": smoothing, **weighing}
    tx, dy = tensor(logits), numbers(7, examples)
    ty = functional.cross_entropy(tx, torch.tensor(labels), reduction="none", **theirs)
    ty.backward(torch.tensor(dy))
    y = jcnn.softmax_cross_entropy(logits, labels, **options)
    by_hand = jcnn.softmax_cross_entropy_backward(jnp.asarray(dy), jnp.asarray(logits), labels, **options)
    assert_agree([y, by_hand], [ty.detach().numpy(), tx.grad])
    total = jcnn.label_weights(logits, labels, **weighing).sum()
    mean = functional.cross_entropy(torch.tensor(logits), torch.tensor(labels), **theirs)
    assert_agree([y.sum() / total], [mean.numpy()])
