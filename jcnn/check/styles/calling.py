"""What a candidate is to be and how it is called; and the candidate as a function that is called in jcnn's way."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .layouts import LAYOUTS, axes_of

Array = np.ndarray
Arguments = dict[str, Any]

BACKWARD = "_backward"


class Call(NamedTuple):
    """How a candidate is called.

    Attributes:
        kind: the operation that it should be.
        arguments: the names of its positional arguments in jcnn, in order; a bias, which may be left out, is the last.
        leaves: the names of its outputs.
        layout: a name of `LAYOUTS`.
        style: a name of `adapt.STYLES`.
    """

    kind: str
    arguments: tuple[str, ...]
    leaves: tuple[str, ...]
    layout: str
    style: str

    @property
    def operation(self) -> str:
        """The operation of which it is the forward or the backward pass."""
        return self.kind.removesuffix(BACKWARD)

    @property
    def backward(self) -> bool:
        """Whether it is the backward pass."""
        return self.kind.endswith(BACKWARD)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the forward pass takes; a bias too if it has a gradient."""
        if not self.backward:
            return self.arguments
        return (*self.arguments[1:], *(["b"] if "db" in self.leaves else []))


class UnfitError(Exception):
    """No case can be given to the candidate: it takes something else, or is something else; the message says what."""


class Adapted(NamedTuple):
    """A candidate that can be called in jcnn's way, and what belongs to it.

    Attributes:
        candidate: takes and returns what the operation of jcnn does.
        forward: of a backward pass that needs what its forward keeps, that forward pass; None where there is none.
        forward_name: its name.
        right_cache: the backward pass with a cache as it should be in place of the one that its forward gives.
        other_layout: the candidate as it would be called in the other layout; None where there is no difference.
        not_judged: outputs that it has no place for; what comes for them is not its own.
    """

    candidate: Callable[..., Any]
    forward: Callable[..., Any] | None = None
    forward_name: str = ""
    right_cache: Callable[..., Any] | None = None
    other_layout: Callable[..., Any] | None = None
    not_judged: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, Callable[..., Any]]:
        """All that can be asked, by name; the name of the candidate is ""."""
        named = {
            "": self.candidate,
            "forward": self.forward,
            "right cache": self.right_cache,
            "other layout": self.other_layout,
        }
        return {name: function for name, function in named.items() if function is not None}


class Spared(NamedTuple):
    """What a candidate returns that was called otherwise, as it does not take what it was to get.

    Attributes:
        output: what it returns.
        what: it does not take.
    """

    output: Any
    what: str


class InLayout:
    """A candidate that is called with arrays in jcnn's layout, and gets copies of them in its own."""

    def __init__(
        self, call: Callable[[Arguments, Arguments], Any], form: Call, parameters: Sequence[inspect.Parameter], name: str = ""
    ) -> None:
        """`call` takes the arguments by name, in the candidate's layout, and the options by name."""
        self._call, self._form = call, form
        self.__signature__ = inspect.Signature(parameters)
        self.__name__ = name
        self.spared = ""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """What the candidate returns, in jcnn's layout."""
        form = self._form
        given = dict(zip(form.arguments, args, strict=False))
        axes = axes_of(form.layout, form.operation)
        theirs = {name: axes.give(name, value, given) for name, value in given.items()}
        self.spared = ""
        output = self._call(dict(theirs), options)
        if isinstance(output, Spared):
            output, self.spared = output
        # What it changes in place is changed in what it was given.
        for name, value in theirs.items():
            if isinstance(value, np.ndarray):
                given[name][...] = axes.take(name, value, given)
        # Of one output a list is its numbers.
        if not isinstance(output, tuple | list) or (isinstance(output, list) and len(form.leaves) == 1):
            return axes.take(form.leaves[0], output, given)
        # Of too many or too few those that are there are still what their places say.
        named = zip(form.leaves, output, strict=False)
        return (*(axes.take(leaf, part, given) for leaf, part in named), *output[len(form.leaves) :])


def is_plain(layout: str) -> bool:
    """Whether a layout is jcnn's own."""
    return not LAYOUTS[layout]


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """A function's signature, None where it has none that can be read."""
    try:
        return inspect.signature(function)
    except BaseException:  # noqa: BLE001 (the signature is the candidate's to define)
        return None


def name_of(function: Any) -> str:
    """A function's name, "" where it has none that can be read."""
    try:
        return str(getattr(function, "__name__", ""))
    except BaseException:  # noqa: BLE001 (the name is the candidate's to define)
        return ""


def count_taken(function: Callable[..., Any], counts: Sequence[int]) -> int:
    """The first of some numbers of positional arguments that a function takes.

    Raises:
        UnfitError: it takes none of them.
    """
    signature = signature_of(function)
    for count in counts:
        try:
            (signature or inspect.Signature()).bind(*[None] * count)
        except TypeError:
            if signature is not None:
                continue
        return count
    raise UnfitError(f"takes {described(signature)}")


def described(signature: inspect.Signature | None) -> str:
    """A signature's parameters, counted and by name."""
    names = list(signature.parameters) if signature else []
    return f"{len(names)} {'parameter' if len(names) == 1 else 'parameters'} ({', '.join(names)})"


_BIAS_SHAPES: dict[str, Callable[[Arguments], tuple[int, ...]]] = {
    "conv_transpose": lambda args: (args["w"].shape[-2],),
    "locally_connected": lambda args: (*args["w"].shape[: args["x"].ndim - 2], args["w"].shape[-1]),
}


def zero_bias(form: Call, given: Arguments) -> Array:
    """A bias that adds nothing, for a candidate that must have one; from and in the candidate's layout."""
    axes = axes_of(form.layout, form.operation)
    ours = {name: axes.take(name, value, given) for name, value in given.items() if name in {"w", "x"}}
    shape = _BIAS_SHAPES.get(form.operation, lambda args: (args["w"].shape[-1],))(ours)
    return axes.give("b", np.zeros(shape), ours)


def bias_gradient(form: Call, dy: Array) -> Array:
    """The gradient of a bias from the output's, both in the candidate's layout."""
    axes = axes_of(form.layout, form.operation)
    ours = axes.take(form.arguments[0], dy, {})
    summed = (0,) if form.operation == "locally_connected" else tuple(range(ours.ndim - 1))
    return axes.give("db", ours.sum(summed), {})
