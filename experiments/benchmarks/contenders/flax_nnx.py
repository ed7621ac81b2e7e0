"""Flax NNX as its users write it: modules, `nnx.jit`, one training step a call."""

import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx  # pyright: ignore[reportMissingImports]

from experiments.benchmarks.cases import Case, Layer, Step
from experiments.benchmarks.contenders.arrays import BATCHES, MOMENTUM, RATE, batches, initial_params
from experiments.benchmarks.contenders.protocol import Contender, Prepared, Variant, serve
from experiments.benchmarks.contenders.recipe import EVALUATED_AT_ONCE, Progress, Recipe
from experiments.benchmarks.shapes import SMALL


def _build(layer: Layer, inputs: int, rngs: Any) -> Any:
    window = (layer.window, layer.window)
    match layer.kind:
        case "conv":
            return nnx.Conv(inputs, layer.units, window, padding=layer.padding, rngs=rngs)
        case "dense":
            return nnx.Linear(inputs, layer.units, rngs=rngs)
        case "max_pool":
            return lambda x: nnx.max_pool(x, window, strides=window)
        case "avg_pool":
            return lambda x: nnx.avg_pool(x, window, strides=window)
        case "flatten":
            return lambda x: x.reshape(len(x), -1)
        case kind:
            return {"relu": nnx.relu, "tanh": nnx.tanh}[kind]


def _model(case: Step, seed: int) -> Any:
    rngs = nnx.Rngs(0)
    model = nnx.Sequential(*(_build(layer, shape[-1], rngs) for layer, shape, _ in case.trace()))
    for layer, own in zip(model.layers, initial_params(case, seed), strict=True):
        if own:
            layer.kernel[...] = jnp.asarray(own["w"])
            layer.bias[...] = jnp.asarray(own["b"])
    return model


def _trainer(case: Step, rate: Any, seed: int = 0) -> tuple[Any, Callable[[Any, Any], jax.Array]]:
    """A model, and a step that trains it on a batch."""
    model = _model(case, seed)
    optimizer = nnx.Optimizer(model, optax.sgd(rate, momentum=MOMENTUM), wrt=nnx.Param)

    @nnx.jit(donate_argnums=(0, 1))
    def step(model: Any, optimizer: Any, x: jax.Array, labels: jax.Array) -> jax.Array:
        def loss_of(model: Any) -> jax.Array:
            return optax.softmax_cross_entropy_with_integer_labels(model(x), labels).mean()

        loss, gradient = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, gradient)
        return loss

    return model, nnx.cached_partial(step, model, optimizer)  # spares walking the modules at every call


def prepare(case: Case, variant: Variant) -> Prepared:
    """A training step; single operations are those of `lax`."""
    del variant
    if not isinstance(case, Step):
        raise TypeError(f"{case.kind}: Flax has the operations of lax")
    model, step = _trainer(case, RATE)
    images, labels = batches(case)
    pairs = [(jnp.asarray(images[number]), jnp.asarray(labels[number])) for number in range(BATCHES)]
    numbers = count()

    def call() -> jax.Array:
        loss = step(*pairs[next(numbers) % BATCHES])
        jax.block_until_ready(nnx.state(model))
        return loss.block_until_ready()

    return Prepared(call, lambda results: [float(loss) for loss in results[:4]], checked=4)


def learn(folder: Path, variant: Variant) -> Progress:
    """Trains `small`; the batches come from NumPy, as from any input pipeline."""
    del variant
    recipe = Recipe.read(folder)
    rates = jnp.asarray(recipe.rates)
    model, step = _trainer(SMALL, lambda number: rates[number], recipe.seed)
    classify = nnx.jit(lambda model, x: model(x).argmax(-1))
    images, labels = recipe.images, recipe.labels
    test = np.split(recipe.test_images, len(recipe.test_images) // EVALUATED_AT_ONCE)
    progress = []
    for number, chosen in enumerate(recipe.order, 1):
        step(images[chosen].astype(np.float32) / 255, labels[chosen])
        if number % recipe.evaluate_every == 0:
            found = np.concatenate([np.asarray(classify(model, part.astype(np.float32) / 255)) for part in test])
            accuracy = float((found == recipe.test_labels).mean())
            progress.append((number, accuracy, time.time()))
            if accuracy >= recipe.target:
                break
    return progress


if __name__ == "__main__":
    serve(Contender({name: version(name) for name in ("flax", "jax", "jaxlib")}, prepare, learn))
