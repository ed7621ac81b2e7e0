"""A seed gives the same weights, order and augmentation however JAX is set."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jcnn.data.augment import warp
from jcnn.data.batches import epoch_order
from jcnn.layers import Network
from jcnn.presets import preset
from jcnn.random_keys import key
from jcnn.training import settings
from jcnn.training.config import Config
from jcnn.training.step import initial_state

NETWORK: Network = preset("lecture", (8, 8, 1), 10)
SETTINGS = {
    "jax_default_prng_impl": "rbg",
    "jax_threefry_partitionable": False,
    "jax_random_seed_offset": 5,
    "jax_enable_x64": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_debug_nans": True,
    "jax_legacy_prng_key": "error",
    "jax_softmax_custom_jvp": False,
}


def drawn(config: Config) -> list[Array]:
    """All that a run draws at its beginning, compiled as a run does."""

    def draw() -> Any:
        order = epoch_order(config.seed, 3, 100)
        images = warp(jax.random.fold_in(key(config.seed), 7), jnp.ones((3, 8, 8, 1), config.dtype))
        return initial_state(config, NETWORK, (8, 8, 1), 22), order.astype(jnp.int32), images

    with settings.fixed(config.dtype):
        return jax.tree.leaves(jax.jit(draw)())


@pytest.fixture(scope="module")
def expected() -> list[Array]:
    return drawn(Config())


@pytest.fixture(params=SETTINGS)
def changed(request: pytest.FixtureRequest) -> Iterator[str]:
    name = request.param
    before = jax.config.values[name]
    jax.config.update(name, SETTINGS[name])
    yield name
    jax.config.update(name, before)


@pytest.mark.usefixtures("changed")
def test_no_setting_changes_what_a_seed_draws(expected: list[Array]) -> None:
    for ours, theirs in zip(drawn(Config()), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
def test_keys_are_those_of_jax_by_its_defaults(seed: int) -> None:
    np.testing.assert_array_equal(jax.random.key_data(key(seed)), jax.random.key_data(jax.random.key(seed)))
    np.testing.assert_array_equal(jax.random.key_data(jax.jit(key)(jnp.uint32(seed))), jax.random.key_data(key(seed)))


def test_the_dtype_decides_whether_there_are_64_bits() -> None:
    with settings.fixed("float32"):
        assert jnp.ones(()).dtype == jnp.float32
    with settings.fixed("float64"):
        assert jnp.ones(()).dtype == jnp.float64


def test_settings_are_as_before_afterwards() -> None:
    before = dict(jax.config.values)
    with settings.fixed("float32"):
        pass
    assert dict(jax.config.values) == before


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        pytest.param("XLA_FLAGS", "--xla_cpu_enable_fast_math=true", True, id="flags of XLA"),
        pytest.param("JAX_DEFAULT_DTYPE_BITS", "32", True, id="a setting of JAX"),
        pytest.param("OMP_NUM_THREADS", "1", True, id="threads"),
        pytest.param("OMP_NUM_THREADS", "", False, id="nothing"),
        pytest.param("JAX_COMPILATION_CACHE_DIR", "/tmp", False, id="where something is kept"),  # noqa: S108 (only named)
        pytest.param("JAX_THREEFRY_PARTITIONABLE", "0", False, id="what a run fixes"),
        pytest.param("HOME", "/", False, id="of others"),
    ],
)
def test_what_may_change_a_result_is_found(name: str, value: str, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert (settings.found().get(name) == value) == kept


def test_the_precision_of_products_is_found() -> None:
    with jax.default_matmul_precision("tensorfloat32"):
        assert settings.found()["JAX_DEFAULT_MATMUL_PRECISION"] == "tensorfloat32"
    with jax.default_matmul_precision(None):
        assert "JAX_DEFAULT_MATMUL_PRECISION" not in settings.found()
