"""What it takes to do a run again: the command or the call, and the commit of the code that ran."""

import dataclasses
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import jcnn
from jcnn.training.config import READ, Config, choice, default_config, in_words
from jcnn.training.errors import as_command
from jcnn.training.recipe import Recipe

PATIENCE = 10
"""Seconds that Git may take."""


def reproduction(values: Mapping[str, Any], images: int, fingerprint: str) -> dict[str, str]:
    """How to do a run again, by name; what was run comes first.

    Args:
        values: the run's choices, as its files hold them.
        images: how many training images.
        fingerprint: of the training images.
    """
    named = isinstance(values["network"], str)
    what = (
        ("In a shell", command(values))
        if named
        else ("In Python, with the network whose layers are listed above", call(values))
    )
    return {
        what[0]: what[1],
        "jcnn": ", ".join(filter(None, (jcnn.__version__, code_of_jcnn()))),
        **_script(),
        "training images": f"{images:,} of {values['data']}, SHA-256 {fingerprint}",
    }


def command(values: Mapping[str, Any]) -> str:
    """The `jcnn train` of a run whose network has a name: with all that its data set does not choose by itself."""
    config, said = Config.from_json(values), in_words(values)
    usual = default_config(config.data)
    words = ["jcnn", "train"]
    for field in dataclasses.fields(Config):
        value = getattr(config, field.name)
        if field.name in ("data", "network", "seed") or value != getattr(usual, field.name):
            words += _option(field.name, said.get(field.name, value))
    return shlex.join(words)


def call(values: Mapping[str, Any]) -> str:
    """The `jcnn.fit` of a run, its recipe without what is the default."""
    chosen = []
    for field in dataclasses.fields(Recipe):
        value = choice(values, field.name)
        if field.name in READ:
            value = READ[field.name](value)
        if isinstance(value, dict):
            chosen.append(f"{field.name}=…")  # an optimiser that has no name
        elif field.name == "seed" or value != field.default:
            chosen.append(f"{field.name}={value!r}")
    return f"jcnn.fit(network, train, test, recipe=jcnn.Recipe({', '.join(chosen)}))"


def code_of_jcnn() -> str:
    """Which code of jcnn runs: the commit of its checkout, or that it was installed from; "" where neither is known."""
    return commit(Path(jcnn.__file__)) or _installed_from()


def commit(file: Path) -> str:
    """The commit of the Git checkout that tracks a file, and whether it was changed since; "" where there is none."""
    folder = file.resolve().parent
    if _git(folder, "ls-files", "--error-unmatch", "--", file.resolve().name) is None:
        return ""
    head = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if not head:
        return ""
    return f"commit {head}{', with changes since' if changes else ''}"


def _option(name: str, value: Any) -> list[str]:
    flag = as_command(name)
    if isinstance(value, bool):
        return [flag if value else flag.replace("--", "--no-", 1)]
    return [flag, str(value)]


def _script() -> dict[str, str]:
    """The program that called `fit`, if Git tracks it apart from jcnn."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    if path is None or Path(path).resolve().is_relative_to(Path(jcnn.__file__).resolve().parent):
        return {}
    found = commit(Path(path))
    return {f"program {Path(path).name}": found} if found else {}


def _git(folder: Path, *arguments: str) -> str | None:
    """What Git answers there, None where it cannot."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 (our own words)
            ["git", "-C", str(folder), *arguments],  # noqa: S607 (the user's Git)
            capture_output=True,
            check=True,
            timeout=PATIENCE,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            encoding="utf-8",
            errors="backslashreplace",
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _installed_from() -> str:
    """The commit that pip installed jcnn from, as it noted down.

    Source: Python Packaging User Guide, "Recording the Direct URL Origin of installed distributions".
    """
    try:
        noted = json.loads(distribution("jcnn").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    found = noted.get("vcs_info", {}).get("commit_id", "") if isinstance(noted, dict) else ""
    return f"commit {found}" if found else ""
