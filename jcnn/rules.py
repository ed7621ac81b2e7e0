"""Joins a forward function to its hand-derived backward, once for all operations."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
            differentiated again, mapped and sharded, where the gradient of what is alike on all devices is collected from all;
            but it has no forward mode (`jvp`), as every `jax.custom_vjp`.
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

    def forward_rule(*args: Any) -> tuple[Any, tuple[tuple[Any, ...], _Varying]]:
        return forward(*args), (note(*args) if note else args, _Varying(tuple(map(_axes_of, args))))

    def backward_rule(left: tuple[tuple[Any, ...], _Varying], dy: Any) -> tuple[Any, ...]:
        noted, varying = left
        return tuple(_summed(given, axes) for given, axes in zip(backward(dy, *noted), varying.axes, strict=True))

    rule.defvjp(forward_rule, backward_rule)

    def operation(*args: Any) -> Any:
        with naming_forward_mode(gradient):
            return rule(*args)

    return operation


@jax.tree_util.register_static
@dataclass(frozen=True)
class _Varying:
    """Along which axes of a mesh each argument varies; known while JAX traces."""

    axes: tuple[frozenset[str], ...]


def _axes_of(array: Any) -> frozenset[str]:
    """The axes of a mesh along which an array is another one on every device, as `jax.shard_map` with its checks knows them."""
    if array is None:
        return frozenset()
    described = jax.typeof(array)
    # Until jax 0.10 the axes were the attribute `vma` itself.
    kind = getattr(described, "manual_axis_type", None)
    return getattr(described, "vma", frozenset()) if kind is None else kind.varying


def _summed(gradient: Any, axes: frozenset[str]) -> Any:
    """The gradient of an argument that varies along these axes only: what is alike on all devices collects from all."""
    over = _axes_of(gradient) - axes
    return jax.lax.psum(gradient, tuple(over)) if over else gradient


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
