import numpy as np

from jcnn.figures.classes import HEADS, LISTED, class_rows, classes_table, top_k

LABELS = np.array([0, 0, 0, 1, 1, 3])
PREDICTED = np.array([0, 0, 1, 1, 0, 0])


def test_rows_by_hand():
    assert class_rows(LABELS, PREDICTED, ["a", "b", "c", "d"]) == [
        ("a", "3", "2", "66.7 %", "4", "50.0 %", "b (1×)"),
        ("b", "2", "1", "50.0 %", "2", "50.0 %", "a (1×)"),
        ("c", "0", "0", "–", "0", "–", ""),
        ("d", "1", "0", "0 %", "0", "–", "a (1×)"),
    ]


def test_of_many_classes_the_weakest_come_first_and_the_rest_is_folded_away():
    names = [f"class {index}" for index in range(LISTED + 5)]
    labels = np.repeat(np.arange(LISTED + 5), 2)
    predicted = labels.copy()
    predicted[[2 * 7, 2 * 9, 2 * 9 + 1]] = 0
    rows = class_rows(labels, predicted, names)
    assert [row[0] for row in rows[:3]] == ["class 9", "class 7", "class 0"]
    html = classes_table(labels, predicted, names)
    assert "The other 5 classes" in html
    assert html.count("<table") == 2
    assert html.count("<tr>") == LISTED + 5 + 2


def test_names_are_text():
    html = classes_table(np.array([0, 1]), np.array([1, 1]), ["<b>", "&"])
    assert "&lt;b&gt;" in html
    assert "&amp; (1×)" in html
    assert "<b>" not in html
    assert all(head in html for head in HEADS)


def test_top_k_is_for_fewer_guesses_than_classes():
    scores = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.3, 0.5, 0.2]])
    assert top_k(scores, np.array([0, 1, 0, 2])) == {1: "25.00 %", 2: "50.00 %"}
    assert top_k(np.ones((3, 1)), np.zeros(3, int)) == {1: "100 %"}
    assert list(top_k(np.zeros((2, 100)), np.zeros(2, int))) == [1, 2, 3, 5, 10]
