"""Convolution by XLA's own operation, and both its gradients as convolutions again.

XLA's CPU backend reads outside the image where a convolution has a negative padding (openxla/xla#48713). JAX derives paddings
for the gradients from those of the forward pass, and these are negative as soon as an edge reaches beyond the filter, or a
stride leaves pixels over at the end. So XLA pads only what leaves every derivative a padding of at least 0; what goes beyond is
padded or cropped before, by an operation that knows negative amounts.

XLA ends the process where it compiles a convolution whose image has fewer pixels than the filter taps, if along some axis two
taps walk over pixels pulled apart by two without padding: it exchanges image and filter, and takes that axis for one of groups.
No convolution here has such an axis, nor have those that JAX makes of it (`ends_xla`).
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
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


def by_convolution(
    dy: Num[Array, "n *o c_out"],
    w: Num[Array, "*f c_group c_out"],
    window: Window,
    groups: int,
    input_shape: Sequence[int],
    formulation: Callable[[Array, Array, Window, int], Array] = conv_lax,
) -> Num[Array, "n *s c_in"]:
    """dx = the output gradient, pulled apart by the stride, convolved with the flipped filter, channels swapped.

    A plain convolution of stride 1, the one form that every backend has a fast kernel for.
    """
    edges = []
    for o, n, f, s, (lo, _), d in zip(dy.shape[1:-1], input_shape, *window, strict=True):
        before = geometry.span(f, d) - 1 - lo
        edges.append((before, n - before - (s * (o - 1) + 1) + geometry.span(f, d) - 1))
    # Held, or what reads the filter more than once would turn it around each time.
    back = lax.optimization_barrier(flip_and_swap(w, groups))
    if set(window.stride) == {1} and min(map(min, edges)) >= 0:
        # Nothing to pull apart or crop: the convolution pads as it reads.
        return formulation(dy, back, by_one_pixel(window.size, window.dilation, edges), groups)
    apart = [(lo, hi, s - 1) for (lo, hi), s in zip(edges, window.stride, strict=True)]
    stretched = lax.pad(dy, dy.dtype.type(0), ((0, 0, 0), *apart, (0, 0, 0)))
    if any(ends_xla(*axis) for axis in zip(window.size, window.stride, window.dilation, edges, strict=True)):
        # Held, or XLA joins padding and convolution.
        stretched = lax.optimization_barrier(stretched)
    return formulation(stretched, back, by_one_pixel(window.size, window.dilation), groups)


def by_correlation(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int
) -> Num[Array, "*f c_in c_out"]:
    """A convolution again, of one group: its examples are the channels of x, its channels the examples, its filters dy.

    What was the stride is its dilation, and the dilation its stride. The transposes are written out, so that it has the layout
    of a forward convolution: XLA's CPU backend falls to a slow general kernel for any other inside a loop.
    """
    edges = []
    for n, o, f, s, (lo, _), d in zip(x.shape[1:-1], dy.shape[1:-1], *window, strict=True):
        edges.append((lo, s * (o - 1) + geometry.span(f, d) - n - lo))  # no further than the last window looks
    if min(map(min, edges)) < 0:  # pixels that no window saw are cropped, which a convolution cannot
        x = lax.pad(x, x.dtype.type(0), ((0, 0, 0), *((*edge, 0) for edge in edges), (0, 0, 0)))
        edges = [(0, 0)] * len(edges)
    swapped = Window(dy.shape[1:-1], window.dilation, tuple(edges), window.stride)
    rank = len(edges)
    return jnp.moveaxis(conv_lax(jnp.swapaxes(x, 0, -1), jnp.moveaxis(dy, 0, rank), swapped, groups), 0, rank)


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
        if ends_xla(f, s, d, (spanned - 1 - before, spanned - 1 - within)):
            before = 0
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


def ends_xla(f: int, stride: int, dilation: int, edges: tuple[int, int]) -> bool:
    """Whether an axis of a gradient, F taps over outputs pulled apart by the stride and padded by `edges`, is one of those."""
    return (f, stride, dilation, edges) == (2, 2, 1, (0, 0))


def flip_and_swap(w: Num[Array, "*f c_group c_out"], groups: int) -> Num[Array, "*f o_group c_in"]:
    """The filter of the way back: reversed along every spatial axis, input and output channels swapped within each group."""
    *f, c_group, c_out = w.shape
    axes = tuple(range(len(f)))
    split = jnp.flip(w, axes).reshape(*f, c_group, groups, c_out // groups)
    return split.transpose(*axes, len(f) + 2, len(f) + 1, len(f)).reshape(*f, c_out // groups, groups * c_group)


def by_one_pixel(size: tuple[int, ...], dilation: tuple[int, ...], padding: Sequence[tuple[int, int]] | None = None) -> Window:
    """The window of such a filter that moves by one pixel."""
    return Window(size, (1,) * len(size), tuple(padding or [(0, 0)] * len(size)), dilation)
