"""Backpropagation through a convolution: the filter turned around.

Claim: where a filter a…i slides over the input, the gradient by the input, dx, is the output gradient dy with F − 1 zeros
around it, under the same filter turned around, i…a. A stride S puts S − 1 zeros between the entries of dy; a padding crops
dx. The gradient by the filter, dw, slides dy over the input. Term by term that is what `conv_backward` computes, and it is
the same as autodiff computes and central differences measure.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, NamedTuple

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

GEOMETRIES = ((4, 3, 1, 0), (5, 3, 2, 0), (8, 3, 2, 1), (8, 5, 1, 2), (7, 4, 3, 2))
WAYS, SEEDS = ("written out", "turned filter", "autodiff", "differences"), 3
ENTRIES, OUTPUTS = (np.reshape([*letters], (size, size)).astype(object) for letters, size in (("abcdefghi", 3), ("αβγδ", 2)))
PIXELS = np.reshape([f"x{k}".translate({48 + d: 0x2080 + d for d in range(10)}) for k in range(1, 17)], (4, 4)).astype(object)


@dataclass(frozen=True)
class Experiment:
    """How much is compared."""

    geometries: int = len(GEOMETRIES)
    """How many of `GEOMETRIES`: pixels N, filter F, stride S, padding P along either axis; three samples each."""


class Result(NamedTuple):
    """All that was found.

    Attributes:
        sums: what was read off `conv_backward`, at all pixels for the first two geometries, at all entries of the first filter.
        terms: how many terms the chain rule has, and at how many places something else was read.
        errors: the largest difference from `conv_backward`, as a part of the gradient's largest entry.
    """

    sums: list[np.ndarray]
    terms: tuple[int, int]
    errors: Float[np.ndarray, "geometries seeds ways"]


def run(config: Experiment) -> Result:
    """Reads every term off `conv_backward`, then compares its gradients with those of the other ways."""
    found, errors, terms, wrong = [], [], 0, 0
    ways = jax.jit(partial(_gradients), static_argnums=(0, 1))
    for (n, f, s, p), seed in product(GEOMETRIES[: config.geometries], range(SEEDS)):
        m = jcnn.output_size(n, f, stride=s, padding=p)
        o, i, k = np.ogrid[:m, :n, :f]
        line = (s * o + k - p == i).astype(int)
        # 1 where entry k of the filter multiplies pixel i in output o: then dx[i] gets w[k] dy[o], and dw[k] gets x[i] dy[o].
        meets = np.einsum("oik,OIK->oOiIkK", line, line).reshape(m * m, n * n, f * f)
        x = as_input(digits().images[seed : seed + 1, :n, :n], "float64")
        w, dy = (np.random.default_rng(seed).normal(size=shape) for shape in ((f, f, 1, 1), (1, m, m, 1)))
        with jax.enable_x64(True):
            alone, ours, *theirs = jax.device_get(ways(s, p, x, w, dy))
        sums = [np.einsum(how, meets, dy.ravel(), z.ravel()) for how, z in (("oik,o,k->i", w), ("oik,o,i->k", x))]
        manual, *others = (np.concatenate([part.ravel() for part in way]) for way in (ours, sums, *theirs))
        errors.append([np.abs(other - manual).max() / np.abs(manual).max() for other in others])
        truth = meets @ np.arange(1, f * f + 1), np.einsum("oik,i->ok", meets, np.arange(1, n * n + 1))
        wrong += sum(int((read.ravel() != true.ravel()).sum()) for read, true in zip(alone, truth, strict=True))
        terms, found = terms + 2 * int(meets.sum()), [*found, [np.squeeze(read) for read in alone]]
    words = [_in_words(found[0][0], ENTRIES), _in_words(found[SEEDS][0], ENTRIES), _in_words(found[0][1], PIXELS)]
    return Result(words, (terms, wrong), np.reshape(errors, (-1, SEEDS, len(WAYS))))


def _gradients(s: int, p: int, x: Array, w: Array, dy: Array) -> list[Any]:
    """What every output alone sends back; then dx and dw by `conv_backward`, by convolutions, by autodiff, by differences."""
    n, f, m, h = x.shape[1], w.shape[0], dy.shape[1], 2.0**-7
    conv, backward = partial(jcnn.conv, stride=s, padding=p), partial(jcnn.conv_backward, stride=s, padding=p)
    # Where pixels and entries are 1, 2, 3, …, what arrives tells by which of them an output was multiplied.
    pixels, entries = (jnp.arange(1.0, z.size + 1).reshape(z.shape) for z in (x, w))
    alone = jax.vmap(lambda one: backward(one, pixels, entries)[:2])(jnp.eye(m * m).reshape(-1, *dy.shape))
    along = (f - 1, f - 1 + (n + 2 * p - f) % s, s - 1)  # zeros before, behind (also for pixels that no window saw), between
    spread = jax.lax.pad(dy, 0.0, ((0, 0, 0), along, along, (0, 0, 0)))
    dx = jcnn.conv(spread, w[::-1, ::-1])[:, p : p + n, p : p + n]
    dw = jcnn.conv(x, dy.reshape(m, m, 1, 1), padding=p, dilation=s)[:, :f, :f]
    z = jnp.concatenate([x.ravel(), w.ravel()])
    loss = lambda z: (conv(z[: x.size].reshape(x.shape), z[x.size :].reshape(w.shape)) * dy).sum()  # noqa: E731
    measured = jax.vmap(lambda step: (loss(z + step) - loss(z - step)) / (2 * h))(h * jnp.eye(z.size))
    return [alone, backward(dy, x, w)[:2], (dx, dw), jax.vjp(conv, x, w)[1](dy), (measured,)]


def _in_words(read: Float[np.ndarray, "outputs h w"], factors: np.ndarray) -> np.ndarray:
    """Every sum, two terms a line."""
    sums = np.empty(read.shape[1:], object)
    for place in np.ndindex(sums.shape):
        terms = [factors.flat[round(k) - 1] + OUTPUTS.flat[o] for o, k in enumerate(read[:, *place]) if k]
        sums[place] = "\n+".join("+".join(terms[k : k + 2]) for k in range(0, len(terms), 2))
    return sums


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    expected, (terms, wrong) = "aα, bα+aβ, eα+dβ+bγ+aδ, iδ, x₁α+x₂β+x₅γ+x₆δ", result.terms
    read = *(result.sums[0][place] for place in ((0, 0), (0, 1), (1, 1), (3, 3))), result.sums[2][0, 0]
    said = ", ".join(read).replace("\n", "")
    return [
        Check(f"F = 3, N = 4: dx₁₁, dx₁₂, dx₂₂, dx₄₄, dw₁₁ = {expected}", said, said == expected),
        Check("conv_backward has every term of the chain rule and no other", f"{wrong} differ of {terms}", wrong == 0),
        *(Check(f"{way}: the same gradients, to 1e−11", f"{error:.0e} apart", bool(error < 1e-11))
          for way, error in zip(WAYS, result.errors.max((0, 1)), strict=True)),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """The filter both ways, dx at strides 1 and 2, dw, and how far the ways lie apart."""
    drawn = new_figure(10.0, theme)
    parts = [part for (part,) in drawn.subfigures(5, 1, height_ratios=[1.4, 2.2, 2.2, 2.1, 1.7], squeeze=False)]
    shown = (ENTRIES, -1, "filter, forward"), (ENTRIES[::-1, ::-1], -1, "turned around"), (OUTPUTS, 1, "output gradient dy")
    for axes, what in zip(parts[0].subplots(1, 3), shown, strict=True):
        _write(axes, *what, theme)
    for part, number, place in ((parts[1], 0, (1, 1)), (parts[2], 1, (2, 2))):
        _draw_dx(part, result.sums[number], GEOMETRIES[number][2], place, theme)
    slid, by_filter = parts[3].subplots(1, 2, width_ratios=[1, 1.6])
    met = PIXELS + np.pad(OUTPUTS, ((1, 1), (0, 2)), constant_values="")
    _write(slid, met, 0, "dy slides over the input", theme, (1, 0, 2, 2))
    _write(by_filter, result.sums[2], 0, "dw", theme, (1, 0, 1, 1))
    table, errors = parts[4].subplots(), result.errors.max(1)
    numbers = np.vectorize(lambda error: f"{error:.0e}".replace("-", "−").replace("0e+00", "0"), [object])(errors)
    _write(table, numbers, 0, "largest difference from conv_backward", theme)
    table.set_xticks(range(len(WAYS)), WAYS)
    table.set_yticks(range(len(errors)), [f"N {n}, F {f}, S {s}, P {p}" for n, f, s, p in GEOMETRIES[: len(errors)]])
    table.tick_params(length=0, labelcolor=theme.ink, labelsize=9)
    return drawn


def _draw_dx(part: Any, dx: np.ndarray, s: int, place: tuple[int, int], theme: Theme, filled: int = 99) -> Any:
    (left, right), (i, j), spread = part.subplots(1, 2, width_ratios=[1, 1.6]), place, np.zeros((len(dx) + 2, len(dx) + 2), int)
    spread[2:-2:s, 2:-2:s] = [[1, 2], [3, 4]]
    texts = np.array(["0", *OUTPUTS.flat], object)[spread]
    texts[i : i + 3, j : j + 3] = ENTRIES[::-1, ::-1] + texts[i : i + 3, j : j + 3]
    _write(left, texts, np.sign(spread), f"dy, stride {s}", theme, (i, j, 3, 3))
    _write(right, np.where(np.arange(dx.size).reshape(dx.shape) < filled, dx, ""), 0, "dx", theme, (i, j, 1, 1))
    return part


def _write(axes: Axes, texts: np.ndarray, values: Any, title: str, theme: Theme, window: Any = None) -> None:
    draw_cells(axes, np.broadcast_to(values, texts.shape), theme, scale=5, numbers=None)
    axes.set_title(title, color=theme.ink, fontsize=SMALL)
    axes.set_aspect("auto")
    for (row, column), text in np.ndenumerate(texts):
        colour = theme.muted if text == "0" else theme.ink
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9, linespacing=1.3)
    if window:
        draw_window(axes, *window, colour=theme.blue)


def movie(result: Result, theme: Theme) -> bytes:
    """The turned filter walks over dy, and dx fills in."""
    return to_gif(_draw_dx(new_figure(2.2, theme), result.sums[0], 1, divmod(k, 4), theme, k + 1) for k in range(16))


def about(result: Result) -> str:
    """The figure in words."""
    return (
        "A filter a to i, the same turned around, an output gradient α to δ. With zeros around, under the turned one, it gives "
        f"dx, in row 2, column 2 {result.sums[0][1, 1]}; at stride 2, zeros between, amid it {result.sums[1][2, 2]}. Slid "
        f"over the input x₁ to x₁₆ it gives dw, first {result.sums[2][0, 0]}. A table: in {len(result.errors)} geometries no "
        f"other way to the gradients lies further away than {result.errors.max():.0e}."
    ).replace("\n", "")


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(geometries=3), movie=movie)

if __name__ == "__main__":
    TOPIC.main()
