"""Hypothesis strategies for sliding windows: small, of any kind, and always fitting."""

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.references import Geometry, sees_input, starts

ROUNDINGS = ("floor", "ceil", "exact")
NAMES = ("valid", "same", "same_lower")


@st.composite
def geometries(
    draw: st.DrawFn, ranks: Sequence[int] = (1, 2, 3), roundings: Sequence[str] = ROUNDINGS, *, beyond: bool = True
) -> Geometry:
    """A window of 1 to 3 taps an axis, stride and dilation up to 3, and an input it fits.

    Padding of up to 2 pixels on either side; with `beyond`, along one axis also so much that whole windows see nothing else.
    """
    rank = draw(st.sampled_from(ranks))
    far = draw(st.sampled_from((None, *range(rank)))) if beyond else None
    per_axis = st.integers(1, 3 if rank < 3 else 2)
    window = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    stride, dilation = (tuple(draw(per_axis) for _ in range(rank)) for _ in range(2))
    rounding = draw(st.sampled_from(roundings))
    name = draw(st.none() | st.sampled_from(NAMES))
    room = {1: 7, 2: 4, 3: 2}[rank]
    sizes, pairs = [], []
    for axis, (f, s, d) in enumerate(zip(window, stride, dilation, strict=True)):
        span = d * (f - 1) + 1
        lo, hi = draw(pads(span, beyond=axis == far)) if name is None else (0, 0)
        least = 1 if name in ("same", "same_lower") else max(1, span - lo - hi)
        n = draw(st.integers(least, least + room))
        if rounding == "exact":
            n, hi = (n, hi + (span - n - lo - hi) % s) if name is None else (span + s * (n - least), 0)
        sizes.append(n)
        pairs.append((lo, hi))
    padding = tuple(pairs) if name is None else name
    return Geometry(tuple(sizes), window, stride, padding, dilation, rounding)


def pools(ranks: Sequence[int] = (1, 2, 3), roundings: Sequence[str] = ROUNDINGS) -> st.SearchStrategy[Geometry]:
    """Geometries in which every window sees the input."""
    return geometries(ranks, roundings, beyond=False).filter(sees_input)


def pads(span: int, *, beyond: bool = True, much_first: bool = False) -> st.SearchStrategy[tuple[int, int]]:
    """(lo, hi) of one axis for a window that spans so many pixels: up to 2, with `beyond` also a whole window and more.

    Args:
        span: pixels from the first to the last tap.
        beyond: whether whole windows may see nothing but padding.
        much_first: whether the simplest is padded beyond the filter, and not at all otherwise.
    """
    little, much = st.integers(0, 2), st.integers(span, span + 2)
    kinds = [st.tuples(little, little)]
    if beyond:
        kinds += [st.tuples(st.just(0), much), st.tuples(much, much), st.tuples(much, st.just(0))]
    return st.one_of(kinds[::-1] if much_first else kinds)


def fits(n: int, f: int, stride: int, padding: tuple[int, int], dilation: int, rounding: str) -> bool:
    """Whether such a window has a position, and with "exact" leaves no rest, by walking."""
    found = starts(n, f, stride, padding, dilation, "floor")
    reach = dilation * (f - 1) + 1
    return bool(found) and (rounding != "exact" or found[-1] + reach == n + padding[1])
