"""All formulations of convolution, case by case, against the definition.

Claim: in float64 every formulation and its gradients, derived by JAX or by hand, are the textbook sum within 1e-12 of Σ|x||w|;
Winograd's is within the bound it states, in float32 as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pages
import tyro
from rich.console import Console
from rich.table import Table

from jcnn import conv, conv_backward
from jcnn.conv.ways import formulations
from jcnn.conv.winograd import default_tile, winograd_bound
from jcnn.definition import conv_backward_definition, conv_definition

BY_HAND = "by hand"
DTYPES = ("float64", "float32")
QUANTITIES = ("y", "dx", "dw")
# Each program runs once: without LLVM's costly passes it compiles in a third of the time.
QUICKLY: Any = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
Arrays = Sequence[np.ndarray]


@dataclass(frozen=True)
class Case:
    """A convolution to compute."""

    name: str
    sizes: tuple[int, ...]
    window: tuple[int, ...]
    channels: tuple[int, int]
    options: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("first layer 3×3, same", (20, 20), (3, 3), (1, 8), {"padding": "same"}),
    Case("3×3, same", (12, 12), (3, 3), (8, 8), {"padding": "same"}),
    Case("5×5, valid", (14, 14), (5, 5), (3, 6)),
    Case("3×3, stride 2", (13, 13), (3, 3), (4, 6), {"stride": 2, "padding": 1}),
    Case("3×3, dilation 2", (13, 13), (3, 3), (4, 6), {"dilation": 2, "padding": 2}),
    Case("3×3, 4 groups", (12, 12), (3, 3), (8, 8), {"groups": 4, "padding": 1}),
    Case("3×3, depthwise", (12, 12), (3, 3), (8, 8), {"groups": 8, "padding": 1}),
    Case("1×1", (12, 12), (1, 1), (16, 8)),
    Case("7, 1-D", (64,), (7,), (4, 6), {"padding": "same"}),
    Case("3×3×3, 3-D", (6, 6, 6), (3, 3, 3), (2, 4), {"padding": "same"}),
    Case("4×2, asymmetric padding", (11, 9), (4, 2), (3, 4), {"padding": ((0, 2), (1, 0))}),
    Case("3×3, stride 2, ceil", (12, 12), (3, 3), (4, 6), {"stride": 2, "rounding": "ceil"}),
    Case("3×3, 64 channels", (8, 8), (3, 3), (64, 64), {"padding": 1}),
)


@dataclass(frozen=True)
class Agreement:
    """What to compare."""

    batch: int = 2
    """Examples in every case."""
    seed: int = 0
    """Decides the numbers that are convolved."""
    tolerance: float = 1e-12
    """The claim, for float64 errors relative to Σ|x||w|."""
    output: Path = Path("results/agreement.md")
    """Where to write the table."""


class Row(NamedTuple):
    """One formulation in one case: the worst error of each quantity, and its limit, both relative to Σ|x||w| of the same entry.

    Attributes:
        errors: of y, dx and dw; of the latter two for `BY_HAND`.
        used: the worst part of what the claim allows, at most 1; None where nothing is claimed.
    """

    case: str
    formulation: str
    dtype: str
    errors: dict[str, float]
    used: float | None


def run(config: Agreement) -> tuple[Row, ...]:
    """Computes every case in every way."""
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        return tuple(row for case in CASES for dtype in DTYPES for row in _compare(config, case, dtype))


def _compare(config: Agreement, case: Case, dtype: str) -> list[Row]:
    random = np.random.default_rng([config.seed, *map(ord, case.name)])
    (c_in, c_out), groups = case.channels, case.options.get("groups", 1)
    x = random.normal(size=(config.batch, *case.sizes, c_in)).astype(dtype)
    w = random.normal(size=(*case.window, c_in // groups, c_out)).astype(dtype)
    dy = random.normal(size=conv_definition(x, w, **case.options).shape).astype(dtype)

    exact = (conv_definition(x, w, **case.options), *conv_backward_definition(dy, x, w, **case.options)[:2])
    terms = [np.abs(array) for array in (dy, x, w)]
    sums = (conv_definition(*terms[1:], **case.options), *conv_backward_definition(*terms, **case.options)[:2])
    sums = [np.where(total > 0, total, total.max()) for total in sums]  # a pixel that no window touches has none of its own

    rows = []
    for name, results in _evaluate(case, *map(jnp.asarray, (dy, x, w))).items():
        quantities = QUANTITIES[-len(results) :]
        compared = list(zip(results, exact[-len(results) :], sums[-len(results) :], strict=True))
        errors = [np.abs(np.asarray(result, np.float64) - other) / total for result, other, total in compared]
        worst = {what: float(error.max()) for what, error in zip(quantities, errors, strict=True)}
        used = max(worst.values()) / config.tolerance if dtype == "float64" else None
        if name == "winograd":
            limits = [bound / total for bound, total in zip(_winograd_limits(groups, dy, x, w), sums, strict=True)]
            used = max(float((error / limit).max()) for error, limit in zip(errors, limits, strict=True))
        rows.append(Row(case.name, name, dtype, worst, used))
    return rows


def _evaluate(case: Case, dy: jax.Array, x: jax.Array, w: jax.Array) -> dict[str, Arrays]:
    """(y, dx, dw) of every formulation that takes the case, and (dx, dw) by hand."""
    steps = np.ravel([case.options.get("stride", 1), case.options.get("dilation", 1)])
    names = [name for name in formulations() if name != "winograd" or (steps == 1).all()]

    @partial(jax.jit, compiler_options=QUICKLY)
    def together(dy: jax.Array, x: jax.Array, w: jax.Array) -> Any:
        results: dict[str, Any] = {}
        for name in names:
            options: Any = {**case.options, "formulation": name}
            y, pullback = jax.vjp(partial(conv, **options), x, w)
            results[name] = (y, *pullback(dy))
        return {**results, BY_HAND: conv_backward(dy, x, w, **case.options)[:2]}

    return together(dy, x, w)


def _winograd_limits(groups: int, dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> Arrays:
    """The absolute errors that `winograd_bound` allows in y, dx and dw: norms over pixels, summed over channels or examples."""
    pixels, taps = tuple(range(1, x.ndim - 1)), tuple(range(w.ndim - 2))
    outputs, window = dy.shape[1:-1], w.shape[:-2]
    tile = default_tile(window, outputs)
    tiles = len(x) * int(np.prod([-(-o // m) for o, m in zip(outputs, tile, strict=True)]))
    y, dx, dw = (winograd_bound(tile, window, n, x.dtype) for n in (w.shape[-2], w.shape[-1] // groups, tiles))
    sizes, steps = np.abs(x).max(pixels, keepdims=True), np.abs(dy).max(pixels, keepdims=True)
    weights, sums = np.abs(w).sum(taps, keepdims=True), np.abs(dy).sum(pixels, keepdims=True)
    of_input, _, _ = conv_backward_definition(steps, sizes, weights, groups=groups)
    _, of_filters, _ = conv_backward_definition(sums, sizes, weights, groups=groups)
    return y * conv_definition(sizes, weights, groups=groups), dx * of_input, dw * of_filters


def check(rows: Sequence[Row]) -> None:
    """Raises AssertionError where the claim does not hold."""
    for row in rows:
        if row.used is not None and not row.used <= 1:
            raise AssertionError(f"{row.case}, {row.formulation}, {row.dtype}: {row.used:.2g} times the error that is claimed")


def cells(rows: Sequence[Row], dtype: str, quantities: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Header and lines of one table: a case in each line, a formulation in each column, the worst error of the quantities."""
    columns = [*formulations(), *([BY_HAND] if "y" not in quantities else [])]
    found = {(row.case, row.formulation): row for row in rows if row.dtype == dtype}

    def cell(case: str, column: str) -> str:
        row = found.get((case, column))
        return "refused" if row is None else f"{max(row.errors[what] for what in quantities):.1e}"

    header = ["case", *columns, "of Winograd's bound"]
    lines = []
    for case in CASES:
        winograd = found.get((case.name, "winograd"))
        used = "" if winograd is None else f"{winograd.used:.2%}"
        lines.append([case.name, *(cell(case.name, column) for column in columns), used])
    return header, lines


def worst(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the short table: a formulation in each line, the worst error over all cases in each column."""
    forms = [(dtype, quantities) for dtype in DTYPES for quantities in (("y",), ("dx", "dw"))]
    header = ["formulation", "cases", *(f"{dtype}, {'forward' if 'y' in q else 'gradients'}" for dtype, q in forms)]
    lines = []
    for name in [*formulations(), BY_HAND]:
        own = [row for row in rows if row.formulation == name]
        line = [name, f"{len({row.case for row in own})} of {len(CASES)}"]
        for dtype, quantities in forms:
            errors = [row.errors[what] for row in own if row.dtype == dtype for what in quantities if what in row.errors]
            line.append(f"{max(errors):.1e}" if errors else "")
        lines.append(line)
    return header, lines


def main(config: Agreement) -> None:
    """Runs, shows, writes, checks."""
    rows = run(config)
    header, lines = worst(rows)
    shown = Table(*header, title="worst error relative to Σ|x||w|", show_edge=False)
    for line in lines:
        shown.add_row(*line)
    Console().print(shown)
    full = []
    for dtype in DTYPES:
        for title, quantities in ((f"{dtype}, forward", ("y",)), (f"{dtype}, gradients", ("dx", "dw"))):
            full += ["", f"**{title}**", "", pages.table(*cells(rows, dtype, quantities))]
    explained = (
        "Worst error against the float64 definition, relative to Σ\\|x\\|\\|w\\| of the same entry; gradients are the worse of "
        "dx and dw,\nby autodiff of the formulation and by hand. In float64 at most "
        f"{config.tolerance:g} is claimed, of Winograd the bound that it states."
    )
    folded = "\n".join(["<details><summary>Case by case</summary>", *full, "", "</details>"])
    text = "\n\n".join([explained, pages.table(header, lines), folded])
    config.output.parent.mkdir(parents=True, exist_ok=True)
    config.output.write_text(text + "\n")
    check(rows)
    pages.write_page("agreement", "Every formulation against the definition", text)


if __name__ == "__main__":
    main(tyro.cli(Agreement))
