"""Each section shows what was computed."""

import jax
import numpy as np

import jcnn
from jcnn.explore import filters, gradients, inputs, sections
from jcnn.explore.arithmetic import Setting, forward
from jcnn.explore.trained import Trained
from jcnn.figures import DARK, LIGHT

EDGES = np.asarray(filters.FILTERS["edges, left to right"], np.float64)
DIGIT = forward(inputs.digit(3), EDGES, Setting(padding=1))


def test_what_does_not_fit() -> None:
    layer, problem = sections.convolved(inputs.digit(3), EDGES.tolist(), Setting(dilation=4))
    assert layer is None
    assert "the window does not fit its input: N=8, F=3" in problem
    layer, problem = sections.convolved(inputs.chosen(inputs.NUMBERS, 0, inputs.MATRIX), EDGES.tolist(), Setting())
    assert layer is not None
    assert problem == ""


def test_a_position() -> None:
    shown = sections.position(DIGIT, 4, 4, LIGHT)
    assert "= 16</div>" in shown
    assert shown.count("<img ") == 2
    assert "padding: zeros" in shown
    assert "padding: zeros" not in sections.position(forward(inputs.digit(3), EDGES, Setting()), 0, 0, LIGHT)


def test_sight() -> None:
    assert "<td>7 × 7</td>" in sections.sight(DIGIT, 3, DARK)
    small = forward(inputs.digit(3), EDGES, Setting(2))
    assert "the window does not fit its input" in sections.sight(small, 3, DARK)


def test_the_way_back() -> None:
    shown = sections.way_back(DIGIT, gradients.output_gradient(DIGIT, gradients.ALL, 0, 0), LIGHT)
    assert shown.count("<img ") == 2
    assert "what JAX derives by itself" in shown


def test_reading() -> None:
    network = (jcnn.Conv(3, 3), jcnn.Relu(), jcnn.Flatten(), jcnn.Dense(10))
    reader = Trained(network, jcnn.init(jax.random.key(0), network, (8, 8, 1)), tuple("0123456789"), "It learned nothing.")
    image = np.zeros((8, 8, 1), np.uint8)
    image[:, 3:5] = 200
    shown = sections.reading(reader, image, DARK)
    assert 'class="chance"' in shown
    assert "It learned nothing." in shown
