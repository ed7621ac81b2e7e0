from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from jcnn.figures import DARK, LIGHT, to_svg
from jcnn.figures.comparison import (
    COLOURS,
    MOST,
    Compared,
    about_comparison,
    compared_curves,
    differing,
    error_over_time,
    render_comparison,
)
from jcnn.figures.style import contrast
from tests.training.small_runs import as_older, course


def compared(name: str, records: Sequence[dict[str, Any]], **choices: str) -> Compared:
    return Compared(name, {"network": "small", "seed": "0", **choices}, {"test accuracy": "99.0 %"}, records)


RUNS = [
    compared("first", course(3, errors=[50, 10, 0], rate=0.1)),
    compared("second <b>$x$", as_older(course(2, errors=[40, 20], seconds=5.0, rate=0.3)), seed="1", warmup="0.2"),
]


def curves(axes: Any) -> dict[tuple[str, str], np.ndarray]:
    """The curves of a panel by their split and colour; those of the legend left out."""
    drawn = [line for line in axes.lines if len(line.get_xydata())]
    return {(line.get_label(), line.get_color()): line.get_xydata() for line in drawn}


def test_the_curves_of_all_runs_lie_over_each_other():
    loss, accuracy, error, rate = compared_curves(RUNS).axes
    first, second = COLOURS["light"][:2]
    np.testing.assert_allclose(curves(loss)["_test", second], [[1, 0.5], [2, 0.25]])
    np.testing.assert_allclose(curves(loss)["_training", first], [[1, 1], [2, 1 / 2], [3, 1 / 3]])
    np.testing.assert_allclose(curves(accuracy)["_test", first], [[1, 95], [2, 99], [3, 100]])
    np.testing.assert_allclose(curves(error)["_test", first], [[1, 5], [2, 1], [3, 0.5]])  # of none at the lower edge
    np.testing.assert_allclose(curves(error)["_test", second], [[1, 4], [2, 2]])
    np.testing.assert_allclose(curves(rate)["_training", second], [[1, 0.3], [2, 0.3]])
    assert error.get_yscale() == "log"
    assert len(curves(rate)) == 2


def test_errors_over_the_time_that_was_recorded():
    figure = error_over_time(RUNS)
    assert figure is not None
    drawn = curves(figure.axes[0])
    values = {colour: points for (_, colour), points in drawn.items()}
    first, second = COLOURS["light"][:2]
    np.testing.assert_allclose(values[first], [[2, 5], [4, 1], [6, 0.5]])
    np.testing.assert_allclose(values[second], [[5, 4], [10, 2]])
    assert figure.axes[0].get_xscale() == "linear"
    slow = compared("slow", course(2, errors=[3, 2], seconds=500.0))
    far_apart = error_over_time([RUNS[0], slow])
    assert far_apart is not None
    assert far_apart.axes[0].get_xscale() == "log"
    trained = [record for record in course(2, errors=[3, 2]) if record["split"] == "train"]
    assert error_over_time([compared("a", trained), compared("b", [])]) is None


def test_every_run_can_be_told_apart_and_seen():
    many = [compared(f"run {number}", course(1, errors=[number + 1])) for number in range(MOST)]
    for theme in (LIGHT, DARK):
        loss = compared_curves(many, theme=theme).axes[0]
        lines = [line for line in loss.lines if line.get_label() == "_test"]
        assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == MOST
        for colour in COLOURS[theme.name]:
            assert contrast(colour, theme.paper) > 4.5  # WCAG 2.2, AA


def test_what_differs():
    assert differing([run.choices for run in RUNS]) == ["seed", "warmup"]
    assert differing([{"a": "1"}, {"a": "1"}]) == []


def test_the_page():
    html = render_comparison(RUNS)
    assert "<b>" not in html
    assert "second &lt;b&gt;$x$" in html
    assert html.count("<picture>") == 2
    same, different = html.index("The same in all"), html.index("<h2>Recipes</h2>")
    assert different < html.index('<th scope="row">seed</th>') < same < html.index('<th scope="row">network</th>')
    alike = render_comparison([RUNS[0], RUNS[0]._replace(name="again")])
    assert "All are the same." in alike
    assert "script" not in html


def test_the_words_state_the_ends():
    assert about_comparison(RUNS) == (
        "Curves of 2 runs over each other; test accuracy of first: 100 % at epoch 3; second <b>$x$: 98.0 % at epoch 2."
    )


@pytest.mark.parametrize("count", [0, 1, MOST + 1])
def test_too_few_and_too_many(count: int):
    with pytest.raises(ValueError, match=f"runs: {count}, expected 2 to {MOST} of them"):
        render_comparison(RUNS[:1] * count)


@pytest.mark.parametrize("records", [[], course(1, errors=[0])[:1]], ids=["nothing", "only trained"])
def test_little_was_recorded(records: list[dict[str, Any]]):
    assert to_svg(compared_curves([compared("a", records), compared("b", [])]))
    assert "not tested" in about_comparison([compared("a", records), compared("b", [])])
