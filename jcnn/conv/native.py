"""Convolution and its gradients by oneDNN on the CPU, where the separate package jcnn_native is installed."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import jax
from jax import Array
from jax.custom_batching import custom_vmap
from jaxtyping import Num

from jcnn.precision import wide
from jcnn.window import Window


@cache
def missing() -> str | None:
    """Why jcnn_native cannot be had; None if it can."""
    try:
        import jcnn_native  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        return str(error)
    return None


def available() -> bool:
    """Whether the native convolution can be had: JAX runs on the CPU, and jcnn_native is installed and loads."""
    return jax.default_backend() == "cpu" and missing() is None


def require() -> None:
    """Checks that it can be had.

    Raises:
        ValueError: it cannot; with the remedy.
    """
    if jax.default_backend() != "cpu":
        raise ValueError(f"formulation='native' runs on the CPU only, the backend is {jax.default_backend()}: take 'auto'")
    if (reason := missing()) is not None:
        raise ValueError(
            f"formulation='native': {reason}; `make native` in the source of jcnn installs it, 'auto' needs nothing"
        )


def conv_native(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int
) -> Num[Array, "n *o c_out"]:
    """y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k] by oneDNN, in float32."""
    return _forward(window, groups, wide(x), wide(w))


def input_gradient(
    dy: Num[Array, "n *o c_out"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int, input_shape: Sequence[int]
) -> Num[Array, "n *s c_in"]:
    """dx, in float32."""
    return _input_gradient(window, groups, tuple(input_shape), wide(dy), wide(w))


def filter_gradient(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int
) -> Num[Array, "*f c_group c_out"]:
    """dw, in float32."""
    return _filter_gradient(window, groups, wide(dy), wide(x))


# The three passes are each other's gradients, since all come from ⟨dy, forward(x, w)⟩, which is linear in dy, x and w: they can
# be differentiated as often as anyone likes, though in reverse mode only.


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _forward(window: Window, groups: int, x: Array, w: Array) -> Array:
    import jcnn_native  # pyright: ignore[reportMissingImports]

    return _over_examples(partial(jcnn_native.forward, **_options(window, groups)))(x, w)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _input_gradient(window: Window, groups: int, input_shape: tuple[int, ...], dy: Array, w: Array) -> Array:
    import jcnn_native  # pyright: ignore[reportMissingImports]

    return _over_examples(partial(jcnn_native.input_gradient, input_shape=input_shape, **_options(window, groups)))(dy, w)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _filter_gradient(window: Window, groups: int, dy: Array, x: Array) -> Array:
    import jcnn_native  # pyright: ignore[reportMissingImports]

    return jcnn_native.filter_gradient(dy, x, window=window.size, **_options(window, groups))


def _options(window: Window, groups: int) -> dict[str, Any]:
    return {"stride": window.stride, "padding": window.padding, "dilation": window.dilation, "groups": groups}


def _over_examples(call: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """`call`, whose `vmap` over the first array alone is one call with more examples, and not one after the other."""
    batched: Any = custom_vmap(call)

    @batched.def_vmap
    def rule(size: int, mapped: list[bool], examples: Array, w: Array) -> tuple[Array, bool]:
        if mapped[1]:
            axes = tuple(0 if each else None for each in mapped)
            return jax.vmap(call, axes)(examples, w), True
        y = batched(examples.reshape(-1, *examples.shape[2:]), w)
        return y.reshape(size, -1, *y.shape[1:]), True

    return batched


_forward.defvjp(
    lambda window, groups, x, w: (_forward(window, groups, x, w), (x, w)),
    lambda window, groups, seen, c: (
        _input_gradient(window, groups, seen[0].shape[1:-1], c, seen[1]),
        _filter_gradient(window, groups, c, seen[0]),
    ),
)
_input_gradient.defvjp(
    lambda window, groups, shape, dy, w: (_input_gradient(window, groups, shape, dy, w), (dy, w)),
    lambda window, groups, _, seen, c: (_forward(window, groups, c, seen[1]), _filter_gradient(window, groups, seen[0], c)),
)
_filter_gradient.defvjp(
    lambda window, groups, dy, x: (_filter_gradient(window, groups, dy, x), (dy, x)),
    lambda window, groups, seen, c: (
        _forward(window, groups, seen[1], c),
        _input_gradient(window, groups, seen[1].shape[1:-1], seen[0], c),
    ),
)
