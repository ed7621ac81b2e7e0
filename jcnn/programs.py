"""Every public operation is one compiled program for each shape and choice of options, also outside of `jax.jit`.

Called outside of it, JAX compiles and runs each primitive on its own, which makes a first call slow and every later one too. So
the arrays of an operation, once checked, go to one function, compiled as a whole. Under `jax.jit` its primitives are inlined,
and nothing of it is to be seen; `jax.disable_jit` takes it away.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import jax
from jax.core import eval_context
from jax.extend.core import get_opaque_trace_state

from jcnn.compilation import BARRIERS
from jcnn.precision import rounded_once

P = ParamSpec("P")
T = TypeVar("T")

with eval_context():
    _OUTERMOST = get_opaque_trace_state()


def compiled(*static: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Makes one program of a pure function of arrays, for each of their shapes and dtypes and each value of the rest.

    To be used once per function, where it is defined: what was compiled is found again by the function.

    Args:
        *static: names of the arguments that are no arrays; their values can be hashed, and equal ones mean the same program.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        anywhere: Any = jax.jit(function, static_argnames=static, inline=True)
        # Without this XLA's CPU backend removes barriers, and computes what they hold as often as it is read.
        on_cpu: Any = jax.jit(function, static_argnames=static, inline=True, compiler_options=BARRIERS)

        @wraps(function)
        def program(*args: P.args, **kwargs: P.kwargs) -> T:
            if not _is_computed_on_cpu(args):
                return anywhere(*args, **kwargs)
            return on_cpu(*args, **kwargs)

        return program

    return decorate


def rounded_program(function: Callable[..., T]) -> Callable[..., T]:
    """`compiled` for a function of arrays alone, computed as `rounded_once` says."""

    @wraps(function)
    def rounded(*arrays: Any) -> T:
        return rounded_once(function, *arrays)

    return compiled()(rounded)


def _is_computed_on_cpu(args: tuple[Any, ...]) -> bool:
    """Whether no transformation is under way, which would take no options of the compiler, and the arrays lie on a CPU."""
    if get_opaque_trace_state() != _OUTERMOST:
        return False
    arrays = (leaf for leaf in jax.tree.leaves(args) if isinstance(leaf, jax.Array))
    return all(device.platform == "cpu" for array in arrays for device in array.devices())
