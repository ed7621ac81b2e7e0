"""The arithmetic of sliding windows in plain integers: sizes, padding, receptive fields, counts.

Symbols, along one spatial axis, as in every message of this module:

    N  input size      F  window size      P = (lo, hi)  zeros before and after the input
    S  stride          D  dilation         E = D(F − 1) + 1  the pixels a dilated window spans

    output size = (N + lo + hi − E) / S + 1          (Dumoulin & Visin 2016, "A guide to convolution arithmetic")
"""

import math
import operator
import reprlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args

Rounding = Literal["floor", "ceil", "exact"]
NamedPadding = Literal["valid", "same", "same_lower"]
AxisPadding = int | tuple[int, int] | NamedPadding
Word = TypeVar("Word", bound=str)
Padding = int | Sequence[int] | Sequence[tuple[int, int]] | NamedPadding


LIMIT = 2**31 - 1
"""No size may be larger, nor any number that sizes are made of, nor the number of pixels of a map: XLA counts in 32 bits."""


class GeometryError(ValueError):
    """Sizes that do not fit together; the message names every number and what would fit."""


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 3, 60, 100, 40


def shown(value: Any) -> str:
    """`repr(value)` for a message: shortened, whatever the value is."""
    if is_traced(value):
        return f"a traced {type(value).__name__}"
    try:
        text = _SHORT.repr(value)
    except Exception:  # noqa: BLE001 (a description that fails must not hide what is being said)
        text = f"<{type(value).__name__}>"
    return " ".join(text.split())


def is_traced(value: Any) -> bool:
    """Whether JAX has handed over a stand-in whose number is not known yet."""
    return any(base.__name__ == "Tracer" for base in type(value).__mro__)


def wrong(name: str, value: Any, expected: str) -> str:
    """The message of an argument that is not what was expected."""
    static = "; it must be known while JAX traces: make it static, or close over it" if is_traced(value) else ""
    return f"{name}={shown(value)}: expected {expected}{static}"


def choice(name: str, value: Word, options: Collection[str], error: type[ValueError] = ValueError) -> Word:
    """`value`, one of the words in `options`.

    Raises:
        error: it is none of them.
    """
    if isinstance(value, str) and value in options:
        return value
    *others, last = map(repr, options)
    raise error(wrong(name, value, f"{'one of ' if len(others) > 2 else ''}{', '.join(others)} or {last}"))


def integer(name: str, value: Any, minimum: int) -> int:
    """`value` as an int from `minimum` to `LIMIT`.

    Raises:
        GeometryError: it is no integer, too small or too large.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except Exception:  # noqa: BLE001 (arrays have reasons of their own to be no index)
        number = None
    if number is None or number < minimum:
        raise GeometryError(wrong(name, value, f"an integer of at least {minimum}"))
    if number > LIMIT:
        raise GeometryError(wrong(name, value, f"an integer of at most {LIMIT:,}; XLA's sizes have 32 bits"))
    return number


def is_series(value: Any) -> bool:
    """Whether `value` has one entry per axis, and is no text."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview)


def counted(name: str, value: Sequence[Any], rank: int | None, expected: str) -> None:
    """Checks that `value` has one entry for each of `rank` spatial axes; of 1 to 3 where the rank is not known yet.

    Raises:
        GeometryError: another count.
    """
    if rank is None and not 1 <= len(value) <= 3:
        raise GeometryError(wrong(name, value, f"{expected}, 1 to 3 in all"))
    if rank is not None and len(value) != rank:
        raise GeometryError(wrong(name, tuple(value), expected))


def spatial_axes(rank: int) -> str:
    """The words for so many: 1 spatial axis, 2 spatial axes."""
    return f"{rank} spatial {'axis' if rank == 1 else 'axes'}"


def entries(name: str, value: Any, minimum: int = 1, rank: int | None = None) -> int | tuple[int, ...]:
    """`value` as an int, the same for all spatial axes, or as a tuple of one for each.

    Raises:
        GeometryError: wrong count, no integer, or an entry below `minimum`.
    """
    if not is_series(value):
        return integer(name, value, minimum)
    counted(name, value, rank, f"an int or {'some' if rank is None else rank} of them, one per spatial axis")
    return tuple(integer(f"{name}[{axis}]", entry, minimum) for axis, entry in enumerate(value))


def per_axis(name: str, value: int | Sequence[int], rank: int, minimum: int = 1) -> tuple[int, ...]:
    """One integer for each of `rank` spatial axes, from an int (the same for all) or a sequence of them.

    Raises:
        GeometryError: wrong count, no integer, or an entry below `minimum`.
    """
    given = entries(name, value, minimum, rank)
    return (given,) * rank if isinstance(given, int) else given


def padding_entries(padding: Any, rank: int | None = None) -> AxisPadding | tuple[AxisPadding, ...]:
    """The padding as an int or a name, the same for all spatial axes, or as a tuple of one int or (lo, hi) for each.

    Raises:
        GeometryError: an unknown name, a negative amount, or the wrong number of entries.
    """
    if isinstance(padding, str):
        if padding not in get_args(NamedPadding):
            names = ", ".join(map(repr, get_args(NamedPadding)))
            raise GeometryError(wrong("padding", padding, f"an int, one int or (lo, hi) per axis, or one of {names}"))
        return cast(NamedPadding, padding)
    if not is_series(padding):
        return integer("padding", padding, 0)
    expected = "entries, one int or (lo, hi) per spatial axis"
    counted("padding", padding, rank, expected if rank is None else f"{rank} {expected}")
    given = tuple(_axis_padding(f"padding[{axis}]", entry) for axis, entry in enumerate(padding))
    return cast(tuple[AxisPadding, ...], given)


def padding_per_axis(padding: Padding, rank: int) -> tuple[AxisPadding, ...]:
    """The padding of each of `rank` spatial axes: an int, one int per axis, one (lo, hi) per axis, or a name.

    Raises:
        GeometryError: an unknown name, a negative amount, or the wrong number of entries.
    """
    given = padding_entries(padding, rank)
    return (given,) * rank if isinstance(given, int | str) else given  # pyright: ignore[reportReturnType]


def _axis_padding(name: str, entry: Any) -> AxisPadding:
    if not is_series(entry) and not isinstance(entry, str | bytes):
        return integer(name, entry, 0)
    if not is_series(entry) or len(entry) != 2:
        raise GeometryError(wrong(name, entry, "an int or a pair (lo, hi)"))
    return integer(f"{name}[0]", entry[0], 0), integer(f"{name}[1]", entry[1], 0)


def example_shape(name: str, value: Any, ranks: Sequence[int] = range(4)) -> tuple[int, ...]:
    """`value` as the shape of one example, (*S, C), with so many spatial axes.

    Raises:
        GeometryError: no sequence of positive integers, or another number of axes.
    """
    if not is_series(value) or len(value) - 1 not in ranks:
        axes = f" with {ranks[0]} to {ranks[-1]} spatial axes"
        raise GeometryError(wrong(name, value, f"(*S, C), the shape of one example{axes}, such as (28, 28, 1)"))
    return tuple(integer(f"{name}[{axis}]", size, 1) for axis, size in enumerate(value))


def countable(what: str, shape: Sequence[int], limit: int = LIMIT, fix: str = "") -> None:
    """Checks that an array of this shape is not too large to be made. A size that is a symbol of JAX's counts once.

    Raises:
        GeometryError: it has more than `limit` elements.
    """
    if (count := math.prod(size for size in shape if isinstance(size, Integral))) > limit:
        raise GeometryError(f"{what} would have shape {tuple(shape)}, {count:,} elements: expected at most {limit:,}{fix}")


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
    choice("rounding", rounding, get_args(Rounding), GeometryError)
    lo, hi = resolve_padding(n, f, stride=stride, padding=padding, dilation=dilation)
    if max(n + lo + hi, span(f, dilation)) > LIMIT:
        raise GeometryError(
            f"N={n}, F={f}, P=({lo}, {hi}), D={dilation}: the padded input has {n + lo + hi:,} pixels and the window spans "
            f"{span(f, dilation):,}; expected at most {LIMIT:,} of both, less padding or dilation"
        )
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
        # The largest k = size − 1 below `largest` with D·k = N + lo + hi − 1 modulo S.
        whole = _congruent(dilation, n + lo + hi - 1, stride)
        fits = whole is not None and whole[0] < largest
        window = f"window size {largest - (largest - 1 - whole[0]) % whole[1]}, or " if whole and fits else ""
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
    divisors = {d for small in range(1, math.isqrt(rest) + 1) if rest % small == 0 for d in (small, rest // small)}
    strides = sorted(d for d in divisors if d < stride)[-3:]
    # The first p above both with 2·p = E − N modulo S.
    symmetric, least = _congruent(2, span(f, dilation) - n, stride), max(lo, hi) + 1
    padding = f"{least + (symmetric[0] - least) % symmetric[1]}" if symmetric else f"({lo}, {hi + stride - rest % stride})"
    return (
        f"{numbers}= {value:.2f} is not whole; what fits: "
        f"stride{'s' if len(strides) > 1 else ''} {', '.join(map(str, strides))}, or padding {padding}"
    )


def _congruent(a: int, c: int, modulus: int) -> tuple[int, int] | None:
    """All k ≥ 0 with a·k = c modulo `modulus`, as (the first, the distance to the next); None where there is none."""
    common = math.gcd(a, modulus)
    if c % common:
        return None
    period = modulus // common
    return c // common * pow(a // common, -1, period) % period, period


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
        return _sized(stride * n, f"{stride}·{n}")
    lo, hi = resolve_padding(1, f, stride=stride, padding=padding, dilation=dilation)
    size = stride * (n - 1) + span(f, dilation) - lo - hi + output_padding
    formula = f"{stride}·({n} − 1) + {span(f, dilation)} − {lo} − {hi} + {output_padding}"
    if size < 1:
        raise GeometryError(f"padding=({lo}, {hi}): the transposed size {formula} = {size} is empty; expected less padding")
    return _sized(size, formula)


def _sized(size: int, formula: str) -> int:
    if size > LIMIT:
        raise GeometryError(
            f"the transposed size {formula} = {size:,} is too large: expected at most {LIMIT:,}, less stride or dilation"
        )
    return size


class ReceptiveField(NamedTuple):
    """What one output of a layer sees of the network's input, along one axis or as one entry per axis.

    All but the name is None where a layer up to this one does not say what window it moves.

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

    Where paths part and meet again, an output sees from the first to the last pixel that any of them sees, and the jump is that
    of the path that sees most.

    Source: Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", with `start` the first
    pixel seen instead of the centre, so that every number is whole.

    Args:
        layers: `Walk` values, tuples in its order, objects with some of its attributes, of which one without a window sees
            one pixel, or the layers of a network, which say it by their `walk`. A tuple of layers is one layer, and an
            object with `paths`, each a layer or a tuple of layers, is as many side by side.
        input_size: pixels along each axis; needed for `same` padding with a stride above 1 and for layers that see the
            whole map.

    Returns:
        One `ReceptiveField` a layer, in input pixels; its numbers are ints where all layers and `input_size` are given by
        single ints, tuples with one int per axis otherwise.

    Raises:
        GeometryError: a number out of range, a layer that does not fit, or `input_size` missing where it is needed.
    """
    if not isinstance(layers, Iterable) or hasattr(layers, "dtype"):
        raise GeometryError(wrong("layers", layers, "a sequence of layers"))
    steps = _steps("layers", layers, "")
    walks = list(_walks(steps))
    given = None if input_size is None else entries("input_size", input_size)
    values = [given, *(value for walk in walks for value in (walk.window, walk.stride, walk.padding, walk.dilation))]
    rank = common_rank("layers", values)
    scalar, rank = rank is None, rank or 1
    sizes = None if given is None else per_axis("input_size", given, rank)
    try:
        axes = [_fields(steps, axis, rank, _Seen(n=sizes[axis] if sizes else None)) for axis in range(rank)]
    except GeometryError as error:
        raise GeometryError(str(error) if sizes is None else f"input_size={shown(given)}: {error}") from None
    return tuple(_field(step.walk.name, seen, scalar) for step, *seen in zip(steps, *axes, strict=True))


def _field(name: str, seen: Sequence["_Seen | None"], scalar: bool) -> ReceptiveField:
    """What is seen along every axis, together."""
    known = [each[:3] for each in seen if each is not None]
    if not known:
        return ReceptiveField(name, None, None, None)
    return ReceptiveField(name, *(known[0] if scalar else zip(*known, strict=True)))


DEEPEST = 64
"""How deep layers may nest; what goes through them calls itself for every level."""


class _Step(NamedTuple):
    """A layer as the receptive field goes through it: a walk, known or not, or several paths of steps."""

    place: str
    walk: Walk
    paths: tuple[tuple["_Step", ...], ...] = ()
    known: bool = True


class _Seen(NamedTuple):
    """What an output sees along one axis, and how many outputs there are."""

    size: int = 1
    jump: int = 1
    start: int = 0
    n: int | None = None


def _steps(name: str, layers: Iterable[Any], inside: str) -> tuple[_Step, ...]:
    return tuple(_step(f"{name}[{number - 1}]", layer, f"{inside}{number}") for number, layer in enumerate(layers, 1))


def _step(name: str, layer: Any, place: str) -> _Step:
    if place.count(".") >= 2 * DEEPEST:  # a layer and its path are two levels
        raise GeometryError(f"{name.partition(']')[0]}]: layers nest more than {DEEPEST} deep")
    if _is_in_turn(layer):
        return _Step(place, Walk("layers in turn"), (_steps(name, layer, f"{place}."),))
    paths = getattr(layer, "paths", ())
    if isinstance(paths, tuple) and paths:
        walk = Walk(getattr(layer, "name", type(layer).__name__))
        return _Step(place, walk, tuple(_path(name, path, f"{place}.{number}") for number, path in enumerate(paths, 1)))
    if getattr(layer, "walk", layer) is None:
        return _Step(place, Walk(layer.name), known=False)
    return _Step(place, _walk(name, layer))


def _path(name: str, path: Any, place: str) -> tuple[_Step, ...]:
    return _steps(name, path, f"{place}.") if _is_in_turn(path) or path == () else (_step(name, path, place),)


def _is_in_turn(layer: Any) -> bool:
    """Whether a tuple or list holds layers, and not the numbers of one."""
    if not isinstance(layer, tuple | list) or not layer:
        return False
    return isinstance(layer[0], tuple | list) or any(hasattr(layer[0], field) for field in Walk._fields)


def _walks(steps: Iterable[_Step]) -> Iterator[Walk]:
    for step in steps:
        yield step.walk
        for path in step.paths:
            yield from _walks(path)


def common_rank(what: str, values: Iterable[Any]) -> int | None:
    """The number of spatial axes that all of `values` with one entry per axis agree on; None if there are no such.

    Raises:
        GeometryError: they do not agree.
    """
    ranks = {len(value) for value in values if isinstance(value, tuple)}
    if len(ranks) > 1:
        raise GeometryError(f"{what}: expected one number of spatial axes throughout, got {sorted(ranks)}")
    return ranks.pop() if ranks else None


def _walk(name: str, layer: Any) -> Walk:
    layer = getattr(layer, "walk", layer)
    if isinstance(layer, tuple):
        given = dict(zip(Walk._fields, layer, strict=False))
    else:
        given = {field: getattr(layer, field) for field in Walk._fields if hasattr(layer, field)}
    named = isinstance(given.get("name", ""), str) and not isinstance(layer, type)
    if not given or not named or (isinstance(layer, tuple) and len(layer) > len(Walk._fields)):
        raise GeometryError(wrong(name, layer, f"a layer, or a tuple of ({', '.join(Walk._fields)})"))
    walk = Walk(**{"name": type(layer).__name__, **given})
    try:
        return checked_walk(walk)
    except GeometryError as error:
        raise GeometryError(f"{name}, {walk.name}: {error}") from None


def checked_walk(walk: Walk) -> Walk:
    """`walk` with everything checked that does not hang on an input, and lists made tuples.

    Raises:
        GeometryError: a number out of range, an unknown name, or entries for different numbers of axes.
    """
    window = None if walk.window is None else entries("window", walk.window)
    stride = None if walk.stride is None else entries("stride", walk.stride)
    padding, dilation = padding_entries(walk.padding), entries("dilation", walk.dilation)
    choice("rounding", walk.rounding, get_args(Rounding), GeometryError)
    common_rank("window, stride, padding, dilation", (window, stride, padding, dilation))
    return walk._replace(window=window, stride=stride, padding=cast(Padding, padding), dilation=dilation)


def _fields(steps: Sequence[_Step], axis: int, rank: int, seen: _Seen | None) -> list[_Seen | None]:
    """What an output of every step sees, the first of them standing behind what has `seen` so much; None: not known."""
    fields = []
    for step in steps:
        if step.paths:
            seen = _joined([[seen, *_fields(path, axis, rank, seen)][-1] for path in step.paths])
        elif seen is not None:
            seen = _through(step, axis, rank, seen) if step.known else None
        fields.append(seen)
    return fields


def _joined(ends: Sequence[_Seen | None]) -> _Seen | None:
    """What is seen by all paths together; None if of one it is not known."""
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    largest = max(known, key=lambda end: end.size)
    start = min(end.start for end in known)
    return largest._replace(start=start, size=max(end.start + end.size for end in known) - start)


def _through(step: _Step, axis: int, rank: int, seen: _Seen) -> _Seen:
    """What is seen behind one walk."""
    walk, n, where = step.walk, seen.n, f"layer {step.place}, {step.walk.name},"
    if walk.window is None:
        if n is None:
            raise GeometryError(f"{where} sees the whole map: give input_size")
        f, stride, dilation, lo, n = n, 1, 1, 0, 1
    else:
        f = per_axis("window", walk.window, rank)[axis]
        stride = f if walk.stride is None else per_axis("stride", walk.stride, rank)[axis]
        dilation = per_axis("dilation", walk.dilation, rank)[axis]
        padding = padding_per_axis(walk.padding, rank)[axis]
        if n is None and padding in ("same", "same_lower") and stride > 1:
            raise GeometryError(f"{where} has padding={padding!r} and stride {stride}: give input_size")
        lo, hi = resolve_padding(n or 1, f, stride=stride, padding=padding, dilation=dilation)
        if n is not None:
            n = output_size(n, f, stride=stride, padding=(lo, hi), dilation=dilation, rounding=walk.rounding)
    size = seen.size + (span(f, dilation) - 1) * seen.jump
    return _Seen(size, seen.jump * stride, seen.start - lo * seen.jump, n)


def conv_parameters(window: Sequence[int], c_in: int, c_out: int, *, groups: int = 1, bias: bool = True) -> int:
    """Numbers a convolution learns: F₁·…·F_d · (C_in / groups) · C_out, and C_out more with a bias."""
    return math.prod(window) * (c_in // groups) * c_out + (c_out if bias else 0)


def conv_multiply_adds(output_shape: Sequence[int], window: Sequence[int], c_in: int, c_out: int, *, groups: int = 1) -> int:
    """Multiply-adds of a convolution for one example: one product a tap, input channel and output value.

    Taps on the padding are counted, as is usual; the bias is not.
    """
    return math.prod(output_shape) * conv_parameters(window, c_in, c_out, groups=groups, bias=False)
