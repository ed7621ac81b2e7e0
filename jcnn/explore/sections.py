"""What each section of the page shows, from numbers to HTML."""

import numpy as np
from jaxtyping import Float, Num, UInt8

from jcnn.explore import fields, filters, gradients, pictures, trained, words
from jcnn.explore.arithmetic import Layer, Setting, forward
from jcnn.figures import Theme, feature_maps
from jcnn.geometry import GeometryError


def convolved(x: Num[np.ndarray, "h w"], rows: filters.Rows, setting: Setting) -> tuple[Layer | None, str]:
    """The convolution, or None and why the sizes do not fit."""
    try:
        return forward(x, np.asarray(rows, np.float64), setting), ""
    except GeometryError as error:
        return None, words.misfit(error)


def position(layer: Layer, row: int, column: int, theme: Theme) -> str:
    """One position of the window: the sum, and where it stands in the picture and in the output."""
    padded = max(max(layer.window.padding)) > 0 and not pictures.is_image(layer.x)
    return words.size_and_sum(layer, row, column) + words.side_by_side(
        words.picture(
            pictures.input_picture(layer, row, column, theme),
            "The picture, and the window where it stands." + (" Empty squares are padding: zeros." if padded else ""),
        ),
        words.picture(
            pictures.output_picture(layer, layer.y, theme, (row, column)),
            "The output: orange above zero, blue below. The frame is around the number of this position.",
        ),
    )


def sight(layer: Layer, depth: int, theme: Theme) -> str:
    """How far `depth` such layers see; where the maps become too small, that."""
    try:
        found = fields.fields(layer, depth)
    except GeometryError as error:
        return words.misfit(error)
    picture = words.picture(
        pictures.fields_picture(layer, found, theme),
        "What the middle number of each layer's map sees. The step is how much further the next number looks.",
    )
    return words.side_by_side(picture, words.fields_table(found))


def way_back(layer: Layer, dy: Float[np.ndarray, "oh ow"], theme: Theme) -> str:
    """The gradients by the picture and by the filter."""
    found = gradients.backward(layer, dy)
    dx = words.picture(
        pictures.output_picture(layer, found.dx, theme),
        "dx, the gradient by the picture: the filter times dy, laid where each window stood, and added up.",
    )
    dw = words.picture(
        pictures.output_picture(layer, found.dw, theme),
        "dw, the gradient by the filter: the pixels that each tap saw, times dy, added up.",
        "dw",
    )
    return words.side_by_side(dx, dw) + words.agreement(found.off)


def reading(reader: trained.Trained, image: UInt8[np.ndarray, "8 8 1"], theme: Theme) -> str:
    """What the network reads, and its way there."""
    ranks = trained.ranked(reader.class_names, trained.probabilities(reader, image))
    maps = words.picture(
        feature_maps(reader.network, reader.params, image, reader.class_names, theme=theme),
        "What every layer makes of it: a square is what one filter answers, a bar is a single number.",
        "tall",
    )
    return words.reading(ranks) + maps + words.said(f"The network is jcnn's. {reader.origin}", "hint")
