"""A backward pass that is compared, whatever it raises."""

from typing import Any

import numpy as np
import pytest

from jcnn import relu
from jcnn.check import compare


class Hidden(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise SystemExit(0)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        pytest.param(SystemExit(0), "It raises SystemExit: 0", id="exit"),
        pytest.param(GeneratorExit(), "It raises GeneratorExit: (no message)", id="generator"),
        pytest.param(Hidden(), "It raises Hidden: (its message cannot be read)", id="hidden message"),
    ],
)
def test_whatever_it_raises_is_a_sentence(error: BaseException, sentence: str) -> None:
    def backward(dy: Any, x: Any) -> Any:
        raise error

    report = compare(relu, backward, np.array([[1.0, -2.0]]))
    assert report.verdict == "bug"
    assert sentence in str(report.diagnosis)


def test_ctrl_c_stops_the_comparison() -> None:
    def backward(dy: Any, x: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(relu, backward, np.array([[1.0, -2.0]]))
