"""Weights as safetensors files: bit for bit there and back, and refused by name where anything is wrong."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from jcnn import Conv, Flatten, Layer
from jcnn.exchange import ExchangeError, load_safetensors, save_safetensors
from jcnn.exchange.arrays import Trained
from jcnn.layers import Network
from tests.exchange.networks import DIGIT, NETWORKS, assert_same_arrays, trained


def saved(path: Path, given: Trained, **options: Any) -> Path:
    save_safetensors(path, *given[:3], input_shape=given.input_shape, class_names=given.class_names, **options)
    return path


@pytest.mark.parametrize("layout", ["jcnn", "torch"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_as_it_was(name: str, layout: Any, tmp_path: Path) -> None:
    given = trained(name)
    read = load_safetensors(saved(tmp_path / "a.safetensors", given, layout=layout))
    assert (read.network, read.input_shape, read.class_names) == (given.network, given.input_shape, given.class_names)
    assert_same_arrays((read.params, read.state), (given.params, given.state))


@pytest.mark.parametrize(("name", "dtype"), [("averaged", "float16"), ("with a state", "bfloat16"), ("averaged", "float64")])
def test_every_dtype_comes_back(name: str, dtype: str, tmp_path: Path) -> None:
    given = trained(name, dtype)
    read = load_safetensors(saved(tmp_path / "a.safetensors", given))
    assert_same_arrays((read.params, read.state), (given.params, given.state))


def test_the_library_finds_the_arrays_by_their_place(tmp_path: Path) -> None:
    given = trained("with a state")
    found = load_file(saved(tmp_path / "a.safetensors", given))
    np.testing.assert_array_equal(found["params.3.body.0.w"], given.params[3]["body"][0]["w"])
    np.testing.assert_array_equal(found["state.1.variance"], given.state[1]["variance"])
    found = load_file(saved(tmp_path / "b.safetensors", given, layout="torch"))
    np.testing.assert_array_equal(found["0.1.weight"], np.asarray(given.params[0]["w"]).transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(found["1.running_var"], given.state[1]["variance"])
    with safe_open(tmp_path / "b.safetensors", framework="np") as opened:
        assert opened.metadata()["format"] == "pt"  # what loaders of PyTorch's weights look for


@dataclass(frozen=True, repr=False)
class Own(Layer):
    """A layer that jcnn does not have."""

    def output_shape(self, shape: Any) -> Any:
        return shape


def test_a_layer_of_ones_own_has_to_be_given_again(tmp_path: Path) -> None:
    network: Network = (Conv(2, 3), Flatten(), Own())
    params: Any = ({"w": jnp.ones((3, 3, 1, 2)), "b": jnp.zeros(2)}, {}, {})
    with pytest.raises(TypeError, match="Own"):  # it has no forward pass to hold the parameters against
        save_safetensors(tmp_path / "a.safetensors", network, params, input_shape=DIGIT)


def described(path: Path, name: str, text: str) -> None:
    """Writes another text for an entry of a file's metadata."""
    with safe_open(path, framework="np") as opened:
        metadata = dict(opened.metadata())
    save_file(load_file(path), path, {**metadata, name: text})


def arrays_changed(path: Path, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
    """Writes the file anew with other arrays."""
    with safe_open(path, framework="np") as opened:
        metadata = dict(opened.metadata())
    arrays = load_file(path)
    change(arrays)
    save_file(arrays, path, metadata)


def bytes_changed(change: Callable[[bytes], bytes]) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(change(path.read_bytes()))


W, B = "params.0.w", "params.0.b"
IMPORTED = json.dumps({"layers": [{"this_module_must_not_be:imported": {}}]})
DEEP = "[" * 100_000

BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (bytes_changed(lambda _: b""), "truncated, changed, or no file in the format"),
    "the header cut": (bytes_changed(lambda content: content[:40]), "truncated, changed, or no file"),
    "the last byte cut": (bytes_changed(lambda content: content[:-1]), "truncated, changed, or no file"),
    "a byte too many": (bytes_changed(lambda content: content + b"1"), "truncated, changed, or no file"),
    "a header of gigabytes": (bytes_changed(lambda content: b"\xff" * 8 + content[8:]), "truncated, changed, or no file"),
    "a pickle": (bytes_changed(lambda _: b"\x80\x04c__main__\nexec\n."), "truncated, changed, or no file"),
    "an array missing": (lambda path: arrays_changed(path, lambda a: a.pop(B)), rf"it has no {B}$"),
    "an array too many": (lambda path: arrays_changed(path, lambda a: a.update(c=a[B])), r"it has c, which it does not take"),
    "another shape": (
        lambda path: arrays_changed(path, lambda a: a.update({B: a[B][:-1].copy()})),
        rf"{B} has shape \(5,\), expected \(6,\)",
    ),
    "axes exchanged": (
        lambda path: arrays_changed(path, lambda a: a.update({W: np.moveaxis(a[W], -1, 0).copy()})),
        rf"{W} has shape \(6, 5, 5, 1\), expected \(5, 5, 1, 6\)",
    ),
    "another dtype": (
        lambda path: arrays_changed(path, lambda a: a.update({B: a[B].astype("float16")})),
        rf"parameters of several dtypes \(.*{B} float16",
    ),
    "integers": (lambda path: arrays_changed(path, lambda a: a.update({W: a[W].astype("int64")})), rf"{W} int64"),
    "complex numbers": (lambda path: arrays_changed(path, lambda a: a.update({B: a[B].astype("complex64")})), "is of C64"),
    "a module to import": (
        lambda path: described(path, "network", IMPORTED),
        "this_module_must_not_be:imported.*give network=",
    ),
    "no layers": (lambda path: described(path, "network", '{"layers": [{"Conv": {"filters": 0}}]}'), "its network is none"),
    "no JSON": (lambda path: described(path, "network", "{"), "its network is none"),
    "deep JSON": (lambda path: described(path, "network", DEEP), "its network is none"),
    "a shape of words": (lambda path: described(path, "input_shape", '["8", 8, 1]'), "its input_shape is none"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_file_is_refused_by_name(bad: str, tmp_path: Path) -> None:
    change, reason = BAD[bad]
    path = saved(tmp_path / "a.safetensors", trained("LeNet-5"))
    change(path)
    with pytest.raises(ExchangeError, match=reason) as refused:
        load_safetensors(path)
    assert str(path) in str(refused.value)
    assert "this_module_must_not_be" not in sys.modules


def test_what_other_programs_wrote_needs_the_network_and_the_places(tmp_path: Path) -> None:
    given = trained("averaged")
    path = saved(tmp_path / "a.safetensors", given, layout="torch")
    arrays = load_file(path)
    renamed = {"conv1.weight": arrays["0.weight"], "conv1.bias": arrays["0.bias"]}
    renamed |= {"head.weight": arrays["2.weight"], "head.bias": arrays["2.bias"]}
    save_file(renamed, path)
    with pytest.raises(ExchangeError, match="has no network in its metadata, as jcnn writes it: give network="):
        load_safetensors(path)
    with pytest.raises(ExchangeError, match=r"does not say in which order its modules \w+, \w+ come: expected names="):
        load_safetensors(path, given.network, DIGIT)
    read = load_safetensors(path, given.network, DIGIT, names={"head": "3", "conv1": "1"})
    assert_same_arrays(read.params, given.params)
    with pytest.raises(
        ExchangeError, match=r"head\.weight in .* has shape \(10, 4, 1, 1\): expected \(4, 1, 3, 3\), for layer 1"
    ):
        load_safetensors(path, given.network, DIGIT, names={"head": "1", "conv1": "3"})
    with pytest.raises(ExchangeError, match="names= does not fit the layers with arrays, at 1, 3: it has no 3, and 2, which"):
        load_safetensors(path, given.network, DIGIT, names={"head": "2", "conv1": "1"})


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "pipe"):
        with pytest.raises(ExchangeError, match="is no file"):
            load_safetensors(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="missing"):
        load_safetensors(tmp_path / "missing")
