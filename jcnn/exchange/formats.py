"""The formats that `jcnn export` writes, one row for each: how a file is written, and what comes out of it when it runs."""

import importlib.util
import runpy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from jcnn.disk import write_atomically
from jcnn.exchange.arrays import Trained
from jcnn.exchange.errors import ExchangeError
from jcnn.exchange.onnx_file import INPUT, to_onnx
from jcnn.exchange.onnx_file import Layout as OnnxLayout
from jcnn.exchange.safetensors_file import Layout, load_safetensors, save_safetensors
from jcnn.exchange.stablehlo import Platform, to_stablehlo
from jcnn.exchange.torch_file import save_torch
from jcnn.network import apply

EXAMPLES = 16
ROOM = {"float64": 1e-9, "float32": 1e-4, "float16": 0.05, "bfloat16": 0.3}
"""Of the largest output, by dtype: far above the rounding of another order of sums, far below another network."""


@dataclass(frozen=True)
class Options:
    """What some formats ask.

    Attributes:
        layout: of the input of an ONNX model.
        names: and axes in a safetensors file.
        platforms: where a StableHLO program is to run.
    """

    layout: OnnxLayout = "NHWC"
    names: Layout = "jcnn"
    platforms: Sequence[Platform] = ("cpu", "cuda", "tpu")


class Format(NamedTuple):
    """A format.

    Attributes:
        ending: of its files.
        write: writes a network under a path, and gives the paths of all files that it wrote.
        outputs: what a file gives for a batch (N, *S, C); None where nothing here can run it.
    """

    ending: str
    write: Callable[[Trained, Path, Options], tuple[Path, ...]]
    outputs: Callable[[Trained, Path, np.ndarray, Options], np.ndarray | None]


def export_to(trained: Trained, to: str, path: Path, options: Options) -> tuple[tuple[Path, ...], float | None]:
    """Writes a network in a format of `FORMATS`, and runs what was written.

    Returns:
        The files, and by how much the outputs of 16 random inputs differ at most from those of the network; None where nothing
        here can run the file.

    Raises:
        ExchangeError: it cannot be written in this format, or computes something else than the network.
        OSError: a file cannot be written; names it.
    """
    files = FORMATS[to].write(trained, path, options)
    dtype = jax.tree.leaves(trained.params)[0].dtype if jax.tree.leaves(trained.params) else jnp.float32
    x = np.random.default_rng(0).random((EXAMPLES, *trained.input_shape)).astype(dtype)
    with jax.enable_x64(x.dtype.itemsize == 8):
        found = FORMATS[to].outputs(trained, path, x, options)
        if found is None:
            return files, None
        ours = np.asarray(apply(trained.network, trained.params, jnp.asarray(x), state=trained.state), np.float64)
    difference = float(np.abs(found.astype(np.float64) - ours).max())
    if not difference <= ROOM[x.dtype.name] * max(float(np.abs(ours).max()), 1.0):
        raise ExchangeError(f"{path} computes something else than the network: its outputs differ by up to {difference:.2g}")
    return files, difference


def _write_safetensors(trained: Trained, path: Path, options: Options) -> tuple[Path, ...]:
    save_safetensors(path, *trained[:3], input_shape=trained.input_shape, class_names=trained.class_names, layout=options.names)
    return (path,)


def _run_safetensors(trained: Trained, path: Path, x: np.ndarray, options: Options) -> np.ndarray:
    read = load_safetensors(path, trained.network, trained.input_shape)
    return np.asarray(apply(read.network, read.params, jnp.asarray(x), state=read.state))


def _write_torch(trained: Trained, path: Path, options: Options) -> tuple[Path, ...]:
    return path, save_torch(path, *trained[:3], input_shape=trained.input_shape)


def _run_torch(trained: Trained, path: Path, x: np.ndarray, options: Options) -> np.ndarray:
    """By the program beside the checkpoint, as somebody without jcnn would."""
    torch = importlib.import_module("torch")
    module = runpy.run_path(str(path.with_suffix(".py")))["network"]()
    module.load_state_dict(torch.load(path, weights_only=True), assign=True)
    images = np.ascontiguousarray(np.moveaxis(x.astype(np.float64), -1, 1))
    with torch.no_grad():
        return module.double().eval()(torch.from_numpy(images)).numpy()


def _write_onnx(trained: Trained, path: Path, options: Options) -> tuple[Path, ...]:
    content = to_onnx(*trained[:3], input_shape=trained.input_shape, layout=options.layout, class_names=trained.class_names)
    write_atomically(path, content)
    return (path,)


def _run_onnx(trained: Trained, path: Path, x: np.ndarray, options: Options) -> np.ndarray | None:
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    session = importlib.import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images = np.ascontiguousarray(np.moveaxis(x, -1, 1)) if options.layout == "NCHW" else x
    return session.run(None, {INPUT: images})[0]


def _write_stablehlo(trained: Trained, path: Path, options: Options) -> tuple[Path, ...]:
    content = to_stablehlo(*trained[:3], input_shape=trained.input_shape, platforms=options.platforms)
    write_atomically(path, content)
    return (path,)


def _run_stablehlo(trained: Trained, path: Path, x: np.ndarray, options: Options) -> np.ndarray | None:
    program = export.deserialize(bytearray(path.read_bytes()))
    try:
        return np.asarray(program.call(jnp.asarray(x)))
    except ValueError:  # made for other platforms
        return None


FORMATS: dict[str, Format] = {
    "safetensors": Format(".safetensors", _write_safetensors, _run_safetensors),
    "torch": Format(".pt", _write_torch, _run_torch),
    "onnx": Format(".onnx", _write_onnx, _run_onnx),
    "stablehlo": Format(".stablehlo", _write_stablehlo, _run_stablehlo),
}
