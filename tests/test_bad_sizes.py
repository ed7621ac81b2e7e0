"""Sizes, networks and names that are refused: the exception, and its message with argument, value, what was expected."""

# Wrong types are the point here.
# pyright: reportArgumentType=false, reportCallIssue=false

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn import Conv, Dense, Flatten, GeometryError, MaxPool, NetworkError, Relu, geometry
from jcnn.data import load
from jcnn.presets import preset
from tests.calls import Case, X, average, conv, pool, transpose

KEY = jax.random.key(0)
PARAMS = jcnn.init(KEY, (Conv(8, 3), Relu()), (6, 6, 4), jnp.float64)


def size(*args: Any, **given: Any) -> Callable[[], Any]:
    return lambda: geometry.output_size(*args, **given)


def network(*layers: Any, shape: Any = (6, 6, 4)) -> Callable[[], Any]:
    return lambda: jcnn.summary(layers, shape)


SIZES: dict[str, Case] = {
    "stride-none": (conv(stride=None), GeometryError, ["stride=None", "expected an integer of at least 1"]),
    "pool-on-padding": (
        network(MaxPool(2, padding=3)),
        ValueError,
        ["layer 1, MaxPool(2, padding=3)", "sees only padding"],
    ),
    "stride-zero": (conv(stride=0), GeometryError, ["stride=0", "expected an integer of at least 1"]),
    "stride-float": (conv(stride=2.0), GeometryError, ["stride=2.0", "expected an integer"]),
    "stride-bool": (conv(stride=True), GeometryError, ["stride=True", "expected an integer"]),
    "stride-entry": (conv(stride=(1, 0)), GeometryError, ["stride[1]=0", "at least 1"]),
    "stride-count": (conv(stride=(1, 1, 1)), GeometryError, ["stride=(1, 1, 1)", "expected an int or 2 of them"]),
    "dilation-zero": (conv(dilation=0), GeometryError, ["dilation=0", "at least 1"]),
    "dilation-count": (conv(dilation=(1,)), GeometryError, ["dilation=(1,)", "expected an int or 2 of them"]),
    "padding-negative": (conv(padding=-1), GeometryError, ["padding=-1", "at least 0"]),
    "padding-negative-pair": (conv(padding=((0, 0), (0, -2))), GeometryError, ["padding[1][1]=-2", "at least 0"]),
    "padding-name": (conv(padding="SAME"), GeometryError, ["padding='SAME'", "'valid', 'same', 'same_lower'"]),
    "padding-count": (conv(padding=(1, 1, 1)), GeometryError, ["padding=(1, 1, 1)", "expected 2 entries"]),
    "padding-triple": (conv(padding=((1, 1, 1), 1)), GeometryError, ["padding[0]=(1, 1, 1)", "a pair (lo, hi)"]),
    "padding-float": (conv(padding=0.5), GeometryError, ["padding=0.5", "expected an integer"]),
    "rounding": (conv(rounding="round"), GeometryError, ["rounding='round'", "expected 'floor', 'ceil' or 'exact'"]),
    "window-too-large": (conv(x=X[:, :2]), GeometryError, ["spatial axis 0", "N=2, F=3", "does not fit", "window size 2"]),
    "dilated-too-large": (conv(dilation=(1, 3)), GeometryError, ["spatial axis 1", "N=6, F=3", "D=3", "padding (0, 1)"]),
    "not-whole": (conv(stride=2, rounding="exact"), GeometryError, ["N=6, F=3, P=(0, 0), S=2, D=1", "2.50 is not whole"]),
    "pool-window-zero": (pool(window=0), GeometryError, ["window=0", "at least 1"]),
    "pool-window-float": (pool(window=2.0), GeometryError, ["window=2.0", "expected an integer"]),
    "pool-window-count": (pool(window=(2, 2, 2)), GeometryError, ["window=(2, 2, 2)", "2 of them"]),
    "pool-too-large": (pool(window=7), GeometryError, ["N=6, F=7", "window size 6 or less"]),
    "pool-stride": (pool(stride=-1), GeometryError, ["stride=-1", "at least 1"]),
    "pool-only-padding": (pool(padding=2), GeometryError, ["padding=(2, 2)", "window 0 along spatial axis 0", "only padding"]),
    "average-only-padding": (
        average(padding=((0, 0), (0, 2))),
        GeometryError,
        ["window 3 along spatial axis 1", "only padding"],
    ),
    "transpose-size": (
        transpose(output_size=9),
        GeometryError,
        ["output_size=(9, 9)", "conv maps it to (7, 7)", "(4, 4)", "expected sizes from (6, 6)"],
    ),
    "transpose-both": (transpose(output_size=6, output_padding=1), GeometryError, ["output_padding=1", "output_size=6"]),
    "transpose-extra": (transpose(output_padding=1), GeometryError, ["output_padding=1", "less than the stride, 1"]),
    "transpose-empty": (transpose(padding=3), GeometryError, ["padding=(3, 3)", "is empty", "expected less padding"]),
    "transpose-same": (
        transpose(padding="same", stride=2, output_padding=1),
        GeometryError,
        ["output_padding=1", "output_size"],
    ),
    "size-zero": (size(0, 1), GeometryError, ["n=0", "at least 1"]),
    "size-float": (size(7.0, 3), GeometryError, ["n=7.0", "expected an integer"]),
    "size-bool": (size(True, 1), GeometryError, ["n=True", "expected an integer"]),
    "size-window": (size(7, "3"), GeometryError, ["f='3'", "expected an integer"]),
    "size-rounding": (size(7, 3, rounding="up"), GeometryError, ["rounding='up'", "'floor', 'ceil' or 'exact'"]),
    "size-padding": (size(7, 3, padding=(1, 1, 1)), GeometryError, ["padding=(1, 1, 1)", "a pair (lo, hi)"]),
    "field-ranks": (
        lambda: jcnn.receptive_field([("a", (3, 3)), ("b", (2, 2, 2))]),
        GeometryError,
        ["layers", "one number of spatial axes", "[2, 3]"],
    ),
}

NETWORKS: dict[str, Case] = {
    "does-not-fit": (
        network(Conv(8, 3), MaxPool(2), Conv(8, 3)),
        NetworkError,
        ["layer 3, Conv(8, 3), does not fit its input (2, 2, 8)", "N=2, F=3", "(6, 6, 4) → (4, 4, 8) → (2, 2, 8)"],
    ),
    "conv-after-flatten": (network(Flatten(), Conv(8, 3)), NetworkError, ["layer 2, Conv(8, 3)", "(144,)", "spatial axes"]),
    "channels-in-groups": (network(Conv(6, 3, groups=3)), NetworkError, ["layer 1", "groups=3", "divisor of the input's 4"]),
    "layer-maxout": (network(jcnn.Maxout(3)), NetworkError, ["layer 1, Maxout(3)", "pieces=3", "4 channels"]),
    "class-for-layer": (network(Conv(8, 3), Relu), NetworkError, ["layer 2 is", "Relu", "write Relu(…)"]),
    "function-for-layer": (network(jcnn.relu), NetworkError, ["layer 1 is <function relu", "expected a layer description"]),
    "no-layers": (network(), NetworkError, ["network=()", "expected a tuple of at least one layer"]),
    "one-layer-bare": (lambda: jcnn.summary(Relu(), (4,)), NetworkError, ["network=Relu()", "expected a tuple"]),
    "shape-int": (network(Dense(2), shape=28), NetworkError, ["input_shape=28", "such as (28, 28, 1)"]),
    "shape-empty": (network(Dense(2), shape=()), NetworkError, ["input_shape=()", "the shape of one example"]),
    "shape-zero": (network(Dense(2), shape=(0, 4)), NetworkError, ["input_shape[0]=0", "expected"]),
    "shape-float": (network(Dense(2), shape=(4.0,)), NetworkError, ["input_shape[0]=4.0", "expected"]),
    "init-does-not-fit": (lambda: jcnn.init(KEY, (MaxPool(9),), (6, 6, 4)), NetworkError, ["layer 1, MaxPool(9)", "N=6, F=9"]),
    "init-dtype": (lambda: jcnn.init(KEY, (Dense(2),), (4,), jnp.int32), TypeError, ["dtype=int32", "expected one of float16"]),
    "params-count": (lambda: jcnn.apply((Conv(8, 3),), PARAMS, X), ValueError, ["params has 2 entries", "expected 1"]),
    "apply-dtype": (
        lambda: jcnn.apply((Conv(8, 3), Relu()), PARAMS, X.astype(np.float32)),
        TypeError,
        ["dtypes differ", "x float32", "params[0]['b'] float64"],
    ),
    "filters-zero": (lambda: Conv(0, 3), GeometryError, ["filters=0", "at least 1"]),
    "filters-in-groups": (lambda: Conv(8, 3, groups=3), GeometryError, ["groups=3", "divisor of filters=8"]),
    "units-float": (lambda: Dense(2.5), GeometryError, ["units=2.5", "expected an integer"]),
    "preset": (lambda: preset("vgg", (8, 8, 1), 10), ValueError, ["'vgg'", "expected one of small, lecture, lenet5"]),
    "dataset": (lambda: load("mnits"), ValueError, ["'mnits'", "expected one of", "digits"]),
    "split": (lambda: load("digits", "validation"), ValueError, ["split='validation'", "'train' or 'test'"]),
}

NET = (Conv(8, 3), Relu())


def applied(*params: Any, x: Any = X, ops: Any = jcnn.DEFAULT) -> Callable[[], Any]:
    return lambda: jcnn.apply(NET, params, x, ops=ops)


WHOLE, WITHOUT = {"w": np.ones((3, 3, 4, 8)), "b": np.ones(8)}, {"w": np.ones((3, 3, 4, 8))}

PARAMETERS: dict[str, Case] = {
    "missing": (applied(WITHOUT, {}), NetworkError, ["params[0] has w: layer 1, Conv(8, 3), takes b, w", "(6, 6, 4)"]),
    "superfluous": (applied(WHOLE, WHOLE), NetworkError, ["params[1] has b, w: layer 2, Relu(), takes none"]),
    "no-dict": (applied(None, {}), NetworkError, ["params[0] is None: layer 1"]),
    "shape": (
        applied({**WHOLE, "w": np.ones((3, 3, 5, 8))}, {}),
        NetworkError,
        ["params[0]['w'] has shape (3, 3, 5, 8): expected (3, 3, 4, 8)", "layer 1"],
    ),
    "integers": (applied({**WHOLE, "b": np.ones(8, int)}, {}), TypeError, ["params[0]['b'] has dtype int64"]),
    "a-number": (lambda: jcnn.apply(NET, 7, X), NetworkError, ["params is a int: expected 2, one pytree per layer"]),
    "input": (applied(WHOLE, {}, x=X[0, 0, 0]), NetworkError, ["x has shape (4,): expected a batch"]),
    "ops": (applied(WHOLE, {}, ops="lax"), TypeError, ["ops='lax': expected a jcnn.Ops"]),
}

DESCRIPTIONS: dict[str, Case] = {
    "window-word": (lambda: Conv(4, window="abc"), GeometryError, ["window='abc': expected an integer"]),
    "window-none": (lambda: MaxPool(None), GeometryError, ["window=None: expected"]),
    "window-four": (lambda: MaxPool((1, 1, 1, 1)), GeometryError, ["window=(1, 1, 1, 1)", "1 to 3 in all"]),
    "axes": (lambda: Conv(4, (3, 3), stride=(1, 1, 1)), GeometryError, ["one number of spatial axes throughout, got [2, 3]"]),
    "stride": (lambda: MaxPool(2, stride=0), GeometryError, ["stride=0: expected an integer of at least 1"]),
    "padding": (lambda: Conv(4, 3, padding="full"), GeometryError, ["padding='full'", "one of 'valid'"]),
    "rounding": (lambda: Conv(4, 3, rounding="up"), GeometryError, ["rounding='up': expected 'floor', 'ceil' or 'exact'"]),
    "bias": (lambda: Conv(4, 3, bias="yes"), TypeError, ["bias='yes': expected True or False"]),
    "dense-bias": (lambda: Dense(4, bias=None), TypeError, ["bias=None: expected True or False"]),
    "count-padding": (lambda: jcnn.AvgPool(2, count_padding="abc"), TypeError, ["count_padding='abc': expected True or False"]),
    "count-padding-call": (average(count_padding="abc"), TypeError, ["count_padding='abc': expected True or False"]),
    "sparse": (
        lambda: jcnn.conv_matrix(np.ones((1, 1, 1)), (2, 1), sparse="no"),
        TypeError,
        ["sparse='no': expected True"],
    ),
    "slope": (lambda: jcnn.LeakyRelu(None), TypeError, ["slope=None: expected a finite number"]),
    "slope-call": (lambda: jcnn.leaky_relu(X, None), TypeError, ["slope=None: expected a finite number"]),
    "slope-nan": (lambda: jcnn.leaky_relu_backward(X, X, np.nan), ValueError, ["slope=nan: expected a finite number"]),
    "alpha": (lambda: jcnn.Elu(np.inf), ValueError, ["alpha=inf: expected a finite number"]),
    "pieces": (lambda: jcnn.Maxout(0), GeometryError, ["pieces=0: expected an integer of at least 1"]),
    "units-bool": (lambda: Dense(True), GeometryError, ["units=True: expected an integer"]),
    "ops": (lambda: jcnn.Ops("laxx"), ValueError, ["formulation='laxx': expected one of 'lax'"]),
    "ops-gradient": (lambda: jcnn.Ops(gradient=None), ValueError, ["gradient=None: expected 'autodiff' or 'manual'"]),
    "preset-shape": (lambda: jcnn.small((28,), 10), GeometryError, ["input_shape=(28,)", "1 to 3 spatial axes"]),
    "preset-classes": (lambda: jcnn.lecture((28, 28, 1), 0), GeometryError, ["classes=0: expected an integer"]),
    "shape-word": (lambda: jcnn.summary((Relu(),), (28, 28, "a")), NetworkError, ["input_shape[2]='a': expected an integer"]),
    "long": (lambda: Conv(4, "x" * 10**6), GeometryError, ["window='xxx", "...", "xxx': expected an integer"]),
}


def test_lists_and_numpy_numbers_describe_the_same_layer() -> None:
    listed = Conv(np.int64(8), [3, 3], stride=[2, 1], padding=[[1, 1], 0], dilation=np.array(1), bias=np.bool_(True))
    assert listed == Conv(8, (3, 3), stride=(2, 1), padding=((1, 1), 0))
    assert hash(listed) == hash(Conv(8, (3, 3), stride=(2, 1), padding=((1, 1), 0)))
    assert repr(listed) == "Conv(8, (3, 3), stride=(2, 1), padding=((1, 1), 0))"
    assert hash(MaxPool([2, 2], padding=[1, 1])) == hash(MaxPool((2, 2), padding=(1, 1)))


CASES = SIZES | NETWORKS | {f"params-{name}": case for name, case in PARAMETERS.items()}
CASES |= {f"layer-{name}": case for name, case in DESCRIPTIONS.items()}


@pytest.mark.parametrize(("call", "exception", "pieces"), CASES.values(), ids=CASES)
def test_refused(call: Callable[[], Any], exception: type[Exception], pieces: list[str]) -> None:
    with pytest.raises(exception, match=re.escape(pieces[0])) as caught:
        call()
    for piece in pieces[1:]:
        assert piece in str(caught.value)
