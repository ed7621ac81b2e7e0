"""Streamed batches are the resident ones, whatever the ranges; and memory stays flat."""

import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn.data import stream as streaming
from jcnn.data.batches import batch_indices, epoch_order
from jcnn.data.stream import calls, free_memory, host_order, placement, steps_per_chunk, stream
from tests.draws import draws

N = 53
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 4, 3, 2), np.uint8)
LABELS = np.arange(N, dtype=np.int32)


def resident(seed: int, step: int, batch_size: int) -> np.ndarray:
    """The images of a step as the compiled loop chooses them."""
    per_epoch = N // batch_size
    order = epoch_order(seed, step // per_epoch, N)
    return np.asarray(batch_indices(order, step % per_epoch, batch_size))


@draws()
@given(data=st.data())
def test_chunks_are_the_batches_of_the_resident_loop(data: st.DataObject) -> None:
    batch_size = data.draw(st.integers(1, 20))
    seed = data.draw(st.integers(0, 2**32 - 1))
    per_epoch = N // batch_size
    total = data.draw(st.integers(1, min(3 * per_epoch, 40)))
    first = data.draw(st.integers(0, total - 1))
    most = data.draw(st.integers(1, 9))
    ranges = list(calls(first, total, per_epoch, most))
    seen = first
    for chunk in stream(IMAGES, LABELS, ranges, seed=seed, batch_size=batch_size, most=most):
        assert chunk.first == seen
        assert chunk.images.shape == (most, batch_size, 4, 3, 2)
        for step, pixels, labels in zip(range(chunk.first, chunk.last), chunk.images, chunk.labels, strict=False):
            rows = resident(seed, step, batch_size)
            assert (pixels == IMAGES[rows]).all()
            assert (labels == rows).all()
        seen = chunk.last
    assert seen == total


@given(first=st.integers(0, 50), more=st.integers(0, 100), per_epoch=st.integers(1, 30), most=st.integers(1, 20))
@settings(max_examples=100)
def test_ranges_cover_every_step_once_and_span_no_two_epochs(first: int, more: int, per_epoch: int, most: int) -> None:
    ranges = list(calls(first, first + more, per_epoch, most))
    steps = [step for start, end in ranges for step in range(start, end)]
    assert steps == list(range(first, first + more))
    assert all(0 < end - start <= most for start, end in ranges)
    assert all(start // per_epoch == (end - 1) // per_epoch for start, end in ranges)


def test_order_on_the_host_is_that_of_the_device() -> None:
    assert (host_order(3, 2, 1000) == np.asarray(jax.jit(epoch_order, static_argnums=2)(3, 2, 1000))).all()
    with jax.enable_x64(True):
        assert (host_order(3, 2, 1000) == np.asarray(epoch_order(3, 2, 1000))).all()


def test_an_error_while_gathering_is_the_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: np.ndarray) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(streaming, "take_rows", fails)
    with pytest.raises(OSError, match="Input/output error"):
        list(stream(IMAGES, LABELS, [(0, 2)], seed=0, batch_size=8, most=2))


def test_a_reader_that_stops_early_leaves_no_thread() -> None:
    chunks = stream(IMAGES, LABELS, calls(0, 100, 6, 2), seed=0, batch_size=8, most=2)
    next(chunks)
    chunks.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("jcnn-gather")]


def test_a_chunk_is_whole_while_it_is_used() -> None:
    for chunk in stream(IMAGES, LABELS, calls(0, 18, 6, 2), seed=0, batch_size=8, most=2):
        time.sleep(0.02)  # the next one is gathered meanwhile
        assert (chunk.images == IMAGES[chunk.labels]).all()


@pytest.mark.parametrize(
    ("size", "free", "expected"),
    [(10, 20, "resident"), (11, 20, "streamed"), (0, 0, "resident"), (10**12, None, "resident")],
    ids=["half", "more", "nothing", "unknown"],
)
def test_placement(size: int, free: int | None, expected: str) -> None:
    assert placement(size, free) == expected


@pytest.mark.parametrize(
    ("batch", "expected"), [(1, 20), (1 << 24, 16), (1 << 28, 1), (1 << 40, 1)], ids=["tiny", "some", "one", "huge"]
)
def test_large_batches_make_short_chunks(batch: int, expected: int) -> None:
    assert steps_per_chunk(batch, 20) == expected


def test_free_memory_is_found_where_linux_says_it() -> None:
    if not Path("/proc/meminfo").exists():
        pytest.skip("no /proc")
    free = free_memory()
    assert free is not None
    assert 0 < free < 1 << 50
