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
        if base in {"elu", "leaky_relu"}:
            found.append(parse("alpha" if base == "elu" else "slope"))
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
        difference = "prediction - target"
        texts = ("prediction", "target", difference, f"abs({difference})", f"sign({difference})", "C", "N")
        parts = [parse(text) for text in texts]
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


def grammar(kind: str, values: dict[str, Any], agrees: Callable[[Array], Array], shape: tuple[int, ...]) -> Iterator[Tree]:
    """Formulas that give the numbers of one call, the simpler first: parts; sums, products, quotients of two; sums of three.

    Each comes scaled by a simple factor, and times dy where there is one.

    Args:
        kind: the operation.
        values: what names stand for in the call.
        agrees: for a stack of arrays, which of them give what the candidate gave.
        shape: of the output.
    """
    memo: dict[Tree, Any] = {}
    parts: list[Tree] = []
    arrays: list[Array] = []
    for atom in _atoms(kind):
        try:
            with np.errstate(all="ignore"):
                value = np.broadcast_to(np.asarray(evaluate(atom, values, memo), np.float64), shape)
        except (ValueError, IndexError):
            continue
        parts.append(atom)
        arrays.append(value)
    if not parts:
        return
    table = np.stack(arrays)
    factors: list[tuple[Tree | None, Array]] = [(None, np.ones(shape))]
    for name in ("dy", "column(dy)"):
        tree = parse(name)
        if "dy" in values and tree in parts:
            factors.append((tree, arrays[parts.index(tree)]))
    with np.errstate(all="ignore"):
        for factor, (tree, size) in itertools.product(_SCALES, factors):
            for number in np.flatnonzero(agrees(factor * table * size)):
                yield _times(factor, tree, parts[number])
        for sign in ("*", "-", "+", "/"):
            flat = _PAIRS[sign](table[:, None], table[None]).reshape(-1, *shape)
            for (tree, size), factor in itertools.product(factors, _SCALES[:3]):
                for number in np.flatnonzero(agrees(factor * flat * size)):
                    one, other = divmod(int(number), len(parts))
                    yield _times(factor, tree, (sign, parts[one], parts[other]))
        yield from _of_three(parts, table, factors, agrees)


_PAIRS: dict[str, Callable[[Array, Array], Array]] = {
    "*": np.multiply,
    "-": np.subtract,
    "+": np.add,
    "/": np.divide,
}
_PLAIN = 24


def _of_three(
    parts: list[Tree], table: Array, factors: list[tuple[Tree | None, Array]], agrees: Callable[[Array], Array]
) -> Iterator[Tree]:
    """A + B − C, A + B + C and A·B·C of the simplest parts."""
    few = sorted(range(len(parts)), key=lambda number: len(str(parts[number])))[:_PLAIN]
    shape = table.shape[1:]
    chosen = table[few]
    for signs in ("+-", "++", "*+", "*-", "**"):
        first = _PAIRS[signs[0]](chosen[:, None], chosen[None]).reshape(-1, *shape)
        flat = _PAIRS[signs[1]](first[:, None], chosen[None]).reshape(-1, *shape)
        for tree, size in factors:
            for number in np.flatnonzero(agrees(flat * size)):
                pair, third = divmod(int(number), len(few))
                one, other = divmod(pair, len(few))
                inner: Tree = (signs[0], parts[few[one]], parts[few[other]])
                yield _times(1.0, tree, (signs[1], inner, parts[few[third]]))


def _times(factor: float, tree: Tree | None, part: Tree) -> Tree:
    product = part if tree is None else ("*", tree, part)
    if factor == 1:
        return product
    return ("-", product) if factor == -1 else ("*", ("number", factor), product)
