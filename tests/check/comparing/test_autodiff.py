"""Autodiff is a witness: where it is wrong it is said to be, and nothing right is ever said to be wrong."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jcnn
from jcnn.check import CATALOGUE, compare
from jcnn.definition import conv_backward_definition
from jcnn.faults import FAULTS, has
from tests.draws import draws
from tests.references import levels, normal

BEYOND = ((0, 0), (6, 0))
"""Six pixels of padding for a filter of two: on the way back XLA:CPU gets a negative padding, and misreads it in float32."""

faulty = pytest.mark.skipif(not has(FAULTS[1]), reason="this XLA does not have the fault")


def conv(x: jax.Array, w: jax.Array) -> jax.Array:
    return jax.lax.conv_general_dilated(x, w, (1, 1), BEYOND, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def by_hand(dy: Any, x: Any, w: Any) -> Any:
    return conv_backward_definition(dy, x, w, padding=BEYOND)[:2]


def by_hand_in_float32(dy: Any, x: Any, w: Any) -> Any:
    return tuple(gradient.astype(np.float32) for gradient in by_hand(dy, x, w))


def by_jax_in_float32(dy: Any, x: Any, w: Any) -> Any:
    dy, x, w = (jnp.asarray(array, jnp.float32) for array in (dy, x, w))
    return jax.vjp(conv, x, w)[1](dy)


def reversed_by_hand(dy: Any, x: Any, w: Any) -> Any:
    dx, dw = by_hand(dy, x, w)
    return dx[:, ::-1], dw


@faulty
@pytest.mark.parametrize(
    ("backward", "dtype", "verdict", "said"),
    [
        pytest.param(by_hand, None, "agrees", "Autodiff is wrong here, the candidate is right: jax.vjp in float32", id="right"),
        pytest.param(by_hand, "float32", "agrees", "Autodiff is wrong here, the candidate is right", id="right, float32"),
        pytest.param(by_hand_in_float32, None, "rounding", "the candidate is right", id="right, in float32"),
        pytest.param(by_jax_in_float32, None, "bug", "Both the candidate and autodiff are wrong here", id="as autodiff"),
        pytest.param(by_jax_in_float32, "float32", "bug", "Both the candidate and autodiff", id="as autodiff, float32"),
        pytest.param(by_jax_in_float32, "bfloat16", "bug", "Both the candidate and autodiff", id="as autodiff, bfloat16"),
        pytest.param(reversed_by_hand, None, "bug", "turned round along axis 1. Autodiff is wrong here as well", id="wrong"),
    ],
)
def test_the_fault_of_xla(backward: Callable[..., Any], dtype: str | None, verdict: str, said: str) -> None:
    report = compare(conv, backward, normal(2, 15, 6, 8), normal(1, 2, 8, 8), dtype=dtype)
    assert (report.verdict, report.autodiff) == (verdict, "wrong")
    assert said in str(report.diagnosis)
    assert [witness.holds for witness in report.witnesses if witness.name.startswith("autodiff")] == [False]


@jax.custom_vjp
def square(x: jax.Array) -> jax.Array:
    """x², with a wrong rule for reverse mode, and so with no forward mode."""
    return x * x


square.defvjp(lambda x: (square(x), x), lambda x, dy: (3 * x * dy,))


@jax.custom_jvp
def cube(x: jax.Array) -> jax.Array:
    """x³, with a wrong rule for both modes."""
    return x**3


cube.defjvp(lambda point, tangent: (cube(*point), 4 * point[0] ** 2 * tangent[0]))


def root(x: jax.Array) -> jax.Array:
    """√x where there is one: the branch that is not taken makes autodiff's gradient NaN."""
    return jnp.where(x > 0, jnp.sqrt(x), 0.0)


def rounded(x: jax.Array) -> jax.Array:
    """Rounding that passes the gradient through, by stop_gradient."""
    return x + jax.lax.stop_gradient(jnp.round(x) - x)


def cast(x: jax.Array) -> jax.Array:
    """x and its whole part: a cast to integers has no gradient, in autodiff as in truth."""
    return x + x.astype(int).astype(x.dtype)


def root_back(dy: Any, x: Any, outside: float = 0.0) -> Any:
    return dy * np.where(x > 0, 0.5 / np.sqrt(np.abs(x)), outside)


WRONG: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {
    "custom_vjp": (square, lambda dy, x: 2 * x * dy, lambda dy, x: 3 * x * dy),
    "custom_jvp": (cube, lambda dy, x: 3 * x**2 * dy, lambda dy, x: 4 * x**2 * dy),
    "NaN": (root, root_back, partial(root_back, outside=np.nan)),
    "stop_gradient": (rounded, lambda dy, x: 0 * dy, lambda dy, x: dy),
}


@pytest.mark.parametrize("name", WRONG)
def test_other_sources_of_a_wrong_autodiff(name: str) -> None:
    forward, right, as_autodiff = WRONG[name]
    x = normal(3, 4)
    report = compare(forward, right, x)
    assert (report.verdict, report.autodiff) == ("agrees", "wrong")
    assert "Autodiff is wrong here, the candidate is right" in str(report.diagnosis)
    assert name in str(report.diagnosis)
    report = compare(forward, as_autodiff, x)
    assert (report.verdict, report.autodiff) == ("bug", "wrong")
    assert "Both the candidate and autodiff are wrong here, by the same numbers" in str(report.diagnosis)
    report = compare(forward, lambda dy, x: right(dy, x) + dy**2 + 1, x)
    assert (report.verdict, report.autodiff) == ("bug", "wrong")
    assert "Autodiff is wrong here as well" in str(report.diagnosis)


def cropped_conv(x: jax.Array, w: jax.Array) -> jax.Array:
    """A crop that XLA folds into the padding of the convolution, under jit and in every precision."""
    cropped = jax.lax.pad(x, x.dtype.type(0), ((0, 0, 1), (0, 0, 0), (-1, 0, 0), (0, 0, 0)))
    return jax.lax.conv_general_dilated(cropped, w, (1, 1), ((0, 0), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.mark.skipif(not has(FAULTS[2]), reason="this XLA does not have the fault")
def test_what_the_compiler_gets_wrong_is_no_reference() -> None:
    def right(dy: Any, x: Any, w: Any) -> Any:
        dx, dw, _ = conv_backward_definition(dy, x[:, :, 1:], w, padding=((0, 0), (1, 1)))
        return np.pad(dx, ((0, 0), (0, 0), (1, 0), (0, 0))), dw

    def wrong(dy: Any, x: Any, w: Any) -> Any:
        dx, dw = right(dy, x, w)
        return dx[:, ::-1], dw

    x, w = normal(1, 4, 6, 2), normal(1, 2, 2, 3)
    report = compare(cropped_conv, right, x, w)
    assert (report.verdict, report.autodiff) == ("agrees", "wrong")
    assert "the candidate is right: under jax.jit forward gives y off by" in str(report.diagnosis)
    report = compare(cropped_conv, wrong, x, w)
    assert (report.verdict, report.autodiff) == ("bug", "wrong")
    assert "turned round along axis 1" in str(report.diagnosis)


def test_a_cast_to_integers_is_no_fault() -> None:
    report = compare(cast, lambda dy, x: dy, normal(3, 4))
    assert (report.verdict, report.autodiff, report.diagnosis) == ("agrees", "right", None)


def test_forward_mode_takes_the_place_of_reverse_mode() -> None:
    """A rule that is right forward and wrong transposed: what a compiler's fault in reverse mode alone looks like."""

    def transposed_wrongly(x: jax.Array) -> jax.Array:
        def solve(matvec: Callable[..., Any], b: jax.Array) -> jax.Array:
            return b / 2

        def transposed(matvec: Callable[..., Any], b: jax.Array) -> jax.Array:
            return b / 3

        return jax.lax.custom_linear_solve(lambda v: 2 * v, jnp.sin(x), solve, transposed)

    x = normal(3, 4)
    report = compare(transposed_wrongly, lambda dy, x: dy * np.cos(x) / 2, x)
    assert (report.verdict, report.autodiff) == ("agrees", "wrong")
    assert [w.holds for w in report.witnesses] == [True, True, False, False]
    assert compare(transposed_wrongly, lambda dy, x: dy * np.cos(x) / 3, x).verdict == "bug"


def test_the_definition_is_asked_for_operations_of_ours() -> None:
    def relu(x: jax.Array) -> jax.Array:
        return square(jnp.maximum(x, 0)) / jnp.maximum(x, 1e-9)

    relu.__module__ = "jcnn.activations"  # so that it is taken for ours, which it would be with a wrong rule
    report = compare(relu, lambda dy, x: dy * (x > 0), np.abs(normal(3, 4)))
    assert (report.verdict, report.autodiff) == ("agrees", "wrong")
    assert "autodiff against the definition" in [witness.name for witness in report.witnesses]


def test_a_garbled_autodiff_does_not_widen_the_bounds() -> None:
    """What float32 loses goes into the bound, but no further than rounding can go."""

    def steep(x: jax.Array) -> jax.Array:
        return jnp.tanh(x) + (jnp.sin(1e9 * x) / 1e9 if x.dtype == jnp.float32 else 0.0)

    report = compare(steep, lambda dy, x: dy * (1 - np.tanh(x) ** 2 + 0.5), normal(3, 4), dtype="float32")
    assert report.verdict == "bug"


PIECES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "sin": jnp.sin,
    "tanh": jnp.tanh,
    "square": jnp.square,
    "exp": lambda x: jnp.exp(jnp.minimum(x, 3.0)),
    "softmax": jax.nn.softmax,
    "relu": jax.nn.relu,
    "abs": jnp.abs,
    "max": lambda x: x.max(-1, keepdims=True) - x / 2,
    "sum": lambda x: x.sum(0, keepdims=True) + x,
    "product": lambda x: x @ x.T @ x,
    "round": lambda x: x * jax.lax.stop_gradient(jnp.zeros_like(x)) + x,
    "large": lambda x: x + 1e6,
    "small": lambda x: 1e-6 * x,
}


@draws(5)
@given(
    st.lists(st.sampled_from(sorted(PIECES)), min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 2**16),
    st.sampled_from([None, "float32"]),
)
def test_no_false_alarm(names: list[str], ties: bool, seed: int, dtype: str | None) -> None:
    def forward(x: jax.Array) -> jax.Array:
        for name in names:
            x = PIECES[name](x)
        return x

    x = levels(3, 4, seed=seed) - 1.0 if ties else normal(3, 4, seed=seed)

    def backward(dy: Any, x: Any) -> Any:
        _, pull = jax.vjp(forward, jnp.asarray(x, jnp.float64))
        return pull(jnp.asarray(dy, jnp.float64))[0]

    report = compare(forward, backward, x, dtype=dtype, seed=seed)
    assert (report.verdict, report.diagnosis, report.autodiff) == ("agrees", None, "right")
    assert all(witness.holds for witness in report.witnesses)


@pytest.mark.parametrize("share", ["first", "last", "half", "all", "none", "twice and minus"])
def test_ties_of_any_function(share: str) -> None:
    """Overlapping windows, written without our pooling: only shares that sum to one pass, and as a kink."""
    x = levels(2, 6, 3, count=2)

    def forward(x: jax.Array) -> jax.Array:
        return jnp.maximum(jnp.maximum(x[:, :-2], x[:, 1:-1]), x[:, 2:])

    def backward(dy: Any, x: Any) -> Any:
        dx = np.zeros_like(x)
        seen = np.stack([x[:, :-2], x[:, 1:-1], x[:, 2:]])
        best = (seen == seen.max(0)) * 1.0
        first = best * (np.cumsum(best, 0) == 1)
        last = first_of(best[::-1])[::-1]
        shares = {
            "first": first,
            "last": last,
            "half": best / best.sum(0),
            "all": best,
            "none": best * (best.sum(0) == 1),
            "twice and minus": 2 * first - last,
        }[share]
        for k in range(3):
            dx[:, k : k + 4] += shares[k] * dy
        return dx

    report = compare(forward, backward, x)
    assert report.kinks > 0
    assert report.verdict == ("kink" if share in {"first", "last", "half"} else "bug")


def first_of(best: Any) -> Any:
    return best * (np.cumsum(best, 0) == 1)


def test_ties_of_ours_are_judged_by_the_definition() -> None:
    x = levels(2, 6, 5, 2, count=2)

    def all_rewarded(dy: Any, x: Any, **options: Any) -> Any:
        mistake = next(mistake for mistake in CATALOGUE if mistake.name == "ties all rewarded")
        return mistake.wrong["max_pool_backward"](dy, x, 3, **options)

    report = compare(partial(jcnn.max_pool, window=3, stride=2, padding=1), partial(all_rewarded, stride=2, padding=1), x)
    assert (report.verdict, report.mistakes) == ("bug", ("ties all rewarded",))


def test_halves_of_small_gradients_are_no_rounding() -> None:
    """Where dy is small at a kink and large elsewhere, ½ at a tie is as exact as any other choice."""

    def forward(x: jax.Array) -> jax.Array:
        return jax.nn.relu(x) * jnp.where(x == 0, 1e-4, 1.0)

    x = np.array([0.0, -1.0, 1.0, 2.0])
    report = compare(forward, lambda dy, x: dy * np.where(x == 0, 0.5e-4, x > 0), x)
    assert report.verdict == "kink"
