"""Every product that a candidate might add, one row each, with the places of its three numbers.

A convolution and its gradients are sums of products of an output's number, a pixel and a weight:

    y[n, i, j, o]   the output, or its gradient dy         coordinates n, i, j, o
    x[n, r, c, m]   the image, or its gradient dx                      n2, r, c, m
    w[a, b, m, o]   the filter, or its gradient dw                     a, b, m2, o2

and the right ones are those with n2 = n, r = S·i + a − P, c = S·j + b − P, m2 = m, o2 = o. What a candidate adds is a
coefficient for every row of the space of all of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jcnn.check.probing.geometries import Geometry

COORDINATES = {"output": ("n", "i", "j", "o"), "image": ("n2", "r", "c", "m"), "filter": ("a", "b", "m2", "o2"), "bias": ("k",)}
"""Of every array, in the order of its axes."""


class Space(NamedTuple):
    """All rows.

    Attributes:
        arrays: which arrays are multiplied, in the order of the axes of `shape`.
        shape: the sizes of all their axes.
        at: by coordinate's name its value in every row.
        size: by coordinate's name how many values it has.
    """

    arrays: tuple[str, ...]
    shape: tuple[int, ...]
    at: dict[str, Int[np.ndarray, " rows"]]
    size: dict[str, int]

    @classmethod
    def of(cls, arrays: Sequence[str], geometry: Geometry, *, spatial: bool = True) -> "Space":
        """The products of these arrays in a call of that geometry; without spatial axes, as of a dense layer, of one pixel."""
        one = {"i": 1, "j": 1, "r": 1, "c": 1, "a": 1, "b": 1} if not spatial else {}
        size = {
            "n": geometry.examples,
            "i": geometry.rows,
            "j": geometry.columns,
            "o": geometry.outputs,
            "n2": geometry.examples,
            "r": geometry.height,
            "c": geometry.width,
            "m": geometry.inputs,
            "a": geometry.window[0],
            "b": geometry.window[1],
            "m2": geometry.inputs,
            "o2": geometry.outputs,
            "k": geometry.outputs,
            **one,
        }
        names = [name for array in arrays for name in COORDINATES[array]]
        shape = tuple(size[name] for name in names)
        grids = np.indices(shape, np.int32).reshape(len(names), -1)
        return cls(tuple(arrays), shape, dict(zip(names, grids, strict=True)), {name: size[name] for name in names})

    def shape_of(self, array: str) -> tuple[int, ...]:
        """The sizes of one array's axes."""
        return tuple(self.size[name] for name in COORDINATES[array])

    def index_of(self, array: str, row: int) -> tuple[int, ...]:
        """Where in an array the number of a row is."""
        return tuple(int(self.at[name][row]) for name in COORDINATES[array])


class Terms(NamedTuple):
    """What an output of the candidate adds in one geometry, beside what is right.

    Attributes:
        geometry: the sizes.
        space: all products.
        got: the candidate's coefficient of each.
        right: the right one.
        pixels: the image that was given, by which a maximum chooses.
    """

    geometry: Geometry
    space: Space
    got: Float[np.ndarray, " rows"]
    right: Float[np.ndarray, " rows"]
    pixels: np.ndarray | None = None

    @property
    def agree(self) -> bool:
        """Whether it adds what is right."""
        return bool(np.allclose(self.got, self.right, rtol=1e-9, atol=1e-12))
