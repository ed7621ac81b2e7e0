"""A contender's side of the conversation: JSON lines in, JSON lines out, until the input ends.

Requests: prepare (build, compile, warm up), run (time some calls), release, learn (train until an accuracy is reached), memory.
Replies: {"ok": …} or {"error": …}. What libraries print goes to the standard error.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from experiments.benchmarks.cases import Case, from_json

Variant = dict[str, Any]
ENOUGH = 3.0
"""Seconds of warming up after which one more call is enough."""


class Prepared(NamedTuple):
    """A case ready to be timed.

    Attributes:
        call: computes once and waits for the result, which it returns.
        read: from the results of the first calls, the numbers by which contenders are compared.
        steps: training steps in one call.
        checked: how many results `read` needs.
    """

    call: Callable[[], Any]
    read: Callable[[list[Any]], list[float]]
    steps: int = 1
    checked: int = 1


class Contender(NamedTuple):
    """What a contender can do.

    Attributes:
        versions: of the packages that decide its speed.
        prepare: makes a case ready; raises what it cannot do.
        learn: trains as a recipe says; None: cannot.
    """

    versions: dict[str, str]
    prepare: Callable[[Case, Variant], Prepared]
    learn: Callable[[Path, Variant], Any] | None = None


def serve(contender: Contender) -> None:
    """Answers requests until the standard input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    prepared: dict[str, Prepared] = {}
    print(json.dumps({"ok": {"versions": contender.versions}}), file=replies)
    for line in sys.stdin:
        try:
            reply = {"ok": _answer(contender, prepared, json.loads(line))}
        except Exception as error:  # noqa: BLE001 (whatever a framework raises is its answer)
            reply = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"}
        print(json.dumps(reply), file=replies)


def peak_memory() -> int:
    """Bytes, the most this process has had in memory at once."""
    try:
        # What `getrusage` tells was inherited from the process that started this one, where that had more.
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _answer(contender: Contender, prepared: dict[str, Prepared], request: dict[str, Any]) -> Any:
    match request["do"]:
        case "prepare":
            started = time.perf_counter()
            ready = prepared[request["id"]] = contender.prepare(from_json(request["case"]), request["variant"])
            results = [ready.call()]
            first, finished = time.perf_counter() - started, time.time()
            warm = _timed(ready, max(1, ready.checked - 1, 0 if first > ENOUGH else 3), results)
            return {
                "check": ready.read(results),
                "steps": ready.steps,
                "seconds": min(warm),
                "compile_seconds": first - min(warm),
                "first_at": finished,
            }
        case "run":
            return _timed(prepared[request["id"]], request["calls"])
        case "release":
            del prepared[request["id"]]
            return None
        case "memory":
            return peak_memory()
        case "learn" if contender.learn is not None:
            return contender.learn(Path(request["folder"]), request["variant"])
        case other:
            raise ValueError(f"{other}: not something this contender does")


def _timed(prepared: Prepared, calls: int, results: list[Any] | None = None) -> list[float]:
    seconds = []
    for _ in range(calls):
        started = time.perf_counter()
        result = prepared.call()
        seconds.append(time.perf_counter() - started)
        if results is not None:
            results.append(result)
    return seconds
