"""Known faults of XLA: the trial tells right from wrong, and survives what ends a process."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jcnn import doctor
from jcnn.faults import FAULTS, Tried, near, try_all, try_fault


def right() -> np.ndarray:
    return np.arange(12.0).reshape(3, 4)


def reads_the_next_row() -> np.ndarray:
    """As the fault does: what lies beyond a row's end is taken for the row."""
    return np.lib.stride_tricks.as_strided(right(), (2, 4), (32, 8))


def one_number_off() -> np.ndarray:
    wrong = right()
    wrong[2, 3] += 0.1
    return wrong


def not_a_number() -> np.ndarray:
    return np.where(right() == 5, np.nan, right())


@pytest.mark.parametrize(
    ("by_xla", "by_us", "here", "ours", "verdict"),
    [
        pytest.param(right, right, False, False, "good", id="right"),
        pytest.param(one_number_off, right, True, False, "note", id="wrong"),
        pytest.param(not_a_number, right, True, False, "note", id="nan"),
        pytest.param(reads_the_next_row, right, True, False, "note", id="shape"),
        pytest.param(one_number_off, one_number_off, True, True, "bad", id="wrong by us as well"),
        pytest.param(right, one_number_off, False, True, "bad", id="wrong by us alone"),
    ],
)
def test_a_trial_tells_right_from_wrong(
    by_xla: Callable[[], Any], by_us: Callable[[], Any], here: bool, ours: bool, verdict: str
) -> None:
    fault = FAULTS[0]._replace(compute=by_xla, right=right, ours=lambda: [right(), by_us()])
    tried = try_fault(fault)
    assert (tried.here, tried.ours) == (here, ours)
    assert [finding.verdict for finding in doctor._known_faults([tried], "")] == [verdict]


def test_what_is_right_by_chance_is_tried_again() -> None:
    answers = iter([right(), right(), one_number_off(), right()])
    assert try_fault(FAULTS[0]._replace(compute=lambda: next(answers), right=right, ours=lambda: [right()])).here


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_ours_are_right_whatever_xla_does(fault: Any) -> None:
    assert not try_fault(fault).ours


def test_infinities_count() -> None:
    assert near(np.array([-np.inf, 1.0]), np.array([-np.inf, 1.0]))
    assert not near(np.array([np.inf, 1.0]), np.array([-np.inf, 1.0]))
    assert not near(np.array([0.0, 1.0]), np.array([-np.inf, 1.0]))


def test_a_fault_that_ends_its_process_does_not_end_ours() -> None:
    found, ended = try_all("tests.aborting_faults")
    assert [tried.name for tried in found] == [FAULTS[2].name]
    assert ended == "the process that tried them ended by signal 6"
    findings = doctor._known_faults(found, ended)
    assert findings[-1].verdict == "note"
    assert "signal 6" in findings[-1].found
    assert try_all("tests.no_such_module")[1].startswith("the process that tried them ended by exit 1")


def test_the_doctor_names_all_that_were_tried() -> None:
    tried = [Tried(fault.name, fault.source, here=True, ours=False) for fault in FAULTS]
    assert [finding.what for finding in doctor._known_faults(tried, "")] == [f"XLA: {fault.name}" for fault in FAULTS]
