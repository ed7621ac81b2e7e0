"""`jcnn export`: a trained network for other programs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import jax
import tyro
from rich.console import Console

from jcnn import printing, saved
from jcnn.exchange.arrays import Trained
from jcnn.exchange.errors import ExchangeError
from jcnn.exchange.formats import FORMATS, Options, export_to
from jcnn.exchange.onnx_file import Layout as OnnxLayout
from jcnn.exchange.safetensors_file import Layout
from jcnn.exchange.stablehlo import Platform
from jcnn.printing import plain
from jcnn.training import restore_run


@dataclass(frozen=True)
class Export:
    """Write a trained network for other programs, and check that what was written gives the same answers.

    What goes in are numbers as the network takes them, what comes out are its scores, before softmax.
    """

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(name="run", metavar="RUN")]
    """The run's folder, or a file of jcnn.save."""
    to: Literal["safetensors", "torch", "onnx", "stablehlo"]
    """safetensors: the weights; torch: a checkpoint of PyTorch and the program of its module; onnx: a model for onnxruntime;
    stablehlo: a program for JAX without jcnn."""
    out: Path | None = None
    """The file; by default model.safetensors, model.pt, model.onnx or model.stablehlo in the run's folder."""
    layout: OnnxLayout = "NHWC"
    """Of onnx: whether the channels of its images come last or first."""
    names: Layout = "jcnn"
    """Of safetensors: names and axes of jcnn, or those that PyTorch's load_state_dict takes."""
    platforms: tuple[Platform, ...] = ("cpu", "cuda", "tpu")
    """Of stablehlo: where the program is to run."""

    def run(self, console: Console) -> int:
        """Writes the files, and says what they take and how well they agree."""
        warnings = printing.console(stderr=True)
        trained, images = _trained(self.run_folder, lambda text: warnings.print(plain(f"warning: {text}"), soft_wrap=True))
        dtype = next((leaf.dtype.name for leaf in jax.tree.leaves(trained.params)), "float32")
        jax.config.update("jax_enable_x64", dtype == "float64")
        beside = self.run_folder if self.run_folder.is_dir() else self.run_folder.parent
        path = self.out or beside / f"model{FORMATS[self.to].ending}"
        files, difference = export_to(trained, self.to, path, Options(self.layout, self.names, self.platforms))
        first = self._channels_first()
        *sizes, channels = trained.input_shape
        shape = ", ".join(map(str, ("N", channels, *sizes) if first else ("N", *sizes, channels)))
        console.print(plain(f"{' and '.join(map(str, files))}: takes ({shape}) in {dtype}{images}"), soft_wrap=True)
        if trained.class_names:
            console.print(plain(f"gives the scores of {', '.join(trained.class_names)}"), soft_wrap=True)
        if difference is None:
            console.print("not run: nothing here runs it")
        else:
            console.print(f"run: its scores are those of the network up to {difference:.1e}", highlight=False)
        return 0

    def _channels_first(self) -> bool:
        """Whether what runs the file takes images with the channels first."""
        match self.to:
            case "torch":
                return True
            case "safetensors":
                return self.names == "torch"
            case "onnx":
                return self.layout == "NCHW"
        return False


def _trained(path: Path, warn: Callable[[str], None]) -> tuple[Trained, str]:
    """The network of a run or a file, and how images become what it takes, as far as that is known."""
    if path.is_file():
        stored = saved.read(path)
        if stored.input_shape is None:
            raise ExchangeError(f"{path} has no input shape: write it by jcnn.save(…, input_shape=…)")
        return Trained(stored.network, stored.params, stored.state, stored.input_shape, stored.class_names), ""
    run = restore_run(path, warn)
    if run.test_time_flip:
        warn(f"{path} was evaluated on images and their mirror images; what is written takes each image as it is")
    images = ": images v/255, from 0 to 1" if run.images_dtype == "uint8" else ""
    state = run.state if jax.tree.leaves(run.state) else None
    return Trained(run.network, run.params, state, run.input_shape, run.class_names), images
