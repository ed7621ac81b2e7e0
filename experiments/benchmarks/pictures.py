"""The comparison as pictures: speed-ups by shape, and the roofline."""

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from experiments.benchmarks import comparison
from experiments.benchmarks.comparison import BEST
from experiments.benchmarks.entries import LAX, OURS, TORCH
from experiments.benchmarks.rounds import Measurement
from jcnn.figures import to_png, to_svg
from jcnn.figures.speed import Point, Span, roofline, speedups

SHOWN = Path(__file__).parents[1] / "pictures"
"""Where the docs find their pictures."""
NAMES = {LAX: "plain lax", BEST: f"{TORCH} (its faster layout)"}


def draw(measurements: Sequence[Measurement]) -> dict[str, Figure]:
    """The pictures of what was measured, by name."""
    drawn: dict[str, Figure] = {}
    rows = []
    for line in comparison.forward_and_backward(measurements):
        spans = {shown: Span(*found) for who, shown in NAMES.items() if (found := line.ratio(who, OURS))}
        if spans:
            rows.append((line.name, spans))
    if rows:
        drawn["speed_shapes"] = speedups(rows, "convolution, forward + backward")
    points = [
        Point(what, line.flops / line.traffic, line.flops / line.seconds(OURS))
        for what in ("forward", "dx", "dw")
        for line in comparison.convolutions(measurements, what)
        if OURS in line.rounds
    ]
    peak = max(comparison.products(measurements).values(), default=0.0)
    bandwidth = max(comparison.bandwidths(measurements).values(), default=0.0)
    if points and peak and bandwidth:
        drawn["speed_roofline"] = roofline(points, peak, bandwidth)
    return drawn


def write(drawn: dict[str, Figure], folder: Path) -> None:
    """Every picture as PNG and SVG."""
    for name, figure in drawn.items():
        (folder / f"{name}.png").write_bytes(to_png(figure))
        (folder / f"{name}.svg").write_bytes(to_svg(figure))


def write_shown(drawn: dict[str, Figure], folder: Path = SHOWN) -> None:
    """Every picture as a small PNG of few colours, for the docs."""
    for name, figure in drawn.items():
        image = Image.open(io.BytesIO(to_png(figure, dpi=160)))
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(folder / f"{name}.png", optimize=True)
