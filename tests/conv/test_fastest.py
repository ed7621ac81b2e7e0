"""The rules of the fastest way: against the figures they were made from, and the same results by every way."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from experiments.benchmarks import shapes
from experiments.benchmarks.cases import Convolution
from experiments.benchmarks.choices import CHOICES, PLAIN, layer_of, ways
from jcnn.conv import filter_gradients, input_gradients
from jcnn.conv.fastest import Layer, fastest
from jcnn.conv.winograd import default_tile, filter_gradient_winograd, winograd_bound
from jcnn.window import parse_window
from tests.references import normal

CASES = [case for case in shapes.convolutions() if isinstance(case, Convolution)]
MEASURED = {(row["name"], row["pass"]): row["milliseconds"] for row in json.loads(CHOICES.read_text())["cases"]}


NATIVE = pytest.mark.parametrize("native", [False, True], ids=["pure", "native"])


def chosen(case: Convolution, native: bool) -> str:
    return fastest(case.what, layer_of(case)._replace(native=native))


@NATIVE
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}, {case.what}")
def test_the_choice_was_measured_and_is_no_slower_than_plain_lax(case: Convolution, native: bool) -> None:
    measured = MEASURED[case.name, case.what]
    assert measured[chosen(case, native)] <= 1.05 * measured[PLAIN]


@NATIVE
def test_little_is_lost_to_the_best(native: bool) -> None:
    lost = []
    for case in CASES:
        measured = MEASURED[case.name, case.what]
        best = min(time for name, time in measured.items() if native or name != "native")
        lost.append(measured[chosen(case, native)] / best)
    assert np.exp(np.mean(np.log(lost))) < 1.1


def test_every_way_was_measured() -> None:
    for case in CASES:
        assert MEASURED[case.name, case.what].keys() == {*ways(case), "native", PLAIN}


@pytest.mark.parametrize("what", ["forward", "dx", "dw"])
def test_minimal_filtering_only_where_it_may(what: str) -> None:
    window = parse_window((16, 16), (3, 3), padding=1)
    assert fastest(what, Layer(window, 64, 64, 1, winograd=True)) == "winograd"  # pyright: ignore[reportArgumentType]
    for layer in (
        Layer(window, 64, 64, 1),
        Layer(window, 64, 64, 2, winograd=True),
        Layer(window, 32, 64, 1, winograd=True),
        Layer(parse_window((16, 16), (3, 3), stride=2), 64, 64, 1, winograd=True),
        Layer(parse_window((16, 16), (3, 3), dilation=2), 64, 64, 1, winograd=True),
        Layer(parse_window((16, 16), (5, 5)), 64, 128, 1, winograd=True),
        Layer(parse_window((16, 16), (7, 7)), 256, 256, 1, winograd=True),
    ):
        assert fastest(what, layer) != "winograd"  # pyright: ignore[reportArgumentType]


def test_pixels_are_folded_only_where_few_channels_are_written_and_all_cells_filled() -> None:
    window = parse_window((16, 16), (3, 3), padding=1)
    layer = Layer(window, 16, 8, 1, folded=True)
    assert fastest("forward", layer) == "folded"
    assert fastest("dx", layer._replace(c_in=8, c_out=16)) == "folded"
    assert fastest("dw", layer._replace(c_in=3)) == "by_folded_patches"
    for other in (
        layer._replace(folded=False),
        layer._replace(c_out=32),
        layer._replace(c_in=128),
        layer._replace(groups=2),
        layer._replace(window=parse_window((16, 16), (3, 3), stride=2)),
        layer._replace(window=parse_window((16, 16), (3, 2))),
    ):
        assert fastest("forward", other) == "lax"
        assert fastest("dx", other._replace(c_in=other.c_out, c_out=other.c_in)) == "by_convolution"


GEOMETRIES = [
    ((9, 8), (3, 3), {"stride": 2, "padding": 1}),
    ((9, 8), (2, 3), {"stride": (3, 2), "padding": ((0, 2), (1, 0))}),
    ((7, 8), (2, 2), {"stride": 3}),
    ((10,), (4,), {"stride": 3, "padding": 2}),
    ((5, 6, 4), (3, 2, 1), {"stride": (2, 1, 2), "padding": 1}),
    ((9, 8), (3, 3), {"padding": ((3, 4), (2, 2))}),
]


@pytest.mark.parametrize(("c_in", "c_out", "groups"), [(3, 4, 1), (4, 6, 2), (3, 3, 3), (2, 6, 2)], ids=str)
@pytest.mark.parametrize(("sizes", "taps", "options"), GEOMETRIES, ids=str)
def test_every_way_gives_the_same_gradients(
    sizes: tuple[int, ...], taps: tuple[int, ...], options: dict, c_in: int, c_out: int, groups: int
) -> None:
    batch = 1 if groups == 2 else 6  # sums in parts, and not
    window = parse_window(sizes, taps, **options)
    x, w = jnp.asarray(normal(batch, *sizes, c_in)), jnp.asarray(normal(*taps, c_in // groups, c_out))
    of_one_group = ["by_correlation", "by_patches", "by_folded_patches"]
    names = ["by_taps", *(of_one_group if groups == 1 else ["by_sums"] if c_in == groups else [])]
    dy = jnp.asarray(normal(batch, *window.output_shape(sizes), c_out))

    @jax.jit  # one program, where each operation of each form would be one
    def everything(x: jax.Array, w: jax.Array, dy: jax.Array) -> tuple[Any, dict[str, jax.Array], dict[str, jax.Array]]:
        _, pull = jax.vjp(lambda x, w: jcnn.conv(x, w, **options, groups=groups), x, w)
        by_input = {
            name: getattr(input_gradients, name)(dy, w, window, groups, sizes)
            for name in ("by_convolution", "by_phases", "by_places")
        }
        return pull(dy), by_input, {name: getattr(filter_gradients, name)(dy, x, window, groups) for name in names}

    (dx, dw), by_input, by_filters = everything(x, w, dy)
    for expected, found in ((dx, by_input), (dw, by_filters)):
        for name, gradient in found.items():
            # Sums of float64 of at most a few hundred products near 1.
            np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("sizes", "taps", "padding", "groups"),
    [((11,), (3,), 1, 2), ((10, 9), (3, 3), 1, 1), ((9, 8), (2, 5), 0, 2), ((5, 6, 4), (3, 1, 3), 1, 1)],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_filter_gradient_by_minimal_filtering_keeps_to_its_bound(
    sizes: tuple[int, ...], taps: tuple[int, ...], padding: int, groups: int, dtype: str
) -> None:
    window = parse_window(sizes, taps, padding=padding)
    outputs = window.output_shape(sizes)
    x, dy = normal(3, *sizes, 4).astype(dtype), normal(3, *outputs, 6).astype(dtype)
    found = filter_gradient_winograd(jnp.asarray(dy), jnp.asarray(x), window, groups)
    assert found.dtype == dtype
    exact = filter_gradients.by_taps(jnp.asarray(dy, jnp.float64), jnp.asarray(x, jnp.float64), window, groups)
    tile = default_tile(taps, outputs)
    tiles = np.prod([-(-o // m) for o, m in zip(outputs, tile, strict=True)])
    axes = tuple(range(1, len(sizes) + 1))
    scale = np.abs(x).max(axes).T @ np.abs(dy).sum(axes)  # Σ_n max|x_n| · ‖dy_n‖₁, (C_in, C_out)
    mine = [scale[2 * (o // 3) : 2 * (o // 3) + 2, o] if groups == 2 else scale[:, o] for o in range(6)]
    bound = winograd_bound(tile, taps, terms=int(3 * tiles), dtype=dtype) * np.stack(mine, 1)
    assert (np.abs(np.asarray(found, np.float64) - np.asarray(exact)) <= bound).all()


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_float32_with_many_channels_keeps_to_the_bound(gradient: str) -> None:
    """The one case in which `auto` takes minimal filtering, for all three passes."""
    x, w = (array.astype("float32") for array in (normal(2, 9, 10, 64), normal(3, 3, 64, 64)))
    exact, pull = jax.vjp(lambda x, w: jcnn.conv(x, w, padding=1), jnp.asarray(x, jnp.float64), jnp.asarray(w, jnp.float64))
    dy = normal(*exact.shape).astype("float32")
    dx, dw = pull(jnp.asarray(dy, jnp.float64))
    found, ours = jax.vjp(lambda x, w: jcnn.conv(x, w, padding=1, formulation="auto", gradient=gradient), x, w)  # pyright: ignore[reportArgumentType]
    my_dx, my_dw = ours(jnp.asarray(dy))
    pixels = (1, 2)
    scales = {
        "y": np.abs(x).max(pixels) @ np.abs(w).sum((0, 1)),
        "dx": np.abs(dy).max(pixels) @ np.abs(w).sum((0, 1)).T,
        "dw": np.abs(x).max(pixels).T @ np.abs(dy).sum(pixels),
    }
    for name, mine, right in (("y", found, exact), ("dx", my_dx, dx), ("dw", my_dw, dw)):
        terms = 2 * 3 * 3 if name == "dw" else 64
        bound = winograd_bound((4, 4), (3, 3), terms, np.float32) * scales[name]
        bound = bound if name == "dw" else bound[:, None, None, :]
        assert (np.abs(np.asarray(mine, np.float64) - np.asarray(right)) <= bound).all(), name
        assert not np.array_equal(mine, np.asarray(right, np.float32)), name
