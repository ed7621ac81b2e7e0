"""Which way each pass of a convolution takes, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp

from jcnn import arguments, geometry
from jcnn.conv import native
from jcnn.conv.call import Call
from jcnn.conv.operation import parse
from jcnn.conv.ways import Formulation, Pass, choose, policy
from jcnn.geometry import Padding, Rounding
from jcnn.rules import Gradient

PLATFORMS = ("cpu", "gpu", "cuda", "rocm", "tpu")


class Step(NamedTuple):
    """One pass of a plan.

    Attributes:
        way: the name of the way, as in the table `jcnn.conv.ways.WAYS` and in profiles.
        why: the rule by which it is taken, and where that was measured.
    """

    way: str
    why: str


@dataclass(frozen=True)
class Plan:
    """What a convolution does on a platform.

    Attributes:
        platform: where.
        call: the parsed call.
        forward: the way to y.
        dx: the way to the gradient by the input.
        dw: the way to the gradient by the filters.
    """

    platform: str
    call: Call
    forward: Step
    dx: Step
    dw: Step

    def __str__(self) -> str:
        """The call in a line, then a line for each pass."""
        call = self.call
        rows = [f"  {name:8}{step.way:18}{step.why}" for name, step in self._steps()]
        groups = f", {call.groups} groups" if call.groups > 1 else ""
        sizes = "×".join(map(str, call.sizes))
        head = f"{call.c_in}→{call.c_out} channels{groups}, {sizes} pixels, {call.window}, {call.dtype}, on {self.platform}:"
        return "\n".join([head, *rows])

    def _steps(self) -> list[tuple[Pass, Step]]:
        return [("forward", self.forward), ("dx", self.dx), ("dw", self.dw)]


def plan(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    rounding: Rounding = "floor",
    formulation: Formulation = "auto",
    gradient: Gradient = "manual",
    platform: str | None = None,
) -> Plan:
    """The way that every pass of `conv` takes with the same arguments, and by which measurement. Nothing is computed.

    Args:
        x: input of `conv`, or its shape: a tuple, then of float32, or a `jax.ShapeDtypeStruct`.
        w: filters, or their shape.
        b: bias, its shape, or None; it does not matter here.
        stride: as in `conv`.
        padding: as in `conv`.
        dilation: as in `conv`.
        groups: as in `conv`.
        rounding: as in `conv`.
        formulation: as in `conv`, by default the fastest.
        gradient: as in `conv`, by default the hand-derived rule, which is the one that has ways to choose from.
        platform: what the program would be lowered for, `"cpu"`, `"gpu"`, `"cuda"`, `"rocm"` or `"tpu"`; None: JAX's default.

    Returns:
        The plan, which prints as a line for every pass.

    Raises:
        TypeError: as `conv`.
        ValueError: as `conv`, or a platform that there is not.
    """
    platform = jax.default_backend() if platform is None else geometry.choice("platform", platform, PLATFORMS)
    gradient = geometry.choice("gradient", gradient, get_args(Gradient))
    allowed = policy(formulation, gradient)
    if formulation == "native":
        native.require()
    calls: list[Call] = []

    def checked(x: Any, w: Any, b: Any) -> None:
        calls.append(parse(x, w, b, stride, padding, dilation, groups, rounding)[-1])

    jax.eval_shape(checked, _shape("x", x), _shape("w", w), None if b is None else _shape("b", b))
    (call,) = calls
    passes: tuple[Pass, ...] = get_args(Pass)
    steps: dict[Pass, Step] = {}
    for what in passes:
        if what != "forward" and gradient == "autodiff":
            steps[what] = Step("autodiff", "JAX derives it from the forward pass")
        else:
            way, why = choose(what, call, platform, allowed)
            steps[what] = Step(way.name, why)
    return Plan(platform, call, **steps)


_MOST_AXES = 32
"""Of an array."""


def _shape(name: str, array: Any) -> jax.ShapeDtypeStruct:
    """The shape and dtype of an array, or of what stands for one."""
    if isinstance(array, tuple | list):
        if len(array) > _MOST_AXES or not all(type(size) is int and 0 <= size <= geometry.LIMIT for size in array):
            raise TypeError(
                geometry.wrong(
                    name, array, f"a shape, up to {_MOST_AXES} whole numbers from 0 to {geometry.LIMIT}; or an array"
                )
            )
        return jax.ShapeDtypeStruct(tuple(array), jnp.float32)
    if not isinstance(array, jax.ShapeDtypeStruct):
        array = arguments.numeric(name, array, integers=True)
    return jax.ShapeDtypeStruct(array.shape, array.dtype)
