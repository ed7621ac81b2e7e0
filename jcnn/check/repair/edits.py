"""The changes that are tried: each what somebody mistypes, misremembers or leaves out, undone.

A change concerns one place, or two places that a slip concerns alike, such as rows and columns. None is made up for a certain
operation: they are all that can be done to numbers, names, operators, axes, slices, calls and statements.
"""

# ruff: noqa: ARG001 (all rules are called alike)

import ast
import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from jcnn.check.repair.source import Replacement, Scope, Source


class Edit(NamedTuple):
    """A change of the source.

    Attributes:
        line: where, counted from 1.
        before: what stands there; "" where something is added.
        after: what is to stand there; "" where it goes.
        kind: what is done, the same word for the same slip.
        replacements: the change.
    """

    line: int
    before: str
    after: str
    kind: str
    replacements: tuple[Replacement, ...]


class Change(NamedTuple):
    """An expression, what is to stand there, and what that does."""

    node: ast.expr
    text: str
    kind: str


Rule = Callable[[Source, Scope, ast.AST], Iterator[Change]]
"""The changes at a node."""


def edits(source: Source, function: str = "", without: str = "") -> Iterator[Edit]:
    """All changes, the likeliest slips first, and those of one function before those of others.

    Args:
        source: what is changed.
        function: what comes first.
        without: a function that is left as it is.
    """
    scopes = [scope for scope in source.scopes() if scope.function.name != without]
    named = [scope for scope in scopes if scope.function.name == function.rpartition(".")[2]]
    others = [scope for scope in scopes if scope not in named]
    seen = {source.text.decode()}
    for rules in (LIKELY, POSSIBLE):
        for group in filter(None, (named, others)):
            yield from _new(source, _of_rules(source, group, rules), seen)
            if rules is LIKELY:
                yield from _new(source, (edit for scope in group for edit in _of_statements(source, scope)), seen)
                yield from _new(source, (edit for scope in group for edit in _throughout(source, scope)), seen)


def _of_rules(source: Source, scopes: list[Scope], rules: tuple[Rule, ...]) -> Iterator[Edit]:
    """At one place each, and at two places alike."""
    for rule in rules:
        placed = [one for scope in scopes for one in _at_one_place(source, scope, rule)]
        yield from (one.edit for one in placed)
        yield from _at_two_places(placed)


def _new(source: Source, found: Iterator[Edit], seen: set[str]) -> Iterator[Edit]:
    for edit in found:
        text = source.replaced(edit.replacements)
        if text not in seen:
            seen.add(text)
            yield edit


class _Placed(NamedTuple):
    """A change, and the form of the place: that of another one is the same where both do the same for two axes."""

    edit: Edit
    form: str


def _at_one_place(source: Source, scope: Scope, rule: Rule) -> Iterator[_Placed]:
    for node in scope.nodes:
        for change in rule(source, scope, node):
            before = source.of(change.node)
            if change.text != before:
                begin, end = source.span(change.node)
                text = f"({change.text})" if _needs_brackets(scope, change) else change.text
                edit = Edit(change.node.lineno, before, change.text, change.kind, (Replacement(begin, end, text),))
                yield _Placed(edit, _form(scope, change.node))


def _form(scope: Scope, node: ast.AST) -> str:
    """The kinds of the nodes in an expression, and of those around it up to its statement, whatever the names in them."""
    within = "".join(type(one).__name__ for one in ast.walk(node))
    around = []
    while not isinstance(node, ast.stmt) and node in scope.parents:
        node = scope.parents[node]
        around.append(type(node).__name__)
    return f"{within} in {' '.join(around)}"


def _needs_brackets(scope: Scope, change: Change) -> bool:
    """Whether what is around the expression would take it apart."""
    parent = scope.parents.get(change.node)
    if not isinstance(parent, ast.BinOp | ast.UnaryOp | ast.Attribute | ast.Subscript | ast.Compare | ast.Call | ast.Starred):
        return False
    if isinstance(parent, ast.Call) and parent.func is not change.node:
        return False
    if isinstance(parent, ast.Subscript) and parent.value is not change.node:
        return False
    made = ast.parse(change.text, mode="eval").body
    return isinstance(made, ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.Lambda)


NEAR = 2
"""Lines between two places that a slip concerns alike."""


def _at_two_places(placed: list[_Placed]) -> Iterator[Edit]:
    """The same slip at two places of one form that are near each other, such as for rows and for columns."""
    alike: dict[tuple[str, str], list[Edit]] = {}
    for edit, form in placed:
        alike.setdefault((edit.kind, form), []).append(edit)
    for group in alike.values():
        for one, other in itertools.combinations(group, 2):
            (first,), (second,) = one.replacements, other.replacements
            apart = first.end <= second.begin or second.end <= first.begin
            if apart and abs(one.line - other.line) <= NEAR:
                before = f"{one.before}` and `{other.before}" if one.before != other.before else one.before
                after = f"{one.after}` and `{other.after}" if one.after != other.after else one.after
                yield Edit(min(one.line, other.line), before, after, one.kind, (first, second))


def _throughout(source: Source, scope: Scope) -> Iterator[Edit]:
    """A name that stands in a statement several times, replaced or multiplied wherever it does."""
    for statement in scope.nodes:
        if not isinstance(statement, ast.Assign | ast.AugAssign | ast.Return | ast.Expr):
            continue
        places: dict[str, list[ast.Name]] = {}
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in (*scope.loops, *scope.sizes):
                places.setdefault(node.id, []).append(node)
        for name, nodes in places.items():
            others = [other for other in scope.role_of(name) if other != name]
            scaled = [f"{name} * {size}" for size in scope.sizes if size != name]
            for new in (*others, *scaled) if len(nodes) > 1 else ():
                text = new if new.isidentifier() else f"({new})"
                pieces = tuple(Replacement(*source.span(node), text) for node in nodes)
                yield Edit(nodes[0].lineno, name, new, "throughout", pieces)


# Numbers and names.


def _other_numbers(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool) or not isinstance(node.value, int | float):
        return
    value = node.value
    if isinstance(value, int):
        yield from (Change(node, str(new), f"number {new - value:+}") for new in (value + 1, value - 1) if new >= 0)
        yield from (Change(node, str(new), f"number {value} → {new}") for new in range(4) if abs(new - value) > 1)
    for new in ("-float('inf')", "1.0", "0.0"):
        if value == 0 or not new.startswith("-"):
            yield Change(node, new, f"number {value} → {new}")
    if value:
        yield Change(node, f"-{value}", "sign")


def _sizes_for_numbers(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        taken = [one.arg for one in scope.function.args.args]
        yield from (Change(node, name, f"{node.value} → {name}") for name in dict.fromkeys((*scope.sizes, *taken)))


def _other_names(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from (Change(node, name, f"{node.id} → {name}") for name in scope.role_of(node.id))


def _any_names(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and scope.role_of(node.id):
        names = (*scope.loops, *scope.sizes, *scope.arrays)
        yield from (Change(node, name, f"{node.id} → {name}") for name in names)


# Operators.

_OTHERS: dict[type[ast.operator], tuple[str, ...]] = {
    ast.Add: ("-",),
    ast.Sub: ("+",),
    ast.Mult: ("/", "+", "//"),
    ast.Div: ("*", "//"),
    ast.FloorDiv: ("*", "/", "%"),
    ast.Mod: ("//",),
    ast.MatMult: ("*",),
    ast.Pow: ("*",),
}
_COMMUTES = (ast.Add, ast.Mult)


def _other_operators(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.BinOp):
        left, right = _operand(source, node.left), _operand(source, node.right)
        for operator in _OTHERS.get(type(node.op), ()):
            yield Change(node, f"{left} {operator} {right}", f"{type(node.op).__name__} → {operator}")


def _without_an_operand(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.BinOp):
        kind = type(node.op).__name__
        yield Change(node, source.of(node.left), f"without the right of {kind}")
        if not isinstance(node.op, ast.Div | ast.FloorDiv | ast.Pow | ast.Mod):
            sign = "-" if isinstance(node.op, ast.Sub) else ""
            yield Change(node, sign + _operand(source, node.right), f"without the left of {kind}")
    if isinstance(node, ast.UnaryOp):
        yield Change(node, source.of(node.operand), "without its sign")


def _exchanged_operands(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.BinOp) and not isinstance(node.op, _COMMUTES):
        operator = source.text[source.span(node.left)[1] : source.span(node.right)[0]].decode().strip(" ()\n\\")
        if operator in {"-", "/", "@", "//"}:
            left, right = _operand(source, node.left), _operand(source, node.right)
            yield Change(node, f"{right} {operator} {left}", "operands exchanged")


def _other_grouping(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """(a − b) / c for a − b / c, and a − b / c for (a − b) / c."""
    sums, products = ast.Add | ast.Sub, ast.Mult | ast.Div | ast.FloorDiv
    match node:
        case ast.BinOp(left=left, op=op, right=ast.BinOp(left=middle, op=product, right=right)):
            if isinstance(op, sums) and isinstance(product, products):
                inner = f"({source.of(left)} {_sign(op)} {source.of(middle)})"
                yield Change(node, f"{inner} {_sign(product)} {_operand(source, right)}", "grouped otherwise")
        case ast.BinOp(left=ast.BinOp(left=left, op=inner, right=middle), op=op, right=right):
            if isinstance(op, products) and isinstance(inner, sums):
                outer = f"{_operand(source, middle)} {_sign(op)} {_operand(source, right)}"
                yield Change(node, f"{source.of(left)} {_sign(inner)} {outer}", "grouped otherwise")
            if isinstance(op, sums) and isinstance(inner, products):
                outer = f"({source.of(middle)} {_sign(op)} {source.of(right)})"
                yield Change(node, f"{_operand(source, left)} {_sign(inner)} {outer}", "grouped otherwise")
    return


_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//"}


def _sign(operator: ast.operator) -> str:
    return _SIGNS[type(operator)]


_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


def _other_comparisons(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(left=left, ops=[_], comparators=[right]):
            yield from (
                Change(node, f"{source.of(left)} {sign} {source.of(right)}", f"comparison {sign}") for sign in _COMPARISONS
            )
            yield from (Change(node, value, value) for value in ("True", "False"))
        case ast.BoolOp(op=op, values=[left, right]):
            other = "or" if isinstance(op, ast.And) else "and"
            yield Change(node, f"{source.of(left)} {other} {source.of(right)}", other)
            yield from (Change(node, source.of(one), "without a condition") for one in (left, right))


# Axes, shapes and order.

_AXES = ("0", "1", "2", "3", "-1", "None", "(0, 1)", "(1, 2)", "(0, 1, 2)", "(0, 2, 3)", "(2, 3)", "(1, 2, 3)", "(0, 2)")
_OVER_AXES = ("sum", "mean", "max", "min", "argmax", "amax", "var", "std", "prod")


def _other_axes(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if not isinstance(node, ast.Call) or _name_of(node) not in _OVER_AXES:
        return
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    if axis := given.get("axis"):
        yield from (Change(axis, axes, f"axis={axes}") for axes in _AXES)
        if "keepdims" not in given:
            yield from (Change(axis, f"{axes}, keepdims=True", f"axis={axes}, keepdims") for axes in _AXES)
    else:
        yield from (Change(node, _with(source, node, f"axis={axes}"), f"axis={axes}") for axes in _AXES)
        yield from (
            Change(node, _with(source, node, f"axis={axes}, keepdims=True"), f"axis={axes}, keepdims") for axes in _AXES
        )
    if keepdims := given.get("keepdims"):
        yield from (Change(keepdims, value, f"keepdims={value}") for value in ("True", "False"))
    else:
        yield Change(node, _with(source, node, "keepdims=True"), "keepdims=True")


def _other_order(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """Of a transposition, a shape, a tuple of two."""
    match node:
        case ast.Call(func=ast.Attribute(attr="transpose", value=value), args=args) if len(args) > 2:
            if not (isinstance(value, ast.Name) and value.id in {"np", "jnp", "numpy"}):
                yield from _permuted(source, args, node, f"{source.of(value)}.transpose(", ")")
        case ast.Tuple(elts=elts) | ast.List(elts=elts) if 2 <= len(elts) <= 4 and not isinstance(node.ctx, ast.Store):
            if not any(isinstance(one, ast.Slice | ast.Starred) for one in elts):
                brackets = "()" if source.of(node).startswith("(") else "[]" if isinstance(node, ast.List) else ("", "")
                yield from _permuted(source, elts, node, brackets[0], brackets[1])
        case ast.Call(func=ast.Attribute(attr="reshape", value=value), args=args) if 2 <= len(args) <= 4:
            yield from _permuted(source, args, node, f"{source.of(value)}.reshape(", ")")


def _permuted(source: Source, given: list[ast.expr], node: ast.expr, before: str, after: str) -> Iterator[Change]:
    texts = [source.of(one) for one in given]
    for order in itertools.permutations(range(len(texts))):
        yield Change(node, f"{before}{', '.join(texts[place] for place in order)}{after}", f"order {order}")


def _transposed_first(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """A transposition before a reshape, where one is forgotten, and after it."""
    match node:
        case ast.Call(func=ast.Attribute(attr="reshape", value=value)):
            for count in (4, 2, 3):
                for order in itertools.permutations(range(count)):
                    if order != tuple(range(count)):
                        axes = ", ".join(map(str, order))
                        inner = f"{_operand(source, value)}.transpose({axes})"
                        begin = source.span(node)[0]
                        rest = source.text[source.span(value)[1] : source.span(node)[1]].decode()
                        if source.text[begin : source.span(value)[0]] == b"":
                            yield Change(node, inner + rest, f"transpose{order}")
                        if count == 4:
                            yield Change(node, f"{source.of(node)}.transpose({axes})", f"then transpose{order}")


def _transposed(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Attribute(attr="T", value=value):
            yield Change(node, source.of(value), "without .T")
        case ast.Call(func=ast.Attribute(attr="transpose", value=value)):
            if not (isinstance(value, ast.Name) and value.id in {"np", "jnp", "numpy"}):
                yield Change(node, source.of(value), "without transpose")
        case ast.Name(id=name, ctx=ast.Load()) if name in scope.arrays:
            yield Change(node, f"{name}.T", "with .T")


def _flipped(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Subscript) and _flips(node.slice):
        yield Change(node, source.of(node.value), "not flipped")
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in scope.arrays:
        yield from (Change(node, f"{node.id}[{slices}]", "flipped") for slices in ("::-1, ::-1", ":, :, ::-1, ::-1"))


def _flips(index: ast.expr) -> bool:
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return all(isinstance(part, ast.Slice) and part.lower is None and part.upper is None for part in parts) and any(
        isinstance(part, ast.Slice) and part.step is not None for part in parts
    )


def _other_subscripts(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """In a string of `einsum`: two letters of it exchanged."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or "," not in node.value:
        return
    if not node.value.replace(",", "").replace("->", "").replace(" ", "").isalpha():
        return
    places = [place for place, letter in enumerate(node.value) if letter.isalpha()]
    for one, other in itertools.combinations(places, 2):
        letters = list(node.value)
        letters[one], letters[other] = letters[other], letters[one]
        yield Change(node, repr("".join(letters)), "letters exchanged")


# Slices and indices.


def _other_slices(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if not isinstance(node, ast.Subscript):
        return
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for part in parts:
        if isinstance(part, ast.Slice):
            yield from _other_slice(source, scope, part)


def _other_slice(source: Source, scope: Scope, part: ast.Slice) -> Iterator[Change]:
    lower, upper = (source.of(one) if one else "" for one in (part.lower, part.upper))
    step = f":{source.of(part.step)}" if part.step else ""
    where: ast.expr = part  # pyright: ignore[reportAssignmentType] (a slice stands where an expression does)
    if upper.startswith("-") and not step:
        yield Change(where, f"{lower}:{upper} or None", "to the end where that is 0")
    if lower:
        yield Change(where, f":{upper}{step}", "from the start")
    if upper:
        yield Change(where, f"{lower}:{step}", "to the end")
    if step:
        yield Change(where, f"{lower}:{upper}", "without a step")
    for name in scope.sizes:
        if upper:
            yield Change(where, f"{lower}:{upper} + {name}{step}", f"to + {name}")
            yield Change(where, f"{lower}:{upper} - {name}{step}", f"to - {name}")
            yield Change(where, f"{name}:{name} + {upper}{step}", f"moved by {name}")
        if lower:
            yield Change(where, f"{lower} + {name}:{upper}{step}", f"from + {name}")
            yield Change(where, f"{lower} - {name}:{upper}{step}", f"from - {name}")
        if not step:
            yield Change(where, f"{lower}:{upper}:{name}", f"in steps of {name}")
        if not lower and not upper:
            yield Change(where, f"{name}:", f"from {name}")


def _with_options(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """An index or a size and one more or less of something."""
    if not isinstance(node, ast.Name | ast.BinOp) or not _is_read(scope, node) or not _is_number(scope, node):
        return
    whole = _operand(source, node)
    for name in (*scope.sizes, *scope.loops):
        if name != whole:
            yield Change(node, f"{source.of(node)} + {name}", f"+ {name}")
            yield Change(node, f"{source.of(node)} - {name}", f"- {name}")
            yield Change(node, f"{whole} * {name}", f"* {name}")
            yield Change(node, f"{whole} // {name}", f"// {name}")


def _one_more(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """An index or a size, and one more or less."""
    if isinstance(node, ast.Name | ast.BinOp) and _is_read(scope, node) and _is_number(scope, node):
        yield from (Change(node, f"{source.of(node)} {sign} 1", f"{sign} 1") for sign in "+-")


def _is_number(scope: Scope, node: ast.expr) -> bool:
    names = [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]
    plain = all(isinstance(one, ast.Name | ast.BinOp | ast.Constant | ast.operator | ast.Load) for one in ast.walk(node))
    return bool(names) and plain and all(name in {*scope.loops, *scope.sizes} for name in names)


# Calls.

_SIBLINGS = (
    ("sum", "mean", "max", "prod"),
    ("maximum", "minimum"),
    ("zeros", "ones", "empty", "full"),
    ("zeros_like", "ones_like", "empty_like"),
    ("exp", "log", "abs", "square", "sqrt", "tanh"),
    ("argmax", "argmin", "max"),
    ("floor", "ceil", "round"),
    ("zeros", "empty"),
)


def _other_calls(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    if not isinstance(node, ast.Call):
        return
    name, function = _name_of(node), node.func
    for siblings in _SIBLINGS:
        if name in siblings:
            prefix = source.of(function)[: -len(name)]
            yield from (Change(function, prefix + other, f"{name} → {other}") for other in siblings)
    if len(node.args) == 1 and not node.keywords:
        yield Change(node, source.of(node.args[0]), f"without {name}")
    if isinstance(function, ast.Attribute) and name in {"astype", "copy", "round", "clip", "flatten", "ravel", "squeeze"}:
        yield Change(node, source.of(function.value), f"without {name}")


def _other_arguments(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """Two arguments exchanged, or a named one left out."""
    if not isinstance(node, ast.Call):
        return
    arguments = [*node.args, *node.keywords]
    texts = [source.of(one) for one in arguments]
    function = source.of(node.func)
    for place, argument in enumerate(arguments):
        if isinstance(argument, ast.keyword) and argument.arg not in {"axis", "keepdims"}:
            rest = ", ".join(texts[:place] + texts[place + 1 :])
            yield Change(node, f"{function}({rest})", f"without {argument.arg}")
    for one, other in itertools.combinations(range(len(node.args)), 2):
        swapped = list(texts)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        yield Change(node, f"{function}({', '.join(swapped)})", "arguments exchanged")


def _copies(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """An array of its own where one is taken by its name."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Subscript | ast.Attribute):
        yield Change(node.value, f"{source.of(node.value)}.copy()", "a copy")
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Subscript | ast.Call):
        yield Change(node.value, f"{_operand(source, node.value)}.astype(float)", "as floats")


def _padded_evenly(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """In `pad`: the same on both sides, or exchanged."""
    if not isinstance(node, ast.Call) or _name_of(node) != "pad":
        return
    for pair in ast.walk(node):
        if isinstance(pair, ast.Tuple) and len(pair.elts) == 2 and not isinstance(pair.elts[0], ast.Tuple):
            names = [one.id for part in pair.elts for one in ast.walk(part) if isinstance(one, ast.Name)]
            both = dict.fromkeys([*map(source.of, pair.elts), *names, *scope.sizes])
            yield from (Change(pair, f"({one}, {one})", f"{one} on both sides") for one in both)
    for keyword in node.keywords:
        if keyword.arg == "mode":
            yield Change(keyword.value, "'constant'", "constant padding")


def _scaled(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """What is assigned or returned, times or divided by a size."""
    values: list[ast.expr] = []
    if isinstance(node, ast.Return) and node.value:
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    if isinstance(node, ast.Assign | ast.AugAssign):
        values = [node.value]
    taken = [one.arg for one in scope.function.args.args]
    lengths = [f"{name}.shape[{axis}]" for name in taken if name in scope.arrays for axis in range(4)]
    pairs = [f"({one} * {other})" for one, other in itertools.combinations_with_replacement(scope.sizes[:8], 2)]
    for value in values:
        if not isinstance(value, ast.Tuple | ast.Constant):
            for size in (*scope.sizes, *lengths, *pairs):
                yield Change(value, f"{_operand(source, value)} / {size}", f"/ {size}")
                yield Change(value, f"{_operand(source, value)} * {size}", f"* {size}")


def _with_a_factor(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """What is assigned or added up, times something that is a factor elsewhere."""
    if isinstance(node, ast.Assign | ast.AugAssign) and not isinstance(node.value, ast.Tuple | ast.Constant):
        products = [one for one in scope.nodes if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult)]
        factors = [source.of(one) for product in products for one in (product.left, product.right)]
        taken = [one.arg for one in scope.function.args.args if one.arg in scope.arrays]
        for factor in dict.fromkeys((*factors, *taken)):
            yield Change(node.value, f"{_operand(source, node.value)} * {factor}", f"* {factor}")


def _what_stands_elsewhere(source: Source, scope: Scope, node: ast.AST) -> Iterator[Change]:
    """An expression that stands at another place of the function and has to do with this one."""
    if not isinstance(node, ast.expr) or isinstance(node, ast.Constant | ast.Slice) or not _is_read(scope, node):
        return
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    for other in scope.nodes:
        if isinstance(other, ast.BinOp | ast.Subscript | ast.Call | ast.Attribute) and other is not node:
            theirs = {one.id for one in ast.walk(other) if isinstance(one, ast.Name)}
            if names & theirs and _is_read(scope, other) and "\n" not in (text := source.of(other)):
                yield Change(node, text, f"→ {text}")


def _is_read(scope: Scope, node: ast.expr) -> bool:
    """Whether its value is used here, and it is no function that is called or part of an index."""
    parent = scope.parents.get(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        return False
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


# Statements.


def _of_statements(source: Source, scope: Scope) -> Iterator[Edit]:
    for node in scope.nodes:
        if isinstance(node, ast.AugAssign):
            yield from _other_assignment(source, node)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            yield _between(source, node, node.targets[0], node.value, "=", "+=")
        if isinstance(node, ast.stmt) and not isinstance(node, ast.Return | ast.FunctionDef):
            yield _left_out(source, scope, node)
    yield from _moved(source, scope)


def _other_assignment(source: Source, node: ast.AugAssign) -> Iterator[Edit]:
    sign = {ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/="}.get(type(node.op), "+=")
    for other in ("=", "+=", "-=", "*=", "/="):
        if other != sign:
            yield _between(source, node, node.target, node.value, sign, other)


def _between(source: Source, node: ast.stmt, target: ast.expr, value: ast.expr, sign: str, other: str) -> Edit:
    begin, end = source.span(target)[1], source.span(value)[0]
    between = source.text[begin:end].decode()
    replacement = Replacement(begin, end, between.replace(sign, other, 1))
    return Edit(node.lineno, sign, other, f"{sign} → {other}", (replacement,))


def _left_out(source: Source, scope: Scope, node: ast.stmt) -> Edit:
    begin, end = source.span(node)
    return Edit(node.lineno, _first_line(source, node), "", "left out", (Replacement(begin, end, "pass"),))


def _moved(source: Source, scope: Scope) -> Iterator[Edit]:
    """A statement that ends a loop's body put behind the loop; two neighbours exchanged."""
    for node in (scope.function, *scope.nodes):
        for body in (getattr(node, name, None) for name in ("body", "orelse")):
            if not isinstance(body, list) or not body:
                continue
            for one, other in itertools.pairwise(body):
                yield _exchanged(source, one, other)
            last = body[-1]
            if isinstance(node, ast.For | ast.While | ast.If) and len(body) > 1 and isinstance(last, ast.stmt):
                yield from _behind(source, node, last)


def _exchanged(source: Source, one: ast.stmt, other: ast.stmt) -> Edit:
    (begin, middle), (start, end) = source.lines(one), source.lines(other)
    replacements = (
        Replacement(begin, middle, source.text[start:end].decode()),
        Replacement(start, end, source.text[begin:middle].decode()),
    )
    first, second = _first_line(source, one), _first_line(source, other)
    return Edit(one.lineno, f"{first}` before `{second}", f"{second}` before `{first}", "exchanged", replacements)


def _behind(source: Source, loop: ast.stmt, last: ast.stmt) -> Iterator[Edit]:
    begin, end = source.lines(last)
    lines = source.text[begin:end].decode().splitlines(keepends=True)
    less = last.col_offset - loop.col_offset
    if all(line[:less].isspace() or not line.strip() for line in lines):
        moved = "".join(line[less:] if line.strip() else line for line in lines)
        yield Edit(last.lineno, _first_line(source, last), "behind the loop", "moved", (Replacement(begin, end, moved),))


def _first_line(source: Source, node: ast.stmt) -> str:
    return source.of(node).splitlines()[0]


def _operand(source: Source, node: ast.expr) -> str:
    """The text of an expression as a part of another."""
    text = source.of(node)
    compound = isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.Compare | ast.IfExp | ast.Lambda)
    return f"({text})" if compound else text


def _name_of(node: ast.Call) -> str:
    match node.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _with(source: Source, node: ast.Call, argument: str) -> str:
    """The call with one argument more."""
    texts = [source.of(one) for one in (*node.args, *node.keywords)]
    return f"{source.of(node.func)}({', '.join([*texts, argument])})"


LIKELY: tuple[Rule, ...] = (
    *(_other_numbers, _other_operators, _other_comparisons, _without_an_operand, _other_names),
    *(_other_axes, _transposed, _flipped, _other_calls, _copies, _padded_evenly, _exchanged_operands, _other_grouping),
    *(_other_order, _other_arguments, _other_subscripts, _one_more, _other_slices, _with_a_factor),
)
POSSIBLE: tuple[Rule, ...] = (
    *(_transposed_first, _with_options, _sizes_for_numbers, _scaled, _what_stands_elsewhere, _any_names),
)
