"""The `jcnn` command: its arguments parsed, the subcommand run, its end told in a line and an exit code."""

import io
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import tyro

import jcnn
from jcnn import printing
from jcnn.commands.check import Check
from jcnn.commands.compare import Compare
from jcnn.commands.data import Data
from jcnn.commands.doctor import Doctor
from jcnn.commands.explore import Explore
from jcnn.commands.export import Export
from jcnn.commands.grade import Grade
from jcnn.commands.grade_all import GradeAll
from jcnn.commands.lr_find import LrFind
from jcnn.commands.predict import Predict
from jcnn.commands.summary import Summary
from jcnn.commands.train import Train
from jcnn.compilation import keep_compiled, keep_memory
from jcnn.endings import USAGE, ending
from jcnn.training import Config

Command = Train | LrFind | Compare | Data | Summary | Predict | Export | Check | Grade | GradeAll | Explore | Doctor


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
        code = _run_command(given)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (nothing is lost: the line says what it was)
        if debug:
            traceback.print_exc()
        _flush_or_drop()
        message, code = ending(error)
        if message:
            printing.print_error(message)
    return code


def _flush_or_drop() -> None:
    """Prints what is left to print; drops it where it cannot be, since Python would complain of that at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run_command(arguments: list[str]) -> int:
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
    if isinstance(command, Train | LrFind):
        # The defaults are those of a recipe, of the data, or of the run that is gone on with; what is given still counts.
        command = _parse(arguments, command.defaults())
    return command.run(printing.console())


def _parse(arguments: Sequence[str] | None, defaults: Config) -> Command:
    commands: Any = (
        Annotated[Train, tyro.conf.subcommand("train", default=Train(defaults))]
        | Annotated[LrFind, tyro.conf.subcommand("lr-find", default=LrFind(defaults))]
        | Annotated[Compare, tyro.conf.subcommand("compare")]
        | Annotated[Data, tyro.conf.subcommand("data")]
        | Annotated[Summary, tyro.conf.subcommand("summary")]
        | Annotated[Predict, tyro.conf.subcommand("predict")]
        | Annotated[Export, tyro.conf.subcommand("export")]
        | Annotated[Check, tyro.conf.subcommand("check")]
        | Annotated[Grade, tyro.conf.subcommand("grade")]
        | Annotated[GradeAll, tyro.conf.subcommand("grade-all")]
        | Annotated[Explore, tyro.conf.subcommand("explore")]
        | Annotated[Doctor, tyro.conf.subcommand("doctor")]
    )
    description = (
        "Convolutional networks you can read, check and trust. With any command, --debug shows where an error comes from; "
        "--version alone tells the version."
    )
    return tyro.cli(commands, prog="jcnn", description=description, args=arguments)
