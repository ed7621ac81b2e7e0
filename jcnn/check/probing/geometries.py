"""The handful of small calls by which a candidate is probed: wide and tall, strides 1 to 3, padding beyond the filter."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Geometry(NamedTuple):
    """The sizes of a call.

    Attributes:
        height, width: of the images.
        window: height and width of the filter.
        stride, padding: the same along both axes, as homework has them; or of each axis.
        examples: how many.
        inputs, outputs: channels.
    """

    height: int
    width: int
    window: tuple[int, int]
    stride: int | tuple[int, int] = 1
    padding: int | tuple[int, int] = 0
    examples: int = 1
    inputs: int = 1
    outputs: int = 1

    @property
    def strides(self) -> tuple[int, int]:
        """Down and along."""
        return (self.stride, self.stride) if isinstance(self.stride, int) else self.stride

    @property
    def paddings(self) -> tuple[int, int]:
        """Above and below, left and right."""
        return (self.padding, self.padding) if isinstance(self.padding, int) else self.padding

    @property
    def rows(self) -> int:
        """Output rows."""
        return (self.height + 2 * self.paddings[0] - self.window[0]) // self.strides[0] + 1

    @property
    def columns(self) -> int:
        """Output columns."""
        return (self.width + 2 * self.paddings[1] - self.window[1]) // self.strides[1] + 1

    @property
    def fills(self) -> bool:
        """Whether the windows end with the padded image, along both axes."""
        along = zip((self.height, self.width), self.window, self.strides, self.paddings, strict=True)
        return all((n + 2 * p - f) % s == 0 for n, f, s, p in along)

    @property
    def options(self) -> Mapping[str, Any]:
        """What is given by name: only what differs from the defaults of a convolution."""
        stride = {"stride": self.stride} if self.stride != 1 else {}
        padding = {"padding": self.padding} if self.padding else {}
        return {**stride, **padding}

    def __str__(self) -> str:
        """The sizes as a report shows them."""
        if self in WITHOUT_AXES:
            return f"{self.examples} examples, {self.inputs} → {self.outputs} numbers"
        high, wide = self.window
        shown = f"{self.height}×{self.width} pixels, window {high}×{wide}, S = {self.stride}, P = {self.padding}"
        more = [f"{self.examples} examples"] if self.examples > 1 else []
        more += [f"{self.inputs} → {self.outputs} channels"] if (self.inputs, self.outputs) != (1, 1) else []
        return ", ".join([shown, *more])


GEOMETRIES = (
    Geometry(4, 5, (2, 3)),
    Geometry(5, 7, (3, 3), stride=2),
    Geometry(3, 4, (2, 2), examples=3, inputs=2, outputs=3),
    Geometry(4, 3, (3, 2), padding=1),
    Geometry(6, 5, (3, 2), stride=2, padding=1),
    Geometry(5, 3, (2, 3), stride=2, padding=1, examples=2, inputs=3, outputs=2),
    Geometry(7, 8, (2, 3), stride=3, padding=2),
    Geometry(4, 5, (5, 4), padding=2),
    Geometry(5, 4, (1, 1), stride=2, inputs=2, outputs=2),
)
"""What differs between axes, and between what may be confused, differs in at least one of them."""

WITHOUT_AXES = (
    Geometry(1, 1, (1, 1), examples=3, inputs=2, outputs=4),
    Geometry(1, 1, (1, 1), examples=2, inputs=3, outputs=3),
    Geometry(1, 1, (1, 1), examples=4, inputs=4, outputs=2),
    Geometry(1, 1, (1, 1), examples=1, inputs=3, outputs=2),
)
"""Of a dense layer: examples, inputs, outputs."""

OF_EACH_AXIS = (
    Geometry(5, 4, (2, 3), stride=(2, 1)),
    Geometry(4, 6, (3, 2), padding=(1, 2)),
    Geometry(5, 7, (3, 2), stride=(1, 3), padding=(2, 1)),
)
"""For a candidate that takes a stride and a padding of each axis."""

SQUARE = (
    Geometry(4, 4, (2, 2)),
    Geometry(5, 5, (3, 3), stride=2),
    Geometry(3, 3, (2, 2), examples=2, inputs=2, outputs=3),
    Geometry(4, 4, (3, 3), padding=1),
    Geometry(5, 5, (2, 2), stride=3, padding=2, examples=2),
)
"""In place of the others for a candidate that takes nothing but squares."""

UNPADDED = (
    Geometry(5, 5, (2, 3), stride=2),
    Geometry(6, 6, (3, 2), stride=3, examples=2, inputs=2),
    Geometry(7, 5, (2, 2), stride=3, inputs=3),
    Geometry(4, 5, (3, 3), inputs=2),
    Geometry(7, 6, (4, 4), stride=2),
)
"""More windows, for a pooling that takes none of a padding, or of squares alone; some leave a rest of the image."""
