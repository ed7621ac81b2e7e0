"""An implementation of an operation, and which calls of it are taken."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Student(NamedTuple):
    """A right implementation as students write it: one function, plain NumPy.

    Attributes:
        function: self-contained, so that it can be mutated from its source.
        kind: the operation, as `grade` takes it.
        options: which it takes, by name.
        per_axis: options may differ from axis to axis, and padding from side to side.
        names: paddings that it takes by name.
        ranks: how many spatial axes it takes.
        square: windows of pooling are one number.
        bias: takes one.
    """

    function: Callable[..., Any]
    kind: str
    options: tuple[str, ...] = ()
    per_axis: bool = False
    names: tuple[str, ...] = ()
    ranks: tuple[int, ...] = (2,)
    square: bool = False
    bias: bool = False

    @property
    def name(self) -> str:
        """Operation and style."""
        return f"{self.kind}: {self.function.__name__}"

    def takes(self, args: dict[str, Any], options: dict[str, Any]) -> bool:
        """Whether a call is one that it was written for."""
        windows = [options[name] for name in ("stride", "padding", "dilation") if name in options]
        if not set(options) <= set(self.options) or ("b" in args and not self.bias):
            return False
        if any(isinstance(value, str) and value not in self.names for value in windows):
            return False
        if not self.per_axis and any(isinstance(value, tuple) for value in windows):
            return False
        if self.square and not isinstance(args["window"], int):
            return False
        return not has_windows(self.kind) or spatial(args).ndim - 2 in self.ranks


class Restriction(NamedTuple):
    """A part of the calls that an implementation takes: candidates may take no more than that.

    Attributes:
        name: in words.
        options: which may be given, whole numbers all of them; None: any, and other than whole numbers.
        square: images and windows as high as wide.
        alone: one example at a time.
    """

    name: str
    options: tuple[str, ...] | None = None
    square: bool = False
    alone: bool = False

    def includes(self, other: "Restriction") -> bool:
        """Whether it allows all that the other allows."""
        if self.options is None or other.options is None:
            return self.options is None
        options = set(other.options) <= set(self.options)
        return options and self.square <= other.square and self.alone <= other.alone

    def allows(self, args: dict[str, Any], options: dict[str, Any]) -> bool:
        """Whether a call is among them."""
        if self.options is None:
            return True
        if not set(options) <= set(self.options) or any(not isinstance(value, int) for value in options.values()):
            return False
        x = spatial(args)
        if x.ndim != 4 or (self.alone and len(x) > 1):
            return False
        window = filter_sizes(args)
        return not self.square or (x.shape[1] == x.shape[2] and (isinstance(window, int) or window[0] == window[1]))


IMAGES = "images, whole strides and paddings"
"""The restriction that homework has."""

RESTRICTIONS = (
    Restriction("images, no options", ()),
    Restriction("images, whole strides", ("stride",)),
    Restriction("images, whole paddings", ("padding",)),
    Restriction("square images, whole strides and paddings", ("stride", "padding"), square=True),
    Restriction("one image, whole strides and paddings", ("stride", "padding"), alone=True),
    Restriction(IMAGES, ("stride", "padding")),
    Restriction("everything"),
)
"""From the least to the most."""


def has_windows(kind: str) -> bool:
    """Whether the operation has spatial axes."""
    return any(name in kind for name in ("conv", "pool", "locally_connected"))


def spatial(args: dict[str, Any]) -> Any:
    """The array whose spatial axes tell the rank."""
    return args["x"] if "x" in args else args["y"]


def filter_sizes(args: dict[str, Any]) -> Any:
    """The sizes of the filter or the window, which filters that are not shared have after those of the output."""
    if "window" in args:
        return args["window"]
    return args["w"].shape[:-2][-(spatial(args).ndim - 2) :]
