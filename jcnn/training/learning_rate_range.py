"""Which learning rate to begin with: some steps at ever larger ones, and what the loss makes of each."""

import math
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jcnn import arguments, geometry
from jcnn.data.dataset import Dataset, Examples
from jcnn.data.memory_mapped import take_rows
from jcnn.data.stream import host_order
from jcnn.layers import Network
from jcnn.training import settings
from jcnn.training.errors import TrainingError
from jcnn.training.fitting import DEFAULT_RECIPE, checked_call, first_state
from jcnn.training.recipe import Recipe, with_rate
from jcnn.training.step import fastest_ops, make_run_steps

AROUND = 3
"""Losses before and after each over which its mean is taken."""

TOO_LARGE = 4.0
"""Times the least loss from which on the steps lead away."""


class LearningRateRange(NamedTuple):
    """What a range of learning rates did.

    Attributes:
        rates: of the steps done, in rising order.
        losses: of their batches, before each update.
        smoothed: each loss as the mean of itself and of three before and after it, as far as there are.
        suggested: a quarter of the rate at which that mean is the least.
    """

    rates: Float[np.ndarray, " n"]
    losses: Float[np.ndarray, " n"]
    smoothed: Float[np.ndarray, " n"]
    suggested: float


def learning_rate_range(
    network: Network,
    train: Examples,
    *,
    recipe: Recipe = DEFAULT_RECIPE,
    lowest: float = 1e-5,
    highest: float = 10.0,
    steps: int = 100,
) -> LearningRateRange:
    """Trains for some steps at rates from `lowest` to `highest`, each larger than the last by the same factor.

    All else is as the recipe says: the optimiser, batches and their augmentation. It ends early once the mean of the
    losses is four times its least value, or a loss or parameter is not finite.

    Args:
        network: a tuple of layers, whose output is one score per class.
        train: the images and labels to learn from, as `fit` takes them.
        recipe: how to train; its learning rate, schedule and warm-up do not matter.
        lowest: the first learning rate.
        highest: the last one.
        steps: how many, at least 10.

    Returns:
        A `LearningRateRange`; a pure function of the arguments.

    Raises:
        ValueError: an argument out of range, or an optimiser that has no name, which has rates of its own; by name.
        TypeError: an argument of another type; by name.
        DataError: as `fit`.
        TrainingError: not even the lowest rates gave ten finite losses, or the loss never fell.

    Source: Smith 2017, "Cyclical learning rates for training neural networks".
    """
    images = checked_call(network, train, recipe)
    if recipe.own_optimizer:
        raise ValueError("optimizer: expected one of those that have a name; rates of any other are its own")
    lowest, highest = arguments.number("lowest", lowest), arguments.number("highest", highest)
    if not 0 < lowest < highest:
        raise ValueError(f"lowest={lowest:g}, highest={highest:g}: expected 0 < lowest < highest")
    rates = lowest * (highest / lowest) ** np.linspace(0, 1, geometry.integer("steps", steps, FEWEST))
    with settings.fixed(recipe.dtype):
        losses = _losses(tuple(network), _needed(images, recipe, len(rates)), recipe, rates)
    rates, smoothed = rates[: len(losses)], running_mean(losses)
    return LearningRateRange(rates, losses, smoothed, suggestion(rates, smoothed))


FEWEST = 10
"""Steps, of which less says nothing."""


def _needed(images: Dataset, recipe: Recipe, steps: int) -> Dataset:
    """The images of the first epochs of so many steps, or all; so that of images mapped from a file no more are read."""
    count = steps * recipe.batch_size
    if count >= len(images.images):
        return images
    rows = np.sort(host_order(recipe.seed, 0, len(images.images))[:count])
    chosen = np.empty((count, *images.input_shape), images.images.dtype)
    take_rows(images.images, rows, chosen)
    return images._replace(images=chosen, labels=images.labels[rows])


def _losses(network: Network, images: Dataset, recipe: Recipe, rates: np.ndarray) -> Float[np.ndarray, " n"]:
    """The losses of steps at these rates, as far as they go."""
    factor = math.log(rates[-1] / rates[0]) / (len(rates) - 1)
    transformation = with_rate(recipe, lambda step: rates[0] * jax.numpy.exp(factor * step))
    run_steps = make_run_steps(recipe, network, len(images.images), fastest_ops(), transformation=transformation)
    state = first_state(recipe, network, images, len(rates))
    on_device = jax.device_put((images.images, images.labels))
    losses: list[float] = []
    for step in range(len(rates)):
        state, progress = run_steps(state, *on_device, step, step + 1)
        if progress.failed:
            break
        losses.append(float(progress.last_loss))
        smoothed = running_mean(np.array(losses))
        if smoothed[-1] > TOO_LARGE * smoothed.min():  # the last is that of four losses
            break
    if len(losses) < FEWEST:
        raise TrainingError(
            f"the loss is not finite, or leads away, after {len(losses)} steps, at the learning rate "
            f"{rates[min(len(losses), len(rates) - 1)]:.2g}: try a smaller lowest (now {rates[0]:g})"
        )
    return np.array(losses)


def running_mean(losses: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The mean of each and of three before and after it, as far as there are."""
    window = np.ones(2 * AROUND + 1)
    return np.convolve(losses, window)[AROUND:-AROUND] / np.convolve(np.ones_like(losses), window)[AROUND:-AROUND]


def suggestion(rates: Float[np.ndarray, " n"], smoothed: Float[np.ndarray, " n"]) -> float:
    """A quarter of the rate at which the mean of the losses is the least: soon after it steps lead away.

    Unlike the steepest slope, it hardly hangs on single batches.

    Args:
        rates: rising.
        smoothed: the means of the losses.

    Raises:
        TrainingError: the mean never falls.
    """
    least = int(smoothed.argmin())
    if least == 0:
        raise TrainingError(
            f"the loss does not fall at any learning rate from {rates[0]:.2g} to {rates[-1]:.2g}: try a smaller lowest"
        )
    return float(rates[least] / BELOW)


BELOW = 4.0
"""How far below the rate of the least loss is the one that is suggested."""
