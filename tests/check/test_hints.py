"""Hints grow from where to what to how, and the first gives nothing more away."""

import re

import numpy as np
import pytest

from jcnn.check import CATALOGUE, grade
from tests.draws import DEFAULT, DRAWS

BUGS = [(m.name, m.wrong["conv_backward"]) for m in CATALOGUE if "conv_backward" in m.wrong and m.verdict == "bug"]


@pytest.mark.parametrize(
    ("name", "wrong"), BUGS if DRAWS > DEFAULT else BUGS[::9], ids=lambda v: v if isinstance(v, str) else ""
)
def test_hints_of_every_known_mistake_grow(name: str, wrong: object) -> None:
    report = grade(wrong, "conv_backward")  # pyright: ignore[reportArgumentType]
    hints = [report.hint(level) for level in (1, 2, 3)]
    assert hints[1].startswith(hints[0])
    assert hints[2].startswith(hints[1])
    assert len({*hints}) == 3
    assert not re.search(r"[·×=+−]|stride|padding|transpos|flip", hints[0])
    assert (report.diagnosis or "") not in hints[1]


def test_what_is_right_needs_no_hint_and_other_levels_are_refused() -> None:
    report = grade(lambda dy, x: dy * (x > 0), "relu_backward")
    assert report.hint(1) == report.hint(3) == "It agrees with what is right in every case."
    for level in (0, 4, True, "1", np.int64(1)):
        with pytest.raises(ValueError, match="expected 1, 2 or 3"):
            report.hint(level)  # pyright: ignore[reportArgumentType]
