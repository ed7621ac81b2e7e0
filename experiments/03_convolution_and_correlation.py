"""Convolution and cross-correlation: the flip, and why networks leave it out.

Claim: convolution f[x, y] * g[x, y] = Σ Σ f[n₁, n₂] · g[x − n₁, y − n₂] turns its filter by 180° and slides it; what networks
call convolution slides it as it is: cross-correlation, here ★. Only * is commutative and associative. To learning it is all
the same: by either, gradient descent has the same losses and ends at the same filter, turned or not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from jcnn.figures.cells import draw_cells
from jcnn.figures.style import SMALL, TEXT, Theme, new_figure, plain

Matrix = Float[np.ndarray, "h w"]
Products = dict[str, Any]  # by `multiply`
IMPULSE, H = np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]), np.array([[0.0, 1, 0], [0, 0, 2], [-1, 0, 0]])
G = np.array([[1.0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]])
"""A filter that looks different when turned."""


@dataclass(frozen=True)
class Experiment:
    """How much is tried and how long is learned."""

    images: int = 32
    """Digits that the filter is learned from; the first three of them are f of the products."""
    steps: int = 1000
    """Of gradient descent, at a learning rate of 0.2."""
    seeds: int = 5
    """First filters that learning starts from."""


class Result(NamedTuple):
    """All that was found, by * (`jcnn.convolve`) and by ★ (`jcnn.conv`).

    Attributes:
        digits: every f.
        products: by * and by ★.
        losses: before every step of learning g, by * and by ★.
        filters: learned by * and by ★.
    """

    digits: Float[np.ndarray, "n 8 8"]
    products: tuple[Products, Products]
    losses: tuple[Float[np.ndarray, "steps seeds"], Float[np.ndarray, "steps seeds"]]
    filters: tuple[Float[np.ndarray, "5 3 seeds"], Float[np.ndarray, "5 3 seeds"]]


def run(config: Experiment) -> Result:
    """Multiplies by both in every order, and learns a filter by both."""
    images = digits().images[: config.images]
    some = images[:3, ..., 0].astype(np.float64)
    starts = np.stack([np.random.default_rng(seed).normal(size=G.shape) for seed in range(config.seeds)], axis=-1)
    with jax.enable_x64(True):
        products = multiply(jcnn.convolve, some), multiply(jcnn.conv, some)
        x = jnp.asarray(as_input(images, "float64"))
        target = jcnn.conv(x, G[..., None, None])
        star = learn(jcnn.convolve, x, target, np.rot90(starts, 2), config.steps)
        correlation = learn(jcnn.conv, x, target, starts, config.steps)
    return Result(some, products, (star[0], correlation[0]), (star[1], correlation[1]))


def multiply(operation: Callable[..., Array], digits: Float[np.ndarray, "n 8 8"]) -> Products:
    """By one operation, over all places where two matrices overlap at all; of integers, so that nothing is rounded."""

    def full(f: Matrix, g: Matrix) -> Matrix:
        padding = [size - 1 for size in g.shape]
        return np.asarray(operation(f[None, ..., None], g[..., None, None], padding=padding))[0, ..., 0]

    found = [(full(f, G), full(G, f), full(full(f, G), H), full(f, full(G, H))) for f in digits]
    names, products = ("fg", "gf", "(fg)h", "f(gh)"), map(np.stack, zip(*found, strict=True))
    return {"impulse": full(IMPULSE, G)} | dict(zip(names, products, strict=True))


def learn(operation: Callable[..., Array], x: Array, target: Array, starts: np.ndarray, steps: int) -> Any:
    """Gradient descent on the mean squared error of guessed filters, one a seed; returns all losses and the last filters."""

    def losses(w: Array) -> Array:
        return jnp.mean((operation(x, w[:, :, None]) - target) ** 2, axis=(0, 1, 2))

    def step(w: Array, _: None) -> tuple[Array, Array]:
        found, pull = jax.vjp(losses, w)
        return w - 0.2 * pull(jnp.ones_like(found))[0], found

    filters, found = jax.jit(lambda w: jax.lax.scan(step, w, None, length=steps))(jnp.asarray(starts))
    return np.asarray(found), np.asarray(filters)


def written_out(f: Matrix, g: Matrix) -> Matrix:
    """(f * g)[x, y] = Σ Σ f[n₁, n₂] · g[x − n₁, y − n₂], term by term."""
    total = np.zeros(np.add(f.shape, g.shape) - 1)
    for x, y, n1, n2 in np.ndindex(*total.shape, *f.shape):
        if 0 <= x - n1 < g.shape[0] and 0 <= y - n2 < g.shape[1]:
            total[x, y] += f[n1, n2] * g[x - n1, y - n2]
    return total


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    star, corr = result.products
    exact = all(np.array_equal(found, written_out(f, G)) for f, found in zip(result.digits, star["fg"], strict=True))
    impulses = np.array_equal(star["impulse"], np.pad(G, 1)), np.array_equal(corr["impulse"], np.rot90(np.pad(G, 1), 2))
    order = [100 * np.mean(found["fg"] != found["gf"]) for found in result.products]
    group = [100 * np.mean(found["(fg)h"] != found["f(gh)"]) for found in result.products]
    turned = np.array_equal(corr["fg"], np.rot90(corr["gf"], 2, axes=(1, 2)))
    curves = np.abs(result.losses[0] / result.losses[1] - 1).max()
    off = [np.abs(w - g[..., None]).max() for w, g in zip(result.filters, (np.rot90(G, 2), G), strict=True)]
    return [
        Check("`convolve` is the sum written out, exactly", "yes" if exact else "no", exact),
        Check("impulse * g is g, impulse ★ g is g turned by 180°", f"{impulses[0]}, {impulses[1]}".lower(), all(impulses)),
        Check("f * g = g * f, not so with ★", f"{order[0]:.0f} % and {order[1]:.0f} % of the pixels differ",
              bool(order[0] == 0 and order[1] > 25)),
        Check("f ★ g is g ★ f turned by 180°", "yes" if turned else "no", turned),
        Check("(f * g) * h = f * (g * h), not so with ★", f"{group[0]:.0f} % and {group[1]:.0f} % of the pixels differ",
              bool(group[0] == 0 and group[1] > 25)),
        Check("learning by * and by ★ has the same losses", f"relative difference {curves:.0e}", bool(curves < 1e-6)),
        Check("both find g: by * turned, by ★ as it is", f"weights off by {off[0]:.3f}, {off[1]:.3f}", bool(max(off) < 0.05)),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """What an impulse shows of the flip, what the order of a product changes, and learning by both."""
    drawn = new_figure(6.6, theme)
    first, second, third = np.asarray(drawn.subfigures(3, 1, height_ratios=[2.2, 1.6, 2.8])).flat
    star, corr = result.products
    pictures = {"filter g": G, "impulse": IMPULSE, "impulse * g": star["impulse"], "impulse ★ g": corr["impulse"]}
    _draw_row(first.subplots(1, 4), pictures, theme, numbers=True)
    pictures = {"f": result.digits[0], "f * g": star["fg"][0], "g * f": star["gf"][0],
                "f ★ g": corr["fg"][0], "g ★ f": corr["gf"][0]}  # fmt: skip
    _draw_row(second.subplots(1, 5), pictures, theme, numbers=False)
    left, *right = third.subplots(1, 3, width_ratios=[3.2, 1, 1])
    _draw_row(right, {"by *": result.filters[0][..., 0], "by ★": result.filters[1][..., 0]}, theme, numbers=True)
    right[0].set_xlabel("filters learned", color=theme.muted, fontsize=SMALL, loc="left")
    plain(left, theme)
    left.semilogy(result.losses[1], color=theme.blue, linewidth=3)
    left.semilogy(result.losses[0], color=theme.orange, linewidth=1.2, linestyle="--")
    left.set(xlabel="step", ylabel="mean squared error")
    left.text(0.98, 0.98, "learned by ★", transform=left.transAxes, ha="right", va="top", color=theme.blue, fontsize=SMALL)
    left.text(0.98, 0.87, "by * (dashed)", transform=left.transAxes, ha="right", va="top", color=theme.orange, fontsize=SMALL)
    return drawn


def _draw_row(panels: Sequence[Axes], pictures: dict[str, Matrix], theme: Theme, *, numbers: bool) -> None:
    """Matrices side by side, their cells all of one size."""
    height, width = np.max([matrix.shape for matrix in pictures.values()], axis=0)
    for axes, (title, matrix) in zip(panels, pictures.items(), strict=True):
        write = (lambda value: f"{value:.0f}".replace("-0", "0")) if numbers else None
        draw_cells(axes, matrix, theme, scale=2.0 if numbers else None, numbers=write)
        y, x = (np.array(matrix.shape) - 1) / 2
        axes.set(xlim=(x - width / 2, x + width / 2), ylim=(y + height / 2, y - height / 2))
        axes.set_title(title, color=theme.ink, fontsize=TEXT)


def about(result: Result) -> str:
    """The figure in words."""
    steps, seeds = result.losses[0].shape
    return (
        "A filter of 5×3 in the shape of the letter F. An impulse convolved with it gives the F, correlated with it the F "
        "turned by 180°. Below, a digit f and the filter g in both orders: f * g and g * f are one picture, g ★ f is f ★ g "
        f"turned by 180°. At the bottom the losses of {seeds} runs of gradient descent over {steps} steps, by convolution and "
        "by correlation: each pair of curves is one. Found are the F by correlation, the turned F by convolution."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(seeds=3))

if __name__ == "__main__":
    TOPIC.main()
