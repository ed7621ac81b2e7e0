"""The submissions in a folder: every Python file is one, and every folder within it.

What a student hands in may be called, and be, anything: only ordinary files are read, and a link is not followed, as it may lead
to another student's work or to the solution.
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
    found = [_submission(entry, functions) for entry in entries if entry.suffix == ".py" or _is_folder(entry)]
    if not found:
        raise ValueError(f"{folder}: nothing to grade, expected *.py, or a folder for each student")
    return found


def _submission(entry: Path, functions: Sequence[str]) -> Submission:
    name = visible(entry.name)
    if entry.is_symlink():
        return Submission(name, "", alone=True, problem="It is a link, which is not followed: hand in the file itself.")
    if not _is_folder(entry):
        return Submission(name, str(entry), alone=True, problem=_unreadable(entry))
    try:
        files = _python_files(entry)
    except OSError as error:
        return Submission(name, "", alone=False, problem=f"The folder cannot be read: {error.strerror}.")
    fitting = files if len(files) == 1 else [file for file in files if _defines(file, functions)]
    if len(fitting) == 1:
        return Submission(name, str(fitting[0]), alone=False, problem=_unreadable(fitting[0]))
    wanted = " and ".join(functions)
    if not files:
        problem = "The folder has no Python file."
    elif not fitting:
        problem = f"None of its {len(files)} Python files defines {wanted}: {_named(files, entry)}."
    else:
        problem = f"{len(fitting)} of its files define {wanted}, so which one counts is unknown: {_named(fitting, entry)}."
    return Submission(name, "", alone=False, problem=problem)


def _visible_entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in _NOT_STUDENTS]


def _is_folder(path: Path) -> bool:
    return path.is_dir()


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
    return all(re.search(rf"^(def|class)\s+{name}\b|^{name}\s*[:=]|^from .* import .*\b{name}\b", text, re.M) for name in names)


def _named(files: Sequence[Path], folder: Path) -> str:
    names = [visible(str(file.relative_to(folder))) for file in files[:5]]
    return ", ".join(names) + (" …" if len(files) > 5 else "")
