"""How the learning rate goes over the steps of a run, by name."""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import optax
from jax import Array

Schedule = Literal["cosine", "constant", "linear", "one-cycle"]

Curve = Callable[[float, int, int], optax.Schedule]
"""`curve(peak, warmup, steps)`: the learning rate of step 0, 1, …, steps − 1, of which the first `warmup` lead to the peak."""

START, END = 1 / 25, 1 / 25e4
"""Where one cycle begins and ends, as parts of its peak; as PyTorch's `OneCycleLR` has them."""


def _after_a_line(after: Callable[[float, int], optax.Schedule]) -> Curve:
    """A line up over the warm-up, whose last step has the peak, then `after(peak, steps left)`."""

    def curve(peak: float, warmup: int, steps: int) -> optax.Schedule:
        rise = optax.linear_schedule(peak / max(warmup, 1), peak, max(warmup - 1, 1))
        return optax.join_schedules([rise, after(peak, max(steps - warmup, 1))], [warmup])

    return curve


def _one_cycle(peak: float, warmup: int, steps: int) -> optax.Schedule:
    """A half cosine from a 25th of the peak up to it, and another down to a 250,000th, reached in the last step."""

    def rate(step: Any) -> Array:
        up = _half_cosine(peak * START, peak, step / max(warmup, 1))
        down = _half_cosine(peak, peak * END, (step - warmup) / max(steps - 1 - warmup, 1))
        return jnp.where(step < warmup, up, down)

    return rate


def _half_cosine(first: float, last: float, part: Array) -> Array:
    return last + (first - last) * (1 + jnp.cos(jnp.pi * jnp.clip(part, 0, 1))) / 2


SCHEDULES: dict[Schedule, Curve] = {
    "cosine": _after_a_line(optax.cosine_decay_schedule),
    "constant": _after_a_line(lambda peak, _: lambda _: peak),
    "linear": _after_a_line(lambda peak, steps: optax.linear_schedule(peak, 0.0, steps)),
    "one-cycle": _one_cycle,
}
