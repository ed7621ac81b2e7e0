"""The order of the axes of every array in a layout, and the way there and back from jcnn's, which has the channels last."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Order = tuple[int, ...]


class Axes(NamedTuple):
    """The arrays of an operation in a layout.

    Attributes:
        roles: what an array is, by its name; one that is not among them is the same in every layout.
        orders: for what an array may be, the order of its axes: from their number to the places that they have in jcnn.
    """

    roles: dict[str, str]
    orders: dict[str, Callable[[int], Order]]

    def order(self, name: str, axes: int) -> Order | None:
        """Of an array with that many axes: for each axis of the layout its place in jcnn; None where they are the same."""
        rule = self.orders.get(self.roles.get(name, ""))
        found = rule(axes) if rule else None
        return None if found is None or found == tuple(range(axes)) else found

    def give(self, name: str, value: Any, args: dict[str, Any]) -> Any:
        """An argument in the layout, as an array of its own; `args` are all arguments of the call in jcnn's layout."""
        if not isinstance(value, np.ndarray):
            return value
        if self.roles.get(name) == "flat" and self.orders:
            return _reordered(value, args["x"].shape, self.orders["image"](args["x"].ndim))
        order = self.order(name, value.ndim) if self._concerns(name, value, args) else None
        return np.array(value if order is None else value.transpose(order), order="C", copy=True)

    def take(self, name: str, value: Any, args: dict[str, Any]) -> Any:
        """An array of the layout in jcnn's; what is no array, or has too few axes, stays as it is."""
        concerned = name in self.roles and self.orders
        if not concerned:
            return value
        array = array_of(value)
        if array is None or not self._concerns(name, array, args):
            return value
        if self.roles[name] == "flat":
            shape = args["x"].shape
            order = self.orders["image"](len(shape))
            whole = array.ndim == 2 and array.shape == (shape[0], int(np.prod(shape[1:])))
            return _reordered(array, tuple(shape[axis] for axis in order), tuple(np.argsort(order))) if whole else value
        order = self.order(name, array.ndim)
        return array if order is None else array.transpose(np.argsort(order))

    def _concerns(self, name: str, value: Array, args: dict[str, Any]) -> bool:
        """Labels have axes for the classes only where they are probabilities."""
        return self.roles.get(name) != "labels" or value.dtype.kind == "f"


def _reordered(flat: Array, shape: tuple[int, ...], order: Order) -> Array:
    """Flattened maps, flattened in another order of their axes."""
    return np.ascontiguousarray(flat.reshape(shape).transpose(order)).reshape(flat.shape)


def array_of(value: Any) -> Array | None:
    """`value` as an array of numbers, from NumPy, JAX, PyTorch or nested lists; None where it is none."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "fiubc" or array.dtype.name == "bfloat16" else None


def _channels_second(axes: int) -> Order:
    return (0, axes - 1, *range(1, axes - 1)) if axes > 2 else tuple(range(axes))


def _output_and_input_first(axes: int) -> Order:
    return (axes - 1, axes - 2, *range(axes - 2)) if axes > 2 else tuple(range(axes))


LAYOUTS: dict[str, dict[str, Callable[[int], Order]]] = {
    "NHWC": {},
    "NCHW": {
        "image": _channels_second,
        "labels": _channels_second,
        "filter": _output_and_input_first,
        "map": lambda axes: (axes - 1, *range(axes - 1)),
    },
}
"""The layouts by name: channels last, as in jcnn, with filters (*F, C_in, C_out); or first, with filters (C_out, C_in, *F)."""

_CONVOLUTION = {"x": "image", "y": "image", "dx": "image", "dy": "image", "w": "filter", "dw": "filter"}
_POOLING = {"x": "image", "y": "image", "dx": "image", "dy": "image"}
ROLES: dict[str, dict[str, str]] = {
    "conv": _CONVOLUTION,
    "convolve": _CONVOLUTION,
    "conv_transpose": _CONVOLUTION,
    "locally_connected": {**_CONVOLUTION, "b": "map", "db": "map"},
    "flatten": {"x": "image", "dx": "image", "y": "flat", "dy": "flat"},
    "softmax_cross_entropy": {"logits": "image", "dlogits": "image", "labels": "labels"},
    **dict.fromkeys(
        ("max_pool", "avg_pool", "global_max_pool", "global_avg_pool", "maxout", "softmax", "log_softmax"), _POOLING
    ),
    **dict.fromkeys(("batch_norm", "batch_norm_evaluation", "layer_norm", "group_norm", "upsample"), _POOLING),
}
"""What the arrays of an operation are; of one that is not here all are the same in every layout."""


def axes_of(layout: str, operation: str) -> Axes:
    """The arrays of an operation in a layout."""
    return Axes(ROLES.get(operation, {}), LAYOUTS[layout])


def other_layout(layout: str, operation: str) -> str | None:
    """The layout that an operation's arrays may have as well; None where they are the same in all."""
    return next((name for name in LAYOUTS if name != layout), None) if operation in ROLES else None
