"""The doctor looks at what is here, and tells what is wrong."""

import jax
import pytest

from jcnn import doctor
from jcnn.doctor import Finding
from jcnn.faults import FAULTS, has


def test_a_working_machine_is_healthy() -> None:
    findings = {finding.what: finding for finding in doctor.examine()}
    assert doctor.healthy(list(findings.values()))
    assert findings["jax"].found == jax.__version__
    assert findings["a convolution"].found == "gives its known values"
    assert findings["its gradients"].verdict == "good"
    assert "4 × cpu" in findings["devices"].found  # as conftest asks for
    for fault in FAULTS:
        assert findings[f"XLA: {fault.name}"].verdict == ("note" if has(fault) else "good")


@pytest.mark.parametrize(
    ("free", "found", "verdict"),
    [(8_000_000_000, "up to 4.0 GB", "good"), (None, "not known", "note")],
    ids=["known", "unknown"],
)
def test_it_says_how_many_images_fit(monkeypatch: pytest.MonkeyPatch, free: int | None, found: str, verdict: str) -> None:
    monkeypatch.setattr(doctor, "free_memory", lambda: free)
    finding = doctor._images()
    assert found in finding.found
    assert finding.verdict == verdict


def test_settings_from_outside_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_DISABLE_JIT", "1")
    monkeypatch.setenv("XLA_FLAGS", "--xla_something")
    findings = {finding.what: finding for finding in doctor._settings()}
    assert findings["JAX_DISABLE_JIT"].verdict == "note"
    assert "slowly" in findings["JAX_DISABLE_JIT"].advice
    assert findings["XLA_FLAGS"].found == "--xla_something"


def test_one_bad_finding_is_enough() -> None:
    assert doctor.healthy([Finding("a", "b", "good"), Finding("c", "d", "note")])
    assert not doctor.healthy([Finding("a", "b", "good"), Finding("c", "d", "bad")])
