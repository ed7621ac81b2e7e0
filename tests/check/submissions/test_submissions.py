"""Submissions in the styles that students use, written by people who had not seen the checker: all bugs found, no false alarm.

`truth.json` beside them says of each what is wrong, in the words of who wrote it, and words of which a good diagnosis has some.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from jcnn.check import Report, grade_file
from tests.draws import DEFAULT, DRAWS

HERE = Path(__file__).parent
SETS = ("first", "second")
ENTRIES = [(name, entry) for name in SETS for entry in json.loads((HERE / name / "truth.json").read_text())]
SLOW = {"06_conv_backward_jax.py", "31_avg_pool_back_jax.py", "33_conv_backward_lax.py"}
"""In JAX, where every shape is compiled."""

BY_OTHER_WORDS = json.loads((HERE / "by_other_words.json").read_text())
"""Diagnoses that say the mistake in other words than who made it, by set and file; each was read and held to be right."""

UNNAMED = json.loads((HERE / "unnamed.json").read_text())
"""Found, but the diagnosis is none that a teacher would accept, by set and file."""


def graded(name: str, entry: dict[str, Any]) -> Report:
    if entry["style"] == "torch" and importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    place = HERE / name / entry["file"]
    return grade_file(f"{place}:{entry['function']}", entry["kind"], layout=entry["layout"], style=entry["style"])


def chosen(entry: dict[str, Any]) -> bool:
    """A fifth of the quick ones by default; all of them in the deep tests."""
    quick = "jax" not in entry["file"] and "lax" not in entry["file"] and entry["file"] not in SLOW
    return DRAWS > DEFAULT or (quick and int(entry["file"][:2]) % 5 == 0)


@pytest.mark.parametrize(
    ("name", "entry"),
    [pair for pair in ENTRIES if chosen(pair[1])],
    ids=lambda value: value if isinstance(value, str) else value["file"],
)
def test_a_submission_gets_the_verdict_that_it_deserves(name: str, entry: dict[str, Any]) -> None:
    report = graded(name, entry)
    assert (report.verdict != "bug") == entry["correct"], report
    if entry["correct"] or entry["file"] in UNNAMED.get(name, ()):
        return
    said = (report.diagnosis or "").lower()
    words = [*entry["keywords"], *BY_OTHER_WORDS.get(name, {}).get(entry["file"], ())]
    assert any(word.lower() in said for word in words), (said, words)


def test_nine_of_ten_are_named_and_the_sets_are_large_enough() -> None:
    bugs = [entry for _, entry in ENTRIES if not entry["correct"]]
    unnamed = sum(len(files) for files in UNNAMED.values())
    assert len(bugs) >= 60
    assert len(ENTRIES) - len(bugs) >= 15
    assert len({entry["style"] for _, entry in ENTRIES}) >= 3
    assert unnamed <= 0.1 * len(bugs)
