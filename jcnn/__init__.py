"""jcnn: a convolutional network you can read, check and trust."""

import importlib
from typing import TYPE_CHECKING, Any

from jcnn import activations, layers
from jcnn.activations import *  # noqa: F403 (its __all__ says what)
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
from jcnn.dropout import dropout, dropout_backward, dropout_mask
from jcnn.geometry import GeometryError, output_size, receptive_field
from jcnn.layers import *  # noqa: F403 (its __all__ says what)
from jcnn.locally_connected import locally_connected, locally_connected_backward
from jcnn.losses import (
    label_weights,
    mean_squared_error,
    mean_squared_error_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from jcnn.network import adapt, apply, apply_training, backprop, init, init_state, value_and_grad
from jcnn.normalisation import (
    batch_norm,
    batch_norm_backward,
    batch_statistics,
    group_norm,
    group_norm_backward,
    layer_norm,
    layer_norm_backward,
)
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
from jcnn.presets import PRESETS, airbench, all_conv, lecture, lenet5, mobile, resnet, small, vgg_small
from jcnn.summary import count_parameters, summary
from jcnn.upsample import upsample, upsample_backward

if TYPE_CHECKING:
    from jcnn import attribution as attribution
    from jcnn import calibration as calibration
    from jcnn import check as check
    from jcnn import classification as classification
    from jcnn import compilation as compilation
    from jcnn import data as data
    from jcnn import definition as definition
    from jcnn import doctor as doctor
    from jcnn import exchange as exchange
    from jcnn import explore as explore
    from jcnn import figures as figures
    from jcnn import saved as saved
    from jcnn import training as training
    from jcnn.saved import load as load
    from jcnn.saved import save as save
    from jcnn.training import Recipe as Recipe
    from jcnn.training import fit as fit

__version__ = "0.1.0"

LATER = (
    "attribution",
    "calibration",
    "check",
    "classification",
    "compilation",
    "data",
    "definition",
    "doctor",
    "exchange",
    "explore",
    "figures",
    "saved",
    "training",
)
"""Modules that `import jcnn` leaves out, since they take time to load, and brings when they are first asked for."""

FROM_LATER = {"Recipe": "training", "fit": "training", "load": "saved", "save": "saved"}
"""Names that such a module brings, and which one."""


def __getattr__(name: str) -> Any:
    if name in LATER:
        return importlib.import_module(f"jcnn.{name}")
    if name in FROM_LATER:
        return getattr(importlib.import_module(f"jcnn.{FROM_LATER[name]}"), name)
    raise AttributeError(f"module 'jcnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *LATER, *FROM_LATER})


__all__ = [
    "PRESETS",
    "GeometryError",
    "Plan",
    "PrecisionWarning",
    "Recipe",
    "adapt",
    "airbench",
    "all_conv",
    "apply",
    "apply_training",
    "avg_pool",
    "avg_pool_backward",
    "backprop",
    "batch_norm",
    "batch_norm_backward",
    "batch_statistics",
    "conv",
    "conv_backward",
    "conv_matrix",
    "conv_transpose",
    "conv_transpose_backward",
    "convolve",
    "count_parameters",
    "dense",
    "dense_backward",
    "dropout",
    "dropout_backward",
    "dropout_mask",
    "fit",
    "flatten",
    "flatten_backward",
    "global_avg_pool",
    "global_avg_pool_backward",
    "global_max_pool",
    "global_max_pool_backward",
    "group_norm",
    "group_norm_backward",
    "init",
    "init_state",
    "label_weights",
    "layer_norm",
    "layer_norm_backward",
    "lecture",
    "lenet5",
    "load",
    "locally_connected",
    "locally_connected_backward",
    "max_pool",
    "max_pool_backward",
    "mean_squared_error",
    "mean_squared_error_backward",
    "mobile",
    "output_size",
    "plan",
    "receptive_field",
    "resnet",
    "save",
    "small",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "summary",
    "upsample",
    "upsample_backward",
    "value_and_grad",
    "vgg_small",
]
__all__ += activations.__all__
__all__ += layers.__all__
