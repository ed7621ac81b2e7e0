"""The comparison as Markdown: "N ×" says that ours is N times as fast, their time over ours."""

import statistics
import textwrap
from collections.abc import Sequence
from typing import Any

from experiments import pages
from experiments.benchmarks import comparison
from experiments.benchmarks.comparison import BEST, Line
from experiments.benchmarks.entries import EQUINOX, FLAX, LAX, NATIVE, OURS, OURS_LOOP, TORCH
from experiments.benchmarks.race import BATCH, EVALUATE_EVERY, TARGET, Race
from experiments.benchmarks.rounds import Measurement, Ratio
from experiments.benchmarks.starts import COLD, STEPS, WARM, Starts

COMMAND = "python -m experiments.benchmarks.speed"
PICTURE = (
    '<img src="../experiments/pictures/speed_shapes.png" width="800" '
    'alt="How many times as fast ours is as plain lax and as PyTorch, forward and backward, for every shape of a convolution">'
    "\n\n"
    "[The roofline of the same run: GFLOP/s of each pass against its FLOP per byte](../experiments/pictures/speed_roofline.png)"
)
PACKAGES = ("jax", "flax", "equinox", "torch")


def block(
    measurements: Sequence[Measurement],
    starts: Starts | None,
    race: Race | None,
    versions: dict[str, Any],
    machine: dict[str, Any],
) -> str:
    """Everything that was measured."""
    found: dict[str, str] = {}
    for entry in versions.values():
        found |= entry if isinstance(entry, dict) else {}
    used = ", ".join(f"{name} {found[name].partition('+')[0]}" for name in PACKAGES if name in found)
    python = f", Python {versions['python']}" if "python" in versions else ""
    words = _paragraph(
        f"""On {machine["cores"]} cores of {machine["processor"]}{python}, {used}, float32. All are processes that take
        turns, and compute the same numbers. **N ×** says that ours is N times as fast, their time over ours: the median, and
        the range over the rounds. `{COMMAND}` measures all of it."""
    )
    parts = [
        words,
        *_steps(measurements),
        *_operations(measurements),
        PICTURE if comparison.forward_and_backward(measurements) else "",
        *_starts(starts),
        *_race(race),
        *_shapes(measurements),
    ]
    return "\n\n".join(part for part in parts if part)


def _steps(measurements: Sequence[Measurement]) -> list[str]:
    top = max(comparison.products(measurements).values(), default=0.0)
    rows = []
    for line in comparison.steps(measurements):
        if OURS_LOOP not in line.rounds:
            continue
        seconds = line.seconds(OURS_LOOP)
        cells = [_ratio(line, peer, OURS_LOOP) for peer in (FLAX, EQUINOX, LAX, BEST)]
        if line.best:
            cells[-1] += f", {_variant(line.best)}"
        floor = f"{seconds * top / line.flops:.1f} ×" if top else ""
        native = f"{1e3 * line.seconds(NATIVE):.1f} ms" if NATIVE in line.rounds else ""
        rows.append([f"`{line.name}`", f"{1e3 * seconds:.1f} ms", f"{line.images / seconds:,.0f}", *cells, floor, native])
    if not rows:
        return []
    header = [
        "network",
        "ours",
        "images/s",
        FLAX,
        EQUINOX,
        "plain `lax`",
        f"{TORCH}, its fastest",
        "ours over the floor",
        "ours with oneDNN",
    ]
    words = _paragraph(
        f"""**Training steps** (`{COMMAND} --only step`). Ours in its compiled loop, the others one step a call, as they are
        used. The floor is the time in which the machine does as much arithmetic in a large matrix product:
        {top / 1e9:.0f} GFLOP/s, measured in the same run."""
    )
    return [words, pages.table(header, rows)]


def _operations(measurements: Sequence[Measurement]) -> list[str]:
    kinds = {
        **{f"convolution, {what}": comparison.convolutions(measurements, what) for what in ("forward", "dx", "dw")},
        "convolution, forward + backward": comparison.forward_and_backward(measurements),
        "max-pooling, forward": comparison.poolings(measurements, "forward"),
        "max-pooling, backward": comparison.poolings(measurements, "backward"),
    }
    rows = [
        [
            f"{name}{'' if ours == OURS else ', with oneDNN'}",
            str(len(lines)),
            *(_mean(lines, peer, ours) for peer in (LAX, BEST)),
        ]
        for name, lines in kinds.items()
        for ours in (OURS, NATIVE)
        if any(ours in line.rounds for line in lines)
    ]
    if not rows:
        return []
    words = _paragraph(
        f"""**Operations** (`{COMMAND} --only conv`, `--only pool`): the geometric mean over the shapes, the least and the
        greatest of them."""
    )
    return [words, pages.table(["what", "shapes", "plain `lax`", f"{TORCH}, its fastest"], rows)]


def _starts(starts: Starts | None) -> list[str]:
    if starts is None or not starts.found:
        return []
    names = {COLD: "ours, nothing kept", WARM: "ours, from the second start on"}
    rows = []
    for name in starts.found:
        cells = [_spread(starts.values(name, "first"), "{:.2f}", "s")]
        cells += [f"{starts.median(name, what):.2f} s" for what in ("imports", "builds", "runs")]
        cells += [_spread([value / 1e6 for value in starts.values(name, "memory")], "{:.0f}", "MB")]
        cells += [f"{(starts.median(name, 'growth') or 0) / 1e6:.0f} MB"]
        rows.append([names.get(name, name), *cells])
    repeats = max(map(len, starts.found.values()))
    words = _paragraph(
        f"""**Starts and memory** of `small`, fresh processes, {repeats} of each (`{COMMAND} --only start`): from the start of
        the process to the end of the first training step, and the most memory until {STEPS} steps later. `jcnn` keeps on the
        disk what it compiled, for the next start."""
    )
    header = ["who", "first step after", "import", "build, compile", "a step", "peak memory", "of it since the import"]
    return [words, pages.table(header, rows)]


def _race(race: Race | None) -> list[str]:
    if race is None:
        return []
    if race.left_out:
        return [f"**The race to {100 * TARGET:g} % on MNIST** was left out: {race.left_out}."]
    rows = []
    for name, finishes in race.finishes.items():
        if not finishes:
            continue
        seconds = race.seconds(name)
        faster = "" if name == OURS else _times(race.ratio(name, OURS))
        steps = ", ".join(str(finish.steps) for finish in finishes)
        reached = f"{len(seconds)} of {len(finishes)}"
        rows.append([name, _spread(seconds, "{:.1f}", "s") if seconds else "", faster, steps, reached])
    if not rows:
        return []
    words = _paragraph(
        f"""**The race to {100 * TARGET:g} % of MNIST's test images**, `small`, batches of {BATCH}
        (`JCNN_ORIGINALS=… {COMMAND} --only race`): from the start of the process to the first evaluation that reaches it, every
        {EVALUATE_EVERY} steps, import and compilation included. The same first weights, batches and learning rates for all;
        other ones in every repeat. A ratio is of the same repeat."""
    )
    return [words, pages.table(["who", "seconds", "ours is", "steps", "reached"], rows)]


def _shapes(measurements: Sequence[Measurement]) -> list[str]:
    rows = [
        [line.name, f"{1e3 * line.seconds(OURS):.2f} ms", *_by_pass(measurements, line.name), *_pair(line)]
        for line in comparison.forward_and_backward(measurements)
        if OURS in line.rounds
    ]
    pools = [
        [line.name, f"{1e3 * line.seconds(OURS):.2f} ms", *_pair(line)]
        for line in comparison.poolings(measurements, "backward")
        if OURS in line.rounds
    ]
    if not rows and not pools:
        return []
    over = ["plain `lax`", TORCH]
    passes = [f"{what}: `lax`, {TORCH}" for what in ("forward", "dx", "dw")]
    parts = ["<details><summary>Shape by shape</summary>"]
    if rows:
        parts += [
            "Forward + backward: batch×height×width, channels, window, /stride.",
            pages.table(["convolution", "ours", *passes, *over], rows),
        ]
    if pools:
        parts += ["Backward:", pages.table(["max-pooling", "ours", *over], pools)]
    return [*parts, "</details>"]


def _by_pass(measurements: Sequence[Measurement], name: str) -> list[str]:
    cells = []
    for what in ("forward", "dx", "dw"):
        lines = [line for line in comparison.convolutions(measurements, what) if line.name == name]
        found = [line.ratio(peer, OURS) for line in lines for peer in (LAX, BEST)]
        cells.append(", ".join(f"{one.median:.1f} ×" for one in found if one))
    return cells


def _pair(line: Line) -> list[str]:
    return [_ratio(line, peer, OURS) for peer in (LAX, BEST)]


def _ratio(line: Line, theirs: str, ours: str) -> str:
    return _times(line.ratio(theirs, ours))


def _times(found: Ratio | None) -> str:
    return f"**{found.median:.1f} ×** ({found.lowest:.1f} … {found.highest:.1f})" if found else ""


def _mean(lines: Sequence[Line], theirs: str, ours: str) -> str:
    mean = comparison.geometric_mean(lines, theirs, ours)
    if mean is None:
        return ""
    ratios = [found.median for line in lines if (found := line.ratio(theirs, ours))]
    return f"**{mean:.2f} ×** ({min(ratios):.1f} … {max(ratios):.1f})"


def _spread(values: Sequence[float], form: str, unit: str) -> str:
    middle, lowest, highest = map(form.format, (statistics.median(values), min(values), max(values)))
    return f"{middle} {unit} ({lowest} … {highest})"


def _paragraph(text: str) -> str:
    """The words in lines as long as a text's."""
    together = " ".join(text.split()).replace(" ×", "\u00a0×").replace(" %", "\u00a0%")
    return textwrap.fill(together, 128, break_long_words=False, break_on_hyphens=False)


def _variant(name: str) -> str:
    return name.removeprefix(TORCH).strip()
