"""What contenders written as plain JAX functions share: single passes by `jax.vjp`, training steps one or many a call."""

import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import count
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks.cases import Case, Convolution, Maximum, Pooling, Product, Step
from experiments.benchmarks.contenders.arrays import BATCHES, MOMENTUM, RATE, batches, fingerprint, initial_params, operands
from experiments.benchmarks.contenders.protocol import Prepared, Variant

Apply = Callable[[Any, jax.Array], jax.Array]
"""Parameters and a batch to logits."""
CHECKED = 4
MOST = 100
"""Steps a call of a loop."""
LONGEST = 2.5
"""Seconds a call should take at most."""


class Functions(NamedTuple):
    """The operations of one contender.

    Attributes:
        conv: y of a convolution from x and w.
        max_pool: y of a max-pooling from x.
        network: the forward pass of a training step's network.
        options: what it has XLA compile with; None: XLA's defaults.
    """

    conv: Callable[[Convolution, Variant], Callable[[jax.Array, jax.Array], jax.Array]]
    max_pool: Callable[[Pooling, Variant], Callable[[jax.Array], jax.Array]]
    network: Callable[[Step, Variant], Apply]
    options: dict[str, str] | None = None


def versions(*packages: str) -> dict[str, str]:
    """Versions of JAX and of these packages."""
    return {name: version(name) for name in ("jax", "jaxlib", *packages)}


def preparer(functions: Functions) -> Callable[[Case, Variant], Prepared]:
    """`prepare` of a contender that has these functions."""

    def prepare(case: Case, variant: Variant) -> Prepared:
        if isinstance(case, Step):
            return _steps(case, functions.network(case, variant), variant.get("per_call"), functions.options)
        if isinstance(case, Maximum):
            return _in_place(jnp.maximum, operands(case))
        arrays = [jnp.asarray(array) for array in operands(case)]
        if isinstance(case, Pooling) and case.what == "backward":
            # As in training: the forward pass has left what the way back needs.
            x, dy = arrays
            pool = functions.max_pool(case, variant)
            arrays = [jax.jit(lambda x: jax.vjp(pool, x)[1], compiler_options=functions.options)(x), dy]
        compiled = jax.jit(_pass(functions, case, variant), compiler_options=functions.options)
        return Prepared(lambda: jax.block_until_ready(compiled(*arrays)), lambda results: fingerprint(np.asarray(results[0])))

    return prepare


def _in_place(combine: Callable[..., jax.Array], arrays: list[np.ndarray]) -> Prepared:
    """The result in place of the first array."""
    compiled = jax.jit(combine, donate_argnums=0)
    first, second = (jnp.array(array) for array in arrays)

    def call() -> jax.Array:
        nonlocal first
        first = jax.block_until_ready(compiled(first, second))
        return first

    return Prepared(call, lambda results: fingerprint(np.asarray(results[-1])))


def _pass(functions: Functions, case: Convolution | Pooling | Product, variant: Variant) -> Callable[..., jax.Array]:
    if isinstance(case, Product):
        return jnp.matmul
    if isinstance(case, Pooling):
        pool = functions.max_pool(case, variant)
        return (lambda x, _: pool(x)) if case.what == "forward" else lambda pull_back, dy: pull_back(dy)[0]
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
    step: Callable[..., tuple[Any, jax.Array]],
    sample: Callable[[Any, jax.Array], tuple[jax.Array, jax.Array]],
    options: dict[str, str] | None = None,
) -> Any:
    """Steps first … last − 1 in one compiled call, at most MOST of them, the state donated, as `jcnn.training.step` has it.

    Returns:
        `run(state, data, first, last)`: the next state, and the losses.
    """

    def run(state: Any, data: Any, first: jax.Array, last: jax.Array) -> tuple[Any, jax.Array]:
        def body(carry: tuple[Any, jax.Array, jax.Array]) -> tuple[Any, jax.Array, jax.Array]:
            state, losses, number = carry
            state, loss = step(state, *sample(data, number))
            return state, losses.at[number - first].set(loss), number + 1

        state, losses, _ = jax.lax.while_loop(lambda carry: carry[2] < last, body, (state, jnp.zeros(MOST), first))
        return state, losses

    return jax.jit(run, donate_argnums=0, compiler_options=options)


def _steps(case: Step, apply: Apply, per_call: int | None, options: dict[str, str] | None) -> Prepared:
    optimizer = optax.sgd(RATE, momentum=MOMENTUM)
    step = make_step(apply, optimizer)
    params = tuple(jax.device_put(initial_params(case), may_alias=False))  # it is donated
    state: Any = (params, jax.jit(optimizer.init)(params))  # one small program to compile, not one a leaf
    images, labels = jax.device_put(batches(case))
    if per_call is not None:
        return _looped(step, state, images, labels, per_call, options)
    compiled = jax.jit(step, donate_argnums=0, compiler_options=options)
    pairs = [(images[number], labels[number]) for number in range(BATCHES)]
    numbers = count()

    def call() -> Any:
        nonlocal state
        state, loss = jax.block_until_ready(compiled(state, *pairs[next(numbers) % BATCHES]))
        return loss

    return Prepared(call, lambda results: [float(loss) for loss in results[:CHECKED]], checked=CHECKED)


def _looped(
    step: Any, state: Any, images: jax.Array, labels: jax.Array, per_call: int, options: dict[str, str] | None
) -> Prepared:
    """Steps inside a compiled call; fewer a call where a step takes long, since only the time of one is looked at."""
    loop = make_loop(step, lambda data, number: (data[0][number % BATCHES], data[1][number % BATCHES]), options)
    done = 0

    def advance(steps: int) -> Any:
        nonlocal state, done
        state, losses = jax.block_until_ready(loop(state, (images, labels), np.int32(done), np.int32(done + steps)))
        done += steps
        return losses

    if per_call == 1:
        return Prepared(lambda: advance(1), lambda results: [float(losses[0]) for losses in results[:CHECKED]], checked=CHECKED)
    checked = [float(loss) for loss in advance(CHECKED)[:CHECKED]]
    started = time.perf_counter()
    advance(1)
    steps = max(1, min(per_call, int(LONGEST / (time.perf_counter() - started))))
    return Prepared(lambda: advance(steps), lambda _: checked, steps)
