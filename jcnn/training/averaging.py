"""Averages of the weights over the steps: what is evaluated and saved in place of the last ones, where a recipe asks for it.

The averages are kept in at least float32, beside the weights, and are a part of the state of a run.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Int

from jcnn import arguments, geometry, named_values
from jcnn.precision import wide


@dataclass(frozen=True)
class Averaging:
    """A way to average weights, any pytree of arrays; equal values do the same."""

    def begin(self, weights: Any) -> Any:
        """What is kept before the first step: the weights themselves, in at least float32."""
        return jax.tree.map(lambda leaf: jnp.array(wide(leaf), copy=True), weights)

    def result(self, kept: Any, weights: Any) -> Any:
        """The averages, in the dtypes of the weights."""
        return jax.tree.map(lambda mean, leaf: mean.astype(leaf.dtype), kept, weights)

    def next(self, kept: Any, weights: Any, step: Int[Array, ""]) -> tuple[Any, Any]:
        """What is kept after a step, and the weights to go on with.

        Args:
            kept: as the step before left it.
            weights: after the update of this step.
            step: its number: 0, 1, ….
        """
        raise NotImplementedError


@dataclass(frozen=True)
class EMA(Averaging):
    """The exponential moving average, θ̄ ← d θ̄ + (1 − d) θ after every step, with d = min(decay, (1 + t)/(10 + t)) in step t.

    The smaller d of the first steps forgets the weights that training began with.

    Attributes:
        decay: 0 to below 1: about 1/(1 − decay) steps are averaged over.

    Source: Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; the first steps as TensorFlow's
    `ExponentialMovingAverage`.
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        if not 0 <= arguments.number("decay", self.decay) < 1:
            raise ValueError(geometry.wrong("decay", self.decay, "a number from 0 to below 1"))
        object.__setattr__(self, "decay", float(self.decay))

    def next(self, kept: Any, weights: Any, step: Int[Array, ""]) -> tuple[Any, Any]:
        t = jnp.asarray(step, jnp.float32)
        decay = jnp.minimum(self.decay, (1 + t) / (10 + t))
        return jax.tree.map(lambda mean, leaf: _between(mean, leaf, 1 - decay), kept, weights), weights


@dataclass(frozen=True)
class Lookahead(Averaging):
    """Slow weights that follow the fast ones: after every k-th step φ ← φ + α (θ − φ), and the fast ones go on there, θ ← φ.

    Attributes:
        steps: k, 1 or more.
        pull: α, above 0, to 1.

    Source: Zhang et al. 2019, "Lookahead optimizer: k steps forward, 1 step back".
    """

    steps: int = 5
    pull: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", geometry.integer("steps", self.steps, 1))
        if not 0 < arguments.number("pull", self.pull) <= 1:
            raise ValueError(geometry.wrong("pull", self.pull, "a number above 0, to 1"))
        object.__setattr__(self, "pull", float(self.pull))

    def next(self, kept: Any, weights: Any, step: Int[Array, ""]) -> tuple[Any, Any]:
        meets = (step + 1) % self.steps == 0
        slow = jax.tree.map(lambda mean, leaf: jnp.where(meets, _between(mean, leaf, self.pull), mean), kept, weights)
        fast = jax.tree.map(lambda mean, leaf: jnp.where(meets, mean.astype(leaf.dtype), leaf), slow, weights)
        return slow, fast


def _between(mean: Array, leaf: Array, part: Any) -> Array:
    """From the mean to the leaf by a part of the way; what is counted, and no fraction, is taken as it is."""
    if not jnp.issubdtype(mean.dtype, jnp.floating):
        return leaf
    return mean + jnp.asarray(part, mean.dtype) * (leaf.astype(mean.dtype) - mean)


AVERAGING: dict[str, type[Averaging]] = {"ema": EMA, "lookahead": Lookahead}
"""By the names that they have in words and as data."""


def check(average: Any) -> None:
    """Raises ValueError unless it is a way to average, or None."""
    if average is not None and type(average) not in AVERAGING.values():
        listed = " or ".join(f"{kind.__name__}(…)" for kind in AVERAGING.values())
        raise ValueError(f"average={average!r}: expected {listed} of jcnn.training, or None")


def from_words(word: str) -> Averaging | None:
    """A way to average as the command line has it: `ema:0.999`, `lookahead:5:0.5`, or `none`.

    Raises:
        ValueError: no such way, or numbers that it does not take.
    """
    return None if word == "none" else named_values.from_words("average", word, AVERAGING)


def in_words(average: Averaging | None) -> str:
    """The words that `from_words` makes it from."""
    return "none" if average is None else named_values.in_words(average, AVERAGING)


def to_data(average: Averaging | None) -> Any:
    """As a run's files hold it; what is data already stays it."""
    return named_values.to_data(average, AVERAGING) if isinstance(average, Averaging) else average


def from_data(data: Any) -> Any:
    """What `to_data` wrote; anything but a dict is left for `check` to refuse.

    Raises:
        ValueError: a dict of something else.
    """
    return named_values.from_data("average", data, AVERAGING) if isinstance(data, dict) else data


def usage() -> str:
    """All words there are, with their numbers."""
    return ", ".join([*(named_values.usage(name, AVERAGING) for name in AVERAGING), "none"])
