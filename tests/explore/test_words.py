"""The page's pieces: pictures of every kind are drawn, with words; nothing breaks out of its place."""

import numpy as np
import pytest

from jcnn.explore import fields, filters, inputs, pictures, words
from jcnn.explore.arithmetic import Layer, Setting, forward
from jcnn.figures import DARK, LIGHT

EDGES = np.asarray(filters.FILTERS["edges, all round"], np.float64)


def layers() -> dict[str, Layer]:
    return {
        "digit": forward(inputs.digit(4), EDGES, Setting(padding=1)),
        "dilated": forward(inputs.digit(4), EDGES, Setting(2, 2, 2)),
        "photograph": forward(inputs.photograph(), EDGES, Setting(2, 3)),
        "numbers": forward(np.asarray(inputs.MATRIX, np.float64), EDGES, Setting()),
        "long numbers": forward(inputs.digit(4), np.full((2, 3), 1 / 3), Setting(padding=4)),
    }


@pytest.mark.parametrize("name", layers())
def test_pictures(name: str) -> None:
    layer = layers()[name]
    for figure in (
        pictures.input_picture(layer, 0, 0, LIGHT),
        pictures.output_picture(layer, layer.y, DARK, (0, 0)),
        pictures.fields_picture(layer, fields.fields(layer, 1), DARK),
    ):
        shown = words.picture(figure, "a < b")
        assert shown.startswith('<figure class=""><img src="data:image/svg+xml;base64,')
        assert 'alt="a &lt; b"' in shown


def test_the_sum_is_shown() -> None:
    shown = words.size_and_sum(layers()["digit"], 3, 4)
    assert '<strong class="output-size">8 × 8</strong>' in shown
    assert "y[3, 4] = " in shown


def test_misfits_and_tables() -> None:
    assert "a &lt; b" in words.misfit(ValueError("a < b"))
    assert "<td>5 × 5</td>" in words.fields_table(fields.fields(layers()["digit"], 2))


def test_what_was_read() -> None:
    shown = words.reading([("7", 0.9), ("1", 0.06), ("9", 0.04)])
    assert '<strong class="class">7</strong>' in shown
    assert "1 with 6.0 %, 9 with 4.0 %" in shown


@pytest.mark.parametrize(("off", "said"), [(0.0, "agrees to the last bit"), (2e-16, "differs by 2e-16")])
def test_agreement(off: float, said: str) -> None:
    assert said in words.agreement(off)
