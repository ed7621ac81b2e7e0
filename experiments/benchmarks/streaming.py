"""Images streamed from a file beside images on the device: images per second, and how much memory a large set takes.

    python -m experiments.benchmarks.streaming [--gigabytes 4] [--rounds 5]

Throughput: `small` on 28×28 images, the same steps resident and streamed, in turns; ratios are of pairs. Memory: the peak of a
process that trains on a mapped file of so many gigabytes, over that of one that trains on a file a hundred times smaller.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

import jcnn
from jcnn.compilation import keep_memory

SIZE = (28, 28, 1)
BLOCK = 100_000
"""Images that are written at once."""


@dataclass
class Arguments:
    """What is measured."""

    gigabytes: float = 4.0
    """Size of the large set."""
    rounds: int = 5
    """Pairs of runs for the throughput."""
    peak: Path | None = None
    """Train on this file and print the peak memory, as the measurement of memory asks of a process of its own."""


def main(arguments: Arguments) -> None:
    """Measures, and prints."""
    keep_memory()
    if arguments.peak is not None:
        sys.stdout.write(json.dumps(peak_of_training(arguments.peak)) + "\n")
        return
    ratios = [throughput("streamed") / throughput("resident") for _ in range(arguments.rounds)]
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    sys.stdout.write(f"images per second, streamed over resident: {middle:.2f} ({low:.2f} … {high:.2f})\n")
    with tempfile.TemporaryDirectory() as folder:
        large = int(arguments.gigabytes * 1e9 / np.prod(SIZE))
        peaks = [peak_in_own_process(written(Path(folder) / f"{count}.npy", count)) for count in (large // 100, large)]
    sys.stdout.write(f"peak memory: {peaks[0]:.0f} MB with 1 % of {arguments.gigabytes:g} GB, {peaks[1]:.0f} MB with all\n")


def throughput(placement: str) -> float:
    """Images per second of the steps alone."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (12_800, *SIZE), np.uint8), rng.integers(0, 10, 12_800)
    recipe = jcnn.Recipe(epochs=1, batch_size=128)
    result = jcnn.fit(jcnn.small(SIZE, 10), (images, labels), recipe=recipe, placement=placement)  # pyright: ignore[reportArgumentType]
    return result.images_per_second


def written(path: Path, count: int) -> Path:
    """A file of so many random images."""
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, *SIZE))
    rng = np.random.default_rng(0)
    for first in range(0, count, BLOCK):
        part = images[first : first + BLOCK]
        part[:] = rng.integers(0, 256, part.shape, np.uint8)
        images.flush()
    return path


def peak_of_training(path: Path) -> float:
    """Megabytes at most, while a small network learns from a mapped file, streamed."""
    images = np.load(path, mmap_mode="r")
    labels = np.zeros(len(images), np.int32)
    network = (jcnn.MaxPool(4), jcnn.Flatten(), jcnn.Dense(10))
    recipe = jcnn.Recipe(epochs=1, batch_size=1024, augment=False)
    jcnn.fit(network, (images, labels), recipe=recipe, placement="streamed")
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def peak_in_own_process(path: Path) -> float:
    """`peak_of_training`, of a process that did nothing else."""
    command = [sys.executable, "-m", "experiments.benchmarks.streaming", "--peak", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 (this very module)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main(tyro.cli(Arguments))
