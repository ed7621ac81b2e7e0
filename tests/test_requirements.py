"""The lock file holds the project's description, for every Python it names."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import jcnn

ROOT = Path(jcnn.__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ASKED = [Requirement(line) for line in PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]]
LOCKED = (ROOT / "requirements.lock").read_text("utf-8")
PINS = [Requirement(line) for line in re.findall(r"^(\w.*?) \\$", LOCKED, re.MULTILINE)]
PYTHONS = [line.split()[-1] for line in PROJECT["project"]["classifiers"] if line.startswith("Programming Language")]


def versions(python: str) -> dict[str, Version]:
    """What the lock file installs under Linux with this Python."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux", "os_name": "posix"}
    there = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate(environment)]
    assert len({pin.name for pin in there}) == len(there)
    return {canonicalize_name(pin.name): Version(next(iter(pin.specifier)).version) for pin in there}


@pytest.mark.parametrize("python", PYTHONS)
def test_what_the_project_asks_for_is_locked(python: str) -> None:
    locked = versions(python)
    assert {one.name: locked.get(canonicalize_name(one.name)) for one in ASKED if not fits(one, locked)} == {}


def fits(asked: Requirement, locked: dict[str, Version]) -> bool:
    version = locked.get(canonicalize_name(asked.name))
    return version is not None and version in asked.specifier


@pytest.mark.parametrize(("python", "jax"), [("3.11", "0.10"), ("3.12", "0.12"), ("3.13", "0.12")])
def test_which_jax_each_python_gets(python: str, jax: str) -> None:
    locked = versions(python)
    assert [".".join(map(str, locked[name].release[:2])) for name in ("jax", "jaxlib")] == [jax, jax]


def test_what_is_locked_is_named_and_hashed_and_comes_from_anywhere() -> None:
    assert all([one.operator for one in pin.specifier] == ["=="] and pin.url is None for pin in PINS)
    blocks = re.split(r"\n(?=\w)", LOCKED.strip())
    assert len(blocks) == len(PINS)
    hashed = re.compile(r"\S+==\S+(?: ; [^\\\n]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+")
    assert [block for block in blocks if not hashed.fullmatch(block)] == []
