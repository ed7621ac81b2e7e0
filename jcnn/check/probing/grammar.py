"""Formulas put together from the parts that belong to an operation, where one slip in the right one is not enough."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jcnn.check import formulas
from jcnn.check.probing.edits import ONE
from jcnn.check.probing.formula import Tree, evaluate, parse
from jcnn.check.probing.textbook import FORMS, inlined

Array = np.ndarray

_CURVES = ("exp", "sigma", "tanh", "Phi", "phi", "log")
_SCALES = (1.0, -1.0, 2.0, 0.5, -0.5)


def _atoms(kind: str) -> list[Tree]:
    """What is put together."""
    base = kind.removesuffix("_backward")
    x: Tree = ("name", "x")
    if base in formulas.ACTIVATIONS:
        f, slope = (_of(inlined(FORMS[name][0])) for name in (base, f"{base}_backward"))
        arguments: list[Tree] = [x, ("-", x), ("abs", x), ("*", ("number", 2.0), x), f(x)]
        if kind != base:
            arguments.append(("name", "dy"))
        found = [ONE, *arguments]
        for given in arguments:
            found += [
                f(given),
                slope(given),
                *((curve, given) for curve in _CURVES),
                ("max2", given, parse("0")),
                (">", given, parse("0")),
            ]
        found += [parse("alpha"), parse("slope")]
        return list(dict.fromkeys(found))
    if base in {"softmax", "log_softmax"}:
        p = inlined(FORMS["softmax"][0])
        parts = [ONE, x, p, ("log", p), ("exp", x), ("-", ONE, p)]
        if kind != base:
            dy: Tree = ("name", "dy")
            sums: list[Tree] = [("sum", part, parse("classes")) for part in (dy, ("*", p, dy), ("*", x, dy), p)]
            parts += [dy, ("*", dy, p), *sums]
        return parts
    if base == "softmax_cross_entropy" and kind != base:
        p = _renamed(inlined(FORMS["softmax"][0]), x, ("name", "logits"))
        t = parse("onehot(labels, logits)")
        return [ONE, ("name", "logits"), p, t, parse("column(dy)"), ("-", p, t), ("log", p), ("-", ONE, p)]
    if base == "mean_squared_error":
        parts = [
            parse(text)
            for text in (
                "prediction",
                "target",
                "prediction - target",
                "abs(prediction - target)",
                "sign(prediction - target)",
                "C",
                "N",
            )
        ]
        return [ONE, *parts, *([parse("column(dy)")] if kind != base else [])]
    return []


def _renamed(tree: Tree, old: Tree, new: Tree) -> Tree:
    if tree == old:
        return new
    return (tree[0], *(_renamed(part, old, new) if isinstance(part, tuple) else part for part in tree[1:]))


def _of(tree: Tree) -> Callable[[Tree], Tree]:
    """As a function of x; of a derivative without its dy."""
    plain = _renamed(tree, ("name", "dy"), ONE)
    return lambda given: _renamed(plain, ("name", "x"), given)


def grammar(kind: str, values: dict[str, Any], got: Array, agrees: Callable[[Array, Array], Array]) -> Iterator[Tree]:
    """Formulas that give the numbers of one call, the simpler first: scaled parts, sums, products, quotients of two, dy times those.

    Args:
        kind: the operation.
        values: what names stand for in the call.
        got: what the candidate gave.
        agrees: whether two arrays are the same, number by number.
    """
    memo: dict[Tree, Any] = {}
    parts: list[Tree] = []
    arrays: list[Array] = []
    for atom in _atoms(kind):
        try:
            with np.errstate(all="ignore"):
                value = np.broadcast_to(np.asarray(evaluate(atom, values, memo), np.float64), got.shape)
        except (ValueError, IndexError):
            continue
        parts.append(atom)
        arrays.append(value)
    if not parts:
        return
    table = np.stack(arrays)
    factors: list[tuple[Tree | None, Array]] = [(None, np.ones(got.shape))]
    for name in ("dy", "column(dy)"):
        tree = parse(name)
        if "dy" in values and tree in parts:
            factors.append((tree, arrays[parts.index(tree)]))
    for factor, scale in itertools.product(_SCALES, factors):
        tree, size = scale
        for number in np.flatnonzero(_close(factor * table * size, got, agrees)):
            yield _times(factor, tree, parts[number])
    with np.errstate(all="ignore"):
        for sign, made in (
            ("*", table[:, None] * table[None]),
            ("-", table[:, None] - table[None]),
            ("+", table[:, None] + table[None]),
            ("/", table[:, None] / table[None]),
        ):
            flat = made.reshape(-1, *got.shape)
            for (tree, size), factor in itertools.product(factors, _SCALES[:3]):
                for number in np.flatnonzero(_close(factor * flat * size, got, agrees)):
                    one, other = divmod(int(number), len(parts))
                    yield _times(factor, tree, (sign, parts[one], parts[other]))


def _close(made: Array, got: Array, agrees: Callable[[Array, Array], Array]) -> Array:
    with np.errstate(all="ignore"):
        return agrees(got, made).reshape(len(made), -1).all(1)


def _times(factor: float, tree: Tree | None, part: Tree) -> Tree:
    product = part if tree is None else ("*", tree, part)
    if factor == 1:
        return product
    return ("-", product) if factor == -1 else ("*", ("number", factor), product)
