"""Layer descriptions: small frozen values that say what a layer is; parameters live in a pytree beside them.

`jcnn` takes over what `__all__` lists; the other names are for those who write layers.
"""

from jcnn.layers import activation, blocks, composite, dense, dropout, normalisation, scale, spatial, whiten
from jcnn.layers.activation import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.activation import Activation as Activation
from jcnn.layers.base import DEFAULT, Context, Layer, NetworkError, Ops
from jcnn.layers.base import Network as Network
from jcnn.layers.base import Parameters as Parameters
from jcnn.layers.base import Saved as Saved
from jcnn.layers.base import Shape as Shape
from jcnn.layers.base import State as State
from jcnn.layers.blocks import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.composite import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.dense import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.dropout import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.initial import normal_weights as normal_weights
from jcnn.layers.normalisation import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.scale import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.spatial import *  # noqa: F403 (its __all__ says what)
from jcnn.layers.whiten import *  # noqa: F403 (its __all__ says what)

__all__ = [
    "DEFAULT",
    "Context",
    "Layer",
    "NetworkError",
    "Ops",
]
__all__ += activation.__all__
__all__ += blocks.__all__
__all__ += composite.__all__
__all__ += dense.__all__
__all__ += dropout.__all__
__all__ += normalisation.__all__
__all__ += scale.__all__
__all__ += spatial.__all__
__all__ += whiten.__all__
