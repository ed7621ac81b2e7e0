"""The styles in which a candidate may be written, and the way from each to a function that is called in jcnn's way."""

from collections.abc import Callable
from typing import Any, NamedTuple

from . import autograd_functions, cs231n, operations_of_jcnn
from .calling import Adapted, Arguments, Call
from .layouts import other_layout

Adapt = Callable[[Callable[..., Any], Arguments, Call, Callable[[str], Any]], Adapted]


class Style(NamedTuple):
    """A way of writing operations.

    Attributes:
        layout: the one that goes with it.
        adapt: from what was found, what lies beside it, how it is called, and what an output that fits nowhere becomes, to a
            function that is called in jcnn's way.
        renamed: names that differ from jcnn's.
        usual_name: from a kind to what its function is called.
        note: from an operation to what its formulas leave open in that style, in a sentence; "" where that is nothing.
    """

    layout: str
    adapt: Adapt
    renamed: dict[str, str]
    usual_name: Callable[[str], str] = str
    note: Callable[[str], str] = lambda _: ""


STYLES: dict[str, Style] = {
    "jcnn": Style("NHWC", operations_of_jcnn.adapt, {}),
    "cs231n": Style("NCHW", cs231n.adapt, {"dy": "dout"}, cs231n.usual_name, cs231n.note),
    "torch": Style("NCHW", autograd_functions.adapt, {}),
}
"""The styles by name."""


def adapt(found: Callable[..., Any], namespace: Arguments, form: Call, misfit: Callable[[str], Any]) -> Adapted:
    """A candidate as a function that is called in jcnn's way.

    Args:
        found: the candidate.
        namespace: what lies beside it, by name.
        form: how it is called.
        misfit: makes of a sentence what is returned in place of an output that fits nowhere.

    Raises:
        UnfitError: it cannot be called so.
    """
    style = STYLES[form.style]
    adapted = style.adapt(found, namespace, form, misfit)
    other = other_layout(form.layout, form.operation)
    if other is None:
        return adapted
    return adapted._replace(other_layout=style.adapt(found, namespace, form._replace(layout=other), misfit).candidate)
