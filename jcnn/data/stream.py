"""Images that are not put on the device as a whole: the host gathers the batches of the next steps while the device computes.

    order     of epoch e: a permutation of 0 … n − 1, the one that `epoch_order` makes of (seed, e)
    chunk     of the steps first … last − 1 of an epoch: the batches order[i·B : (i + 1)·B], i = step mod steps per epoch

So a step sees the very batch that it would see with all images on the device. Two chunks are in memory, the one that is
computed with and the one that is gathered, for which images mapped from a file are read.
"""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Int, Num

from jcnn.data.batches import epoch_order
from jcnn.data.memory_mapped import take_rows

Placement = Literal["resident", "streamed"]

PART_OF_MEMORY = 0.5
"""The part of what is free that images may take to be put there as a whole."""


CHUNK = 1 << 28
"""Bytes of one chunk, unless a single batch is larger; there are two of them."""


class Chunk(NamedTuple):
    """The batches of some steps of one epoch.

    Attributes:
        first: the first step.
        last: the step after the last one.
        images: (most, B, *S, C), dtype of the images: the batches of these steps, and whatever follows if they are fewer.
        labels: (most, B).
    """

    first: int
    last: int
    images: Num[np.ndarray, "most b *s c"]
    labels: Int[np.ndarray, "most b"]


def calls(first: int, total: int, per_epoch: int, most: int) -> Iterator[tuple[int, int]]:
    """The steps first … total − 1 as ranges (first, last) of at most `most` steps, none of which spans two epochs."""
    while first < total:
        end_of_epoch = (first // per_epoch + 1) * per_epoch
        last = min(first + most, total, end_of_epoch)
        yield first, last
        first = last


def stream(
    images: Num[np.ndarray, "n *s c"],
    labels: Int[np.ndarray, " n"],
    ranges: Iterable[tuple[int, int]],
    *,
    seed: int,
    batch_size: int,
    most: int,
) -> Generator[Chunk]:
    """The chunk of every range of steps, in order; the next one is gathered in the background.

    The arrays of a chunk are overwritten once the chunk after it is asked for: by then the device must have done with them.

    Args:
        images: all images, in memory or mapped from a file.
        labels: one per image.
        ranges: (first, last) of steps, as `calls` makes them.
        seed: of the order.
        batch_size: B, images per step.
        most: the most steps of a range; every chunk has room for so many, so that one compiled program serves them all.

    Raises:
        OSError: the images cannot be read.
    """
    per_epoch = len(images) // batch_size
    room = (most, batch_size)
    buffers = [(np.zeros((*room, *images.shape[1:]), images.dtype), np.zeros(room, labels.dtype)) for _ in range(2)]
    epoch, order = -1, np.zeros(0, int)

    def gather(number: int, first: int, last: int, rows: np.ndarray) -> Chunk:
        pixels, targets = buffers[number % 2]
        to_fill = pixels[: last - first].reshape(-1, *images.shape[1:])
        take_rows(images, rows, to_fill)
        np.take(labels, rows, axis=0, out=targets[: last - first].reshape(-1), mode="clip")
        return Chunk(first, last, pixels, targets)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="jcnn-gather") as background:
        ready = None
        for number, (first, last) in enumerate(ranges):
            if first // per_epoch != epoch:
                epoch = first // per_epoch
                # Here, and not in the background: JAX's settings are those of this thread.
                order = host_order(seed, epoch, len(images))
            start = first % per_epoch * batch_size
            rows = order[start : start + (last - first) * batch_size]
            gathering = background.submit(gather, number, first, last, rows)
            if ready is not None:
                yield ready.result()
            ready = gathering
        if ready is not None:
            yield ready.result()


def host_order(seed: int, epoch: int, n: int) -> Int[np.ndarray, " n"]:
    """`epoch_order`, computed by the CPU where JAX has one, as a NumPy array."""
    try:
        cpu = jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX was told to use another platform alone
        cpu = None
    with jax.default_device(cpu):
        return np.asarray(_epoch_order(seed, epoch, n))


@partial(jax.jit, static_argnums=2)
def _epoch_order(seed: int, epoch: int, n: int) -> jax.Array:
    return epoch_order(seed, epoch, n)


def steps_per_chunk(batch: int, most: int) -> int:
    """How many steps one chunk has room for: `most`, or as few as keep it within `CHUNK` bytes, of batches of so many bytes."""
    return max(1, min(most, CHUNK // max(batch, 1)))


def placement(size: int, free: int | None) -> Placement:
    """Where images of so many bytes go: onto the device as a whole, where they take no more than half of what is free.

    Args:
        size: bytes of all training images.
        free: bytes free for them, as `free_memory` finds; None: not known, and taken for enough.
    """
    return "resident" if free is None or size <= PART_OF_MEMORY * free else "streamed"


def free_memory() -> int | None:
    """Bytes that are free on the device that JAX computes on; None where that cannot be found out."""
    device = jax.local_devices()[0]
    found = device.memory_stats() if device.platform != "cpu" else None
    if found and "bytes_limit" in found:
        return found["bytes_limit"] - found.get("bytes_in_use", 0)
    return _free_host_memory() if device.platform == "cpu" else None


def _free_host_memory() -> int | None:
    """What Linux says that programs may take without swapping; a container's limit, if that is less."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    return min(kibibytes * 1024, _left_in_container())


def _left_in_container() -> int:
    """Bytes below the limit of this process's control group; no limit is a very large number."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text("ascii"))
        used = int((group / "memory.current").read_text("ascii"))
        return max(limit - used, 0)
    except (OSError, ValueError):  # no control groups, or "max"
        return 1 << 62
