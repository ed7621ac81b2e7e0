"""What a network is made of: sizes, parameters, cost and receptive field, layer by layer."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from jcnn import arguments
from jcnn.conv import Plan
from jcnn.geometry import GeometryError, ReceptiveField, integer, receptive_field
from jcnn.layers import Layer, Network, NetworkError, Shape
from jcnn.layers.composite import Serial
from jcnn.network import Trace, trace
from jcnn.printing import plain

if TYPE_CHECKING:
    from rich.table import Table


UNKNOWN = "?"
"""What stands for a number that a layer does not say."""

WAYS = ("forward by", "dx by", "dw by")
"""What the columns of a plan are called."""

LEFT = {"layer", "output", *WAYS}
"""The columns that are written from the left: names and sizes."""


class Row(NamedTuple):
    """One layer of a summary.

    Attributes:
        number: its number in the tuple, or among the branches, where it stands.
        layer: its description; of a layer that is made of others, its kind.
        output_shape: of one example.
        parameters: how many it learns; those of the layers in it stand in their own rows.
        multiply_adds: for one example, again without those of the layers in it; None where it, or one of those, does not say.
        receptive_field: in pixels; None in it where a layer so far does not say what window it moves.
        place: the numbers of all that it stands in, and its own: 3.1.2.
        plan: of a convolution, where it was asked for: which way each of its passes takes, and why.
        state: how many numbers it keeps that no gradient changes, such as running statistics.
    """

    number: int
    layer: str
    output_shape: Shape
    parameters: int
    multiply_adds: int | None
    receptive_field: ReceptiveField
    place: str
    plan: Plan | None = None
    state: int = 0


class Summary(NamedTuple):
    """A network's rows and totals. `print` shows it as text, rich as a table; ? stands for what a layer does not say."""

    input_shape: Shape
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """Numbers the network learns."""
        return sum(row.parameters for row in self.rows)

    @property
    def state(self) -> int:
        """Numbers the network keeps that no gradient changes."""
        return sum(row.state for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one example's forward pass: of those layers that say, and so at least so many."""
        return sum(row.multiply_adds or 0 for row in self.rows)

    @property
    def flops(self) -> int:
        """Floating-point operations of one example's forward pass: two a multiply-add, of those layers that say."""
        return 2 * self.multiply_adds

    def cells(self) -> list[tuple[str, ...]]:
        """The table's header, rows and totals as text; what is kept in a column of its own, where something is."""
        kept = self.state > 0
        header = ("#", "layer", "output", "parameters", *["state"] * kept, "multiply-adds", "receptive field", "jump")
        body: list[tuple[str, ...]] = [
            (
                row.place,
                row.layer,
                times(row.output_shape),
                f"{row.parameters:,}",
                *[f"{row.state:,}"] * kept,
                UNKNOWN if row.multiply_adds is None else f"{row.multiply_adds:,}",
                times(row.receptive_field.size),
                times(row.receptive_field.jump),
            )
            for row in self.rows
        ]
        least = "at least " if any(row.multiply_adds is None for row in self.rows) else ""
        counted = (f"{self.parameters:,}", *[f"{self.state:,}"] * kept, f"{least}{self.multiply_adds:,}")
        total = ("", "total", "", *counted, "", "")
        rows = [header, ("", "input", times(self.input_shape), *[""] * (len(header) - 3)), *body, total]
        if not any(row.plan for row in self.rows):
            return rows
        ways = [WAYS, ("",) * len(WAYS), *(_ways(row.plan) for row in self.rows), ("",) * len(WAYS)]
        return [(*row, *more) for row, more in zip(rows, ways, strict=True)]

    def __str__(self) -> str:
        cells = self.cells()
        widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
        lines = [
            "  ".join(
                cell.ljust(width) if title in LEFT else cell.rjust(width)
                for title, cell, width in zip(cells[0], row, widths, strict=True)
            ).rstrip()
            for row in cells
        ]
        return "\n".join(lines)

    def __rich__(self) -> "Table":
        from rich.table import Table

        header, *body, total = self.cells()
        table = Table(show_edge=False, pad_edge=False)
        for title in header:
            table.add_column(title, justify="left" if title in LEFT else "right", no_wrap=title != "layer")
        for row in body:
            table.add_row(*map(plain, row))
        table.add_section()
        table.add_row(*total, style="bold")
        return table


def summary(network: Network, input_shape: Shape, *, plan: bool = False, dtype: Any = "float32") -> Summary:
    """Sizes, parameters, multiply-adds and receptive field of every layer, and what it keeps beside its parameters.

    Args:
        network: a tuple of layers.
        input_shape: of one example, (*S, C), without the batch.
        plan: whether to say of every convolution which way each of its passes takes by `formulation="auto"` on this platform;
            `row.plan` has the reasons.
        dtype: of the numbers, for the plan.

    Returns:
        A `Summary`; `rich.print` draws it as a table.

    Raises:
        NetworkError: the network does not fit the input.
    """
    steps = trace(network, input_shape)
    size = tuple(input_shape[:-1]) if len(input_shape) > 1 else None
    rows = _rows(steps, (), size)
    if not arguments.flag("plan", plan):
        return Summary(tuple(input_shape), tuple(row for row, _ in rows))
    dtype = arguments.dtype("dtype", dtype)
    planned = (row._replace(plan=step.layer.plan(step.input_shape, dtype)) for row, step in rows)
    return Summary(tuple(input_shape), tuple(planned))


def _rows(steps: Sequence[Trace], before: tuple[Layer, ...], size: Shape | None) -> Iterator[tuple[Row, Trace]]:
    """The rows of layers in turn and of what is in them, each with its layer; `before` is what leads to the first."""
    layers = (*before, *(step.layer for step in steps))
    fields = [ReceptiveField(layer.name, 1, 1, 0) for layer in layers] if size is None else receptive_field(layers, size)
    for index, step in enumerate(steps, len(before)):
        if isinstance(step.layer, Serial):
            yield from _rows(step.parts, layers[:index], size)
            continue
        yield _row(step, fields[index]), step
        for part in step.parts:
            yield from _rows((part,), layers[:index], size)


def _row(step: Trace, field: ReceptiveField) -> Row:
    described = step.layer.name if step.parts else repr(step.layer)
    numbers = (_counted(step.parameters), _own_multiply_adds(step))
    return Row(step.number, described, step.output_shape, *numbers, field, step.place, state=_counted(step.state))


def _counted(tree: Any) -> int:
    """How many numbers are in a tree of shapes."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def _own_multiply_adds(step: Trace) -> int | None:
    """Those of a layer without those of its parts; None where they are not known."""
    inside = [_multiply_adds(part) for part in step.parts]
    whole = _multiply_adds(step)
    known = [count for count in inside if count is not None]
    if whole is None or len(known) < len(inside):
        return None
    return max(whole - sum(known), 0)


def _multiply_adds(step: Trace) -> int | None:
    """Those of a layer and of all in it, checked from the inside out, since the outer ones add up what the inner ones say."""
    for part in step.parts:
        _multiply_adds(part)
    found = step.layer.multiply_adds(step.input_shape)
    if found is None:
        return None
    try:
        return integer("multiply_adds", found, 0)
    except GeometryError as error:
        raise NetworkError(f"layer {step.place}, {step.layer!r}: {error}, or None where it is not known") from None


def _ways(plan: Plan | None) -> tuple[str, ...]:
    return ("",) * len(WAYS) if plan is None else (plan.forward.way, plan.dx.way, plan.dw.way)


def count_parameters(network: Network, input_shape: Shape) -> int:
    """How many numbers the network learns for inputs of this shape, (*S, C).

    Raises:
        NetworkError: the network does not fit the input.
    """
    return summary(network, input_shape).parameters


def times(sizes: int | tuple[int, ...] | None) -> str:
    """Sizes as one writes them: (28, 28, 6) as 28×28×6, and ? for those that are not known."""
    if sizes is None:
        return UNKNOWN
    return "×".join(map(str, sizes)) if isinstance(sizes, tuple) else str(sizes)
