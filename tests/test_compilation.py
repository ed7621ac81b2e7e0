"""Compiled once: on the disk, across processes, and in the course of a training run."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from tests.draws import DEFAULT, DRAWS
from tests.flags import FOR_TRAINING, GIVEN

QUICK = ("train", "--network", "lecture", "--epochs", "2", "--batch-size", "100")


def train(folder: Path, out: str, *options: str) -> tuple[str, bytes]:
    """Trains as users do, in a process that keeps compiled programs in a folder; what it said, and its final checkpoint."""
    done = subprocess.run(
        [sys.executable, "-m", "jcnn", *QUICK, "--out", out, *options],
        cwd=folder,
        env={
            **os.environ,
            "XLA_FLAGS": GIVEN + FOR_TRAINING,
            "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
            "JAX_LOG_COMPILES": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr, max((folder / out / "checkpoints").glob("*.npz")).read_bytes()


@pytest.mark.slow
def test_the_second_run_compiles_nothing_and_ends_the_same(tmp_path: Path) -> None:
    first_said, first = train(tmp_path, "a")
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "compiled").glob("*-cache")}
    assert any("run_steps" in name for name in kept)
    second_said, second = train(tmp_path, "b")
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "compiled").glob("*-cache")} == kept
    assert second == first

    # Two epochs of 14 steps, the last batch of the test images smaller: still one program for the steps, one for the images.
    for said in (first_said, second_said):
        assert said.count("Compiling jit(run_steps)") == 1
        assert said.count("Compiling jit(forward)") == 1

    if DRAWS > DEFAULT:
        for path in (tmp_path / "compiled").iterdir():  # damaged: compiled anew
            path.write_bytes(path.read_bytes()[:50] + b"?")
        _, third = train(tmp_path, "c")
        assert third == first


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jcnn.compilation import keep_compiled

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "file/folder"))
    assert keep_compiled() is None


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_freed_memory_is_kept() -> None:
    """A large array taken and freed again and again: its pages are faulted in once, not every time."""
    code = (
        "import json, resource, sys; import numpy as np; from jcnn.compilation import keep_memory;"
        "kept = keep_memory() if sys.argv[1] == 'kept' else False\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "np.ones(4_000_000); before = faults()\n"
        "for _ in range(10): np.ones(4_000_000)\n"
        "print(json.dumps([kept, faults() - before]))"
    )
    ways = [
        json.loads(subprocess.run([sys.executable, "-c", code, way], capture_output=True, text=True, check=True).stdout)
        for way in ("kept", "as it comes")
    ]
    assert ways[0][0] is True
    assert ways[0][1] * 10 < ways[1][1]


def test_the_options_are_known_to_the_xla_we_install() -> None:
    from jcnn.compilation import BARRIERS, EIGEN_CONVOLUTIONS, compiler_options

    assert compiler_options() == {**EIGEN_CONVOLUTIONS, **BARRIERS}


def test_what_is_held_is_not_fused() -> None:
    """The pass left out is there under that name: with it the barrier is gone, without it it stays to the end."""
    from jcnn.compilation import compiler_options

    def held(x: jax.Array) -> jax.Array:
        return jax.lax.optimization_barrier(x * 2) + 1

    texts = [
        jax.jit(held, compiler_options=options).lower(jnp.ones(8)).compile().as_text() for options in (None, compiler_options())
    ]
    assert ["opt-barrier" in (text or "") for text in texts] == [False, True]


def test_options_xla_does_not_know_are_left_out() -> None:
    from jcnn.compilation import _known

    assert not _known((("xla_cpu_no_such_option", "1"),))
