"""Sizes, padding and receptive fields: against walking the window, and against what a gradient reaches."""

import ast
import itertools
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jcnn import Conv, GeometryError, conv, count_parameters, geometry, summary
from jcnn.geometry import Rounding, output_size, receptive_field, resolve_padding, transposed_size
from tests.geometries import fits
from tests.references import named_padding, starts

ROUNDINGS: tuple[Rounding, ...] = ("floor", "ceil", "exact")
axes = {
    "n": st.integers(1, 24),
    "f": st.integers(1, 7),
    "stride": st.integers(1, 5),
    "padding": st.tuples(st.integers(0, 5), st.integers(0, 5)),
    "dilation": st.integers(1, 4),
}


@pytest.mark.parametrize("rounding", ROUNDINGS)
@given(**axes)
@settings(max_examples=300)
def test_output_size_counts_the_positions_one_can_walk(
    n: int, f: int, stride: int, padding: tuple[int, int], dilation: int, rounding: Rounding
) -> None:
    if fits(n, f, stride, padding, dilation, rounding):
        size = output_size(n, f, stride=stride, padding=padding, dilation=dilation, rounding=rounding)
        assert size == len(starts(n, f, stride, padding, dilation, rounding))
    else:
        with pytest.raises(GeometryError, match=f"N={n}, F={f}, P=.*, S={stride}, D={dilation}"):
            output_size(n, f, stride=stride, padding=padding, dilation=dilation, rounding=rounding)


def offers(message: str) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """The strides, window sizes and paddings that an error's message says would fit."""
    _, offered = message.split("what fits: ")
    strides = re.findall(r"strides? ([\d, ]*\d)", offered)
    windows = re.findall(r"window size (\d+)", offered)
    paddings = re.findall(r"padding (?:(\d+)|\((\d+), (\d+)\))", offered)
    return (
        [int(s) for s in strides[0].split(",")] if strides else [],
        [int(f) for f in windows],
        [(int(p), int(p)) if p else (int(lo), int(hi)) for p, lo, hi in paddings],
    )


@pytest.mark.parametrize("rounding", ROUNDINGS)
@given(n=st.integers(1, 9), f=st.integers(3, 12), stride=axes["stride"], padding=axes["padding"], dilation=st.integers(1, 4))
@settings(max_examples=300)
def test_whatever_an_error_offers_fits(
    n: int, f: int, stride: int, padding: tuple[int, int], dilation: int, rounding: Rounding
) -> None:
    assume(not fits(n, f, stride, padding, dilation, rounding))
    with pytest.raises(GeometryError) as caught:
        output_size(n, f, stride=stride, padding=padding, dilation=dilation, rounding=rounding)
    strides, windows, paddings = offers(str(caught.value))
    assert paddings
    assert strides or windows or rounding == "exact"
    assert all(fits(n, f, s, padding, dilation, rounding) for s in strides)
    assert all(fits(n, size, stride, padding, dilation, rounding) for size in windows)
    assert all(fits(n, f, stride, p, dilation, rounding) for p in paddings)


@pytest.mark.parametrize("name", ["same", "same_lower", "valid"])
@given(n=axes["n"], f=axes["f"], stride=axes["stride"], dilation=axes["dilation"])
def test_named_padding(name: geometry.NamedPadding, n: int, f: int, stride: int, dilation: int) -> None:
    pair = resolve_padding(n, f, stride=stride, padding=name, dilation=dilation)
    assert pair == named_padding(name, n, f, stride, dilation)
    if name != "valid":
        assert output_size(n, f, stride=stride, padding=name, dilation=dilation) == -(-n // stride)


@pytest.mark.parametrize(("stride", "expected"), [(1, 5), (2, 3)])
def test_the_lecture_s_sizes(stride: int, expected: int) -> None:
    assert output_size(7, 3, stride=stride, rounding="exact") == expected


def test_the_lecture_s_size_that_does_not_fit() -> None:
    with pytest.raises(GeometryError, match=re.escape("2.33")) as caught:
        output_size(7, 3, stride=3, rounding="exact")
    assert "strides 1, 2" in str(caught.value)
    assert "padding 1" in str(caught.value)
    assert output_size(7, 3, stride=3) == 2
    assert output_size(7, 3, stride=3, rounding="ceil") == 3


def test_the_lecture_s_layer_of_ten_filters() -> None:
    layer = (Conv(10, 5, padding=2),)
    assert summary(layer, (32, 32, 3)).rows[0].output_shape == (32, 32, 10)
    assert count_parameters(layer, (32, 32, 3)) == 760  # (5·5·3 + 1)·10
    assert geometry.conv_parameters((5, 5), 3, 10) == 760
    assert geometry.conv_multiply_adds((32, 32), (5, 5), 3, 10) == 32 * 32 * 10 * 75


@given(**axes, output_padding=st.integers(0, 4))
@settings(max_examples=300)
def test_transposed_size_is_mapped_back(
    n: int, f: int, stride: int, padding: tuple[int, int], dilation: int, output_padding: int
) -> None:
    smallest = stride * (n - 1) + dilation * (f - 1) + 1 - sum(padding)
    assume(output_padding < stride and smallest + output_padding >= 1)
    size = transposed_size(n, f, stride=stride, padding=padding, dilation=dilation, output_padding=output_padding)
    assert size == smallest + output_padding
    assert output_size(size, f, stride=stride, padding=padding, dilation=dilation) == n
    if smallest > 1:
        assert len(starts(smallest - 1, f, stride, padding, dilation, "floor")) == n - 1  # so it is the smallest


@given(n=axes["n"], f=axes["f"], stride=axes["stride"], dilation=axes["dilation"])
def test_transposed_same_is_the_largest(n: int, f: int, stride: int, dilation: int) -> None:
    size = transposed_size(n, f, stride=stride, padding="same", dilation=dilation)
    sizes = [output_size(s, f, stride=stride, padding="same", dilation=dilation) for s in (size, size + 1)]
    assert sizes == [n, n + 1]


walks = st.tuples(
    st.just("conv"),
    st.integers(1, 3),
    st.integers(1, 2),
    st.tuples(st.integers(0, 2), st.integers(0, 2)).map(lambda pair: (pair,)),
    st.integers(1, 2),
)


def reached(layers: list[tuple], sizes: tuple[int, ...], output: int) -> list[tuple[int, int]]:
    """First and last pixel, along each axis, that moves the output with this index along all axes."""

    @jax.grad
    def gradient(x: jax.Array) -> jax.Array:
        for _, window, stride, padding, dilation in layers:
            f = window if isinstance(window, tuple) else (window,) * len(sizes)
            x = conv(x, jnp.ones((*f, 1, 1)), stride=stride, padding=padding, dilation=dilation)
        return x[(0, *(output,) * len(sizes), 0)]

    hit = np.argwhere(np.asarray(gradient(jnp.zeros((1, *sizes, 1))))[0, ..., 0])
    return list(zip(hit.min(0).tolist(), hit.max(0).tolist(), strict=True))


@given(st.lists(walks, min_size=1, max_size=3))
@settings(max_examples=25)
def test_receptive_field_is_what_a_gradient_reaches(layers: list[tuple]) -> None:
    field = receptive_field(layers)[-1]
    (first,), (jump,), (size,) = field.start, field.jump, field.size
    output = 50 // jump  # in the middle of 100 pixels, of which it sees at most 29
    assert reached(layers, (100,), output) == [(first + output * jump, first + output * jump + size - 1)]


def test_receptive_field_with_one_entry_per_axis() -> None:
    layers = [("a", (3, 1), (2, 1), ((1, 0), (0, 0)), 1), ("b", 2, (1, 2), 0, (3, 1))]
    field = receptive_field(layers)[-1]
    assert field == ("b", (9, 2), (2, 2), (-1, 0))
    hit = [(start + 3 * jump, start + 3 * jump + size - 1) for size, jump, start in zip(*field[1:], strict=True)]
    assert reached(layers, (20, 20), 3) == hit


def test_padding_per_axis_gives_one_entry_per_axis() -> None:
    assert receptive_field([("conv", 3, 1, (0, 1))])[-1] == ("conv", (3, 3), (1, 1), (0, -1))


def test_a_layer_that_sees_the_whole_map() -> None:
    layers = [("conv", 3, 1, 1), ("pool", 2, None), ("all", None), ("dense",)]
    fields = receptive_field(layers, 8)
    assert [(field.size, field.jump, field.start) for field in fields] == [(3, 1, -1), (4, 2, -1), (10, 2, -1), (10, 2, -1)]
    with pytest.raises(GeometryError, match="layer 3, all, sees the whole map: give input_size"):
        receptive_field(layers)


def test_same_with_a_stride_needs_the_input_size() -> None:
    with pytest.raises(GeometryError, match="layer 1, conv, has padding='same' and stride 2: give input_size"):
        receptive_field([("conv", 3, 2, "same")])
    assert receptive_field([("conv", 3, 2, "same")], 8)[-1].start == 0
    assert receptive_field([("conv", 3, 2, "same")], 7)[-1].start == -1


CONV3, POOL2, POOL3 = ("conv", 3, 1, 1), ("pool", 2, 2), ("pool", 3, 2)
VGG16 = [*[CONV3] * 2, POOL2, *[CONV3] * 2, POOL2, *[*[CONV3] * 3, POOL2] * 3]
ALEXNET = [("conv", 11, 4), POOL3, ("conv", 5, 1, 2), POOL3, *[CONV3] * 3, POOL3]
# Units of 1×1, 3×3, 1×1; the last of each block but the final one strides, as in the networks that article measured.
RESNET50 = [("conv", 7, 2, 3), ("pool", 3, 2, 1)] + [
    layer
    for units, last in ((3, 2), (4, 2), (6, 2), (3, 1))
    for unit in range(units)
    for layer in (("conv",), ("conv", 3, last if unit == units - 1 else 1, 1), ("conv",))
]


@pytest.mark.parametrize(
    ("layers", "size", "jump"),
    [(VGG16, 212, 32), (ALEXNET, 195, 32), (RESNET50, 483, 32)],
    ids=["VGG-16", "AlexNet", "ResNet-50"],
)
def test_published_receptive_fields(layers: list[tuple], size: int, jump: int) -> None:
    """Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks"."""
    field = receptive_field(layers)[-1]
    assert (field.size, field.jump) == (size, jump)


def test_geometry_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(geometry.__file__).read_text(encoding="utf-8"))
    names = [[alias.name for alias in node.names] for node in ast.walk(tree) if isinstance(node, ast.Import)]
    names.append([node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)])
    imported = {name.split(".")[0] for name in itertools.chain(*names)}
    assert imported
    assert imported <= set(sys.stdlib_module_names)
