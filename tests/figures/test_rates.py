from typing import Any

import numpy as np
import pytest

from jcnn.figures import to_svg
from jcnn.figures.curves import SMOOTH_FROM
from jcnn.figures.rates import about_rates, rates


def record(epoch: float, speed: float, **more: Any) -> dict[str, Any]:
    return {"split": "train", "epoch": epoch, "loss": 1.0, "accuracy": 0.5, "images_per_second": speed, **more}


RECORDS = [
    record(0.5, 900.0, learning_rate=0.1),
    record(1.0, 1100.0, learning_rate=0.3),
    record(1.5, 1000.0, learning_rate=0.0),
]


def points(axes: Any) -> Any:
    return axes.lines[0].get_xydata()


def test_both_panels_show_the_recorded_numbers():
    learning, speed = rates([*RECORDS, {"split": "test", "epoch": 1.5, "loss": 1.0, "accuracy": 0.5}]).axes
    np.testing.assert_allclose(points(learning), [[0.5, 0.1], [1.0, 0.3], [1.5, 0.0]])
    np.testing.assert_allclose(points(speed), [[0.5, 900], [1.0, 1100], [1.5, 1000]])
    assert learning.get_ylim()[0] == speed.get_ylim()[0] == 0
    assert about_rates(RECORDS) == (
        "Learning rate and speed: learning rate 0.1 at first, 0.3 at most, 0 at the end; "
        "900 to 1,100 images a second, half of the time above 1,000."
    )


def test_an_optimizer_of_ones_own_has_no_learning_rate_that_is_known():
    (speed,) = rates([record(1.0, 10.0)]).axes
    assert speed.get_ylabel() == "images/s"
    assert "learning rate 0" not in about_rates([record(1.0, 10.0)])


@pytest.mark.parametrize("records", [[], [{"split": "train", "epoch": 1.0, "loss": 1.0, "accuracy": 0.5}]], ids=["none", "old"])
def test_nothing_recorded(records: list[dict[str, Any]]):
    assert to_svg(rates(records))
    assert about_rates(records) == "Learning rate and speed: nothing was recorded."


def test_many_records_have_a_running_mean():
    many = [record(step / 10, 100.0 + step % 2) for step in range(1, SMOOTH_FROM + 2)]
    single, mean = (np.asarray(line.get_ydata()) for line in rates(many).axes[0].lines)
    assert np.ptp(mean[3:-3]) < np.ptp(single)
