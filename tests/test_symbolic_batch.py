"""Every operation takes a batch whose size is a symbol, as `jax.export` traces it: one program for any number of examples."""

from functools import partial
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jcnn
from jcnn.check.operations import OPERATIONS
from jcnn.conv.operation import parse
from jcnn.conv.ways import WAYS, Formulation, Pass, run
from tests.references import normal

BATCHED = {"dx", "dy", "logits", "labels", "prediction", "target", "x", "y"}
"""Arguments with an axis of examples."""

CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((3, 8, 4), (3, 4, 6), {"padding": 1}),
    "strided": ((3, 9, 9, 4), (3, 3, 4, 6), {"padding": "same", "stride": 2}),
    "depthwise": ((3, 8, 8, 4), (3, 3, 1, 4), {"groups": 4, "padding": 1}),
    "padding beyond the filter": ((3, 8, 4), (2, 4, 6), {"padding": 5, "stride": 2}),
}


(COUNT,) = export.symbolic_shape("n")


def symbolic(array: Any) -> jax.ShapeDtypeStruct:
    """A stand-in for such an array with any number of examples."""
    return jax.ShapeDtypeStruct((COUNT, *array.shape[1:]), array.dtype)


def assert_of_any_batch(traced: Any, known: Any) -> None:
    """The sizes are those of a known batch, and symbols where there are examples."""
    leaves = zip(jax.tree.leaves(traced), jax.tree.leaves(known), strict=True)
    for found, expected in ((leaf.shape, other.shape) for leaf, other in leaves):
        assert [other if isinstance(size, int) else size for size, other in zip(found, expected, strict=True)] == list(found)


FUNCTIONS = [name + end for name in OPERATIONS for end in ("", "_backward") if hasattr(jcnn, name + end)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_operation_and_its_backward(name: str) -> None:
    backward = name.endswith("_backward")
    case = OPERATIONS[name.removesuffix("_backward")].cases(backward=backward)[0]
    arrays = {key: jnp.asarray(value) for key, value in case.args.items() if isinstance(value, np.ndarray)}
    others = {key: value for key, value in case.args.items() if key not in arrays}
    operation = partial(getattr(jcnn, name), **others, **case.options)
    given = {key: symbolic(array) if key in BATCHED else array for key, array in arrays.items()}
    traced = jax.eval_shape(lambda given: operation(**given), given)
    assert_of_any_batch(traced, jax.eval_shape(lambda arrays: operation(**arrays), arrays))


@pytest.mark.parametrize("case", ["plain", "strided"])
@pytest.mark.parametrize("formulation", [name for name in get_args(Formulation) if name != "native"])
def test_every_formulation_of_the_convolution_and_its_gradients(formulation: Any, case: str) -> None:
    x_shape, w_shape, options = CONVOLUTIONS[case]
    if formulation == "winograd" and "stride" in options:
        return
    x, w = (jnp.asarray(normal(*shape), jnp.float32) for shape in (x_shape, w_shape))

    def passes(gradient: Any, x: Any) -> Any:
        op = partial(jcnn.conv, formulation=formulation, gradient=gradient, **options)
        y, pull = jax.vjp(op, x, w)
        return y, pull(y)

    for gradient in ("autodiff", "manual"):
        assert_of_any_batch(
            jax.eval_shape(partial(passes, gradient), symbolic(x)), jax.eval_shape(partial(passes, gradient), x)
        )


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("what", WAYS)
def test_every_way_of_the_convolution(what: Pass, case: str) -> None:
    x_shape, w_shape, options = CONVOLUTIONS[case]
    x, w = (jnp.asarray(normal(*shape), jnp.float32) for shape in (x_shape, w_shape))
    dy = jnp.ones_like(jcnn.conv(x, w, **options))
    *_, call = parse(x, w, None, **{"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "rounding": "floor", **options})
    arrays: dict[str, Any] = {"forward": (x, w), "dx": (dy, w), "dw": (dy, x)}
    for way in WAYS[what]:
        if way.name != "native" and way.valid(call):
            given = [symbolic(array) if array is not w else w for array in arrays[what]]
            traced = jax.eval_shape(partial(run, what, way, call), *given)
            assert_of_any_batch(traced, jax.eval_shape(partial(run, what, way, call), *arrays[what]))
