"""Filters that everybody should have seen at work, as rows of numbers."""

from collections.abc import Mapping, Sequence

Rows = Sequence[Sequence[float]]

OWN = "numbers of my own"

FILTERS: Mapping[str, Rows] = {
    "edges, left to right": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "edges, top to bottom": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "edges, all round": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "blur": ((1 / 16, 1 / 8, 1 / 16), (1 / 8, 1 / 4, 1 / 8), (1 / 16, 1 / 8, 1 / 16)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "emboss": ((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
}

SAYS: Mapping[str, str] = {
    "edges, left to right": "Sobel's filter: right neighbours minus left ones. It answers where brightness changes sideways.",
    "edges, top to bottom": "Sobel's filter, turned: the pixels below minus those above.",
    "edges, all round": "The discrete Laplacian: the four neighbours minus four times the pixel. Flat areas become 0.",
    "blur": "A weighted mean of the neighbourhood; the weights add up to 1, so the brightness stays.",
    "sharpen": "Five times the pixel minus its neighbours: what differs from its surroundings is exaggerated.",
    "emboss": "Bright below and to the right, dark above and to the left: a lamp from one corner.",
    OWN: "Type any numbers into the table.",
}


def start(name: str, size: int) -> Rows:
    """What the table of numbers begins with: the named filter, or one that only copies the pixel in its middle."""
    if name != OWN:
        return FILTERS[name]
    middle = (size - 1) // 2
    return [[float(row == column == middle) for column in range(size)] for row in range(size)]
