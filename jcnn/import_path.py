"""Classes by their import path, MODULE:CLASS, so that a file can name a class that is not ours without pickle."""

import importlib
from typing import Any

LONGEST = 500


class ImportPathError(ValueError):
    """A class that cannot be found again by its import path; the message names the class, its module, and what to do."""


def import_path(cls: type) -> str:
    """The import path of a class, such as `my_layers:Swish`, proven to lead back to it.

    Raises:
        ImportPathError: the class is found in no module: it belongs to the program that runs, is made inside a function, or
            stands in its module under another name.
    """
    module, name = cls.__module__, cls.__qualname__
    fix = "move it to the top level of a module that can be imported, such as my_layers.py, and import it from there"
    if module == "__main__":
        raise ImportPathError(
            f"class {name} is defined in the program that runs (__main__), which no later one can import: {fix}"
        )
    if "<locals>" in name:
        raise ImportPathError(f"class {name} of module {module} is made inside a function, and cannot be imported: {fix}")
    path = f"{module}:{name}"
    try:
        found = find_class(path)
    except ImportPathError as error:
        raise ImportPathError(f"class {name} cannot be found again ({error}): {fix}") from error
    if found is not cls:
        raise ImportPathError(f"class {name} is another one than {path}, of the same name: {fix}, or restart the program")
    return path


def find_class(path: str) -> type:
    """The class of an import path. Importing its module runs the module's code, as every import does.

    Args:
        path: MODULE:CLASS, names with dots for a module of a package or a class inside another.

    Raises:
        ImportPathError: no such path, module or class.
    """
    module_name, _, class_name = path.partition(":")
    parts = [*module_name.split("."), *class_name.split(".")]
    if len(path) > LONGEST or not all(part.isidentifier() for part in parts) or "__main__" in parts:
        raise ImportPathError(f"{path[:80]!r} is no import path of a class: expected MODULE:CLASS, such as my_layers:Swish")
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise ImportPathError(
            f"class {class_name} of module {module_name} is not found: import {module_name} failed with "
            f"{type(error).__name__}: {str(error)[:200]}; make {module_name} importable here: install its package, or put the "
            f"folder it lies in on PYTHONPATH"
        ) from error
    for part in class_name.split("."):
        found = getattr(found, part, None)
        if not isinstance(found, type):
            raise ImportPathError(
                f"class {class_name} of module {module_name} is not found: the module is imported, and has no such class; "
                f"was it renamed, or is it another version of the module?"
            )
    return found
