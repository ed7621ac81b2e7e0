"""Python before 3.11.8 loses count when two threads parse at once, and a page that is being opened is then refused."""

import ast
import builtins
import sys
import threading
from functools import wraps
from typing import Any

MENDED = (3, 11, 8)
"""The first version that counts the depth of each tree by itself: https://github.com/python/cpython/issues/106905."""


def parse_one_at_a_time() -> None:
    """Lets the threads of this process make syntax trees one after the other, where Python itself does not see to it."""
    if sys.version_info >= MENDED:
        return
    compile_source = builtins.compile
    one = threading.RLock()

    @wraps(compile_source)
    def compile_alone(source: Any, filename: Any, mode: str, flags: int = 0, *rest: Any, **named: Any) -> Any:
        if not flags & ast.PyCF_ONLY_AST:
            # No tree, no count; and an import must not wait for another thread's.
            return compile_source(source, filename, mode, flags, *rest, **named)
        with one:
            return compile_source(source, filename, mode, flags, *rest, **named)

    builtins.compile = compile_alone
