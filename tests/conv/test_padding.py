"""Padding beyond the filter: every pass and the derivatives of the gradients, as users run them, against the definition.

The options of the compiler are those that training takes, and XLA's own: they decide which kernels it hands a convolution to.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jcnn import conv
from jcnn.compilation import compiler_options
from jcnn.definition import conv_backward_definition, conv_definition
from tests import rounding
from tests.draws import DRAWS
from tests.references import normal

Function = Callable[..., Any]
WAYS = [(formulation, gradient) for formulation in ("lax", "auto") for gradient in ("autodiff", "manual")]
SETTINGS = ("default", "training")
NAMES = ("y", "dx", "dw", "∂dy", "∂x", "∂w")


class Layer(NamedTuple):
    """A convolution: spatial sizes of the input, of the filters, (groups, C_in, C_out), options."""

    sizes: tuple[int, ...]
    window: tuple[int, ...]
    channels: tuple[int, int, int]
    options: dict[str, Any]

    def __str__(self) -> str:
        groups, c_in, c_out = self.channels
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.sizes}, {self.window}, {c_in} to {c_out} in {groups}, {options}"


OFTEN = [
    Layer((6, 8), (1, 2), (1, 15, 8), {"padding": ((0, 0), (6, 0))}),
    Layer((9,), (3,), (1, 4, 5), {"padding": ((5, 0),)}),
    Layer((6, 5), (3, 3), (2, 8, 8), {"padding": ((4, 0), (4, 0))}),
    Layer((7, 8), (2, 2), (1, 6, 8), {"padding": ((4, 0), (0, 3)), "stride": 2}),
]
"""In every run of the tests; what follows in the deep ones too."""
DEEP = [
    Layer((6, 6), (3, 3), (1, 64, 64), {"padding": 4}),
    Layer((3, 4, 3), (2, 1, 2), (1, 3, 4), {"padding": ((3, 0), (1, 0), (0, 0))}),
    Layer((5, 7), (3, 3), (1, 32, 64), {"padding": ((5, 0), (0, 5))}),
    Layer((5, 7), (3, 3), (1, 2, 3), {"padding": 4}),
    Layer((5, 7), (1, 1), (1, 2, 3), {"padding": 1}),
    Layer((5, 7), (3, 3), (1, 8, 8), {"padding": ((5, 0), (5, 0))}),
    Layer((5, 7), (3, 3), (1, 8, 8), {"padding": ((0, 5), (0, 5))}),
    Layer((9,), (3,), (1, 4, 5), {"padding": 4}),
    Layer((9,), (1,), (1, 32, 32), {"padding": ((2, 0),)}),
    Layer((9,), (2,), (1, 16, 16), {"padding": ((4, 1),), "stride": 2}),
    Layer((12,), (3,), (1, 8, 4), {"padding": ((6, 0),), "dilation": 2}),
    Layer((6, 6), (3, 3), (1, 64, 64), {"padding": ((4, 0), (0, 4))}),
    Layer((4, 4), (1, 1), (1, 64, 32), {"padding": ((3, 0), (0, 2))}),
    Layer((6, 5), (3, 2), (8, 8, 8), {"padding": ((4, 0), (3, 0))}),
    Layer((6, 5), (3, 2), (4, 4, 8), {"padding": 5, "stride": 2}),
    Layer((7, 7), (2, 3), (1, 8, 16), {"padding": ((5, 0), (0, 0)), "dilation": (2, 1)}),
    Layer((7, 8), (3, 3), (1, 32, 8), {"padding": ((5, 1), (4, 0)), "stride": (3, 2), "dilation": (1, 2)}),
    Layer((3, 3, 4), (2, 2, 2), (1, 4, 4), {"padding": 3}),
    Layer((3, 3, 4), (1, 1, 1), (1, 32, 16), {"padding": ((2, 0), (0, 0), (2, 0)), "stride": (1, 2, 1)}),
]
OF_ALL = pytest.mark.skipif(DRAWS < 1000, reason="among the deep tests")


@pytest.mark.parametrize("layer", OFTEN, ids=str)
def test_every_pass_is_the_definition(layer: Layer) -> None:
    assert not wrong(layer, "float32", SETTINGS)


def test_outside_of_jit_too() -> None:
    assert not wrong(OFTEN[0], "float32", ("eager",))


def sharded(function: Function) -> Function:
    """The examples over two devices."""
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    batch, shared = PartitionSpec("data"), PartitionSpec()
    return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=(batch, shared, batch), out_specs=batch))


TRANSFORMS: dict[str, Callable[[Function], Function]] = {
    "vmap": lambda f: jax.jit(lambda x, w, dy: jax.vmap(lambda x, dy: f(x[None], w, dy[None])[0], (0, 0))(x, dy)),
    "scan": lambda f: jax.jit(lambda x, w, dy: jax.lax.scan(lambda _, w: (None, f(x, w, dy)), None, w[None])[1][0]),
    "export": lambda f: lambda *given: jax.export.export(jax.jit(f))(*given).call(*given),
    "shard_map": sharded,
    "linear_transpose": lambda _: jax.jit(
        lambda x, w, dy: jax.linear_transpose(lambda x: conv(x, w, **OFTEN[0].options), x)(dy)[0]
    ),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_under_every_transformation(transform: str) -> None:
    (x, w, dy, _, _), exact, tolerances = expectations(OFTEN[0], "float32")
    form = partial(conv, **OFTEN[0].options)
    derive = TRANSFORMS[transform](lambda x, w, dy: jax.vjp(lambda x: form(x, w), x)[1](dy)[0])
    dx = derive(*map(jnp.asarray, (x, w, dy)))
    assert (np.abs(np.asarray(dx, np.float64) - exact[1]) <= tolerances[1]).all()


@pytest.mark.parametrize("setting", SETTINGS)
def test_nor_does_the_compiler_hand_negative_padding_to_the_kernel_at_fault(setting: str) -> None:
    """It merges padding into convolutions, and swaps image and filter where the filter is larger: then it reads in reverse.

    That goes to a general loop of its own, which reads nothing from outside.
    """
    options = compiler_options() if setting == "training" else None
    given, _, _ = expectations(OFTEN[0], "float32")
    program = jax.jit(lambda *given: {way: derivatives(OFTEN[0], way, *given) for way in WAYS}, compiler_options=options)
    windows = re.findall(r"window=\{([^}]*)\}", program.lower(*given).compile().as_text() or "")
    assert windows
    assert not [window for window in windows if "-" in window and "rhs_reversal" not in window]


@OF_ALL
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", OFTEN + DEEP, ids=str)
def test_every_pass_of_all_of_them(layer: Layer, dtype: str) -> None:
    assert not wrong(layer, dtype, (*SETTINGS, "eager"))


def wrong(layer: Layer, dtype: str, settings: tuple[str, ...]) -> list[str]:
    """The combinations of formulation, gradient and setting in which a result is off by more than rounding explains."""
    given, exact, tolerances = expectations(layer, dtype)
    found = []
    for setting in settings:
        results = run(layer, setting, *map(jnp.asarray, given))
        for way, result in results.items():
            if isinstance(result, Exception):
                found.append(f"{way}, {setting}: {result}")
                continue
            for name, one, right, tolerance in zip(NAMES, result, exact, tolerances, strict=True):
                error = np.abs(np.asarray(one, np.float64) - right)
                if not (error <= tolerance).all():
                    found.append(f"{way}, {setting}: {name} is off by {np.nanmax(error):.2e}")
    return found


def run(layer: Layer, setting: str, *given: jax.Array) -> dict[Any, Any]:
    if setting == "eager":
        return {way: derivatives(layer, way, *given) for way in WAYS}
    options = compiler_options() if setting == "training" else None
    return jax.jit(lambda *given: {way: derivatives(layer, way, *given) for way in WAYS}, compiler_options=options)(*given)


def derivatives(
    layer: Layer, way: tuple[str, str], x: jax.Array, w: jax.Array, dy: jax.Array, a: jax.Array, b: jax.Array
) -> Any:
    """y, the gradients dx and dw, and the derivatives of ⟨a, dx⟩ + ⟨b, dw⟩ by dy, x and w."""
    formulation, gradient = way
    form = partial(conv, **layer.options, groups=layer.channels[0], formulation=formulation, gradient=gradient)  # pyright: ignore[reportArgumentType]

    def gradients(dy: jax.Array, x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.vjp(form, x, w)[1](dy)

    (dx, dw), pull = jax.vjp(gradients, dy, x, w)
    return form(x, w), dx, dw, *pull((a, b))


def expectations(layer: Layer, dtype: str) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """The arguments of `derivatives` in this dtype; its results in float64; how far from them rounding may lead.

    As ⟨a, dx⟩ + ⟨b, dw⟩ = ⟨dy, conv(a, w) + conv(x, b)⟩, the derivatives are again convolutions and gradients of these.
    """
    groups, c_in, c_out = layer.channels
    options = {**layer.options, "groups": groups}
    shapes = (2, *layer.sizes, c_in), (*layer.window, c_in // groups, c_out)
    x, w, a, b = (normal(*shape, seed=seed).astype(dtype) for seed, shape in enumerate((*shapes, *shapes)))
    dy = normal(*conv_definition(x, w, **options).shape, seed=4).astype(dtype)
    wide = [array.astype(np.float64) for array in (dy, x, w, a, b)]
    first = passes(wide[:3], options)
    by_a, by_b = passes((wide[0], wide[3], wide[2]), options), passes((wide[0], wide[1], wide[4]), options)
    exact = (*first, by_a[0] + by_b[0], by_b[1], by_a[2])
    tolerance = partial(tolerances, options, dtype)
    first, by_a, by_b = (tolerance(*arrays) for arrays in (wide[:3], (wide[0], wide[3], wide[2]), (wide[0], wide[1], wide[4])))
    unit = np.finfo(dtype).eps
    return (x, w, dy, a, b), exact, (*first, by_a[0] + by_b[0] + unit * np.abs(exact[3]), by_b[1], by_a[2])


def passes(arrays: Any, options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dy, x, w = arrays
    dx, dw, _ = conv_backward_definition(dy, x, w, **options)
    return conv_definition(x, w, **options), dx, dw


def tolerances(options: dict[str, Any], dtype: str, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of direct sums; where `"auto"` filters minimally, of that."""
    dy, x, w = arrays
    of_sums = rounding.direct(options, dy, x, w, float(np.finfo(dtype).eps))
    if dtype != "float32" or w.shape[:-2] != (3, 3) or min(w.shape[-2:]) < 64:
        return of_sums
    return tuple(map(np.maximum, of_sums, rounding.minimal(options["groups"], dy, x, w, dtype)))
