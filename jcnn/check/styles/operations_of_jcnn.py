"""The style of jcnn itself: the arguments by position, the options by name, under any of their names."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from .calling import Adapted, Arguments, Call, InLayout, is_plain, name_of, signature_of, zero_bias
from .options import BIASES, is_option, left_at_default, names_taken

_Kinds = inspect.Parameter
_BY_POSITION = (_Kinds.POSITIONAL_ONLY, _Kinds.POSITIONAL_OR_KEYWORD)
_BY_NAME = (_Kinds.POSITIONAL_OR_KEYWORD, _Kinds.KEYWORD_ONLY)


def adapt(found: Callable[..., Any], _namespace: Arguments, form: Call, _misfit: Callable[[str], Any]) -> Adapted:
    """The candidate as it is, or with its own names of options and values for those that it must be given."""
    signature = signature_of(found)
    parameters = list(signature.parameters.values()) if signature else []
    positions = [parameter for parameter in parameters if parameter.kind in _BY_POSITION]
    early = _early_bias(positions, form)
    arrays = [
        p
        for p, argument in zip([p for p in positions if p is not early], form.arguments, strict=False)
        if p.name in form.arguments or not _is_other(p.name, argument, form)
    ]
    takes = _Taken.of([p for p in parameters if p is early or (p.kind in _BY_NAME and p not in arrays)], arrays, early, form)
    if is_plain(form.layout) and not takes.otherwise:
        return Adapted(found)

    def call(given: Arguments, options: Arguments) -> Any:
        if takes.needs_bias or early is not None:
            given.setdefault("b", zero_bias(form, given))
        named = {takes.names.get(name, name): value for name, value in options.items()}
        for name in takes.given_anyway:
            named.setdefault(takes.names[name], left_at_default(name, given))
        by_position = dict(given)
        for name in _ARGUMENTS_BY_NAME:
            if name in takes.names and name in by_position:
                named[takes.names[name]] = by_position.pop(name)
        values = list(by_position.values())
        if early is not None:
            values.insert(positions.index(early), named.pop(early.name))
        return found(*values, **named)

    return Adapted(InLayout(call, form, _exposed(signature, form, takes.names, arrays), name_of(found)))


def _early_bias(positions: list[inspect.Parameter], form: Call) -> inspect.Parameter | None:
    """A bias that can be given by position only: it stands among the arrays, or it has no name to give it by."""
    bias = next((p for p in positions if p.name in BIASES), None)
    if bias is None or "b" not in form.inputs:
        return None
    wanted = [name for name in form.arguments if name != "b"]
    others = [p for p in positions if p is not bias and not is_option(p.name, form.operation)]
    place = positions.index(bias)
    # One that is called b may be the weights, where there are no others.
    if len(others) < len(wanted) or place > len(wanted):
        return None
    return bias if place < len(wanted) or bias.kind is _Kinds.POSITIONAL_ONLY else None


def _is_other(name: str, argument: str, form: Call) -> bool:
    """Whether a parameter in the place of an argument is an option or the bias; x may be called p or s."""
    if len(name) == 1 and argument not in {"window", "b"}:
        return False
    return name in BIASES or is_option(name, form.operation)


class _Taken(NamedTuple):
    """What a candidate takes by name.

    Attributes:
        names: by option, window or bias the name of the parameter.
        given_anyway: options that are given also where a case leaves them at what they are.
        needs_bias: it must be given a bias.
        otherwise: it is called otherwise than jcnn's operation.
    """

    names: dict[str, str]
    given_anyway: tuple[str, ...]
    needs_bias: bool
    otherwise: bool

    @classmethod
    def of(
        cls, by_name: list[inspect.Parameter], arrays: list[inspect.Parameter], early: inspect.Parameter | None, form: Call
    ) -> "_Taken":
        """From the parameters that are no arrays, those that are, and a bias that stands among these."""
        names = names_taken(by_name, form.operation)
        parameters = {parameter.name: parameter for parameter in by_name}
        there = next((name for name in BIASES if name in parameters), None) if "b" in form.inputs else None
        if there and form.backward and parameters[there] is not early and parameters[there].default is not _Kinds.empty:
            # No case of a backward pass gives a bias, and it can do without.
            there = None
        if there:
            names["b"] = there
        given_anyway = tuple(
            name for name, theirs in names.items() if name not in _ARGUMENTS_BY_NAME and _wants(name, parameters[theirs], form)
        )
        usual = arrays[len(form.arguments) - 1 :] if form.arguments[-1] == "b" else []
        biases = [parameters[there]] if there else usual
        needs_bias = any(parameter.default is _Kinds.empty for parameter in biases)
        otherwise = bool(given_anyway) or needs_bias or any(name != theirs for name, theirs in names.items()) or "b" in names
        return cls(names, given_anyway, needs_bias, otherwise)


_ARGUMENTS_BY_NAME = ("window", "b")
"""What jcnn gives by position and a candidate may take by name."""


def _wants(option: str, parameter: inspect.Parameter, form: Call) -> bool:
    """Whether an option is to be given always: it has no default, or that of another window."""
    if option == "stride" and "window" in form.arguments:
        return parameter.default is not None
    return parameter.default is _Kinds.empty


def _exposed(
    signature: inspect.Signature | None, form: Call, names: dict[str, str], arrays: list[inspect.Parameter]
) -> list[inspect.Parameter]:
    """The parameters by jcnn's names: the arrays first, then the options, none of which must be given."""
    if signature is None:
        return [_Kinds("args", _Kinds.VAR_POSITIONAL), _Kinds("options", _Kinds.VAR_KEYWORD)]
    ours = {theirs: name for name, theirs in names.items()}
    first, rest = [], []
    for parameter in signature.parameters.values():
        name = ours.get(parameter.name, parameter.name)
        if name in names and name in _ARGUMENTS_BY_NAME:
            continue
        if parameter in arrays:
            default = None if form.arguments[len(first)] == "b" else parameter.default
            first.append(parameter.replace(kind=_Kinds.POSITIONAL_ONLY, default=default))
        elif parameter.kind in {_Kinds.VAR_POSITIONAL, _Kinds.VAR_KEYWORD}:
            rest.append(parameter)
        else:
            default = None if name in names else parameter.default
            rest.append(parameter.replace(name=name, kind=_Kinds.KEYWORD_ONLY, default=default))
    if "window" in names and "window" in form.arguments:
        first.append(_Kinds("window", _Kinds.POSITIONAL_ONLY))
    if "b" in names:
        first.append(_Kinds("b", _Kinds.POSITIONAL_ONLY, default=None))
    return sorted([*first, *rest], key=lambda parameter: parameter.kind)
