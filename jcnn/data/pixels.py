"""How a file becomes the numbers that a network sees: said once, stored with the run, and applied wherever a file is read.

The order is fixed: the values of the file, as 8 bits; laid on a ground where they are transparent; grey or RGB; inverted if so
asked; brought to the network's size; and v/255 in the network.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

Polarity = Literal["as-stored", "inverted"]
Alpha = Literal["white", "black"]
SizeRule = Literal["pad", "crop", "resize"]
Broken = Literal["refuse", "skip"]

CHANNELS = {1: "grey", 3: "RGB", 4: "RGB and alpha"}
"""What so many channels mean."""

NORMALISATION = "v/255"
"""What a network makes of the 8 bits."""


@dataclass(frozen=True)
class Pixels:
    """How image files are read: the defaults are what fits most pictures."""

    channels: int | None = None
    """1 grey, 3 RGB, 4 RGB and alpha; by default what the files have, transparent ones laid on a ground."""
    polarity: Polarity = "as-stored"
    """inverted: 255 − v, such as for dark ink on white paper where white strokes on black are wanted."""
    alpha: Alpha = "white"
    """The ground that transparent pixels are laid on, white or black; of no effect with 4 channels."""
    size_rule: SizeRule = "pad"
    """How images come to one size: pad (the whole image, framed in its border's mean colour), crop (its middle) or resize
    (stretched)."""
    value_range: tuple[float, float] | None = None
    """The values that mean black and white in floating and 32-bit images; by default 0 and 1 in floating ones, and 32-bit
    integers are refused."""

    def __post_init__(self) -> None:
        """A range from JSON is a list."""
        if isinstance(self.value_range, list):
            object.__setattr__(self, "value_range", tuple(self.value_range))

    def check(self) -> None:
        """Raises ValueError for a value of another type or out of range, by name."""
        if self.channels is not None and (type(self.channels) is not int or self.channels not in CHANNELS):
            raise ValueError(f"channels={self.channels!r}: expected 1 (grey), 3 (RGB), 4 (RGB and alpha) or None")
        for name, words in CHOICES.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(words)}")
        if self.value_range is not None and not _is_range(self.value_range):
            raise ValueError(f"value_range={self.value_range!r}: expected two finite numbers that differ, black and white")

    def as_data(self) -> dict[str, Any]:
        """All of it by name, as plain values; with what the network makes of the result."""
        return {**self.options(), "normalisation": NORMALISATION}

    def options(self) -> dict[str, Any]:
        """The choices by name, as plain values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(Pixels)}
        return {**values, "value_range": None if self.value_range is None else list(self.value_range)}

    def chosen(self) -> dict[str, Any]:
        """The choices that are not the defaults."""
        return {name: value for name, value in self.options().items() if value != DEFAULTS[name]}


CHOICES: dict[str, tuple[str, ...]] = {
    "polarity": get_args(Polarity),
    "alpha": get_args(Alpha),
    "size_rule": get_args(SizeRule),
}

DEFAULTS = Pixels().options()


def from_data(data: Any) -> Pixels:
    """What `Pixels.as_data` gave.

    Raises:
        ValueError: it is something else, or of another version.
    """
    if not isinstance(data, dict) or data.keys() != Pixels().as_data().keys():
        raise ValueError(f"no description of pixels of this version: {str(data)[:200]}")
    if data["normalisation"] != NORMALISATION:
        raise ValueError(f"normalisation={data['normalisation']!r}: expected {NORMALISATION!r}")
    pixels = Pixels(**{name: value for name, value in data.items() if name != "normalisation"})
    pixels.check()
    return pixels


def _is_range(given: Any) -> bool:
    return (
        isinstance(given, tuple)
        and len(given) == 2
        and all(type(value) in (int, float) and math.isfinite(value) for value in given)
        and given[0] != given[1]
    )
