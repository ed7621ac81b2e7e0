"""What every candidate that takes images with a stride and a padding is asked, whatever other options it lacks.

A function may be wrong for windows, images, channels or examples of one sort alone. Each sort below is in a case that everybody
must take, and that gives none of the options that a candidate may lack: so no function that is wrong there passes.
"""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np
import pytest

from jcnn.check.cases import Case
from jcnn.check.grading.left_out import must_take
from jcnn.check.operations import kind_of


class Sort(NamedTuple):
    """What a case is about: sizes, window, stride and padding along both axes, and how many of everything."""

    sizes: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    batch: int
    channels_in: int
    channels_out: int
    positions: int
    options: frozenset[str]

    @property
    def is_plain(self) -> bool:
        return not self.options

    @property
    def is_row(self) -> bool:
        return self.window[0] == 1 < self.window[1]

    @property
    def is_column(self) -> bool:
        return self.window[1] == 1 < self.window[0]

    @property
    def is_line(self) -> bool:
        return self.is_row or self.is_column


def sort_of(case: Case, kind: str) -> Sort:
    args, options = case.args, case.options
    transposed = kind.startswith("conv_transpose")
    # The image that windows walk over: of the adjoint its result.
    image = kind_of(kind).reference(**args, **options) if transposed else args["x"]
    image = args["dx"] if kind == "conv_transpose_backward" else image
    if "window" in args:
        window = args["window"] if isinstance(args["window"], tuple) else (args["window"],) * 2
        c_in = c_out = image.shape[-1]
    else:
        window, c_out = args["w"].shape[-4:-2], args["w"].shape[-1]
        c_in = args["w"].shape[-2]
    stride = options.get("stride", window if "window" in args else 1)
    stride = stride if isinstance(stride, tuple) else (stride,) * 2
    padding = (options.get("padding", 0),) * 2
    positions = prod((n + 2 * p - f) // s + 1 for n, f, s, p in zip(image.shape[1:3], window, stride, padding, strict=True))
    named = frozenset(options) - {"output_size"}
    return Sort(image.shape[1:3], window, stride, padding, len(image), c_in, c_out, positions, named)


def of_square_windows(case: Case) -> Case:
    """The case with its window as one number: windows of two are not asked of everybody, but need no option."""
    return case._replace(args={**case.args, "window": 1}) if "window" in case.args else case


ALL: dict[str, Callable[[Sort], bool]] = {
    "a window of one row": lambda s: s.is_plain and s.is_row,
    "a window of one column": lambda s: s.is_plain and s.is_column,
    "a window of one row, with a stride": lambda s: s.options == {"stride"} and s.is_row,
    "a window of one column, with a stride": lambda s: s.options == {"stride"} and s.is_column,
    "one row with channels": lambda s: s.sizes[0] == 1 < s.sizes[1] and s.is_plain and s.channels_in > 1,
    "one column with channels": lambda s: s.sizes[1] == 1 < s.sizes[0] and s.is_plain and s.channels_in > 1,
    "one row with a stride": lambda s: s.sizes[0] == 1 < s.sizes[1] and s.options == {"stride"},
    "one column with a stride": lambda s: s.sizes[1] == 1 < s.sizes[0] and s.options == {"stride"},
    "one pixel with channels and examples": lambda s: s.sizes == (1, 1) and s.channels_in > 1 and s.batch > 1,
    "a stride beyond the window": lambda s: s.options == {"stride"} and min(s.stride) > max(s.window),
    "a stride beyond the image": lambda s: s.options == {"stride"} and min(s.stride) > max(s.sizes),
    "stride 4": lambda s: s.options == {"stride"} and s.stride == (4, 4),
    "stride 5": lambda s: s.options == {"stride"} and s.stride == (5, 5),
    "one example": lambda s: s.is_plain and s.batch == 1 and s.channels_in > 1,
    "three examples": lambda s: s.is_plain and s.batch >= 3,
    "five examples": lambda s: s.is_plain and s.batch >= 5,
    "many examples": lambda s: s.is_plain and s.batch > 16,
    "many channels": lambda s: s.is_plain and s.channels_in > 8,
    "many filters": lambda s: s.is_plain and s.channels_out > 8,
    "an image taller than 16": lambda s: s.is_plain and s.sizes[0] > 16,
    "an image wider than 16": lambda s: s.is_plain and s.sizes[1] > 16,
    "more than 1500 numbers go in": lambda s: s.is_plain and s.batch * prod(s.sizes) * s.channels_in > 1500,
    "a map of many pixels": lambda s: s.is_plain and s.positions > 150,
}
PADDED: dict[str, Callable[[Sort], bool]] = {
    "padding with one row": lambda s: s.sizes[0] == 1 < s.sizes[1] and s.padding[0] > 0,
    "padding with one column": lambda s: s.sizes[1] == 1 < s.sizes[0] and s.padding[0] > 0,
    "padding and stride with one pixel": lambda s: s.sizes == (1, 1) and s.padding[0] > 0 and s.stride[0] > 1,
    "padding and stride 3": lambda s: s.padding[0] > 0 and s.stride[0] == 3,
    "padding and many channels": lambda s: s.padding[0] > 0 and s.channels_in > 7 and s.channels_out > 7,
    "padding and many pixels": lambda s: s.padding[0] > 0 and s.positions > 500,
    "padding 3": lambda s: s.padding[0] >= 3,
}
BEYOND: dict[str, Callable[[Sort], bool]] = {
    "a window of one row, with padding": lambda s: s.options == {"padding"} and s.is_row,
    "a window of one column, with padding": lambda s: s.options == {"padding"} and s.is_column,
    "a window of one row, with both": lambda s: s.options == {"stride", "padding"} and s.is_row and s.stride[0] > 1,
    "a window of one column, with both": lambda s: s.options == {"stride", "padding"} and s.is_column and s.stride[0] > 1,
    "padding as large as the window": lambda s: s.options == {"padding"} and s.padding[0] >= min(s.window),
    "padding beyond the image": lambda s: s.options == {"padding"} and s.padding[0] > max(s.sizes),
}
"""Of poolings no window lies beside the image."""

CONVOLUTIONS = tuple(name + suffix for name in ("conv", "conv_transpose", "locally_connected") for suffix in ("", "_backward"))
POOLINGS = tuple(name + suffix for name in ("max_pool", "avg_pool") for suffix in ("", "_backward"))


@pytest.mark.parametrize("kind", CONVOLUTIONS + POOLINGS)
def test_every_sort_of_image_and_window_is_in_a_case_for_everybody(kind: str) -> None:
    known = kind_of(kind)
    asked = [sort_of(case, kind) for case in known.cases if must_take(known, of_square_windows(case)) and not case.twin]
    sorts = {**ALL, **PADDED, **(BEYOND if kind in CONVOLUTIONS else {})}
    if kind == "conv_transpose":
        # Its result would have to be given a size, which is an option.
        del sorts["a stride beyond the image"]
    missing = [name for name, holds in sorts.items() if not any(map(holds, asked))]
    assert not missing


@pytest.mark.parametrize("kind", POOLINGS)
def test_poolings_of_rows_and_columns_are_padded_along_them(kind: str) -> None:
    found = {case.args["window"] for case in kind_of(kind).cases if case.options.get("padding") in ((0, 1), (1, 0))}
    assert {(1, 3), (3, 1)} <= found


@pytest.mark.parametrize("kind", ["conv", "conv_backward", "conv_transpose", "conv_transpose_backward"])
def test_groups_of_many_channels_are_asked(kind: str) -> None:
    found = [
        case for case in kind_of(kind).cases if set(case.options) <= {"groups", "output_size"} and "groups" in case.options
    ]
    channels = [(case.options["groups"], case.args["w"].shape[-2:]) for case in found]
    assert any(1 < groups < per_group * groups >= 7 and c_out >= 7 for groups, (per_group, c_out) in channels)
    assert any(groups >= 7 for groups, _ in channels)


@pytest.mark.parametrize("kind", CONVOLUTIONS + POOLINGS)
def test_numbers_of_those_cases_are_no_whole_ones(kind: str) -> None:
    for case in kind_of(kind).cases:
        if case.name.startswith("any numbers"):
            arrays = [value for value in case.args.values() if isinstance(value, np.ndarray) and value.dtype.kind == "f"]
            assert not any(np.array_equal(array, np.round(array)) for array in arrays) or case.features & {"large numbers"}
