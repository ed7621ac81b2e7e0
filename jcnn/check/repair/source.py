"""A candidate's source as a tree whose pieces can be replaced: what stands where, and what is in scope there."""

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MOST_BYTES = 100_000
"""No homework is longer; of more no tree is made."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Replacement(NamedTuple):
    """A piece of the source, and what is to stand there.

    Attributes:
        begin: its first byte.
        end: the byte behind its last.
        text: what stands there instead.
    """

    begin: int
    end: int
    text: str


class Scope(NamedTuple):
    """What a function computes with.

    Attributes:
        function: the function.
        nodes: all nodes in it, without those of functions in it.
        loops: names that loops count with.
        sizes: names of sizes and options: numbers that no loop counts with.
        arrays: names of everything else.
        parents: the node around each node.
    """

    function: Function
    nodes: tuple[ast.AST, ...]
    loops: tuple[str, ...]
    sizes: tuple[str, ...]
    arrays: tuple[str, ...]
    parents: dict[ast.AST, ast.AST]

    def role_of(self, name: str) -> tuple[str, ...]:
        """The names of the same kind, itself among them; empty for one of no kind."""
        return next((names for names in (self.loops, self.sizes, self.arrays) if name in names), ())


class Source:
    """The text of a module, its tree, and where in the text the nodes are."""

    def __init__(self, text: str) -> None:
        """Parses it.

        Raises:
            SyntaxError, ValueError, RecursionError, MemoryError: it is no Python, or none that can be read.
        """
        self.text = text.encode()
        self.tree = ast.parse(text)
        self._starts = [0]
        for line in self.text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """The bytes of an expression or statement."""
        begin = self._starts[node.lineno - 1] + node.col_offset  # pyright: ignore[reportAttributeAccessIssue]
        end = self._starts[node.end_lineno - 1] + node.end_col_offset  # pyright: ignore[reportAttributeAccessIssue]
        return begin, end

    def of(self, node: ast.AST) -> str:
        """The text of a node."""
        begin, end = self.span(node)
        return self.text[begin:end].decode()

    def lines(self, node: ast.AST) -> tuple[int, int]:
        """The bytes of all lines that a statement stands on."""
        return self._starts[node.lineno - 1], self._starts[node.end_lineno]  # pyright: ignore[reportAttributeAccessIssue]

    def line(self, number: int) -> str:
        """A line, the first being 1, without the spaces around it."""
        return self.text[self._starts[number - 1] : self._starts[number]].decode().strip()

    def replaced(self, replacements: Sequence[Replacement]) -> str:
        """The text with these pieces replaced, of which none lies in another."""
        text = self.text
        for begin, end, new in sorted(replacements, reverse=True):
            text = text[:begin] + new.encode() + text[end:]
        return text.decode()

    def scopes(self) -> Iterator[Scope]:
        """All functions, those in classes and functions too."""
        parents = {child: parent for parent in ast.walk(self.tree) for child in ast.iter_child_nodes(parent)}
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield _scope(node, parents)


def _scope(function: Function, parents: dict[ast.AST, ast.AST]) -> Scope:
    nodes = tuple(_own_nodes(function))
    loops = _names(node.target for node in nodes if isinstance(node, ast.For | ast.comprehension))
    sizes = [name for node in nodes for name in _sizes(node)]
    sizes += [one.arg for one, default in _defaults(function) if isinstance(default, ast.Constant) or one.arg in _SIZED]
    taken = [one.arg for one in (*function.args.args, *function.args.kwonlyargs)]
    assigned = _names(node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    of_sizes = tuple(dict.fromkeys(name for name in sizes if name not in loops))
    arrays = tuple(dict.fromkeys(name for name in (*taken, *assigned) if name not in {*loops, *of_sizes}))
    return Scope(function, nodes, loops, of_sizes, arrays, parents)


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """In the order of the text, a string that stands for itself left out."""
    waiting: list[ast.AST] = list(reversed(function.body))
    waiting += [default for default in (*function.args.defaults, *function.args.kw_defaults) if default is not None]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        yield node
        if not isinstance(node, (*Function.__args__, ast.ClassDef)):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def _names(nodes: Iterator[ast.AST]) -> tuple[str, ...]:
    found = [one.id for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name)]
    return tuple(dict.fromkeys(found))


def _defaults(function: Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    taken = [*function.args.posonlyargs, *function.args.args]
    without = [None] * (len(taken) - len(function.args.defaults))
    yield from zip(taken, [*without, *function.args.defaults], strict=True)
    yield from zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)


_SIZED = (
    "shape",
    "size",
    "pool",
    "pool_size",
    "dilation",
    "groups",
    "stride",
    "strides",
    "pad",
    "padding",
    "kernel",
    "kernel_size",
    "window",
)


def _sizes(node: ast.AST) -> Iterator[str]:
    """Names that a statement gives a size: parts of a shape, entries of a dict of options, arithmetic of such."""
    if not isinstance(node, ast.Assign) or not _is_size(node.value):
        return
    for target in node.targets:
        yield from _names(iter([target]))


def _is_size(value: ast.expr) -> bool:
    """Whether an expression is made of sizes alone, as far as it can be seen."""
    match value:
        case ast.Constant(value=int()):
            return True
        case ast.Attribute(attr="shape" | "ndim" | "size"):
            return True
        case ast.Subscript(value=ast.Attribute(attr="shape")):
            return True
        case ast.Subscript(slice=ast.Constant(value=str() as name)):
            return name in _SIZED
        case ast.Call(func=ast.Name(id="len" | "int" | "max" | "min")):
            return True
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str() as name), *_]):
            return name in _SIZED
        case ast.BinOp(left=left, right=right):
            return _is_size(left) or _is_size(right) or all(isinstance(one, ast.Name) for one in (left, right))
        case ast.Tuple(elts=elts) | ast.BoolOp(values=elts):
            return all(_is_size(one) or isinstance(one, ast.Name) for one in elts)
        case ast.IfExp(body=body, orelse=orelse):
            return _is_size(body) or _is_size(orelse)
    return False
