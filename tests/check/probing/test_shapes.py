"""The formula that a wrong shape follows."""

import pytest

from jcnn.check.probing.expressions import Expression, sizes_along
from jcnn.check.probing.geometries import Geometry
from jcnn.check.probing.shapes import CORRELATED, COUNTS, SAME, TRANSPOSED, explain_shape

SEEN = (
    Geometry(5, 7, (3, 2), 2, 0),
    Geometry(8, 6, (2, 4), 1, 1, examples=2),
    Geometry(9, 12, (4, 3), 3, 2, inputs=2),
    Geometry(10, 7, (5, 3), (2, 3), (2, 1), outputs=3),
    Geometry(7, 15, (1, 4), (3, 2), (0, 3)),
    Geometry(13, 11, (3, 5), (1, 2), (3, 1)),
    Geometry(6, 5, (3, 2), 2, 1),
    Geometry(8, 9, (3, 4), 1, (1, 2)),
    Geometry(9, 8, (4, 3)),
)
ELSEWHERE = (Geometry(11, 13, (2, 5), (3, 1), (1, 2)), Geometry(16, 9, (5, 4), (1, 2), (3, 0)))


def shape_by(expression: Expression, geometry: Geometry) -> tuple[int, int, int, int]:
    """An output whose columns are counted by a formula."""
    columns = round(expression.of(sizes_along(geometry, 1)))
    return geometry.examples, geometry.rows, columns, geometry.outputs


def right_shape(geometry: Geometry) -> tuple[int, int, int, int]:
    return geometry.examples, geometry.rows, geometry.columns, geometry.outputs


@pytest.mark.parametrize("count", [*COUNTS, *SAME], ids=lambda count: count.text.split(",")[0])
def test_a_slip_in_the_number_of_outputs_is_found(count: Expression) -> None:
    observed = [(geometry, shape_by(count, geometry), right_shape(geometry)) for geometry in SEEN]
    if all(got == right for _, got, right in observed):
        return
    sentence, rule = explain_shape("y", "output", observed)
    assert rule is not None, sentence
    assert "the number of columns is" in sentence
    for geometry in ELSEWHERE:
        assert rule.shape(geometry, right_shape(geometry)) == shape_by(count, geometry)


def test_what_counts_outputs_is_not_said_of_images() -> None:
    far_fetched = COUNTS[-1]
    observed = [
        (geometry, shape_by(far_fetched, geometry), (*right_shape(geometry)[:2], 99, geometry.outputs)) for geometry in SEEN
    ]
    assert explain_shape("y", "output", observed)[1] is not None
    assert explain_shape("dx", "image", observed)[1] is None


def shape_of(array: str, geometry: Geometry) -> tuple[int, ...]:
    if array == "image":
        return geometry.examples, geometry.height, geometry.width, geometry.inputs
    return *geometry.window, geometry.inputs, geometry.outputs


@pytest.mark.parametrize(
    ("array", "length"),
    [*(("image", length) for length in TRANSPOSED), *(("filter", length) for length in CORRELATED)],
    ids=lambda value: value if isinstance(value, str) else value.text.split(",")[0],
)
def test_the_length_of_a_gradient_made_by_a_convolution_is_found(array: str, length: Expression) -> None:
    along = {"image": (1, 2), "filter": (0, 1)}[array]

    def made(geometry: Geometry) -> tuple[int, ...]:
        sizes = list(shape_of(array, geometry))
        for number, axis in enumerate(along):
            sizes[axis] = round(length.of(sizes_along(geometry, number)))
        return tuple(sizes)

    observed = [(geometry, made(geometry), shape_of(array, geometry)) for geometry in SEEN]
    if all(got == right for _, got, right in observed):
        return
    sentence, rule = explain_shape("d", array, observed)
    assert rule is not None, sentence
    assert sentence.count("where F − 1 − P is right") <= 1, "rows and columns are said once"
    for geometry in ELSEWHERE:
        assert rule.shape(geometry, shape_of(array, geometry)) == made(geometry)
