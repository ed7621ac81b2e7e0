"""Which other style, or order of arguments, the names in a candidate show: what is said where it fits in no call."""

import inspect
import sys
from collections.abc import Callable
from typing import Any

from .adapt import STYLES, adapt
from .calling import Call, UnfitError, name_of, signature_of
from .cs231n import names_of
from .options import is_option, meant_by


def other_way_shown(found: Callable[..., Any], form: Call) -> str:
    """Another way to call a candidate that its names show, in a sentence; "" where they show none. Never raises."""
    try:
        signature = signature_of(found)
        parameters = list(signature.parameters.values()) if signature else []
        style = _style_shown(found, parameters, form)
        if style and style != form.style and _can_be_called(found, form, style):
            layout = form.style != "jcnn" and style == "jcnn" and form.layout
            given = f'style="{style}"' + (f', layout="{layout}"' if layout else "")
            options = f"--style {style}" + (f" --layout {layout}" if layout else "")
            return f"By its names it is written in the style {style}: grade it with {given} ({options})."
        return _by_name_only(parameters, form) or _order_shown(parameters, form) if form.style == "jcnn" else ""
    except BaseException:  # noqa: BLE001 (names and classes are the candidate's to define)
        return ""


def _can_be_called(found: Callable[..., Any], form: Call, style: str) -> bool:
    """Whether a candidate takes what one of a style is given."""
    layout = form.layout if style == "jcnn" else STYLES[style].layout
    try:
        adapted = adapt(found, {}, form._replace(style=style, layout=layout), str)
    except UnfitError:
        return False
    signature = signature_of(adapted.candidate)
    most, least = len(form.arguments), len([name for name in form.arguments if name != "b"])
    return signature is None or any(_binds(signature, count) for count in (most, least))


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _by_name_only(parameters: list[inspect.Parameter], form: Call) -> str:
    """That arguments can be given by name only, where jcnn gives them by position."""
    names = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    theirs = [name for name in names if meant_by(name, [a for a in form.arguments if a not in {"b", "window"}])]
    if not theirs:
        return ""
    return f"It takes {', '.join(theirs)} by name only, where they are given by position: remove the * before them."


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
