"""Layer descriptions: small frozen values that say what a layer is; parameters live in a pytree beside them."""

from jcnn.layers import activation, composite, dense, spatial
from jcnn.layers.activation import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.activation import Activation
from jcnn.layers.base import DEFAULT, Context, Layer, Network, NetworkError, Ops, Parameters, Saved, Shape
from jcnn.layers.composite import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.dense import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.initial import normal_weights
from jcnn.layers.spatial import *  # noqa: F403 (its __all__ says what)

__all__ = [
    "DEFAULT",
    "Activation",
    "Context",
    "Layer",
    "Network",
    "NetworkError",
    "Ops",
    "Parameters",
    "Saved",
    "Shape",
    "normal_weights",
]
__all__ += activation.__all__
__all__ += composite.__all__
__all__ += dense.__all__
__all__ += spatial.__all__
