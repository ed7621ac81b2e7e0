"""Tables of the comparison for the terminal."""

from collections.abc import Sequence

from rich.table import Table

from experiments.benchmarks import comparison
from experiments.benchmarks.cases import Convolution, Pooling
from experiments.benchmarks.comparison import BEST, Line
from experiments.benchmarks.entries import EQUINOX, FLAX, LAX, LAX_LOOP, OURS, OURS_LOOP
from experiments.benchmarks.rounds import Measurement

Peers = tuple[str, ...]
OPERATION_PEERS: Peers = (LAX, BEST)
STEP_PEERS: Peers = (LAX_LOOP, LAX, FLAX, EQUINOX, BEST)


def progress(measured: Measurement) -> str:
    """One case on one line, milliseconds by contender, and what went wrong."""
    case = measured.case
    what = f", {case.what}" if isinstance(case, Convolution | Pooling) else ""
    parts = [
        f"{name} {timing.error}" if timing.error or not timing.rounds else f"{name} {1e3 * timing.seconds:.2f}"
        for name, timing in measured.timings.items()
    ]
    return f"{case.name}{what} (ms): {'; '.join(parts)}"


def terminal(measurements: Sequence[Measurement]) -> list[Table]:
    """A table of every kind that was measured: our time, and how many times as fast as others we are."""
    steps = comparison.steps(measurements)
    passes = {f"convolution, {what}": comparison.convolutions(measurements, what) for what in ("forward", "dx", "dw")}
    kinds = {
        "training steps, ours in the compiled loop": (steps, OURS_LOOP, STEP_PEERS),
        "training steps, ours one a call": (steps, OURS, STEP_PEERS),
        **{title: (lines, OURS, OPERATION_PEERS) for title, lines in passes.items()},
        "convolution, forward + backward": (comparison.forward_and_backward(measurements), OURS, OPERATION_PEERS),
        "max-pooling, forward": (comparison.poolings(measurements, "forward"), OURS, OPERATION_PEERS),
        "max-pooling, backward": (comparison.poolings(measurements, "backward"), OURS, OPERATION_PEERS),
    }
    speeds = comparison.products(measurements)
    top = max(speeds.values(), default=0.0)
    tables = [_table(title, *rows, top) for title, rows in kinds.items() if any(rows[1] in one.rounds for one in rows[0])]
    if speeds:
        bandwidths = comparison.bandwidths(measurements)
        table = Table("float32", "matrix product, GFLOP/s", "memory, GB/s", show_edge=False)
        for name, speed in speeds.items():
            table.add_row(name, f"{speed / 1e9:.0f}", f"{bandwidths[name] / 1e9:.0f}" if name in bandwidths else "")
        tables.insert(0, table)
    return tables


def _table(title: str, lines: Sequence[Line], ours: str, peers: Peers, top: float) -> Table:
    present = [peer for peer in peers if peer != ours and any(peer in one.rounds for one in lines)]
    table = Table("case", "ours", *(f"× {peer}" for peer in present), "of the floor", title=title, show_edge=False)
    for one in lines:
        if ours not in one.rounds:
            continue
        ratios = [one.ratio(peer, ours) for peer in present]
        floor = f"{one.seconds(ours) * top / one.flops:.1f} ×" if one.flops and top else ""
        table.add_row(one.name, f"{1e3 * one.seconds(ours):.2f} ms", *(str(found or "") for found in ratios), floor)
    means = [comparison.geometric_mean(lines, peer, ours) for peer in present]
    table.add_section()
    table.add_row("geometric mean", "", *(f"{mean:.2f}" if mean else "" for mean in means), "")
    return table
