"""What a candidate takes of the time is what it computes, unless it waits for ever."""

import time

import pytest

from jcnn.check import patience
from jcnn.check.cases import Case
from jcnn.check.operations import kind_of
from jcnn.check.outcome import Outcome, call
from jcnn.check.patience import Patience

CASE = Case("any", {}, {}, frozenset(), whole=False)


@pytest.mark.parametrize(
    ("passes", "computes", "ends"),
    [
        pytest.param(8.0, 2.0, False, id="a busy machine: what it computes"),
        pytest.param(8.0, 3.0, True, id="it computes for too long"),
        pytest.param(2.6, 2.6, True, id="a machine of its own"),
        pytest.param(29.0, 0.0, False, id="it sleeps"),
        pytest.param(31.0, 0.0, True, id="it sleeps for ever"),
    ],
)
def test_what_ends_patience(passes: float, computes: float, ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((10.0, 10.0 + passes, 50.0, 50.0 + passes))
    monkeypatch.setattr(patience.time, "monotonic", lambda: next(clock))
    counted = Patience(lambda _: Outcome(seconds=computes))
    counted.answer(CASE)
    assert not counted.ends(5.0)
    counted.answer(CASE)
    assert counted.used == pytest.approx(2 * computes)
    assert counted.ends(5.0) is ends


def test_a_call_is_measured() -> None:
    kind = kind_of("relu")

    def relu(x: object) -> object:
        until = time.process_time() + 0.03
        while time.process_time() < until:
            pass
        return x

    assert call(relu, kind, kind.cases[0]).seconds >= 0.03
