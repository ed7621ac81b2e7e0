"""The gradients of convolution, derived by hand.

With y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k] + b and the output gradient dy = ∂L/∂y (n an example, o an output position,
k a tap; ᵀ swaps the channels):

    ∂L/∂b    = Σ_{n,o} dy[n, o]                              every output adds b once
    ∂L/∂w[k] = Σ_{n,o} x[n, S·o + D·k − P]ᵀ dy[n, o]         w[k] meets exactly the pixels tap k sees
    ∂L/∂x[i] = Σ_{k,o: S·o + D·k − P = i} dy[n, o] · w[k]ᵀ   all outputs that saw pixel i, through the tap that saw it

The last sum is a full convolution of dy, its entries pulled S pixels apart, with the flipped filter: substitute
j = S·o (zero where no output stands) and k → F − 1 − k. Pixels no window touched get 0.

Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", section 4; Goodfellow, Bengio &
Courville 2016, "Deep Learning", section 9.5.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jcnn.conv import filter_gradients, input_gradients, native
from jcnn.conv.fastest import Layer, fastest
from jcnn.conv.folded import conv_folded, fits
from jcnn.conv.winograd import conv_winograd, filter_gradient_winograd
from jcnn.precision import sum_dtype, wide
from jcnn.window import Window


def input_gradient(
    dy: Num[Array, "n *o c_out"],
    w: Num[Array, "*f c_group c_out"],
    window: Window,
    groups: int,
    input_shape: Sequence[int],
    *,
    auto: bool = False,
) -> Num[Array, "n *s c_in"]:
    """dx, in the form that is fastest here.

    Args:
        dy: output gradient.
        w: the filters that the convolution saw.
        window: its window.
        groups: its groups.
        input_shape: the spatial sizes of its input.
        auto: whether everything that serves speed may be among the forms: phases of the stride, folded pixels and, for
            float32, minimal filtering and oneDNN.
    """
    layer = Layer(window, w.shape[-2] * groups, w.shape[-1], groups, phases=auto)
    layer = layer._replace(winograd=auto and sum_dtype(dy) == jnp.float32, native=auto and native.takes(dy, w))
    way = fastest("dx", layer._replace(folded=auto and fits(input_shape[-1])))
    if way in (forms := {"winograd": conv_winograd, "folded": conv_folded}):
        return input_gradients.by_convolution(dy, w, window, groups, input_shape, forms[way])
    if way == "native":
        return native.input_gradient(dy, w, window, groups, input_shape)
    return getattr(input_gradients, way)(dy, w, window, groups, input_shape)


def filter_gradient(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int, *, auto: bool = False
) -> Num[Array, "*f c_group c_out"]:
    """dw, in the form that is fastest here; arguments as `input_gradient`, x the input that the convolution saw."""
    layer = Layer(window, x.shape[-1], dy.shape[-1], groups)
    layer = layer._replace(winograd=auto and sum_dtype(dy) == jnp.float32, native=auto and native.takes(dy, x))
    way = fastest("dw", layer._replace(folded=auto and fits(dy.shape[-2])))
    others = {"winograd": filter_gradient_winograd, "native": native.filter_gradient}
    form = others[way] if way in others else getattr(filter_gradients, way)
    return form(dy, x, window, groups)


def bias_gradient(dy: Num[Array, "n *o c_out"]) -> Num[Array, " c_out"]:
    """db = Σ over examples, then over positions.

    In two steps, since XLA's CPU backend makes a slow `reduce_window` of one sum over so many numbers.
    """
    per_position = lax.optimization_barrier(wide(dy).sum(0))
    return per_position.sum(tuple(range(per_position.ndim - 1)))
