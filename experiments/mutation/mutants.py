"""All mistakes of a kind that a slip makes, one at a time, in the source of a function."""

import ast
import copy
import inspect
import random
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_CALLED = {
    "sum": ("mean", "max"),
    "mean": ("sum",),
    "max": ("min", "sum"),
    "min": ("max",),
    "argmax": ("argmin",),
    "maximum": ("minimum", "add"),
    "minimum": ("maximum",),
    "exp": ("expm1", "exp2"),
    "expm1": ("exp",),
    "log": ("log1p", "log2"),
    "log1p": ("log",),
    "zeros": ("ones",),
    "zeros_like": ("ones_like", "empty_like"),
    "ones": ("zeros",),
    "tanh": ("sin",),
    "erf": ("erfc",),
    "erfc": ("erf",),
    "repeat": ("tile",),
}
_MADE = {"zeros", "zeros_like", "empty", "ones", "full", "copy"}
_DTYPES = ("float32", "float16", "int64")
# What is done to a result at the end, or to an argument at the start.
_TOUCHED = (
    "np.asarray({}).astype(np.float32).astype(np.float64)",
    "np.asarray({}).astype(np.float16).astype(np.float64)",
    "np.trunc({})",
    "np.round({}, 3)",
    "np.round({}, 8)",
    "({} + 1e-8)",
    "({} * (1 + 1e-9))",
    "abs({})",
)


class Mutant(NamedTuple):
    """A function with one mistake.

    Attributes:
        line: in the source of the right one, from 1 on.
        before: that line.
        after: the lines that differ in the mutant, as Python writes them.
        source: the whole mutant.
        precision: only the precision of its arithmetic is another.
    """

    line: int
    before: str
    after: str
    source: str
    precision: bool


def source_of(function: Callable[..., Any]) -> str:
    """The source of a function, without its documentation."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    body = tree.body[0].body  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        del body[0]
    return ast.unparse(tree)


def compiled(source: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of that source, with the names that the right one sees."""
    namespace = dict(function.__globals__)
    exec(compile(source, f"<mutant of {function.__name__}>", "exec"), namespace)  # noqa: S102 (our own source)
    return namespace[function.__name__]


def mutants_of(function: Callable[..., Any], most: int | None = None) -> tuple[Mutant, ...]:
    """Every mutant, each once; or of so many changes, always the same."""
    source = source_of(function)
    lines, found = source.splitlines(), {}
    changes = list(_changes(ast.parse(source)))
    if most is not None:
        changes = random.Random(function.__name__).sample(changes, min(most, len(changes)))  # noqa: S311 (no secret)
    for change in changes:
        tree = ast.parse(source)
        change.apply(tree)
        try:
            mutated = ast.unparse(ast.fix_missing_locations(tree))
            compile(mutated, "<mutant>", "exec")
        except (SyntaxError, ValueError, RecursionError):
            continue
        if mutated != source and mutated not in found:
            now = mutated.splitlines()
            after = [line.strip() for line in now if line not in lines]
            before = lines[change.line - 1].strip()
            found[mutated] = Mutant(change.line, before, " ⏎ ".join(after), mutated, change.precision)
    return tuple(found.values())


class _Change(NamedTuple):
    """A change of the node that is reached by a path of fields and indices."""

    path: tuple[Any, ...]
    line: int
    made: Callable[[Any], Any]
    precision: bool = False

    def apply(self, tree: ast.AST) -> None:
        node: Any = tree
        for step in self.path[:-1]:
            node = node[step] if isinstance(step, int) else getattr(node, step)
        last = self.path[-1]
        old = node[last] if isinstance(last, int) else getattr(node, last)
        new = self.made(copy.deepcopy(old))
        if isinstance(last, int):
            node[last : last + 1] = new if isinstance(new, list) else [new]
        else:
            setattr(node, last, new)


def _walk(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    if isinstance(node, ast.AST):
        yield node, path
        for field, value in ast.iter_fields(node):
            if field not in {"annotation", "returns", "ctx"}:
                yield from _walk(value, (*path, field))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _walk(value, (*path, number))


def _changes(tree: ast.Module) -> Iterator[_Change]:
    groups = _alike(tree)
    for node, path in _walk(tree):
        line = getattr(node, "lineno", 1)
        for made in _expressions(node, groups):
            yield _Change(path, line, made)
        for made, precision in _precisions(node):
            yield _Change(path, line, made, precision)
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef):
            for made, precision in _statements(node):
                yield _Change(path, line, made, precision)
        if isinstance(node, ast.FunctionDef):
            yield from _arguments(node, path)


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _expressions(node: Any, groups: dict[str, list[str]]) -> Iterator[Callable[[Any], Any]]:
    """Changes of one node for another, which gives other numbers if any."""
    if isinstance(node, ast.Constant):
        yield from (lambda _, value=value: ast.Constant(value) for value in _constants(node.value))
    elif isinstance(node, ast.BinOp):
        for operator in _OPERATORS.get(type(node.op), ()):
            yield lambda old, operator=operator: ast.BinOp(old.left, operator(), old.right)
        yield lambda old: old.left
        yield lambda old: old.right
        if isinstance(node.op, ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.MatMult | ast.Pow):
            yield lambda old: ast.BinOp(old.right, old.op, old.left)
    elif isinstance(node, ast.UnaryOp):
        yield lambda old: old.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for operator in _COMPARISONS.get(type(node.ops[0]), ()):
            yield lambda old, operator=operator: ast.Compare(old.left, [operator()], old.comparators)
    elif isinstance(node, ast.Compare):
        for number, one in enumerate(node.ops):
            for operator in _COMPARISONS.get(type(one), ()):
                yield lambda old, number=number, operator=operator: ast.Compare(
                    old.left, [*old.ops[:number], operator(), *old.ops[number + 1 :]], old.comparators
                )
    elif isinstance(node, ast.BoolOp):
        yield lambda old: ast.BoolOp(ast.Or() if isinstance(old.op, ast.And) else ast.And(), old.values)
        yield from (lambda old, number=number: old.values[number] for number in range(len(node.values)))
    elif isinstance(node, ast.IfExp):
        yield lambda old: ast.IfExp(ast.UnaryOp(ast.Not(), old.test), old.body, old.orelse)
        yield lambda old: old.body
        yield lambda old: old.orelse
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from (lambda old, name=name: ast.Name(name, old.ctx) for name in groups.get(node.id, ()))
    elif isinstance(node, ast.Slice):
        yield from _slices(node)
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load | ast.Store):
        yield from _indices(node)
    elif isinstance(node, ast.Attribute):
        yield from (lambda old, name=name: ast.Attribute(old.value, name, old.ctx) for name in _CALLED.get(node.attr, ()))
        if node.attr == "T":
            yield lambda old: old.value
    elif isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load | ast.Store):
        for number in range(len(node.elts) - 1):
            yield lambda old, number=number: type(old)(_exchanged(old.elts, number), old.ctx)
    elif isinstance(node, ast.Call):
        yield from _calls(node)


def _constants(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return tuple(dict.fromkeys((value + 1, value - 1, -value, 0)))
    if isinstance(value, float):
        return (value + 1, -value, value * (1 + 1e-4), 0.0)
    if isinstance(value, str) and "->" in value:
        return tuple(_other_letters(value))
    return ()


def _other_letters(subscripts: str) -> Iterator[str]:
    """A subscript of einsum with two neighbouring letters of one term exchanged."""
    for number in range(len(subscripts) - 1):
        one, other = subscripts[number], subscripts[number + 1]
        if one.isalpha() and other.isalpha():
            yield subscripts[:number] + other + one + subscripts[number + 2 :]


def _exchanged(items: list[Any], number: int) -> list[Any]:
    return [*items[:number], items[number + 1], items[number], *items[number + 2 :]]


def _plus(node: ast.expr, step: int) -> ast.expr:
    return ast.BinOp(node, ast.Add() if step > 0 else ast.Sub(), ast.Constant(1))


def _slices(node: ast.Slice) -> Iterator[Callable[[Any], Any]]:
    for field in ("lower", "upper", "step"):
        if getattr(node, field) is None:
            continue
        yield lambda old, field=field: _with_bound(old, field, None)
        for step in (1, -1) if not isinstance(getattr(node, field), ast.Constant) else ():
            yield lambda old, field=field, step=step: _with_bound(old, field, _plus(getattr(old, field), step))


def _with_bound(old: ast.Slice, field: str, bound: ast.expr | None) -> ast.Slice:
    setattr(old, field, bound)
    return old


def _indices(node: ast.Subscript) -> Iterator[Callable[[Any], Any]]:
    places = range(len(node.slice.elts)) if isinstance(node.slice, ast.Tuple) else (None,)
    for place in places:
        entry = node.slice if place is None else node.slice.elts[place]  # pyright: ignore[reportAttributeAccessIssue]
        if not isinstance(entry, ast.Name | ast.BinOp):
            continue
        for step in (1, -1):

            def moved(old: ast.Subscript, place: int | None = place, step: int = step) -> ast.Subscript:
                if place is None:
                    return ast.Subscript(old.value, _plus(old.slice, step), old.ctx)
                entries = list(old.slice.elts)  # pyright: ignore[reportAttributeAccessIssue]
                entries[place] = _plus(entries[place], step)
                return ast.Subscript(old.value, ast.Tuple(entries, ast.Load()), old.ctx)

            yield moved


def _calls(node: ast.Call) -> Iterator[Callable[[Any], Any]]:
    for number in range(len(node.args) - 1):
        yield lambda old, number=number: ast.Call(old.func, _exchanged(old.args, number), old.keywords)
    if isinstance(node.func, ast.Name) and node.func.id == "range" and len(node.args) == 1:
        for text in ("range({} - 1)", "range({} + 1)", "range(1, {})", "reversed(range({}))", "range(0, {}, 2)", "range(1)"):
            yield lambda old, text=text: _expression(text.format(ast.unparse(old.args[0])))
    if isinstance(node.func, ast.Name) and node.func.id in {"max", "min"} and len(node.args) == 2:
        yield lambda old: old.args[0]
        yield lambda old: old.args[1]
        yield lambda old: ast.Call(ast.Name("min" if old.func.id == "max" else "max", ast.Load()), old.args, [])
    if isinstance(node.func, ast.Attribute) and node.args and isinstance(node.func.value, ast.Name):
        if node.func.value.id == "np" and node.func.attr not in _MADE:
            yield lambda old: old.args[0]
    elif isinstance(node.func, ast.Attribute):
        yield lambda old: old.func.value
    for number in range(len(node.keywords)):
        yield lambda old, number=number: ast.Call(old.func, old.args, old.keywords[:number] + old.keywords[number + 1 :])


def _precisions(node: Any) -> Iterator[tuple[Callable[[Any], Any], bool]]:
    """Arrays made with another dtype."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MADE and node.args:
        for dtype in _DTYPES:
            keyword = ast.keyword("dtype", _expression(f"np.{dtype}"))
            yield lambda old, keyword=keyword: ast.Call(old.func, old.args, [*old.keywords, keyword]), dtype != "int64"


def _statements(node: ast.stmt) -> Iterator[tuple[Callable[[Any], Any], bool]]:
    if isinstance(node, ast.AugAssign):
        for text in ("{} = {}", "{} = {} - {}"):
            target, value = ast.unparse(node.target), ast.unparse(node.value)
            first = (target, value) if text.count("{}") == 2 else (target, target, value)
            yield lambda _, text=text, first=first: ast.parse(text.format(*first)).body[0], False
        for dtype in _DTYPES if isinstance(node.op, ast.Add) else ():
            total = f"{ast.unparse(node.target)} + {ast.unparse(node.value)}"
            line = f"{ast.unparse(node.target)} = np.asarray({total}).astype(np.{dtype})"
            yield lambda _, line=line: ast.parse(line).body[0], dtype != "int64"
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Break | ast.Continue):
        yield lambda _: ast.Pass(), False
    if isinstance(node, ast.If):
        yield lambda old: ast.If(ast.UnaryOp(ast.Not(), old.test), old.body, old.orelse), False
        yield lambda old: old.body, False
        yield lambda old: old.orelse or ast.Pass(), False
    if isinstance(node, ast.For):
        yield lambda old: ast.For(old.target, old.iter, [*old.body, ast.Break()], []), False
        if len(node.body) == 1 and isinstance(node.body[0], ast.For):
            yield _loops_exchanged, False
    if isinstance(node, ast.Return) and node.value is not None:
        for number in range(len(node.value.elts) if isinstance(node.value, ast.Tuple) else 1):
            for text in _TOUCHED:
                yield (lambda old, number=number, text=text: _touched(old, number, text)), "float" in text


def _loops_exchanged(old: ast.For) -> ast.For:
    (inner,) = old.body
    assert isinstance(inner, ast.For)  # noqa: S101 (as the caller saw)
    return ast.For(inner.target, inner.iter, [ast.For(old.target, old.iter, inner.body, [])], [])


def _touched(old: ast.Return, number: int, text: str) -> ast.Return:
    if not isinstance(old.value, ast.Tuple):
        return ast.Return(_expression(text.format(f"({ast.unparse(old.value)})")))  # pyright: ignore[reportArgumentType]
    entries = list(old.value.elts)
    entries[number] = _expression(text.format(f"({ast.unparse(entries[number])})"))
    return ast.Return(ast.Tuple(entries, ast.Load()))


def _arguments(node: ast.FunctionDef, path: tuple[Any, ...]) -> Iterator[_Change]:
    """An argument changed at the start; those that are no array are left alone."""
    arrays = [arg.arg for arg in node.args.args if ast.unparse(arg.annotation or ast.Constant("")) == "Array"]
    for name in arrays:
        for text in _TOUCHED:
            line = f"{name} = {text.format(name)}"

            def begun(old: list[ast.stmt], line: str = line) -> list[ast.stmt]:
                return [*ast.parse(line).body, *old]

            yield _Change((*path, "body"), node.lineno, begun, precision="float" in text)


def _alike(tree: ast.Module) -> dict[str, list[str]]:
    """For every name the others of its kind: bound together, loop variables of one nest, arguments that are arrays."""
    (function,) = tree.body
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 (what was parsed)
    sets = [[arg.arg for arg in function.args.args if ast.unparse(arg.annotation or ast.Constant("")) == "Array"]]
    loops, sizes = [], []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            sets.append([entry.id for entry in node.targets[0].elts if isinstance(entry, ast.Name) and entry.id != "_"])
            sizes += sets[-1]
        elif isinstance(node, ast.For):
            loops += [entry.id for entry in ast.walk(node.target) if isinstance(entry, ast.Name)]
    sets += [loops, sizes]
    alike: dict[str, list[str]] = {}
    for names in sets:
        for name in names:
            alike.setdefault(name, []).extend(other for other in names if other != name and other not in alike.get(name, ()))
    return alike
