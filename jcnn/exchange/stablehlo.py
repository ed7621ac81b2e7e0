"""A network as one StableHLO program, its weights inside, for any number of examples: JAX runs it without jcnn.

    logits = jax.export.deserialize(Path("digits.stablehlo").read_bytes()).call(x)

`.mlir_module()` of what `deserialize` gives is the program's text, for other compilers of StableHLO.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import jax
from jax import Array, export

from jcnn import geometry
from jcnn.exchange.arrays import check_trained
from jcnn.layers import Network
from jcnn.network import apply

Platform = Literal["cpu", "cuda", "rocm", "tpu"]


def to_stablehlo(
    network: Network,
    params: Any,
    state: Any = None,
    *,
    input_shape: Sequence[int],
    platforms: Sequence[Platform] = ("cpu", "cuda", "tpu"),
) -> bytes:
    """A trained network in evaluation as a program for other processes and machines, as `jax.export` serialises it.

    Its one argument is a batch (N, *S, C) in the dtype of the parameters, its result the last layer's output. N is a symbol:
    one program for all batches. It is made of XLA's own operations, the same on every platform.

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        state: as `init_state` makes it, or as training left it.
        input_shape: of one example, (*S, C).
        platforms: where it is to run, of `"cpu"`, `"cuda"`, `"rocm"` and `"tpu"`; none of them has to be here.

    Raises:
        NetworkError: parameters, state and input do not fit the network; by layer.
        ValueError: no platforms, or one that there is not.
    """
    if isinstance(platforms, str) or not platforms:
        raise ValueError(geometry.wrong("platforms", platforms, f"some of {', '.join(get_args(Platform))}"))
    for platform in platforms:
        geometry.choice("platforms", platform, get_args(Platform))
    shape = geometry.example_shape("input_shape", input_shape)
    dtype = check_trained(network, params, state, shape)

    def logits(x: Array) -> Array:
        return apply(network, params, x, state=state)

    with jax.enable_x64(dtype.itemsize == 8):
        (count,) = export.symbolic_shape("n")
        x = jax.ShapeDtypeStruct((count, *shape), dtype)
        return bytes(export.export(jax.jit(logits), platforms=list(platforms))(x).serialize())
