"""Training until an accuracy is reached, for contenders written as plain JAX functions: 100 steps a compiled call."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks.cases import Step
from experiments.benchmarks.contenders.arrays import MOMENTUM, initial_params
from experiments.benchmarks.contenders.protocol import Variant
from experiments.benchmarks.contenders.recipe import EVALUATED_AT_ONCE, Progress, Recipe
from experiments.benchmarks.contenders.through_jax import Apply, make_loop, make_step
from experiments.benchmarks.shapes import SMALL


def learner(
    network: Callable[[Step, Variant], Apply], options: dict[str, str] | None = None
) -> Callable[[Path, Variant], Progress]:
    """`learn` of a contender with such networks, compiled with such options."""

    def learn(folder: Path, variant: Variant) -> Progress:
        recipe, apply = Recipe.read(folder), network(SMALL, variant)
        rates = jnp.asarray(recipe.rates)
        optimizer = optax.sgd(lambda number: rates[number], momentum=MOMENTUM)
        params = tuple(jax.tree.map(jnp.asarray, initial_params(SMALL, recipe.seed)))
        data = tuple(map(jnp.asarray, (recipe.images, recipe.labels, recipe.order)))

        def sample(data: Any, number: jax.Array) -> tuple[jax.Array, jax.Array]:
            images, labels, order = data
            chosen = order[number]
            return images[chosen].astype(jnp.float32) / 255, labels[chosen]

        steps = make_loop(make_step(apply, optimizer), sample, options)

        @partial(jax.jit, compiler_options=options)
        def classify(params: Any, images: jax.Array) -> jax.Array:
            return apply(params, images.astype(jnp.float32) / 255).argmax(-1)

        test = [jnp.asarray(part) for part in np.split(recipe.test_images, len(recipe.test_images) // EVALUATED_AT_ONCE)]
        state: Any = (params, jax.jit(optimizer.init)(params))
        progress = []
        for first in range(0, len(recipe.order), recipe.evaluate_every):
            state, _ = steps(state, data, jnp.int32(first), jnp.int32(first + recipe.evaluate_every))
            found = np.concatenate([np.asarray(classify(state[0], part)) for part in test])
            accuracy = float((found == recipe.test_labels).mean())
            progress.append((first + recipe.evaluate_every, accuracy, time.time()))
            if accuracy >= recipe.target:
                break
        return progress

    return learn
