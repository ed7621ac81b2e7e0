"""A valid call of every public name, by its arguments."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

import jcnn

X, W, DY = (np.full(shape, 0.5, np.float32) for shape in ((2, 6, 6, 4), (3, 3, 4, 8), (2, 4, 4, 8)))
B, ROWS, MATRIX = (np.full(shape, 0.5, np.float32) for shape in ((8,), (3, 4), (4, 5)))
VOLUME, LINE = np.full((1, 3, 3, 3, 2), 0.5, np.float32), np.full((2, 8, 4), 0.5, np.float32)
LABELS = np.array([0, 3, 1], np.int32)
NETWORK = (jcnn.Conv(2, 3), jcnn.MaxPool(2), jcnn.Flatten(), jcnn.Dense(3))
PARAMS = jax.tree.map(np.asarray, jcnn.init(jax.random.key(0), NETWORK, (6, 6, 4)))
KEEPING = (jcnn.Whiten(), jcnn.BatchNorm(), jcnn.Dropout(0.5), jcnn.Flatten(), jcnn.Dense(3))
KEPT = jax.tree.map(np.asarray, jcnn.init(jax.random.key(0), KEEPING, (6, 6, 4)))
STATE = jax.tree.map(np.asarray, jcnn.init_state(KEEPING, (6, 6, 4)))
OPS = jcnn.Ops()
LARGE = 10**6
"""Networks of more parameters are described, and not made: that is work, and no fault."""

WALK: dict[str, Any] = {"stride": 1, "padding": 0, "dilation": 1}
POOL: dict[str, Any] = {"window": 2, "stride": 2, "padding": 0, "dilation": 1, "rounding": "floor"}
CONV: dict[str, Any] = {**WALK, "groups": 1, "rounding": "floor"}
POOLED = np.full((2, 3, 3, 4), 0.5, np.float32)
NORM: dict[str, Any] = {"x": X, "scale": B[:4], "offset": B[:4], "epsilon": 1e-5}
GIVEN: dict[str, Any] = {"mean": None, "variance": None}
WEIGHTED: dict[str, Any] = {"class_weights": None, "ignored_label": None}
OWN = np.full((4, 4, 3, 3, 4, 2), 0.5, np.float32)


class Call:
    """A function and the arguments of a valid call of it."""

    def __init__(self, function: Callable[..., Any], **arguments: Any) -> None:
        self.function = function
        self.arguments = arguments

    def __call__(self, **changed: Any) -> Any:
        return self.function(**{**self.arguments, **changed})


def _used(layer: Callable[..., jcnn.Layer], shape: Sequence[int] = (6, 6, 4)) -> Callable[..., Any]:
    """Whatever a layer takes when it is described, it must be of use in a network."""

    def call(**arguments: Any) -> Any:
        described = layer(**arguments)
        hash(described)
        network = (described,)
        if jcnn.summary(network, tuple(shape)).parameters > LARGE:
            return None
        params, state = jcnn.init(jax.random.key(0), network, tuple(shape)), jcnn.init_state(network, tuple(shape))
        return jcnn.apply(network, params, np.full((1, *shape), 0.5, np.float32), state=state)

    return call


def _function(name: str, **arguments: Any) -> Call:
    return Call(getattr(jcnn, name), **arguments)


ACTIVATIONS = ("relu", "selu", "sigmoid", "tanh", "gelu", "softplus", "softmax", "log_softmax")
PLAIN_LAYERS = ("Relu", "Selu", "Sigmoid", "Tanh", "Gelu", "Softplus", "Flatten", "GlobalAvgPool", "GlobalMaxPool", "Layer")
PRESETS = ("small", "lecture", "lenet5", "vgg_small", "all_conv", "mobile", "airbench")
NORMALISES: dict[str, Any] = {"epsilon": 1e-5, "scale": True, "offset": True}
LAYERS: dict[str, dict[str, Any]] = {
    "Conv": {"filters": 8, "window": 3, **CONV, "bias": True},
    "Dense": {"units": 3, "bias": True},
    "MaxPool": POOL,
    "AvgPool": {**POOL, "count_padding": False},
    "LeakyRelu": {"slope": 0.1},
    "Elu": {"alpha": 1.0},
    "Maxout": {"pieces": 2},
    "Residual": {"body": jcnn.Conv(4, 3, padding=1), "shortcut": None},
    "Gate": {"body": jcnn.Sigmoid()},
    "IdentityConv": {"filters": 8, "window": 3, **CONV, "bias": True},
    "ConvTranspose": {"filters": 8, "window": 3, **WALK, "groups": 1, "bias": True, "output_padding": 0},
    "UpSample": {"factor": 2, "method": "nearest"},
    "PadChannels": {"channels": 6},
    "Scale": {"factor": 0.5},
    "Dropout": {"rate": 0.5, "spatial": False},
    "BatchNorm": {"momentum": 0.1, "axis_name": None, **NORMALISES},
    "LayerNorm": {"axes": "channels", **NORMALISES},
    "GroupNorm": {"groups": 2, **NORMALISES},
    "Whiten": {"window": 2, "epsilon": 5e-4},
}

CALLS: dict[str, Call] = {
    **{name: _function(name, x=X) for name in ACTIVATIONS},
    **{f"{name}_backward": _function(f"{name}_backward", dy=X, x=X) for name in ACTIVATIONS},
    "leaky_relu": _function("leaky_relu", x=X, slope=0.1),
    "leaky_relu_backward": _function("leaky_relu_backward", dy=X, x=X, slope=0.1),
    "elu": _function("elu", x=X, alpha=1.0),
    "elu_backward": _function("elu_backward", dy=X, x=X, alpha=1.0),
    "maxout": _function("maxout", x=X, pieces=2),
    "maxout_backward": _function("maxout_backward", dy=X[..., :2], x=X, pieces=2),
    "conv": _function("conv", x=X, w=W, b=B, **CONV, formulation="lax", gradient="autodiff"),
    "conv_backward": _function("conv_backward", dy=DY, x=X, w=W, **CONV),
    "convolve": _function("convolve", x=X, w=W, b=B, **CONV, formulation="lax", gradient="autodiff"),
    "conv_matrix": _function("conv_matrix", w=W, input_shape=(6, 6, 4), **CONV, sparse=False),
    "conv_transpose": _function("conv_transpose", y=DY, w=W, b=B[:4], **WALK, groups=1, output_size=None, output_padding=0),
    "conv_transpose_backward": _function("conv_transpose_backward", dx=X, y=DY, w=W, **WALK, groups=1),
    "locally_connected": _function("locally_connected", x=X, w=OWN, b=OWN[:, :, 0, 0, 0], **WALK),
    "locally_connected_backward": _function("locally_connected_backward", dy=DY[..., :2], x=X, w=OWN, **WALK),
    "dense": _function("dense", x=ROWS, w=MATRIX, b=B[:5]),
    "dense_backward": _function("dense_backward", dy=ROWS[:, [0, 1, 2, 3, 3]], x=ROWS, w=MATRIX),
    "flatten": _function("flatten", x=X),
    "flatten_backward": _function("flatten_backward", dy=X.reshape(2, -1), x=X),
    "max_pool": _function("max_pool", x=X, **POOL, formulation="taps", gradient="autodiff"),
    "max_pool_backward": _function("max_pool_backward", dy=POOLED, x=X, **POOL),
    "avg_pool": _function("avg_pool", x=X, **POOL, count_padding=False, formulation="taps"),
    "avg_pool_backward": _function("avg_pool_backward", dy=POOLED, x=X, **POOL, count_padding=False),
    "global_max_pool": _function("global_max_pool", x=X),
    "global_max_pool_backward": _function("global_max_pool_backward", dy=X[:, 0, 0], x=X),
    "global_avg_pool": _function("global_avg_pool", x=X),
    "global_avg_pool_backward": _function("global_avg_pool_backward", dy=X[:, 0, 0], x=X),
    "batch_statistics": _function("batch_statistics", x=X, axis_name=None),
    "batch_norm": _function("batch_norm", **NORM, **GIVEN, axis_name=None, gradient="autodiff"),
    "batch_norm_backward": _function("batch_norm_backward", dy=X, **NORM, **GIVEN, axis_name=None),
    "layer_norm": _function("layer_norm", **NORM, axes="channels", gradient="autodiff"),
    "layer_norm_backward": _function("layer_norm_backward", dy=X, **NORM, axes="channels"),
    "group_norm": _function("group_norm", **NORM, groups=2, gradient="autodiff"),
    "group_norm_backward": _function("group_norm_backward", dy=X, **NORM, groups=2),
    "dropout": _function("dropout", x=X, key=jax.random.key(0), rate=0.5, spatial=False),
    "dropout_backward": _function("dropout_backward", dy=X, x=X, key=jax.random.key(0), rate=0.5, spatial=False),
    "dropout_mask": _function("dropout_mask", x=X, key=jax.random.key(0), rate=0.5, spatial=False),
    "upsample": _function("upsample", x=POOLED, factor=2, method="nearest"),
    "upsample_backward": _function("upsample_backward", dy=X, x=POOLED, factor=2, method="nearest"),
    "softmax_cross_entropy": _function("softmax_cross_entropy", logits=ROWS, labels=LABELS, label_smoothing=0.0, **WEIGHTED),
    "softmax_cross_entropy_backward": _function(
        "softmax_cross_entropy_backward", dy=B[:3], logits=ROWS, labels=LABELS, label_smoothing=0.0, **WEIGHTED
    ),
    "label_weights": _function("label_weights", logits=ROWS, labels=LABELS, **WEIGHTED),
    "mean_squared_error": _function("mean_squared_error", prediction=ROWS, target=ROWS),
    "mean_squared_error_backward": _function("mean_squared_error_backward", dy=B[:3], prediction=ROWS, target=ROWS),
    "output_size": _function("output_size", n=7, f=3, **WALK, rounding="floor"),
    "receptive_field": _function("receptive_field", layers=[("conv", 3, 1, 1), jcnn.MaxPool(2)], input_size=8),
    "plan": _function("plan", x=X, w=W, **CONV),
    "init": _function("init", key=jax.random.key(0), network=NETWORK, input_shape=(6, 6, 4), dtype="float32"),
    "init_state": _function("init_state", network=KEEPING, input_shape=(6, 6, 4), dtype="float32"),
    "adapt": _function("adapt", network=KEEPING, state=STATE, x=X),
    "apply": _function("apply", network=NETWORK, params=PARAMS, x=X, ops=OPS, state=None),
    "apply_training": _function("apply_training", network=NETWORK, params=PARAMS, x=X, ops=OPS, state=None, key=None),
    **{
        name: _function(name, network=NETWORK, params=PARAMS, x=X, labels=LABELS[:2] % 3, ops=OPS, state=None, key=None)
        for name in ("value_and_grad", "backprop")
    },
    "summary": _function("summary", network=NETWORK, input_shape=(6, 6, 4)),
    "count_parameters": _function("count_parameters", network=NETWORK, input_shape=(6, 6, 4)),
    **{name: _function(name, input_shape=(28, 28, 1), classes=10) for name in PRESETS},
    "resnet": _function("resnet", input_shape=(28, 28, 1), classes=10, depth=8, width=4),
    "depthwise_separable": _function("depthwise_separable", channels=4, filters=8, window=3, stride=1),
    "squeeze_excitation": _function("squeeze_excitation", channels=4, ratio=2),
    **{name: _function(name, **arguments) for name, arguments in LAYERS.items()},
    **{name: _function(name) for name in PLAIN_LAYERS},
    "Parallel": Call(lambda branch, join: jcnn.Parallel(branch, join=join), branch=jcnn.Relu(), join="sum"),
    "Context": _function("Context", ops=OPS, training=False, key=None, state=None),
    "Ops": _function("Ops", formulation="lax", gradient="autodiff"),
}
"""By public name."""

MORE: dict[str, Call] = {
    **{f"{name} in a network": Call(_used(getattr(jcnn, name)), **arguments) for name, arguments in LAYERS.items()},
    **{
        f"{name} with a state": _function(
            name, network=KEEPING, params=KEPT, x=X, labels=LABELS[:2] % 3, ops=OPS, state=STATE, key=jax.random.key(0)
        )
        for name in ("value_and_grad", "backprop")
    },
    "apply with a state": _function("apply", network=KEEPING, params=KEPT, x=X, ops=OPS, state=STATE),
    "apply nested": _function("apply", network=(NETWORK[:1], NETWORK[1:]), params=(PARAMS[:1], PARAMS[1:]), x=X, ops=OPS),
    "Conv(8, 3).output_shape": Call(jcnn.Conv(8, 3).output_shape, shape=(6, 6, 4)),
    "MaxPool(2).output_shape": Call(jcnn.MaxPool(2).output_shape, shape=(6, 6, 4)),
    "Maxout(2).output_shape": Call(jcnn.Maxout(2).output_shape, shape=(6, 6, 4)),
    **{f"conv {way}": _function("conv", x=X, w=W, **CONV, formulation=way) for way in ("taps", "im2col", "toeplitz", "fft")},
    "conv auto": _function("conv", x=X, w=W, **CONV, formulation="auto", gradient="manual"),
    "conv winograd": _function("conv", x=X, w=W, padding=0, formulation="winograd"),
    "conv over a line": _function("conv", x=LINE, w=W[0], **CONV),
    "conv_backward over a line": _function("conv_backward", dy=LINE[:, :6, [0] * 8], x=LINE, w=W[0], **CONV),
    "conv over a volume": _function("conv", x=VOLUME, w=np.full((2, 2, 2, 2, 3), 0.5, np.float32), **CONV),
    "conv_backward of groups": _function("conv_backward", dy=DY, x=X, w=W[:, :, :1], **{**CONV, "groups": 4}),
    "max_pool by lax": _function("max_pool", x=X, **POOL, formulation="lax"),
    "max_pool of a line": _function("max_pool", x=LINE, **POOL, gradient="manual"),
    "avg_pool of a line": _function("avg_pool", x=LINE, **POOL, count_padding=True),
    "conv_matrix sparse": _function("conv_matrix", w=W, input_shape=(6, 6, 4), **CONV, sparse=True),
    "conv_matrix of a line": _function("conv_matrix", w=W[0], input_shape=(8, 4), **CONV, sparse=True),
    "batch_norm in evaluation": _function("batch_norm", **NORM, mean=B[:4], variance=B[:4], gradient="manual"),
    "batch_norm_backward in evaluation": _function("batch_norm_backward", dy=X, **NORM, mean=B[:4], variance=B[:4]),
    "layer_norm of examples": _function("layer_norm", **NORM, axes="all", gradient="manual"),
    "dropout of maps": _function("dropout", x=X, key=jax.random.key(0), rate=0.5, spatial=True),
    "upsample by lines": _function("upsample", x=LINE, factor=3, method="linear"),
    "softmax_cross_entropy weighted": _function(
        "softmax_cross_entropy", logits=ROWS, labels=LABELS, label_smoothing=0.1, class_weights=B[:4], ignored_label=3
    ),
    "distributions": _function("softmax_cross_entropy", logits=ROWS, labels=np.full((3, 4), 0.25, np.float32)),
}
"""The same names in other ways: by method, formulation, rank."""

ALL: dict[str, Call] = {**CALLS, **MORE}


def _drill(fault: Callable[[], Any]) -> Call:
    return Call(lambda **_: fault(), x=X)


DRILLS: dict[str, Call] = {
    "obscure error": _drill(lambda: np.zeros(2).reshape(3)),
    "unnamed argument": _drill(lambda: jcnn.Dense(0)),
    "infinite result": _drill(lambda: jcnn.relu(np.full(2, np.inf, np.float32))),
    "abort": _drill(os.abort),
    "hang": _drill(lambda: time.sleep(3600)),
}
"""What a worker must notice."""

NO_CALLS = (
    *("DEFAULT", "PRESETS", "GeometryError", "NetworkError", "PrecisionWarning", "Plan"),
    *("Recipe", "fit", "load", "save"),
)
"""Public names that are values and exceptions; and those with tables of bad arguments in tests of their own."""
