"""The commands `jcnn check` and `jcnn grade`."""

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from jcnn.check.grade import grade
from jcnn.check.matrix import check


@dataclass(frozen=True)
class Check:
    """Check our own operations: every formulation, both gradients, every dtype, against sums written out in float64.

    Exits with 0 if all agree, else with 1.
    """

    operations: tyro.conf.Positional[tuple[str, ...]] = ()
    """Operations to check, such as conv; by default all."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON in place of the table."""

    def run(self, console: Console) -> int:
        """Prints the matrix."""
        matrix = check(self.operations or None)
        _print(console, matrix, as_json=self.json)
        return 0 if matrix.verdict == "agrees" else 1


@dataclass(frozen=True)
class Grade:
    """Grade a function of yours: adversarial cases, a verdict, and what is wrong with it in a sentence.

    Exits with 0 for agrees, rounding and kink, with 1 for a bug.
    """

    function: tyro.conf.Positional[str]
    """package.module:function (the current folder counts) or path/to/file.py:function."""
    kind: Annotated[str, tyro.conf.arg(name="as")]
    """The operation it should be, such as conv_backward."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON in place of the table."""

    def run(self, console: Console) -> int:
        """Prints the report."""
        report = grade(load_function(self.function), self.kind)
        _print(console, report, as_json=self.json)
        return 1 if report.verdict == "bug" else 0


def _print(console: Console, result: Any, *, as_json: bool) -> None:
    if as_json:
        console.print(result.to_json(), soft_wrap=True, markup=False, highlight=False)
    else:
        # Through a pipe there is no width to keep to.
        console.print(
            result if console.is_terminal else str(result), soft_wrap=not console.is_terminal, markup=False, highlight=False
        )


def load_function(place: str) -> Callable[..., Any]:
    """The function at `package.module:function` or `path/to/file.py:function`.

    Raises:
        ValueError: there is no such place, module or function, or importing it fails; the message says what was expected.
    """
    module_name, colon, name = place.rpartition(":")
    if not colon or not module_name or not name:
        raise ValueError(f"{place!r}: expected package.module:function or path/to/file.py:function")
    try:
        module = _from_file(Path(module_name)) if module_name.endswith(".py") else _from_name(module_name)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        functions = sorted(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
        near = difflib.get_close_matches(name, functions) or functions[:8]
        raise ValueError(f"{module_name} has no function {name}: expected one it has, such as {', '.join(near) or '(none)'}")  # noqa: TRY004
    return found


def _from_name(name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    return importlib.import_module(name)


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # A file may import its neighbours, as when it is run.
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec.loader.exec_module(module)
    return module
