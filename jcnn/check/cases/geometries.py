"""The geometries of the cases: sizes, windows, channels and options, each small enough for a person to redo.

A candidate may take some options only, images only, square ones only. Whatever it takes, what is left must have in it: numbers
that are not whole, several examples and channels, tall and wide images, filters of 1, 2, 3 and 5 pixels, strides 1 to 3 with
and without a rest, padding of less than half a filter, of half a filter and beyond the filter. So every group below has all of
that by itself.
"""

from typing import Any, NamedTuple


class Geometry(NamedTuple):
    """Where a window walks, and over what.

    Attributes:
        name: what is special, in words.
        sizes: of the input along its spatial axes.
        window: of the filter or the pooling.
        channels: groups, C_in, C_out; pooling takes C_in.
        options: as the operation takes them; without a stride a convolution has 1, a pooling its window.
        batch: examples.
        bias: whether a convolution has one.
        values: a kind of numbers, as `cases.values_of` takes it.
        twin: the name of the geometry whose numbers these are.
        scale: a power of two, by which some are multiplied.
        scaled: which.
    """

    name: str
    sizes: tuple[int, ...]
    window: tuple[int, ...]
    channels: tuple[int, int, int] = (1, 1, 1)
    options: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    batch: int = 1
    bias: bool = False
    values: str = "whole"
    twin: str | None = None
    scale: float = 1.0
    scaled: tuple[str, ...] = ()


LARGE = 20
"""The exponent of two by which a twin is larger: beyond a million."""

_OF_WHOLE_NUMBERS = (
    Geometry("a single pixel", (1, 1), (1, 1)),
    Geometry("a 2×2 filter on 3×3 pixels", (3, 3), (2, 2)),
    Geometry("a 2×2 filter on 2×2 pixels: as large as the input", (2, 2), (2, 2), (1, 2, 2)),
    Geometry("one axis", (5,), (3,), batch=2, bias=True),
    Geometry("a 1×1 filter with channels", (2, 3), (1, 1), (1, 2, 3), batch=2),
    Geometry("windows that overlap", (4, 4), (3, 3), options={"stride": 1}),
    Geometry("a filter that is not square", (4, 5), (3, 2), (1, 2, 3), {"stride": 1}, 2, True),
    Geometry("as many filters as channels", (4, 4), (2, 2), (1, 3, 3), {"stride": 1}, 3, True),
    Geometry("stride 2", (5, 5), (3, 3), options={"stride": 2}),
    Geometry("a stride that leaves a rest", (6, 5), (3, 2), (1, 2, 2), {"stride": 2}, 2),
    Geometry("a stride of its own for every axis", (6, 5), (2, 3), (1, 1, 2), {"stride": (3, 1)}, 2),
    Geometry("a stride larger than the filter", (7, 8), (2, 2), (1, 2, 1), {"stride": 3}),
    Geometry("padding", (3, 3), (3, 3), options={"padding": 1, "stride": 1}),
    Geometry("padding and stride", (5, 4), (3, 3), (1, 2, 2), {"padding": 1, "stride": 2}, 2, True),
    Geometry("asymmetric padding", (4, 4), (3, 3), (1, 2, 2), {"padding": ((0, 1), (2, 1)), "stride": 1}, 2),
    Geometry("padding of its own for every axis", (3, 5), (2, 3), (1, 1, 2), {"padding": (1, 2), "stride": 1}),
    Geometry("same padding with an odd pixel", (5, 4), (2, 2), (1, 1, 2), {"padding": "same", "stride": 1}, values="normal"),
    Geometry("same padding and stride", (6, 5), (3, 2), (1, 2, 2), {"padding": "same", "stride": 2}, 2),
    Geometry("the odd pixel at the start", (4, 6), (2, 4), (1, 1, 1), {"padding": "same_lower", "stride": 1}),
    Geometry("dilation 2", (5, 5), (2, 2), options={"dilation": 2, "stride": 1}),
    Geometry(
        "dilation, stride and padding", (8, 7), (3, 2), (1, 2, 2), {"dilation": (2, 3), "stride": 2, "padding": (1, 0)}, 2
    ),
    Geometry("two groups", (3, 4), (2, 2), (2, 4, 4), {"groups": 2}, 2, True),
    Geometry("three groups, two filters each", (3, 3), (2, 2), (3, 3, 6), {"groups": 3, "stride": 1}, 2),
    Geometry("a window that hangs over (ceil)", (5, 6), (2, 3), (1, 1, 2), {"stride": 2, "rounding": "ceil"}, 2),
    Geometry("zeros", (4, 4), (3, 3), (1, 2, 2), {"stride": 1}, 2, True, "zeros"),
    Geometry("ties", (4, 5), (2, 2), (1, 2, 1), {"stride": 1}, 2, False, "ties"),
    Geometry("ties of windows that do not overlap", (4, 4), (2, 2), (1, 1, 1), {}, 1, False, "ties"),
    Geometry("three axes", (3, 2, 3), (2, 2, 2), (1, 2, 2), {"stride": 1}, 2, values="normal"),
    Geometry("any numbers", (6, 7), (3, 3), (1, 3, 4), {"stride": (2, 1), "padding": 1}, 3, True, "normal"),
    Geometry(
        "one large image", (23, 19), (5, 3), (1, 4, 6), {"stride": (2, 1), "padding": 2, "dilation": (1, 2)}, 2, True, "normal"
    ),
)


def _normal(
    name: str,
    sizes: tuple[int, ...],
    window: tuple[int, ...],
    channels: tuple[int, int, int],
    batch: int,
    options: dict[str, Any] | None = None,
    *,
    bias: bool = False,
) -> Geometry:
    return Geometry(f"any numbers, {name}", sizes, window, channels, options or {}, batch, bias, "normal")


# No option but those of its group; a pooling without a stride has tiles that do not overlap, here several along both axes.
_PLAIN = (
    _normal("one square example", (6, 6), (2, 2), (1, 3, 2), 1),
    _normal("a square filter on a square image", (6, 6), (2, 2), (1, 2, 3), 4),
    _normal("a square filter on a wide image", (5, 7), (3, 3), (1, 2, 3), 2),
    _normal("tiles of a tall map", (8, 4), (2, 2), (1, 3, 2), 1),
    _normal("tiles of a wide map", (4, 8), (2, 2), (1, 2, 3), 1),
    _normal("large tiles of a square map", (10, 10), (5, 5), (1, 1, 1), 1),
    _normal("a tall image", (10, 4), (3, 2), (1, 2, 3), 1, bias=True),
    _normal("a wide image", (4, 10), (2, 3), (1, 3, 2), 1),
    _normal("one wide example", (4, 8), (2, 3), (1, 2, 3), 1, bias=True),
    _normal("more examples and channels than pixels", (2, 3), (2, 2), (1, 4, 5), 4),
    _normal("more examples than positions", (3, 3), (2, 2), (1, 2, 2), 3),
    _normal("a filter taller than the image is wide", (6, 2), (4, 2), (1, 2, 3), 1),
    _normal("a filter wider than the image is tall", (2, 6), (2, 4), (1, 3, 2), 1),
    _normal("a 1×1 filter", (3, 4), (1, 1), (1, 3, 2), 2),
    _normal("a 5×5 filter", (6, 7), (5, 5), (1, 2, 2), 2),
)
_STRIDES = (
    _normal("stride 1", (5, 4), (2, 2), (1, 2, 3), 2, {"stride": 1}),
    _normal("stride 2", (7, 9), (3, 3), (1, 2, 3), 2, {"stride": 2}),
    _normal("stride 2 with a rest", (8, 6), (3, 3), (1, 3, 2), 2, {"stride": 2}),
    _normal("stride 2 on a square image", (6, 6), (2, 2), (1, 2, 1), 2, {"stride": 2}),
    _normal("one example, stride 2", (7, 5), (3, 2), (1, 3, 2), 1, {"stride": 2}),
    _normal("stride 2 of a 1×1 filter", (4, 5), (1, 1), (1, 2, 3), 2, {"stride": 2}),
    _normal("stride 3", (5, 8), (2, 2), (1, 2, 2), 2, {"stride": 3}, bias=True),
    _normal("stride 3 with a rest", (10, 8), (3, 2), (1, 1, 2), 2, {"stride": 3}),
    _normal("stride 3 of a 5×5 filter", (9, 10), (5, 5), (1, 1, 2), 1, {"stride": 3}),
    _normal("stride 5 on a square image", (7, 7), (2, 2), (1, 2, 1), 1, {"stride": 5}),
)
_PADDINGS = (
    _normal("padding 1", (6, 4), (3, 3), (1, 2, 3), 2, {"padding": 1}, bias=True),
    _normal("padding 1 of a 2×2 filter", (4, 5), (2, 2), (1, 3, 2), 2, {"padding": 1}),
    _normal("padding 1 of a 5×5 filter", (4, 6), (5, 5), (1, 2, 1), 2, {"padding": 1}),
    _normal("one example, padding 1", (4, 5), (3, 2), (1, 2, 3), 1, {"padding": 1}, bias=True),
    _normal("padding 2 on a square image", (5, 5), (3, 3), (1, 2, 2), 2, {"padding": 2}),
    _normal("padding 2 of a 5×3 filter", (6, 3), (5, 3), (1, 1, 2), 2, {"padding": 2}),
    _normal("padding 3 of a 5×5 filter", (4, 4), (5, 5), (1, 2, 1), 1, {"padding": 3}),
    _normal("padding 1, a filter larger than the image", (3, 3), (5, 5), (1, 2, 2), 1, {"padding": 1}),
    _normal("padding as large as the filter", (4, 3), (2, 2), (1, 2, 3), 2, {"padding": 2}),
    _normal("padding beyond the filter", (3, 4), (1, 1), (1, 2, 2), 2, {"padding": 1}),
    _normal("padding far beyond the filter", (3, 3), (2, 2), (1, 1, 2), 1, {"padding": 4}),
)
_PADDINGS_AND_STRIDES = (
    _normal("padding 1, stride 1", (5, 3), (2, 3), (1, 2, 3), 2, {"padding": 1, "stride": 1}),
    _normal("padding 1, stride 2", (5, 7), (3, 3), (1, 2, 3), 2, {"padding": 1, "stride": 2}),
    _normal("padding 1, stride 2 with a rest", (6, 4), (3, 3), (1, 3, 2), 2, {"padding": 1, "stride": 2}, bias=True),
    _normal("one example, padding 1, stride 2", (6, 5), (3, 2), (1, 2, 3), 1, {"padding": 1, "stride": 2}, bias=True),
    _normal("padding 1, stride 2 on a square image", (6, 6), (4, 4), (1, 1, 2), 2, {"padding": 1, "stride": 2}),
    _normal("padding 1, stride 3", (7, 4), (3, 3), (1, 2, 2), 2, {"padding": 1, "stride": 3}),
    _normal("padding 2, stride 1", (4, 5), (3, 4), (1, 2, 1), 2, {"padding": 2, "stride": 1}),
    _normal("padding 2, stride 2", (6, 5), (5, 4), (1, 1, 2), 2, {"padding": 2, "stride": 2}),
    _normal("padding 2, stride 3", (7, 8), (5, 5), (1, 2, 1), 2, {"padding": 2, "stride": 3}),
    _normal("padding 3, stride 2", (4, 5), (2, 2), (1, 2, 3), 1, {"padding": 3, "stride": 2}),
    _normal("padding 4, stride 4", (3, 3), (3, 3), (1, 1, 2), 1, {"padding": 4, "stride": 4}),
    _normal("padding 3, stride 2 of a 5×5 filter", (5, 5), (5, 5), (1, 2, 1), 1, {"padding": 3, "stride": 2}),
)
_OTHER_OPTIONS = (
    _normal("dilation 2", (6, 7), (3, 2), (1, 2, 3), 2, {"dilation": 2}),
    _normal("dilation 3 of a 2×2 filter", (6, 5), (2, 2), (1, 1, 2), 2, {"dilation": 3}),
    _normal("dilation 3 of a square filter", (8, 7), (3, 3), (1, 2, 1), 2, {"dilation": 3}),
    _normal("more dilation along the first axis", (8, 4), (3, 2), (1, 1, 2), 2, {"dilation": (3, 1)}),
    _normal("more dilation along the second axis", (4, 8), (2, 3), (1, 1, 2), 2, {"dilation": (1, 3)}),
    _normal("dilation and stride", (8, 9), (3, 3), (1, 2, 1), 2, {"dilation": 2, "stride": 2}),
    _normal("dilation and padding", (5, 6), (3, 3), (1, 2, 3), 2, {"dilation": 2, "padding": 1}),
    _normal("dilation, stride 3 and padding", (7, 9), (3, 3), (1, 2, 2), 2, {"dilation": 2, "stride": 3, "padding": 2}),
    _normal("two groups", (4, 5), (2, 2), (2, 4, 6), 2, {"groups": 2}),
    _normal("a group for every channel", (4, 3), (2, 2), (3, 3, 3), 2, {"groups": 3}),
    _normal("two groups, stride and padding", (5, 6), (3, 3), (2, 4, 2), 2, {"groups": 2, "stride": 2, "padding": 1}),
    _normal("ceil", (6, 7), (3, 3), (1, 2, 3), 2, {"stride": 2, "rounding": "ceil"}),
    _normal("ceil with padding", (5, 6), (2, 2), (1, 2, 2), 2, {"stride": 3, "padding": 1, "rounding": "ceil"}),
    _normal("a larger stride along the first axis", (8, 6), (2, 3), (1, 2, 3), 2, {"stride": (3, 1)}),
    _normal("a larger stride along the second axis", (6, 8), (3, 2), (1, 2, 3), 2, {"stride": (1, 3)}),
    _normal("other paddings along other axes", (4, 5), (3, 4), (1, 2, 3), 2, {"padding": (1, 2)}),
    _normal("more padding along the first axis", (4, 5), (5, 2), (1, 2, 1), 2, {"padding": (3, 1), "stride": 1}),
    _normal("more padding along the second axis", (5, 4), (2, 5), (1, 1, 2), 2, {"padding": (1, 3), "stride": 1}),
    _normal("four paddings", (5, 4), (4, 4), (1, 2, 3), 2, {"padding": ((0, 1), (2, 3)), "stride": 1}),
    _normal("four paddings the other way round", (4, 5), (4, 4), (1, 2, 1), 2, {"padding": ((3, 2), (1, 0)), "stride": 1}),
    _normal("four paddings, two of them none", (3, 3), (5, 5), (1, 1, 2), 2, {"padding": ((0, 4), (4, 0))}),
    _normal("four paddings, the other two none", (3, 3), (5, 5), (1, 2, 1), 2, {"padding": ((4, 0), (0, 4))}),
    _normal("same padding", (5, 6), (3, 4), (1, 2, 3), 2, {"padding": "same"}),
    _normal("same padding and stride", (7, 6), (3, 2), (1, 2, 3), 2, {"padding": "same", "stride": 2}),
    _normal("same padding and strides", (5, 4), (3, 5), (1, 2, 4), 2, {"padding": "same", "stride": (3, 2)}),
    _normal("same padding that is none", (6, 4), (1, 1), (1, 1, 2), 2, {"padding": "same", "stride": 2}),
    _normal("same padding and dilation", (7, 8), (3, 3), (1, 1, 2), 2, {"padding": "same", "dilation": (1, 2)}),
)
_OTHER_RANKS = (
    _normal("one axis", (9,), (3,), (1, 2, 3), 2),
    _normal("one axis, stride 2", (9,), (2,), (1, 2, 3), 2, {"stride": 2}),
    _normal("one axis, padding 2", (6,), (3,), (1, 2, 3), 2, {"padding": 2}),
    _normal("one axis, padding 1, stride 3", (8,), (4,), (1, 2, 3), 2, {"padding": 1, "stride": 3}),
    _normal("three axes", (4, 3, 5), (2, 1, 3), (1, 2, 3), 2),
    _normal("three axes, stride 2", (4, 3, 5), (2, 2, 3), (1, 2, 3), 2, {"stride": 2}),
    _normal("three axes, padding 1", (2, 3, 2), (2, 3, 2), (1, 2, 1), 2, {"padding": 1}),
    _normal("three axes, padding 1, stride 2", (3, 4, 2), (3, 2, 2), (1, 1, 2), 2, {"padding": 1, "stride": 2}),
)


# What is written for few channels, examples, pixels or taps, or for windows and images of more than one row and column.
_SIZES = (
    _normal("five examples", (4, 5), (2, 2), (1, 2, 3), 5),
    _normal("many examples", (2, 3), (2, 2), (1, 2, 2), 17),
    _normal("more than four channels", (4, 3), (2, 3), (1, 7, 5), 2),
    _normal("many channels", (3, 4), (2, 2), (1, 9, 11), 2, bias=True),
    _normal("many channels, stride 1 and padding 1", (3, 2), (2, 2), (1, 8, 13), 1, {"stride": 1, "padding": 1}),
    _normal("many channels in groups", (3, 4), (2, 2), (2, 8, 12), 2, {"groups": 2}),
    _normal("many groups", (3, 3), (2, 2), (8, 8, 16), 2, {"groups": 8}),
    _normal("stride 4", (11, 7), (3, 3), (1, 2, 3), 2, {"stride": 4}),
    _normal("a stride beyond the image", (4, 5), (2, 3), (1, 2, 3), 2, {"stride": 7}),
    _normal("padding 3, stride 2 of a 7×7 filter", (8, 9), (7, 7), (1, 3, 2), 1, {"padding": 3, "stride": 2}),
    _normal("a map of many rows", (37, 3), (3, 2), (1, 2, 2), 1, {"stride": 2}),
    _normal("a map of many columns", (3, 37), (2, 3), (1, 2, 2), 1, {"stride": 2}),
    _normal("many pixels", (27, 29), (2, 2), (1, 3, 4), 1),
    _normal("many pixels, stride 1 and padding 1", (26, 24), (3, 3), (1, 3, 2), 1, {"stride": 1, "padding": 1}),
)
_ROWS_AND_COLUMNS = (
    _normal("a 1×3 filter", (4, 7), (1, 3), (1, 2, 3), 2),
    _normal("a 3×1 filter", (7, 4), (3, 1), (1, 3, 2), 2),
    _normal("a 1×2 filter, stride 1", (3, 4), (1, 2), (1, 2, 3), 2, {"stride": 1}, bias=True),
    _normal("a 2×1 filter, stride 1", (4, 3), (2, 1), (1, 2, 3), 2, {"stride": 1}, bias=True),
    _normal("a 1×3 filter, stride 2", (5, 6), (1, 3), (1, 2, 3), 2, {"stride": 2}),
    _normal("a 3×1 filter, stride 2", (6, 5), (3, 1), (1, 2, 3), 2, {"stride": 2}),
    _normal("a 1×3 filter, padding 1", (3, 4), (1, 3), (1, 2, 3), 2, {"padding": 1}),
    _normal("a 3×1 filter, padding 1", (4, 3), (3, 1), (1, 2, 3), 2, {"padding": 1}),
    _normal("a 1×3 filter, padding 1, stride 2", (3, 5), (1, 3), (1, 2, 3), 2, {"padding": 1, "stride": 2}),
    _normal("a 3×1 filter, padding 1, stride 2", (5, 3), (3, 1), (1, 2, 3), 2, {"padding": 1, "stride": 2}),
    _normal("a 1×3 filter, padding along it", (3, 4), (1, 3), (1, 2, 3), 2, {"padding": (0, 1), "stride": 1}),
    _normal("a 3×1 filter, padding along it", (4, 3), (3, 1), (1, 2, 3), 2, {"padding": (1, 0), "stride": 1}),
    _normal("an image of one row", (1, 7), (1, 2), (1, 2, 3), 2),
    _normal("an image of one column", (7, 1), (2, 1), (1, 2, 3), 2),
    _normal("a row, stride 2", (1, 7), (1, 3), (1, 3, 2), 1, {"stride": 2}),
    _normal("a column, stride 2", (7, 1), (3, 1), (1, 3, 2), 1, {"stride": 2}),
    _normal("a row, padding 1", (1, 5), (3, 3), (1, 2, 3), 2, {"padding": 1}),
    _normal("a column, padding 1", (5, 1), (3, 3), (1, 2, 3), 2, {"padding": 1}),
    _normal("one pixel with channels", (1, 1), (1, 1), (1, 3, 4), 3),
    _normal("one pixel, padding 1", (1, 1), (3, 3), (1, 2, 3), 2, {"padding": 1}),
    _normal("one pixel, padding 1, stride 2", (1, 1), (3, 3), (1, 3, 2), 2, {"padding": 1, "stride": 2}),
)

# Times a power of two every float of every precision keeps its digits: what then looks different is no rounding.
_TWINS = tuple(
    _PLAIN[0]._replace(name=f"any numbers, {name}", twin=_PLAIN[0].name, scale=2.0**exponent, scaled=scaled)
    for name, exponent, scaled in (
        ("a small x", -12, ("x",)),
        ("a small w", -12, ("w",)),
        ("a small dy", -12, ("dy",)),
        ("all tiny", -24, ("x", "w", "dy")),
        ("a large x", LARGE, ("x",)),
        ("a large w", LARGE, ("w",)),
        ("a large dy", LARGE, ("dy",)),
    )
)

GEOMETRIES = (
    *_OF_WHOLE_NUMBERS,
    *_PLAIN,
    *_STRIDES,
    *_PADDINGS,
    *_PADDINGS_AND_STRIDES,
    *_OTHER_OPTIONS,
    *_OTHER_RANKS,
    *_SIZES,
    *_ROWS_AND_COLUMNS,
    *_TWINS,
)
