"""Options together: geometries in which any two choices that may meet do meet, and some threes of those that often go wrong.

A mistake often needs two options at once: a dilation that is forgotten with groups, a one-sided padding with a stride. All
combinations are tens of thousands, but all pairs and the threes below are in a few dozen of them.

Source: Cohen, Dalal, Fredman & Patton 1997, "The AETG system: an approach to testing based on combinatorial design".
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import combinations, product
from typing import Any

from jcnn.check.cases.geometries import Geometry
from jcnn.geometry import output_size, padding_per_axis, per_axis, resolve_padding

Choice = tuple[str, str]
Row = dict[str, str]

FACTORS: dict[str, tuple[str, ...]] = {
    "padding": ("none", "one number", "per axis", "per side", "same", "same_lower"),
    "stride": ("1", "one number", "per axis"),
    "dilation": ("1", "one number", "per axis"),
    "groups": ("one", "some", "depthwise"),
    "filter": ("odd", "even", "odd by even", "even by odd"),
    "axes": ("2", "1", "3"),
    "channels": ("more filters", "as many filters", "fewer filters"),
    "rounding": ("floor", "ceil"),
    "bias": ("none", "some"),
    "batch": ("2", "1"),
}
"""What is chosen, and from what."""

TRIPLES = (
    ("padding", "stride", "dilation"),
    ("filter", "stride", "dilation"),
    ("groups", "dilation", "bias"),
    ("groups", "stride", "dilation"),
)
"""What is chosen together by threes, besides all pairs."""

INSTEAD: dict[str, dict[str, tuple[str, ...]]] = {
    "conv": {},
    "conv_transpose": {"rounding": ("floor",)},
    "locally_connected": {"rounding": ("floor",), "groups": ("one",)},
    "pool": {"stride": ("not given", "one number", "per axis"), "groups": ("one",), "bias": ("none",)},
}
"""For operations that lack an option, or have another default, what there is to choose from instead."""

_PADDING: dict[str, Any] = {
    "none": 0,
    "one number": 1,
    "per axis": (1, 0, 1),
    "per side": ((1, 0), (0, 1), (1, 1)),
    "same": "same",
    "same_lower": "same_lower",
}
_STRIDE: dict[str, Any] = {"not given": None, "1": 1, "one number": 2, "per axis": (3, 2, 1)}
_DILATION: dict[str, Any] = {"1": 1, "one number": 2, "per axis": (2, 3, 1)}
_FILTER = {"odd": (3, 3, 3), "even": (2, 2, 2), "odd by even": (3, 2, 3), "even by odd": (2, 3, 2)}
_CHANNELS = {
    ("one", "more filters"): (1, 2, 3),
    ("one", "as many filters"): (1, 3, 3),
    ("one", "fewer filters"): (1, 5, 2),
    ("some", "more filters"): (2, 4, 6),
    ("some", "as many filters"): (2, 4, 4),
    ("some", "fewer filters"): (2, 6, 4),
    ("depthwise", "more filters"): (3, 3, 6),
    ("depthwise", "as many filters"): (3, 3, 3),
}
_DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "rounding": "floor"}
_LARGEST = 16


def allowed(row: Mapping[str, str]) -> bool:
    """Whether choices may meet: a filter for every channel leaves none without, and along one axis a filter has one size."""
    groups, channels = row.get("groups"), row.get("channels")
    if groups and channels and (groups, channels) not in _CHANNELS:
        return False
    return row.get("axes") != "1" or " by " not in row.get("filter", "")


def meetings(row: Mapping[str, str]) -> Iterator[tuple[Choice, ...]]:
    """The pairs and threes of choices that a row has."""
    for names in (*combinations(FACTORS, 2), *TRIPLES):
        if all(name in row for name in names):
            yield tuple((name, row[name]) for name in names)


def demanded(operation: str) -> list[tuple[Choice, ...]]:
    """All pairs and threes that the cases of an operation shall have."""
    factors = {**FACTORS, **INSTEAD[operation]}
    return [
        chosen
        for names in (*TRIPLES, *combinations(FACTORS, 2))
        for values in product(*(factors[name] for name in names))
        if allowed(dict(chosen := tuple(zip(names, values, strict=True))))
    ]


@lru_cache
def combined(operation: str) -> tuple[Geometry, ...]:
    """Geometries that have all that is demanded, for a key of `INSTEAD`."""
    return tuple(geometry_of(row) for row in rows(operation))


def rows(operation: str) -> list[Row]:
    """Choices that have all that is demanded: each starts from what is missing, and takes whatever adds most to it."""
    factors = {**FACTORS, **INSTEAD[operation]}
    missing = dict.fromkeys(demanded(operation))
    made = []
    while missing:
        row = dict(next(iter(missing)))
        for name, values in factors.items():
            if name not in row:
                longer = [{**row, name: value} for value in values if allowed({**row, name: value})]
                row = max(longer, key=lambda row: sum(meeting in missing for meeting in meetings(row)))
        for meeting in meetings(row):
            missing.pop(meeting, None)
        made.append({name: row[name] for name in FACTORS})
    return made


def geometry_of(row: Row) -> Geometry:
    """The geometry of a row: sizes as small as make its choices matter."""
    rank = int(row["axes"])
    window = _FILTER[row["filter"]][:rank]
    groups, c_in, c_out = _CHANNELS[row["groups"], row["channels"]]
    made = {
        "stride": _along(rank, _STRIDE[row["stride"]]),
        "padding": _along(rank, _PADDING[row["padding"]]),
        "dilation": _along(rank, _DILATION[row["dilation"]]),
        "groups": groups,
        "rounding": row["rounding"],
    }
    options = {name: value for name, value in made.items() if value not in (None, _DEFAULTS[name])}
    sizes = tuple(_size(4 + axis, window, options, axis) for axis in range(rank))
    batch, bias = int(row["batch"]), row["bias"] == "some"
    parts = [
        f"{'×'.join(map(str, window))} on {'×'.join(map(str, sizes))}",
        f"{c_in} to {c_out} channels",
        *(f"{name} {value}" for name, value in options.items()),
        *(["a bias"] if bias else []),
        *(["one example"] if batch == 1 else []),
    ]
    return Geometry(f"together: {', '.join(parts)}", sizes, window, (groups, c_in, c_out), options, batch, bias, "normal")


def _along(rank: int, value: Any) -> Any:
    return value[:rank] if isinstance(value, tuple) else value


def _size(least: int, window: tuple[int, ...], options: dict[str, Any], axis: int) -> int:
    """The first size with two positions where a way of rounding or a side of padding, if it can, makes a difference."""
    rank = len(window)
    stride, dilation = (per_axis(name, options.get(name, 1), rank)[axis] for name in ("stride", "dilation"))
    padding = padding_per_axis(options.get("padding", 0), rank)[axis]
    fitting = []
    for n in range(least, _LARGEST):
        floor, ceil = (_positions(n, window[axis], stride, padding, dilation, rounding) for rounding in ("floor", "ceil"))
        if floor < 2:
            continue
        fitting.append(n)
        lo, hi = resolve_padding(n, window[axis], stride=stride, padding=padding, dilation=dilation)
        if (lo != hi) if isinstance(padding, str) else (floor != ceil):
            return n
    return fitting[0]


def _positions(n: int, f: int, stride: int, padding: Any, dilation: int, rounding: Any) -> int:
    try:
        return output_size(n, f, stride=stride, padding=padding, dilation=dilation, rounding=rounding)
    except ValueError:
        return 0
