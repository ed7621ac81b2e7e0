"""The fastest formulation for the filters at hand."""

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jcnn.conv.fastest import Layer, fastest
from jcnn.conv.folded import conv_folded, fits
from jcnn.conv.lax import conv_lax
from jcnn.conv.native import conv_native, takes
from jcnn.conv.taps import conv_taps
from jcnn.conv.winograd import conv_winograd
from jcnn.precision import sum_dtype
from jcnn.window import Window


def conv_auto(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int, *, native: bool = False
) -> Num[Array, "n *o c_out"]:
    """y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k] by the `fastest` formulation; `native`: whether oneDNN may be it."""
    layer = Layer(window, x.shape[-1], w.shape[-1], groups, winograd=sum_dtype(x) == jnp.float32, native=native and takes(x, w))
    layer = layer._replace(folded=fits(window.output_shape(x.shape[1:-1])[-1]))
    forms = {"lax": conv_lax, "taps": conv_taps, "winograd": conv_winograd, "native": conv_native, "folded": conv_folded}
    y = forms[fastest("forward", layer)](x, w, window, groups)
    # Held, or XLA would take the sum anew inside of everything that uses it.
    return lax.optimization_barrier(y)
