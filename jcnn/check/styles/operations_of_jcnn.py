"""The style of jcnn itself: the arguments by position, the options by name, under any of their names."""

import inspect
from collections.abc import Callable
from typing import Any

from .calling import Adapted, Arguments, Call, InLayout, is_plain, name_of, signature_of, zero_bias
from .options import is_option, left_at_default, names_taken

_Kinds = inspect.Parameter
_BY_POSITION = (_Kinds.POSITIONAL_ONLY, _Kinds.POSITIONAL_OR_KEYWORD)
_BY_NAME = (_Kinds.POSITIONAL_OR_KEYWORD, _Kinds.KEYWORD_ONLY)


def adapt(found: Callable[..., Any], _namespace: Arguments, form: Call, _misfit: Callable[[str], Any]) -> Adapted:
    """The candidate as it is, or with its own names of options and values for those that it must be given."""
    signature = signature_of(found)
    parameters = list(signature.parameters.values()) if signature else []
    positions = [parameter for parameter in parameters if parameter.kind in _BY_POSITION]
    arrays = [
        p for p in positions[: len(form.arguments)] if not (p.name == "b" or is_option(p.name)) or p.name in form.arguments
    ]
    by_name = [p for p in parameters if p.kind in _BY_NAME and p not in arrays]
    names = names_taken(by_name)
    taken = {name: next(p for p in by_name if p.name == theirs) for name, theirs in names.items()}
    required = [name for name, p in taken.items() if p.default is inspect.Parameter.empty]
    needs_bias = form.arguments[-1] == "b" and any(p.name == "b" and p.default is inspect.Parameter.empty for p in arrays)
    renamed = any(name != theirs for name, theirs in names.items())
    if is_plain(form.layout) and not renamed and not required and not needs_bias:
        return Adapted(found)

    def call(given: Arguments, options: Arguments) -> Any:
        if needs_bias:
            given.setdefault("b", zero_bias(form, given))
        named = {names.get(name, name): value for name, value in options.items()}
        for name in required:
            named.setdefault(names[name], left_at_default(name, given))
        by_position = dict(given)
        if "window" in names and "window" in by_position:
            named[names["window"]] = by_position.pop("window")
        return found(*by_position.values(), **named)

    return Adapted(InLayout(call, form, _exposed(signature, form, names, arrays), name_of(found)))


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
        if name == "window" and "window" in names:
            continue
        if parameter in arrays:
            default = None if name == "b" else parameter.default
            first.append(parameter.replace(kind=_Kinds.POSITIONAL_ONLY, default=default))
        elif parameter.kind in {_Kinds.VAR_POSITIONAL, _Kinds.VAR_KEYWORD}:
            rest.append(parameter)
        else:
            default = None if name in names else parameter.default
            rest.append(parameter.replace(name=name, kind=_Kinds.KEYWORD_ONLY, default=default))
    if "window" in names and "window" in form.arguments:
        first.append(_Kinds("window", _Kinds.POSITIONAL_ONLY))
    return sorted([*first, *rest], key=lambda parameter: parameter.kind)
