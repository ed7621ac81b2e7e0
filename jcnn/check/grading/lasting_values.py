"""What in a source may last from one call to the next: defaults that can change, names, caches. Nothing is run."""

import ast
from collections.abc import Iterator

_Function = ast.FunctionDef | ast.AsyncFunctionDef

_CONTAINERS = {"dict", "list", "set", "defaultdict", "OrderedDict", "Counter", "deque", "zeros", "ones", "empty", "array"}
_CHANGES = {"append", "add", "update", "setdefault", "extend", "insert", "pop", "clear", "popitem", "remove", "fill"}
_CACHES = {"cache", "lru_cache", "cached"}


def lasting_values(source: str) -> tuple[str, ...]:
    """What may last from call to call, each in words; nothing where the source shows nothing or is no Python.

    Args:
        source: the text of the candidate's file.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    functions = [node for node in ast.walk(tree) if isinstance(node, _Function)]
    shared = {name for node in tree.body for name, value in _assigned(node) if _can_change(value)}
    found = [text for function in functions for text in (*_defaults(function), *_names(function, shared), *_cached(function))]
    return tuple(dict.fromkeys(found))


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement gives values to."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    for target in targets:
        if isinstance(target, ast.Name) and value is not None:
            yield target.id, value


def _can_change(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Dict | ast.List | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    return isinstance(value, ast.Call) and _last_name(value.func) in _CONTAINERS


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _defaults(function: _Function) -> Iterator[str]:
    """Parameters whose default is changed in the function, and so in all later calls, or is handed out of it."""
    taken = function.args
    positional = [*taken.posonlyargs, *taken.args]
    pairs = [
        *zip(positional[len(positional) - len(taken.defaults) :], taken.defaults, strict=True),
        *zip(taken.kwonlyargs, taken.kw_defaults, strict=True),
    ]
    for parameter, default in pairs:
        if _can_change(default):
            shown = ast.unparse(default) if default is not None else ""
            yield f"the default {parameter.arg}={shown} of {function.name}, which is made once, for all calls"


def _names(function: _Function, shared: set[str]) -> Iterator[str]:
    """Names from outside the function, and its own attributes, that it changes."""
    for node in _inside(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield from (f"{name}, which {function.name} changes for later calls too" for name in node.names)
        else:
            name = _changed(node)
            if name in shared or (name == function.name and isinstance(node, ast.Assign | ast.AugAssign)):
                yield f"{name}, which {function.name} changes for later calls too"


def _inside(function: _Function) -> Iterator[ast.AST]:
    """All that stands in a function, apart from the functions in it."""
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop(0)
        if not isinstance(node, _Function):
            yield node
            left += ast.iter_child_nodes(node)


def _changed(node: ast.AST) -> str:
    """The name of what a statement changes without giving the name another value."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
        return _last_name(node.func.value) if isinstance(node.func.value, ast.Name) else ""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    for target in targets:
        if isinstance(target, ast.Subscript | ast.Attribute) and isinstance(target.value, ast.Name):
            return target.value.id
    return ""


def _cached(function: _Function) -> Iterator[str]:
    for decorator in function.decorator_list:
        name = _last_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if name in _CACHES:
            yield f"the {name} of {function.name}"
