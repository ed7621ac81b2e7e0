"""`jcnn compare` as a person meets it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from jcnn.commands.compare import names
from jcnn.training import Config
from tests.commands.running import folder, run
from tests.training.small_runs import as_older, course, write_run

__all__ = ["folder"]

CONFIG = Config(epochs=2)


def test_runs_are_compared_on_a_page_and_in_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(folder / "runs/a", CONFIG, course(2, errors=[30, 7]))
    write_run(folder / "runs/b", replace(CONFIG, seed=1, learning_rate=0.01), as_older(course(1, errors=[9])))
    assert run("compare", "runs/a", "runs/b") == 0
    said = capsys.readouterr().out
    rows = {line.split()[0]: line for line in said.splitlines() if line}
    assert "99.30 %" in rows["a"]
    assert "7 of 1,000" in rows["a"]
    assert "1 of 2" in rows["b"]
    assert "their recipes differ in learning_rate, seed\n" in said
    assert said.endswith("comparison: comparison.html\n")
    page = (folder / "comparison.html").read_text("utf-8")
    assert page.rstrip().endswith("</html>")
    assert page.count("<picture>") == 2


def test_what_is_no_run_is_refused_by_name_and_no_page_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(folder / "good", CONFIG, course(1, errors=[7]))
    (folder / "[/red]x\x1b").mkdir(parents=True)
    assert run("compare", "good", "[/red]x\x1b", "nowhere") == 1
    warned = capsys.readouterr().err
    assert warned.startswith(r"jcnn: [/red]x\x1b is no run, it has no config.json")
    assert "nowhere is not there" in warned
    assert warned.count("\n") == 1
    assert not (folder / "comparison.html").exists()


@pytest.mark.parametrize("given", [(), ("good",), tuple(f"run{number}" for number in range(25))], ids=len)
def test_too_few_and_too_many(given: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", *given) == 1
    assert capsys.readouterr().err == f"jcnn: runs: {len(given)} given, expected 2 to 24 folders\n"


def test_a_page_that_cannot_be_written_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        write_run(folder / name, CONFIG, [])
    (folder / "page").mkdir()
    assert run("compare", "a", "b", "--out", "page") == 1
    assert "page" in capsys.readouterr().err


def test_runs_are_called_by_as_much_of_their_path_as_tells_them_apart(folder: Path) -> None:
    assert names([Path("runs/a"), Path("runs/b")]) == ["a", "b"]
    assert names([Path("x/run"), Path("y/run"), Path("z")]) == ["x/run", "y/run", f"{folder.name}/z"]
    os.chdir(folder)
    assert names([Path(), Path("run")]) == [folder.name, "run"]
