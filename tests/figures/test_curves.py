from typing import Any

import numpy as np
import pytest

from jcnn.figures import learning_curves, to_svg
from jcnn.figures.curves import SMOOTH_FROM, about_curves, running_mean, series, smooth

NAN = float("nan")


def record(split, epoch, loss, accuracy):
    return {"split": split, "step": round(10 * epoch), "epoch": epoch, "loss": loss, "accuracy": accuracy}


RECORDS = [
    record("train", 0.5, 2.0, 0.2),
    record("train", 1.0, 1.5, 0.5),
    record("test", 1.0, 1.6, 0.45),
    record("train", 2.0, 0.9, 0.8),
    record("test", 2.0, 1.0, 0.75),
]


def lines(axes: Any) -> dict[str, Any]:
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def counted(split, epoch, errors, images):
    return {**record(split, epoch, 1.0, 1 - errors / images), "errors": errors, "images": images}


def test_the_panels_show_the_recorded_numbers():
    loss, accuracy, error = learning_curves(RECORDS).axes
    np.testing.assert_allclose(lines(loss)["training"], [[0.5, 2.0], [1.0, 1.5], [2.0, 0.9]])
    np.testing.assert_allclose(lines(loss)["test"], [[1.0, 1.6], [2.0, 1.0]])
    np.testing.assert_allclose(lines(accuracy)["training"], [[0.5, 20], [1.0, 50], [2.0, 80]])
    np.testing.assert_allclose(lines(error)["training"], [[0.5, 80], [1.0, 50], [2.0, 20]])
    assert [text.get_text() for text in accuracy.texts + error.texts] == ["75.0 %", "25.0 %"]
    assert error.get_yscale() == "log"
    assert error.get_xlabel().startswith("epoch")


def test_training_images_as_they_are_have_a_curve_of_their_own():
    curves = lines(learning_curves([*RECORDS, counted("unaugmented", 2.0, 3, 1000)]).axes[2])
    np.testing.assert_allclose(curves["unaugmented training"], [[2.0, 0.3]])


def test_no_errors_stand_at_the_lower_edge_and_are_marked():
    records = [counted("test", 1.0, 5, 10_000), counted("test", 2.0, 1, 10_000), counted("test", 3.0, 0, 10_000)]
    accuracy, error = learning_curves(records).axes[1:]
    np.testing.assert_allclose(lines(error)["test"], [[1, 0.05], [2, 0.01], [3, 0.005]])
    np.testing.assert_allclose(lines(error)["_none"], [[3, 0.005]])
    assert error.get_ylim()[0] == pytest.approx(0.005)
    assert [text.get_text() for text in accuracy.texts + error.texts] == ["100 %", "0 %"]


def test_the_ends_are_exact():
    accuracy, error = learning_curves([counted("test", 1.0, 1, 60_000)]).axes[1:]
    assert [text.get_text() for text in accuracy.texts + error.texts] == ["99.998 %", "0.002 %"]
    accuracy, error = learning_curves([record("test", 1.0, 1.0, 1 - 1e-5)]).axes[1:]  # of a run without counts
    assert [text.get_text() for text in accuracy.texts + error.texts] == ["> 99.9 %", "< 0.1 %"]


def test_the_loss_is_logarithmic_once_it_spans_much():
    assert learning_curves(RECORDS).axes[0].get_yscale() == "linear"
    assert learning_curves([*RECORDS, record("train", 3.0, 0.01, 0.9)]).axes[0].get_yscale() == "log"
    assert learning_curves([*RECORDS, record("train", 3.0, 0.0, 0.9)]).axes[0].get_yscale() == "linear"


def test_many_batches_are_drawn_with_their_running_mean():
    many = [record("train", step / 10, 1 + step % 2, 0.5) for step in range(1, SMOOTH_FROM + 1)]
    drawn = lines(learning_curves(many).axes[0])
    assert len(drawn["training batch"]) == len(drawn["running mean"]) == SMOOTH_FROM
    assert np.ptp(drawn["running mean"][5:-5, 1]) < np.ptp(drawn["training batch"][5:-5, 1])


def test_running_mean_by_hand():
    np.testing.assert_allclose(running_mean(np.array([0.0, 3.0, 6.0, 0.0]), 3), [1.5, 3.0, 3.0, 3.0])
    np.testing.assert_allclose(running_mean(np.array([0.0, NAN, 6.0]), 3), [0.0, NAN, 6.0])
    np.testing.assert_allclose(running_mean(np.array([1.0, 2.0]), 1), [1.0, 2.0])
    np.testing.assert_allclose(running_mean(np.array([1.0, NAN, 4.0, 0.0]), 3, np.array([1.0, 9, 3, 1])), [1.0, NAN, 3.0, 3.0])


def test_a_short_last_batch_counts_for_its_images():
    """Of twenty images half are wrong, of the next two none: nearly a half in all, and not a quarter."""
    records = [
        {**record("train", step / 2, 1.0, (0.5, 1.0)[step % 2 == 0]), "images": (20, 2)[step % 2 == 0]}
        for step in range(1, 2 * SMOOTH_FROM + 1)
    ]
    np.testing.assert_allclose(smooth(records, "error")[5:-5], 10 / 22, atol=0.04)


def test_what_is_not_finite_becomes_a_gap_and_a_note():
    records = [*RECORDS, record("train", 3.0, NAN, 0.1), record("train", 3.5, float("inf"), None)]
    upper, lower, _ = learning_curves(records).axes
    assert np.isnan(lines(upper)["training"][-2:, 1]).all()
    assert upper.get_title(loc="right") == "loss not finite at epoch 3"
    assert lower.get_title(loc="right") == "accuracy not finite at epoch 3.5"
    assert "not finite at epoch 3" in about_curves(records)


@pytest.mark.parametrize(
    "records",
    [[], RECORDS[:1], RECORDS[2:3], RECORDS[:2], [record("train", 1.0, NAN, NAN)], [record("train", 0, 1.0, 0.0)]],
    ids=["none", "one train", "one test", "no test", "all not finite", "epoch 0"],
)
def test_few_records_are_drawn_too(records):
    assert to_svg(learning_curves(records)).endswith(b"</svg>\n")
    assert about_curves(records).startswith("Learning curves: ")


def test_series_keeps_the_order():
    epochs, values = series(RECORDS, "test", "loss")
    np.testing.assert_array_equal(epochs, [1.0, 2.0])
    np.testing.assert_array_equal(values, [1.6, 1.0])


def test_the_words_state_the_ends():
    assert about_curves(RECORDS) == (
        "Learning curves: training loss from 2 to 0.9 at epoch 2; training accuracy from 20.0 % to 80.0 % at epoch 2; "
        "test loss from 1.6 to 1 at epoch 2; test accuracy from 45.0 % to 75.0 % at epoch 2."
    )
