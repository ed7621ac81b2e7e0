"""What can be the gradient of a maximum: which pixels tie for it, and whether shares of theirs give what came back.

A window whose maximum stands alone sends all of its dy there. Where several pixels tie, any shares λ ≥ 0 with Σ λ = 1 give a
valid subgradient, the first pixel's alone (the convention), the last one's, or halves; but no more than dy and no less may go
back. So a gradient is valid if it is a feasible flow: dy flows from every window where it is positive to the pixels that tie,
and from these to every window where it is negative; what a pixel is left with is its dx. For windows that overlap no sum over
single windows says so; the flow is looked for, as a linear program. That is exact but for the tolerance of its solver, 10⁻⁷ of
the largest dy.

Source: Clarke 1983, "Optimization and Nonsmooth Analysis", proposition 2.3.12 (the subdifferential of a maximum).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

Array = np.ndarray

_TOLERANCE = 1e-7


class Ties(NamedTuple):
    """The choices of a maximum's gradient.

    Attributes:
        shape: of the input.
        certain: what the windows without ties send to every pixel, flat.
        pixel: for every pair of a window with ties and a pixel that ties in it, the pixel's flat index.
        window: the number of the pair's window.
        dy: of every window with ties.
    """

    shape: tuple[int, ...]
    certain: Float[Array, " pixels"]
    pixel: Int[Array, " pairs"]
    window: Int[Array, " pairs"]
    dy: Float[Array, " windows"]

    def span(self) -> tuple[Array, Array]:
        """The least and the most that every pixel alone can get."""
        low, high = self.certain.copy(), self.certain.copy()
        np.add.at(low, self.pixel, np.minimum(self.dy, 0)[self.window])
        np.add.at(high, self.pixel, np.maximum(self.dy, 0)[self.window])
        return low.reshape(self.shape), high.reshape(self.shape)

    def possible(self, dx: Float[Array, "..."], limit: Float[Array, "..."]) -> bool:
        """Whether some shares give dx, up to a limit for every pixel, where windows tie; other pixels are not looked at."""
        from scipy.optimize import linprog

        scale = float(np.abs(self.dy).max(initial=0))
        if not scale:
            return True
        pixels, row = np.unique(self.pixel, return_inverse=True)
        wanted = (dx.reshape(-1) - self.certain)[pixels] / scale
        slack = np.maximum(np.broadcast_to(limit, self.shape).reshape(-1)[pixels] / scale, _TOLERANCE)
        if not np.isfinite(wanted).all():
            return False
        pairs = np.arange(len(self.pixel))
        gives = sparse.csr_array((np.sign(self.dy)[self.window], (row, pairs)), (len(pixels), len(pairs)))
        leaves = sparse.csr_array((np.ones(len(pairs)), (self.window, pairs)), (len(self.dy), len(pairs)))
        found = linprog(
            np.zeros(len(pairs)),
            A_ub=sparse.vstack([gives, -gives]),
            b_ub=np.concatenate([wanted + slack, slack - wanted]),
            A_eq=leaves,
            b_eq=np.abs(self.dy) / scale,
            method="highs",
        )
        return found.status == 0


def ties(dy: Float[Array, "*o"], seen: Float[Array, "k *o"], places: Int[Array, "k *o"], shape: Sequence[int]) -> Ties:
    """The choices where every window has one maximum of what it sees.

    Args:
        dy: the output gradient, one number for every window.
        seen: what every window sees, one tap a row.
        places: the flat index of the pixel that is seen; below 0 for padding, which never wins.
        shape: of the input.
    """
    dy = dy.reshape(-1)
    best = ((seen == seen.max(0)) & (places >= 0)).reshape(len(seen), -1)
    count = best.sum(0)
    flat = places.reshape(len(seen), -1).astype(np.int64)
    certain = np.zeros(int(np.prod(shape)))
    _, alone = np.nonzero(best & (count == 1))
    np.add.at(certain, flat[best & (count == 1)], dy[alone])
    tied = best & (count > 1)
    _, window = np.nonzero(tied)
    numbers, renumbered = np.unique(window, return_inverse=True)
    return Ties(tuple(shape), certain, flat[tied], renumbered, dy[numbers])
