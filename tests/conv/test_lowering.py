"""What is chosen for a platform holds for the one that a program is lowered for, and every way is seen under its name."""

import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn.conv import native
from jcnn.conv.call import Call
from jcnn.conv.ways import WAYS, Pass, run
from jcnn.window import parse_window
from tests.references import normal

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "few channels": ((2, 8, 8, 3), (3, 3, 3, 8), {"padding": 1}),
    "depthwise": ((2, 8, 8, 4), (3, 3, 1, 4), {"groups": 4, "padding": 1}),
    "strided": ((2, 8, 8, 8), (3, 3, 8, 8), {"stride": 2}),
    "folded": ((2, 8, 8, 8), (3, 3, 8, 8), {"padding": 1}),
    "minimal": ((2, 8, 8, 64), (3, 3, 64, 64), {"padding": 1}),
}
ELSEWHERE = {"lax", "by_convolution", "by_taps", "by_correlation"}


def gradients(formulation: Any, gradient: Any, options: dict[str, Any], x: jax.Array, w: jax.Array) -> Any:
    """Loss and gradients."""
    op = partial(jcnn.conv, formulation=formulation, gradient=gradient, **options)
    return jax.value_and_grad(lambda x, w: (op(x, w) ** 2).sum(), (0, 1))(x, w)


def exported(platform: str, formulation: str, gradient: str, case: str) -> str:
    """The exported module's text, with the names of scopes."""
    x, w, options = CASES[case]
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (x, w)]
    program = jax.jit(partial(gradients, formulation, gradient, options))
    module = jax.export.export(program, platforms=[platform])(*arrays)
    return str(module.mlir_module())


def scopes(text: str) -> set[tuple[str, str]]:
    """(pass, way) of all that is there."""
    return set(re.findall(r"conv\.(forward|dx|dw)\.(\w+)", text))


@pytest.mark.parametrize(("gradient", "case"), [*(("manual", case) for case in CASES), ("autodiff", "depthwise")])
def test_exported_for_another_platform_there_is_no_choice_of_the_cpu(gradient: str, case: str) -> None:
    for platform in ("tpu", "cuda"):
        text = exported(platform, "auto", gradient, case)
        found = scopes(text)
        assert {what for what, _ in found} == ({"forward", "dx", "dw"} if gradient == "manual" else {"forward"})
        assert {way for _, way in found} <= ELSEWHERE
        assert "custom_call" not in text
        assert "xla_cpu" not in text


@pytest.mark.parametrize("case", CASES)
def test_exported_for_the_cpu_there_are_its_ways(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "missing", lambda: "it would go before")
    x, w, options = CASES[case]
    planned = jcnn.plan(x, w, **options, platform="cpu")
    chosen = {("forward", planned.forward.way), ("dx", planned.dx.way), ("dw", planned.dw.way)}
    assert scopes(exported("cpu", "auto", "manual", case)) == chosen
    assert not {way for _, way in chosen} <= ELSEWHERE


def test_compiled_for_one_platform_nothing_is_left_to_decide() -> None:
    x, w, options = CASES["depthwise"]
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (x, w)]
    for gradient in ("autodiff", "manual"):
        compiled = jax.jit(partial(gradients, "auto", gradient, options)).lower(*arrays).compile()
        assert "conditional(" not in (compiled.as_text() or "conditional(")


@pytest.mark.parametrize("what", WAYS)
def test_every_way_runs_under_its_name(what: Pass) -> None:
    """In the lowered program, where profiles have it from."""
    window = parse_window((8, 8), (3, 3), padding=1)
    call = Call(window, 1, 4, 4, (8, 8), "float32")
    image, filters = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((2, 8, 8, 4), (3, 3, 4, 4)))
    for way in WAYS[what]:
        if way.name == "native" or not way.valid(call):
            continue
        program = jax.jit(partial(run, what, way, call)).lower(image, image if what == "dw" else filters)
        assert scopes(program.as_text(debug_info=True)) == {(what, way.name)}


def in_while_loop(f: Any) -> Any:
    def run(x: jax.Array, w: jax.Array) -> Any:
        def body(carry: Any) -> Any:
            return carry[0] + 1, carry[1] - 0.01 * jax.grad(f, 1)(x, carry[1])

        return jax.lax.while_loop(lambda carry: carry[0] < 2, body, (0, w))[1]

    return jax.jit(run)


TRANSFORMS: dict[str, Any] = {
    "eager": lambda f: jax.grad(f, (0, 1)),
    "vmap": lambda f: jax.jit(jax.vmap(lambda x, w: jax.grad(f, (0, 1))(x[None], w), (0, None))),
    "vmap-filters": lambda f: jax.jit(lambda x, w: jax.vmap(jax.grad(f, (0, 1)), (None, 0))(x, jnp.stack([w, 2 * w]))),
    "while_loop": in_while_loop,
    "second-order": lambda f: jax.jit(jax.grad(lambda x, w: sum((g**2).sum() for g in jax.grad(f, (0, 1))(x, w)), (0, 1))),
}


@pytest.mark.parametrize(
    ("transform", "gradient"), [*((name, "manual") for name in TRANSFORMS), ("eager", "autodiff"), ("while_loop", "autodiff")]
)
def test_what_differs_by_platform_goes_through_jax(transform: str, gradient: Any) -> None:
    options: dict[str, Any] = {"groups": 3, "padding": 1}
    x, w = (jnp.asarray(normal(*shape)) for shape in ((2, 4, 3, 3), (2, 2, 1, 3)))

    def loss(formulation: Any, gradient: Any, x: jax.Array, w: jax.Array) -> jax.Array:
        return jnp.sin(jcnn.conv(x, w, formulation=formulation, gradient=gradient, **options)).sum()

    found = TRANSFORMS[transform](partial(loss, "auto", gradient))(x, w)
    expected = TRANSFORMS[transform](partial(loss, "lax", "autodiff"))(x, w)
    for mine, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        # Sums of float64 of some tens of products, one on another.
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-11)
