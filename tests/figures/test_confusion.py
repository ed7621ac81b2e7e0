import numpy as np
import pytest

from jcnn.classification import confusion_counts
from jcnn.figures import confusion_matrix, to_svg
from jcnn.figures.confusion import about_confusion, largest_confusions
from jcnn.percentages import share


def drawn(axes, classes):
    """The two coloured layers as one matrix again."""
    return sum(image.get_array().filled(0) for image in axes.images) + np.zeros((classes, classes), int)


def guesses(classes, n=400):
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, n)
    return labels, np.where(rng.random(n) < 0.8, labels, rng.integers(0, classes, n))


def by_hand(labels, predicted, classes):
    counts = np.zeros((classes, classes), int)
    for true, taken in zip(labels, predicted, strict=True):
        counts[true, taken] += 1
    return counts


@pytest.mark.parametrize("classes", [1, 2, 10, 20, 21, 40, 41, 100])
def test_cells_are_the_counts(classes):
    labels, predicted = guesses(classes)
    counts = by_hand(labels, predicted, classes)
    np.testing.assert_array_equal(confusion_counts(labels, predicted, classes), counts)
    figure = confusion_matrix(labels, predicted, [f"class {index}" for index in range(classes)])
    axes = figure.axes[0]
    np.testing.assert_array_equal(drawn(axes, classes), counts)
    numbers = [text for text in axes.texts if text.get_gid() == "count"]
    if classes <= 20:
        written = {(int(text.get_position()[1]), int(text.get_position()[0])): int(text.get_text()) for text in numbers}
        assert written == {(row, column): counts[row, column] for row, column in np.argwhere(counts).tolist()}
        shares = [text.get_text() for text in axes.texts if text.get_gid() == "share"]
        of_each = zip(counts.diagonal().tolist(), counts.sum(1).tolist(), strict=True)
        assert shares[:-1] == [share(right, total, least=0) for right, total in of_each]
    else:
        assert not numbers
        assert len(figure.axes) == 2, "a scale takes the place of the numbers"
    assert to_svg(figure)


def test_right_and_wrong_have_scales_of_their_own():
    labels = np.repeat([0, 1], 50)
    predicted = labels.copy()
    predicted[:2] = 1
    right, wrong = confusion_matrix(labels, predicted, ["a", "b"]).axes[0].images
    assert right.get_clim() == (0, 50)
    assert wrong.get_clim() == (0, 2)
    assert np.ma.count_masked(wrong.get_array()) == 3


def test_names_are_text_and_not_formulas():
    labels = np.array([0, 1])
    svg = to_svg(confusion_matrix(labels, labels, ["$x_1$ <b>", "100 % & more than that"])).decode()
    assert "$x_1$ &lt;b&gt;" in svg
    assert "100 % &amp; more…" in svg


def test_without_images():
    empty = np.array([], int)
    axes = confusion_matrix(empty, empty, ["a", "b"]).axes[0]
    assert drawn(axes, 2).sum() == 0
    assert [text.get_text() for text in axes.texts][:2] == ["–", "–"]


def test_largest_confusions():
    counts = np.array([[5, 1, 0], [3, 5, 0], [0, 1, 9]])
    assert largest_confusions(counts) == [(1, 0, 3), (0, 1, 1), (2, 1, 1)]
    assert largest_confusions(counts, 1) == [(1, 0, 3)]
    assert largest_confusions(np.eye(3, dtype=int)) == []


def test_the_words_state_the_counts():
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert about_confusion(labels, predicted, ["cat", "dog"]) == (
        "Confusion matrix of 2 classes: 3 of 4 images on the diagonal; most often confused: cat taken for dog (1×)."
    )


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [([0, 1], [0], r"labels \(2,\) and predicted \(1,\)"), ([0, 2], [0, 1], "labels go from 0 to 2: expected 0 to 1"),
     ([0, 1], [-1, 1], "predicted go from -1 to 1")],
)  # fmt: skip
def test_what_does_not_belong_together_is_refused(labels, predicted, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(labels), np.array(predicted), ["a", "b"])
