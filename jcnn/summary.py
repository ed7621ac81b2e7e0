"""What a network is made of: sizes, parameters, cost and receptive field, layer by layer."""

import math
from typing import TYPE_CHECKING, NamedTuple

from jcnn import geometry
from jcnn.geometry import ReceptiveField
from jcnn.layers import Network, Shape
from jcnn.network import trace
from jcnn.printing import plain

if TYPE_CHECKING:
    from rich.table import Table


class Row(NamedTuple):
    """One layer of a summary; shapes of one example, sizes and multiply-adds as counts, the receptive field in pixels."""

    number: int
    layer: str
    output_shape: Shape
    parameters: int
    multiply_adds: int
    receptive_field: ReceptiveField


class Summary(NamedTuple):
    """A network's rows and totals. `print` shows it as text, rich as a table."""

    input_shape: Shape
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """Numbers the network learns."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one example's forward pass."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def flops(self) -> int:
        """Floating-point operations of one example's forward pass: two a multiply-add."""
        return 2 * self.multiply_adds

    def cells(self) -> list[tuple[str, ...]]:
        """The table's header, rows and totals as text."""
        header = ("#", "layer", "output", "parameters", "multiply-adds", "receptive field", "jump")
        body = [
            (
                str(row.number),
                row.layer,
                times(row.output_shape),
                f"{row.parameters:,}",
                f"{row.multiply_adds:,}",
                times(row.receptive_field.size),
                times(row.receptive_field.jump),
            )
            for row in self.rows
        ]
        total = ("", "total", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", "", "")
        return [header, ("", "input", times(self.input_shape), "", "", "", ""), *body, total]

    def __str__(self) -> str:
        cells = self.cells()
        widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
        lines = [
            "  ".join(
                cell.ljust(width) if column in (1, 2) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        return "\n".join(lines)

    def __rich__(self) -> "Table":
        from rich.table import Table

        header, *body, total = self.cells()
        table = Table(show_edge=False, pad_edge=False)
        for column, title in enumerate(header):
            table.add_column(title, justify="left" if column in (1, 2) else "right", no_wrap=column != 1)
        for row in body:
            table.add_row(*map(plain, row))
        table.add_section()
        table.add_row(*total, style="bold")
        return table


def summary(network: Network, input_shape: Shape) -> Summary:
    """Sizes, parameters, multiply-adds and receptive field of every layer.

    Args:
        network: a tuple of layers.
        input_shape: of one example, (*S, C), without the batch.

    Returns:
        A `Summary`; `rich.print` draws it as a table.

    Raises:
        NetworkError: the network does not fit the input.
    """
    steps = trace(network, input_shape)
    if len(input_shape) > 1:
        fields = geometry.receptive_field([step.layer for step in steps], tuple(input_shape[:-1]))
    else:
        fields = tuple(ReceptiveField(step.layer.name, 1, 1, 0) for step in steps)
    rows = tuple(
        Row(
            step.number,
            repr(step.layer),
            step.output_shape,
            sum(math.prod(shape) for shape in step.layer.parameter_shapes(step.input_shape).values()),
            step.layer.multiply_adds(step.input_shape),
            field,
        )
        for step, field in zip(steps, fields, strict=True)
    )
    return Summary(tuple(input_shape), rows)


def count_parameters(network: Network, input_shape: Shape) -> int:
    """How many numbers the network learns for inputs of this shape, (*S, C).

    Raises:
        NetworkError: the network does not fit the input.
    """
    return summary(network, input_shape).parameters


def times(sizes: int | tuple[int, ...]) -> str:
    """Sizes as one writes them: (28, 28, 6) as 28×28×6."""
    return "×".join(map(str, sizes)) if isinstance(sizes, tuple) else str(sizes)
