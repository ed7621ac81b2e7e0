"""Errors planted in jcnn: the experiments whose subject they are must fail."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import jcnn
from tests.draws import DEFAULT, DRAWS
from tests.experiments.topics import load

pytestmark = pytest.mark.slow

LONG = {"01_fully_connected", "05_zero_padding", "17_activation_functions"}
"""Experiments that train for seconds."""

Function = Callable[..., Any]


def flip_filter(right: Function) -> Function:
    """A filter turned by 180°."""

    def wrong(x: Any, w: Any, *rest: Any, **options: Any) -> Any:
        w = jnp.asarray(w)
        return right(x, jnp.flip(w, tuple(range(w.ndim - 2))), *rest, **options)

    return wrong


def drop_stride(right: Function) -> Function:
    """The right result at stride 1, of which as much is kept as was expected."""

    def wrong(*args: Any, **options: Any) -> Any:
        expected = right(*args, **options)
        unstrided = right(*args, **{**options, "stride": 1})
        return jax.tree.map(lambda one, other: one[tuple(map(slice, other.shape))], unstrided, expected)

    return wrong


def ignore_stride(right: Function) -> Function:
    """A window that moves by one pixel whatever is asked."""
    return lambda *args, **options: right(*args, **{**options, "stride": 1})


def scale_by(factor: float) -> Callable[[Function], Function]:
    """A result, or every part of it, times a factor."""

    def scaled(right: Function) -> Function:
        def wrong(*args: Any, **options: Any) -> Any:
            return jax.tree.map(lambda leaf: (factor * leaf).astype(leaf.dtype), right(*args, **options))

        return wrong

    return scaled


@pytest.fixture(autouse=True)
def compiled_anew() -> Iterator[None]:
    """What was traced before knows nothing of the error, and what is traced with it must not stay."""
    jax.clear_caches()
    yield
    jax.clear_caches()


def as_average(_: Function) -> Function:
    """The mean of every window, for its maximum."""

    def wrong(x: Any, window: Any, **options: Any) -> Any:
        options.pop("gradient", None)
        return jcnn.avg_pool(x, window, **options)

    return wrong


def in_columns(_: Function) -> Function:
    """An image stretched column by column."""
    return lambda x: jnp.swapaxes(jnp.asarray(x), 1, 2).reshape(len(x), -1)


PLANTED = [
    ("01_fully_connected", "flatten", in_columns),
    ("02_convolution_layer", "conv", flip_filter),
    ("03_convolution_and_correlation", "convolve", flip_filter),
    ("04_spatial_dimensions", "conv", ignore_stride),
    ("05_zero_padding", "conv", flip_filter),
    ("06_translation_equivariance", "conv", drop_stride),
    ("06_translation_equivariance", "max_pool", drop_stride),
    ("08_convolution_as_matrix", "conv", flip_filter),
    ("10_worked_example", "conv", flip_filter),
    ("11_one_by_one_convolution", "conv", scale_by(2)),
    ("12_pooling", "max_pool", as_average),
    ("14_backprop_convolution", "conv_backward", scale_by(0.5)),
    ("15_backprop_pooling", "avg_pool_backward", scale_by(2)),
    ("17_activation_functions", "tanh_backward", scale_by(1.01)),
]


# Those of long experiments in the deep tests only.
@pytest.mark.parametrize(("name", "function", "plant"), [row for row in PLANTED if DRAWS > DEFAULT or row[0] not in LONG])
def test_a_planted_error_is_found(name: str, function: str, plant: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = load(name)
    monkeypatch.setattr(jcnn, function, plant(getattr(jcnn, function)))
    try:
        failed = [check.claim for check in topic.checks(topic.run(topic.quick)) if not check.holds]
    except (ValueError, TypeError) as error:
        failed = [str(error)]
    assert failed
