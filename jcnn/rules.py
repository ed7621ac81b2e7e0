"""Joins a forward function to its hand-derived backward, once for all operations."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax

Gradient = Literal["autodiff", "manual"]


def differentiable(forward: Callable[..., Any], backward: Callable[..., Any], gradient: str) -> Callable[..., Any]:
    """`forward` with the gradient asked for.

    Args:
        forward: y = forward(*args), a pure function of arrays (None allowed).
        backward: the gradients of ⟨dy, y⟩ by each argument, backward(dy, *args), in the order of args.
        gradient: `"autodiff"`, JAX differentiates `forward`; `"manual"`, reverse mode calls `backward`. The manual rule can be
            differentiated again, mapped and sharded, but has no forward mode (`jvp`), as every `jax.custom_vjp`.

    Raises:
        ValueError: `gradient` is neither.
    """
    if gradient not in get_args(Gradient):
        raise ValueError(f"gradient={gradient!r}: expected 'autodiff' or 'manual'")
    if gradient == "autodiff":
        return forward
    rule = jax.custom_vjp(forward)
    rule.defvjp(lambda *args: (forward(*args), args), lambda args, dy: backward(dy, *args))
    return rule
