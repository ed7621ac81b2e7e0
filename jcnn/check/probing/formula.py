"""Formulas as trees: read from text, evaluated on a call, written as mathematics."""

import ast
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from jcnn.check import formulas
from jcnn.check.cases import Case
from jcnn.check.normalisations import EPSILON
from jcnn.layers import formula as textbook

Array = np.ndarray
Tree = tuple[Any, ...]
"""("number", 2.0), ("name", "x"), ("+", a, b), ("-", a), (">", a, b), or a function's name and its arguments."""

_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])

AXES: dict[str, Callable[[int], Any]] = {
    "classes": lambda _: (-1,),
    "examples": lambda _: (0,),
    "everything": lambda rank: tuple(range(rank)),
    "pixels": lambda rank: tuple(range(1, rank - 1)),
    "examples_and_pixels": lambda rank: tuple(range(rank - 1)),
    "pixels_and_channels": lambda rank: tuple(range(1, rank)),
    "rows": lambda _: (1,),
    "columns": lambda rank: (rank - 2,),
}
"""Over which axes a sum goes, of an array of that rank."""


def _along(name: str, rank: int) -> tuple[int, ...]:
    return AXES[name](rank)


def _reduced(function: Callable[..., Array], *, keep: bool) -> Callable[[Array, str], Array]:
    return lambda a, axes: function(a, axis=_along(axes, np.ndim(a)), keepdims=keep)


def _part(a: Array, axes: str, kept: slice) -> Array:
    for axis in _along(axes, np.ndim(a)):
        index: list[Any] = [slice(None)] * np.ndim(a)
        index[axis] = kept
        a = a[tuple(index)]
    if not a.size:
        raise ValueError("nothing is left")
    return a


def _rolled(a: Array, axes: str, step: float) -> Array:
    axis = _along(axes, np.ndim(a))
    return np.roll(a, (int(step),) * len(axis), axis)


def _chosen(a: Array, axes: str, *, largest: bool, last: bool) -> Array:
    """1 at the first or last extreme along axes that are neighbours, 0 elsewhere."""
    axis = tuple(place % a.ndim for place in _along(axes, a.ndim))
    shape = a.shape
    flat = a.reshape(*shape[: axis[0]], math.prod(shape[i] for i in axis), *shape[axis[-1] + 1 :])
    turned = np.flip(flat, axis[0]) if last else flat
    at = (np.argmax if largest else np.argmin)(turned, axis=axis[0])
    if last:
        at = flat.shape[axis[0]] - 1 - at
    places = np.arange(flat.shape[axis[0]]).reshape(-1, *[1] * (flat.ndim - axis[0] - 1))
    return (places == np.expand_dims(at, axis[0])).astype(np.float64).reshape(shape)


def _looped(a: Array, axes: str, size: float) -> Array:
    """What a loop over so many sees, which fails beyond the end."""
    if a.ndim < 4 or size > min(a.shape[axis] for axis in _along(axes, a.ndim)):
        raise IndexError(f"index {int(size) - 1} is out of bounds")
    return _part(a, axes, slice(0, int(size)))


def _maps(dy: Array, x: Array) -> Array:
    """dy with an axis of length 1 for each spatial axis of x."""
    return dy.reshape(dy.shape[0], *[1] * (x.ndim - 2), *dy.shape[1:])


def _groups(a: Array, pieces: Any) -> Array:
    return a.reshape(*a.shape[:-1], a.shape[-1] // int(pieces), int(pieces))


def _strided_groups(a: Array, pieces: Any) -> Array:
    return np.swapaxes(a.reshape(*a.shape[:-1], int(pieces), a.shape[-1] // int(pieces)), -1, -2)


def _strided_ungrouped(a: Array) -> Array:
    return np.swapaxes(a, -1, -2).reshape(*a.shape[:-2], -1)


def _at_label(a: Array, labels: Array) -> Array:
    """Of every row the number of the label's class; of labels that are distributions the mean by them."""
    if labels.ndim == a.ndim:
        return (labels * a).sum(-1)
    return np.take_along_axis(a, labels[..., None], -1)[..., 0]


def _half_precision(a: Array, dtype: Any) -> Array:
    return np.asarray(a).astype(dtype).astype(np.float64)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "tanh": np.tanh,
    "cosh": np.cosh,
    "sinh": np.sinh,
    "sin": np.sin,
    "cos": np.cos,
    "sigma": textbook.sigma,
    "erf": _erf,
    "erfc": _erfc,
    "Phi": textbook.normal_cdf,
    "phi": textbook.normal_density,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
    "trunc": np.trunc,
    "round": lambda a, digits=0: np.round(a, int(digits)),
    "float32": lambda a: _half_precision(a, np.float32),
    "float16": lambda a: _half_precision(a, np.float16),
    "max2": np.maximum,
    "min2": np.minimum,
    "clip": np.clip,
    "where": np.where,
    "sum": _reduced(np.sum, keep=True),
    "mean": _reduced(np.mean, keep=True),
    "max": _reduced(np.max, keep=True),
    "min": _reduced(np.min, keep=True),
    "total": _reduced(np.sum, keep=False),
    "average": _reduced(np.mean, keep=False),
    "largest": _reduced(np.max, keep=False),
    "smallest": _reduced(np.min, keep=False),
    "first": lambda a, axes: _part(a, axes, slice(0, 1)),
    "last": lambda a, axes: _part(a, axes, slice(-1, None)),
    "all_but_first": lambda a, axes: _part(a, axes, slice(1, None)),
    "all_but_last": lambda a, axes: _part(a, axes, slice(0, -1)),
    "every_other": lambda a, axes: _part(a, axes, slice(0, None, 2)),
    "rolled": _rolled,
    "looped": _looped,
    "rolled_rows": lambda a, step: np.roll(a.reshape(-1, a.shape[-1]), int(step), 0).reshape(a.shape),
    "rolled_numbers": lambda a, step: np.roll(a.reshape(-1), int(step)).reshape(a.shape),
    "first_max": lambda a, axes: _chosen(a, axes, largest=True, last=False),
    "last_max": lambda a, axes: _chosen(a, axes, largest=True, last=True),
    "first_min": lambda a, axes: _chosen(a, axes, largest=False, last=False),
    "last_min": lambda a, axes: _chosen(a, axes, largest=False, last=True),
    "equal": lambda a, b: (a == b) * 1.0,
    "onehot": lambda labels, logits: formulas.targets(logits, labels),
    "at_label": _at_label,
    "column": lambda a: np.asarray(a)[..., None],
    "maps": _maps,
    "groups": _groups,
    "strided_groups": _strided_groups,
    "ungrouped": lambda a: a.reshape(*a.shape[:-2], -1),
    "strided_ungrouped": _strided_ungrouped,
    "flat": lambda x: x.reshape(len(x), -1),
    "flat_F": lambda x: x.reshape(len(x), -1, order="F"),
    "flat_channels_first": lambda x: np.moveaxis(x, -1, 1).reshape(len(x), -1),
    "flat_turned": lambda x: np.swapaxes(x, 1, -2).reshape(len(x), -1) if x.ndim > 3 else x.reshape(len(x), -1),
    "flat_examples_last": lambda x: np.moveaxis(x, 0, -1).reshape(len(x), -1),
    "flat_whole": lambda x: x.reshape(-1),
    "flat_transposed": lambda x: x.reshape(len(x), -1).T,
    "as_x": lambda dy, x: dy.reshape(x.shape),
    "as_x_F": lambda dy, x: dy.reshape(x.shape, order="F"),
    "as_x_channels_first": lambda dy, x: np.moveaxis(dy.reshape(len(x), x.shape[-1], *x.shape[1:-1]), 1, -1),
    "as_x_turned": lambda dy, x: (
        np.swapaxes(dy.reshape(np.swapaxes(x, 1, -2).shape), 1, -2) if x.ndim > 3 else dy.reshape(x.shape)
    ),
    "as_x_examples_last": lambda dy, x: np.moveaxis(dy.reshape(*x.shape[1:], x.shape[0]), -1, 0),
}
"""What a formula may call."""

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    ">": lambda a, b: (a > b) * 1.0,
    ">=": lambda a, b: (a >= b) * 1.0,
    "<": lambda a, b: (a < b) * 1.0,
    "<=": lambda a, b: (a <= b) * 1.0,
}
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "^",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Lt: "<",
    ast.LtE: "<=",
}


@lru_cache(maxsize=4096)
def parse(text: str) -> Tree:
    """A formula from Python's notation."""
    return _tree(ast.parse(text, mode="eval").body)


def _tree(node: ast.AST) -> Tree:
    match node:
        case ast.Constant(value=value):
            return ("number", float(value))  # pyright: ignore[reportArgumentType]
        case ast.Name(id=name):
            return ("name", name)
        case ast.BinOp(left=left, op=op, right=right):
            return (_OPERATORS[type(op)], _tree(left), _tree(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return (_OPERATORS[type(op)], _tree(left), _tree(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return ("-", _tree(operand))
        case ast.Call(func=ast.Name(id=name), args=args):
            return (name, *map(_tree, args))
        case _:
            raise ValueError(f"{ast.unparse(node)}: expected sums, products, comparisons and calls")


def names_in(tree: Tree) -> set[str]:
    """The names that a formula mentions."""
    if tree[0] == "name":
        return {tree[1]}
    return set().union(*(names_in(part) for part in tree[1:] if isinstance(part, tuple)))


_DEFAULTS = {
    "slope": 0.01,
    "alpha": 1.0,
    "alpha_selu": textbook.SELU_ALPHA,
    "lambda_selu": textbook.SELU_SCALE,
    "lambda_0": textbook.SELU_SCALE,
    "epsilon": EPSILON,
}


def call_values(case: Case) -> dict[str, Any]:
    """What the names of a call stand for: its arguments, options, and N, C and M of the array that it is about."""
    values: dict[str, Any] = {**_DEFAULTS, **case.args, **case.options}
    x = next(values[name] for name in ("x", "logits", "prediction") if name in values)
    if "key" in values:
        values["keep"] = 1.0 * formulas.kept(x, values["key"], **case.options)
    values["N"] = float(x.shape[0])
    values["C"] = float(x.shape[-1])
    values["M"] = float(x[..., 0].size)
    values["P"] = float(math.prod(x.shape[1:-1]))
    values["A"] = float(x.shape[1])
    values["B"] = float(x.shape[-2])
    values["H"] = float(x.shape[1]) if x.ndim > 2 else 1.0
    values["W"] = float(x.shape[-2]) if x.ndim > 2 else 1.0
    return values


def evaluate(tree: Tree, values: dict[str, Any], memo: dict[Tree, Any] | None = None) -> Any:
    """The formula's value; raises as NumPy does where shapes do not fit.

    Args:
        tree: the formula.
        values: what its names stand for; other names are axes.
        memo: keeps the values of parts, for other formulas of the same call.
    """
    head = tree[0]
    if head == "number":
        return tree[1]
    if head == "name":
        return values.get(tree[1], tree[1])
    if memo is not None and tree in memo:
        return memo[tree]
    parts = [evaluate(part, values, memo) for part in tree[1:]]
    found = _applied(head, parts)
    if memo is not None:
        memo[tree] = found
    return found


def _applied(head: str, parts: list[Any]) -> Any:
    if head in _BINARY:
        return -parts[0] if len(parts) == 1 else _BINARY[head](*parts)
    return FUNCTIONS[head](*parts)


_FAILED = {id(None)}


class Program:
    """Many formulas, of which each part is computed once a call."""

    def __init__(self, trees: Sequence[Tree | None]) -> None:
        """Numbers all parts, those that a part needs before it."""
        self._steps: list[tuple[Any, ...]] = []
        self._number: dict[tuple[Any, ...], int] = {}
        self._roots = [None if tree is None else self._add(tree) for tree in trees]

    def _add(self, tree: Tree) -> int:
        leaf = tree[0] in {"number", "name"}
        step = tree if leaf else (tree[0], *(self._add(part) for part in tree[1:]))
        if step not in self._number:
            self._number[step] = len(self._steps)
            self._steps.append(step)
        return self._number[step]

    def run(self, values: dict[str, Any]) -> list[Any]:
        """The value of every formula; None where it raises."""
        found: list[Any] = []
        for head, *parts in self._steps:
            if head == "number":
                found.append(parts[0])
            elif head == "name":
                found.append(values.get(parts[0], parts[0]))
            else:
                given = [found[part] for part in parts]
                if _FAILED.intersection(map(id, given)):
                    found.append(None)
                    continue
                try:
                    found.append(_applied(head, given))
                except Exception:  # noqa: BLE001 (whatever NumPy says of shapes that do not fit)
                    found.append(None)
        return [None if root is None else found[root] for root in self._roots]


_WORDS = {
    "examples_and_pixels": "examples and pixels",
    "pixels_and_channels": "pixels and channels",
    "classes": "the last axis",
    "keep": "the mask",
}
_REDUCTIONS = {
    "sum": "Σ",
    "total": "Σ",
    "mean": "mean",
    "average": "mean",
    "max": "max",
    "largest": "max",
    "min": "min",
    "smallest": "min",
    "first_max": "[the first largest]",
    "last_max": "[the last largest]",
    "first_min": "[the first smallest]",
    "last_min": "[the last smallest]",
}
_LETTERS = {"sigma": "σ", "Phi": "Φ", "phi": "φ", "alpha": "α", "alpha_selu": "α", "lambda_selu": "λ", "sqrt": "√"}
_RANK = {"where": 0, ">": 1, ">=": 1, "<": 1, "<=": 1, "+": 2, "-": 2, "*": 3, "/": 3, "^": 5}
_SIGNS = {"+": " + ", "-": " − ", "*": "·", "/": " / ", "^": "^", ">": " > ", ">=": " ≥ ", "<": " < ", "<=": " ≤ "}
_PARTS = {
    "first": "the first along",
    "last": "the last along",
    "all_but_first": "all but the first along",
    "all_but_last": "all but the last along",
    "every_other": "every other along",
}
_SHOWN = {
    "max2": "max({0}, {1})",
    "min2": "min({0}, {1})",
    "abs": "|{0}|",
    "column": "{0}",
    "at_label": "{0} of the label's class",
    "onehot": "one-hot({0})",
    "equal": "[{0} = {1}]",
    "maps": "{0}",
    "round": "round({0}, {1} digits)",
    "groups": "{0} in neighbours of {1}",
    "strided_groups": "{0} in groups of {1} that lie apart",
    "ungrouped": "{0}",
    "strided_ungrouped": "{0}, pieces apart",
    "flat": "each example of {0}, row-major",
    "flat_F": "{0} in column-major order (order='F')",
    "flat_channels_first": "each example of {0}, channels before pixels",
    "flat_turned": "each example of {0}, rows and columns exchanged",
    "flat_examples_last": "{0} with its examples as the last axis, reshaped",
    "flat_whole": "{0} as one vector, examples joined",
    "flat_transposed": "each example of {0} as a column",
    "as_x": "{0} in the shape of {1}, row-major",
    "as_x_F": "{0} in the shape of {1} in column-major order (order='F')",
    "as_x_channels_first": "{0} as channels before pixels, then the channels moved last",
    "as_x_turned": "{0} in the shape of {1} with rows and columns exchanged",
    "as_x_examples_last": "{0} in a shape whose last axis is the examples, moved first",
}


def written(tree: Tree, rank: int = 0) -> str:
    """As mathematics."""
    head, *parts = tree
    if head == "number":
        return f"{parts[0]:.10g}".replace("-", "−")
    if head == "name":
        name = str(parts[0])
        return _LETTERS.get(name, name)
    if head == "-" and len(parts) == 1:
        return _bracketed(f"−{written(parts[0], 4)}", 2, rank)
    if head == "^" and parts[1] == ("number", 2.0):
        return f"{written(parts[0], 6)}²"
    if head == "*" and parts[0] == ("number", 1.0):
        return written(parts[1], rank)
    if head in _SIGNS:
        own = _RANK[head]
        text = f"{written(parts[0], own)}{_SIGNS[head]}{written(parts[1], own + (head in '-/^'))}"
        return _bracketed(text, own, rank)
    if head == "where":
        return _bracketed(f"{written(parts[1], 1)} if {written(parts[0])}, else {written(parts[2], 1)}", 0, rank + 1)
    if head == "exp":
        inner = written(parts[0])
        return f"e^({inner})" if len(inner) > 1 else f"e^{inner}"
    if head in _REDUCTIONS:
        return f"{_REDUCTIONS[head]}({written(parts[0])} over {_WORDS.get(parts[1][1], parts[1][1])})"
    if head in _PARTS:
        return f"{written(parts[0], 4)} [{_PARTS[head]} {_WORDS.get(parts[1][1], parts[1][1])}]"
    if head == "looped":
        return f"{written(parts[0], 4)} [the first {written(parts[2])} {parts[1][1]}]"
    if head in {"rolled_rows", "rolled_numbers"}:
        return f"{written(parts[0], 4)} [of the {'next' if parts[1][1] < 0 else 'previous'} example]"
    if head == "rolled":
        by = f"{parts[2][1]:+g}".replace("-", "−")
        return f"{written(parts[0], 4)} [moved by {by} along {_WORDS.get(parts[1][1], parts[1][1])}]"
    if head in _SHOWN:
        return _SHOWN[head].format(*(written(part) for part in parts))
    name = str(head)
    return f"{_LETTERS.get(name, name)}({', '.join(written(part) for part in parts)})"


def _bracketed(text: str, own: int, rank: int) -> str:
    return f"({text})" if own < rank else text
