"""A network as a module of Flax NNX, and back."""

from functools import cache
from typing import Any

import jax
from jax import Array

from jcnn.exchange.errors import ExchangeError, library
from jcnn.layers import DEFAULT, Network, Ops
from jcnn.network import apply, apply_training


def to_nnx(network: Network, params: Any, state: Any = None, *, ops: Ops = DEFAULT) -> Any:
    """A network as an `nnx.Module`: its parameters are `nnx.Param`, what layers keep beside them `nnx.BatchStat`.

    Called with a batch (N, *S, C) it gives the last layer's output. As other modules it is switched by `.train()` and
    `.eval()`, in which it begins; in training it takes the statistics of the batch and keeps the running ones, and layers that
    draw take `key=`.

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        state: as `init_state` makes it, or as training left it.
        ops: formulation and gradient of the operations.

    Returns:
        The module.

    Raises:
        ExchangeError: Flax is not installed.
    """
    return _module_class()(network, params, state, ops)


def from_nnx(module: Any) -> tuple[Network, Any, Any]:
    """(network, params, state) of a module that `to_nnx` made, as it is now; state None if nothing is kept.

    Raises:
        ExchangeError: another module, or Flax is not installed.
    """
    if not isinstance(module, _module_class()):
        raise ExchangeError(f"module is a {type(module).__name__}: expected one that to_nnx made")
    return module.network, *module.trees()


@cache
def _module_class() -> type[Any]:
    nnx: Any = library("flax.nnx", "flax", "a module of Flax NNX")

    class JcnnNetwork(nnx.Module):
        """A network of jcnn."""

        def __init__(self, network: Network, params: Any, state: Any, ops: Ops) -> None:
            self.network = nnx.static(network)
            self.ops = nnx.static(ops)
            self.params = nnx.data(jax.tree.map(nnx.Param, params))
            self.state = nnx.data(jax.tree.map(nnx.BatchStat, state))
            self.deterministic = True

        def __call__(self, x: Array, *, key: Array | None = None) -> Array:
            params, state = self.trees()
            if self.deterministic:
                return apply(self.network, params, x, ops=self.ops, state=state)
            logits, after = apply_training(self.network, params, x, ops=self.ops, state=state, key=key)
            for kept, new in zip(_variables(self.state), jax.tree.leaves(after), strict=True):
                kept[...] = new
            return logits

        def trees(self) -> tuple[Any, Any]:
            """(params, state) as plain arrays."""
            return _plain(self.params), _plain(self.state)

    def _is_variable(node: Any) -> bool:
        return isinstance(node, nnx.Variable)

    def _variables(tree: Any) -> list[Any]:
        return jax.tree.leaves(tree, is_leaf=_is_variable)

    def _plain(tree: Any) -> Any:
        return jax.tree.map(lambda variable: variable[...], tree, is_leaf=_is_variable)

    return JcnnNetwork
