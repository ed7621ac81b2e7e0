"""A candidate with its channels first, called as one that has them last."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn.check import CATALOGUE, KINDS, grade, grade_file
from jcnn.check.operations import kind_of
from jcnn.check.outcome import Misfit
from jcnn.check.smallest import draw_case
from jcnn.check.styles.adapt import adapt
from jcnn.check.styles.expected import call_of
from jcnn.check.styles.wording import Wording
from jcnn.figures.graded import render_report
from tests.draws import draws

Array = np.ndarray


def last(array: Any) -> Any:
    """Maps with the channels last, from second."""
    return np.moveaxis(array, 1, -1) if np.ndim(array) > 2 else array


def second(array: Any) -> Any:
    return np.moveaxis(array, -1, 1) if np.ndim(array) > 2 else array


def same(array: Any) -> Any:
    return array


def filters_last(array: Array) -> Array:
    return np.moveaxis(array, (0, 1), (-1, -2))


def filters_first(array: Array) -> Array:
    return np.moveaxis(array, (-1, -2), (0, 1))


WAYS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    **dict.fromkeys(("x", "y", "dx", "dy", "logits", "dlogits"), (last, second)),
    **dict.fromkeys(("w", "dw"), (filters_last, filters_first)),
    "labels": (lambda labels: last(labels) if labels.dtype.kind == "f" else labels, same),
}
"""To jcnn's layout and from it, as somebody writes it who does not know how jcnn does it."""

MAPS = [
    name + suffix
    for name in (
        *("conv", "convolve", "conv_transpose", "max_pool", "avg_pool", "global_max_pool", "global_avg_pool"),
        *("maxout", "softmax", "log_softmax", "softmax_cross_entropy"),
        *("batch_norm", "batch_norm_evaluation", "layer_norm", "group_norm", "upsample"),
    )
    for suffix in ("", "_backward")
]
WITHOUT_CHANNELS = [kind for kind in KINDS if kind not in MAPS and not kind.startswith(("flatten", "locally"))]


def with_channels_second(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of jcnn's kind as it is in NCHW."""
    known = kind_of(kind)
    names = call_of(known, "NCHW", "jcnn").arguments
    # A loss has one number for every place, without channels.
    ways = {name: way for name, way in WAYS.items() if "entropy" not in kind or name not in {"y", "dy"}}

    def candidate(*args: Any, **options: Any) -> Any:
        ours = [ways.get(name, (same, same))[0](value) for name, value in zip(names, args, strict=False)]
        output = function(*ours, **options)
        parts = output if isinstance(output, tuple) else (output,)
        theirs = tuple(ways.get(leaf, (same, same))[1](part) for leaf, part in zip(known.leaves, parts, strict=True))
        return theirs if isinstance(output, tuple) else theirs[0]

    return candidate


def assert_right_in_every_case(kind: str, candidate: Callable[..., Any]) -> None:
    known = kind_of(kind)
    adapted = adapt(candidate, {}, call_of(known, "NCHW", "jcnn"), Misfit).candidate
    for case in known.cases:
        args = [value.copy() if isinstance(value, np.ndarray) else value for value in case.args.values()]
        found = adapted(*args, **case.options)
        parts = found if isinstance(found, tuple) else (found,)
        for expected, got in zip(known.expected(case), parts, strict=True):
            # In another order of the axes a sum is rounded otherwise.
            assert (np.abs(got - expected.value) <= expected.bound("float64", whole=False)).all(), case.name


@pytest.mark.parametrize("kind", MAPS)
def test_the_right_function_in_nchw_gives_what_is_right(kind: str) -> None:
    assert_right_in_every_case(kind, with_channels_second(kind, kind_of(kind).reference))


def test_what_has_no_channels_is_the_same_in_every_layout() -> None:
    for kind in WITHOUT_CHANNELS:
        assert_right_in_every_case(kind, kind_of(kind).reference)


def flatten(x: Array) -> Array:
    return x.reshape(len(x), -1)


def flatten_backward(dy: Array, x: Array) -> Array:
    return dy.reshape(x.shape)


def locally_connected(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
    y = kind_of("locally_connected").reference(last(x), filters_last(w), **options)
    return second(y) + (0 if b is None else b[None])


def locally_connected_backward(dy: Array, x: Array, w: Array, **options: Any) -> Any:
    dx, dw, db = kind_of("locally_connected_backward").reference(last(dy), last(x), filters_last(w), **options)
    return second(dx), filters_first(dw), np.moveaxis(db, -1, 0)


@pytest.mark.parametrize("candidate", [flatten, flatten_backward, locally_connected, locally_connected_backward])
def test_numbers_in_an_order_that_hangs_on_the_layout(candidate: Callable[..., Any]) -> None:
    assert_right_in_every_case(candidate.__name__, candidate)


def test_a_mistake_is_the_same_in_either_layout() -> None:
    """And its report in the candidate's layout: the same numbers at the places that they have there."""
    kind, name = "max_pool_backward", "windows overwrite each other"
    wrong = next(entry.wrong[kind] for entry in CATALOGUE if entry.name == name)
    plain, found = grade(wrong, kind), grade(with_channels_second(kind, wrong), kind, layout="NCHW")
    assert (found.verdict, found.mistakes) == (plain.verdict, plain.mistakes) == ("bug", (name,))
    assert found.subject.endswith("; shapes and indices as in NCHW")
    assert [row[:3] for row in found.rows] == [row[:3] for row in plain.rows]
    assert [finding.where for finding in found.findings] == [finding.where for finding in plain.findings]
    assert plain.worst is not None
    assert found.worst is not None
    order = Wording.of("max_pool", "NCHW", "jcnn").order(plain.worst.leaf, len(plain.worst.index))
    assert found.worst.index == tuple(plain.worst.index[axis] for axis in order)
    assert grade(with_channels_second(kind, kind_of(kind).reference), kind, layout="NCHW").verdict == "agrees"
    assert grade(with_channels_second(kind, kind_of(kind).reference), kind).verdict == "bug"


def test_a_number_worked_out_is_written_in_the_layout() -> None:
    """In words, as a sum in HTML and over the pictures; and so are hints and the smallest case."""
    kind, name = "avg_pool_backward", "windows overwrite each other"
    wrong = next(entry.wrong[kind] for entry in CATALOGUE if entry.name == name)
    plain, found = grade(wrong, kind), grade(with_channels_second(kind, wrong), kind, layout="NCHW")
    (before, *_), (after, *_) = plain.findings, found.findings
    assert before.worked is not None
    assert after.worked is not None
    n, i, j, c = before.worked.index
    assert after.worked.entry(after.worked.leaf, after.worked.index) == f"dx[{n}, {c}, {i}, {j}]"
    assert after.example.startswith(f"dx[{n}, {c}, {i}, {j}] = ")
    assert f"dx[{n}, {c}, {i}, {j}] = " in render_report(found)
    assert f"dx[{n}, {i}, {j}, {c}] = " in render_report(plain)
    factors = {after.worked.entry(*factor) for term in after.worked.right for factor in term.factors}
    assert any(f"{factor}" in after.example for factor in factors)
    assert plain.hint(2) == found.hint(2)
    assert plain.hint(3) != found.hint(3)
    assert plain.smallest is not None
    assert found.smallest is not None
    assert [block.cells for block in found.smallest.outputs] == [block.cells for block in plain.smallest.outputs]


@pytest.mark.parametrize(("layout", "rows"), [("NHWC", 2), ("NCHW", 3)])
def test_rows_of_the_smallest_case_are_the_first_axis_that_the_candidate_has(layout: str, rows: int) -> None:
    y = np.arange(6.0).reshape(1, 2, 1, 3)
    drawn = draw_case("a case", {}, {}, "y", y, -y, Wording.of("max_pool", layout, "jcnn").order)
    (_, cells, wrong), _ = drawn.outputs
    table = np.array(cells, float)
    assert len(table) == len(wrong) == rows
    np.testing.assert_array_equal(table if layout == "NHWC" else table.T, y[0, :, 0])


@pytest.mark.parametrize(
    ("said", "in_nchw"),
    [
        pytest.param(
            "dx[0,2,3,1] took dy[0, 1, 1, 0]·w[2, 0, 4, 5]", "dx[0,1,2,3] took dout[0, 0, 1, 1]·w[5, 4, 2, 0]", id="4"
        ),
        pytest.param("dx[0, 2, 1] of a vector, db[3]", "dx[0, 1, 2] of a vector, db[3]", id="one axis"),
        pytest.param("dx[i:i+F, j:j+F] += …", "dx[i:i+F, j:j+F] += …", id="code"),
        pytest.param("z[0, 1, 2, 3]", "z[0, 1, 2, 3]", id="another name"),
        pytest.param(
            "dw has shape (3, 2, 4, 5): expected (3, 2, 5, 4)", "dw has shape (5, 4, 3, 2): expected (4, 5, 3, 2)", id="shape"
        ),
        pytest.param(
            "dw has shape (3, 2, 4, 5); right is (3, 2, 5, 4)", "dw has shape (5, 4, 3, 2); right is (4, 5, 3, 2)", id="hint"
        ),
        pytest.param(
            "dx has shape (1, 2, 3, 4) where (1, 3, 2, 4) is right (x): its axes are in the order (a, c, b, d).",
            "dx has shape (1, 4, 2, 3) where (1, 4, 3, 2) is right (x): its axes are in the order (a, d, c, b).",
            id="order",
        ),
    ],
)
def test_indices_and_shapes_in_sentences(said: str, in_nchw: str) -> None:
    assert Wording.of("conv", "NCHW", "cs231n").text(said) == in_nchw
    assert Wording.of("conv", "NHWC", "jcnn").text(said) == said


def conv(x: Array, w: Array, b: Array | None = None, stride: int = 1) -> Array:
    raise OSError("y[n, k, i, j] of dy, dx[0, 1, 2, 3]")


def conv_forward(x: Array, w: Array, b: Array, conv_param: Any) -> Array:
    return conv(x, w, b)


def relu_backward(dy: Array, x: Array) -> Array:
    return dout[0, 1, 2, 3] * (dy > x)  # pyright: ignore


def average(dy: Array, x: Array, window: int, stride: int | None = None) -> Array:
    if x.shape[2] > 1:
        raise ValueError("dy[n, c, i, j]")
    return dy * x


def relu(x: Array) -> Array:
    raise NotImplementedError("x[0, 1, 2, 3] of dy")


@pytest.mark.parametrize(
    ("candidate", "kind", "style", "quote"),
    [
        pytest.param(conv, "conv", "jcnn", "OSError: y[n, k, i, j] of dy, dx[0, 1, 2, 3]", id="a message"),
        pytest.param(conv_forward, "conv", "cs231n", "OSError: y[n, k, i, j] of dy, dx[0, 1, 2, 3]", id="a name in a message"),
        pytest.param(relu_backward, "relu_backward", "cs231n", "`return dout[0, 1, 2, 3] * (dy > x)", id="a line"),
        pytest.param(relu, "relu", "cs231n", "not implemented (x[0, 1, 2, 3] of dy)", id="why it declines"),
        pytest.param(average, "avg_pool_backward", "jcnn", "ValueError: dy[n, c, i, j]", id="among other sentences"),
    ],
)
def test_what_the_candidate_says_is_quoted_as_it_is(candidate: Callable[..., Any], kind: str, style: str, quote: str) -> None:
    report = grade(candidate, kind, layout="NCHW", style=style)
    said = [report.diagnosis or "", *(row.remark for row in report.rows), *(finding.rule for finding in report.findings)]
    assert any(quote in text for text in said), said
    (start, *_) = quote.partition("[")
    assert all(quote in text for text in said if start in text)


@draws()
@given(
    own=st.lists(st.sampled_from(["dx[0, 1, 2, 3]", " and dy ", "w[1, 2, 3, 4]", "ok. "]), max_size=4),
    quote=st.text("dy[0, 12x]:w", min_size=1).map("E: {}".format),
)
def test_only_what_is_quoted_stays(own: list[str], quote: str) -> None:
    """Whatever a message says; what stands around it is in the candidate's terms."""
    plain = Wording.of("conv", "NCHW", "cs231n")
    mine = "".join(own)
    for text in (plain._replace(quoted=(quote, "E")).text, plain._replace(quoted=("another", quote)).text):
        assert text(f"{mine} | {quote} | {mine}") == f"{plain.text(mine)} | {quote} | {plain.text(mine)}"


def test_a_file_that_cannot_be_imported_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "homework.py").write_text("def relu_backward(dout, cache):\n    return dout\n\n\ny = dy[:, o, i, j]\n")
    report = grade_file(f"{tmp_path}/homework.py:relu_backward", "relu_backward", style="cs231n", layout="NCHW")
    assert "NameError: name 'dy' is not defined (line 5: `y = dy[:, o, i, j]`)" in (report.diagnosis or "")


def objects(x: Array) -> Array:
    return np.maximum(x, 0).astype(object)


def dates(x: Array) -> Array:
    return np.maximum(x, 0).astype("datetime64[s]")


def long(x: Array) -> Array:
    return np.maximum(x, 0).astype(np.longdouble)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize(
    ("candidate", "kind", "style", "said"),
    [
        pytest.param(lambda x, w, b=None: None, "conv", "jcnn", "y is None: expected an array", id="no return"),
        pytest.param(lambda x, pool_param: (None, x), "max_pool", "cs231n", "y is None: expected an array", id="no out"),
        pytest.param(lambda x, y: None, "softmax_cross_entropy", "cs231n", "It returns None: expected 2", id="no loss"),
        pytest.param(
            lambda x, y: (1.0, None), "softmax_cross_entropy_backward", "cs231n", "dlogits is None: expected", id="no gradient"
        ),
        pytest.param(objects, "relu", "jcnn", "y has dtype object: expected numbers", id="objects"),
        pytest.param(dates, "relu", "jcnn", "y has dtype datetime64[s]: expected numbers", id="dates"),
        pytest.param(lambda x, window: dates(x), "max_pool", "jcnn", "y has dtype datetime64[s]: exp", id="dates of maps"),
        pytest.param(lambda x: str(x), "relu", "jcnn", "y is a str: expected an array", id="text"),
        pytest.param(long, "relu", "jcnn", "y has dtype float128: more digits than are asked for", id="longer floats"),
    ],
)
def test_what_is_no_array_of_numbers_is_said(
    candidate: Callable[..., Any], kind: str, style: str, said: str, layout: str
) -> None:
    assert said in (grade(candidate, kind, style=style, layout=layout).diagnosis or "").replace("float96", "float128")


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_of_too_few_or_too_many_outputs_every_one_is_in_its_layout(count: int) -> None:
    """Else a right output that comes with another one looks as if its axes were in another order."""
    arrays = [np.zeros((2, 3, 4, 5)), np.zeros((6, 7, 8, 9)), np.zeros(3), np.zeros((2, 2, 3, 3))]
    form = call_of(kind_of("conv_backward"), "NCHW", "jcnn")
    adapted = adapt(lambda dy, x, w: tuple(arrays[:count]), {}, form, Misfit).candidate
    found = adapted(*(np.zeros((1, 1, 1, 1)) for _ in range(3)))
    assert [part.shape for part in found] == [(2, 4, 5, 3), (8, 9, 7, 6), (3,), (2, 2, 3, 3)][:count]
