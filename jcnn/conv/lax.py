"""Convolution by XLA's own operation.

XLA's CPU backend reads outside the image where a convolution has a negative padding (openxla/xla#48713). JAX derives paddings
for the gradients from those of the forward pass, and these are negative as soon as an edge reaches beyond the filter, or a
stride leaves pixels over at the end. So XLA pads only what leaves every derivative a padding of at least 0; what goes beyond is
padded or cropped before, by an operation that knows negative amounts.
"""

from jax import Array, lax
from jaxtyping import Num

from jcnn import geometry
from jcnn.precision import sum_dtype
from jcnn.window import Window

_LAYOUT = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def conv_lax(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int
) -> Num[Array, "n *o c_out"]:
    """y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k], one call of `lax.conv_general_dilated`.

    Safe to differentiate by JAX, any number of times. The sums of float16 and bfloat16 are float32.
    """
    x, window = pad_beyond(x, window)
    return lax.conv_general_dilated(
        x,
        w,
        window.stride,
        window.padding,
        rhs_dilation=window.dilation,
        dimension_numbers=_LAYOUT[len(window.size)],
        feature_group_count=groups,
        preferred_element_type=sum_dtype(x),
    )


def pad_beyond(x: Num[Array, "n *s c"], window: Window) -> tuple[Num[Array, "n *p c"], Window]:
    """x padded and cropped as far as XLA must not, and the window over what that gives: the same taps at the same pixels.

    Let T = S(O − 1) be the way from the first window to the last, and hi' what the last one sees beyond the image: hi less
    the rest of the division by the stride. Of a convolution with the edges (lo, hi') JAX makes, for its gradients and theirs,
    others with these edges, swapped where an operand is reversed:

        (lo, hi')     E − 1 − (lo, hi')     T − (lo, hi')

    None of them is negative where lo and hi' lie in 0 … min(E − 1, T). With padding within the filter and no larger rest, all
    is left to XLA.
    """
    edges, steps, strides, paddings = [], [], [], []
    for n, o, f, s, (lo, hi), d in zip(x.shape[1:-1], window.output_shape(x.shape[1:-1]), *window, strict=True):
        way, spanned = s * (o - 1), geometry.span(f, d)
        most = min(spanned - 1, way)
        seen = way + spanned - n - lo
        before = min(lo, most)
        within = min(max(seen, 0), most)
        beyond = seen - within
        # Within the limits hi as it is, rest and all: nothing changes for the usual geometry.
        after = within if beyond else hi
        # Pixels that a single tap leaps over go with those that are cropped, at no cost.
        step = s if f == 1 and beyond < 0 else 1
        edges.append((lo - before, beyond, 0))
        steps.append(step)
        strides.append(s // step)
        paddings.append((before, after))
    if any(map(any, edges)):
        x = lax.pad(x, x.dtype.type(0), ((0, 0, 0), *edges, (0, 0, 0)))
        x = lax.slice(x, (0,) * x.ndim, x.shape, (1, *steps, 1))
    return x, Window(window.size, tuple(strides), tuple(paddings), window.dilation)
