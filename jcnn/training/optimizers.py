"""From gradients to updates: the learning rate of every step, the named optimisers, and those of others."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jcnn.network import Params
from jcnn.training.hyperparameters import Recipe


def schedule(recipe: Recipe, steps: int) -> optax.Schedule:
    """The learning rate of every step: a line up over the warm-up, then a cosine to zero, or constant."""
    warmup = round(recipe.warmup * steps)
    peak = recipe.learning_rate
    after = optax.cosine_decay_schedule(peak, max(steps - warmup, 1)) if recipe.schedule == "cosine" else lambda _: peak
    rise = optax.linear_schedule(peak / max(warmup, 1), peak, max(warmup - 1, 1))
    joined = optax.join_schedules([rise, after], [warmup])
    return lambda step: joined(jnp.asarray(step, jnp.float32))


def optimizer(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """The recipe's optimiser, over so many steps."""
    if isinstance(recipe.optimizer, optax.GradientTransformation):
        return recipe.optimizer
    return NAMED[recipe.optimizer](recipe, schedule(recipe, steps))


def _weights(params: Params) -> Any:
    """What weight decay pulls at: all but the biases."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def _sgd(recipe: Recipe, rate: optax.Schedule) -> optax.GradientTransformation:
    """With momentum (Nesterov), and weight decay added to the gradients."""
    momentum = recipe.momentum or None
    return optax.chain(
        optax.add_decayed_weights(recipe.weight_decay, mask=_weights),
        optax.sgd(rate, momentum=momentum, nesterov=momentum is not None),
    )


def _adam(recipe: Recipe, rate: optax.Schedule) -> optax.GradientTransformation:
    """Kingma & Ba 2015, weight decay added to the gradients."""
    return optax.chain(
        optax.add_decayed_weights(recipe.weight_decay, mask=_weights),
        optax.adam(rate, b1=recipe.momentum),
    )


def _adamw(recipe: Recipe, rate: optax.Schedule) -> optax.GradientTransformation:
    """Loshchilov & Hutter 2019, weight decay beside the gradients, at the learning rate."""
    return optax.adamw(rate, b1=recipe.momentum, weight_decay=recipe.weight_decay, mask=_weights)


NAMED: dict[str, Callable[[Recipe, optax.Schedule], optax.GradientTransformation]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
}


def check_optimizer(transformation: optax.GradientTransformation, params: Params, *, stored: bool) -> None:
    """Refuses an optimiser that cannot be stepped with, before anything is compiled.

    Args:
        transformation: the optimiser.
        params: the parameters, or their shapes and dtypes.
        stored: whether checkpoints have to hold its state.

    Raises:
        ValueError: its `init` or `update` fails on such parameters, an update changes the structure of its state, or that is to
            be stored and holds more than plain numbers.
    """
    try:
        before = jax.eval_shape(transformation.init, params)
        updates, after = jax.eval_shape(transformation.update, params, before, params)
    except Exception as error:  # whatever somebody else's code makes of it
        raise ValueError(f"optimizer: it cannot be used with these parameters: {error}") from error
    if _structure(before) != _structure(after):
        raise ValueError(f"optimizer: its update makes the state {_structure(after)} of the state {_structure(before)}")
    if _structure(updates) != _structure(params):
        raise ValueError(f"optimizer: it makes the updates {_structure(updates)} for the parameters {_structure(params)}")
    for leaf in jax.tree.leaves(before):
        if stored and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            raise ValueError(f"optimizer: its state holds {leaf.dtype}, which no checkpoint can: expected plain numbers")


def described(transformation: optax.GradientTransformation, params: Params) -> dict[str, str]:
    """What can be stored of an optimiser that has no name: the structure of its state."""
    return {"optax": _structure(jax.eval_shape(transformation.init, params))}


def _structure(state: Any) -> str:
    leaves = ", ".join(f"{leaf.dtype.name}{list(leaf.shape)}" for leaf in jax.tree.leaves(state))
    return f"{jax.tree.structure(state)} of {leaves or 'nothing'}"
