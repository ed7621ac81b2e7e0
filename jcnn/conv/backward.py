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

from jax import Array, lax
from jaxtyping import Num

from jcnn.precision import wide


def bias_gradient(dy: Num[Array, "n *o c_out"]) -> Num[Array, " c_out"]:
    """db = Σ over examples, then over positions.

    In two steps, since XLA's CPU backend makes a slow `reduce_window` of one sum over so many numbers.
    """
    per_position = lax.optimization_barrier(wide(dy).sum(0))
    return per_position.sum(tuple(range(per_position.ndim - 1)))
