"""What can be the gradient of a maximum: which pixels tie for it, and whether shares of theirs give what came back.

A window whose maximum stands alone sends all of its dy there. Where several pixels tie, any shares λ ≥ 0 with Σ λ = 1 give a
valid subgradient, the first pixel's alone (the convention), the last one's, or halves; but no more than dy and no less may go
back. So a gradient is valid if it is a feasible flow: dy flows from every window where it is positive to the pixels that tie,
and from these to every window where it is negative; what a pixel is left with is its dx. For windows that share no pixel that
is a matter of signs and sums. For windows that overlap no sum over single ones says it, and the flow is looked for as a linear
program. Exact but for 10⁻⁶ of the largest dy, ten times the tolerance of the solver.

Source: Clarke 1983, "Optimization and Nonsmooth Analysis", proposition 2.3.12 (the subdifferential of a maximum).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from jcnn.check.cases import Case
from jcnn.definition import sums

Array = np.ndarray

Choices = tuple[Array, Array, Callable[[Array, Array], bool] | None]
"""The least and the most that a choice at kinks gives every element, and whether values between them are one valid choice."""

_TOLERANCE = 1e-6


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
        scale = float(np.abs(self.dy).max(initial=0))
        if not scale:
            return True
        pixels, place = np.unique(self.pixel, return_inverse=True)
        wanted = (dx.reshape(-1) - self.certain)[pixels] / scale
        slack = np.broadcast_to(limit, self.shape).reshape(-1)[pixels] / scale
        if not np.isfinite(wanted).all():
            return False
        flow = _Flow(place, self.window, self.dy / scale, wanted, slack)
        overlaps = np.isin(np.arange(len(self.dy)), self.window[np.bincount(place)[place] > 1])
        return flow.possible_alone(~overlaps) and flow.possible_together(overlaps)


class _Flow(NamedTuple):
    """What windows give, between −1 and 1, and what pixels want of it."""

    pixel: Int[Array, " pairs"]
    window: Int[Array, " pairs"]
    dy: Float[Array, " windows"]
    wanted: Float[Array, " pixels"]
    slack: Float[Array, " pixels"]

    def possible_alone(self, chosen: Array) -> bool:
        """For windows that share no pixel: what their pixels want has dy's sign, and dy for its sum."""
        count = len(self.dy)
        total = np.bincount(self.window, self.wanted[self.pixel], count)
        room = np.bincount(self.window, self.slack[self.pixel], count) + _TOLERANCE
        signed = self.wanted[self.pixel] * np.sign(self.dy)[self.window] >= -self.slack[self.pixel] - _TOLERANCE
        return bool((np.abs(total - self.dy) <= room)[chosen].all() and signed[chosen[self.window]].all())

    def possible_together(self, chosen: Array) -> bool:
        """For windows that overlap: the least excess beyond the limits that any shares need, as a linear program.

        A solver finds that more surely than that there are no shares at all.
        """
        from scipy.optimize import linprog

        if not chosen.any():
            return True
        taken = chosen[self.window]
        pixels, row = np.unique(self.pixel[taken], return_inverse=True)
        windows, column = np.unique(self.window[taken], return_inverse=True)
        dy, pairs = self.dy[windows], np.arange(len(row))
        gives = sparse.csr_array((np.sign(dy)[column], (row, pairs)), (len(pixels), len(pairs)))
        leaves = sparse.csr_array((np.ones(len(pairs)), (column, pairs)), (len(dy), len(pairs)))
        wanted, slack, excess = self.wanted[pixels], self.slack[pixels], np.ones((len(pixels), 1))
        found = linprog(
            np.concatenate([np.zeros(len(pairs)), [1.0]]),
            A_ub=sparse.vstack([sparse.hstack([gives, -excess]), sparse.hstack([-gives, -excess])]),
            b_ub=np.concatenate([wanted + slack, slack - wanted]),
            A_eq=sparse.hstack([leaves, np.zeros((len(dy), 1))]),
            b_eq=np.abs(dy),
            method="highs",
        )
        return found.status == 0 and found.fun <= _TOLERANCE


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


def _as_choices(found: Ties) -> list[Choices]:
    return [(*found.span(), found.possible)]


def max_pool_choices(case: Case) -> list[Choices]:
    """Of the gradient of `max_pool`."""
    dy, x, size = case.args.values()
    options = {"stride": None, **case.options}
    seen, _ = sums.taps_of(x, size, sums.RIGHT, options)
    numbers = np.arange(x.size, dtype=np.float64).reshape(x.shape)
    places, _ = sums.taps_of(numbers, size, sums.RIGHT._replace(edge=-1.0), options)
    return _as_choices(ties(dy, seen, places, x.shape))


def global_max_pool_choices(case: Case) -> list[Choices]:
    """Of the gradient of `global_max_pool`."""
    dy, x = case.args.values()

    def pixels(values: Array) -> Array:
        return np.moveaxis(values.reshape(x.shape[0], -1, x.shape[-1]), 1, 0)

    return _as_choices(ties(dy, pixels(x), pixels(np.arange(x.size).reshape(x.shape)), x.shape))


def maxout_choices(case: Case) -> list[Choices]:
    """Of the gradient of `maxout`."""
    dy, x, pieces = case.args.values()

    def parts(values: Array) -> Array:
        return np.moveaxis(values.reshape(*x.shape[:-1], -1, pieces), -1, 0)

    return _as_choices(ties(dy, parts(x), parts(np.arange(x.size).reshape(x.shape)), x.shape))
