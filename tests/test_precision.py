"""float16 and bfloat16: every operation, formulation, gradient and pass is off by one rounding of its result, and by no more.

    |found − exact| ≤ u |exact| + γ_n Σ|terms| + s

with u the unit of the dtype, γ_n Σ|terms| what a sum of n terms in float32 may be off by, and s what lies below the smallest
normal number. The truth is the same operation in float64 on the same, already rounded, numbers; that it is right in float64 is
tested elsewhere. Programs are compiled to the letter: XLA may otherwise leave out a rounding that would show.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn.check.bounds import UNIT, gamma
from jcnn.conv.cook_toom import growth
from jcnn.conv.ways import formulations
from tests.draws import DRAWS
from tests.references import normal

# Both take the same way through the library; bfloat16, which rounds more coarsely, shows less of what is wrong.
HALVES = ("float16", "bfloat16") if DRAWS > 40 else ("float16",)
SMALLEST = {"float16": 2.0**-24, "bfloat16": 2.0**-126}  # XLA:CPU flushes what is subnormal in float32 too
halves = pytest.mark.parametrize("dtype", HALVES)


class Case(NamedTuple):
    """An operation with its backward by hand.

    Attributes:
        operation: y from the arguments.
        arguments: numbers to call it with.
        backward: gradients from dy and the first arguments; None: it has none.
        sees: how many arguments `backward` takes; all but a bias.
        factor: by how much a fast algorithm may enlarge errors, over those of the largest sum; 1: a plain sum.
    """

    operation: Callable[..., Any]
    arguments: tuple[Any, ...]
    backward: Callable[..., Any] | None = None
    sees: int = 2
    factor: float = 1.0


def passes(case: Case, dy: Any, *arguments: Any) -> dict[str, Any]:
    """y, and the gradients by autodiff and by hand."""
    y, pullback = jax.vjp(case.operation, *arguments)
    found = {"forward": y, "autodiff": pullback(dy)}
    return found if case.backward is None else {**found, "by hand": case.backward(dy, *arguments[: case.sees])}


def to_the_letter(case: Case, dy: Any, *arguments: Any) -> dict[str, Any]:
    compiled = jax.jit(partial(passes, case), compiler_options={"xla_allow_excess_precision": False})
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), compiled(dy, *arguments))


def rounded(array: Any, dtype: str) -> tuple[Any, Any]:
    """The array in this dtype, and the same numbers in float64."""
    half = jnp.asarray(array, dtype)
    return half, half.astype(jnp.float64)


def assert_rounded_once(found: Any, exact: Any, terms: Any, count: Any, dtype: str, factor: float = 1.0) -> None:
    for part, results in found.items():
        leaves = [map(np.asarray, jax.tree.leaves(tree[part])) for tree in ({part: results}, exact, terms, count)]
        for number, (one, true, size, n) in enumerate(zip(*leaves, strict=True)):
            total = np.full_like(size, size.max() * factor) if factor > 1 else size
            bound = UNIT[dtype] * np.abs(true) + gamma(n.max() + 8, "float32") * total + SMALLEST[dtype]
            error = np.abs(one - true)
            assert one.shape == true.shape
            assert (error <= bound).all(), f"{part}, result {number}: {np.nanmax(error / bound):.3g} × the bound"


def conv_case(x: tuple[int, ...], w: tuple[int, ...], formulation: Any = "lax", **options: Any) -> Case:
    """`conv` with a bias; by hand as `gradient="manual"` has it, which may take other ways than `conv_backward`."""
    op = partial(jcnn.conv, formulation=formulation, **options)
    manual = partial(jcnn.conv, formulation=formulation, gradient="manual", **options)

    def by_hand(dy: Any, x: Any, w: Any, b: Any) -> Any:
        return jax.vjp(manual, x, w, b)[1](dy), jcnn.conv_backward(dy, x, w, **options)

    # The Fourier transform adds up the whole image in log₂ n steps; minimal filtering has a factor that is known.
    factor = {"fft": 16.0, "winograd": growth(4, 3) ** 2, "auto": growth(4, 3) ** 2}.get(formulation, 1.0)
    return Case(op, (normal(*x), normal(*w, seed=1), normal(w[-1], seed=2)), by_hand, 3, factor)


SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "one tap": ((8, 4, 4, 3), (1, 1, 3, 4), {}),
    "groups": ((8, 5, 5, 4), (3, 3, 2, 4), {"groups": 2, "padding": 1}),
    "depthwise": ((8, 5, 5, 3), (2, 3, 1, 3), {"groups": 3}),
    "few channels": ((4, 6, 6, 1), (3, 3, 1, 4), {"padding": 1}),
    "some channels": ((4, 6, 6, 16), (3, 3, 16, 12), {"padding": "same"}),
}
CONVOLUTIONS = {
    f"conv-{name}-{shape}": conv_case(x, w, name, **options)
    for shape, (x, w, options) in SHAPES.items()
    for name in (*formulations(), "auto")
    if name == "auto" or (name == "lax" and shape in {"one tap", "some channels"}) or (shape == "groups" and name != "winograd")
}
CONVOLUTIONS |= {
    f"conv-{name}-strided": conv_case((3, 7, 6, 4), (3, 2, 4, 3), name, stride=2, padding=1) for name in ("lax", "auto")
}
CONVOLUTIONS["conv-winograd-1-D"] = conv_case((4, 9, 8), (3, 8, 4), "winograd")
CONVOLUTIONS["conv-auto-64 channels"] = conv_case((2, 4, 4, 64), (3, 3, 64, 64), "auto")


def pool_case(operation: Any, x: Any, window: Any, backward: Any, **options: Any) -> Case:
    return Case(partial(operation, window=window, **options), (x,), partial(backward, window=window, **options))


def max_pool_backward(dy: Any, x: Any, *, formulation: Any = "taps", **options: Any) -> Any:
    manual = partial(jcnn.max_pool, formulation=formulation, gradient="manual", **options)
    return jax.vjp(manual, x)[1](dy), jcnn.max_pool_backward(dy, x, **options)


def avg_pool_backward(dy: Any, x: Any, *, formulation: Any = "taps", **options: Any) -> Any:
    del formulation
    return jcnn.avg_pool_backward(dy, x, **options)


OVERLAPPING: dict[str, Any] = {"window": 3, "stride": 1, "padding": 1}
LINEAR: dict[str, Case] = {
    **CONVOLUTIONS,
    "convolve": Case(partial(jcnn.convolve, padding=1), (normal(4, 5, 5, 3), normal(3, 3, 3, 4), normal(4))),
    "conv_matrix": Case(lambda w: jcnn.conv_matrix(w, (7, 6, 2), padding=1), (normal(3, 3, 2, 2),)),
    **{
        f"conv_transpose-{name}": Case(
            partial(jcnn.conv_transpose, **options),
            (normal(*y), normal(*w), normal(w[-2] * options.get("groups", 1))),
            partial(jcnn.conv_transpose_backward, **options),
        )
        for name, y, w, options in (
            ("3×3", (4, 4, 4, 4), (3, 3, 3, 4), {"padding": 1}),
            ("groups", (8, 3, 4, 4), (2, 3, 2, 4), {"groups": 2, "stride": 2}),
            ("one tap", (8, 4, 4, 4), (1, 1, 3, 4), {}),
        )
    },
    "dense": Case(jcnn.dense, (normal(40, 30), normal(30, 7), normal(7)), jcnn.dense_backward),
    "locally_connected": Case(
        partial(jcnn.locally_connected, padding=1),
        (normal(8, 4, 4, 3), normal(4, 4, 3, 3, 3, 2), normal(4, 4, 2)),
        partial(jcnn.locally_connected_backward, padding=1),
    ),
    **{
        f"avg_pool-{form}": pool_case(
            jcnn.avg_pool, normal(2, 6, 6, 3), backward=avg_pool_backward, formulation=form, **OVERLAPPING
        )
        for form in ("taps", "lax")
    },
    "global_avg_pool": Case(jcnn.global_avg_pool, (normal(2, 9, 9, 3),), jcnn.global_avg_pool_backward),
    "flatten": Case(jcnn.flatten, (normal(2, 3, 3, 2),), jcnn.flatten_backward),
}


def assert_sums_rounded_once(case: Case, dtype: str) -> None:
    """Σ|terms| is the same sum over absolute values, n the same sum over ones."""
    given, true = zip(*(rounded(a, dtype) for a in case.arguments), strict=True)
    shape = jax.eval_shape(case.operation, *given).shape
    dy, true_dy = rounded(normal(*shape, seed=3), dtype)
    run = jax.jit(partial(passes, case))
    exact, terms, count = (run(*map(of, (true_dy, *true))) for of in (jnp.asarray, jnp.abs, jnp.ones_like))
    assert_rounded_once(to_the_letter(case, dy, *given), exact, terms, count, dtype, case.factor)


@halves
@pytest.mark.parametrize("case", LINEAR.values(), ids=LINEAR)
def test_sums_are_rounded_once(case: Case, dtype: str) -> None:
    assert_sums_rounded_once(case, dtype)


# Many windows reward one pixel, whose gradient is a sum; x only says which.
PEAKS = normal(2, 7, 7, 3) + 100 * (np.add.outer(np.arange(7), np.arange(7)) % 3 == 0)[None, :, :, None]
SELECTED: dict[str, Case] = {
    **{
        f"max_pool-{form}-{name}": pool_case(jcnn.max_pool, PEAKS, backward=max_pool_backward, formulation=form, **options)
        for form in ("taps", "lax")
        for name, options in (("overlapping", OVERLAPPING), ("strided", {"window": 3, "stride": 2, "padding": 1}))
    },
    "global_max_pool": Case(jcnn.global_max_pool, (normal(2, 5, 5, 3),), jcnn.global_max_pool_backward),
    "maxout": Case(partial(jcnn.maxout, pieces=3), (normal(5, 6),), partial(jcnn.maxout_backward, pieces=3)),
}


@halves
@pytest.mark.parametrize("case", SELECTED.values(), ids=SELECTED)
def test_gradients_of_what_is_selected_are_rounded_once(case: Case, dtype: str) -> None:
    """Linear in dy for one and the same x."""
    x, true_x = rounded(case.arguments[0], dtype)
    dy, true_dy = rounded(normal(*jax.eval_shape(case.operation, x).shape, seed=3), dtype)
    run = jax.jit(partial(passes, case))
    exact, terms, count = (run(of(true_dy), true_x) for of in (jnp.asarray, jnp.abs, jnp.ones_like))
    terms["forward"] = jnp.abs(terms["forward"])
    assert_rounded_once(to_the_letter(case, dy, x), exact, terms, count, dtype)


LABELS = np.array([0, 3, 1, 1, 2])
SOFT = np.abs(normal(5, 4, seed=4)) / 4
ROUNDINGS = 32
"""In float32, beside the one in half precision: those of an exponential, of a sum of four, of a few products."""


def pair(name: str, *options: Any) -> Case:
    function, backward = getattr(jcnn, name), getattr(jcnn, f"{name}_backward")
    return Case(lambda x: function(x, *options), (3 * normal(5, 4),), lambda dy, x: backward(dy, x, *options))


IMAGES = normal(4, 3, 2, 4)
SCALE, OFFSET = normal(4, seed=5), normal(4, seed=6)


def normalised(name: str, *given: Any, **options: Any) -> Case:
    """By x, scale and offset, by autodiff and by hand."""
    function, backward = getattr(jcnn, name), getattr(jcnn, f"{name}_backward")

    def in_dtype(x: Any) -> list[Any]:
        return [jnp.asarray(array, x.dtype) for array in given]

    return Case(
        lambda x, *others: function(x, *others, *in_dtype(x), **options),
        (IMAGES, SCALE, OFFSET),
        lambda dy, x, *others: backward(dy, x, *others, *in_dtype(x), **options)[:3],
        sees=3,
    )


SMOOTH: dict[str, Case] = {
    "batch_norm": normalised("batch_norm"),
    "batch_norm in evaluation": normalised("batch_norm", np.arange(4.0), np.arange(1.0, 5.0)),
    "layer_norm": normalised("layer_norm"),
    "group_norm": normalised("group_norm", groups=2),
    "dropout": Case(
        lambda x: jcnn.dropout(x, jax.random.key(0), rate=0.3),
        (IMAGES,),
        lambda dy, x: jcnn.dropout_backward(dy, x, jax.random.key(0), rate=0.3),
    ),
    "upsample": Case(
        lambda x: jcnn.upsample(x, 3, method="linear"),
        (IMAGES,),
        lambda dy, x: jcnn.upsample_backward(dy, x, 3, method="linear"),
    ),
    "softmax_cross_entropy-smoothed": Case(
        lambda x: jcnn.softmax_cross_entropy(x, LABELS, label_smoothing=0.2, ignored_label=3),
        (3 * normal(5, 4),),
        lambda dy, x: jcnn.softmax_cross_entropy_backward(dy, x, LABELS, label_smoothing=0.2, ignored_label=3),
    ),
    **{name: pair(name) for name in ("relu", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "gelu", "softplus")},
    "leaky_relu-0.3": pair("leaky_relu", 0.3),
    "elu-1.7": pair("elu", 1.7),
    **{name: pair(name) for name in ("softmax", "log_softmax")},
    **{
        f"softmax_cross_entropy-{kind}": Case(
            partial(lambda labels, x: jcnn.softmax_cross_entropy(x, labels), labels),
            (3 * normal(5, 4),),
            partial(lambda labels, dy, x: jcnn.softmax_cross_entropy_backward(dy, x, labels), labels),
        )
        for kind, labels in (("numbers", LABELS), ("soft", SOFT.astype("float32")))
    },
    "mean_squared_error": Case(
        jcnn.mean_squared_error, (3 * normal(5, 4), 100 * normal(5, 4)), jcnn.mean_squared_error_backward
    ),
}


WITHOUT_CANCELLATION = {"relu", "leaky_relu", "leaky_relu-0.3", "elu", "elu-1.7", "selu", "softplus"}


@halves
@pytest.mark.parametrize("name", SMOOTH)
def test_curves_are_rounded_once(name: str, dtype: str) -> None:
    """Terms are the results themselves, or where these may cancel no larger than arguments and results."""
    case = SMOOTH[name]
    given, true = zip(*(rounded(a, dtype) for a in case.arguments), strict=True)
    dy, true_dy = rounded(normal(*jax.eval_shape(case.operation, *given).shape, seed=3), dtype)
    exact = jax.jit(partial(passes, case))(true_dy, *true)
    largest = max(float(jnp.abs(a).max()) for a in true)
    whole = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.abs(leaf).max() + largest), exact)
    terms = jax.tree.map(jnp.abs, exact) if name in WITHOUT_CANCELLATION else whole
    count = jax.tree.map(lambda leaf: jnp.full_like(leaf, ROUNDINGS), exact)
    assert_rounded_once(to_the_letter(case, dy, *given), exact, terms, count, dtype)


ADVERSARIAL: dict[str, Case] = {
    "conv-one tap": conv_case((8, 16, 16, 1), (1, 1, 1, 1), "auto"),
    "conv-lax": conv_case((8, 16, 16, 1), (1, 1, 1, 1), "lax"),
    "conv-depthwise": conv_case((8, 16, 16, 2), (1, 1, 1, 2), "auto", groups=2),
    "dense": Case(jcnn.dense, (np.ones((2048, 1)), np.ones((1, 1)), np.ones(1)), jcnn.dense_backward),
    "locally_connected": Case(
        jcnn.locally_connected, (np.ones((2048, 1, 1)), np.ones((1, 1, 1, 1)), np.ones((1, 1))), jcnn.locally_connected_backward
    ),
}


@pytest.mark.parametrize("case", [LINEAR["conv-auto-groups"], LINEAR["dense"]], ids=["conv", "dense"])
def test_sums_in_bfloat16_are_rounded_once(case: Case) -> None:
    assert_sums_rounded_once(case, "bfloat16")


@pytest.mark.parametrize("case", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_partial_sums_beyond_float16_that_cancel(case: Case) -> None:
    """All numbers are 16, half of the output gradients −16: dx is ±256, and the sums for filters and biases are 0."""
    arguments = [jnp.full(a.shape, 16, jnp.float16) for a in case.arguments]
    shape = jax.eval_shape(case.operation, *arguments).shape
    half = jnp.full((shape[0] // 2, *shape[1:]), 16, jnp.float16)
    found = to_the_letter(case, jnp.concatenate([half, -half]), *arguments)
    for gradient in jax.tree.leaves((found["autodiff"], found["by hand"])):
        expected = 256 if gradient.shape == arguments[0].shape else 0
        np.testing.assert_array_equal(np.abs(gradient), expected)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_products_by_hand_take_half_precisions_as_they_are(platform: str) -> None:
    """An accelerator has units that multiply them and sum in float32; a cast before the product would leave these idle."""
    network = (jcnn.Conv(4, 3, padding="same"), jcnn.Conv(8, 1, stride=2), jcnn.Flatten())
    params = jcnn.init(jax.random.key(0, impl="threefry2x32"), network, (6, 6, 2), jnp.bfloat16)
    x, labels = jnp.ones((2, 6, 6, 2), jnp.bfloat16), jnp.zeros(2, jnp.int32)
    ops = jcnn.Ops(gradient="manual")
    step = jax.jit(lambda params: jcnn.value_and_grad(network, params, x, labels, ops=ops))
    module = jax.export.export(step, platforms=[platform])(params).mlir_module()
    products = re.findall(r"stablehlo\.(?:convolution|dot_general).*: \(tensor<(.*)>, tensor<(.*)>\) -> tensor<(.*)>", module)
    kinds = {tuple(shape.rsplit("x", 1)[1] for shape in product) for product in products}
    assert len(products) == 5  # two forward, two by the filters, one by the input
    assert kinds == {("bf16", "bf16", "f32")}
