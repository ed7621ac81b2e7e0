"""Layers of a user's own module, as files have to find them again by import path."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jax import Array

from jcnn import Layer


class Pair(NamedTuple):
    """A node of a parameter tree."""

    left: Array
    right: Array


@dataclass(frozen=True, repr=False)
class Held(Layer):
    """Any value in a field."""

    value: Any = None


class Outer:
    """A class around another."""

    @dataclass(frozen=True, repr=False)
    class Inner(Layer):
        """Found by a path with a dot."""

        size: int = 1


@dataclass(frozen=True, repr=False, init=False)
class Spread(Layer):
    """Its constructor takes parts as `*args`."""

    parts: tuple[Layer, ...]
    join: str = "sum"

    def __init__(self, *branches: Layer, join: str = "sum") -> None:
        if join not in ("sum", "concat"):
            raise ValueError(f"join={join!r}: expected sum or concat")
        self._keep(parts=branches, join=join)


@dataclass(frozen=True, repr=False)
class Doubling(Layer):
    """Is not made again by its fields."""

    size: int

    def __post_init__(self) -> None:
        self._keep(size=2 * self.size)


@dataclass(frozen=True, repr=False)
class Derived(Layer):
    """With a field that follows from another."""

    size: int
    square: int = field(init=False)

    def __post_init__(self) -> None:
        self._keep(square=self.size**2)


class Undeclared(Layer):
    """No dataclass: what it needs is in no field."""

    def __init__(self, size: int) -> None:
        self._keep(size=size)


class NoLayer:
    """Must never be made from a file."""

    def __init__(self, **_: Any) -> None:
        raise AssertionError("made from a file")
