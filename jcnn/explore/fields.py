"""What one number of a deep layer sees of the picture, if the same convolution is repeated."""

from typing import NamedTuple

from jcnn.explore.arithmetic import Layer
from jcnn.geometry import Walk, output_size, receptive_field

DEEPEST = 4


class Field(NamedTuple):
    """The receptive field of the number in the middle of one layer's map.

    Attributes:
        depth: how many convolutions lie before it.
        map_size: rows and columns of the layer's map.
        size: pixels it sees, along either axis.
        jump: pixels from what one number sees to what the next one sees.
        first: the first pixel it sees, which may lie in the padding.
    """

    depth: int
    map_size: tuple[int, ...]
    size: tuple[int, ...]
    jump: tuple[int, ...]
    first: tuple[int, ...]


def fields(layer: Layer, depth: int) -> list[Field]:
    """The receptive fields after 1, 2, … `depth` such convolutions, by `jcnn.receptive_field`.

    Raises:
        GeometryError: the maps become too small for the filter.
    """
    setting = layer.setting
    walk = Walk("conv", layer.w.shape, setting.stride, setting.padding, setting.dilation, setting.rounding)
    seen = receptive_field([walk] * depth, layer.x.shape)
    sizes, found = layer.x.shape, []
    for number, field in enumerate(seen, 1):
        sizes = tuple(output_size(n, f, **setting._asdict()) for n, f in zip(sizes, layer.w.shape, strict=True))
        first = tuple(start + jump * (n // 2) for start, jump, n in zip(field.start, field.jump, sizes, strict=True))
        found.append(Field(number, sizes, field.size, field.jump, first))
    return found
