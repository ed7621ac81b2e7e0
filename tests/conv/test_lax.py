"""No convolution of ours has a negative padding, which XLA's CPU backend does not stand, however often it is differentiated."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jcnn import conv, conv_transpose
from jcnn.conv.folded import conv_folded
from jcnn.conv.lax import by_convolution, by_correlation, conv_lax, pad_beyond
from jcnn.conv.phases import by_phases
from jcnn.conv.ways import formulations
from jcnn.definition import conv_definition
from jcnn.window import Window, parse_window
from tests.draws import draws
from tests.geometries import geometries
from tests.references import Geometry, normal

Function = Callable[..., Any]
CHANNELS = st.sampled_from([(1, 2, 3), (1, 8, 8), (2, 4, 2), (3, 3, 6), (4, 4, 4)])  # (groups, C_in, C_out)


def pulled(function: Function) -> Function:
    """The gradients of ⟨c, function(*args)⟩ by args, as a function of c and args: all that reverse mode can make of it."""
    return lambda c, *args: jax.vjp(function, *args)[1](c)


def pushed(function: Function) -> Function:
    """The derivative of function at args, along args."""
    return lambda *args: jax.jvp(function, args, args)[1]


def with_the_shape_of(function: Function, *args: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), jax.eval_shape(function, *args))


def paddings(function: Function, *args: Any) -> list[tuple[tuple[int, int], ...]]:
    """Those of all convolutions in the program of function."""
    return [equation.params["padding"] for equation in convolutions(jax.make_jaxpr(function)(*args).jaxpr)]


def convolutions(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            yield equation
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=is_jaxpr):
            if is_jaxpr(inner):
                yield from convolutions(getattr(inner, "jaxpr", inner))


def is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns")


def assert_none_is_negative(function: Function, x: Any, w: Any, *, forward_mode: bool, third: bool = False) -> int:
    """Of the forward pass and all derivatives up to the second, or third; how many convolutions there were."""
    dy = with_the_shape_of(function, x, w)
    first = pulled(function)
    cotangents = with_the_shape_of(first, dy, x, w)
    second = pulled(first)
    programs = {
        "forward": (function, (x, w)),
        "vjp": (first, (dy, x, w)),
        "vjp of vjp": (second, (cotangents, dy, x, w)),
    }
    if third:
        given = cotangents, dy, x, w
        programs["vjp of vjp of vjp"] = pulled(second), (with_the_shape_of(second, *given), *given)
    if forward_mode:
        programs["jvp of vjp"] = pushed(first), (dy, x, w)
        programs["vjp of jvp"] = pulled(pushed(function)), (dy, x, w)
    found = 0
    for name, (program, args) in programs.items():
        edges = paddings(program, *args)
        found += len(edges)
        assert min((edge for pairs in edges for pair in pairs for edge in pair), default=0) >= 0, (name, edges)
    return found


def arrays(geometry: Geometry, channels: tuple[int, int, int]) -> tuple[jax.Array, jax.Array]:
    groups, c_in, c_out = channels
    return jnp.ones((2, *geometry.sizes, c_in), "float32"), jnp.ones((*geometry.window, c_in // groups, c_out), "float32")


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
@pytest.mark.parametrize("formulation", ["lax", "auto"])
@given(geometry=geometries(), channels=CHANNELS)
@example(geometry=Geometry((6, 8), (3, 1), (2, 3), ((0, 0), (0, 0)), (1, 1), "floor"), channels=(1, 2, 3))  # rests
@example(geometry=Geometry((1, 2), (3, 5), (1, 1), ((1, 1), (2, 2)), (1, 1), "floor"), channels=(1, 2, 3))  # few outputs
@draws(parts=4)
def test_no_padding_is_negative(formulation: Any, gradient: Any, geometry: Geometry, channels: tuple[int, int, int]) -> None:
    x, w = arrays(geometry, channels)
    function = partial(conv, **geometry.options, groups=channels[0], formulation=formulation, gradient=gradient)
    found = assert_none_is_negative(function, x, w, forward_mode=gradient == "autodiff", third=formulation == "lax")
    assert found or formulation == "auto"


@pytest.mark.parametrize("formulation", [name for name in formulations() if name != "lax"])
@given(geometry=geometries(), channels=CHANNELS)
@draws(parts=40)
def test_nor_is_one_with_the_other_formulations(formulation: Any, geometry: Geometry, channels: tuple[int, int, int]) -> None:
    if formulation == "winograd":
        geometry = geometry._replace(stride=(1,) * len(geometry.sizes), dilation=(1,) * len(geometry.sizes))
    x, w = arrays(geometry, channels)
    function = partial(conv, **geometry.options, groups=channels[0], formulation=formulation)
    assert not paddings(pulled(function), with_the_shape_of(function, x, w), x, w)
    assert_none_is_negative(partial(function, gradient="manual"), x, w, forward_mode=False)


@given(geometry=geometries(roundings=("floor",)), channels=CHANNELS)
@draws(parts=4)
def test_nor_in_the_transposed_convolution(geometry: Geometry, channels: tuple[int, int, int]) -> None:
    x, w = arrays(geometry, channels)
    options = {name: value for name, value in geometry.options.items() if name != "rounding"}
    options |= {"groups": channels[0]}
    y = with_the_shape_of(partial(conv, **options), x, w)
    assert_none_is_negative(partial(conv_transpose, **options, output_size=geometry.sizes), y, w, forward_mode=True)


WAYS_BACK: dict[str, Function] = {
    "by_convolution": by_convolution,
    "by_convolution, folded": partial(by_convolution, formulation=conv_folded),
    "by_phases": by_phases,
}


@pytest.mark.parametrize("way", WAYS_BACK)
@given(geometry=geometries())
@draws(parts=8)
def test_nor_on_any_way_back(way: str, geometry: Geometry) -> None:
    if way == "by_phases":
        geometry = geometry._replace(dilation=(1,) * len(geometry.sizes))
    x, w = arrays(geometry, (1, 2, 3))
    window = parse_window(geometry.sizes, geometry.window, **geometry.options)
    dy = jnp.ones((2, *window.output_shape(geometry.sizes), 3), "float32")
    back = partial(WAYS_BACK[way], window=window, groups=1, input_shape=geometry.sizes)
    assert_none_is_negative(back, dy, w, forward_mode=True)
    assert_none_is_negative(partial(by_correlation, window=window, groups=1), dy, x, forward_mode=True)


@given(geometries())
@draws()
def test_what_is_padded_before_leaves_the_same_taps_at_the_same_pixels(geometry: Geometry) -> None:
    window = parse_window(geometry.sizes, geometry.window, **geometry.options)
    x, w = normal(1, *geometry.sizes, 1), normal(*geometry.window, 1, 1)
    padded, within = pad_beyond(jnp.asarray(x), window)
    assert within.output_shape(padded.shape[1:-1]) == window.output_shape(geometry.sizes)
    moves = {"stride": within.stride, "padding": within.padding, "dilation": within.dilation}
    np.testing.assert_array_equal(conv_definition(padded, w, **moves), conv_definition(x, w, **geometry.options))  # pyright: ignore[reportArgumentType]


WITHIN = [
    ((9, 8), (3, 3), {"padding": 1}),
    ((9, 8), (3, 3), {"padding": "same", "stride": 2}),
    ((9, 8), (5, 3), {"padding": ((4, 3), (2, 0))}),
    ((8, 8), (3, 3), {"padding": 1, "stride": 2}),  # a rest within the padding
    ((11,), (3,), {"padding": 4, "dilation": 2}),
    ((6, 7, 5), (3, 2, 3), {}),
]


@pytest.mark.parametrize(("sizes", "taps", "options"), WITHIN, ids=str)
def test_padding_within_the_filter_is_left_to_xla(sizes: tuple[int, ...], taps: tuple[int, ...], options: Any) -> None:
    window = parse_window(sizes, taps, **options)
    x, w = jnp.ones((1, *sizes, 2)), jnp.ones((*taps, 2, 3))
    assert pad_beyond(x, window) == (x, window)
    program = jax.make_jaxpr(lambda x, w: conv_lax(x, w, window, 1))(x, w)
    assert [equation.primitive.name for equation in program.eqns] == ["conv_general_dilated"]


def test_a_window_with_negative_padding_is_refused() -> None:
    with pytest.raises(ValueError, match="padding"):
        conv_lax(jnp.ones((1, 5, 1)), jnp.ones((1, 1, 1)), Window((1,), (1,), ((-1, 2),), (1,)), 1)


ENDING = {
    "by hand, two axes": ("back", (4, 1), (2, 5), (2, 1), ((1, 1), (2, 2))),
    "by hand, three axes": ("back", (4, 4, 1), (2, 3, 2), (2, 2, 2), ((1, 2), (0, 2), (0, 1))),
    "by JAX": ("derived", (4, 4, 1), (2, 3, 2), (2, 2, 2), ((1, 2), (0, 2), (0, 1))),
    "by JAX, padded beyond the filter": ("derived", (2, 3, 1), (3, 2, 2), (1, 2, 2), ((0, 2), (1, 2), (2, 1))),
}
"""Geometries whose gradients, padding and convolution joined, XLA ends the process over under a plain `jax.jit`."""
COMPILE = """
import sys, jax, jax.numpy as jnp, jcnn
for name, (how, sizes, taps, stride, padding) in eval(sys.argv[1]).items():
    print(name, flush=True)
    x, w = jnp.ones((1, *sizes, 1), "float32"), jnp.ones((*taps, 1, 1), "float32")
    conv = lambda x, w: jcnn.conv(x, w, stride=stride, padding=padding)
    dy = jnp.ones(jax.eval_shape(conv, x, w).shape, "float32")
    back = lambda dy, x, w: jcnn.conv_backward(dy, x, w, stride=stride, padding=padding)
    derived = lambda dy, x, w: jax.vjp(conv, x, w)[1](dy)
    jax.jit({"back": back, "derived": derived}[how]).lower(dy, x, w).compile()
"""


def test_no_gradient_ends_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", COMPILE, repr(ENDING)], capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines(), done.returncode) == ([*ENDING], 0), done.stderr[-2000:]
