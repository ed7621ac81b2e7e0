"""Convolution as a matrix.

Claim: a convolution is a linear map, and its matrix M is doubly blocked Toeplitz: constant along the diagonals of its blocks,
and along the diagonals of blocks. A 3×3 filter on an 8×8 image with padding 1 has 22² = 484 non-zeros among 64² = 4,096. Mᵀ is
the backward pass, and it is the transposed convolution. With the image wrapped around, the singular values of M are the
magnitudes of the filter's discrete Fourier transform; with zeros around it, the largest one stays below the transform's peak
and approaches it as the image grows.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.linalg import toeplitz
from scipy.signal import correlate2d

import jcnn
from experiments.material import digits
from experiments.topic import Check, Topic
from jcnn.figures.cells import draw_cells, draw_window
from jcnn.figures.style import SMALL, TEXT, Theme, bare, diverging, new_figure, plain

Matrix = Num[np.ndarray, "rows columns"]
Values = Float[np.ndarray, " inputs"]
FILTER = np.array([[-3, -2, -1], [-2, 1, 2], [1, 2, 3]], np.int32)
WRAPPED = 16
ROW, COLUMN = 3, 4  # the output whose window and row of M the figure frames


@dataclass(frozen=True)
class Experiment:
    """How large images grow."""

    sizes: tuple[int, ...] = (4, 8, 16, 32)
    """N of the N×N images, each twice the one before, whose matrices are decomposed."""


class Result(NamedTuple):
    """All that was found; images and M in whole numbers.

    Attributes:
        images: by name: the digit x, y by `conv`, and the gradient by x where that by y is y itself, by `conv_backward`.
        matrix: M.
        blocked: M as SciPy builds it from Toeplitz blocks.
        differences: the largest |difference| to y of M·x and of SciPy's sums; to the gradient of Mᵀ·y and `conv_transpose`.
        singular: for every N, the singular values of M, the largest first.
        circular: those of a 16×16 image that is wrapped around; the magnitudes of the filter's Fourier transform are `fourier`.
        peak: the largest magnitude over all frequencies.
    """

    images: dict[str, Matrix]
    matrix: Matrix
    blocked: Matrix
    differences: tuple[int, ...]
    singular: dict[int, Values]
    circular: Values
    fourier: Values
    peak: float


def run(config: Experiment) -> Result:
    """Convolves a digit forwards and backwards in both ways, then decomposes the matrices of growing images."""
    image = digits().images[3, :, :, 0].astype(np.int32)
    n = len(image)
    x, w = jnp.asarray(image[None, :, :, None]), jnp.asarray(FILTER[:, :, None, None])
    matrix = np.asarray(jcnn.conv_matrix(w, (n, n, 1), padding=1))
    y = jcnn.conv(x, w, padding=1)
    maps = (y, jcnn.conv_backward(y, x, w, padding=1)[0], jcnn.conv_transpose(y, w, padding=1))
    output, back, transposed = (np.asarray(values)[0, :, :, 0] for values in maps)
    sums = correlate2d(image, FILTER, "same")
    pairs = (matrix @ image.ravel(), output), (sums, output), (matrix.T @ output.ravel(), back), (transposed, back)
    differences = tuple(int(np.abs(first.ravel() - second.ravel()).max()) for first, second in pairs)
    # Row r of the filter makes the blocks on one diagonal of blocks: 0 … 0 w₀ [w₁] w₂ 0 … 0, shifted from row to row.
    bands = [toeplitz([row[1], row[0], *[0] * (n - 2)], [row[1], row[2], *[0] * (n - 2)]) for row in FILTER]
    blocked = np.sum([np.kron(np.eye(n, k=shift), band) for shift, band in zip((-1, 0, 1), bands, strict=True)], axis=0)
    singular = {n: np.linalg.svd(_matrix(n, 1), compute_uv=False) for n in config.sizes}
    wrap = np.eye(WRAPPED**2)[np.pad(np.arange(WRAPPED**2).reshape(WRAPPED, WRAPPED), 1, mode="wrap").ravel()]
    circular = np.linalg.svd(_matrix(WRAPPED + 2, 0) @ wrap, compute_uv=False)
    fourier, fine = (-np.sort(-np.abs(np.fft.fft2(FILTER, (n, n))), axis=None) for n in (WRAPPED, 1024))
    images = {"x": image, "y = M·x": output, "Mᵀ·y": back}
    return Result(images, matrix, blocked, differences, singular, circular, fourier, float(fine[0]))


def _matrix(n: int, padding: int) -> Matrix:
    return np.asarray(jcnn.conv_matrix(jnp.asarray(FILTER[:, :, None, None]), (n, n, 1), padding=padding)).astype(float)


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    forward, written_out, backward, transposed = result.differences
    nonzeros, wrong = np.count_nonzero(result.matrix), np.count_nonzero(result.matrix != result.blocked)
    circular = np.abs(result.circular - result.fourier).max()
    gaps = np.array([result.peak - values[0] for values in result.singular.values()])
    shrink = gaps[:-1] / gaps[1:]
    return [
        Check("conv(x) = M·x = SciPy's sums, exactly", f"off by {forward}, {written_out}", forward == written_out == 0),
        Check("Mᵀ·dy = conv_backward = conv_transpose", f"off by {backward}, {transposed}", backward == transposed == 0),
        Check("M is doubly blocked Toeplitz with (3·8 − 2)² = 22² = 484 non-zeros among 64² = 4,096",
              f"{wrong} entries differ, {nonzeros} non-zeros among {result.matrix.size:,}",
              bool(wrong == 0 and nonzeros == 484 and result.matrix.size == 4_096)),
        Check("wrapped around: singular values = |Fourier transform|", f"off by {circular:.0e}", bool(circular < 1e-9)),
        Check("zeros around: the largest below the peak, its gap to a third or a quarter as N doubles",
              f"peak {result.peak:.2f}, gaps " + ", ".join(f"{gap:.2f}" for gap in gaps),
              bool(np.all(gaps > 0) and np.all((shrink > 2.8) & (shrink < 4.2)))),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """Image, filter and outputs; the matrix between its vectors; its singular values."""
    drawn = new_figure(8.4, theme)
    layout = drawn.add_gridspec(3, 1, height_ratios=[1.2, 4.2, 2.1])
    panels = [drawn.add_subplot(part) for row, count in ((0, 4), (1, 1), (2, 2)) for part in layout[row].subgridspec(1, count)]
    for axes, (name, values) in zip(panels, {"filter": FILTER, **result.images}.items(), strict=False):
        draw_cells(axes, values, theme, numbers="{:.0f}".format if name == "filter" else None)
        axes.set_title(name, color=theme.ink, fontsize=TEXT)
    panels[1].images[0].set(cmap="gray", clim=(0, 255))
    draw_window(panels[1], ROW - 1, COLUMN - 1, 3, 3, theme.orange)
    draw_window(panels[2], ROW, COLUMN, 1, 1, theme.orange)
    _draw_product(panels[4], result, theme)
    _draw_spectra(panels[5], panels[6], result, theme)
    return drawn


def _draw_product(axes: Axes, result: Result, theme: Theme) -> None:
    """y = M·x to scale, the vectors three times as wide as a column of M."""
    size, (x, y, _) = len(result.matrix), result.images.values()
    bare(axes)
    for name, values, left, width in (
        ("y", y.reshape(-1, 1), -10, 3),
        (f"M, {size}×{size}", result.matrix, 0, size),
        ("x", x.reshape(-1, 1), size + 5, 3),
    ):
        limit, colours = np.abs(values).max(), "gray" if name == "x" else diverging(theme)
        where, least = (left, left + width, size, 0), 0 if name == "x" else -limit
        axes.imshow(values, cmap=colours, vmin=least, vmax=limit, interpolation="none", extent=where)
        axes.text(left + width / 2, -1, name, ha="center", va="bottom", color=theme.ink, fontsize=TEXT)
        if name != "x":
            draw_window(axes, ROW * len(x) + COLUMN + 0.5, left + 0.5, 1, width, theme.orange, thick=1.5)
    for edge in range(len(x), size, len(x)):
        axes.plot([0, size], [edge] * 2, [edge] * 2, [0, size], color=theme.paper, linewidth=1)
    for centre, text in ((-3.5, "="), (size + 2.5, "·")):
        axes.text(centre, size / 2, text, ha="center", va="center", color=theme.ink, fontsize=1.5 * TEXT)
    axes.set(xlim=(-10.5, size + 8.5), ylim=(size + 0.5, -5))


def _draw_spectra(ordered: Axes, largest: Axes, result: Result, theme: Theme) -> None:
    names = (ordered, "singular values", f"order, image {WRAPPED}×{WRAPPED}"), (largest, "the largest", "N of an N×N image")
    for axes, title, label in names:
        plain(axes, theme)
        axes.set(ylim=(0, 1.15 * result.peak), yticks=range(0, int(result.peak), 4), xlabel=label)
        axes.set_title(title, loc="left", color=theme.ink, fontsize=TEXT)
    ordered.plot(result.circular, color=theme.blue)
    ordered.plot(result.singular[WRAPPED], color=theme.orange)
    ordered.text(WRAPPED**2, 11.2, "wrapped around:\n|Fourier transform|", ha="right", color=theme.blue, fontsize=SMALL)
    ordered.text(0, 1, "zeros around", color=theme.orange, fontsize=SMALL)
    sizes = list(result.singular)
    largest.axhline(result.peak, color=theme.blue)
    largest.text(sizes[-1], 1.02 * result.peak, f"peak {result.peak:.2f}", ha="right", color=theme.blue, fontsize=SMALL)
    largest.semilogx(sizes, [each[0] for each in result.singular.values()], "o-", base=2, color=theme.orange)
    largest.set_xticks(sizes, [str(size) for size in sizes])


def about(result: Result) -> str:
    """The figure in words."""
    approach = ", ".join(f"{values[0]:.2f} at {n}×{n}" for n, values in result.singular.items())
    return (
        f"A 3×3 filter, a digit, what the convolution makes of the digit and what the transposed one makes of that. Below, the "
        f"same as a product of a matrix and a vector: blocks of three diagonals on three diagonals of blocks, "
        f"{np.count_nonzero(result.matrix)} non-zeros; one output and its row are framed. At the bottom, the singular values "
        f"beside those of an image wrapped around, and the largest against a peak of {result.peak:.2f}: {approach}."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(sizes=(4, 8, 16)))

if __name__ == "__main__":
    TOPIC.main()
