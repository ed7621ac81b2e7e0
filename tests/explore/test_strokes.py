"""What is drawn becomes an image as the network knows them."""

import numpy as np
import pytest

from jcnn.data import load
from jcnn.explore import trained
from jcnn.explore.strokes import to_image

Point = list[float]


def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> list[Point]:
    """Points of an ellipse around (x, y), angles in parts of a turn, clockwise from the right."""
    angles = 2 * np.pi * np.linspace(start, end, 24)
    return [[x + width * np.cos(angle), y + height * np.sin(angle)] for angle in angles.tolist()]


DIGITS: dict[str, list[list[Point]]] = {
    "0": [arc(0.5, 0.5, 0.2, 0.33, -0.25, 0.75)],
    "1": [[[0.5, 0.1], [0.5, 0.9]]],
    "2": [[*arc(0.5, 0.3, 0.2, 0.17, -0.5, 0.05), [0.3, 0.85], [0.72, 0.85]]],
    "3": [[*arc(0.48, 0.3, 0.2, 0.18, -0.45, 0.25), *arc(0.48, 0.67, 0.22, 0.2, -0.25, 0.45)]],
    "4": [[[0.55, 0.1], [0.28, 0.6], [0.75, 0.6]], [[0.6, 0.4], [0.6, 0.9]]],
    "5": [[[0.7, 0.12], [0.35, 0.12], [0.33, 0.45], *arc(0.48, 0.62, 0.22, 0.22, -0.35, 0.42)]],
    "6": [[[0.62, 0.1], [0.4, 0.4], *arc(0.5, 0.66, 0.19, 0.2, -0.5, 0.5)]],
    "7": [[[0.3, 0.2], [0.7, 0.2], [0.45, 0.88]]],
    "8": [[*arc(0.5, 0.3, 0.16, 0.17, 0.25, 1.25), *arc(0.5, 0.67, 0.2, 0.2, -0.25, 0.75)]],
    "9": [[*arc(0.5, 0.32, 0.18, 0.19, 0, 1), [0.66, 0.6], [0.6, 0.9]]],
}


def image(strokes: list[list[Point]]) -> np.ndarray:
    made = to_image(strokes)
    assert made is not None
    return made


def test_a_stroke_stands_upright_in_the_middle() -> None:
    made = image(DIGITS["1"])
    assert made.shape == (8, 8, 1)
    assert made.dtype == np.uint8
    assert (made[:, 3:5, 0] > 100).all()
    assert made[:, :3].max() == made[:, 5:].max() == 0


def test_where_and_how_large_it_was_drawn_does_not_matter() -> None:
    moved = [[[0.1 + 0.4 * x, 0.5 + 0.4 * y] for x, y in line] for line in DIGITS["7"]]
    assert np.abs(image(DIGITS["7"]).astype(int) - image(moved)).max() <= 8  # of 255: whole pixels of the large drawing


def test_its_ink_is_about_that_of_the_digits() -> None:
    drawn = np.mean([image(strokes).mean() for strokes in DIGITS.values()])
    assert drawn == pytest.approx(load("digits", "train").images.mean(), rel=0.1)


@pytest.mark.parametrize("strokes", [[], [[]]])
def test_nothing_drawn(strokes: list[list[Point]]) -> None:
    assert to_image(strokes) is None


def test_a_dot() -> None:
    assert image([[[0.2, 0.2]]]).max() == 255


@pytest.mark.slow
def test_a_network_reads_all_ten() -> None:
    reader = trained.fresh(trained.EPOCHS)
    assert "% of 359 digits" in reader.origin
    ranks = [trained.ranked(reader.class_names, trained.probabilities(reader, image(strokes))) for strokes in DIGITS.values()]
    assert [rank[0][0] for rank in ranks] == list(DIGITS)
    assert all(len(rank) == 3 for rank in ranks)
    assert all(0.5 < rank[0][1] <= 1 for rank in ranks)
