"""Convolution by XLA's own operation."""

from jax import Array, lax
from jaxtyping import Num

from jcnn.window import Window

_LAYOUT = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def conv_lax(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int
) -> Num[Array, "n *o c_out"]:
    """y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k], one call of `lax.conv_general_dilated`.

    float16 and bfloat16 are summed in float32 and rounded once, at the end.
    """
    return lax.conv_general_dilated(
        x,
        w,
        window.stride,
        window.padding,
        rhs_dilation=window.dilation,
        dimension_numbers=_LAYOUT[len(window.size)],
        feature_group_count=groups,
    )
