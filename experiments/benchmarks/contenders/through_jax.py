"""What contenders written as plain JAX functions share: single passes by `jax.vjp`, training steps one or many a call."""

from collections.abc import Callable
from importlib.metadata import version
from itertools import count
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks.cases import Case, Convolution, Pooling, Product, Step
from experiments.benchmarks.contenders.arrays import BATCHES, MOMENTUM, RATE, batches, fingerprint, initial_params, operands
from experiments.benchmarks.contenders.protocol import Prepared, Variant

Apply = Callable[[Any, jax.Array], jax.Array]
"""Parameters and a batch to logits."""


class Functions(NamedTuple):
    """The operations of one contender.

    Attributes:
        conv: y of a convolution from x and w.
        max_pool: y of a max-pooling from x.
        network: the forward pass of a training step's network.
    """

    conv: Callable[[Convolution, Variant], Callable[[jax.Array, jax.Array], jax.Array]]
    max_pool: Callable[[Pooling, Variant], Callable[[jax.Array], jax.Array]]
    network: Callable[[Step, Variant], Apply]


def versions(*packages: str) -> dict[str, str]:
    """Versions of JAX and of these packages."""
    return {name: version(name) for name in ("jax", "jaxlib", *packages)}


def preparer(functions: Functions) -> Callable[[Case, Variant], Prepared]:
    """`prepare` of a contender that has these functions."""

    def prepare(case: Case, variant: Variant) -> Prepared:
        if isinstance(case, Step):
            return _steps(case, functions.network(case, variant), variant.get("per_call"))
        arrays = [jnp.asarray(array) for array in operands(case)]
        compiled = jax.jit(_pass(functions, case, variant))
        return Prepared(lambda: jax.block_until_ready(compiled(*arrays)), lambda results: fingerprint(np.asarray(results[0])))

    return prepare


def _pass(functions: Functions, case: Convolution | Pooling | Product, variant: Variant) -> Callable[..., jax.Array]:
    if isinstance(case, Product):
        return jnp.matmul
    if isinstance(case, Pooling):
        pool = functions.max_pool(case, variant)
        if case.what == "forward":
            return lambda x, _: pool(x)
        return lambda x, dy: jax.vjp(pool, x)[1](dy)[0]
    conv = functions.conv(case, variant)
    passes: dict[str, Callable[..., jax.Array]] = {
        "forward": lambda x, w, _: conv(x, w),
        "dx": lambda x, w, dy: jax.vjp(lambda x: conv(x, w), x)[1](dy)[0],
        "dw": lambda x, w, dy: jax.vjp(lambda w: conv(x, w), w)[1](dy)[0],
    }
    return passes[case.what]


def make_step(
    apply: Apply, optimizer: optax.GradientTransformation
) -> Callable[[Any, jax.Array, jax.Array], tuple[Any, jax.Array]]:
    """One step on a batch: (parameters, memory) to the next, and the loss before it."""

    def loss_of(params: Any, x: jax.Array, labels: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(apply(params, x), labels).mean()

    def step(state: Any, x: jax.Array, labels: jax.Array) -> tuple[Any, jax.Array]:
        loss, gradient = jax.value_and_grad(loss_of)(state[0], x, labels)
        updates, memory = optimizer.update(gradient, state[1], state[0])
        return (optax.apply_updates(state[0], updates), memory), loss

    return step


def make_loop(
    step: Callable[..., tuple[Any, jax.Array]], sample: Callable[[Any, jax.Array], tuple[jax.Array, jax.Array]]
) -> Any:
    """Many steps in one compiled call, the state donated, as `jcnn.training.step` has it: (state, data, first, losses)."""

    def run(state: Any, data: Any, first: jax.Array, losses: jax.Array) -> tuple[Any, jax.Array]:
        def body(carry: tuple[Any, jax.Array, jax.Array]) -> tuple[Any, jax.Array, jax.Array]:
            state, losses, done = carry
            state, loss = step(state, *sample(data, first + done))
            return state, losses.at[done].set(loss), done + 1

        start = (state, losses, jnp.zeros((), jnp.int32))
        state, losses, _ = jax.lax.while_loop(lambda carry: carry[2] < len(losses), body, start)
        return state, losses

    return jax.jit(run, donate_argnums=0)


def _steps(case: Step, apply: Apply, per_call: int | None) -> Prepared:
    optimizer = optax.sgd(RATE, momentum=MOMENTUM)
    step = make_step(apply, optimizer)
    params = tuple(jax.tree.map(jnp.asarray, initial_params(case)))
    images, labels = map(jnp.asarray, batches(case))
    state: Any = (params, optimizer.init(params))
    numbers = count()

    if per_call is None:
        compiled = jax.jit(step, donate_argnums=0)
        pairs = [(images[number], labels[number]) for number in range(BATCHES)]

        def call() -> Any:
            nonlocal state
            state, loss = jax.block_until_ready(compiled(state, *pairs[next(numbers) % BATCHES]))
            return loss
    else:
        loop = make_loop(step, lambda data, number: (data[0][number % BATCHES], data[1][number % BATCHES]))
        losses = jnp.zeros(per_call)

        def call() -> Any:
            nonlocal state
            first = jnp.int32(next(numbers) * per_call)
            state, seen = jax.block_until_ready(loop(state, (images, labels), first, losses))
            return seen

    return Prepared(call, lambda results: [float(loss) for loss in np.hstack(results)[:4]], per_call or 1)
