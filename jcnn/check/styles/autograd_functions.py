"""The style of PyTorch: a `torch.autograd.Function`, or a function that applies one; autograd takes the gradients from it."""

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .calling import Adapted, Arguments, Call, InLayout, UnfitError, bias_gradient, described, name_of, signature_of, zero_bias
from .options import BIASES, is_option, left_at_default, meant_by, names_taken

_Kinds = inspect.Parameter
_BY_POSITION = {_Kinds.POSITIONAL_ONLY, _Kinds.POSITIONAL_OR_KEYWORD}


def adapt(found: Callable[..., Any], _namespace: Arguments, form: Call, misfit: Callable[[str], Any]) -> Adapted:
    """The candidate called with tensors in float64; its own backward gives the gradients.

    Raises:
        UnfitError: it is no such function, or has other parameters.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        raise UnfitError("does not import torch")
    apply, parameters = _applied(found, torch)
    places = _places_of(parameters, form)
    if places is None:
        raise UnfitError(f"takes {described(inspect.Signature(parameters))}")
    with_bias = "b" in places
    rest = [parameter for parameter in parameters if parameter.name not in places.values()]
    names = {option: name for option, name in names_taken(rest, form.operation).items() if option != "window"}
    theirs = {name: option for option, name in names.items()}
    any_name = any(p.kind is _Kinds.VAR_KEYWORD for p in rest)
    rest = [p for p in rest if p.kind not in {_Kinds.VAR_POSITIONAL, _Kinds.VAR_KEYWORD}]
    unknown = [p.name for p in rest if p.name not in theirs and p.default is _Kinds.empty]
    if unknown:
        raise UnfitError(f"takes {described(inspect.Signature(parameters))}")

    def outputs(given: Arguments, options: Arguments, form: Call) -> tuple[Any, Arguments, Arguments]:
        if any(isinstance(part, str | tuple) for value in options.values() for part in _parts(value)):
            raise NotImplementedError("numbers only, one or one for each axis")
        given = {name: value for name, value in given.items() if name in form.inputs}
        if with_bias and "b" not in given:
            given["b"] = zero_bias(form, given)
        tensors = {name: _tensor(name, value, torch) for name, value in given.items()}
        # What is changed in place, as `ctx.mark_dirty` allows, must be no leaf.
        passed = {name: tensor.clone() if torch.is_tensor(tensor) else tensor for name, tensor in tensors.items()}
        values = {
            **{places[name]: tensor for name, tensor in passed.items()},
            **{p.name: _value(p, theirs.get(p.name), options, given) for p in rest},
        }
        by_name = {p.name: values[p.name] for p in parameters if p.kind is _Kinds.KEYWORD_ONLY}
        if any_name:
            by_name |= {name: value for name, value in options.items() if name not in names}
        y = apply(*(values[p.name] for p in parameters if p.kind in _BY_POSITION), **by_name)
        return y, tensors, passed

    def forward(given: Arguments, options: Arguments) -> Any:
        y, tensors, passed = outputs(given, options, inputs)
        _give_back(y, tensors, passed, torch)
        return y

    def backward(given: Arguments, options: Arguments) -> Any:
        dy, *_ = given.values()
        y, tensors, passed = outputs(given, options, form)
        if not torch.is_tensor(y):
            what = "None" if y is None else f"a {type(y).__name__}"
            return (misfit(f"Its forward returns {what}: expected a tensor."),) * len(form.leaves)
        asked = [tensors[leaf.removeprefix("d")] for leaf in form.leaves if leaf.removeprefix("d") in tensors]
        found = torch.autograd.grad(y, asked, torch.from_numpy(dy), allow_unused=True)
        _give_back(y, tensors, passed, torch)
        return found if len(found) == len(form.leaves) else (*found, bias_gradient(form, dy))

    def exposed(form: Call, *, with_bias: bool) -> list[inspect.Parameter]:
        positional = [
            _Kinds(name, _Kinds.POSITIONAL_ONLY, default=None if name == "b" else _Kinds.empty)
            for name in form.arguments
            if with_bias or name != "b"
        ]
        others = [_Kinds("options", _Kinds.VAR_KEYWORD)] if any_name else []
        return [*positional, *(_Kinds(name, _Kinds.KEYWORD_ONLY, default=None) for name in names), *others]

    inputs = form._replace(
        kind=form.operation,
        arguments=form.inputs,
        leaves=form.leaves if not form.backward else ("x",) if form.operation == "conv_transpose" else ("y",),
    )
    name = name_of(found)
    whole = InLayout(forward, inputs, exposed(inputs, with_bias=with_bias), name)
    if not form.backward:
        return Adapted(whole)
    candidate = InLayout(backward, form, exposed(form, with_bias=True), name)
    without = () if with_bias or "db" not in form.leaves else ("db",)
    return Adapted(candidate, whole, name, not_judged=without)


def _places_of(parameters: Sequence[inspect.Parameter], form: Call) -> dict[str, str] | None:
    """The parameter of every input, by its name or else by its place; None where there is none. A bias may be missing."""
    by_position = [p for p in parameters if p.kind in _BY_POSITION]
    wanted = [name for name in form.inputs if name != "b"]
    meant = {argument: p.name for p in reversed(by_position) if (argument := meant_by(p.name, wanted)) is not None}
    if set(meant) != set(wanted):
        first = by_position[: len(wanted)]
        if len(first) < len(wanted) or any(is_option(p.name, form.operation) for p in first):
            return None
        meant = {name: p.name for name, p in zip(wanted, first, strict=True)}
    if "b" in form.inputs:
        rest = [p for p in by_position if p.name not in meant.values()]
        bias = next((p for p in rest if p.name in BIASES), None)
        after = by_position[len(wanted) : len(wanted) + 1]
        if bias is None and rest[:1] == after and not any(is_option(p.name, form.operation) for p in after):
            bias = next(iter(after), None)
        if bias is not None:
            meant["b"] = bias.name
    return meant


def _value(parameter: inspect.Parameter, option: str | None, options: Arguments, given: Arguments) -> Any:
    """What a parameter that is no input is given."""
    if option in options:
        return options[option]
    if option is not None and parameter.default in {_Kinds.empty, None}:
        return left_at_default(option, given)
    return parameter.default


def _applied(found: Any, torch: Any) -> tuple[Callable[..., Any], list[inspect.Parameter]]:
    """What is called, and its parameters."""
    if not inspect.isclass(found):
        signature = signature_of(found.forward if isinstance(found, torch.nn.Module) else found)
        return found, list(signature.parameters.values()) if signature else []
    if not issubclass(found, torch.autograd.Function):
        raise UnfitError("is a class, but no torch.autograd.Function")
    function: Any = found
    signature = signature_of(function.forward)
    parameters = list(signature.parameters.values()) if signature else []
    apart = function.setup_context is not torch.autograd.Function.setup_context
    return function.apply, parameters if apart else parameters[1:]


def _give_back(y: Any, tensors: Arguments, passed: Arguments, torch: Any) -> None:
    """What was changed in place is changed in what was given, except where that is the output, as `ctx.mark_dirty` has it."""
    for name, tensor in passed.items():
        if torch.is_tensor(tensor) and tensor is not y:
            tensors[name].detach().copy_(tensor.detach())


def _parts(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _tensor(name: str, value: Any, torch: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind != "f":
        if name != "labels":
            raise NotImplementedError("tensors of floats only")
        return torch.from_numpy(value)
    return torch.from_numpy(value).requires_grad_()
