"""The process in which a candidate runs alone: it is given arguments and sends back arrays; it never sees a right answer.

A program of its own, which `isolated.py` starts and which imports NumPy, `outcome.py`, `interpreter` and the adapters of
`styles` only: it is ready in a fifth of a second, and JAX or PyTorch is there only if the candidate imports it. The channel is
what were standard input and output when the process started; the candidate finds an empty input there, and everything it prints
goes where standard error goes.

A message is 4 bytes, the length of a text in JSON; the text; then the numbers of the arrays that the text describes. Nothing
in it is ever executed, as a pickle would be.
"""

import ctypes
import difflib
import importlib
import importlib.util
import inspect
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

_PARENT_DEATH_SIGNAL, _CHILD_SUBREAPER = 1, 36  # of prctl, in Linux
_LAST_SECONDS = 10

CHECKS = Path(__file__).parent.parent
"""Where what is loaded here lies."""


def pack(header: dict[str, Any], arrays: Iterable[np.ndarray] = ()) -> bytes:
    """A message."""
    text = json.dumps(header).encode()
    return b"".join([len(text).to_bytes(4, "big"), text, *(array.tobytes() for array in arrays)])


def main() -> None:
    """Loads the candidate, calls it once for every request, and ends with the requests."""
    outcome = _load("jcnn_check_outcome", CHECKS / "outcome.py")
    adapt, calling, names_shown = _modules("styles", "adapt", "calling", "names_shown")
    (jaxprs,) = _modules("interpreter", "jaxprs")
    requests, answers = _take_channel()
    owner = os.getpid()
    start = _receive(requests)
    if start is None:
        return
    _depend_on_parent()
    _limit(start[0]["memory"])

    def send(number: int, header: dict[str, Any], arrays: Iterable[np.ndarray] = ()) -> None:
        if os.getpid() != owner:
            # The candidate forked, and the copy came back from the call as well.
            os.write(answers, pack({"forked": number}))
            os._exit(0)
        _flush()
        left = memoryview(pack(header, arrays))
        while left:
            left = left[os.write(answers, left) :]

    sys.argv[:] = [start[0]["module"]]
    # Nothing is left beside what somebody handed in.
    sys.dont_write_bytecode = True
    form, other_way = calling.Call(**_as_tuples(start[0]["call"])), ""
    try:
        candidate, module = _function(start[0]["module"], start[0]["function"])
        other_way = names_shown.other_way_shown(candidate, form)
        adapted = adapt.adapt(candidate, vars(module), form, outcome.Misfit)
    except (_NoFunctionError, calling.UnfitError) as error:
        send(-1, {"failed": str(error), "unfit": True, "other_way": other_way})
        return
    except BaseException as error:  # noqa: BLE001 (importing runs whatever the file says)
        send(-1, {"failed": f"cannot be imported: {outcome.describe_error(error)}{outcome.line_of(error)}"})
        return
    parts = adapted.parts
    repairs = _Repairs(
        start[0], module, lambda found, names: adapt.adapt(found, names, form, outcome.Misfit).candidate, outcome
    )
    signatures = {name: _parameters(outcome.signature_of(part)) for name, part in parts.items()}
    introduction = {"forward": adapted.forward_name, "not_judged": adapted.not_judged, "other_way": other_way}
    send(-1, {"parts": signatures, **introduction})
    while request := _receive(requests):
        header, args, options = request
        # A candidate may import JAX as late as it likes.
        jaxprs.interpret(sys.modules, os.environ)
        if (reply := repairs.reply(header, args, options)) is not None:
            send(-1, reply)
            continue
        # Ctrl-C does not reach this process: it has a session of its own.
        candidate = repairs.variant or parts[header["part"]]
        found = outcome.perform(candidate, args, options, header["outputs"], interrupted=lambda: False)
        arrays = [leaf for leaf in found.leaves if leaf is not None]
        header_of_answer = {
            "case": header["case"],
            "shapes": [None if leaf is None else leaf.shape for leaf in found.leaves],
            "dtypes": found.dtypes,
            "problem": found.problem,
            "declined": found.declined,
            "raised": found.raised,
            "spared": found.spared,
        }
        send(header["case"], header_of_answer, arrays)
    os.close(answers)
    # As long as this process is there, what the candidate started can be found; the grader ends it all.
    time.sleep(_LAST_SECONDS)


def _modules(package: str, *names: str) -> list[ModuleType]:
    """Modules of a package of ours that needs no others."""
    _load(f"jcnn_check_{package}", CHECKS / package / "__init__.py")
    return [importlib.import_module(f"jcnn_check_{package}.{name}") for name in names]


class _Repairs:
    """Variants of the candidate's source, which the grader asks for once it has found the candidate wrong."""

    def __init__(
        self,
        start: dict[str, Any],
        module: ModuleType,
        adapted: Callable[[Callable[..., Any], dict[str, Any]], Callable[..., Any]],
        outcome: ModuleType,
    ) -> None:
        self._function, self._adapted, self._outcome = start["function"], adapted, outcome
        kept = ("__name__", "__file__", "__package__", "__spec__", "__builtins__")
        self._namespace = {name: vars(module)[name] for name in kept if name in vars(module)}
        self._tries: list[Any] = []
        self._trying: Any = None
        self._workshop: Any = None
        self.variant: Callable[..., Any] | None = None

    def reply(self, header: dict[str, Any], args: dict[str, Any], options: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a request about variants; None to one for a call, which is then one of the variant asked for last."""
        if "text" in header:
            self._trying = _load("jcnn_check_trying", CHECKS / "repair" / "trying.py")
            self._workshop = self._trying.Workshop(header["text"].encode(), self._namespace, self._candidate, self._perform)
            return {}
        if "try" in header:
            right = {name: args.pop(f"right {name}") for name in header["outputs"]}
            self._tries.append(self._trying.Try(args, options, right, header["try"]))
            return {}
        if "variants" in header:
            return {"passed": self._workshop.screen(header["variants"], self._tries, header["seconds"])}
        if "variant" in header:
            self.variant = self._workshop.variant(header["variant"])
            return {"ready": self.variant is not None}
        return None

    def _candidate(self, names: dict[str, Any]) -> Callable[..., Any]:
        first, *rest = self._function.split(".")
        found = names[first]
        for part in rest:
            found = getattr(found, part)
        return self._adapted(found, names)

    def _perform(self, candidate: Callable[..., Any], args: dict[str, Any], options: dict[str, Any], outputs: list[str]) -> Any:
        return self._outcome.perform(candidate, args, options, outputs, interrupted=lambda: False)


def _load(name: str, path: Path) -> ModuleType:
    """A module or package of ours, without the package around it, whose import takes JAX."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 (for the type checker)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _take_channel() -> tuple[int, int]:
    """The descriptors of requests and answers, moved away from standard input and output."""
    channel = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return channel


def _receive(requests: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]] | None:
    """The next request, its arguments and options; None when there are no more."""
    length = _read(requests, 4)
    if length is None:
        return None
    text = _read(requests, int.from_bytes(length, "big"))
    if text is None:
        return None
    header = json.loads(text)
    args, options = (_values(requests, header.get(part, {})) for part in ("args", "options"))
    return None if args is None or options is None else (header, args, options)


def _values(requests: int, described: dict[str, Any]) -> dict[str, Any] | None:
    """Arguments by name, their arrays read from what follows; None where that ends."""
    values = {}
    for name, entry in described.items():
        if "shape" not in entry:
            values[name] = _as_tuples(entry["value"])
            continue
        dtype = np.dtype(entry["dtype"])
        numbers = _read(requests, int(np.prod(entry["shape"])) * dtype.itemsize)
        if numbers is None:
            return None
        values[name] = np.frombuffer(numbers, dtype).reshape(entry["shape"])
    return values


def _read(descriptor: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(descriptor, size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _as_tuples(value: Any) -> Any:
    """JSON knows lists only, where the candidate is to get tuples."""
    if isinstance(value, list):
        return tuple(map(_as_tuples, value))
    if isinstance(value, dict):
        return {key: _as_tuples(entry) for key, entry in value.items()}
    return value


def _depend_on_parent() -> None:
    """In Linux: end when the grader ends, and stay the parent of all that the candidate starts, so that it can be found."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PARENT_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
        libc.prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)


def _limit(memory: int) -> None:
    """No core files; and no more memory of its own than that many bytes, where the system counts it."""
    try:
        import resource
    except ImportError:
        return
    # Not the address space: XLA and PyTorch reserve far more of it than they ever use.
    for kind, limit in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, memory)):
        _, most = resource.getrlimit(kind)
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)  # noqa: PLW2901
        resource.setrlimit(kind, (limit, limit))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):  # the candidate may have put anything there
            stream.flush()


class _NoFunctionError(Exception):
    """The module has no such function."""


def _function(place: str, name: str) -> tuple[Callable[..., Any], ModuleType]:
    """The function of that name in a module or file, and the module."""
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place, [Path.cwd()])
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        functions = sorted(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
        near = difflib.get_close_matches(name, functions) or functions[:8]
        raise _NoFunctionError(f"has no function {name}: expected one it has, such as {', '.join(near) or '(none)'}")
    return found, module


def _from_name(name: str, folders: Iterable[Path]) -> Any:
    sys.path[:0] = map(str, folders)
    return importlib.import_module(name)


def _from_file(path: Path) -> Any:
    """A file may import its neighbours, as when it is run, relatively too if it lies in a package."""
    path = path.resolve()
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        names.insert(0, folder.name)
        folder = folder.parent
    taken = {*sys.modules, *sys.stdlib_module_names}
    if len(names) > 1 and names[0] not in taken:
        return _from_name(".".join(names), [folder, path.parent, Path.cwd()])
    sys.path[:0] = map(str, (folder, Path.cwd()))
    # A homework may be called as a module that is in use.
    name = path.stem if path.stem not in taken else f"candidate_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _parameters(signature: inspect.Signature | None) -> list[tuple[str, int, bool]] | None:
    """Name, kind, and whether there is a default."""
    if signature is None:
        return None
    parameters = signature.parameters.values()
    return [(p.name, int(p.kind), p.default is not inspect.Parameter.empty) for p in parameters]


if __name__ == "__main__":
    main()
