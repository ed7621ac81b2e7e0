"""The `jcnn` command: train, data, summary, predict, check, grade, explore, doctor."""

import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro
from rich.console import Console
from rich.table import Table

from jcnn import doctor, presets, printing
from jcnn.check.command import Check, Grade
from jcnn.compilation import keep_compiled, keep_memory
from jcnn.data import DataError
from jcnn.data.pictures import PictureError, read_picture
from jcnn.data_command import Data, DataDir, Originals
from jcnn.printing import plain, visible
from jcnn.summary import summary
from jcnn.training import (
    CheckpointError,
    Config,
    Interrupted,
    TrainingError,
    make_predict,
    recipe,
    restore_run,
    stored_config,
    train,
)
from jcnn.training.evaluation import probabilities
from jcnn.training.step import fastest_ops

EXIT_ERROR = 1


@dataclass(frozen=True)
class Train:
    """Train a network and write a report: metrics, checkpoints and figures in a folder of their own."""

    config: tyro.conf.OmitArgPrefixes[Config] = field(default_factory=Config)
    out: Path | None = None
    """The run's folder; by default the next free one in runs/."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on with the run in --out (by default the newest one in runs/), to the same result, bit for bit."""
    data_dir: DataDir = None
    originals: Originals = None

    def run(self, console: Console) -> int:
        """Trains, then writes and names the report."""
        from jcnn.report import write_report

        jax.config.update("jax_enable_x64", self.config.dtype == "float64")
        with _owned(self.folder(), self.config) as out:
            config = self.config
            console.print(plain(f"training {config.network} on {config.data}, seed {config.seed}, in {out}"), soft_wrap=True)
            result = train(config, out, resume=self.resume, data_dir=self.data_dir, originals=self.originals)
        report = write_report(self.config, result)
        test = result.evaluation
        console.print(
            f"[bold]{test.accuracy:.2%}[/] of {len(test.labels)} test images right ({test.errors} wrong), "
            f"loss {test.loss:.4f}; {result.seconds:.1f} s of training, {result.images_per_second:,.0f} images/s "
            f"with {result.ops.gradient} gradients, after {result.compile_seconds:.1f} s of compiling",
            soft_wrap=True,
        )
        console.print(plain(f"report: {report}"), soft_wrap=True)
        return 0

    def folder(self) -> Path | None:
        """The folder that was asked for, or with --resume the newest run; None: a new one."""
        return self.out or (_newest_folder() if self.resume else None)


@dataclass(frozen=True)
class Summary:
    """Show a network layer by layer: sizes, parameters, multiply-adds, receptive field."""

    network: str = "small"
    """The network: small, lecture or lenet5."""
    input_shape: tuple[int, ...] = (8, 8, 1)
    """Height, width and channels of one image."""
    classes: int = 10
    """Number of classes."""

    def run(self, console: Console) -> int:
        """Prints the table."""
        if len(self.input_shape) != 3 or min(*self.input_shape, self.classes) < 1:
            raise ValueError(
                f"input shape {self.input_shape}, {self.classes} classes: expected three sizes and a count, e.g. 28 28 1"
            )
        described = summary(presets.preset(self.network, self.input_shape, self.classes), self.input_shape)
        console.print(described if console.is_terminal else str(described), soft_wrap=not console.is_terminal, highlight=False)
        return 0


@dataclass(frozen=True)
class Predict:
    """Say what images show, by a trained network: any image files, of any size and colour."""

    images: tyro.conf.Positional[tuple[Path, ...]]
    """Image files."""
    run_folder: Annotated[Path | None, tyro.conf.arg(name="run", metavar="DIR")] = None
    """The run to use; by default the newest one in runs/."""
    top: int = 3
    """How many classes to show for each image."""

    def run(self, console: Console) -> int:
        """Prints the likeliest classes of every image."""
        folder = self.run_folder or _newest_folder()
        if folder is None:
            raise CheckpointError("there is no run in runs/: train one with `jcnn train`, or name one with --run DIR")
        if not self.images:
            raise ValueError("no images given: expected at least one file")
        warnings = printing.console(stderr=True)
        restored = restore_run(folder, lambda text: warnings.print(plain(f"warning: {text}"), soft_wrap=True))
        jax.config.update("jax_enable_x64", restored.dtype == "float64")
        table = Table(show_edge=False, pad_edge=False)
        for title in ("image", "class", "probability", "next", "note"):
            table.add_column(title, justify="right" if title == "probability" else "left", overflow="fold")
        predict = make_predict(restored.network, restored.dtype, fastest_ops())
        for path in self.images:
            pixels, inverted = read_picture(path, restored.input_shape)
            shown = probabilities(predict(restored.params, pixels[None]))[0]
            ranked = [(restored.class_names[index], shown[index]) for index in shown.argsort()[::-1][: max(self.top, 1)]]
            others = ", ".join(f"{name} {value:.1%}" for name, value in ranked[1:])
            note = "inverted (bright border)" if inverted else ""
            table.add_row(plain(path), plain(ranked[0][0]), f"{ranked[0][1]:.1%}", plain(others), note)
        console.print(table)
        return 0


@dataclass(frozen=True)
class Explore:
    """Open a page to play with: sliding windows, a digit you draw on its way through a network, bugs to plant and find."""

    port: int = 0
    """Where on this machine; 0: 2718, or a free one if that is taken."""
    open_browser: bool = True
    """Open a browser at the page."""

    def run(self, console: Console) -> int:
        """Serves the page until Ctrl-C, which ends the process."""
        from jcnn.explore import open_page

        open_page(self.port, browser=self.open_browser, tell=lambda text: console.print(text, soft_wrap=True, markup=False))


@dataclass(frozen=True)
class Doctor:
    """Examine this machine: devices, precision, versions and settings that matter, each with a verdict."""

    def run(self, console: Console) -> int:
        """Prints the findings; the exit code says whether all is well."""
        findings = doctor.examine()
        table = Table(show_edge=False, pad_edge=False)
        for title in ("verdict", "what", "found", "advice"):
            table.add_column(title, overflow="fold")
        colours = {"good": "green", "note": "yellow", "bad": "red"}
        for finding in findings:
            verdict = f"[{colours[finding.verdict]}]{finding.verdict}[/]"
            table.add_row(verdict, plain(finding.what), plain(finding.found), plain(finding.advice))
        console.print(table)
        well = doctor.healthy(findings)
        console.print("all is well" if well else "something is wrong: see the rows marked bad")
        return 0 if well else EXIT_ERROR


Command = Train | Data | Summary | Predict | Check | Grade | Explore | Doctor


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and exits.

    0: done; 1: an error told in one line, or something found wrong; 2: wrong usage; 128 + n: stopped by signal n.
    """
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    keep_compiled()
    keep_memory()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an encoding without × or ² is no reason to fail
    try:
        command = _parse(arguments, Config())
        if isinstance(command, Train):
            # The defaults are those of the data, or of the stored run that is gone on with; what is given still counts.
            folder = command.folder() if command.resume else None
            command = _parse(arguments, (folder and stored_config(folder)) or recipe(command.config.data))
        return command.run(printing.console())
    except Interrupted as stop:
        return _told(str(stop), 128 + stop.number)
    except KeyboardInterrupt:
        return _told("stopped", 130)
    except MemoryError as error:
        return _told(f"out of memory: {error}" if str(error) else "out of memory", EXIT_ERROR)
    except OSError as error:
        return _told(f"{error.filename}: {error.strerror}" if error.filename else str(error), EXIT_ERROR)
    except (ValueError, TypeError, CheckpointError, DataError, TrainingError, PictureError) as error:
        return _told(str(error) or type(error).__name__, EXIT_ERROR)


def _parse(arguments: Sequence[str] | None, config: Config) -> Command:
    commands: Any = (
        Annotated[Train, tyro.conf.subcommand("train", default=Train(config))]
        | Annotated[Data, tyro.conf.subcommand("data")]
        | Annotated[Summary, tyro.conf.subcommand("summary")]
        | Annotated[Predict, tyro.conf.subcommand("predict")]
        | Annotated[Check, tyro.conf.subcommand("check")]
        | Annotated[Grade, tyro.conf.subcommand("grade")]
        | Annotated[Explore, tyro.conf.subcommand("explore")]
        | Annotated[Doctor, tyro.conf.subcommand("doctor")]
    )
    description = "Convolutional networks you can read, check and trust."
    return tyro.cli(commands, prog="jcnn", description=description, args=arguments)


def _told(message: str, code: int) -> int:
    sys.stderr.write(f"jcnn: {visible(' '.join(message.split()))}\n")
    return code


def _newest_folder() -> Path | None:
    started: list[tuple[int, Path]] = []
    for path in Path("runs").glob("*/config.json"):
        with suppress(FileNotFoundError):  # removed a moment ago
            started.append((path.stat().st_mtime_ns, path.parent))
    return max(started)[1] if started else None


@contextmanager
def _owned(folder: Path | None, config: Config) -> Iterator[Path]:
    """The folder, or the next free one in runs/, which is nobody else's from now on, and gone again if no run begins in it."""
    if folder is not None:
        yield folder
        return
    name = re.sub(r"[^\w.+-]", "-", f"{config.data}-{config.network}")
    number = 1
    while not _made(claimed := Path("runs") / f"{name}-{number:03d}"):
        number += 1
    try:
        yield claimed
    finally:
        with suppress(OSError):  # it is not empty: a run has begun
            claimed.rmdir()


def _made(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not os.path.lexists(folder):  # it is runs/ that is there, and no folder
            raise
        return False
    return True
