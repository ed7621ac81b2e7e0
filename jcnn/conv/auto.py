"""Which formulation is fastest: a rule for the CPU."""

import jax
from jax import Array
from jaxtyping import Num

from jcnn.conv.lax import conv_lax
from jcnn.conv.taps import conv_taps
from jcnn.window import Window


def fastest(c_group: int, groups: int) -> str:
    """The formulation for filters that look at `c_group` channels each, in so many groups, on the backend in use.

    On the CPU `"taps"` for depthwise convolutions, which XLA has no fast kernel for there: the matrix products of the taps
    shrink to additions of scaled images. `"lax"` for everything else, and on other backends, where nothing was measured.
    """
    return "taps" if c_group == 1 < groups and jax.default_backend() == "cpu" else "lax"


def conv_auto(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int
) -> Num[Array, "n *o c_out"]:
    """y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k] by the `fastest` formulation."""
    if fastest(w.shape[-2], groups) == "lax":
        return conv_lax(x, w, window, groups)
    # Without the barrier XLA would take the sum anew inside of everything that uses it.
    return jax.lax.optimization_barrier(conv_taps(x, w, window, groups))
