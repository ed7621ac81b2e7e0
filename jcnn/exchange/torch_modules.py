"""What stands in PyTorch for each layer: the module that computes the same, and how the layer's arrays lie in it.

PyTorch has channels first. That moves axes, and it numbers what a map is flattened to in another order:

    filters and weights  (*F, I, O)  →  (O, I, *F)
    a flattened map      s·C + c     →  c·|S| + s        position s of |S|, channel c of C

So the weights of a dense layer behind `Flatten` are put into the order of PyTorch, and so is what is learned for each feature
in between. Padding that is not alike on both sides is no option of PyTorch's layers: "same" with a stride of 2 on an even size
pads nothing before and one pixel behind, where padding=1 there pads both sides and reads other pixels. Such a layer gets a
module in front of it that pads.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from jcnn import geometry
from jcnn.exchange.errors import ExchangeError
from jcnn.layers import (
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Elu,
    Flatten,
    Gate,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    IdentityConv,
    Layer,
    LayerNorm,
    LeakyRelu,
    Maxout,
    MaxPool,
    Network,
    PadChannels,
    Parallel,
    Relu,
    Residual,
    Scale,
    Selu,
    Shape,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample,
    Whiten,
)
from jcnn.layers.composite import Serial
from jcnn.network import Trace, trace
from jcnn.window import Window, parse_window

Order = np.ndarray | None
"""Which of our features stands at each place among PyTorch's; None: in the same order."""

SOFTPLUS_STRAIGHT = 40
"""From here on PyTorch's softplus is x itself; its own default, 20, is to be seen in float64."""


DEFAULTS = {
    "affine": True,
    "bias": True,
    "ceil_mode": False,
    "count_include_pad": True,
    "dilation": 1,
    "elementwise_affine": True,
    "eps": 1e-5,
    "groups": 1,
    "momentum": 0.1,
    "output_padding": 0,
    "padding": 0,
}
"""What an option of PyTorch's modules is, where it is not given."""


@dataclass(frozen=True)
class Tensor:
    """An array of a layer, and how it lies in PyTorch.

    Attributes:
        name: in PyTorch.
        tree: whether it is of the parameters or of the state.
        key: its name in ours.
        filters: its axes are (*F, I, O), and (O, I, *F) there.
        features: the axis, from the end, that is numbered as the features of the layer's input; None: none is.
        ones: so many axes of 1 stand behind the others there.
        otherwise: what all its entries are where the layer does not learn it; None: it learns it.
    """

    name: str
    tree: Literal["params", "state"]
    key: str
    filters: bool = False
    features: int | None = None
    ones: int = 0
    otherwise: float | None = None

    def to_torch(self, array: np.ndarray, order: Order) -> np.ndarray:
        """The array as it lies in PyTorch."""
        if order is not None and self.features is not None:
            array = np.take(array, order, axis=self.features)
        if self.filters:
            array = np.moveaxis(array, (-1, -2), (0, 1))
        return np.ascontiguousarray(array.reshape(*array.shape, *(1,) * self.ones))

    def from_torch(self, array: np.ndarray, order: Order) -> np.ndarray:
        """The array as it lies in ours."""
        array = array.reshape(array.shape[: array.ndim - self.ones])
        if self.filters:
            array = np.moveaxis(array, (0, 1), (-1, -2))
        if order is not None and self.features is not None:
            array = np.take(array, np.argsort(order), axis=self.features)
        return np.ascontiguousarray(array)


@dataclass(frozen=True)
class Source:
    """The layer whose arrays a module holds.

    Attributes:
        place: where it stands, such as 3.1.
        layer: itself.
        path: the keys that lead to its arrays in the trees of parameters and state.
        input_shape: of one example of its input.
        order: of the features of its input.
        tensors: its arrays.
        padded: how it pads, where PyTorch's layers have no option for that; None: they have.
    """

    place: str
    layer: Layer
    path: tuple[Any, ...]
    input_shape: Shape
    order: Order
    tensors: tuple[Tensor, ...]
    padded: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class Module:
    """A module of PyTorch as one would write it.

    Attributes:
        name: its class, such as nn.Conv2d, or one of `jcnn.exchange.torch_parts`.
        arguments: given by place.
        options: given by name.
        parts: the modules in it, by the names of their weights; those of a number are given by place.
        source: the layer whose arrays it holds, if it holds any.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    parts: "Mapping[str, Module]" = field(default_factory=dict)
    source: Source | None = None


class Step(NamedTuple):
    """A layer on its way out: where it stands, what leads to its arrays, and the order of the features that it sees."""

    trace: Trace
    path: tuple[Any, ...]
    order: Order

    @property
    def layer(self) -> Any:
        """The layer."""
        return self.trace.layer

    @property
    def shape(self) -> Shape:
        """Of one example of its input."""
        return self.trace.input_shape

    @property
    def rank(self) -> int:
        """How many spatial axes the input has."""
        return len(self.shape) - 1

    def source(self, *tensors: Tensor, padded: tuple[tuple[int, int], ...] | None = None) -> Source:
        """What its arrays are told by."""
        return Source(self.trace.place, self.layer, self.path, self.shape, self.order, tensors, padded)

    def refused(self, why: str) -> ExchangeError:
        """The error that names the layer."""
        return ExchangeError(f"layer {self.trace.place}, {geometry.shown(self.layer)}, cannot be said in PyTorch: {why}")


Made = tuple[Module, Order]
"""A module, and the order of the features that come out."""


def module_of(network: Network, input_shape: Shape) -> Module:
    """The module of a whole network.

    Raises:
        NetworkError: the network does not fit the input.
        ExchangeError: a layer has no counterpart in PyTorch; names it.
    """
    module, order = _in_turn(trace(network, input_shape), (), None)
    if order is not None:
        raise ExchangeError(
            "the network ends in a flattened map, which PyTorch numbers in another order: expected a dense layer behind Flatten"
        )
    return module


def sources(module: Module, name: str = "") -> list[tuple[str, Source]]:
    """The layers with arrays in a module, in order, with the name before that of each array, such as "3.body.0."."""
    own = [(name, module.source)] if module.source else []
    return own + [pair for inner, part in module.parts.items() for pair in sources(part, f"{name}{inner}.")]


def _in_turn(steps: Sequence[Trace], path: tuple[Any, ...], order: Order) -> Made:
    parts = {}
    for index, step in enumerate(steps):
        parts[str(index)], order = _one(Step(step, (*path, index), order))
    return Module("nn.Sequential", parts=parts), order


def _one(step: Step) -> Made:
    if isinstance(step.layer, Serial):
        return _in_turn(step.trace.parts, step.path, step.order)
    make = MODULES.get(type(step.layer))
    if make is None:
        raise step.refused(f"it is none of {', '.join(sorted(kind.__name__ for kind in MODULES))}")
    return make(step)


# One function for each kind of layer: what it needs to know of a layer to say it in PyTorch.


def _conv(step: Step) -> Made:
    layer: Conv = step.layer
    window = _alike(step, _window(step))
    padded = None if all(lo == hi for lo, hi in window.padding) else window.padding
    options = _options(
        stride=window.stride,
        padding=0 if padded else tuple(lo for lo, _ in window.padding),
        dilation=window.dilation,
        groups=layer.groups,
        bias=layer.bias,
    )
    source = step.source(_WEIGHT, *[_BIAS] * layer.bias, padded=padded)
    conv = Module(f"nn.Conv{step.rank}d", (step.shape[-1], layer.filters, _plain(window.size)), options, source=source)
    return _behind_padding(step, padded, 0.0, conv), None


def _whiten(step: Step) -> Made:
    layer: Whiten = step.layer
    window = geometry.per_axis("window", layer.window, step.rank)
    filters = layer.output_shape(step.shape)[-1]
    source = step.source(Tensor("weight", "state", "w", filters=True), Tensor("offset", "state", "b"), _BIAS)
    return Module("Whiten", (step.shape[-1], filters, window), source=source), None


def _pad_channels(step: Step) -> Made:
    layer: PadChannels = step.layer
    if step.order is not None:
        raise step.refused("it counts the features of a flattened map, which PyTorch numbers in another order")
    return Module("PadChannels", (layer.channels,)), None


def _max_pool(step: Step) -> Made:
    window, padding, ceil = _pool(step)
    outside = None if padding is not None else window.padding
    options = _options(stride=window.stride, padding=padding or 0, dilation=window.dilation, ceil_mode=ceil)
    pool = Module(f"nn.MaxPool{step.rank}d", (_plain(window.size),), options)
    return _behind_padding(step, outside, -math.inf, pool), None


def _avg_pool(step: Step) -> Made:
    layer: AvgPool = step.layer
    window, padding, ceil = _pool(step)
    if any(d > 1 and f > 1 for d, f in zip(window.dilation, window.size, strict=True)):
        raise step.refused(f"its average pooling has no dilation, and this has {window.dilation}")
    if padding is None:
        raise step.refused(
            f"it pads {window.padding} (before, behind) along its axes, and average pooling there pads both sides alike, by "
            f"half a window at most: expected such a padding"
        )
    counted = {"count_include_pad": layer.count_padding} if any(padding) else {}
    options = _options(stride=window.stride, padding=padding, ceil_mode=ceil, **counted)
    return Module(f"nn.AvgPool{step.rank}d", (_plain(window.size),), options), None


def _conv_transpose(step: Step) -> Made:
    """It crops what PyTorch's leaves, where that crops both sides alike."""
    layer: ConvTranspose = step.layer
    sizes = layer.output_shape(step.shape)[:-1]
    window = parse_window(sizes, layer.window, stride=layer.stride, padding=layer.padding, dilation=layer.dilation)
    whole = [
        s * (n - 1) + geometry.span(f, d) for n, f, s, d in zip(step.shape[:-1], *window[:2], window.dilation, strict=True)
    ]
    behind = [full - lo - size for full, (lo, _), size in zip(whole, window.padding, sizes, strict=True)]
    before = tuple(lo for lo, _ in window.padding)
    alike = all(0 <= lo - hi < s for lo, hi, s in zip(before, behind, window.stride, strict=True))
    more = tuple(lo - hi if alike else max(-hi, 0) for lo, hi in zip(before, behind, strict=True))
    options = _options(
        stride=window.stride,
        padding=before if alike else 0,
        output_padding=more,
        groups=layer.groups,
        bias=layer.bias,
        dilation=window.dilation,
    )
    crops = None if alike else tuple((-lo, -max(hi, 0)) for lo, hi in zip(before, behind, strict=True))
    source = step.source(_WEIGHT, *[_BIAS] * layer.bias, padded=crops)
    sizes = (step.shape[-1], layer.filters, _plain(window.size))
    module = Module(f"nn.ConvTranspose{step.rank}d", sizes, options, source=source)
    if crops is None:
        return module, None
    return Module("nn.Sequential", parts={"0": module, "1": _padding_module(step, crops, 0.0)}), None


def _upsample(step: Step) -> Made:
    layer: UpSample = step.layer
    factors = tuple(map(float, geometry.per_axis("factor", layer.factor, step.rank)))
    options = {"scale_factor": _plain(factors)}
    if layer.method == "linear":
        options |= {"mode": {1: "linear", 2: "bilinear", 3: "trilinear"}[step.rank], "align_corners": False}
    return Module("nn.Upsample", options=options), None


def _batch_norm(step: Step) -> Made:
    layer: BatchNorm = step.layer
    options = _options(eps=layer.epsilon, momentum=layer.momentum, affine=layer.scale or layer.offset)
    module = Module(f"nn.BatchNorm{max(step.rank, 1)}d", step.shape[-1:], options, source=_normalising(step, *_RUNNING))
    return module, step.order


def _layer_norm(step: Step) -> Made:
    layer: LayerNorm = step.layer
    affine = layer.scale or layer.offset
    if step.rank and layer.axes == "all":
        options = _options(eps=layer.epsilon, affine=affine)
        return Module("nn.GroupNorm", (1, step.shape[-1]), options, source=_normalising(step)), None
    options = _options(eps=layer.epsilon, elementwise_affine=affine)
    name = "ChannelNorm" if step.rank else "nn.LayerNorm"
    return Module(name, step.shape[-1:], options, source=_normalising(step)), step.order


def _group_norm(step: Step) -> Made:
    layer: GroupNorm = step.layer
    if step.order is not None and layer.groups > 1:
        raise step.refused("its groups are of neighbouring features of a flattened map, which PyTorch numbers in another order")
    options = _options(eps=layer.epsilon, affine=layer.scale or layer.offset)
    return Module("nn.GroupNorm", (layer.groups, step.shape[-1]), options, source=_normalising(step)), step.order


def _normalising(step: Step, *running: Tensor) -> Source | None:
    """The arrays of a normalisation; one that learns neither scale nor offset may have none."""
    layer = step.layer
    learned = ((_SCALE, layer.scale, 1.0), (_OFFSET, layer.offset, 0.0)) if layer.scale or layer.offset else ()
    tensors = [tensor if learns else replace(tensor, otherwise=value) for tensor, learns, value in learned]
    return step.source(*tensors, *running) if tensors or running else None


def _dropout(step: Step) -> Made:
    layer: Dropout = step.layer
    return Module(f"nn.Dropout{step.rank}d" if layer.spatial else "nn.Dropout", (layer.rate,)), step.order


def _dense(step: Step) -> Made:
    layer: Dense = step.layer
    source = step.source(replace(_WEIGHT, ones=step.rank), *[_BIAS] * layer.bias)
    if step.rank == 0:
        return Module("nn.Linear", (step.shape[-1], layer.units), _options(bias=layer.bias), source=source), None
    return Module(f"nn.Conv{step.rank}d", (step.shape[-1], layer.units, 1), _options(bias=layer.bias), source=source), None


def _flatten(step: Step) -> Made:
    if step.order is not None or step.rank == 0:
        return Module("nn.Flatten"), step.order
    order = np.moveaxis(np.arange(math.prod(step.shape)).reshape(step.shape), -1, 0).ravel()
    return Module("nn.Flatten"), None if (order[1:] > order[:-1]).all() else order


def _global_pool(kind: str) -> Callable[[Step], Made]:
    def make(step: Step) -> Made:
        pool = Module(f"nn.Adaptive{kind}Pool{step.rank}d", (1,))
        return Module("nn.Sequential", parts={"0": pool, "1": Module("nn.Flatten")}), None

    return make


def _elementwise(name: str, *fields: str, **options: Any) -> Callable[[Step], Made]:
    """A module for what looks at every value alone, with these fields of the layer as its arguments."""

    def make(step: Step) -> Made:
        return Module(name, tuple(getattr(step.layer, name) for name in fields), options), step.order

    return make


def _maxout(step: Step) -> Made:
    if step.order is not None:
        raise step.refused("it joins neighbouring features of a flattened map, which PyTorch numbers in another order")
    return Module("Maxout", (step.layer.pieces,)), None


def _gate(step: Step) -> Made:
    (part,) = step.trace.parts
    body, order = _one(Step(part, (*step.path, "body"), step.order))
    return Module("Gate", parts={"body": body}), _common(step, [order, step.order])


def _residual(step: Step) -> Made:
    names = step.layer.branches
    made = [_one(Step(part, (*step.path, name), step.order)) for name, part in zip(names, step.trace.parts, strict=True)]
    orders = [order for _, order in made] + [step.order] * (len(made) == 1)
    parts = {name: module for name, (module, _) in zip(names, made, strict=True)}
    return Module("Residual", parts=parts), _common(step, orders)


def _parallel(step: Step) -> Made:
    layer: Parallel = step.layer
    made = [_one(Step(part, (*step.path, index), step.order)) for index, part in enumerate(step.trace.parts)]
    order = _common(step, [order for _, order in made])
    if layer.join == "concat" and order is not None:
        raise step.refused("it puts flattened maps side by side, which PyTorch numbers in another order")
    parts = {str(index): module for index, (module, _) in enumerate(made)}
    return Module("Parallel", options={"join": layer.join}, parts=parts), order


def _common(step: Step, orders: Sequence[Order]) -> Order:
    """The order that all branches give."""
    first, *others = orders
    if any(not _same(first, other) for other in others):
        raise step.refused("its branches number the features of a flattened map in different orders")
    return first


def _same(first: Order, second: Order) -> bool:
    if first is None or second is None:
        return first is second
    return np.array_equal(first, second)


MODULES: dict[type[Layer], Callable[[Step], Made]] = {
    AvgPool: _avg_pool,
    BatchNorm: _batch_norm,
    Conv: _conv,
    ConvTranspose: _conv_transpose,
    Dense: _dense,
    Dropout: _dropout,
    Elu: _elementwise("nn.ELU", "alpha"),
    Flatten: _flatten,
    Gate: _gate,
    Gelu: _elementwise("nn.GELU"),
    GlobalAvgPool: _global_pool("Avg"),
    GlobalMaxPool: _global_pool("Max"),
    GroupNorm: _group_norm,
    IdentityConv: _conv,
    LayerNorm: _layer_norm,
    LeakyRelu: _elementwise("nn.LeakyReLU", "slope"),
    MaxPool: _max_pool,
    Maxout: _maxout,
    PadChannels: _pad_channels,
    Parallel: _parallel,
    Relu: _elementwise("nn.ReLU"),
    Residual: _residual,
    Scale: _elementwise("Scale", "factor"),
    Selu: _elementwise("nn.SELU"),
    Sigmoid: _elementwise("nn.Sigmoid"),
    Softplus: _elementwise("nn.Softplus", threshold=SOFTPLUS_STRAIGHT),
    Tanh: _elementwise("nn.Tanh"),
    UpSample: _upsample,
    Whiten: _whiten,
}
"""For every layer that PyTorch can compute: its module."""

_WEIGHT = Tensor("weight", "params", "w", filters=True, features=-2)
_BIAS = Tensor("bias", "params", "b")
_SCALE = Tensor("weight", "params", "scale", features=-1)
_OFFSET = Tensor("bias", "params", "offset", features=-1)
_RUNNING = (
    Tensor("running_mean", "state", "mean", features=-1),
    Tensor("running_var", "state", "variance", features=-1),
)


def _window(step: Step) -> Window:
    """The window of a layer, every number of it known, the padding that a size rounded up needs among it."""
    walk = step.layer.walk
    return parse_window(
        step.shape[:-1],
        walk.window,
        stride=walk.stride,
        padding=walk.padding,
        dilation=walk.dilation,
        rounding=walk.rounding,
    )


def _alike(step: Step, window: Window) -> Window:
    """The window with the padding before the map also behind it, if that makes no position more or less: all read the same."""
    both = window._replace(padding=tuple((lo, lo) for lo, _ in window.padding))
    sizes = step.shape[:-1]
    if any(
        n + 2 * lo < geometry.span(f, d) for n, (lo, _), f, d in zip(sizes, both.padding, both.size, both.dilation, strict=True)
    ):
        return window
    return both if both.output_shape(sizes) == window.output_shape(sizes) else window


def _pool(step: Step) -> tuple[Window, tuple[int, ...] | None, bool]:
    """The window of a pooling, its padding and its ceil_mode there; None for the padding where PyTorch's has none like it."""
    walk = step.layer.walk
    asked = parse_window(step.shape[:-1], walk.window, stride=walk.stride, padding=walk.padding, dilation=walk.dilation)
    ceil = walk.rounding == "ceil"
    window = asked if ceil else _alike(step, asked)
    if any(lo != hi or lo > f // 2 for (lo, hi), f in zip(window.padding, window.size, strict=True)):
        return _window(step), None, False
    return window, tuple(lo for lo, _ in window.padding), ceil


def _options(**options: Any) -> dict[str, Any]:
    """The options that are not what PyTorch takes anyway; its pooling moves by its window unless told otherwise."""
    plain = {name: _plain(value) for name, value in options.items()}
    return {name: value for name, value in plain.items() if name not in DEFAULTS or value != DEFAULTS[name]}


def _plain(value: Any) -> Any:
    """One number for one along every axis."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _behind_padding(step: Step, padding: tuple[tuple[int, int], ...] | None, value: float, module: Module) -> Module:
    """The module behind one that pads, where that is needed."""
    if padding is None:
        return module
    return Module("nn.Sequential", parts={"0": _padding_module(step, padding, value), "1": module})


def _padding_module(step: Step, padding: tuple[tuple[int, int], ...], value: float) -> Module:
    """What pads, and crops where that is negative; PyTorch lists the last axis first."""
    edges = tuple(edge for pair in reversed(padding) for edge in pair)
    return Module(f"nn.ConstantPad{step.rank}d", (edges, value))
