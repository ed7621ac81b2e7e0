"""Equinox as its users write it: modules of one example under `vmap`, `filter_jit`, one training step a call."""

from importlib.metadata import version
from itertools import count
from typing import Any

import equinox as eqx  # pyright: ignore[reportMissingImports]
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks.cases import Case, Layer, Step
from experiments.benchmarks.contenders.arrays import BATCHES, MOMENTUM, RATE, batches, initial_params
from experiments.benchmarks.contenders.channels_first import params_channels_first
from experiments.benchmarks.contenders.protocol import Contender, Prepared, Variant, serve


def _build(layer: Layer, inputs: int, own: dict[str, np.ndarray]) -> Any:
    key = jax.random.key(0)
    match layer.kind:
        case "conv":
            conv = eqx.nn.Conv2d(inputs, layer.units, layer.window, padding=layer.padding, key=key)
            values = (jnp.asarray(own["w"]), jnp.asarray(own["b"])[:, None, None])
            return eqx.tree_at(lambda conv: (conv.weight, conv.bias), conv, values)
        case "dense":
            linear = eqx.nn.Linear(inputs, layer.units, key=key)
            return eqx.tree_at(lambda linear: (linear.weight, linear.bias), linear, tuple(map(jnp.asarray, own.values())))
        case "max_pool":
            return eqx.nn.MaxPool2d(layer.window, layer.window)
        case "avg_pool":
            return eqx.nn.AvgPool2d(layer.window, layer.window)
        case kind:
            return eqx.nn.Lambda({"relu": jax.nn.relu, "tanh": jnp.tanh, "flatten": jnp.ravel}[kind])


def prepare(case: Case, variant: Variant) -> Prepared:
    """A training step; single operations are those of `lax`."""
    del variant
    if not isinstance(case, Step):
        raise TypeError(f"{case.kind}: Equinox has the operations of lax")
    params = params_channels_first(case, initial_params(case))
    layers = [_build(layer, shape[-1], own) for (layer, shape, _), own in zip(case.trace(), params, strict=True)]
    model = eqx.nn.Sequential(layers)
    optimizer = optax.sgd(RATE, momentum=MOMENTUM)

    @eqx.filter_value_and_grad
    def loss_and_gradient(model: Any, x: jax.Array, labels: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model)(x), labels).mean()

    @eqx.filter_jit(donate="all-except-first")
    def step(batch: tuple[jax.Array, jax.Array], model: Any, memory: Any) -> tuple[Any, Any, jax.Array]:
        loss, gradient = loss_and_gradient(model, *batch)
        updates, memory = optimizer.update(gradient, memory, model)
        return eqx.apply_updates(model, updates), memory, loss

    images, labels = batches(case)
    images = np.moveaxis(images, -1, 2)
    pairs = [(jnp.asarray(images[number]), jnp.asarray(labels[number])) for number in range(BATCHES)]
    state: Any = (model, optimizer.init(eqx.filter(model, eqx.is_inexact_array)))
    numbers = count()

    def call() -> jax.Array:
        nonlocal state
        *state, loss = step(pairs[next(numbers) % BATCHES], *state)
        jax.block_until_ready([leaf for leaf in jax.tree.leaves(state) if eqx.is_array(leaf)])
        return loss.block_until_ready()

    return Prepared(call, lambda results: [float(loss) for loss in results[:4]], checked=4)


if __name__ == "__main__":
    serve(Contender({name: version(name) for name in ("equinox", "jax", "jaxlib")}, prepare))
