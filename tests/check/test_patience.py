"""What a candidate takes of the time is what it computes, and a part of what it waits."""

import time

import pytest

from jcnn.check import patience
from jcnn.check.cases import Case
from jcnn.check.operations import kind_of
from jcnn.check.outcome import Outcome, call
from jcnn.check.patience import Patience

CASE = Case("any", {}, {}, frozenset(), whole=False)


@pytest.mark.parametrize(
    ("passes", "computes", "counts"),
    [
        pytest.param(8.0, 5.0, 5.0, id="a busy machine: what it computes"),
        pytest.param(6.0, 0.0, 2.0, id="it sleeps: a part of it"),
        pytest.param(1.0, 1000.0, 1.0, id="never more than has passed, whatever it says"),
        pytest.param(3.0, -1.0, 1.0, id="never less than a part"),
        pytest.param(2.0, 2.0, 2.0, id="a machine of its own"),
    ],
)
def test_what_counts(passes: float, computes: float, counts: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((10.0, 10.0 + passes, 50.0, 50.0 + passes))
    monkeypatch.setattr(patience.time, "monotonic", lambda: next(clock))
    counted = Patience(lambda _: Outcome(seconds=computes))
    counted.answer(CASE)
    counted.answer(CASE)
    assert counted.used == pytest.approx(2 * counts)


def test_a_call_is_measured() -> None:
    kind = kind_of("relu")

    def relu(x: object) -> object:
        until = time.process_time() + 0.03
        while time.process_time() < until:
            pass
        return x

    assert call(relu, kind, kind.cases[0]).seconds >= 0.03
