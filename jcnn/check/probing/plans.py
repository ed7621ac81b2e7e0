"""How each operation that adds products is probed: what is 1 at one place, what is all distinct, and what is read off."""

from typing import NamedTuple


class Read(NamedTuple):
    """An output, and what its numbers are made of.

    Attributes:
        array: which array it is: "output", "image", "filter" or "bias".
        of: the argument whose numbers it adds; None where it adds the 1 itself.
    """

    array: str
    of: str | None


class Plan(NamedTuple):
    """How to probe an operation.

    Attributes:
        arguments: its arrays in order, and which each of them is.
        hot: the argument that is 1 at one place and else 0, at one place after the other; None where one call tells all.
        reads: its outputs.
        window: it takes the size of a window in place of a filter.
        spatial: it has rows and columns.
        zero: the arguments that are nothing but zeros.
        whole: only windows that end with the image: the output's shape says no other.
        noun: what the terms that it reads are called, where the output has others that are read by another plan.
        alone: they are the numbers of one argument, no products.
    """

    arguments: dict[str, str]
    hot: str | None
    reads: dict[str, Read]
    window: bool = False
    spatial: bool = True
    zero: tuple[str, ...] = ()
    whole: bool = False
    noun: str = ""
    alone: bool = False


_PRODUCTS, _BIAS = "every product of x and w", "the bias"

PLANS: dict[str, tuple[Plan, ...]] = {
    "conv": (
        Plan({"x": "image", "w": "filter"}, "w", {"y": Read("output", "x")}, noun=_PRODUCTS),
        Plan(
            {"x": "image", "w": "filter", "b": "bias"},
            None,
            {"y": Read("output", "b")},
            zero=("x", "w"),
            noun=_BIAS,
            alone=True,
        ),
    ),
    "conv_backward": (
        Plan(
            {"dy": "output", "x": "image", "w": "filter"},
            "dy",
            {"dx": Read("image", "w"), "dw": Read("filter", "x"), "db": Read("bias", None)},
        ),
    ),
    "conv_transpose": (Plan({"y": "output", "w": "filter"}, "y", {"x": Read("image", "w")}, whole=True),),
    "conv_transpose_backward": (
        Plan({"dx": "image", "y": "output", "w": "filter"}, "dx", {"dy": Read("output", "w"), "dw": Read("filter", "y")}),
    ),
    "dense": (
        Plan({"x": "image", "w": "filter"}, "w", {"y": Read("output", "x")}, spatial=False, noun=_PRODUCTS),
        Plan(
            {"x": "image", "w": "filter", "b": "bias"},
            None,
            {"y": Read("output", "b")},
            spatial=False,
            zero=("x", "w"),
            noun=_BIAS,
            alone=True,
        ),
    ),
    "dense_backward": (
        Plan(
            {"dy": "output", "x": "image", "w": "filter"},
            "dy",
            {"dx": Read("image", "w"), "dw": Read("filter", "x"), "db": Read("bias", None)},
            spatial=False,
        ),
    ),
    "avg_pool": (Plan({"x": "image"}, "x", {"y": Read("output", None)}, window=True),),
    "avg_pool_backward": (Plan({"dy": "output", "x": "image"}, "dy", {"dx": Read("image", None)}, window=True),),
    "max_pool": (Plan({"x": "image"}, None, {"y": Read("output", "x")}, window=True),),
    "max_pool_backward": (Plan({"dy": "output", "x": "image"}, "dy", {"dx": Read("image", None)}, window=True),),
}
"""By the operation's name; a second plan reads the bias."""
