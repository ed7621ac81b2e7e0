"""The arithmetic of sliding windows in plain integers: sizes, padding, receptive fields, counts.

Symbols, along one spatial axis, as in every message of this module:

    N  input size      F  window size      P = (lo, hi)  zeros before and after the input
    S  stride          D  dilation         E = D(F − 1) + 1  the pixels a dilated window spans

    output size = (N + lo + hi − E) / S + 1          (Dumoulin & Visin 2016, "A guide to convolution arithmetic")
"""

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, get_args

Rounding = Literal["floor", "ceil", "exact"]
NamedPadding = Literal["valid", "same", "same_lower"]
AxisPadding = int | tuple[int, int] | NamedPadding
Padding = int | Sequence[int] | Sequence[tuple[int, int]] | NamedPadding


class GeometryError(ValueError):
    """Sizes that do not fit together; the message names every number and what would fit."""


def integer(name: str, value: Any, minimum: int) -> int:
    """`value` as an int of at least `minimum`.

    Raises:
        GeometryError: it is no integer or too small.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < minimum:
        raise GeometryError(f"{name}={value!r}: expected an integer of at least {minimum}")
    return number


def per_axis(name: str, value: int | Sequence[int], rank: int, minimum: int = 1) -> tuple[int, ...]:
    """One integer for each of `rank` spatial axes, from an int (the same for all) or a sequence of them.

    Raises:
        GeometryError: wrong count, no integer, or an entry below `minimum`.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        return (integer(name, value, minimum),) * rank
    if len(value) != rank:
        raise GeometryError(f"{name}={tuple(value)}: expected an int or {rank} of them, one per spatial axis")
    return tuple(integer(f"{name}[{axis}]", entry, minimum) for axis, entry in enumerate(value))


def padding_per_axis(padding: Padding, rank: int) -> tuple[AxisPadding, ...]:
    """The padding of each of `rank` spatial axes: an int, one int per axis, one (lo, hi) per axis, or a name.

    Raises:
        GeometryError: an unknown name, a negative amount, or the wrong number of entries.
    """
    if isinstance(padding, str):
        if padding not in get_args(NamedPadding):
            names = ", ".join(repr(name) for name in get_args(NamedPadding))
            raise GeometryError(f"padding={padding!r}: expected an int, one int or (lo, hi) per axis, or one of {names}")
        return (padding,) * rank
    if not isinstance(padding, Sequence):
        return (integer("padding", padding, 0),) * rank
    if len(padding) != rank:
        raise GeometryError(f"padding={tuple(padding)}: expected {rank} entries, one int or (lo, hi) per spatial axis")
    return tuple(_axis_padding(f"padding[{axis}]", entry) for axis, entry in enumerate(padding))


def _axis_padding(name: str, entry: Any) -> AxisPadding:
    if not isinstance(entry, Sequence):
        return integer(name, entry, 0)
    if isinstance(entry, str) or len(entry) != 2:
        raise GeometryError(f"{name}={entry!r}: expected an int or a pair (lo, hi)")
    return integer(f"{name}[0]", entry[0], 0), integer(f"{name}[1]", entry[1], 0)


def span(f: int, dilation: int = 1) -> int:
    """E = D(F − 1) + 1: the input pixels from the first to the last tap of a dilated window."""
    return dilation * (f - 1) + 1


def resolve_padding(n: int, f: int, *, stride: int = 1, padding: AxisPadding = 0, dilation: int = 1) -> tuple[int, int]:
    """(lo, hi) of one axis, in pixels.

    `"same"` makes the output ⌈N/S⌉: lo + hi = max((⌈N/S⌉ − 1)S + E − N, 0), the odd pixel at the end (at the start for
    `"same_lower"`), as TensorFlow's SAME and ONNX's SAME_UPPER.

    Raises:
        GeometryError: a number out of range or an unknown name.
    """
    (entry,) = padding_per_axis(padding, 1) if isinstance(padding, str) else (_axis_padding("padding", padding),)
    if isinstance(entry, tuple):
        return entry
    if isinstance(entry, int):
        return entry, entry
    if entry == "valid":
        return 0, 0
    total = max((-(-n // stride) - 1) * stride + span(f, dilation) - n, 0)
    small, large = total // 2, total - total // 2
    return (small, large) if entry == "same" else (large, small)


def output_size(
    n: int, f: int, *, stride: int = 1, padding: AxisPadding = 0, dilation: int = 1, rounding: Rounding = "floor"
) -> int:
    """How many positions a window has along one axis: (N + lo + hi − E)/S + 1, rounded as asked.

    Args:
        n: input size N ≥ 1, in pixels.
        f: window size F ≥ 1, in taps.
        stride: S ≥ 1, pixels from one position to the next.
        padding: an int (both sides), (lo, hi), `"valid"` (0), `"same"` or `"same_lower"`.
        dilation: D ≥ 1, pixels from one tap to the next.
        rounding: what happens when the division leaves a rest. `"floor"`: the last pixels go unseen; `"ceil"`: one more
            window that hangs over the end, unless it would start in the right padding; `"exact"`: an error.

    Returns:
        The output size, at least 1.

    Raises:
        GeometryError: a number out of range, a window larger than the padded input, or with `"exact"` a rest; the message
            names N, F, P, S, D, the fraction, and the strides and paddings nearby that fit.
    """
    n, f = integer("n", n, 1), integer("f", f, 1)
    stride, dilation = integer("stride", stride, 1), integer("dilation", dilation, 1)
    if rounding not in get_args(Rounding):
        raise GeometryError(f"rounding={rounding!r}: expected 'floor', 'ceil' or 'exact'")
    lo, hi = resolve_padding(n, f, stride=stride, padding=padding, dilation=dilation)
    rest = n + lo + hi - span(f, dilation)
    if rest < 0:
        raise GeometryError(_too_large(n, f, lo, hi, stride, dilation, rounding))
    if rest % stride == 0 or rounding == "floor":
        return rest // stride + 1
    if rounding == "exact":
        raise GeometryError(_not_whole(n, f, lo, hi, stride, dilation))
    size = rest // stride + 2
    return size - 1 if (size - 1) * stride >= n + lo else size


def _numbers(n: int, f: int, lo: int, hi: int, stride: int, dilation: int) -> str:
    spanned = f"{f}" if dilation == 1 else f"{span(f, dilation)}"
    padded = f"{n} + {lo} + {hi}" if lo or hi else f"{n}"
    value = (n + lo + hi - span(f, dilation)) / stride + 1
    return f"N={n}, F={f}, P=({lo}, {hi}), S={stride}, D={dilation}: ({padded} − {spanned})/{stride} + 1 = {value:.4g}"


def _too_large(n: int, f: int, lo: int, hi: int, stride: int, dilation: int, rounding: str) -> str:
    missing = span(f, dilation) - (n + lo + hi)
    largest = (n + lo + hi - 1) // dilation + 1
    padding = f"padding ({lo + missing // 2}, {hi + missing - missing // 2})"
    if rounding == "exact":
        whole = [size for size in range(1, largest + 1) if (n + lo + hi - span(size, dilation)) % stride == 0]
        window = f"window size {whole[-1]}, or " if whole else ""
    else:
        window = f"window size {largest} or less, or "
    return (
        f"the window does not fit its input: {_numbers(n, f, lo, hi, stride, dilation)}, an empty output; "
        f"what fits: {window}{padding}"
    )


def _not_whole(n: int, f: int, lo: int, hi: int, stride: int, dilation: int) -> str:
    rest = n + lo + hi - span(f, dilation)
    value = rest / stride + 1
    numbers = _numbers(n, f, lo, hi, stride, dilation).rsplit("= ", 1)[0]
    strides = [s for s in range(1, stride) if rest % s == 0][-3:]
    symmetric = next(
        (p for p in range(max(lo, hi) + 1, max(lo, hi) + stride + 1) if (n + 2 * p - span(f, dilation)) % stride == 0), None
    )
    padding = f"{symmetric}" if symmetric is not None else f"({lo}, {hi + stride - rest % stride})"
    return (
        f"{numbers}= {value:.2f} is not whole; what fits: "
        f"stride{'s' if len(strides) > 1 else ''} {', '.join(map(str, strides))}, or padding {padding}"
    )


def transposed_size(
    n: int, f: int, *, stride: int = 1, padding: AxisPadding = 0, dilation: int = 1, output_padding: int = 0
) -> int:
    """The input size whose `output_size` is n: the smallest, S(n − 1) + E − lo − hi, plus `output_padding`.

    With stride S there are S sizes that give the same n; `output_padding` (0 … S − 1) picks one. For the `same` paddings it
    is the largest, S·n, so that a stride of 2 doubles.

    Raises:
        GeometryError: a number out of range, or a result below 1.
    """
    n, f = integer("n", n, 1), integer("f", f, 1)
    stride, dilation = integer("stride", stride, 1), integer("dilation", dilation, 1)
    output_padding = integer("output_padding", output_padding, 0)
    if output_padding >= stride:
        raise GeometryError(f"output_padding={output_padding}: expected less than the stride, {stride}")
    if padding in ("same", "same_lower"):
        if output_padding:
            raise GeometryError(
                f"output_padding={output_padding}: expected 0 with padding={padding!r}; give output_size instead"
            )
        return stride * n
    lo, hi = resolve_padding(1, f, stride=stride, padding=padding, dilation=dilation)
    size = stride * (n - 1) + span(f, dilation) - lo - hi + output_padding
    if size < 1:
        raise GeometryError(
            f"padding=({lo}, {hi}): the transposed size {stride}·({n} − 1) + {span(f, dilation)} − {lo} − {hi} + "
            f"{output_padding} = {size} is empty; expected less padding"
        )
    return size


class ReceptiveField(NamedTuple):
    """What one output of a layer sees of the network's input, along one axis or as one entry per axis.

    Attributes:
        name: the layer's name.
        size: pixels from the first to the last one seen.
        jump: input pixels from one output to the next.
        start: index of the first pixel that output 0 sees; negative inside the padding.
    """

    name: str
    size: Any
    jump: Any
    start: Any


class Walk(NamedTuple):
    """A layer as far as its geometry goes: a window of one pixel unless it says otherwise.

    `window=None` stands for a layer that sees the whole map (a global pool, a flatten).
    """

    name: str
    window: int | Sequence[int] | None = 1
    stride: int | Sequence[int] | None = 1
    padding: Padding = 0
    dilation: int | Sequence[int] = 1
    rounding: Rounding = "floor"


def receptive_field(layers: Iterable[Any], input_size: int | Sequence[int] | None = None) -> tuple[ReceptiveField, ...]:
    """The receptive field of every layer, composed from the first to the last.

        size ← size + (E − 1)·jump      start ← start − lo·jump      jump ← jump·S

    Source: Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", with `start` the first
    pixel seen instead of the centre, so that every number is whole.

    Args:
        layers: `Walk` values, tuples in its order, or objects with some of its attributes, such as the layers of a
            network; one without a window sees one pixel.
        input_size: pixels along each axis; needed for `same` padding with a stride above 1 and for layers that see the
            whole map.

    Returns:
        One `ReceptiveField` a layer, in input pixels; its numbers are ints where all layers and `input_size` are given by
        single ints, tuples with one int per axis otherwise.

    Raises:
        GeometryError: a number out of range, a layer that does not fit, or `input_size` missing where it is needed.
    """
    walks = [_walk(layer) for layer in layers]
    values = [input_size] + [getattr(walk, field) for walk in walks for field in ("window", "stride", "padding", "dilation")]
    ranks = {len(value) for value in values if isinstance(value, Sequence) and not isinstance(value, str)}
    if len(ranks) > 1:
        raise GeometryError(f"layers: expected one number of spatial axes throughout, got {sorted(ranks)}")
    scalar = not ranks
    rank = 1 if scalar else ranks.pop()
    sizes = None if input_size is None else per_axis("input_size", input_size, rank)
    axes = [_receptive_field(walks, axis, rank, sizes[axis] if sizes else None) for axis in range(rank)]
    return tuple(
        ReceptiveField(fields[0].name, *(fields[0][1:] if scalar else zip(*(field[1:] for field in fields), strict=True)))
        for fields in zip(*axes, strict=True)
    )


def _walk(layer: Any) -> Walk:
    if isinstance(layer, tuple):
        return Walk(*layer)
    given = {field: getattr(layer, field) for field in Walk._fields if hasattr(layer, field)}
    return Walk(**{"name": type(layer).__name__, **given})


def _receptive_field(walks: Sequence[Walk], axis: int, rank: int, n: int | None) -> list[ReceptiveField]:
    size, jump, start = 1, 1, 0
    fields = []
    for number, walk in enumerate(walks, 1):
        name = walk.name
        if walk.window is None:
            if n is None:
                raise GeometryError(f"layer {number}, {name}, sees the whole map: give input_size")
            f, stride, dilation, lo, n = n, 1, 1, 0, 1
        else:
            f = per_axis("window", walk.window, rank)[axis]
            stride = f if walk.stride is None else per_axis("stride", walk.stride, rank)[axis]
            dilation = per_axis("dilation", walk.dilation, rank)[axis]
            padding = padding_per_axis(walk.padding, rank)[axis]
            if n is None and padding in ("same", "same_lower") and stride > 1:
                raise GeometryError(f"layer {number}, {name}, has padding={padding!r} and stride {stride}: give input_size")
            lo, hi = resolve_padding(n or 1, f, stride=stride, padding=padding, dilation=dilation)
            if n is not None:
                n = output_size(n, f, stride=stride, padding=(lo, hi), dilation=dilation, rounding=walk.rounding)
        size, start, jump = size + (span(f, dilation) - 1) * jump, start - lo * jump, jump * stride
        fields.append(ReceptiveField(name, size, jump, start))
    return fields


def conv_parameters(window: Sequence[int], c_in: int, c_out: int, *, groups: int = 1, bias: bool = True) -> int:
    """Numbers a convolution learns: F₁·…·F_d · (C_in / groups) · C_out, and C_out more with a bias."""
    return math.prod(window) * (c_in // groups) * c_out + (c_out if bias else 0)


def conv_multiply_adds(output_shape: Sequence[int], window: Sequence[int], c_in: int, c_out: int, *, groups: int = 1) -> int:
    """Multiply-adds of a convolution for one example: one product a tap, input channel and output value.

    Taps on the padding are counted, as is usual; the bias is not.
    """
    return math.prod(output_shape) * conv_parameters(window, c_in, c_out, groups=groups, bias=False)
