"""The `jcnn` command: train, data, summary, predict, check, grade, explore, doctor."""

import io
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro
from rich.console import Console
from rich.table import Table

import jcnn
from jcnn import data, doctor, presets, printing
from jcnn.check.command import Check, Grade
from jcnn.compilation import keep_compiled, keep_memory
from jcnn.data.pictures import PictureError, read_picture
from jcnn.data_command import Data, DataDir, Originals
from jcnn.endings import ERROR, ending
from jcnn.printing import plain, visible
from jcnn.summary import summary
from jcnn.training import (
    CheckpointError,
    Config,
    make_predict,
    recipe,
    restore_run,
    stored_config,
    train,
)
from jcnn.training.evaluation import probabilities
from jcnn.training.step import fastest_ops

USAGE = 2
"""What tyro ends with where a command is not understood."""


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

        self.check()
        jax.config.update("jax_enable_x64", self.config.dtype == "float64")
        with _owned(self.folder(), self.config) as out:
            config = self.config
            console.print(plain(f"training {config.network} on {config.data}, seed {config.seed}, in {out}"), soft_wrap=True)
            result = train(config, out, resume=self.resume, data_dir=self.data_dir, originals=self.originals)
        report = write_report(result)
        _, test = result.tested
        console.print(
            f"[bold]{test.accuracy:.2%}[/] of {len(test.labels)} test images right ({test.errors} wrong), "
            f"loss {test.loss:.4f}; {result.seconds:.1f} s of training, {result.images_per_second:,.0f} images/s "
            f"with {result.ops.gradient} gradients, after {result.compile_seconds:.1f} s of compiling",
            soft_wrap=True,
        )
        console.print(plain(f"report: {report}"), soft_wrap=True)
        return 0

    def check(self) -> None:
        """Refuses what cannot become a run, before one is announced or its folder made."""
        self.config.check()
        presets.check(self.config.network)
        data.check(self.config.data, data_dir=self.data_dir, originals=self.originals, image_size=self.config.image_size)
        place = self.out or Path("runs")
        there = next(path for path in (place, *place.absolute().parents) if path.exists())
        if not there.is_dir():
            raise FileExistsError(17, "File exists, expected a folder for runs", str(there))

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
    """Say what images show, by a trained network: any image files, of any size and colour.

    Files that cannot be read are named; the others are still done, and the exit code is 1.
    """

    images: tyro.conf.Positional[tuple[Path, ...]]
    """Image files."""
    run_folder: Annotated[Path | None, tyro.conf.arg(name="run", metavar="DIR")] = None
    """The run to use; by default the newest one in runs/."""
    top: int = 3
    """How many classes to show for each image: at least 1, at most all there are."""

    def run(self, console: Console) -> int:
        """Prints the likeliest classes of every image."""
        if self.top < 1:
            raise ValueError(f"top={self.top}: expected at least 1")
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
        unread: list[PictureError] = []
        for path in self.images:
            try:
                picture = read_picture(path, restored.input_shape)
            except PictureError as error:
                unread.append(error)
                continue
            shown = probabilities(predict(restored.params, picture.pixels[None]))[0]
            ranked = [(restored.class_names[index], shown[index]) for index in shown.argsort()[::-1][: self.top]]
            others = ", ".join(f"{name} {value:.1%}" for name, value in ranked[1:])
            table.add_row(plain(path), plain(ranked[0][0]), f"{ranked[0][1]:.1%}", plain(others), "; ".join(picture.notes))
        if table.row_count:
            console.print(table)
        for error in unread:
            _told(str(error), ERROR)
        return ERROR if unread else 0


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
        return 0 if well else ERROR


Command = Train | Data | Summary | Predict | Check | Grade | Explore | Doctor


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and exits.

    0: done; 1: an error told in one line, or something found wrong; 2: wrong usage; 70: an error nobody foresaw;
    128 + n: stopped by signal n.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 (None where it was closed)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.exit(_run(list(sys.argv[1:] if arguments is None else arguments)))


def _run(arguments: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an encoding without × or ² is no reason to fail
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in options
    given = [argument for argument in options if argument != "--debug"] + arguments[len(options) :]
    try:
        code = _command(given)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (nothing is lost: the line says what it was)
        if debug:
            traceback.print_exc()
        _flush_or_drop()
        return _told(*ending(error))
    return code


def _flush_or_drop() -> None:
    """Prints what is left to print; drops it where it cannot be, since Python would complain of that at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _command(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        sys.stdout.write(f"jcnn {jcnn.__version__}\n")
        return 0
    keep_compiled()
    keep_memory()
    if not arguments:
        with suppress(SystemExit):
            _parse(["--help"], Config())
        return USAGE
    command = _parse(arguments, Config())
    if isinstance(command, Train):
        # The defaults are those of the data, or of the stored run that is gone on with; what is given still counts.
        folder = command.folder() if command.resume else None
        command = _parse(arguments, (folder and stored_config(folder)) or recipe(command.config.data))
    return command.run(printing.console())


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
    description = (
        "Convolutional networks you can read, check and trust. With any command, --debug shows where an error comes from; "
        "--version alone tells the version."
    )
    return tyro.cli(commands, prog="jcnn", description=description, args=arguments)


def _told(message: str, code: int) -> int:
    if message:
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
