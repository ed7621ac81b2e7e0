"""Which other style, or order of arguments, the names in a candidate show: what is said where it fits in no call."""

import inspect
import sys
from collections.abc import Callable
from typing import Any

from .calling import Call, name_of, signature_of
from .cs231n import names_of
from .options import is_option, meant_by


def other_way_shown(found: Callable[..., Any], form: Call) -> str:
    """Another way to call a candidate that its names show, in a sentence; "" where they show none. Never raises."""
    try:
        signature = signature_of(found)
        parameters = list(signature.parameters.values()) if signature else []
        style = _style_shown(found, parameters, form)
        if style and style != form.style:
            layout = form.style != "jcnn" and style == "jcnn" and form.layout
            given = f'style="{style}"' + (f', layout="{layout}"' if layout else "")
            options = f"--style {style}" + (f" --layout {layout}" if layout else "")
            return f"By its names it is written in the style {style}: grade it with {given} ({options})."
        return _order_shown(parameters, form) if form.style == "jcnn" else ""
    except BaseException:  # noqa: BLE001 (names and classes are the candidate's to define)
        return ""


def _style_shown(found: Any, parameters: list[inspect.Parameter], form: Call) -> str:
    torch = sys.modules.get("torch")
    if inspect.isclass(found):
        return "torch" if torch is not None and issubclass(found, torch.autograd.Function) else ""
    required = [parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty]
    names = names_of(form.operation)
    usual = names.backward if form.backward else names.forward
    likely = {usual, usual.removesuffix("_naive")} - {form.kind}
    if name_of(found) in likely or (required and (required[-1] == "cache" or required[-1].endswith("_param"))):
        return "cs231n"
    if any(is_option(parameter.name, form.operation) for parameter in parameters) and (form.style == "cs231n" or torch is None):
        return "jcnn"
    return ""


def _order_shown(parameters: list[inspect.Parameter], form: Call) -> str:
    """That the arguments have another order than jcnn's."""
    wanted = [name for name in form.arguments if name != "b"]
    there = [parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    meant = [meant_by(name, wanted) for name in there]
    order = [argument for argument in meant if argument is not None]
    if sorted(order) != sorted(wanted) or order == wanted:
        return ""
    theirs = [name for name, argument in zip(there, meant, strict=True) if argument is not None]
    return f"By its names it takes ({', '.join(theirs)}), where the order ({', '.join(wanted)}) is expected."
