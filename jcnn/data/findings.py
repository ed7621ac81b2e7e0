"""What is found while many images are read: the broken ones by name, and what was lost or guessed, each kind said once."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from jcnn.data.pictures import Picture
from jcnn.data.pixels import Broken, Pixels

LISTED = 50
"""Broken images that a message names."""


class Bad(NamedTuple):
    """An image that cannot be read: which, by path or by split and index, and why."""

    name: str
    why: str


class Findings:
    """Gathers what is to be said of many images."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self.bad: list[Bad] = []
        self.read = 0
        self._notes: Counter[str] = Counter()
        self._such_as: dict[str, str] = {}
        self._resized = 0
        self._sizes: tuple[tuple[int, int], tuple[int, int]] | None = None

    def add(self, name: str, size: tuple[int, int], notes: tuple[str, ...], came_to: tuple[int, int]) -> None:
        """Takes an image that was read: of which size, and what was said of it."""
        self.read += 1
        for note in notes:
            kind = re.sub(r"\d+ (frames|sizes)", r"several \1", note)
            self._notes[kind] += 1
            self._such_as.setdefault(kind, name)
        if size != came_to:
            self._resized += 1
            low, high = self._sizes or (size, size)
            self._sizes = min(low, size), max(high, size)

    def take(self, name: str, picture: Picture) -> None:
        """Takes an image that was read."""
        self.add(name, picture.size, picture.notes, picture.pixels.shape[:2])

    def lines(self, pixels: Pixels, size: tuple[int, int] | None) -> Iterator[str]:
        """What is to be said of those that were read, a line each."""
        for kind, count in self._notes.most_common():
            yield f"{count:,} of {self.read:,} images: {kind} (such as {self._such_as[kind]})"
        if size is not None and (resized := self.resized(pixels, size)):
            yield resized

    def resized(self, pixels: Pixels, size: tuple[int, ...]) -> str | None:
        """How many images had another size, and which; None where none had."""
        if self._sizes is None:
            return None
        low, high, target = (f"{height}×{width}" for height, width in (*self._sizes, size))
        sizes = low if low == high else f"{low} to {high}"
        return f"{self._resized:,} of {self.read:,} images, {sizes}, came to {target} by {pixels.size_rule}"

    def listed(self) -> str:
        """The broken ones, at most `LISTED` by name."""
        shown = [f"{bad.name}: {bad.why}" for bad in self.bad[:LISTED]]
        more = [f"and {len(self.bad) - LISTED:,} more"] if len(self.bad) > LISTED else []
        return "; ".join([*shown, *more])

    def refused(self, whose: str, broken: Broken) -> str | None:
        """What to refuse the whole with; None where nothing is broken, or what is broken is to be left out."""
        if not self.bad or (broken == "skip" and self.read):
            return None
        count = len(self.bad)
        if not self.read:
            return f"{whose}: none of its {count:,} images can be read: {self.listed()}"
        return (
            f"{whose}: {count:,} of {count + self.read:,} images cannot be read: {self.listed()}; mend or remove them, or "
            "leave them out with --broken skip"
        )
