"""Any two options that may be given together are given together in some case, as read off the cases themselves."""

from itertools import combinations, product

import numpy as np
import pytest

from jcnn.check.cases import Case
from jcnn.check.cases.combinations import FACTORS, INSTEAD, TRIPLES, allowed, combined, demanded, geometry_of, meetings, rows
from jcnn.check.operations import kind_of

OPERATIONS = {
    "conv": "conv",
    "conv_backward": "conv",
    "convolve": "conv",
    "conv_transpose": "conv_transpose",
    "conv_transpose_backward": "conv_transpose",
    "locally_connected": "locally_connected",
    "locally_connected_backward": "locally_connected",
    **dict.fromkeys(("max_pool", "max_pool_backward", "avg_pool", "avg_pool_backward"), "pool"),
}

IMPOSSIBLE = (
    {("groups", "depthwise"), ("channels", "fewer filters")},
    {("axes", "1"), ("filter", "odd by even")},
    {("axes", "1"), ("filter", "even by odd")},
)


def entries(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return "one number"
    return "per side" if any(isinstance(entry, tuple) for entry in tuple(value)) else "per axis"  # pyright: ignore


def choices_of(case: Case) -> dict[str, str]:
    """What a case gives, as its candidate sees it."""
    args, options = case.args, case.options
    pooling = "window" in args
    x = args.get("x", args.get("y"))
    assert isinstance(x, np.ndarray)
    rank = x.ndim - 2
    window = args["window"] if pooling else args["w"].shape[-2 - rank : -2]
    window = (window,) * rank if isinstance(window, int) else window
    parity = {
        (True,): "odd",
        (False,): "even",
        (True, False): "odd by even",
        (False, True): "even by odd",
    }[tuple(dict.fromkeys(size % 2 == 1 for size in window))]
    found = {
        "padding": entries(options["padding"]) if "padding" in options else "none",
        "stride": entries(options["stride"]) if "stride" in options else "not given" if pooling else "1",
        "dilation": entries(options["dilation"]) if "dilation" in options else "1",
        "filter": parity,
        "axes": str(rank),
        "rounding": options.get("rounding", "floor"),
        "batch": "1" if len(x) == 1 else "2",
        "bias": "some" if "b" in args else "none",
    }
    if not pooling:
        groups, (per_group, c_out) = options.get("groups", 1), args["w"].shape[-2:]
        c_in = per_group * groups
        found["groups"] = "one" if groups == 1 else "depthwise" if groups == c_in else "some"
        more, fewer = "more filters" if c_out > c_in else "as many filters", "fewer filters"
        found["channels"] = fewer if c_out < c_in else more
    return found


@pytest.mark.parametrize("kind", OPERATIONS)
def test_any_two_choices_meet_in_a_case(kind: str) -> None:
    operation = OPERATIONS[kind]
    seen = [choices_of(case) for case in kind_of(kind).cases]
    names = [name for name in FACTORS if all(name in row for row in seen)]
    if kind.endswith("backward"):
        names.remove("bias")
    factors = {name: INSTEAD[operation].get(name, FACTORS[name]) for name in names}
    met = {(first, second) for row in seen for first, second in combinations(((name, row[name]) for name in names), 2)}
    for first, second in combinations(names, 2):
        for a, b in product(factors[first], factors[second]):
            pair = ((first, a), (second, b))
            assert pair in met or set(pair) in IMPOSSIBLE


@pytest.mark.parametrize("kind", ["conv", "conv_backward", "conv_transpose", "max_pool", "avg_pool_backward"])
def test_strides_paddings_and_dilations_meet_by_threes(kind: str) -> None:
    seen = [choices_of(case) for case in kind_of(kind).cases]
    names = TRIPLES[0]
    met = {tuple(row[name] for name in names) for row in seen}
    assert set(product(*(INSTEAD[OPERATIONS[kind]].get(name, FACTORS[name]) for name in names))) <= met


@pytest.mark.parametrize("operation", INSTEAD)
def test_rows_have_all_that_is_demanded_and_are_few(operation: str) -> None:
    made = rows(operation)
    assert set(demanded(operation)) <= {meeting for row in made for meeting in meetings(row)}
    assert all(allowed(row) for row in made)
    assert made == rows(operation)
    assert len(made) <= 60
    assert len({geometry.name for geometry in combined(operation)}) == len(made)


def test_a_filter_for_every_channel_is_not_fewer() -> None:
    assert not allowed({"groups": "depthwise", "channels": "fewer filters"})
    assert geometry_of({**rows("conv")[0], "groups": "depthwise", "channels": "more filters"}).channels == (3, 3, 6)
