"""`jcnn train` as a person meets it: whose folder it is, whatever it is called, and what a second start does to it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jcnn.training import Config
from jcnn.training.config import to_text
from jcnn.training.run_folders import held
from tests.commands.running import folder, run

__all__ = ["folder"]

QUICK = ("--network", "lecture", "--epochs", "1", "--batch-size", "512")
NAMES = ("[/red]x", "a\x1b[31mb", "new\nline", ":smile:", "\u202eabc", os.fsdecode(b"\xff"))


def test_runs_are_whole_in_folders_of_any_name_and_their_report_lasts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = "runs/" + "".join(NAMES)
    assert run("train", *QUICK, "--out", out) == 0
    said, _ = capsys.readouterr()
    shown = r"runs/[/red]xa\x1b[31mbnew\nline:smile:\u202eabc\udcff"
    assert f"training lecture on digits, seed 0, in {shown}\n" in said
    assert said.endswith(f"report: {shown}/report.html\n")
    before = (folder / out / "report.html").read_bytes()
    assert run("train", "--resume", "--out", out) == 0
    again, _ = capsys.readouterr()
    assert again == said  # the same accuracy, loss, times and speed
    assert (folder / out / "report.html").read_bytes() == before


def test_the_newest_run_is_not_gone_on_with_while_it_is_trained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, name in enumerate(("older", "newer")):
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "config.json").write_text(to_text(Config().to_json()), "utf-8")
        os.utime(folder / "runs" / name / "config.json", (number, number))
    with held(folder / "runs/newer", pytest.fail):
        assert run("train", "--resume") == 1
    warned = capsys.readouterr().err
    assert warned.startswith(f"jcnn: runs/newer is being trained already, by process {os.getpid()} on ")
    assert warned.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("train", "--data", "[/red]x"), id="data"),
        pytest.param(("train", "--network", "[/red]x"), id="network"),
        pytest.param(("train", "--data-dir", "[/red]x", "--data", "mnist", "--originals", "[/red]y"), id="folders"),
        pytest.param(("train", "--data", "\x1b[2J"), id="data that clears the screen"),
        pytest.param(("train", "--network", "../../\x07"), id="network that leads elsewhere"),
        pytest.param(("predict", "[/red]x", "--run", "[/red]y"), id="run"),
        pytest.param(("data", "show", "[/red]x"), id="data to show"),
        pytest.param(("summary", "--network", "[/red]x\x1b"), id="network to describe"),
    ],
)
def test_names_of_any_kind_are_refused_in_a_line(
    arguments: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    said, warned = capsys.readouterr()
    assert warned.splitlines()[-1].startswith("jcnn: ")
    assert not {"\x1b", "\x07"} & {*said, *warned}
    assert not list((folder / "runs").glob("*"))
    assert not (folder.parent / "digits").exists()


def test_a_damaged_checkpoint_is_named_as_it_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder / "[/red]x/checkpoints"
    place.mkdir(parents=True)
    (place / "checkpoint-00000001-0123456789abcdef.npz").write_bytes(b"")
    for arguments in (("train", "--resume", "--out", "[/red]x"), ("predict", "a.png", "--run", "[/red]x")):
        assert run(*arguments) == 1
        warned = capsys.readouterr().err
        assert "warning: [/red]x/checkpoints/checkpoint-00000001-0123456789abcdef.npz is refused" in warned


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda place: place.write_bytes(b""), id="a file in place of the runs' folder"),
        pytest.param(lambda place: place.symlink_to("nowhere/else"), id="a link to nowhere"),
    ],
)
def test_a_folder_that_cannot_be_made_is_named(
    spoil: Callable[[Path], object], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder / "runs")
    assert run("train", *QUICK) == 1
    warned = capsys.readouterr().err
    assert warned.startswith("jcnn: runs")
    assert warned.count("\n") == 1
