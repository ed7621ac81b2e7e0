"""How a candidate is asked: nothing that is right lies where it could look, and a busy machine changes nothing."""

import inspect
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from jcnn.check import grade, grade_file, patience
from jcnn.check.bounds import Expected
from jcnn.check.grading import grade as grading
from jcnn.check.grading.candidate_channel import Output, Process
from jcnn.check.operations import kind_of

Array = np.ndarray


def within(value: Any, depth: int) -> Iterator[Any]:
    """What can be reached from a local variable: entries, attributes, and what functions have closed over."""
    yield value
    if depth == 0 or isinstance(value, np.ndarray | str | bytes | int | float | type | FrameType):
        return
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, tuple | list | set | frozenset):
        inner = list(value)
    else:
        inner += [cell.cell_contents for cell in getattr(value, "__closure__", None) or () if hasattr(cell, "cell_contents")]
        inner += [getattr(value, name, None) for name in ("args", "keywords", "func", "__defaults__")]
    for entry in inner:
        yield from within(entry, depth - 1)


def test_no_frame_on_the_stack_holds_what_is_right() -> None:
    found: list[str] = []

    def relu(x: Array) -> Array:
        frame = inspect.currentframe()
        frame = frame and frame.f_back
        while frame and frame.f_globals.get("__name__", "").startswith("jcnn."):
            for name, value in list(frame.f_locals.items()):
                if any(isinstance(entry, Expected) for entry in within(value, 3)):
                    found.append(f"{name} in {frame.f_code.co_name}")
            frame = frame.f_back
        return 2 * np.maximum(x, 0)

    assert grade(relu, "relu").verdict == "bug"
    assert not found


def test_who_changes_what_is_right_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    from jcnn.check import operations

    def relu(x: Array) -> Array:
        for right in operations.expected_of(kind_of("relu")):
            right[0].value[...] = 0
        return np.zeros_like(x)

    kept = [right[0].value.copy() for right in operations.expected_of(kind_of("relu"))]
    try:
        report = grade(relu, "relu")
    finally:
        for right, value in zip(operations.expected_of(kind_of("relu")), kept, strict=True):
            right[0].value[...] = value
    assert report.verdict == "bug"
    assert "It changes the numbers that it is compared with." in str(report.diagnosis)


def slow_and_wrong(x: Array) -> Array:
    time.sleep(0.02)
    return 2 * np.maximum(x, 0)


def test_time_in_which_others_compute_is_not_the_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that waits is as one on a busy machine."""
    monkeypatch.setattr(grading, "HASTE", 0.1)
    monkeypatch.setattr(grading, "ENOUGH", 3)
    report = grade(slow_and_wrong, "relu")
    assert not [reason for reason in report.left_out if reason.startswith("not tried")]


def test_who_waits_for_ever_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST", 0.1)
    report = grade(slow_and_wrong, "relu")
    assert report.verdict == "bug"
    assert any(reason.startswith("not tried: what is wrong shows in the cases before") for reason in report.left_out)


def test_a_process_of_its_own_is_timed_by_what_it_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not tell")
    source = """
        import time
        import numpy as np
        def relu(x):
            {slow}
            return np.maximum(x, 0) + 1
    """
    monkeypatch.setattr(grading, "HASTE", 0.1)
    monkeypatch.setattr(grading, "ENOUGH", 3)
    found = {}
    for name, slow in (
        ("waits", "time.sleep(0.04)"),
        ("computes", "s = time.process_time() + 0.06\n            while time.process_time() < s: pass"),
    ):
        (tmp_path / f"{name}.py").write_text(inspect.cleandoc(source.format(slow=slow)))
        report = grade_file(f"{tmp_path / name}.py:relu", "relu")
        assert report.verdict == "bug"
        found[name] = [reason for reason in report.left_out if reason.startswith("not tried")]
    assert not found["waits"]
    assert found["computes"]


def test_a_process_that_waits_uses_no_time() -> None:
    process = Process(Output())
    try:
        time.sleep(0.5)
        settled = process.seconds()
        time.sleep(0.3)
        assert process.seconds() - settled < 0.2
    finally:
        process.stop()
