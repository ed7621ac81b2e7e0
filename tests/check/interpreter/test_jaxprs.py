"""What the interpreter makes of a jaxpr is what the compiler makes of it, and nothing is compiled on the way."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax
from jax._src import dispatch

from jcnn.check import grade_file
from jcnn.check.interpreter.jaxprs import Interpreter, interpret
from jcnn.check.interpreter.primitives import RULES
from tests.draws import draws

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 5, 3))
Y = RNG.normal(size=(2, 4, 5, 3))
W = RNG.normal(size=(2, 3, 3, 4))
TIES = RNG.integers(-2, 3, (2, 4, 5, 3)).astype(np.float64)
WHOLE = RNG.integers(-5, 6, (4, 5))
MASK = X > 0
DN = ("NHWC", "HWIO", "NHWC")
POOLED = ((1, 2, 3, 1), (1, 2, 1, 1), ((0, 0), (1, 0), (0, 1), (0, 0)))
SCATTERED = lax.ScatterDimensionNumbers((1,), (0,), (0,))


def max_pooled(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, *POOLED)


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "sums": (lambda x: (x.sum((1, 2)), x.max(0), x.min(-1), x.prod(1), x.mean()), (X,)),
    "sums of whole numbers": (lambda x: (x.sum(0), x.max(), x.min(1), x.prod(0)), (WHOLE,)),
    "sums of nothing": (lambda x: (x.sum(0), x.prod(0)), (X[:0],)),
    "all and any": (lambda m: (m.all(1), m.any((0, 2))), (MASK,)),
    "the first of several": (lambda x: (x.argmax(1), x.argmin(-1), jnp.argmax(x)), (TIES,)),
    "a NaN among them": (lambda x: (x.argmax(1), x.max(1), jnp.maximum(x, 0), x.sum(1)), (np.where(X > 1, np.nan, X),)),
    "running sums": (lambda x: (jnp.cumsum(x, 1), jnp.cumprod(x, 2), lax.cummax(x, 1), lax.cummin(x, 2, reverse=True)), (X,)),
    "arithmetic": (lambda x, y: (x + y, x - y, x * y, x / y, -x, abs(x), jnp.square(x), jnp.clip(x, -1, 1)), (X, Y)),
    "arithmetic with numbers of Python": (lambda x: (2 * x + 1, 1 / x, x - 0.5, jnp.maximum(x, 0)), (X,)),
    "comparisons": (lambda x, y: (x == y, x != y, x < y, x <= y, x > y, x >= y), (TIES, TIES[::-1])),
    "logic": (lambda a, b: (a & b, a | b, a ^ b, ~a, jnp.isfinite(X)), (MASK, MASK[::-1])),
    "a choice": (lambda m, x: (jnp.where(m, x, 0), lax.select(m, x, -x)), (MASK, X)),
    "other types": (
        lambda x, n: (x.astype(jnp.float32), x.astype(int), n.astype(jnp.int8), n.astype(float), x.astype(bool)),
        (X, WHOLE),
    ),
    "float32": (lambda x: (x * 2 + 1, x.sum(1), jnp.tensordot(x, x, ((0, 1), (0, 1)))), (X.astype(np.float32),)),
    "weak types": (lambda x: (jnp.asarray(2.0) * x, jnp.asarray(3), lax.full((2,), 1.0)), (X.astype(np.float32),)),
    "moves": (
        lambda x: (
            *(x.reshape(8, -1), x.transpose(0, 3, 1, 2), jnp.flip(x, (1, 2)), x[:, 1:3, ::2], x[:, None], x[0]),
            *(jnp.tile(x, (1, 2, 1, 1)), jnp.roll(x, 1, 2), jnp.repeat(x, 2, 1), jnp.moveaxis(x, 1, 3)),
            *(jnp.broadcast_to(x[:1], x.shape), jnp.squeeze(x[:1], 0), jnp.copy(x), lax.stop_gradient(x)),
        ),
        (X,),
    ),
    "joined and split": (
        lambda x, y: (jnp.concatenate([x, y], 2), jnp.stack([x, y], 1), *jnp.split(x, [1, 3], 2), *jnp.unstack(x, axis=1)),
        (X, Y),
    ),
    "padding": (
        lambda x: (
            lax.pad(x, 7.0, ((0, 0, 0), (1, 2, 1), (-1, 3, 2), (0, -2, 0))),
            jnp.pad(x, ((0, 0), (1, 1), (2, 0), (0, 0))),
        ),
        (X,),
    ),
    "dilation of nothing": (lambda x: lax.pad(x, 7.0, ((2, 1, 3), (0, 0, 0), (0, 0, 0), (0, 0, 0))), (X[:0],)),
    "counting": (lambda: (jnp.arange(4), lax.broadcasted_iota(jnp.int32, (2, 3), 1), jnp.eye(3)), ()),
    "dynamic slices": (
        lambda x, i: (
            lax.dynamic_slice(x, (0, i, i, 0), (2, 2, 2, 3)),
            lax.dynamic_update_slice(x, x[:, :2, :2], (0, i, i, 0)),
        ),
        (X, np.array(3)),
    ),
    "sorted": (lambda x: jnp.sort(x, 1), (np.where(X > 1, np.nan, X),)),
    "products": (
        lambda x, y: (
            *(jnp.einsum("nijc,nijd->cd", x, y), jnp.einsum("nijc,nijc->nc", x, y), jnp.tensordot(x, y, ((1, 2), (1, 2)))),
            *(x @ y.swapaxes(-1, -2), jnp.dot(x[0, 0], y[0, 0].T)),
        ),
        (X, Y),
    ),
    "taken by index": (
        lambda x, i: (x[i], x[:, i], x[:, i, i], x[i, :, i], x[..., 0], x[i[0]], jnp.take(x, i, axis=1, mode="clip")),
        (X, np.array([1, 0, -1])),
    ),
    "taken along": (lambda x: jnp.take_along_axis(x, x.argmax(1)[:, None], 1), (X,)),
    "put by index": (
        lambda x, i: (
            *(
                x.at[i].add(1.0),
                x.at[:, i].add(x[:, i]),
                x.at[:, i, i].add(2.0),
                x.at[0, i].mul(3.0),
                x.at[:, 1:3, ::2].add(1.0),
            ),
            *(x.at[:, i].max(0.0), x.at[i, 0].min(0.0), x.at[:, 2].set(0.0), x.at[1, 2, 3].set(5.0), x.at[:, i[:2]].set(1.0)),
        ),
        (X, np.array([1, 0, 1])),
    ),
    "put outside": (lambda x, i: (x.at[i].add(1.0), x.at[:, i].set(1.0, mode="drop")), (X, np.array([5, 1, -7]))),
    "put outside, at the edge": (lambda x, i: x.at[:, i].add(1.0, mode="clip"), (X, np.array([5, 1]))),
    "pooling": (
        lambda x: (max_pooled(x), lax.reduce_window(x, 0.0, lax.add, *POOLED), lax.reduce_window(x, jnp.inf, lax.min, *POOLED)),
        (X,),
    ),
    "the gradient of pooling": (lambda x: jax.grad(lambda x: (Z * max_pooled(x)).sum())(x), (TIES,)),
    "a convolution": (lambda x, w: lax.conv_general_dilated(x, w, (1, 2), ((1, 0), (2, 1)), dimension_numbers=DN), (X, W)),
    "the gradients of a convolution": (
        lambda x, w: jax.grad(
            lambda x, w: jnp.square(lax.conv_general_dilated(x, w, (2, 1), "SAME", dimension_numbers=DN)).sum(), (0, 1)
        )(x, w),
        (X, W),
    ),
    "functions in functions": (
        lambda x: (jax.jit(jax.nn.relu)(x), jax.checkpoint(lambda x: x * 2)(x), jnp.clip(x, 0, 1)),
        (X,),
    ),
    "every example by itself": (lambda x: jax.vmap(lambda x: (x @ x.swapaxes(-1, -2)).sum(0).at[0].add(1.0))(x), (X,)),
    "a loop": (lambda x: lax.fori_loop(0, 4, lambda i, y: y.at[:, i].add(x[:, 3 - i]), x), (X,)),
    "a loop with an end of its own": (lambda x: lax.while_loop(lambda y: y.sum() < 100, lambda y: y + 1, x), (X,)),
    "a loop over rows": (
        lambda x: lax.scan(lambda c, row: (c + row.sum(), row * c), 0.0, x.swapaxes(0, 1), reverse=True),
        (X,),
    ),
    "one of two": (lambda x: lax.cond(x.sum() > 0, lambda x: x, lambda x: -x, x), (X,)),
    "gradients added": (lambda x: jax.grad(lambda x: (x * x + x).sum())(x), (X,)),
}
Z = RNG.normal(size=np.shape(max_pooled(X)))

CURVED: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "exponentials": (lambda x: (jnp.exp(x), jnp.log(abs(x)), jnp.expm1(x), jnp.log1p(x * x), jnp.exp(900 * x)), (X,)),
    "activations": (lambda x: (jnp.tanh(x), jax.nn.sigmoid(x), lax.erf(x), jax.nn.softplus(x), jax.nn.gelu(x)), (X,)),
    "powers": (lambda x: (x**3, abs(x) ** 0.5, jnp.sqrt(x), lax.rsqrt(x), lax.cbrt(x)), (X,)),
    "remainders": (lambda n: (n // 3, n % 3, n // -2, n % 0, lax.div(n, n), n // 0, n << 2), (WHOLE,)),
    "steps": (lambda x: (jnp.sign(x), jnp.floor(x), jnp.ceil(x), jnp.round(x), lax.clamp(-1.0, x, 1.0)), (X,)),
    "whole numbers of any": (lambda x: x.astype(jnp.int8), (np.array([np.nan, np.inf, -1e30, 300.0, -1.5]),)),
    "many numbers": (jnp.exp, (RNG.normal(size=1000),)),
    "softmax": (lambda x: (jax.nn.softmax(x), jax.nn.log_softmax(x)), (X,)),
}


@contextmanager
def in_place_of_the_compiler(interpreter: Interpreter) -> Iterator[None]:
    interpreter.install()
    try:
        yield
    finally:
        interpreter.uninstall()


@pytest.fixture
def interpreter() -> Iterator[Interpreter]:
    """In place of the compiler, and double precision."""
    found = Interpreter()
    with in_place_of_the_compiler(found), jax.enable_x64(True):
        yield found


def compiled_beside(interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is compiled from now on."""
    names = []
    compiler = interpreter.compiled_program

    def noted(*args: Any, **params: Any) -> Any:
        names.append(params["name"])
        return compiler(*args, **params)

    monkeypatch.setattr(interpreter, "compiled_program", noted)
    return names


def compiled(interpreter: Interpreter, function: Callable[..., Any], *args: Any) -> list[Any]:
    interpreter.uninstall()
    try:
        return jax.tree.leaves(jax.jit(lambda *args: function(*args))(*args))
    finally:
        interpreter.install()


def assert_same(found: Any, right: list[Any], *, exact: bool = False) -> None:
    found = jax.tree.leaves(found)
    assert len(found) == len(right)
    for one, two in zip(found, right, strict=True):
        assert isinstance(one, jax.Array)
        assert (one.shape, one.dtype, one.weak_type) == (two.shape, two.dtype, two.weak_type)
        close = 0 if exact else 1e-5 if one.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(np.asarray(one), np.asarray(two), rtol=close, atol=close)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_program_gives_the_same_and_is_not_compiled(
    name: str, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, args = FUNCTIONS[name]
    right = compiled(interpreter, function, *args)
    programs = compiled_beside(interpreter, monkeypatch)
    assert_same(jax.jit(lambda *args: function(*args))(*args), right)
    assert_same(function(*map(jnp.asarray, args)), right)
    assert programs == []


@pytest.mark.parametrize("name", CURVED)
def test_what_is_rounded_in_a_way_of_its_own_is_the_compilers(name: str, interpreter: Interpreter) -> None:
    function, args = CURVED[name]
    right = compiled(interpreter, function, *args)
    assert_same(jax.jit(lambda *args: function(*args))(*args), right)
    assert_same(function(*map(jnp.asarray, args)), right)


def primitives_of(jaxpr: Any) -> Iterator[str]:
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda value: hasattr(value, "eqns")):
            if hasattr(inner, "eqns"):
                yield from primitives_of(getattr(inner, "jaxpr", inner))


def test_every_rule_is_tried() -> None:
    tried = set()
    with jax.enable_x64(True):
        for function, args in FUNCTIONS.values():
            tried.update(primitives_of(jax.make_jaxpr(function)(*args)))
    assert set(RULES) - tried == set()


WINDOWS = st.tuples(st.integers(1, 3), st.integers(1, 3))


def edges(least: int) -> Any:
    edge = st.integers(least, 3)
    return st.tuples(st.tuples(edge, edge), st.tuples(edge, edge))


@draws(4)
@given(
    strides=WINDOWS,
    padding=edges(-1),
    dilation=WINDOWS,
    taps=WINDOWS,
    spread=WINDOWS,
    groups=st.sampled_from([1, 2]),
    layouts=st.sampled_from([DN, ("NCHW", "OIHW", "NCHW"), ("CHWN", "IHWO", "NHWC")]),
)
def test_any_convolution_is_the_compilers(
    strides: tuple[int, int],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, int],
    taps: tuple[int, int],
    spread: tuple[int, int],
    groups: int,
    layouts: tuple[str, str, str],
) -> None:
    sizes = {"N": 2, "C": 2 * groups, "H": 5, "W": 4}
    filters = {"I": 2, "O": 3 * groups, "H": taps[0], "W": taps[1]}
    x = RNG.normal(size=[sizes[axis] for axis in layouts[0]])
    w = RNG.normal(size=[filters[axis] for axis in layouts[1]])

    def convolve(x: Any, w: Any) -> Any:
        return lax.conv_general_dilated(x, w, strides, padding, dilation, spread, layouts, groups)

    assert_agree(convolve, x, w)


@draws(4)
@given(
    strides=WINDOWS,
    padding=edges(0),
    taps=WINDOWS,
    fold=st.sampled_from([(lax.max, -np.inf), (lax.min, np.inf), (lax.add, 0.0)]),
)
def test_any_pooling_and_its_gradient_are_the_compilers(
    strides: tuple[int, int], padding: tuple[tuple[int, int], ...], taps: tuple[int, int], fold: tuple[Any, float]
) -> None:
    def pool(x: Any) -> Any:
        return lax.reduce_window(x, fold[1], fold[0], (1, *taps), (1, *strides), ((0, 0), *padding))

    x = RNG.integers(-2, 3, (2, 5, 4)).astype(np.float64)
    assert_agree(pool, x)
    if fold[0] is lax.min:
        return

    def weighted(x: Any) -> Any:
        y = pool(x)
        return jnp.where(jnp.isfinite(y), y * jnp.arange(1.0, y.size + 1).reshape(y.shape), 0).sum()

    assert_agree(jax.grad(weighted), x)


@draws(4)
@given(
    index=st.lists(st.integers(-7, 7), min_size=1, max_size=4),
    axis=st.sampled_from([0, 1, 2]),
    taken=st.sampled_from(["clip", "fill", "promise_in_bounds"]),
    put=st.sampled_from(["clip", "drop"]),
    change=st.sampled_from(["add", "set", "max", "mul"]),
)
def test_whatever_is_taken_and_put_by_index_is_the_compilers(
    index: list[int], axis: int, taken: str, put: str, change: str
) -> None:
    x, place = RNG.normal(size=(4, 3, 5)), (*[slice(None)] * axis, np.array(index))

    def take_and_put(x: Any) -> Any:
        new = getattr(x.at[place], change)(
            jnp.arange(float(len(index) * x.size // x.shape[axis])).reshape(x[place].shape) + 0.5, mode=put
        )
        return x.at[place].get(mode=taken), new

    assert_agree(take_and_put, x, always=False)


def assert_agree(function: Callable[..., Any], *args: Any, always: bool = True) -> None:
    """What is interpreted, and if need be compiled, agrees with what is compiled."""
    interpreter = Interpreter()
    with jax.enable_x64(True):
        right = jax.tree.leaves(jax.jit(lambda *args: function(*args))(*args))
        if always:
            interpreter.compiled_program = pytest.fail
        with in_place_of_the_compiler(interpreter):
            found = jax.jit(lambda *args: function(*args))(*args)
    assert_same(found, right)


COMPILED: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "a convolution of float32 that is cut": (
        lambda x, w: lax.conv_general_dilated(x, w, (1, 1), ((-1, 0), (0, 1)), dimension_numbers=DN),
        (X.astype(np.float32), W.astype(np.float32)),
    ),
    "half precision": (lambda x: x * 2, (X.astype(np.float16),)),
    "complex numbers": (lambda x: x * x, (X + 1j,)),
    "random numbers": (lambda: jax.random.uniform(jax.random.key(0), (3,)), ()),
    "a long loop": (lambda x: lax.fori_loop(0, 5000, lambda i, y: y + i, x), (X,)),
    "what is put at one place twice": (lambda x: x.at[np.array([1, 1])].set(jnp.array([2.0, 3.0])), (np.ones(3),)),
    "numbers so small that they are 0": (lambda x: (x * 1e-200 * 1e-115) / (x * 1e-200 * 1e-115), (X,)),
    "numbers so small that they are 0 as they are given": (lambda x: x / x, (np.array([1e-310, 1.0]),)),
    "numbers so small that they are 0 when multiplied": (lambda x: jnp.dot(x, x) * 1e15 * 1e15, (np.array([1e-155, 1e-156]),)),
    "a product of truths": (lambda m: lax.dot(m, m), (np.array([True, False]),)),
    "matrices": (jnp.linalg.inv, (np.eye(3) + 0.1,)),
}


@pytest.mark.parametrize("name", COMPILED)
def test_what_no_rule_is_certain_of_is_compiled(name: str, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    function, args = COMPILED[name]
    right = compiled(interpreter, function, *args)
    programs = compiled_beside(interpreter, monkeypatch)
    found = jax.tree.leaves(jax.jit(lambda *args: function(*args))(*args))
    assert all(np.array_equal(one, two, equal_nan=True) for one, two in zip(found, right, strict=True))
    assert "<lambda>" in programs


def test_what_asks_for_more_than_numbers_is_compiled(interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = compiled_beside(interpreter, monkeypatch)
    with jax.debug_nans(True), pytest.raises(FloatingPointError):
        jax.jit(lambda x: x / x)(jnp.zeros(3))
    jax.jit(lambda x: x + 1, donate_argnums=0)(jnp.ones(3))
    jax.jit(lambda x: x + 1)(jax.device_put(np.ones(3), jax.devices()[0]))
    heard = []
    jax.jit(lambda x: jax.debug.callback(heard.append, x))(np.ones(3))
    jax.effects_barrier()
    assert len(heard) == 1
    assert programs.count("<lambda>") >= 4


def test_an_answer_does_not_change_with_what_it_was_made_of(interpreter: Interpreter) -> None:
    # Of memory that begins at such a place JAX makes an array without a copy.
    room = np.zeros(1024, np.uint8)
    begin = -room.ctypes.data % 64
    x = room[begin : begin + 512].view(np.float64).reshape(8, 8)
    x[:] = 1
    made = [jax.jit(lambda x: x.reshape(16, 4))(x), jnp.asarray(x), jax.jit(lambda: jnp.asarray(x).T)(), lax.neg(lax.neg(x))]
    x[:] = 7
    for one in made:
        assert (np.asarray(one) == 1).all()


def test_an_error_is_the_one_of_jax(interpreter: Interpreter) -> None:
    with pytest.raises(TypeError, match="got incompatible shapes for broadcasting"):
        jax.jit(lambda x, y: x + y)(np.ones(3), np.ones(4))
    with pytest.raises(TypeError, match="got incompatible shapes"):
        lax.add(np.ones(3), np.ones(4))
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.jit(lambda x: x if x.sum() > 0 else -x)(np.ones(3))


@pytest.mark.parametrize(
    ("modules", "environment"),
    [
        ({}, {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}),
        ({"jax": jax}, {"JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}),
        ({"jax": sys}, {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}),
    ],
    ids=["no JAX", "optimised programs wanted", "no version that is known"],
)
def test_the_compiler_stays(modules: dict[str, Any], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jcnn.check.interpreter.jaxprs._tried", threading.Event())
    before = dispatch.xla_primitive_callable
    interpret(modules, environment)
    assert dispatch.xla_primitive_callable is before


CANDIDATE = """
import jax
import jax.numpy as jnp
from jax import lax

compiled = []

def note(name, *_, **__):
    if "backend_compile" in name:
        compiled.append(name)

jax.monitoring.register_event_duration_secs_listener(note)


def conv(x, w, b=None, *, stride=1, padding=0):
    edges = ((padding, padding), (padding, padding))
    y = lax.conv_general_dilated(x, w, (stride, stride), edges, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    if len(compiled) > 3:
        raise RuntimeError(f"compiled {len(compiled)} programs")
    return y if b is None else y + b
"""


def test_a_submission_in_jax_is_graded_without_compiling(tmp_path: Path) -> None:
    file = tmp_path / "homework.py"
    file.write_text(CANDIDATE)
    report = grade_file(f"{file}:conv", "conv")
    assert report.verdict == "agrees", report
