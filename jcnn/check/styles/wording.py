"""A report in the candidate's terms: the order of its axes, and its names."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.operations import OPERATIONS
from jcnn.check.report import Block, Finding, Report, Row, Smallest, Symptom, Term, Worked, Worst
from jcnn.check.smallest import as_picture
from jcnn.check.styles.adapt import STYLES
from jcnn.check.styles.cs231n import names_of
from jcnn.check.styles.layouts import Axes, Order, axes_of

Array = np.ndarray

_INDEX = re.compile(r"\b(\w+)\[([^\[\]]*)\]")
_SHAPE = re.compile(r"\b(\w+) has shape \(([\d, ]+)\)(: expected |; right is | where )\(([\d, ]+)\)")
_ORDER = re.compile(r"\b(\w+)( has shape [^:]*: its axes are in the order )\(([^()]*)\)")
_SUMMED = re.compile(r"\b(\w+)\.(sum|mean)\(axis=(\d|\([\d, ]+\))")
_IMAGE_AXES = 4


class Wording(NamedTuple):
    """How a candidate of a style sees an operation's arrays.

    Attributes:
        axes: the order of their axes.
        renamed: names that differ from jcnn's.
        note: what formulas leave open, in a sentence; may be "".
        layout: its name where that differs from jcnn's own; else "".
        quoted: what the candidate said itself, which is in its terms already.
        of_images: its arrays are those of images.
        of_loss: it is a loss of the course, which is the mean over the examples and has no gradient from above.
    """

    axes: Axes
    renamed: dict[str, str]
    note: str = ""
    layout: str = ""
    quoted: tuple[str, ...] = ()
    of_images: bool = True
    of_loss: bool = False

    @classmethod
    def of(cls, operation: str, layout: str, style: str) -> "Wording":
        """That of a style."""
        axes = axes_of(layout, operation)
        layout = layout if axes.orders and axes.roles else ""
        of_loss = style == "cs231n" and names_of(operation).loss
        return cls(
            axes,
            STYLES[style].renamed,
            STYLES[style].note(operation),
            layout,
            of_images=OPERATIONS[operation].of_images,
            of_loss=of_loss,
        )

    def own(self, args: Mapping[str, Any]) -> tuple[dict[str, Any], Callable[[Array], Array]]:
        """The arguments that the candidate got itself, and what makes its own numbers of an output's."""
        if not self.of_loss or "dy" not in args:
            return dict(args), lambda value: value
        dy, *others = args.values()
        scale = (len(dy) * dy).reshape(-1, 1)

        def divided(value: Array) -> Array:
            """The gradient of the mean, where each example was multiplied by N times its dy."""
            return np.divide(value, scale, out=np.zeros_like(value), where=scale != 0) if value.ndim == 2 else value

        return dict(zip([name for name in args if name != "dy"], others, strict=True)), divided

    def order(self, name: str, axes: int) -> Order:
        """For each axis that the candidate sees the place it has in jcnn."""
        return self.axes.order(name, axes) or tuple(range(axes))

    def text(self, text: str) -> str:
        """A text in which indices, shapes and names are the candidate's."""
        return self._outside_quotes(text, lambda own: self._named(self._ordered(own)))

    def _summed(self, found: re.Match[str]) -> str:
        """A sum over axes of an array of images, by the numbers that they have there."""
        order = self.order(found[1], _IMAGE_AXES)
        axes = sorted(order.index(int(axis)) for axis in re.findall(r"\d", found[3]))
        return f"{found[1]}.{found[2]}(axis={axes[0] if len(axes) == 1 else tuple(axes)}"

    def name(self, text: str) -> str:
        """A text with the candidate's names."""
        return self._outside_quotes(text, self._named)

    def _outside_quotes(self, text: str, change: Callable[[str], str]) -> str:
        """A text of which all is changed but what is quoted."""
        quotes = sorted(filter(None, self.quoted), key=len, reverse=True)
        if not quotes:
            return change(text)
        parts = re.split(f"({'|'.join(map(re.escape, quotes))})", text)
        return "".join(part if place % 2 else change(part) for place, part in enumerate(parts))

    def _ordered(self, text: str) -> str:
        if not self.axes.orders:
            return text
        text = _INDEX.sub(lambda found: f"{found[1]}[{self._list(found[1], found[2])}]", text)
        text = _SUMMED.sub(self._summed, text)
        text = _ORDER.sub(lambda found: f"{found[1]}{found[2]}({self._list(found[1], found[3])})", text)
        return _SHAPE.sub(
            lambda found: (
                f"{found[1]} has shape ({self._list(found[1], found[2])}){found[3]}({self._list(found[1], found[4])})"
            ),
            text,
        )

    def _named(self, text: str) -> str:
        for ours, theirs in self.renamed.items():
            text = re.sub(rf"\b{ours}\b", theirs, text)
        return text

    def _list(self, name: str, listed: str) -> str:
        entries = re.split(r",\s*", listed)
        separator = ", " if ", " in listed else ","
        return separator.join(entries[place] for place in self.order(name, len(entries)))

    def report(self, report: Report) -> Report:
        """A report in the candidate's terms."""
        if not self.axes.orders and not self.renamed:
            return report
        diagnosis = report.diagnosis and self.text(report.diagnosis)
        if diagnosis and self.note and re.search(rf"\b{self.renamed.get('dy', 'dy')}\b", diagnosis):
            diagnosis = f"{diagnosis} {self.note}"
        smallest = report.smallest and self._smallest(report.smallest)
        return replace(
            report,
            subject=f"{report.subject}; shapes and indices as in {self.layout}"
            if self._shows_layout(report)
            else report.subject,
            diagnosis=diagnosis,
            worst=self._worst(report.worst),
            rows=tuple(self._row(row) for row in report.rows),
            picture=as_picture(smallest) if smallest else report.picture and self.name(report.picture),
            findings=tuple(map(self._finding, report.findings)),
            symptoms=tuple(Symptom(symptom.leaf, *map(self.text, symptom[1:])) for symptom in report.symptoms),
            smallest=smallest,
        )

    def _shows_layout(self, report: Report) -> bool:
        """Whether there is anything in the report that is written in another order."""
        return bool(self.layout) and (self.of_images or any(len(row.worst.index) > 2 for row in report.rows if row.worst))

    def _finding(self, finding: Finding) -> Finding:
        return finding._replace(
            where=self.text(finding.where),
            rule=self.text(finding.rule),
            example="" if self.of_loss and "dy[" in finding.example else self.text(finding.example),
            about=self.text(finding.about),
            worked=finding.worked and self._worked(finding.worked),
        )

    def _worked(self, worked: Worked) -> Worked:
        """Its indices stay as they are, by which it is drawn, and are written in the order of the arrays."""

        def renamed(term: Term) -> Term:
            return term._replace(factors=tuple((self.name(name), index) for name, index in term.factors))

        arrays = [
            array._replace(name=self.name(array.name), order=self.axes.order(array.name, len(array.shape)) or ())
            for array in worked.arrays
        ]
        got, right = (tuple(map(renamed, terms)) for terms in (worked.got, worked.right))
        return worked._replace(leaf=self.name(worked.leaf), got=got, right=right, arrays=tuple(arrays))

    def _smallest(self, smallest: Smallest) -> Smallest:
        """It is drawn in the order of the axes already."""

        def renamed(blocks: Sequence[Block]) -> tuple[Block, ...]:
            return tuple(block._replace(title=self.name(block.title)) for block in blocks)

        given, outputs = renamed(smallest.given), renamed(smallest.outputs)
        return smallest._replace(given=given, note=self.name(smallest.note), outputs=outputs)

    def _row(self, row: Row) -> Row:
        return row._replace(worst=self._worst(row.worst), remark=self.text(row.remark))

    def _worst(self, worst: Worst | None) -> Worst | None:
        return worst and worst._replace(index=reordered(worst.index, self.order(worst.leaf, len(worst.index))))


def reordered(entries: Sequence[Any], order: Order) -> tuple[Any, ...]:
    """Entries, one for every axis, in another order of the axes."""
    return tuple(entries[place] for place in order)
