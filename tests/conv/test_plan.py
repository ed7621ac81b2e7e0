"""What `plan` says is what is taken."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

import jcnn
from jcnn.conv import native


def test_arrays_and_shapes_give_the_same_plan() -> None:
    x, w = (2, 8, 8, 3), (3, 3, 3, 8)
    of_shapes = jcnn.plan(x, w, padding=1)
    assert of_shapes == jcnn.plan(jnp.ones(x, jnp.float32), jnp.ones(w, jnp.float32), padding=1)
    assert of_shapes == jcnn.plan(*(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (x, w)), padding=1)
    assert hash(of_shapes) == hash(jcnn.plan(x, w, (8,), padding=1))


def test_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "missing", lambda: "not installed")
    printed = str(jcnn.plan((2, 8, 8, 3), (3, 3, 3, 8), padding=1, platform="cpu")).splitlines()
    assert [line.split()[:2] for line in printed[1:]] == [
        ["forward", "scaled_images"],
        ["dx", "folded"],
        ["dw", "by_folded_patches"],
    ]
    assert all("choices.json" in line for line in printed[1:])


def test_by_platform_and_gradient() -> None:
    elsewhere = jcnn.plan((2, 8, 8, 4), (3, 3, 1, 4), groups=4, platform="tpu")
    assert (elsewhere.forward.way, elsewhere.dx.way, elsewhere.dw.way) == ("lax", "by_convolution", "by_taps")
    derived = jcnn.plan((2, 8, 8, 4), (3, 3, 4, 4), gradient="autodiff", formulation="fft")
    assert (derived.forward.way, derived.dx.way, derived.dw.way) == ("fft", "autodiff", "autodiff")


def test_with_onednn_it_is_taken_where_it_was_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "missing", lambda: None)
    assert jcnn.plan((2, 8, 8, 16), (3, 3, 16, 16), platform="cpu").forward.way == "native"
    assert jcnn.plan((2, 8, 8, 16), (3, 3, 16, 16), platform="cpu", gradient="autodiff").forward.way == "folded"
    assert jcnn.plan((2, 8, 8, 16), (3, 3, 16, 16), platform="cuda").forward.way == "lax"


def test_errors_are_those_of_conv() -> None:
    with pytest.raises(ValueError, match="x has 3 channels"):
        jcnn.plan((2, 8, 8, 3), (3, 3, 4, 8))
    with pytest.raises(ValueError, match="platform='npu': expected one of"):
        jcnn.plan((2, 8, 8, 3), (3, 3, 3, 8), platform="npu")
    with pytest.raises(TypeError, match="x is a str"):
        jcnn.plan("x", (3, 3, 3, 8))


@pytest.mark.parametrize(
    "shape",
    [((1, 1), (1, 1)), (1, "a", 2, 3), (1.5, 2, 3, 4), (1, 2**70, 3, 1), (-1, 3, 3, 1), (1,) * 10**6],
    ids=lambda shape: str(shape)[:20],
)
def test_what_is_no_shape_is_refused_by_name(shape: Any) -> None:
    with pytest.raises(TypeError, match=r"^x=.*: expected a shape"):
        jcnn.plan(shape, (3, 3, 1, 1))
