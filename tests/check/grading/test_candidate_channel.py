"""What a candidate's process is started with."""

import json

import jax
import pytest

from jcnn.check.grading import candidate_channel

FLAGS = [flag.removeprefix("--").split("=") for flag in candidate_channel.QUICK_FLAGS]


def test_the_installed_xla_knows_the_flags_that_it_is_given() -> None:
    """It would end every candidate's process over one that it does not know."""
    if not candidate_channel.knows_the_flags(candidate_channel.jaxlib_version):
        pytest.skip("this version is given none")
    options = {name: json.loads(value) for name, value in FLAGS}
    assert jax.jit(lambda x: x + 1, compiler_options=options)(1) == 2


@pytest.mark.parametrize("version", ["0.9.2", "0.100.0", "0.12.1"])
def test_another_version_is_given_no_flags(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(candidate_channel, "jaxlib_version", version)
    environment = candidate_channel.environment()
    assert environment["XLA_FLAGS"] == ""
    assert environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1"


def test_what_somebody_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=true")
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")
    environment = candidate_channel.environment()
    assert environment["XLA_FLAGS"].endswith("--xla_cpu_use_fusion_emitters=true")
    assert environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "0"


def test_no_candidate_takes_over_what_another_may_have_left_in_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "1")
    assert candidate_channel.environment()["JAX_ENABLE_COMPILATION_CACHE"] == "0"
