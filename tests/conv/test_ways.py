"""The table of ways: its preferences against the figures they were made from, and the same results by every way."""

import json
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from experiments.benchmarks import shapes
from experiments.benchmarks.cases import Convolution
from experiments.benchmarks.choices import CHOICES, PLAIN, call_of, ways
from jcnn.conv import native as native_module
from jcnn.conv.call import Call
from jcnn.conv.taps import by_taps
from jcnn.conv.ways import AUTO, OTHERS, PREFERENCES, WAYS, Formulation, Pass, Policy, choose, formulations, run
from jcnn.conv.winograd import default_tile, filter_gradient_winograd, winograd_bound
from jcnn.window import parse_window
from tests.references import normal

CASES = [case for case in shapes.convolutions() if isinstance(case, Convolution)]
MEASURED = {(row["name"], row["pass"]): row["milliseconds"] for row in json.loads(CHOICES.read_text())["cases"]}


PASSES: tuple[Pass, ...] = get_args(Pass)
PLAIN_WAYS = Policy()
WITHOUT_NATIVE = Policy(for_speed=True, forward_mode=True)
NATIVE = pytest.mark.parametrize("native", [False, True], ids=["pure", "native"])


def chosen(case: Convolution, native: bool) -> str:
    """The way on the CPU; with oneDNN as if it were installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_module, "missing", lambda: None)
        return fastest(case.what, call_of(case), Policy(for_speed=True, forward_mode=not native))


def fastest(what: Pass, call: Call, policy: Policy = WITHOUT_NATIVE) -> str:
    return choose(what, call, "cpu", policy).way.name


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


def call(c_in: int, c_out: int, window: int | tuple[int, int] = 3, groups: int = 1, **options: Any) -> Call:
    """A convolution of 16×16 pixels in float32."""
    dtype = options.pop("dtype", "float32")
    size = (window,) * 2 if isinstance(window, int) else window
    return Call(parse_window((16, 16), size, **options), groups, c_in, c_out, (16, 16), dtype)


@pytest.mark.parametrize("what", PASSES)
def test_minimal_filtering_only_where_it_may(what: Pass) -> None:
    allowed = call(64, 64, padding=1)
    assert fastest(what, allowed) == "winograd"
    assert fastest(what, call(64, 64, padding=1, dtype="bfloat16")) == "winograd"
    for policy in (PLAIN_WAYS, Policy(forward=("lax",))):
        assert fastest(what, allowed, policy) != "winograd"
    for other in (
        call(64, 64, padding=1, dtype="float64"),
        call(64, 64, padding=1, groups=2),
        call(32, 64, padding=1),
        call(64, 64, stride=2),
        call(64, 64, dilation=2),
        call(64, 128, 5),
        call(256, 256, 7),
    ):
        assert fastest(what, other) != "winograd"


def test_pixels_are_folded_only_where_few_channels_are_written_and_all_cells_filled() -> None:
    assert fastest("forward", call(16, 8, padding=1)) == "folded"
    assert fastest("dx", call(8, 16, padding=1)) == "folded"
    assert fastest("dw", call(3, 8, padding=1)) == "by_folded_patches"
    for forward, back in (
        (call(16, 8, padding=((0, 0), (0, 1))), None),
        (call(16, 32, padding=1), call(32, 16, padding=1)),
        (call(128, 8, padding=1), call(8, 128, padding=1)),
        (call(16, 8, padding=1, groups=2), call(8, 16, padding=1, groups=2)),
        (call(16, 8, dilation=2), call(8, 16, dilation=2)),
        (call(16, 8, (3, 2)), call(8, 16, (3, 2))),
    ):
        assert fastest("forward", forward) == "lax"
        assert back is None or fastest("dx", back) == "by_convolution"


def test_names_are_one_table() -> None:
    """Every preference names a way of its pass, every last one is for all calls, and every name is one way."""
    for what, ways_ in WAYS.items():
        names = [way.name for way in ways_]
        assert len(set(names)) == len(names)
        for platform, preferences in PREFERENCES.items():
            assert {row.way for row in preferences[what]} <= {*names}, platform
            last = next(way for way in ways_ if way.name == preferences[what][-1].way)
            assert not last.for_speed
    assert get_args(Formulation) == (*formulations(), "native", "auto")


@pytest.mark.parametrize("what", PASSES)
def test_no_way_of_the_cpu_elsewhere(what: Pass) -> None:
    plain = {"lax", "by_convolution", "by_taps", "by_correlation"}
    for case in CASES:
        for platform in ("tpu", "cuda", "rocm", "gpu", OTHERS):
            for policy in (AUTO, PLAIN_WAYS, Policy(("native", "lax"), ("native",))):
                assert choose(what, call_of(case), platform, policy).way.name in plain


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
    dy = jnp.asarray(normal(batch, *window.output_shape(sizes), c_out))
    call = Call(window, groups, c_in, c_out, sizes, "float64")

    @jax.jit  # one program, where each operation of each form would be one
    def everything(x: jax.Array, w: jax.Array, dy: jax.Array) -> tuple[Any, dict[str, jax.Array], dict[str, jax.Array]]:
        _, pull = jax.vjp(lambda x, w: jcnn.conv(x, w, **options, groups=groups), x, w)
        by_input = {way.name: run("dx", way, call, dy, w) for way in WAYS["dx"] if way.valid(call)}
        return pull(dy), by_input, {way.name: run("dw", way, call, dy, x) for way in WAYS["dw"] if way.valid(call)}

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
    exact = by_taps(jnp.asarray(dy, jnp.float64), jnp.asarray(x, jnp.float64), window, groups)
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
