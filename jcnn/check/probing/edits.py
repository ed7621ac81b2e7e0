"""All formulas that one slip makes of a right one."""

from collections.abc import Iterator
from typing import NamedTuple

from jcnn.check.probing.formula import Tree, names_in
from jcnn.check.probing.textbook import Form, Line


class Edited(NamedTuple):
    """A form with one slip.

    Attributes:
        form: all its lines.
        line: the number of the one that differs.
        cost: how far-fetched the slip is.
        note: what was done; "" where the line says it all.
    """

    form: Form
    line: int
    cost: float
    note: str = ""


_OPERATORS = {"+": ("-", "*"), "-": ("+", "*"), "*": ("+", "/", "-"), "/": ("*",), "^": ("*",)}
_COMPARISONS = {">": (">=", "<", "<="), ">=": (">", "<=", "<"), "<": ("<=", ">", ">="), "<=": ("<", ">=", ">")}
_CURVES = (
    {"exp", "expm1", "exp2", "log", "log1p", "sinh", "cosh"},
    {"log", "log1p", "log2", "log10", "exp"},
    {"tanh", "sin", "sigma", "sinh"},
    {"cosh", "sinh", "exp"},
    {"erf", "erfc", "tanh", "Phi"},
    {"sigma", "tanh", "exp", "Phi", "phi"},
    {"Phi", "phi", "sigma"},
    {"max2", "min2"},
    {"sqrt", "abs"},
    {"sum", "mean", "max", "min"},
    {"total", "average", "largest", "smallest"},
    {"first_max", "last_max", "first_min", "last_min"},
    {"groups", "strided_groups"},
    {"ungrouped", "strided_ungrouped"},
)
_FLAT = ("flat", "flat_F", "flat_channels_first", "flat_turned", "flat_examples_last", "flat_whole", "flat_transposed")
_AS_X = ("as_x", "as_x_F", "as_x_channels_first", "as_x_turned", "as_x_examples_last")
_FAMILIES = (*_CURVES, set(_FLAT), set(_AS_X))
_UNKEPT = {"sum": "total", "mean": "average", "max": "largest", "min": "smallest"}
_REDUCED = {**_UNKEPT, **{other: other for other in _UNKEPT.values()}, "first_max": "", "last_max": ""}
_AXES = (
    "classes",
    "examples",
    "everything",
    "pixels",
    "examples_and_pixels",
    "pixels_and_channels",
    "rows",
    "columns",
)
_SIDES = ("first", "last", "all_but_first", "all_but_last", "every_other")
_ARRAYS = ("dy", "x", "logits", "prediction", "target")


_NAMES = {"sigma": "σ", "Phi": "Φ", "phi": "φ", "exp": "e^", "abs": "the absolute value", "sqrt": "the root"}
_SELU = ("alpha_selu", "lambda_selu")


def _number(value: float) -> Tree:
    return ("number", float(value))


ONE, ZERO = _number(1), _number(0)


def _touched(tree: Tree, *, rounded: bool = True) -> Iterator[tuple[Tree, float, str]]:
    """A number that is changed by itself; `rounded`: by a little as well."""
    if rounded:
        yield from _rounded(tree)
    yield ("-", tree), 1, "the sign is turned"
    yield ("abs", tree), 2, "its absolute value is taken"
    yield ("trunc", tree), 2, "its fractions are cut off, as whole numbers (an integer array) hold none"
    yield ("round", tree, ZERO), 2, "it is rounded to whole numbers"
    yield ("^", tree, _number(2)), 2, "it is squared"
    yield ("sqrt", tree), 2.5, "its root is taken"
    yield ("max2", tree, ZERO), 2.5, "negative numbers become 0"
    yield ("min2", tree, ZERO), 2.5, "positive numbers become 0"
    yield ("sign", tree), 2.6, "only its sign is kept"
    yield ("clip", tree, _number(-1), ONE), 2.6, "it is cut off at −1 and 1"
    yield ("+", tree, ONE), 2, "1 is added, as where an array of ones is added to"
    yield ("-", tree, ONE), 2, "1 is subtracted"
    yield ("-", ONE, tree), 2, "it is subtracted from 1"


def _rounded(tree: Tree) -> Iterator[tuple[Tree, float, str]]:
    for digits in range(1, 11):
        yield ("round", tree, _number(digits)), 2.1 + digits / 100, f"it is rounded to {digits} digits behind the point"
    for exponent in range(4, 13):
        yield ("+", tree, _number(10.0**-exponent)), 2.2, f"a constant 1e−{exponent} is added"
    for exponent in range(4, 11):
        yield ("*", tree, _number(1 + 10.0**-exponent)), 2.3, f"a factor 1 + 1e−{exponent}"
    yield ("float32", tree), 2.4, "it is held in float32"
    yield ("float16", tree), 2.4, "it is held in float16"


_SIZES = {
    "N": "the number of examples N (the first axis)",
    "C": "the length C of the last axis",
    "M": "the number of all examples",
    "P": "the number of pixels",
    "A": "the length of the second axis",
    "B": "the length of the last axis but one",
    "H": "the number of rows",
    "W": "the number of columns",
}


def _scaled(tree: Tree) -> Iterator[tuple[Tree, float, str]]:
    for value, text in ((2, "2"), (0.5, "1/2"), (3, "3"), (4, "4"), (0.25, "1/4")):
        yield ("*", tree, _number(value)), 1.2, f"multiplied by {text}"
    for name, words in _SIZES.items():
        yield ("/", tree, ("name", name)), 1.3, f"divided by {words}"
        yield ("*", tree, ("name", name)), 1.4, f"multiplied by {words}"
    yield ("/", tree, ("*", ("name", "N"), ("name", "C"))), 1.6, "divided by the number of all numbers N·C"


def _elsewhere(tree: Tree, *, rows: bool) -> Iterator[tuple[Tree, float, str]]:
    """The same array, at another place."""
    for step, which in ((-1.0, "next"), (1.0, "previous")):
        for name in ("rolled_rows", "rolled_numbers"):
            yield (name, tree, _number(step)), 1.9, f"that of the {which} example is taken"
    for axes, noun in (("examples", "example"), ("classes", "place along the last axis")):
        if axes == "classes" and not rows:
            continue
        for step, which in ((-1.0, "next"), (1.0, "previous")):
            yield ("rolled", tree, ("name", axes), _number(step)), 2, f"that of the {which} {noun} is taken"
        yield ("first", tree, ("name", axes)), 2.2, f"that of the first {noun} is taken for all"
        yield ("last", tree, ("name", axes)), 2.2, f"that of the last {noun} is taken for all"


def _changes(tree: Tree, names: set[str]) -> Iterator[tuple[Tree, float, str]]:
    """Other trees in place of one, not looking into its parts."""
    head, *parts = tree
    if head == "number":
        yield from _of_number(parts[0])
        return
    if head == "name":
        yield from _of_size(tree) if parts[0] in _SIZES else _of_name(tree, names)
        return
    if head == "-" and len(parts) == 1:
        yield parts[0], 1, "the minus sign is missing"
        return
    for family in _FAMILIES:
        if head in family:
            for other in sorted(family - {head}):
                yield (other, *parts), 1.3, ""
    if head in _OPERATORS:
        yield from _of_operator(tree)
    elif head in _COMPARISONS:
        for other in _COMPARISONS[head]:
            yield (other, *parts), 1, ""
        yield ONE, 1.5, "the comparison is missing"
    elif head in _REDUCED:
        yield from _of_reduction(tree)
    else:
        yield from _of_function(tree, names)


def _of_number(value: float) -> Iterator[tuple[Tree, float, str]]:
    for other in (value + 1, value - 1, -value, 0.0, 2 * value, value / 2, value * (1 + 1e-4), 10 * value, value / 10):
        yield _number(other), 1.5, ""


def _of_size(tree: Tree) -> Iterator[tuple[Tree, float, str]]:
    for name, words in _SIZES.items():
        yield ("name", name), 1.2, f"{words} is taken for {_SIZES[tree[1]]}"
    for step in (1.0, -1.0):
        yield ("+", tree, _number(step)), 1.5, ""
    yield ONE, 1.2, ""


def _of_name(tree: Tree, names: set[str]) -> Iterator[tuple[Tree, float, str]]:
    own = tree[1]
    for name in sorted(set(_SELU) if own in _SELU else names):
        yield ("name", name), 1.1, f"{name} is taken for {own}"
    yield ONE, 1.5, f"{own} is not used"
    yield ZERO, 2.5, f"{own} is not used"
    yield from _elsewhere(tree, rows=True)
    yield from _touched(tree, rounded=False)


def _of_operator(tree: Tree) -> Iterator[tuple[Tree, float, str]]:
    head, left, right = tree
    for other in _OPERATORS[head]:
        yield (other, left, right), 1.1, ""
    if not (head == "-" and left == ZERO):
        yield left, 1, ""
    yield right, 1, ""
    if head in {"-", "/", "^"}:
        yield (head, right, left), 1.1, "both sides are exchanged"


def _of_reduction(tree: Tree) -> Iterator[tuple[Tree, float, str]]:
    """Over other axes, over a part of them, or not at all."""
    head, inner, axes = tree
    if head in {"max", "largest"}:
        yield (head, ("max2", inner, ZERO), axes), 1.4, "the maximum starts at 0, so that of negative numbers it is 0"
    yield inner, 1.2, ""
    for other in _AXES:
        if ("name", other) != axes:
            yield (head, inner, ("name", other)), 1 + (other not in {"examples", "everything"}) * 0.3, ""
    single = ("rows", "columns") if axes == ("name", "pixels") else ()
    for side in _SIDES if _REDUCED[head] else ():
        yield (head, (side, inner, axes), axes), 1.6, ""
        for other in single:
            yield (head, (side, inner, ("name", other)), axes), 1.5, ""
    for other in single:
        for size in ("H", "W", "N", "C"):
            yield (head, ("looped", inner, ("name", other), ("name", size)), axes), 1.7, ""
    if head in _UNKEPT:
        yield (_UNKEPT[head], inner, axes), 1.7, "the axis that is summed over is lost (keepdims)"


def _of_function(tree: Tree, names: set[str]) -> Iterator[tuple[Tree, float, str]]:
    head, *parts = tree
    if head == "column":
        for name in sorted(names - names_in(tree)):
            yield ("name", name), 1.3, f"{name} is taken for {parts[0][1]}"
    elif head == "where":
        test, one, other = parts
        yield one, 1.2, ""
        yield other, 1.2, ""
        yield ("where", test, other, one), 1.1, "both sides are exchanged"
    elif head in {"max2", "min2"}:
        yield parts[0], 1, ""
        yield parts[1], 1.1, ""
        yield ("+", *parts), 1.6, ""
    elif head == "clip":
        yield parts[0], 1, "nothing is cut off"
        for bound in parts[1:]:
            yield bound, 2, ""
            yield ("clip", parts[0], bound, bound), 2, ""
    elif len(parts) == 1:
        yield parts[0], 1, f"{_NAMES.get(head, head)} is missing"


def _everywhere(tree: Tree, names: set[str]) -> Iterator[tuple[Tree, float, str]]:
    """The tree with one of its parts, or itself, changed."""
    yield from _changes(tree, names)
    # What a one-hot array is as wide as, and what another is shaped like, is left as it is.
    inner = tree[1:2] if tree[0] in {"onehot", "as_x", "maps"} else tree[1:]
    for place, part in enumerate(inner, 1):
        if isinstance(part, tuple) and part != ("name", "classes"):
            for other, cost, note in _everywhere(part, names):
                yield (*tree[:place], other, *tree[place + 1 :]), cost, note


def edits_of(form: Form, arguments: set[str]) -> Iterator[Edited]:
    """Every form that differs by one slip, and each once.

    Args:
        form: a right one.
        arguments: the names of the call's arrays, which may be taken for one another.
    """
    seen: set[Tree] = set()
    known = set(arguments)
    largest = [line.name for line in form if line.tree[0] == "max"]
    for number, line in enumerate(form):
        if line.tree[0] == "onehot":
            yield from _miscounted(form, number)
        mentioned = names_in(line.tree)
        names = known if mentioned & known else set()
        changes = list(_everywhere(line.tree, names))
        last = number == len(form) - 1
        changes += [*_touched(line.tree), *(_scaled(line.tree)), *_elsewhere(line.tree, rows=True)]
        unshifted = {tree for name in largest for tree in _dropped(line.tree, name)}
        for tree, cost, note in changes:
            if tree != line.tree and (number, tree) not in seen:
                seen.add((number, tree))
                said = "the largest, m, is not subtracted here" if tree in unshifted else note
                lines = (*form[:number], Line(line.name, tree), *form[number + 1 :])
                yield Edited(lines, number, cost + 0.05 * (not last), said)
        known.add(line.name)
    for other, words in (("examples", "the examples"), ("everything", "everything")):
        lines = tuple(Line(line.name, _over(line.tree, other)) for line in form)
        if sum(one != line for one, line in zip(lines, form, strict=True)) > 1 or lines != form:
            note = f"sums and maxima run over {words} where over the last axis, the classes, is right"
            yield Edited((*lines, Line("", ("name", lines[-1].name))), 0, 1.4, note)
    if set(_SELU) & set().union(*(names_in(line.tree) for line in form)):
        exchanged = (Line("lambda_selu", ("name", "alpha_selu")), Line("alpha_selu", ("name", "lambda_0")), *form)
        yield Edited(exchanged, 0, 1.5, "α and λ are exchanged")
    for name in sorted(arguments & set(_ARRAYS)):
        yield from _argument_changed(form, name)


def _dropped(tree: Tree, name: str) -> Iterator[Tree]:
    """The tree without one of the places in which a name is subtracted."""
    if tree[0] == "-" and tree[2:] == (("name", name),):
        yield tree[1]
    for place, part in enumerate(tree[1:], 1):
        if isinstance(part, tuple):
            for other in _dropped(part, name):
                yield (*tree[:place], other, *tree[place + 1 :])


def _miscounted(form: Form, number: int) -> Iterator[Edited]:
    """Labels that are counted from another number than 0."""
    for step, words in (
        (
            -1.0,
            "labels are taken as counted from 1: the class label − 1 counts, where labels count from 0 and the class is label",
        ),
        (1.0, "the class label + 1 counts, where labels count from 0 and it is label"),
    ):
        line = form[number]
        moved = Line(line.name, ("rolled", line.tree, ("name", "classes"), _number(step)))
        lines = (*form[:number], moved, *form[number + 1 :])
        yield Edited((*lines, Line("", ("name", lines[-1].name))), number, 0.9, words)


def _over(tree: Tree, axes: str) -> Tree:
    """With all that goes over the last axis over others."""
    if tree == ("name", "classes"):
        return ("name", axes)
    return (tree[0], *(_over(part, axes) if isinstance(part, tuple) else part for part in tree[1:]))


def _argument_changed(form: Form, name: str) -> Iterator[Edited]:
    """What is done to an argument at the start."""
    given: Tree = ("name", name)
    for tree, cost, note in (*_touched(given), *_elsewhere(given, rows=False), *_scaled(given)):
        said = f"{name} is changed at the start: {note}"
        yield Edited((Line(name, tree), *form), 0, cost + 0.1, said)
