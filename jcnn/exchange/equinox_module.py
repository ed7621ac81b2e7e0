"""A network as a module of Equinox, and back."""

import dataclasses
from functools import cache
from typing import Any

import jax
from jax import Array

from jcnn.exchange.errors import ExchangeError, library
from jcnn.layers import DEFAULT, Layer, Network, Ops
from jcnn.network import apply, apply_training


def to_equinox(network: Network, params: Any, state: Any = None, *, ops: Ops = DEFAULT) -> Any:
    """A network as an `equinox.Module`: a pytree whose leaves are its parameters, and what layers keep beside them.

    `module(x)` gives the last layer's output for a batch (N, *S, C), in evaluation. `module.train(x, key=…)` gives it in
    training, and the module with what its layers keep afterwards. No gradient reaches `module.state`.

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        state: as `init_state` makes it, or as training left it.
        ops: formulation and gradient of the operations.

    Returns:
        The module.

    Raises:
        ExchangeError: Equinox is not installed.
    """
    return _module_class()(_hashable(network), params, state, ops)


def from_equinox(module: Any) -> tuple[Network, Any, Any]:
    """(network, params, state) of a module that `to_equinox` made, as it is now; state None if nothing is kept.

    Raises:
        ExchangeError: another module, or Equinox is not installed.
    """
    if not isinstance(module, _module_class()):
        raise ExchangeError(f"module is a {type(module).__name__}: expected one that to_equinox made")
    return module.network, module.params, module.state


@cache
def _module_class() -> type[Any]:
    equinox: Any = library("equinox", "equinox", "a module of Equinox")

    class JcnnNetwork(equinox.Module):
        """A network of jcnn."""

        network: Any = equinox.field(static=True)
        params: Any
        state: Any
        ops: Ops = equinox.field(static=True)

        def __call__(self, x: Array) -> Array:
            return apply(self.network, self.params, x, ops=self.ops, state=jax.lax.stop_gradient(self.state))

        def train(self, x: Array, *, key: Array | None = None) -> tuple[Array, "JcnnNetwork"]:
            """(logits, module): in training, and what is kept afterwards."""
            state = jax.lax.stop_gradient(self.state)
            logits, after = apply_training(self.network, self.params, x, ops=self.ops, state=state, key=key)
            return logits, dataclasses.replace(self, state=jax.lax.stop_gradient(after))

    return JcnnNetwork


def _hashable(network: Network) -> Network:
    """The network with tuples for lists."""
    return tuple(part if isinstance(part, Layer) else _hashable(part) for part in network)
