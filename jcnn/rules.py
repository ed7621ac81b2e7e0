"""Joins a forward function to its hand-derived backward, once for all operations."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args

import jax

from jcnn.geometry import choice

Gradient = Literal["autodiff", "manual"]


def differentiable(
    forward: Callable[..., Any], backward: Callable[..., Any], gradient: str, note: Callable[..., tuple[Any, ...]] | None = None
) -> Callable[..., Any]:
    """`forward` with the gradient asked for.

    Args:
        forward: y = forward(*args), a pure function of arrays (None allowed).
        backward: the gradients of ⟨dy, y⟩ by each argument, backward(dy, *noted), in the order of args.
        gradient: `"autodiff"`, JAX differentiates `forward`; `"manual"`, reverse mode calls `backward`. The manual rule can be
            differentiated again, mapped and sharded, but has no forward mode (`jvp`), as every `jax.custom_vjp`.
        note: what the forward pass leaves for `backward`, note(*args); None: the arguments.

    Returns:
        The operation, with the arguments of `forward`. Forward mode over a manual one raises a TypeError that names the
        alternative; where the caller's `jit` stands in between, JAX finds out only when it compiles, and the words are its own.

    Raises:
        ValueError: `gradient` is neither.
    """
    if choice("gradient", gradient, get_args(Gradient)) == "autodiff":
        return forward
    rule = jax.custom_vjp(forward)
    rule.defvjp(lambda *args: (forward(*args), note(*args) if note else args), lambda noted, dy: backward(dy, *noted))

    def operation(*args: Any) -> Any:
        with naming_forward_mode(gradient):
            return rule(*args)

    return operation


@contextmanager
def naming_forward_mode(gradient: str) -> Iterator[None]:
    """Where the gradient is `"manual"`, JAX's refusal of the forward mode becomes one that names the alternative.

    Raises:
        TypeError: the forward mode was asked for.
    """
    try:
        yield
    except TypeError as error:
        if gradient != "manual" or "forward-mode" not in str(error):
            raise
        raise TypeError('gradient="manual" has no forward mode (jvp, jacfwd, linearize): use gradient="autodiff"') from error
