import numpy as np

from jcnn.figures import confident_mistakes, to_svg
from jcnn.figures.mistakes import about_mistakes, find_mistakes

LABELS = np.array([0, 1, 2, 0, 1])
PROBABILITIES = np.array([[0.1, 0.6, 0.3], [0.2, 0.7, 0.1], [0.9, 0.05, 0.05], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1]])
IMAGES = np.arange(5 * 4 * 4, dtype=np.uint8).reshape(5, 4, 4, 1)
NAMES = ["a", "b", "c"]


def test_the_surest_come_first():
    assert find_mistakes(LABELS, PROBABILITIES, 9) == [(2, 2, 0, 0.9), (0, 0, 1, 0.6), (3, 0, 2, 0.6)]
    assert find_mistakes(LABELS, PROBABILITIES, 1) == [(2, 2, 0, 0.9)]


def test_each_mistake_is_shown_with_its_image_and_words():
    shown = [axes for axes in confident_mistakes(IMAGES, LABELS, PROBABILITIES, NAMES).axes if axes.images]
    assert [axes.get_title(loc="left") for axes in shown] == ["c → a", "a → b", "a → c"]
    assert [axes.get_xlabel() for axes in shown] == ["90.0 %", "60.0 %", "60.0 %"]
    for axes, index in zip(shown, (2, 0, 3), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), IMAGES[index, ..., 0])


def test_long_names_and_colours():
    names = ["$a_1$ <i>", "a very long name indeed", "c"]
    svg = to_svg(confident_mistakes(IMAGES.repeat(3, axis=-1), LABELS, PROBABILITIES, names, 2)).decode()
    assert "$a_1$ &lt;i&gt;" in svg
    assert "→ a very long n…" in svg


def test_no_mistakes_is_said():
    figure = confident_mistakes(IMAGES, PROBABILITIES.argmax(axis=1), PROBABILITIES, NAMES)
    assert figure.axes[0].texts[0].get_text() == "No mistakes: all 5 images were recognised."
    assert about_mistakes(PROBABILITIES.argmax(axis=1), PROBABILITIES, NAMES, 3).startswith("No mistakes: all 5")


def test_no_images_is_said():
    figure = confident_mistakes(IMAGES[:0], LABELS[:0], PROBABILITIES[:0], NAMES)
    assert figure.axes[0].texts[0].get_text() == "No images were tested."


def test_probabilities_that_are_not_numbers_come_last():
    broken = PROBABILITIES.copy()
    broken[2] = np.nan
    assert [mistake.image for mistake in find_mistakes(LABELS, broken, 9)] == [0, 3, 2]
    assert to_svg(confident_mistakes(IMAGES, LABELS, broken, NAMES))


def test_the_words_state_how_many():
    assert about_mistakes(LABELS, PROBABILITIES, NAMES, 1) == (
        "1 of 3 mistakes among 5 test images, the most confident first: c taken for a with 90.0 %."
    )
