"""The submissions in a folder: every Python file is one, and every folder within it.

What a student hands in may be called, and be, anything: only ordinary files are read, and a link is not followed, as it may
lead to another student's work or to the solution.
"""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from jcnn.check.classroom.submission import Submission
from jcnn.printing import visible

LARGEST = 2**20
"""Bytes of a file that is still read."""

_NOT_STUDENTS = {"__pycache__", "__MACOSX", "node_modules"}
_DEEPEST, _MOST = 4, 200


def find_submissions(folder: Path, functions: Sequence[str]) -> list[Submission]:
    """All submissions of a folder, in the order of their names.

    Args:
        folder: with a Python file or a folder for each student.
        functions: what a student's file must define: among several files of a student the one that does is taken.

    Raises:
        ValueError: it is no folder, or nothing in it is a submission.
        OSError: it cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: expected a folder with a Python file, or a folder, for each student")
    entries = sorted(_visible_entries(folder), key=lambda path: (path.name.casefold(), path.name))
    found = [_submission(entry, functions) for entry in entries if entry.suffix == ".py" or entry.is_dir()]
    if not found:
        raise ValueError(f"{folder}: nothing to grade, expected *.py, or a folder for each student")
    return found


def _submission(entry: Path, functions: Sequence[str]) -> Submission:
    name = visible(entry.name)
    if entry.is_symlink():
        return Submission(name, "", alone=True, problem="It is a link, which is not followed: hand in the file itself.")
    if not entry.is_dir():
        return Submission(name, str(entry), alone=True, problem=_unreadable(entry))
    file, problem = choose_file(entry, functions)
    return Submission(name, str(file or ""), alone=False, problem=problem)


def choose_file(folder: Path, functions: Sequence[str]) -> tuple[Path | None, str]:
    """The file of a student's folder that counts, the only one or the only one that defines the functions; else why none does.

    Args:
        folder: what a student handed in.
        functions: their names.
    """
    try:
        files = _python_files(folder)
    except OSError as error:
        return None, f"The folder cannot be read: {error.strerror}."
    fitting = files if len(files) == 1 else [file for file in files if _defines(file, functions)]
    if len(fitting) == 1:
        problem = _unreadable(fitting[0])
        return None if problem else fitting[0], problem
    wanted = " and ".join(functions)
    if not files:
        return None, "There is no Python file."
    if not fitting:
        return None, f"None of the {len(files)} Python files defines {wanted}: {_named(files, folder)}."
    return None, f"{len(fitting)} files define {wanted}, so which one counts is unknown: {_named(fitting, folder)}."


def _visible_entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in _NOT_STUDENTS]


def _python_files(folder: Path, depth: int = 0) -> list[Path]:
    """Of a student's folder and those in it, links left out."""
    found: list[Path] = []
    for path in sorted(_visible_entries(folder)):
        if path.is_symlink() or len(found) > _MOST:
            continue
        if path.is_dir():
            found += _python_files(path, depth + 1) if depth < _DEEPEST else []
        elif path.suffix == ".py" and path.name != "__init__.py":
            found.append(path)
    return found


def _unreadable(path: Path) -> str:
    """Why a file cannot be graded; "" where it can."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return "It is no ordinary file."
        if status.st_size > LARGEST:
            return f"It has {status.st_size:,} bytes: expected at most {LARGEST:,}."
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.close(descriptor)
    except OSError as error:
        return f"It cannot be read: {error.strerror}."
    return ""


def _defines(path: Path, functions: Sequence[str]) -> bool:
    """Whether a function of each name is defined or assigned, judged by the text: nothing of a stranger's is parsed here."""
    if _unreadable(path):
        return False
    text = path.read_text("utf-8", errors="replace")
    names = (re.escape(function.partition(".")[0]) for function in functions)
    defined = r"^(async def|def|class)\s+{0}\b|^{0}\s*[:=]|^from .* import .*\b{0}\b"
    return all(re.search(defined.format(name), text, re.MULTILINE) for name in names)


def _named(files: Sequence[Path], folder: Path) -> str:
    names = [visible(str(file.relative_to(folder))) for file in files[:5]]
    return ", ".join(names) + (" …" if len(files) > 5 else "")
