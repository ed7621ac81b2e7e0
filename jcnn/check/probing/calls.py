"""The calls in which formulas that are no sums of products are read: points far apart, tiny, 0, negative, huge; one-hot dy."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from jcnn.check import formulas
from jcnn.check.cases import Case
from jcnn.check.probing.decode import distinct

Array = np.ndarray

_NEAR = np.array(
    [
        *(0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5, -0.5, 1e-3, -1e-3, 1e-9, -1e-9, 0.1, -0.1),
        *(0.7, -0.3, 1.3, -1.7, 2.6, -2.4, 4.2, -4.6, 5.7, -6.1, 8.3, -9.4, 12.0, -14.0, 0.99, -0.99),
        *(1.01, -1.01, 0.25, -0.75, 1.5, -1.5, 2.01, -2.01, 0.01, -0.01, 3.5, -3.5, 6.9, -7.7, 1.9, -1.2),
    ]
)
_FAR = np.array([-800.0, -90.0, -40.0, -20.0, 20.0, 40.0, 90.0, 800.0, 710.5, -710.5, 301.0, -301.0])


@lru_cache(maxsize=64)
def probing_calls(kind: str) -> tuple[Case, ...]:
    """The calls of an operation, small ones first."""
    base, backward = kind.removesuffix("_backward"), kind.endswith("_backward")
    if base in formulas.ACTIVATIONS:
        made = _activation(formulas.ACTIVATIONS[base].parameters, backward=backward)
    elif base in {"softmax", "log_softmax"}:
        made = _softmax(backward=backward)
    elif base == "softmax_cross_entropy":
        made = _entropy(backward=backward)
    elif base == "mean_squared_error":
        made = _squared(backward=backward)
    elif base == "maxout":
        made = _maxout(backward=backward)
    elif "_norm" in base:
        made = _normalisation(given=base.endswith("evaluation"), backward=backward)
    elif base == "dropout":
        made = _dropout(backward=backward)
    elif base == "flatten":
        made = _flatten(backward=backward)
    else:
        made = _whole_maps(backward=backward)
    return tuple(made)


def _case(name: str, args: dict[str, Any], options: dict[str, Any] | None = None) -> Case:
    return Case(f"probing: {name}", args, options or {}, frozenset(), whole=False)


_SIZES = (1.0, 0.6, 4.1)


def _dy(shape: tuple[int, ...], seed: int, *, backward: bool, size: float = 1.0) -> dict[str, Array]:
    return {"dy": size * distinct(shape, seed)} if backward else {}


def _normal(shape: tuple[int, ...], seed: int) -> Array:
    return np.random.default_rng([7, seed]).normal(size=shape)


def _activation(parameters: dict[str, dict[str, float]], *, backward: bool) -> Iterator[Case]:
    signs = np.array([[1.5, -0.5, 0.25], [-2.0, 3.0, -0.75]])
    for number, options in enumerate(({}, *parameters.values())):
        said = ", ".join(f"{name} = {value}" for name, value in options.items())
        yield _case(f"2×3 numbers {said}".strip(), {**_dy((2, 3), number, backward=backward), "x": signs}, options)
        yield _case(
            f"many points {said}".strip(), {**_dy((6, 8), 5 + number, backward=backward), "x": _NEAR.reshape(6, 8)}, options
        )
    yield _case("any numbers", {**_dy((5, 7), 14, backward=backward), "x": 2 * _normal((5, 7), 30)})
    yield _case("any small numbers", {**_dy((3, 2, 2), 15, backward=backward), "x": 0.02 * _normal((3, 2, 2), 31)})
    steps = (3.7 * 10.0 ** -np.arange(1.0, 13.0)).reshape(3, 4) * np.array([1, -1, 1, -1])
    yield _case("smaller and smaller numbers", {**_dy((3, 4), 18, backward=backward), "x": steps})
    yield _case("smaller and smaller numbers, turned", {**_dy((3, 4), 19, backward=backward), "x": -steps})
    yield _case("tiny numbers", {**_dy((2, 6), 17, backward=backward), "x": 1e-5 * _normal((2, 6), 32)})
    turned = np.random.default_rng(3).permutation(_NEAR).reshape(3, 8, 2)
    yield _case("the same points in another order", {**_dy((3, 8, 2), 11, backward=backward), "x": turned})
    yield _case("points far apart", {**_dy((3, 4), 12, backward=backward), "x": _FAR.reshape(3, 4)})
    if backward:
        yield _case("large dy", {"dy": 37 * distinct((5, 7), 16), "x": 2 * _normal((5, 7), 30)})
        yield _case("small dy", {"dy": 0.1 * distinct((6, 8), 13), "x": _NEAR.reshape(6, 8)})
        yield _case("dy = 0", {"dy": np.zeros((2, 3)), "x": signs})


def _logits() -> Iterator[tuple[str, Array]]:
    yield "2×3 logits", np.array([[0.5, -1.0, 1.25], [2.0, 0.25, -0.5]])
    yield "one example", _normal((1, 4), 1)
    yield "3×5 logits", _normal((3, 5), 2)
    yield "5×2 logits", _normal((5, 2), 3)
    yield "as many examples as classes", _normal((3, 3), 4)
    yield "one class", _normal((3, 1), 10)
    yield "three axes", _normal((2, 3, 4), 5)
    yield "four axes", _normal((2, 3, 2, 4), 6)
    yield "logits far apart", 4 * _normal((4, 6), 7)
    yield "equal logits", np.zeros((2, 4))
    yield "many examples", _normal((7, 2), 11)
    yield "more classes than rows", _normal((2, 2, 5), 12)
    yield "three square axes", _normal((3, 3, 3), 13)
    yield "one row of one example", _normal((1, 1, 3), 14)
    yield "logits of ±300", 300 * _normal((4, 5), 15)
    yield "logits of ±2000, three axes", 2000 * _normal((3, 2, 3), 16)
    yield "one logit of −800", np.array([[0.0, 0.1, 0.3, -800.0], [0.5, -800.0, -801.0, -799.0]])
    yield "one logit of 1000", np.array([[1000.0, 0.5, 0.25], [0.125, 1000.0, -0.5], [0.0, 0.5, 1.0]])
    yield "logits of −1000", np.array([[-1000.0, -1001.0], [-1002.0, -1000.5], [3.0, 2.5]])
    yield "logits of 1000", np.array([[1.0, 0.5], [1000.0, 1001.5], [1003.0, 1000.5]])
    yield "logits of ±1000", np.array([[1000.0, 0.0, -1000.0], [-1000.0, -1001.0, -1002.0]])


def _softmax(*, backward: bool) -> Iterator[Case]:
    for number, (name, x) in enumerate(_logits()):
        yield _case(name, {**_dy(x.shape, 20 + number, backward=backward), "x": x})
    if backward:
        yield _case("large dy", {"dy": 37 * distinct((4, 3), 99), "x": _normal((4, 3), 33)})
        yield _case("small dy", {"dy": 0.6 * distinct((4, 3), 97), "x": _normal((4, 3), 34)})
        x = np.array([[0.5, -1.0, 1.25], [2.0, 0.25, -0.5]])
        for place in np.ndindex(*x.shape):
            dy = np.zeros(x.shape)
            dy[place] = 1.0
            yield _case(f"dy = 1 at {place}", {"dy": dy, "x": x})
        yield _case("dy = 0", {"dy": np.zeros(x.shape), "x": x})


def _entropy(*, backward: bool) -> Iterator[Case]:
    for number, (name, logits) in enumerate(_logits()):
        shape = logits.shape[:-1]
        rng = np.random.default_rng([8, number])
        labels = rng.integers(0, logits.shape[-1], shape)
        yield _case(name, {**_dy(shape, 40 + number, backward=backward), "logits": logits, "labels": labels})
        if number in {0, 2, 4, 6, 8, 12, 14}:
            soft = formulas.softmax(rng.normal(size=logits.shape))
            args = {**_dy(shape, 60 + number, backward=backward), "logits": logits, "labels": soft}
            yield _case(f"{name}, labels as distributions", args)
    if backward:
        large = {"dy": 37 * distinct((4,), 98), "logits": _normal((4, 3), 33), "labels": np.array([0, 2, 1, 1])}
        yield _case("large dy", large)
        logits = np.array([[0.5, -1.0, 1.25], [2.0, 0.25, -0.5]])
        for place in range(2):
            yield _case(f"dy = 1 of example {place}", {"dy": np.eye(2)[place], "logits": logits, "labels": np.array([2, 0])})


def _squared(*, backward: bool) -> Iterator[Case]:
    for number, shape in enumerate(
        ((2, 3), (1, 1), (1, 4), (3, 3), (5, 2), (4, 6), (2, 3, 4), (2, 2, 5), (3, 2, 2, 5), (3, 1), (3, 3, 3))
    ):
        prediction, target = (
            (2 + 9 * (number % 2)) * distinct(shape, 80 + number),
            _SIZES[number % 3] * distinct(shape, 100 + number),
        )
        args = {"prediction": prediction, "target": target}
        yield _case(
            "×".join(map(str, shape)), {**_dy(shape[:-1], 120 + number, backward=backward, size=_SIZES[number % 2]), **args}
        )


def _maxout(*, backward: bool) -> Iterator[Case]:
    for number, (shape, pieces) in enumerate(
        (
            ((2, 4), 2),
            ((4, 6), 3),
            ((1, 3, 4), 2),
            ((3, 2, 9), 3),
            ((1, 3), 3),
            ((2, 6), 1),
            ((3, 9), 3),
            ((5, 2, 4), 2),
            ((4, 8), 2),
            ((2, 6), 3),
            ((2, 6), 2),
            ((4, 8), 4),
            ((2, 3, 6), 2),
            ((2, 3, 2, 6), 3),
            ((3, 5), 5),
        )
    ):
        x = _SIZES[number % 3] * distinct(shape, 140 + number)
        dy = _dy((*shape[:-1], shape[-1] // pieces), 160 + number, backward=backward, size=_SIZES[number % 2])
        yield _case(f"{'×'.join(map(str, shape))} in {pieces} pieces", {**dy, "x": x, "pieces": pieces})
    apart = 10.0 ** -np.repeat(np.arange(1.0, 9.0), 2) * np.tile([3.0, 2.0], 8)
    close = 1.0 + np.stack([apart, apart.reshape(8, 2)[:, ::-1].reshape(-1)])
    yield _case("numbers that are close", {**_dy((2, 8), 182, backward=backward), "x": close, "pieces": 2})
    tied = np.array([[1.0, 1.0, 0.5, 2.0, 2.0, 2.0], [-1.0, -2.0, -1.0, 0.0, 0.0, -3.0]])
    yield _case("ties", {**_dy((2, 2), 180, backward=backward), "x": tied, "pieces": 3})


def _normalisation(*, given: bool, backward: bool) -> Iterator[Case]:
    for number, (shape, size, options) in enumerate(
        (
            ((2, 2, 3, 2), 1.0, {}),
            ((1, 2, 3, 3), 2.0, {"epsilon": 0.5}),
            ((3, 2, 2, 3), 0.6, {}),
            ((4, 3, 5, 2), 4.1, {}),
            ((2, 4, 2, 5), 1.0, {"epsilon": 0.125}),
            ((3, 3, 3, 3), 0.01, {}),
            ((5, 1, 2, 4), 1.0, {}),
        )
    ):
        channels = shape[-1:]
        scale, offset = 1.5 + _normal(channels, 300 + number) / 2, _normal(channels, 320 + number)
        args = {"x": size * _normal(shape, 340 + number) + number % 2, "scale": scale, "offset": offset}
        if given:
            args |= {"mean": _normal(channels, 360 + number), "variance": 0.25 + _normal(channels, 380 + number) ** 2}
        yield _case("×".join(map(str, shape)), {**_dy(shape, 400 + number, backward=backward), **args}, options)


def _dropout(*, backward: bool) -> Iterator[Case]:
    for number, (shape, options) in enumerate(
        (
            ((3, 8), {"rate": 0.5}),
            ((5, 4), {"rate": 0.25}),
            ((4, 4), {"rate": 0.75}),
            ((2, 3, 4, 3), {"rate": 0.375}),
            ((3, 2, 3, 4), {"rate": 0.5, "spatial": True}),
        )
    ):
        args = {"x": distinct(shape, 420 + number), "key": np.array([0, 40 + number], np.uint32)}
        yield _case("×".join(map(str, shape)), {**_dy(shape, 440 + number, backward=backward), **args}, options)


def _flatten(*, backward: bool) -> Iterator[Case]:
    for number, shape in enumerate(
        (
            (2, 2, 3, 2),
            (1, 1),
            (2, 3),
            (1, 2, 3, 2),
            (3, 4, 2),
            (3, 3, 2, 2),
            (2, 2, 3, 2, 2),
            (4, 2, 2, 1),
            (2, 3, 2, 4),
            (3, 5),
        )
    ):
        x = distinct(shape, 200 + number)
        dy = _dy((shape[0], x[0].size), 220 + number, backward=backward)
        yield _case("×".join(map(str, shape)), {**dy, "x": x})


def _whole_maps(*, backward: bool) -> Iterator[Case]:
    for number, shape in enumerate(
        (
            (1, 2, 3, 1),
            (2, 2, 3, 2),
            (2, 3, 2, 3),
            (3, 4, 4, 2),
            (2, 5, 3, 4),
            (1, 1, 1, 1),
            (4, 3, 5, 3),
            (2, 4, 2, 5),
            (5, 2, 4, 1),
            (1, 3, 3, 4),
            (3, 3, 3, 3),
            (2, 5, 3),
            (2, 2, 3, 2, 2),
        )
    ):
        x = _SIZES[number % 3] * distinct(shape, 240 + number)
        dy = _dy((shape[0], shape[-1]), 260 + number, backward=backward, size=_SIZES[number % 2])
        yield _case("×".join(map(str, shape)), {**dy, "x": x})
        if number == 3:
            yield _case("negative numbers", {**_dy((3, 2), 280, backward=backward), "x": -np.abs(x)})
    close = np.ones((2, 4, 3, 1)) + np.array([2.0, 3.0, 1.0])[:, None] * 10.0 ** -np.arange(1.0, 9.0).reshape(2, 4, 1, 1)
    yield _case(
        "numbers that are close",
        {**_dy((2, 1), 282, backward=backward), "x": np.sort(close.reshape(2, 12)).reshape(2, 4, 3, 1)},
    )
    tied = np.array([[1.0, 3.0, 3.0], [3.0, 0.0, 1.0]]).reshape(1, 2, 3, 1)
    yield _case("ties", {**_dy((1, 1), 281, backward=backward), "x": tied})
