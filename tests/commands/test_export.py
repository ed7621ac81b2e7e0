"""`jcnn export` of runs and files, and what it says where a library is missing."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jcnn
from jcnn import Dense, Flatten, Recipe, endings, fit
from jcnn.data import load
from jcnn.exchange import formats, load_safetensors
from jcnn.exchange.arrays import Trained
from jcnn.exchange.formats import FORMATS, Options, export_to
from tests.commands.running import folder, run
from tests.exchange.networks import DIGIT, assert_same_arrays, trained

__all__ = ["folder"]


def test_a_run_is_exported_and_what_was_written_is_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = Recipe(epochs=1, batch_size=256, augment=False, test_time_flip=True)
    result = fit((Flatten(), Dense(10)), load("digits", "train"), recipe=recipe, out=folder / "run", report=False)
    capsys.readouterr()
    for to in ("safetensors", "stablehlo"):
        assert run("export", "run", "--to", to) == 0
        captured = capsys.readouterr()
        assert captured.err.startswith(
            "warning: run was evaluated on images and their mirror images; what is written takes each"
        )
        said = captured.out.splitlines()
        assert said[0] == f"run/model{FORMATS[to].ending}: takes (N, 8, 8, 1) in float32: images v/255, from 0 to 1"
        assert said[1] == "gives the scores of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
        assert said[2].startswith("run: its scores are those of the network up to ")
    assert_same_arrays(load_safetensors(folder / "run/model.safetensors").params, result.params)
    x = jnp.asarray(load("digits", "test").images / 255, jnp.float32)
    program = export.deserialize(bytearray((folder / "run/model.stablehlo").read_bytes()))
    np.testing.assert_allclose(program.call(x), jcnn.apply(result.network, result.params, x), rtol=0, atol=1e-5)


def test_a_saved_file_is_exported_beside_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = trained("with a state")
    jcnn.save(folder / "a.jcnn", *given[:3], input_shape=DIGIT)
    assert run("export", "a.jcnn", "--to", "safetensors", "--names", "torch", "--out", "b.safetensors") == 0
    assert "b.safetensors: takes (N, 1, 8, 8) in float32\n" in capsys.readouterr().out
    read = load_safetensors("b.safetensors")
    assert_same_arrays((read.params, read.state), (given.params, given.state))
    jcnn.save(folder / "c.jcnn", *given[:3])
    assert run("export", "c.jcnn", "--to", "safetensors") == endings.ERROR
    assert "c.jcnn has no input shape" in capsys.readouterr().err


@pytest.mark.parametrize(("to", "missing", "extra"), [("torch", "torch", "torch"), ("onnx", "jax2onnx", "onnx")])
def test_a_missing_library_is_named_with_what_installs_it(
    to: str, missing: str, extra: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = trained("averaged")
    jcnn.save(folder / "a.jcnn", *given[:3], input_shape=DIGIT)
    monkeypatch.setitem(sys.modules, missing, None)
    assert run("export", "a.jcnn", "--to", to) == endings.ERROR
    said = capsys.readouterr().err
    assert f"needs {missing}" in said
    assert said.endswith(f'pip install "jcnn[{extra}]"\n')
    assert not list(folder.glob("model*"))


def test_a_file_that_computes_something_else_is_not_passed_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = trained("averaged")

    def write_others(trained: Trained, path: Path, options: Options) -> tuple[Path, ...]:
        other = trained._replace(params=jax.tree.map(lambda leaf: leaf * 1.01, trained.params))
        return FORMATS["safetensors"].write(other, path, options)

    monkeypatch.setitem(formats.FORMATS, "other", FORMATS["safetensors"]._replace(write=write_others))
    with pytest.raises(jcnn.exchange.ExchangeError, match="computes something else than the network"):
        export_to(given, "other", folder / "a.safetensors", Options())


def test_there_is_no_such_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export", "nowhere", "--to", "onnx") == endings.ERROR
    assert "nowhere holds no checkpoint" in capsys.readouterr().err
