"""The table of a network: known numbers, and how it is shown."""

import io

import jax
import pytest
from rich.console import Console

from jcnn import (
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Relu,
    Residual,
    count_parameters,
    init,
    init_state,
    lenet5,
    plan,
    summary,
)

LENET = lenet5((28, 28, 1), 10)
# LeCun et al. 1998, with every map of the third layer connected: weights and biases of two convolutions, three dense layers.
LENET_PARAMETERS = [5 * 5 * 6 + 6, 5 * 5 * 6 * 16 + 16, 400 * 120 + 120, 120 * 84 + 84, 84 * 10 + 10]


def test_lenet_has_its_classical_numbers() -> None:
    table = summary(LENET, (28, 28, 1))
    assert [row.parameters for row in table.rows if row.parameters] == LENET_PARAMETERS
    assert table.parameters == count_parameters(LENET, (28, 28, 1)) == sum(LENET_PARAMETERS) == 61_706
    multiply_adds = [28 * 28 * 6 * 25, 10 * 10 * 16 * 150, 400 * 120, 120 * 84, 84 * 10]
    assert [row.multiply_adds for row in table.rows if row.multiply_adds] == multiply_adds
    assert (table.multiply_adds, table.flops) == (416_520, 833_040)
    shapes = [row.output_shape for row in table.rows if not row.layer.startswith("Tanh")]
    assert shapes == [(28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16), (400,), (120,), (84,), (10,)]
    fields = [(row.receptive_field.size, row.receptive_field.jump) for row in table.rows[:6]]
    assert fields == [((n, n), (j, j)) for n, j in [(5, 1), (5, 1), (6, 2), (14, 2), (14, 2), (16, 4)]]


def test_published_size_needs_no_padding() -> None:
    assert count_parameters(lenet5((32, 32, 1), 10), (32, 32, 1)) == 61_706
    assert summary(lenet5((32, 32, 1), 10), (32, 32, 1)).rows[0].output_shape == (28, 28, 6)


@pytest.mark.parametrize(
    ("network", "shape", "parameters"),
    [
        ((Dense(3),), (5,), 18),
        ((Conv(4, 3, groups=2, bias=False), Relu(), GlobalAvgPool()), (6, 6, 4), 3 * 3 * 2 * 4),
        ((Conv(2, 3), Flatten(), Dense(2)), (5, 1), 3 * 2 + 2 + 6 * 2 + 2),
        ((MaxPool(2),), (4, 4, 4, 1), 0),
    ],
    ids=["dense", "grouped", "1d", "3d"],
)
def test_parameters_are_those_that_init_draws(network: tuple, shape: tuple[int, ...], parameters: int) -> None:
    assert count_parameters(network, shape) == parameters
    assert sum(leaf.size for leaf in jax.tree.leaves(init(jax.random.key(0), network, shape))) == parameters


def test_printed_as_text() -> None:
    lines = str(summary((Conv(2, 3), Flatten(), Dense(10)), (28, 28, 1))).splitlines()
    assert [line.split() for line in lines] == [
        ["#", "layer", "output", "parameters", "multiply-adds", "receptive", "field", "jump"],
        ["input", "28×28×1"],
        ["1", "Conv(2,", "3)", "26×26×2", "20", "12,168", "3×3", "1×1"],
        ["2", "Flatten()", "1352", "0", "0", "28×28", "1×1"],
        ["3", "Dense(10)", "10", "13,530", "13,520", "28×28", "1×1"],
        ["total", "13,550", "25,688"],
    ]
    assert len({line.index("1352") for line in lines if "1352" in line}) == 1


@pytest.mark.parametrize("width", [60, 200])
def test_drawn_by_rich(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(summary(LENET, (28, 28, 1)))
    drawn = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert all(len(line) <= width for line in drawn.splitlines())
    for text in ("61,706", "Conv(6", "28×28×6", "receptive"):
        assert text in drawn or width < 100
    assert "61,706" in drawn


PLANNED = (Conv(8, 3, padding=1), Residual((Conv(8, 3, padding=1), Relu())), Flatten(), Dense(10))


def test_a_plan_names_the_way_of_every_pass_of_every_convolution() -> None:
    rows = summary(PLANNED, (12, 12, 3), plan=True).rows
    assert [row.place for row in rows if row.plan] == ["1", "2.1.1"]
    for row, channels in zip([row for row in rows if row.plan], (3, 8), strict=True):
        expected = plan((1, 12, 12, channels), (3, 3, channels, 8), padding=1)
        assert row.plan == expected


def test_a_plan_is_shown_beside_the_layers() -> None:
    lines = str(summary(PLANNED, (12, 12, 3), plan=True)).splitlines()
    expected = plan((1, 12, 12, 3), (3, 3, 3, 8), padding=1)
    assert lines[0].split()[-6:] == ["forward", "by", "dx", "by", "dw", "by"]
    first = next(line for line in lines if line.split()[0] == "1")
    assert first.split()[-3:] == [expected.forward.way, expected.dx.way, expected.dw.way]
    assert "dw by" not in str(summary(PLANNED, (12, 12, 3)))


def test_a_plan_in_other_numbers_takes_other_ways() -> None:
    network = (Conv(64, 3, padding=1),)
    (single,), (double,) = (summary(network, (16, 16, 64), plan=True, dtype=dtype).rows for dtype in ("float32", "bfloat16"))
    assert single.plan is not None
    assert double.plan is not None
    assert (single.plan.call.dtype, double.plan.call.dtype) == ("float32", "bfloat16")


@pytest.mark.parametrize("wrong", ["yes", 1, None], ids=repr)
def test_plan_is_true_or_false(wrong: object) -> None:
    with pytest.raises(TypeError, match="plan="):
        summary(PLANNED, (12, 12, 3), plan=wrong)  # pyright: ignore[reportArgumentType]


def test_what_is_kept_beside_the_parameters_has_a_column_where_something_is() -> None:
    network = (BatchNorm(), Residual((Conv(3, 1, bias=False), BatchNorm(scale=False))), Flatten(), Dense(2))
    table = summary(network, (4, 4, 3))
    assert {row.place: (row.parameters, row.state) for row in table.rows if row.state} == {"1": (6, 6), "2.1.2": (3, 6)}
    assert (table.state, table.parameters) == (12, 6 + 9 + 3 + 98)
    assert table.state == sum(leaf.size for leaf in jax.tree.leaves(init_state(network, (4, 4, 3))))
    lines = [line.split() for line in str(table).splitlines()]
    assert lines[0][:5] == ["#", "layer", "output", "parameters", "state"]
    assert lines[2] == ["1", "BatchNorm()", "4×4×3", "6", "6", "48", "1×1", "1×1"]
    assert lines[-1] == ["total", "116", "12", f"{48 + 144 + 48 + 96}"]
    assert "state" not in str(summary(LENET, (28, 28, 1)))
