"""Candidates as other courses write them, called as jcnn calls its own: other layouts, and parameters kept in a cache.

Imports NumPy only: the process in which a candidate runs alone loads this file too (`candidate_process.py`). What a style has
no place for is declined, by the signature that it is given here or by NotImplementedError.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Function = Callable[..., Any]
_BACKWARD = "_backward"

IMAGE, FILTER, PLAIN = "image", "filter", "plain"
"""What an array is: examples of pixels; the filters of a convolution; neither, and the same in every layout."""

_POOL = ({"x": IMAGE, "window": PLAIN}, (IMAGE,), {"dy": IMAGE, "x": IMAGE, "window": PLAIN}, (IMAGE,))
_CONV = (
    {"x": IMAGE, "w": FILTER, "b": PLAIN},
    (IMAGE,),
    {"dy": IMAGE, "x": IMAGE, "w": FILTER},
    (IMAGE, FILTER, PLAIN),
)
_GLOBAL = ({"x": IMAGE}, (PLAIN,), {"dy": PLAIN, "x": IMAGE}, (IMAGE,))
_NORM = {"x": IMAGE, "scale": PLAIN, "offset": PLAIN}
_NORMAL = (_NORM, (IMAGE,), {"dy": IMAGE, **_NORM}, (IMAGE, PLAIN, PLAIN))
_GIVEN = {**_NORM, "mean": PLAIN, "variance": PLAIN}
_ENLARGED = ({"x": IMAGE, "factor": PLAIN}, (IMAGE,), {"dy": IMAGE, "x": IMAGE, "factor": PLAIN}, (IMAGE,))
_ROLES: dict[str, tuple[dict[str, str], tuple[str, ...], dict[str, str], tuple[str, ...]]] = {
    "conv": _CONV,
    "convolve": _CONV,
    "conv_transpose": (
        {"y": IMAGE, "w": FILTER, "b": PLAIN},
        (IMAGE,),
        {"dx": IMAGE, "y": IMAGE, "w": FILTER},
        (IMAGE, FILTER, PLAIN),
    ),
    "max_pool": _POOL,
    "avg_pool": _POOL,
    "global_avg_pool": _GLOBAL,
    "global_max_pool": _GLOBAL,
    "batch_norm": _NORMAL,
    "batch_norm_evaluation": (_GIVEN, (IMAGE,), {"dy": IMAGE, **_GIVEN}, (IMAGE, *(PLAIN,) * 4)),
    "layer_norm": _NORMAL,
    "group_norm": _NORMAL,
    "upsample": _ENLARGED,
}
"""By operation: arguments and outputs of its forward and of its backward pass. What is not here has no layout."""

_DEPEND = ("dropout", "flatten", "locally_connected")
"""Operations whose numbers have an order that no other layout has."""


class Layout(NamedTuple):
    """Where the channels are.

    Attributes:
        channels_first: images (N, C, *S) and filters (C_out, C_in, *F); else (N, *S, C) and (*F, C_in, C_out).
    """

    channels_first: bool

    def given(self, role: str, array: Any) -> Any:
        """An array of jcnn's as this layout has it."""
        if not self.channels_first or role == PLAIN or not isinstance(array, np.ndarray):
            return array
        if role == IMAGE:
            return np.ascontiguousarray(np.moveaxis(array, -1, 1))
        return np.ascontiguousarray(np.moveaxis(array, (-1, -2), (0, 1)))

    def taken(self, role: str, array: Any) -> Any:
        """The reverse; what is no array, or has too few axes, stays as it is and is judged so."""
        if not self.channels_first or role == PLAIN or not hasattr(array, "shape"):
            return array
        array = np.asarray(array)
        if array.ndim < 3:
            return array
        return np.moveaxis(array, 1, -1) if role == IMAGE else np.moveaxis(array, (0, 1), (-1, -2))


LAYOUTS: dict[str, Layout] = {"NHWC": Layout(channels_first=False), "NCHW": Layout(channels_first=True)}
"""By name."""


def channels_first(layout: str | None, style: str) -> bool:
    """Whether a candidate in that layout, or in the usual one of its style, has its channels first."""
    return LAYOUTS[layout or STYLES[style].layout].channels_first


class Style(NamedTuple):
    """How functions are written.

    Attributes:
        layout: the usual one.
        adapted: from the candidate, what stands beside it in its file, the operation and the layout, to a function called
            as jcnn's.
        expected: by operation what is expected, in words.
    """

    layout: str
    adapted: Callable[[Function, Mapping[str, Any], str, Layout], Function]
    expected: Mapping[str, str] | None = None


class StyleError(Exception):
    """A candidate that is not written in the style it is said to be in; the message says what is expected."""


def adapt(candidate: Function, beside: Mapping[str, Any], kind: str, layout: str | None, style: str) -> Function:
    """The candidate as a function that is called as jcnn calls its own.

    Args:
        candidate: the function or, in PyTorch's style, the class.
        beside: what its file defines, by name.
        kind: the operation.
        layout: a name of `LAYOUTS`; None: the style's own.
        style: a name of `STYLES`.

    Raises:
        StyleError: the style has no such operation, or the candidate is no such thing.
    """
    chosen = STYLES[style]
    placed = LAYOUTS[layout or chosen.layout]
    function = chosen.adapted(candidate, beside, kind, placed)
    base = kind.removesuffix(_BACKWARD)
    if not placed.channels_first:
        return function
    if base in _DEPEND:
        raise StyleError(f"{kind} is graded in the layout NHWC only: the order of its numbers hangs on it")
    return _placed(function, placed, kind) if base in _ROLES else function


def _placed(function: Function, layout: Layout, kind: str) -> Function:
    base = kind.removesuffix(_BACKWARD)
    inputs, outputs, inputs_back, outputs_back = _ROLES[base]
    roles, results = (inputs_back, outputs_back) if kind.endswith(_BACKWARD) else (inputs, outputs)

    def placed(*args: Any, **options: Any) -> Any:
        given = [layout.given(role, array) for role, array in zip(roles.values(), args, strict=False)]
        found = function(*given, **options)
        first, *more = results
        if isinstance(found, list) and not more:
            return layout.taken(first, np.asarray(found))
        if not isinstance(found, tuple | list):
            return layout.taken(first, found)
        taken = [layout.taken(role, array) for role, array in zip(results, found, strict=False)]
        return (*taken, *found[len(results) :])

    return _signed(placed, _signature_of(function))


def _signature_of(function: Function) -> inspect.Signature | None:
    """None where it has none that can be read."""
    try:
        return inspect.signature(function)
    except BaseException:  # noqa: BLE001 (the signature is the candidate's to define)
        return None


def _signed(function: Function, signature: inspect.Signature | None) -> Function:
    if signature is None:
        return function
    function.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    return function


def _signature(*arguments: str, optional: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> inspect.Signature:
    parameter = inspect.Parameter
    return inspect.Signature(
        [
            *(parameter(name, parameter.POSITIONAL_OR_KEYWORD) for name in arguments),
            *(parameter(name, parameter.POSITIONAL_OR_KEYWORD, default=None) for name in optional),
            *(parameter(name, parameter.KEYWORD_ONLY, default=None) for name in options),
        ]
    )


SYNONYMS = {
    "stride": ("stride", "strides", "step"),
    "padding": ("padding", "pad", "paddings"),
    "dilation": ("dilation", "dilations", "rate"),
    "groups": ("groups", "num_groups", "G"),
    "epsilon": ("epsilon", "eps"),
    "drop_rate": ("rate", "p", "drop_rate"),
}
"""Other names of options, the usual one first."""


USUAL = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
"""What an option of a window is where a case does not say it."""


def _usual(kind: str) -> dict[str, Any]:
    """By the options of an operation, what they are where a case does not say it; None where every case does."""
    if "_norm" in kind:
        return {"epsilon": 1e-5, "groups": 1}
    return {"drop_rate": None} if kind.startswith("dropout") else USUAL


_BIASES = ("b", "bias")


def _plain(candidate: Function, beside: Mapping[str, Any], kind: str, layout: Layout) -> Function:
    """As jcnn's own; options may have one of their other names, and options and the bias may have to be given."""
    del beside
    first = layout.channels_first and kind != "dense"
    signature = _signature_of(candidate)
    if signature is None:
        return candidate
    usual = _usual(kind)
    names = _names_of(signature, usual)
    empty, several = inspect.Parameter.empty, (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = {entry.name for entry in signature.parameters.values() if entry.default is empty and entry.kind not in several}
    missing = {other: usual[name] for other, name in names.items() if other in needed}
    bias = next((name for name in _BIASES if name in needed and kind in {"conv", "convolve", "dense"}), None)
    renamed = {_usual_name(name): other for other, name in names.items()}
    if not missing and bias is None and all(name == other for name, other in renamed.items()):
        return candidate

    def called(*args: Any, **options: Any) -> Any:
        given = {renamed.get(name, name): value for name, value in options.items()}
        if "pool" in kind and "stride" in renamed:
            # A pooling's stride is its window's size where none is said.
            given.setdefault(renamed["stride"], args[-1])
        if bias is not None and len(args) == 2:
            given[bias] = np.zeros(args[1].shape[0 if first else -1], args[1].dtype)
        return candidate(*args, **{**missing, **given})

    parameters = [_offered(entry, names, missing, bias) for entry in signature.parameters.values()]
    try:
        return _signed(called, signature.replace(parameters=parameters))
    except ValueError:  # an option without a default before one that has none
        return _signed(called, _sorted(parameters))


def _usual_name(option: str) -> str:
    return SYNONYMS.get(option, (option,))[0]


def _names_of(signature: inspect.Signature, options: Iterable[str]) -> dict[str, str]:
    """By a parameter's name the option that it is."""
    found = {}
    for name in options:
        others = SYNONYMS.get(name, (name,))
        other = next((other for other in others if other in signature.parameters), None)
        if other is not None:
            found[other] = name
    return found


def _offered(
    entry: inspect.Parameter, names: Mapping[str, str], missing: Mapping[str, Any], bias: str | None
) -> inspect.Parameter:
    """A parameter as jcnn has it: under the usual name, and optional where it is given anyway."""
    if entry.name == bias:
        return entry.replace(name="b", default=None)
    if entry.name not in names:
        return entry
    kind = entry.kind if entry.kind is inspect.Parameter.KEYWORD_ONLY else inspect.Parameter.KEYWORD_ONLY
    name = _usual_name(names[entry.name])
    return entry.replace(name=name, kind=kind, default=missing.get(entry.name, entry.default))


def _sorted(parameters: Sequence[inspect.Parameter]) -> inspect.Signature:
    return inspect.Signature(sorted(parameters, key=lambda entry: (entry.kind, entry.default is not inspect.Parameter.empty)))


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotImplementedError(f"{name} is one number in this style")
    return value


_CS231N = {
    "conv": ("conv_forward_naive", "conv_forward"),
    "conv_backward": ("conv_backward_naive", "conv_backward"),
    "max_pool": ("max_pool_forward_naive", "max_pool_forward"),
    "max_pool_backward": ("max_pool_backward_naive", "max_pool_backward"),
    "dense": ("affine_forward",),
    "dense_backward": ("affine_backward",),
    "relu": ("relu_forward",),
    "relu_backward": ("relu_backward",),
    "batch_norm": ("spatial_batchnorm_forward",),
    "batch_norm_backward": ("spatial_batchnorm_backward",),
    "softmax_cross_entropy_backward": ("softmax_loss",),
}
"""The usual names of the functions, by operation."""


def usual_name(kind: str, style: str) -> str:
    """What a function of that kind is called in a style."""
    return _CS231N.get(kind, (kind,))[0] if style == "cs231n" else kind


def forwards_of(kind: str, style: str) -> tuple[str, ...]:
    """The names that the forward of a backward may have in its file, where the style keeps a cache; none else."""
    base = kind.removesuffix(_BACKWARD)
    return _CS231N.get(base, ()) if style == "cs231n" and kind != base else ()


_EXPECTED_CS231N = {
    "conv": "conv_forward_naive(x, w, b, conv_param) -> (out, cache): x (N, C, H, W), w (F, C, HH, WW), b (F,), conv_param "
    "{'stride': int, 'pad': int}",
    "conv_backward": "conv_backward_naive(dout, cache) -> (dx, dw, db): dout (N, F, H', W'), cache as conv_forward_naive of "
    "the same file returns it, else (x, w, b, conv_param)",
    "max_pool": "max_pool_forward_naive(x, pool_param) -> (out, cache): pool_param {'pool_height', 'pool_width', 'stride'}",
    "max_pool_backward": "max_pool_backward_naive(dout, cache) -> dx: cache as max_pool_forward_naive of the same file returns "
    "it, else (x, pool_param)",
    "dense": "affine_forward(x, w, b) -> (out, cache): x (N, d_1, …, d_k), w (D, M), b (M,)",
    "dense_backward": "affine_backward(dout, cache) -> (dx, dw, db): cache as affine_forward of the same file returns it, else "
    "(x, w, b)",
    "relu": "relu_forward(x) -> (out, cache)",
    "relu_backward": "relu_backward(dout, cache) -> dx: cache as relu_forward of the same file returns it, else x",
    "batch_norm": "spatial_batchnorm_forward(x, gamma, beta, bn_param) -> (out, cache): x (N, C, H, W), gamma and beta (C,), "
    "bn_param {'mode': 'train', 'eps', 'momentum'}",
    "batch_norm_backward": "spatial_batchnorm_backward(dout, cache) -> (dx, dgamma, dbeta): cache as spatial_batchnorm_forward "
    "of the same file returns it, else (x, gamma, beta, bn_param)",
    "softmax_cross_entropy_backward": "softmax_loss(x, y) -> (loss, dx): x (N, C), y (N,) class numbers; both of the mean over "
    "the batch",
}


def _cs231n(candidate: Function, beside: Mapping[str, Any], kind: str, layout: Layout) -> Function:
    """Functions of (x, w, b, conv_param) and (dout, cache), as in Stanford's course."""
    del layout
    if kind not in _CS231N:
        raise StyleError(f"{kind} has no form in the style cs231n: expected one of {', '.join(_CS231N)}")
    made = _MADE[kind.removesuffix(_BACKWARD)]
    if kind == "softmax_cross_entropy_backward":
        return _signed(_of_softmax(candidate), _signature("dy", "logits", "labels"))
    if not kind.endswith(_BACKWARD):
        return made.forward(candidate)
    base = kind.removesuffix(_BACKWARD)
    forward = next((beside[name] for name in _CS231N[base] if callable(beside.get(name))), None)
    return made.backward(candidate, forward)


class _Form(NamedTuple):
    """How the two functions of an operation are called."""

    forward: Callable[[Function], Function]
    backward: Callable[[Function, Function | None], Function]


def _first(found: Any) -> Any:
    return found[0] if isinstance(found, tuple | list) and found else found


def _cache(forward: Function | None, *saved: Any) -> Any:
    """What the backward finds in its cache: what its own forward put there."""
    if forward is None:
        first, *rest = saved
        return saved if rest else first
    found = forward(*saved)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise TypeError("its forward returns no (out, cache)")
    return found[1]


def _conv_param(stride: Any, padding: Any) -> dict[str, int]:
    return {"stride": _whole("stride", stride), "pad": _whole("padding", padding)}


def _zeros_for(w: Array) -> Array:
    return np.zeros(len(w), w.dtype)


def _conv_forward(candidate: Function) -> Function:
    def conv(x: Array, w: Array, b: Array | None = None, *, stride: Any = 1, padding: Any = 0) -> Any:
        return _first(candidate(x, w, _zeros_for(w) if b is None else b, _conv_param(stride, padding)))

    return conv


def _conv_backward(candidate: Function, forward: Function | None) -> Function:
    def conv_backward(dy: Array, x: Array, w: Array, *, stride: Any = 1, padding: Any = 0) -> Any:
        return candidate(dy, _cache(forward, x, w, _zeros_for(w), _conv_param(stride, padding)))

    return conv_backward


def _pool_param(window: Any, stride: Any) -> dict[str, int]:
    high, wide = (window, window) if isinstance(window, int) else window
    if stride is None and high != wide:
        raise NotImplementedError("stride is one number in this style")
    return {"pool_height": high, "pool_width": wide, "stride": high if stride is None else _whole("stride", stride)}


def _pool_forward(candidate: Function) -> Function:
    def max_pool(x: Array, window: Any, *, stride: Any = None) -> Any:
        return _first(candidate(x, _pool_param(window, stride)))

    return max_pool


def _pool_backward(candidate: Function, forward: Function | None) -> Function:
    def max_pool_backward(dy: Array, x: Array, window: Any, *, stride: Any = None) -> Any:
        return _first(candidate(dy, _cache(forward, x, _pool_param(window, stride))))

    return max_pool_backward


def _dense_forward(candidate: Function) -> Function:
    def dense(x: Array, w: Array, b: Array | None = None) -> Any:
        if x.ndim > 2:
            raise NotImplementedError("affine layers see each example as one vector")
        return _first(candidate(x, w, np.zeros(w.shape[-1], w.dtype) if b is None else b))

    return dense


def _dense_backward(candidate: Function, forward: Function | None) -> Function:
    def dense_backward(dy: Array, x: Array, w: Array) -> Any:
        if x.ndim > 2:
            raise NotImplementedError("affine layers see each example as one vector")
        # Examples of more than one axis, as the style has them: dx is to have the shape of x.
        shaped = x.reshape(len(x), 1, -1)
        dx, dw, db = candidate(dy, _cache(forward, shaped, w, np.zeros(w.shape[-1], w.dtype)))
        dx = np.asarray(dx)
        if dx.shape != shaped.shape:
            raise ValueError(f"dx has shape {dx.shape} where that of x is right, {shaped.shape}: give it back its axes")
        return dx.reshape(x.shape), dw, db

    return dense_backward


def _bn_param(epsilon: float) -> dict[str, Any]:
    return {"mode": "train", "eps": epsilon, "momentum": 0.9}


def _batch_forward(candidate: Function) -> Function:
    def batch_norm(x: Array, scale: Array, offset: Array, *, epsilon: float = 1e-5) -> Any:
        return _first(candidate(x, scale, offset, _bn_param(epsilon)))

    return batch_norm


def _batch_backward(candidate: Function, forward: Function | None) -> Function:
    def batch_norm_backward(dy: Array, x: Array, scale: Array, offset: Array, *, epsilon: float = 1e-5) -> Any:
        return candidate(dy, _cache(forward, x, scale, offset, _bn_param(epsilon)))

    return batch_norm_backward


def _relu_forward(candidate: Function) -> Function:
    def relu(x: Array) -> Any:
        return _first(candidate(x))

    return relu


def _relu_backward(candidate: Function, forward: Function | None) -> Function:
    def relu_backward(dy: Array, x: Array) -> Any:
        return _first(candidate(dy, _cache(forward, x)))

    return relu_backward


def _of_softmax(candidate: Function) -> Function:
    """dlogits of every example from the gradient of the mean, which has 1/N in it."""

    def softmax_cross_entropy_backward(dy: Array, logits: Array, labels: Array) -> Any:
        if logits.ndim != 2 or labels.ndim != 1:
            raise NotImplementedError("x is (N, C) and y (N,) in this style")
        found = candidate(logits, labels)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise TypeError("it returns no (loss, dx)")
        return dy[:, None] * np.asarray(found[1]) * len(logits)

    return softmax_cross_entropy_backward


_MADE = {
    "conv": _Form(_conv_forward, _conv_backward),
    "max_pool": _Form(_pool_forward, _pool_backward),
    "dense": _Form(_dense_forward, _dense_backward),
    "relu": _Form(_relu_forward, _relu_backward),
    "batch_norm": _Form(_batch_forward, _batch_backward),
    "softmax_cross_entropy": _Form(lambda candidate: candidate, lambda candidate, _: candidate),
}

_TORCH_NAMES = {
    "x": ("x", "input", "inp", "inputs", "X", "image", "images"),
    "w": ("w", "weight", "weights", "kernel", "filters", "W"),
    "b": ("b", "bias", "B"),
    "stride": SYNONYMS["stride"],
    "padding": SYNONYMS["padding"],
    "dilation": SYNONYMS["dilation"],
    "window": ("window", "kernel_size", "size", "pool_size", "k", "pool"),
}
"""Names of the parameters of a Function's forward, by what they are."""

_TORCH_ARRAYS = {"conv": ("x", "w", "b"), "max_pool": ("x",), "avg_pool": ("x",), "dense": ("x", "w", "b")}
"""Of which arrays a Function has gradients; of an activation, of x."""


def _torch(candidate: Function, beside: Mapping[str, Any], kind: str, layout: Layout) -> Function:
    """A subclass of `torch.autograd.Function`, used by its `apply`."""
    del beside, layout
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(candidate, type) or not issubclass(candidate, torch.autograd.Function):
        raise StyleError(
            "it is no subclass of torch.autograd.Function: expected one, with forward(ctx, …) and backward(ctx, dy)"
        )
    signature = _signature_of(candidate.forward)
    if signature is None:
        raise StyleError("its forward has no signature that can be read: expected forward(ctx, …)")
    parameters = list(signature.parameters.values())[1:]
    meaning = {}
    for entry in parameters:
        found = next((what for what, names in _TORCH_NAMES.items() if entry.name in names), None)
        if found is None and entry.default is inspect.Parameter.empty:
            raise StyleError(f"its forward's parameter {entry.name} is none of {', '.join(_TORCH_NAMES)}")
        meaning[entry.name] = found
    base = kind.removesuffix(_BACKWARD)
    arrays = [name for name in _TORCH_ARRAYS.get(base, ("x",)) if name in meaning.values()]
    options = tuple(name for name in ("stride", "padding", "dilation") if name in meaning.values())

    def applied(given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        tensors = {
            name: torch.tensor(value, requires_grad=True) for name, value in given.items() if isinstance(value, np.ndarray)
        }
        values = []
        for entry in parameters:
            what = meaning[entry.name]
            value = tensors.get(what or "", given.get(what or "", entry.default))
            values.append(entry.default if value is inspect.Parameter.empty else value)
        return candidate.apply(*values), tensors

    def complete(given: dict[str, Any]) -> dict[str, Any]:
        usual = {"stride": given.get("window", 1), "padding": 0, "dilation": 1}
        filled = {**usual, **{name: value for name, value in given.items() if value is not None}}
        for name in ("stride", "padding", "dilation", "window"):
            if name in filled and not isinstance(filled[name], int):
                raise NotImplementedError(f"{name} is one number in this style")
        if "b" in arrays and "b" not in filled:
            filled["b"] = np.zeros(len(filled["w"]) if base == "conv" else filled["w"].shape[-1])
        return filled

    def forward(x: Array, *rest: Any, **given: Any) -> Any:
        names = [name for name in ("w", "b", "window") if name in meaning.values() or name == "w"]
        names = ["window"] if base.endswith("pool") else names
        output, _ = applied(complete({"x": x, **dict(zip(names, rest, strict=False)), **given}))
        return output.detach().numpy()

    def backward(dy: Array, x: Array, *rest: Any, **given: Any) -> Any:
        names = ["window"] if base.endswith("pool") else ["w"]
        output, tensors = applied(complete({"x": x, **dict(zip(names, rest, strict=False)), **given}))
        if tuple(output.shape) != dy.shape:
            raise ValueError(f"its forward gives the shape {tuple(output.shape)} where {dy.shape} is right")
        found = torch.autograd.grad(output, [tensors[name] for name in arrays], torch.tensor(dy), allow_unused=True)
        gradients = tuple(None if gradient is None else gradient.numpy() for gradient in found)
        if base == "conv" and "b" not in arrays:
            return (*gradients, dy.sum(tuple(axis for axis in range(dy.ndim) if axis != 1)))
        return gradients if len(gradients) != 1 else gradients[0]

    rest = ("window",) if base.endswith("pool") else ("w",) if base in {"conv", "dense"} else ()
    if kind.endswith(_BACKWARD):
        return _signed(backward, _signature("dy", "x", *rest, options=options))
    bias = ("b",) if "b" in arrays else ()
    return _signed(forward, _signature("x", *rest, optional=bias, options=options))


STYLES: dict[str, Style] = {
    "jcnn": Style("NHWC", _plain),
    "cs231n": Style("NCHW", _cs231n, _EXPECTED_CS231N),
    "torch": Style("NCHW", _torch),
}
"""By name."""
