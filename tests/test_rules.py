"""Joining a forward to a backward by hand."""

import jax
import jax.numpy as jnp
import pytest

from jcnn.rules import differentiable


def doubled(dy: jax.Array, x: jax.Array) -> tuple[jax.Array]:
    """A wrong gradient of the sine, to see which one is used."""
    return (2 * dy * jnp.cos(x),)


def test_autodiff_is_the_forward_itself() -> None:
    assert differentiable(jnp.sin, doubled, "autodiff") is jnp.sin


def test_manual_calls_the_backward_with_the_output_gradient_first() -> None:
    rule = differentiable(jnp.sin, doubled, "manual")
    x = jnp.asarray(0.5)
    assert float(rule(x)) == float(jnp.sin(x))
    assert float(jax.grad(lambda x: 3 * rule(x))(x)) == pytest.approx(6 * float(jnp.cos(x)), rel=1e-15)


def test_none_among_the_arguments_has_no_gradient() -> None:
    rule = differentiable(lambda x, b: x if b is None else x + b, lambda dy, _, b: (dy, b if b is None else dy), "manual")
    assert float(jax.grad(lambda x: rule(x, None))(1.0)) == 1
    assert jax.grad(rule, (0, 1))(1.0, 2.0) == (1, 1)


def test_an_unknown_gradient() -> None:
    with pytest.raises(ValueError, match="gradient='auto': expected 'autodiff' or 'manual'"):
        differentiable(jnp.sin, doubled, "auto")


def test_what_is_alike_on_all_devices_collects_from_all() -> None:
    """Within `shard_map` and its checks, as the autodiff of it does; without them every device keeps its share."""
    rule = differentiable(lambda x, w: x * w, lambda dy, x, w: (dy * w, (dy * x).sum(0, keepdims=True)), "manual")
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    parts, alike = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()
    x, w = jnp.arange(8.0).reshape(8, 1), jnp.full((1, 1), 3.0)

    def by_weight(x: jax.Array, w: jax.Array) -> jax.Array:
        return jax.grad(lambda w: rule(x, w).sum())(w)

    checked = jax.shard_map(by_weight, mesh=mesh, in_specs=(parts, alike), out_specs=alike)(x, w)
    assert checked.tolist() == [[28.0]]
    shares = jax.shard_map(by_weight, mesh=mesh, in_specs=(parts, alike), out_specs=parts, check_vma=False)(x, w)
    assert shares.ravel().tolist() == [1.0, 5.0, 9.0, 13.0]
