"""jcnn: a convolutional network you can read, check and trust."""

import importlib
from typing import TYPE_CHECKING, Any

from jcnn.activations import (
    elu,
    elu_backward,
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    log_softmax,
    log_softmax_backward,
    maxout,
    maxout_backward,
    relu,
    relu_backward,
    selu,
    selu_backward,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    softplus,
    softplus_backward,
    tanh,
    tanh_backward,
)
from jcnn.arguments import PrecisionWarning
from jcnn.conv import (
    Plan,
    conv,
    conv_backward,
    conv_matrix,
    conv_transpose,
    conv_transpose_backward,
    convolve,
    plan,
)
from jcnn.dense import dense, dense_backward, flatten, flatten_backward
from jcnn.geometry import GeometryError, output_size, receptive_field
from jcnn.layers import (
    DEFAULT,
    AvgPool,
    Conv,
    Dense,
    Elu,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    LeakyRelu,
    Maxout,
    MaxPool,
    Ops,
    Relu,
    Selu,
    Sigmoid,
    Softplus,
    Tanh,
)
from jcnn.locally_connected import locally_connected, locally_connected_backward
from jcnn.losses import (
    mean_squared_error,
    mean_squared_error_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from jcnn.network import NetworkError, apply, backprop, init, value_and_grad
from jcnn.pool import (
    avg_pool,
    avg_pool_backward,
    global_avg_pool,
    global_avg_pool_backward,
    global_max_pool,
    global_max_pool_backward,
    max_pool,
    max_pool_backward,
)
from jcnn.presets import PRESETS, lecture, lenet5, small
from jcnn.summary import count_parameters, summary

if TYPE_CHECKING:
    from jcnn import check as check
    from jcnn import compilation as compilation
    from jcnn import data as data
    from jcnn import definition as definition
    from jcnn import doctor as doctor
    from jcnn import explore as explore
    from jcnn import figures as figures
    from jcnn import training as training

__version__ = "0.1.0"

LATER = ("check", "compilation", "data", "definition", "doctor", "explore", "figures", "training")
"""Modules that `import jcnn` leaves out, since they take time to load, and brings when they are first asked for."""


def __getattr__(name: str) -> Any:
    if name in LATER:
        return importlib.import_module(f"jcnn.{name}")
    raise AttributeError(f"module 'jcnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *LATER})


__all__ = [
    "DEFAULT",
    "PRESETS",
    "AvgPool",
    "Conv",
    "Dense",
    "Elu",
    "Flatten",
    "Gelu",
    "GeometryError",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Layer",
    "LeakyRelu",
    "MaxPool",
    "Maxout",
    "NetworkError",
    "Ops",
    "Plan",
    "PrecisionWarning",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "apply",
    "avg_pool",
    "avg_pool_backward",
    "backprop",
    "conv",
    "conv_backward",
    "conv_matrix",
    "conv_transpose",
    "conv_transpose_backward",
    "convolve",
    "count_parameters",
    "dense",
    "dense_backward",
    "elu",
    "elu_backward",
    "flatten",
    "flatten_backward",
    "gelu",
    "gelu_backward",
    "global_avg_pool",
    "global_avg_pool_backward",
    "global_max_pool",
    "global_max_pool_backward",
    "init",
    "leaky_relu",
    "leaky_relu_backward",
    "lecture",
    "lenet5",
    "locally_connected",
    "locally_connected_backward",
    "log_softmax",
    "log_softmax_backward",
    "max_pool",
    "max_pool_backward",
    "maxout",
    "maxout_backward",
    "mean_squared_error",
    "mean_squared_error_backward",
    "output_size",
    "plan",
    "receptive_field",
    "relu",
    "relu_backward",
    "selu",
    "selu_backward",
    "sigmoid",
    "sigmoid_backward",
    "small",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "softplus",
    "softplus_backward",
    "summary",
    "tanh",
    "tanh_backward",
    "value_and_grad",
]
