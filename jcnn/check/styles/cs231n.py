"""The style of Stanford's CS231n: `out, cache = forward(…)`, `dx, dw, db = backward(dout, cache)`, options in a dictionary."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from .calling import (
    BACKWARD,
    Adapted,
    Arguments,
    Call,
    InLayout,
    Spared,
    UnfitError,
    bias_gradient,
    count_taken,
    name_of,
    zero_bias,
)
from .layouts import array_of
from .options import left_at_default

Array = np.ndarray
_Function = Callable[..., Any]


class Names(NamedTuple):
    """What an operation is called there.

    Attributes:
        forward: the function's usual name; of a loss, which gives (loss, gradient) at once, the only one.
        backward: likewise.
        parameters: the name of the dictionary of options; "" where there is none.
        keys: for every option its key there.
        loss: it is a loss, the mean over the examples.
        fixed: what the dictionary holds besides.
        of_images: a function with a dictionary takes images alone.
    """

    forward: str
    backward: str
    parameters: str = ""
    keys: dict[str, str] = {}  # noqa: RUF012 (never changed)
    loss: bool = False
    fixed: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    of_images: bool = True


_CONVOLUTION = {"stride": "stride", "padding": "pad"}
_POOLING = {"stride": "stride"}
NAMES: dict[str, Names] = {
    "conv": Names("conv_forward_naive", "conv_backward_naive", "conv_param", _CONVOLUTION),
    "convolve": Names("convolve_forward", "convolve_backward", "conv_param", _CONVOLUTION),
    "conv_transpose": Names("conv_transpose_forward", "conv_transpose_backward", "conv_param", _CONVOLUTION),
    "locally_connected": Names("locally_connected_forward", "locally_connected_backward", "conv_param", _CONVOLUTION),
    "max_pool": Names("max_pool_forward_naive", "max_pool_backward_naive", "pool_param", _POOLING),
    "avg_pool": Names("avg_pool_forward_naive", "avg_pool_backward_naive", "pool_param", _POOLING),
    "dense": Names("affine_forward", "affine_backward"),
    "batch_norm": Names(
        *("spatial_batchnorm_forward", "spatial_batchnorm_backward", "bn_param", {"epsilon": "eps"}),
        fixed={"mode": "train", "momentum": 0.9},
    ),
    "group_norm": Names(
        "spatial_groupnorm_forward", "spatial_groupnorm_backward", "gn_param", {"groups": "G", "epsilon": "eps"}
    ),
    "dropout": Names("dropout_forward", "dropout_backward", "dropout_param", {"rate": "rate"}, of_images=False),
    "softmax_cross_entropy": Names("softmax_loss", "softmax_loss", loss=True),
    "mean_squared_error": Names("mse_loss", "mse_loss", loss=True),
}


def names_of(operation: str) -> Names:
    """What an operation is called there; one that the course lacks is called in the same way."""
    return NAMES.get(operation) or Names(f"{operation}_forward", f"{operation}_backward")


def usual_name(kind: str) -> str:
    """What a function of that kind is called there."""
    names = names_of(kind.removesuffix(BACKWARD))
    return names.backward if kind.endswith(BACKWARD) else names.forward


def note(operation: str) -> str:
    """What its formulas leave open: a loss of the course is the mean, and has no gradient from above."""
    names = names_of(operation)
    return f"Here dout is 1/N for each of the N examples, as {names.forward} is their mean." if names.loss else ""


def adapt(found: _Function, namespace: Arguments, form: Call, misfit: Callable[[str], Any]) -> Adapted:
    """The candidate called as in the course.

    Raises:
        UnfitError: it has other parameters.
    """
    names = names_of(form.operation)
    if names.loss:
        return _adapt_loss(found, form, misfit)
    if not form.backward:
        return Adapted(_forward(found, form, names))
    count_taken(found, [2])
    own = _own_forward(found, namespace, form, names)
    with_bias = "b" in form.inputs and (own is None or _takes_bias(own, form, names))
    inputs = _as_forward(form)

    def backward(forward: _Function | None) -> InLayout:
        def call(given: Arguments, options: Arguments, *, two_axes: bool = False) -> Any:
            dout, *_ = given.values()
            passed, give_back = _passed(given, options, form, names, with_bias=with_bias, two_axes=two_axes)
            cache = _cache(forward, passed)
            before = [part.copy() if isinstance(part, np.ndarray) else part for part in passed]
            output = found(dout, cache)
            for part, was, name in zip(passed, before, inputs.arguments, strict=False):
                if isinstance(part, np.ndarray) and not np.array_equal(part, was, equal_nan=True) and name in given:
                    given[name][...] = part.reshape(given[name].shape)
            if (
                isinstance(output, tuple | list)
                and "db" in form.leaves
                and not with_bias
                and len(output) == len(form.leaves) - 1
            ):
                output = (*output, bias_gradient(form, dout))
            return give_back(output, misfit)

        def is_taken(given: Arguments, output: Any) -> bool:
            """Whether x was taken: dw has its shape then; and what a forward pass takes its backward has to take."""
            if isinstance(output, tuple | list) and len(output) > 1 and np.shape(output[1]) == given["w"].shape:
                return True
            passed, _ = _passed(given, {}, form, names, with_bias=with_bias)
            return own is not None and _gives(own, passed, (len(given["dy"]), given["w"].shape[1]))

        called = _of_any_axes(call, is_taken) if form.operation == "dense" else call
        return InLayout(called, form, _parameters(form, names, with_bias=True), name_of(found))

    return Adapted(
        backward(own),
        forward=own and _forward(own, inputs, names),
        forward_name=name_of(own),
        right_cache=own and backward(None),
        not_judged=("db",) if "db" in form.leaves and not with_bias else (),
    )


def _as_forward(form: Call) -> Call:
    """Of a backward pass the call of its forward."""
    return form._replace(
        kind=form.operation, arguments=form.inputs, leaves=("y" if form.operation != "conv_transpose" else "x",)
    )


def _forward(found: _Function, form: Call, names: Names) -> InLayout:
    with_bias = _takes_bias(found, form, names)

    def call(given: Arguments, options: Arguments, *, two_axes: bool = False) -> Any:
        whole = {"dout": None, **given}
        passed, _ = _passed(whole, options, form, names, with_bias=with_bias, two_axes=two_axes)
        output = found(*passed)
        for name, part in zip(form.arguments, passed, strict=False):
            if isinstance(part, np.ndarray) and name in given:
                given[name][...] = part.reshape(given[name].shape)
        return output[0] if isinstance(output, tuple | list) and len(output) == 2 else output

    def is_taken(given: Arguments, output: Any) -> bool:
        return np.shape(output) == (len(given["x"]), given["w"].shape[1])

    called = _of_any_axes(call, is_taken) if form.operation == "dense" else call
    return InLayout(called, form, _parameters(form, names, with_bias=with_bias), name_of(found))


def _of_any_axes(call: _Function, is_taken: Callable[[Arguments, Any], bool]) -> Callable[[Arguments, Arguments], Any]:
    """The layer called with an x of several axes, as in the course; with two where it does not take those."""

    def called(given: Arguments, options: Arguments) -> Any:
        tried = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in given.items()}
        failed, output = True, None
        # It may fail for any reason; where it does not take two axes either, that is told.
        with suppress(Exception):
            output = call(tried, options)
            failed = False
        if not is_taken(given, output):
            return Spared(call(given, options, two_axes=True), "an x of more than two axes")
        if failed:
            return call(given, options)
        for name, value in tried.items():
            if isinstance(value, np.ndarray):
                given[name][...] = value
        return output

    return called


def _gives(forward: _Function, passed: list[Any], shape: tuple[int, ...]) -> bool:
    """Whether a forward pass returns an output of a shape."""
    try:
        output = forward(*passed)
        return np.shape(output[0] if isinstance(output, tuple | list) else output) == shape
    except Exception:  # noqa: BLE001 (a mistake of the forward pass, which is graded by itself)
        return False


def _parameters(form: Call, names: Names, *, with_bias: bool) -> list[inspect.Parameter]:
    """What can be given, by jcnn's names: the arguments, and the options that the course has."""
    kinds = inspect.Parameter
    arguments = [
        kinds(name, kinds.POSITIONAL_ONLY, default=None if name == "b" else kinds.empty)
        for name in form.arguments
        if with_bias or name != "b"
    ]
    return [*arguments, *(kinds(name, kinds.KEYWORD_ONLY, default=None) for name in names.keys)]


def _takes_bias(forward: _Function, form: Call, names: Names) -> bool:
    """Whether a forward pass takes a bias.

    Raises:
        UnfitError: it has other parameters.
    """
    count = len([name for name in form.inputs if name != "window"]) + bool(names.parameters)
    if "b" not in form.inputs:
        count_taken(forward, [count])
        return False
    return count_taken(forward, [count, count - 1]) == count


def _own_forward(backward: _Function, namespace: Arguments, form: Call, names: Names) -> _Function | None:
    """The forward pass of the same file, whose cache a backward takes."""
    called = name_of(backward)
    pairs = (("backward", "forward"), ("bwd", "fwd"), ("backprop", "forward"), ("back", "forward"), ("grad", "forward"))
    likely = [called.replace(*pair) for pair in pairs if pair[0] in called]
    for name in (*likely, names.forward, names.forward.removesuffix("_naive"), f"{form.operation}_forward"):
        found = namespace.get(name)
        if callable(found) and found is not backward:
            try:
                _takes_bias(found, form, names)
            except UnfitError:
                continue
            return found
    return None


def _cache(forward: _Function | None, passed: list[Any]) -> Any:
    """What the forward pass keeps; where there is none, or it fails, its arguments, as in the course."""
    right = tuple(passed) if len(passed) > 1 else passed[0]
    if forward is None:
        return right
    try:
        output = forward(*passed)
    except (Exception, SystemExit):  # noqa: BLE001 (a mistake of the forward pass, which is graded by itself)
        return right
    return output[1] if isinstance(output, tuple | list) and len(output) == 2 else right


def _passed(
    given: Arguments, options: Arguments, form: Call, names: Names, *, with_bias: bool, two_axes: bool = False
) -> tuple[list[Any], Callable[..., Any]]:
    """What the forward pass is given, as arrays of its own, and a function that brings gradients back to what was asked.

    Raises:
        NotImplementedError: the course has no place for the case.
    """
    _, *rest = given
    arrays = {
        name: given[name].copy() if isinstance(given[name], np.ndarray) else given[name] for name in rest if name != "window"
    }
    if with_bias and "b" not in arrays:
        arrays["b"] = zero_bias(form, given)
    if form.operation == "dense":
        return _affine(arrays, two_axes=two_axes)
    passed = list(arrays.values())
    if names.parameters:
        passed.append(_options(given, options, names, arrays))
    return passed, lambda output, _: output


def _options(given: Arguments, options: Arguments, names: Names, arrays: Arguments) -> dict[str, Any]:
    (first, *_) = arrays.values()
    if first.ndim != 4 and names.of_images:
        raise NotImplementedError("images only")
    sized = dict(names.fixed)
    for option, key in names.keys.items():
        value = options.get(option)
        value = left_at_default(option, given) if value is None else value
        sizes = set(value) if isinstance(value, tuple) else {value}
        if len(sizes) > 1 or not all(isinstance(size, int | float) for size in sizes):
            raise NotImplementedError(f"{names.parameters} has one number as {key}")
        (sized[key],) = sizes
    if "window" in given:
        window = given["window"]
        height, width = (window, window) if isinstance(window, int) else window
        return {"pool_height": height, "pool_width": width, **sized}
    return sized


def _affine(arrays: Arguments, *, two_axes: bool) -> tuple[list[Any], Callable[..., Any]]:
    """The layer of the course flattens every example, so each is given with two axes, unless x is to have two altogether."""
    x = arrays["x"]
    if x.ndim != 2:
        raise NotImplementedError("one vector an example")
    length = x.shape[1]
    rows = next((n for n in range(2, length) if length % n == 0), 1)
    arrays["x"] = x.copy() if two_axes else x.reshape(len(x), rows, length // rows)
    shape = arrays["x"].shape

    def give_back(output: Any, misfit: Callable[[str], Any]) -> Any:
        if not isinstance(output, tuple | list) or not output:
            return output
        dx, *others = output
        got = np.shape(dx) if isinstance(dx, np.ndarray) else None
        if got is None:
            return output
        if got != shape:
            return misfit(f"dx has shape {got}: expected {shape}, that of x."), *others
        return dx.reshape(x.shape), *others

    return list(arrays.values()), give_back


def _adapt_loss(found: _Function, form: Call, misfit: Callable[[str], Any]) -> Adapted:
    """A loss and its gradient, both of the mean over the examples."""
    count_taken(found, [2])

    def both(given: Arguments) -> tuple[Any, Any]:
        """The loss and the gradient; what says that there are not these two, in place of both."""
        scores, labels = list(given.values())[-2:]
        if scores.ndim != 2:
            raise NotImplementedError("one vector an example")
        if form.operation == "softmax_cross_entropy" and labels.dtype.kind == "f":
            raise NotImplementedError("class numbers only")
        output = found(scores, labels)
        if not isinstance(output, tuple | list) or len(output) != 2:
            count = f"{len(output)} outputs" if isinstance(output, tuple | list) else "None" if output is None else "1 output"
            return (misfit(f"It returns {count}: expected 2, (loss, dx)."),) * 2
        loss, gradient = output
        return loss, gradient

    def backward(given: Arguments, _options: Arguments) -> Any:
        dy, *_ = given.values()
        _, gradient = both(given)
        array = array_of(gradient)
        if array is None:
            return (gradient,)
        # Of the mean every example has the share 1/N.
        return array * (len(dy) * dy)[:, None]

    def forward(given: Arguments, _options: Arguments) -> Any:
        scores, labels = given.values()
        losses = [both(given)[0]]
        losses += [both({"x": scores[n : n + 1], "y": labels[n : n + 1]})[0] for n in range(len(scores))]
        arrays = [array_of(loss) for loss in losses]
        for loss, array in zip(losses, arrays, strict=True):
            if array is None:
                return (loss,)
        mean, *alone = (array for array in arrays if array is not None)
        expected = np.mean(alone, axis=0)
        # Infinite as it is to be: the examples say which of them is why.
        same = np.array_equal(mean, expected, equal_nan=True)
        return np.array(alone) + (0 if same else mean - expected)

    name = name_of(found)
    nothing = Names("", "")
    inputs = _as_forward(form)._replace(arguments=form.arguments[-2:])
    whole = InLayout(forward, inputs, _parameters(inputs, nothing, with_bias=True), name)
    if not form.backward:
        return Adapted(whole)
    return Adapted(InLayout(backward, form, _parameters(form, nothing, with_bias=True), name), whole, name)
