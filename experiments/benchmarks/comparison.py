"""From timings to comparisons: the passes of a shape added up, the best of PyTorch's variants, ratios, geometric means."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from experiments.benchmarks.cases import Convolution, Maximum, Pooling, Product, Step
from experiments.benchmarks.entries import TORCH
from experiments.benchmarks.rounds import Measurement, Ratio, Timing, ratio

BEST = f"{TORCH} best"


class Line(NamedTuple):
    """What everyone took for one case, or for forward and backward of one shape.

    Attributes:
        name: of the case or shape.
        rounds: seconds by contender and round, of those who did all of it.
        flops: of the whole.
        traffic: bytes that must move at least; 0 where not counted.
        best: which of PyTorch's variants is called best; empty where none took part.
        images: of a training step.
    """

    name: str
    rounds: dict[str, list[float]]
    flops: int = 0
    traffic: int = 0
    best: str = ""
    images: int = 0

    def seconds(self, name: str) -> float:
        """The median of the rounds."""
        return Timing(self.rounds[name]).seconds

    def ratio(self, one: str, other: str) -> Ratio | None:
        """Time of one over that of the other: how many times as fast the other is; None where one of them is missing."""
        if not (self.rounds.get(one) and self.rounds.get(other)):
            return None
        return ratio(self.rounds[one], self.rounds[other])


def line(measurement: Measurement) -> Line:
    """One case, PyTorch's fastest variant also under the name BEST."""
    rounds = {name: timing.rounds for name, timing in measurement.timings.items() if timing.rounds and not timing.error}
    case = measurement.case
    flops = 0 if isinstance(case, Pooling) else case.flops
    traffic = case.traffic if isinstance(case, Convolution | Maximum) else 0
    return _with_best(Line(case.name, rounds, flops, traffic, images=case.batch if isinstance(case, Step) else 0))


def forward_and_backward(measurements: Sequence[Measurement]) -> list[Line]:
    """The convolutions, the passes of each shape added up, round by round: forward, dw, and dx but for first layers."""
    by_shape: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        if isinstance(measurement.case, Convolution):
            by_shape.setdefault(measurement.case.name, []).append(measurement)
    added = []
    for name, passes in by_shape.items():
        if len(passes) < (2 if passes[0].case.first else 3):  # pyright: ignore[reportAttributeAccessIssue]
            continue
        lines = [line(one) for one in passes]
        everyone = [who for who in lines[0].rounds if who != BEST and all(who in one.rounds for one in lines)]
        rounds = {
            who: [math.fsum(parts) for parts in zip(*(one.rounds[who] for one in lines), strict=False)] for who in everyone
        }
        whole = Line(name, rounds, sum(one.flops for one in lines), sum(one.traffic for one in lines))
        added.append(_with_best(whole))
    return added


def poolings(measurements: Sequence[Measurement], what: str) -> list[Line]:
    """One pass of the poolings."""
    return [line(one) for one in measurements if isinstance(one.case, Pooling) and one.case.what == what]


def products(measurements: Sequence[Measurement]) -> dict[str, float]:
    """FLOP/s of the matrix product, by contender."""
    found = [line(one) for one in measurements if isinstance(one.case, Product)]
    return {name: one.flops / one.seconds(name) for one in found for name in one.rounds if name != BEST}


def bandwidths(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Bytes per second of the maximum of two vectors, by contender."""
    found = [line(one) for one in measurements if isinstance(one.case, Maximum)]
    return {name: one.traffic / one.seconds(name) for one in found for name in one.rounds if name != BEST}


def steps(measurements: Sequence[Measurement]) -> list[Line]:
    """The training steps."""
    return [line(one) for one in measurements if isinstance(one.case, Step)]


def convolutions(measurements: Sequence[Measurement], what: str) -> list[Line]:
    """One pass of the convolutions."""
    return [line(one) for one in measurements if isinstance(one.case, Convolution) and one.case.what == what]


def geometric_mean(lines: Sequence[Line], one: str, other: str) -> float | None:
    """Of the median ratios; None where there are none."""
    ratios = [found.median for line in lines if (found := line.ratio(one, other))]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def _with_best(one: Line) -> Line:
    variants = [name for name in one.rounds if name.startswith(TORCH)]
    if not variants:
        return one
    best = min(variants, key=one.seconds)
    return one._replace(rounds={**one.rounds, BEST: one.rounds[best]}, best=best)
