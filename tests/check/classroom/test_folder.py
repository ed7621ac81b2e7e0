"""What counts as a submission, whatever lies in the folder."""

import os
from pathlib import Path

import pytest

from jcnn.check.classroom.folder import LARGEST, choose_file, find_submissions

CODE = "def f(x):\n    return x\n"


def write(folder: Path, *names: str, text: str = CODE) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_files_and_folders_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "b.py", "A.py", "a/work.py", "C d/x.py", "notes.txt", ".hidden.py", "__pycache__/a.py", "__MACOSX/a.py")
    found = find_submissions(tmp_path, ["f"])
    assert [each.name for each in found] == ["a", "A.py", "b.py", "C d"]
    assert [each.problem for each in found] == [""] * 4
    assert [each.alone for each in found] == [False, True, True, False]


@pytest.mark.parametrize(
    ("files", "chosen", "said"),
    [
        pytest.param({"a.py": CODE}, "a.py", "", id="the only one"),
        pytest.param({"a.py": "g = 1\n", "deep/b.py": CODE}, "deep/b.py", "", id="the one that defines it"),
        pytest.param({"a.py": "f = print\n", "b.py": "# def f(x)\n"}, "a.py", "", id="assigned"),
        pytest.param({"a.py": CODE, "b.py": CODE}, None, "2 files define f, so which one counts is unknown: a.py", id="two"),
        pytest.param({"a.py": "", "b.py": " def f"}, None, "None of the 2 Python files defines f: a.py, b.py", id="none"),
        pytest.param({"a.txt": CODE}, None, "There is no Python file.", id="nothing"),
    ],
)
def test_choose_file(tmp_path: Path, files: dict[str, str], chosen: str | None, said: str) -> None:
    for name, text in files.items():
        write(tmp_path, name, text=text)
    file, problem = choose_file(tmp_path, ["f"])
    assert file == (tmp_path / chosen if chosen else None)
    assert problem.startswith(said)


def test_what_is_no_ordinary_file_is_never_read(tmp_path: Path) -> None:
    write(tmp_path, "solution/key.py", "class/good.py")
    room = tmp_path / "class"
    (room / "link.py").symlink_to(tmp_path / "solution" / "key.py")
    (room / "folder").symlink_to(tmp_path / "solution")
    (room / "nowhere.py").symlink_to("not there")
    os.mkfifo(room / "pipe.py")
    write(room, "large.py", text="#" * (LARGEST + 1))
    (room / "inside").mkdir()
    (room / "inside" / "link.py").symlink_to(tmp_path / "solution" / "key.py")
    (room / "inside" / "folder").symlink_to(tmp_path / "solution")
    problems = {each.name: each.problem for each in find_submissions(room, ["f"])}
    assert problems.pop("good.py") == ""
    assert problems.keys() == {"link.py", "folder", "nowhere.py", "pipe.py", "large.py", "inside"}
    assert all(problems.values())


def test_names_are_shown_without_what_steers_a_terminal(tmp_path: Path) -> None:
    write(tmp_path, "a\x1b[31m\n.py", "ü ß.py", "<b>&'\".py")
    write(tmp_path, "two\N{RIGHT-TO-LEFT OVERRIDE}/k\nl\N{RIGHT-TO-LEFT OVERRIDE}.py")
    (tmp_path / os.fsdecode(b"\xff.py")).write_text(CODE)
    found = find_submissions(tmp_path, ["f"])
    names = [shown for each in found for shown in (each.name, each.file)]
    assert "k\\nl\\u202e.py" in names
    assert "a\\x1b[31m\\n.py" in names
    assert all(name.encode() and name.isprintable() for name in names)


@pytest.mark.parametrize("name", ["missing", "empty", "file.py"])
def test_nothing_to_grade(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path, "file.py")
    with pytest.raises(ValueError, match="expected"):
        find_submissions(tmp_path / name, ["f"])
