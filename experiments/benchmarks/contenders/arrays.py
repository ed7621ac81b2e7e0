"""The numbers everyone computes with, the same for all: NumPy, channels last, filters as (F, F, C_in // groups, C_out)."""

import math
from typing import NamedTuple

import numpy as np

from experiments.benchmarks.cases import Case, Convolution, Maximum, Pooling, Product, Step

BATCHES = 8
"""Batches a training step takes in turns."""
RATE, MOMENTUM = 0.01, 0.9


class Batches(NamedTuple):
    """Fixed training data.

    Attributes:
        images: (BATCHES, N, H, W, C), float32, 0 to 1.
        labels: (BATCHES, N), int32.
    """

    images: np.ndarray
    labels: np.ndarray


def operands(case: Convolution | Pooling | Product | Maximum) -> list[np.ndarray]:
    """x, w and dy of a convolution; x and dy of a pooling; both factors of a product; both vectors."""
    match case:
        case Product():
            shapes = [(case.size, case.size)] * 2
        case Maximum():
            shapes = [(case.size,)] * 2
        case _:
            shapes = list(case.shapes)
    random = np.random.default_rng(0)
    return [random.standard_normal(shape, np.float32) for shape in shapes]


def initial_params(case: Step, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """One dict a layer, He's normal weights and zero biases, empty where there is nothing to learn."""
    random, params = np.random.default_rng(seed), []
    for layer, shape, _ in case.trace():
        taps = {"conv": (layer.window, layer.window), "dense": ()}.get(layer.kind)
        if taps is None:
            params.append({})
            continue
        sizes = (*taps, shape[-1], layer.units)
        weights = random.standard_normal(sizes, np.float32) * np.float32(math.sqrt(2 / math.prod(sizes[:-1])))
        params.append({"w": weights, "b": np.zeros(layer.units, np.float32)})
    return params


def batches(case: Step) -> Batches:
    """Random images and labels."""
    random = np.random.default_rng(1)
    images = random.random((BATCHES, case.batch, *case.input_shape), np.float32)
    return Batches(images, random.integers(10, size=(BATCHES, case.batch)).astype(np.int32))


def fingerprint(result: np.ndarray) -> list[float]:
    """Two numbers that tell whether two results are the same up to rounding: Σ|y| / n and Σ y cos(i) / n."""
    flat = np.asarray(result, np.float64).ravel()
    return [float(np.abs(flat).mean()), float((flat * np.cos(np.arange(flat.size))).mean())]


def agree(case: Case, ours: list[float], theirs: list[float], tolerance: float = 1e-3) -> bool:
    """Whether two contenders computed the same: the losses of a training step, the fingerprint of another result."""
    scale = 1.0 if isinstance(case, Step) else theirs[0]
    pairs = zip(ours, theirs, strict=True)
    return all(abs(a - b) <= tolerance * (abs(b) if isinstance(case, Step) else scale) for a, b in pairs)
