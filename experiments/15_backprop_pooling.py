"""Backpropagation through pooling: all to the winner, or shared.

Claim: max pooling sends each output gradient whole to the pixel that won its window, average pooling shares it equally among
the pixels of the window. Where maxima tie, the first in row-major order takes all; a pixel that wins several overlapping
windows collects their sum. Either way nothing is lost: dx adds up to what dy does. Loops written out and autodiff say the same,
and so do central differences where nothing ties; to each of four equal pixels they would give a half, twice what was sent.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jcnn
from experiments.material import as_input, digits
from experiments.topic import Check, Topic
from jcnn.figures.cells import draw_cells, draw_window
from jcnn.figures.style import SMALL, Theme, new_figure, to_gif

LECTURE = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]], np.float32)
TIED = np.array([[0, 0, 3, 1], [0, 0, 3, 2], [2, 5, 4, 4], [5, 1, 0, 4]], np.float32)
SENT = np.array([[1, 2], [3, 4]], np.float32)
EXAMPLES = (
    ("max 2 × 2", LECTURE, 2, "1, 2, 3, 4 to the 6, 8, 3, 4", [[0] * 4, [0, 1, 0, 2], [3, 0, 0, 0], [0, 0, 0, 4]]),
    ("average 2 × 2", LECTURE, 2, "a quarter to each pixel of the window", np.kron(SENT / 4, np.ones((2, 2))).tolist()),
    ("max 3 × 3, stride 1", LECTURE, 1, "1 + 3 to the 7, 2 + 4 to the 8", [[0] * 4, [0, 0, 4, 6], [0] * 4, [0] * 4]),
    ("max 2 × 2, ties", TIED, 2, "all to the first in row-major order", [[1, 0, 2, 0], [0] * 4, [0, 3, 4, 0], [0] * 4]),
)
GEOMETRIES = ((2, 2, 0), (3, 1, 0), (3, 2, 1), (2, 3, 0))
WAYS = ("loops written out agree", "autodiff agrees", "without ties differences agree", "dx adds up to what dy does")


@dataclass(frozen=True)
class Experiment:
    """How much is compared."""

    geometries: int = len(GEOMETRIES)
    """How many of `GEOMETRIES`: window F, stride S, padding P along either axis."""
    samples: int = 3
    """Digits as they are, and as many with a trace of noise that breaks all ties."""


class Result(NamedTuple):
    """All that was found.

    Attributes:
        small: dx of the `EXAMPLES`.
        slopes: central differences of the maximum of four equal pixels.
        errors: the largest difference from jcnn's backward pass, as a part of its largest entry, a column for each of `WAYS`.
        digit: the one shown.
        sent: what its nine windows of 4 × 4 have sent to it, 1 each, window by window, if to winners and if shared.
    """

    small: list[Float[np.ndarray, "4 4"]]
    slopes: Float[np.ndarray, "2 2"]
    errors: Float[np.ndarray, "poolings ways"]
    digit: Float[np.ndarray, "8 8"]
    sent: list[Float[np.ndarray, "9 8 8"]]


def run(config: Experiment) -> Result:
    """Sends gradients back through small matrices and digits, and compares with other ways to the same."""
    errors, rng, tied = [], np.random.default_rng(0), as_input(digits().images[: config.samples], "float64")
    grain = np.stack([rng.permutation(64) for _ in tied]).reshape(tied.shape) / 64
    x = np.concatenate([tied, tied + 0.04 * grain])  # less than from one grey of the digits to the next
    ways = jax.jit(partial(_gradients), static_argnums=(0, 1, 2))
    for f, s, p in GEOMETRIES[: config.geometries]:
        dy = rng.normal(size=(len(x), *(jcnn.output_size(8, f, stride=s, padding=p),) * 2, 1))
        with jax.enable_x64(True):
            answers = jax.device_get(ways(f, s, p, x, dy))
        for (dx, by_autodiff, by_steps), truth in zip(answers, _written_out(f, s, p, x, dy), strict=True):
            apart = (dx - truth), (dx - by_autodiff), (dx - by_steps)[len(tied) :], dx.sum((1, 2)) - dy.sum((1, 2))
            errors.append([np.abs(difference).max() / np.abs(dx).max() for difference in apart])
    small, slopes, sent = jax.device_get(jax.jit(partial(_examples))(digit := as_input(digits().images[3:4])))
    small, sent = ([dx[..., 0].squeeze() for dx in group] for group in (small, sent))
    return Result(small, slopes.reshape(2, 2), np.array(errors), digit[0, ..., 0], sent)


def _gradients(f: int, s: int, p: int, x: Array, dy: Array) -> list[tuple[Array, Array, Array]]:
    """By max and by average pooling: dx by jcnn, by autodiff and by central differences."""
    found, steps = [], 2.0**-12 * jnp.eye(64).reshape(1, 64, 8, 8, 1)
    for forward, backward in ((jcnn.max_pool, jcnn.max_pool_backward), (jcnn.avg_pool, jcnn.avg_pool_backward)):
        pool = partial(lambda pool, x: pool(x, f, stride=s, padding=p), forward)
        up, down = (pool(z.reshape(-1, 8, 8, 1)).reshape(len(x), 64, -1) for z in (x[:, None] + steps, x[:, None] - steps))
        slopes = ((up - down) * dy.reshape(len(x), 1, -1)).sum(-1).reshape(x.shape) / 2.0**-11
        found.append((backward(dy, x, f, stride=s, padding=p), jax.vjp(pool, x)[1](dy)[0], slopes))
    return found


def _written_out(f: int, s: int, p: int, x: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same, window by window: dx by max and by average pooling."""
    to_winner, shared = np.zeros_like(x), np.zeros_like(x)
    for (image, i, j, _), sent in np.ndenumerate(dy):
        top, left = s * i - p, s * j - p
        window = np.s_[image, max(top, 0) : top + f, max(left, 0) : left + f, 0]
        to_winner[window].flat[x[window].argmax()] += sent
        shared[window] += sent / x[window].size
    return to_winner, shared


def _examples(digit: Array) -> tuple[list[Array], Array, list[Array]]:
    backward = {"m": jcnn.max_pool_backward, "a": jcnn.avg_pool_backward}
    small = [backward[name[0]](SENT[None, ..., None], x[None, ..., None], 4 - s, stride=s) for name, x, s, *_ in EXAMPLES]
    step, one_by_one = (jnp.eye(k * k, dtype=jnp.float32).reshape(k * k, k, k, 1) for k in (2, 3))
    sent = [back(one_by_one, jnp.repeat(digit, 9, 0), 4, stride=2).cumsum(0) for back in backward.values()]
    return small, (jcnn.max_pool(step, 2) - jcnn.max_pool(-step, 2)) / 2, sent


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    return [
        *(Check(f"{name}: {claim}", f"{dx.tolist()}", dx.tolist() == expected)
          for (name, _, _, claim, expected), dx in zip(EXAMPLES, result.small, strict=True)),
        Check("of four that tie, differences give each ½, twice what was sent",
              f"{result.slopes.tolist()}, {result.slopes.sum():g} in all",
              bool((result.slopes == 0.5).all() and result.slopes.sum() == 2)),
        *(Check(f"{way}, to 1e−10", f"{error:.0e} apart", bool(error < 1e-10))
          for way, error in zip(WAYS, result.errors.max(0), strict=True)),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """Four small examples, and a digit that windows send gradients to."""
    drawn = new_figure(8.8, theme)
    rows = drawn.subplots(5, 3, height_ratios=[1, 1, 1, 1, 1.1])
    for (left, middle, right), (name, x, stride, *_), dx in zip(rows, EXAMPLES, result.small, strict=False):
        for axes, values, title, scale in ((left, x, name, 1e3), (middle, SENT, "dy", 14), (right, dx, "dx", 14)):
            _draw(axes, values, title, theme, scale)
        for i, j in np.ndindex(2, 2):
            draw_window(left, stride * i, stride * j, 4 - stride, 4 - stride, theme.blue, dashed=stride == 1, thick=1)
        for i, j in np.argwhere((dx > 0) & (name[0] == "m")):
            draw_window(left, i, j, 1, 1, theme.orange)
    _draw_digit(rows[4], result, 8, theme)
    return drawn


def _draw(axes: Axes, values: np.ndarray, title: str, theme: Theme, scale: float, numbers: str | None = "{:.2g}") -> None:
    draw_cells(axes, values, theme, scale=scale, numbers=numbers.format if numbers else None, size=9)
    axes.set_title(title, color=theme.ink, fontsize=SMALL)


def _draw_digit(panels: np.ndarray, result: Result, step: int, theme: Theme) -> None:
    _draw(panels[0], result.digit, "nine windows send 1", theme, 1)
    panels[0].imshow(result.digit, cmap="gray", zorder=4)
    _draw(panels[1], result.sent[0][step], "dx, max 4 × 4", theme, 8)
    _draw(panels[2], result.sent[1][step], "dx, average 4 × 4", theme, 0.4, None)


def movie(result: Result, theme: Theme) -> bytes:
    """The window walks over the digit, and sends its 1 to the winner or shares it."""
    frames = [new_figure(2.0, theme) for _ in range(9)]
    winners = np.diff(result.sent[0], axis=0, prepend=0).reshape(9, 64).argmax(1)
    for step, (frame, winner) in enumerate(zip(frames, winners, strict=True)):
        _draw_digit(panels := frame.subplots(1, 3), result, step, theme)
        for axes in panels:
            draw_window(axes, 2 * (step // 3), 2 * (step % 3), 4, 4, theme.blue)
        draw_window(panels[0], winner // 8, winner % 8, 1, 1, theme.orange)
    return to_gif(frames)


def about(result: Result) -> str:
    """The figure in words."""
    (winners, shared, overlapping, _), (most, some) = result.small, (sent[-1] for sent in result.sent)
    return (
        f"The lecture's matrix, with output gradients 1, 2, 3, 4. By maxima of 2 × 2 the 6 gets {winners[1, 1]:g}, by averages "
        f"{shared[1, 1]:g}; by overlapping maxima of 3 × 3 the 7 gets {overlapping[1, 2]:g}, the 8 {overlapping[1, 3]:g}. A "
        f"matrix with ties. A digit to which nine windows of 4 × 4 send 1 each: {np.sum(most > 0)} pixels win up to "
        f"{most.max():g}, {most.sum():g} in all; shared, {np.sum(some > 0)} pixels get {some.sum():g} in all."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(geometries=3, samples=2), movie=movie)

if __name__ == "__main__":
    TOPIC.main()
