"""Makes the calls it is asked for, one after the other, and says what came of each.

Runs as a process of its own, `python -m tests.fuzz.worker`: reads one case a line, as JSON, `[[call, {argument: kind}], …]`,
and answers with two lines for each, one before the call and one after it, so that whoever reads them knows which call ended the
process, or never came back.
"""

import dis
import json
import math
import os
import re
import resource
import sys
import time
import warnings
from types import TracebackType
from typing import Any

MEMORY = 12 * 2**30
SYMBOLS = {
    "x": "N",
    "dx": "N",
    "n": "N",
    "w": "F",
    "f": "F",
    "window": "F",
    "stride": "S",
    "padding": "P",
    "dilation": "D",
    "shape": "N",
}
SYMBOLS |= dict.fromkeys(("network", "filters", "units"), "layer")
"""What stands for an argument in the messages of `jcnn.geometry`, and of a network."""
MANY = 10**7
"""A result of so many numbers was asked for, and takes its time."""
RAISE = dis.opmap["RAISE_VARARGS"]


def outcome(name: str, kinds: dict[str, str]) -> tuple[str, str]:
    """("ok" or "refused", …), or ("obscure", why)."""
    import jax

    from tests.fuzz.calls import ALL, DRILLS
    from tests.fuzz.values import NOT_FINITE, TRACED, made

    call = {**ALL, **DRILLS}[name]
    try:
        changed = {argument: made(kind, call.arguments[argument]) for argument, kind in kinds.items()}
        traced = {argument: changed.pop(argument) for argument, kind in kinds.items() if kind in TRACED}
        if traced:
            jax.make_jaxpr(lambda traced: (call(**changed, **traced), None)[1])(traced)
            return "ok", ""
        result = jax.block_until_ready(call(**changed))
    except Exception as error:  # noqa: BLE001 (whatever it is, it is what is asked about)
        return judge(error, list(kinds))
    if (numbers := sum(leaf.size for leaf in jax.tree.leaves(result) if isinstance(leaf, jax.Array))) > MANY:
        return "ok", f"{numbers:,} numbers"
    if not NOT_FINITE & set(kinds.values()) and (what := insane(result)):
        return "obscure", what
    return "ok", ""


def judge(error: Exception, names: list[str]) -> tuple[str, str]:
    """Whether an error is one of ours and names one of these arguments."""
    import jcnn

    text = str(error)
    last = error.__traceback__
    assert isinstance(last, TracebackType)
    while last.tb_next is not None:
        last = last.tb_next
    code = last.tb_frame.f_code
    where = f"{type(error).__name__} in {code.co_filename}:{last.tb_lineno}: {text[:300]}"
    if type(error) not in (ValueError, TypeError, jcnn.GeometryError, jcnn.NetworkError):
        return "obscure", f"class: {where}"
    if not code.co_filename.startswith(os.path.dirname(jcnn.__file__)) or code.co_code[last.tb_lasti] != RAISE:  # noqa: PTH120
        return "obscure", f"insides: {where}"
    if len(text) > 1000:
        return "obscure", f"{len(text)} characters: {where}"
    if not any(re.search(rf"(?<!\w)({name}|{SYMBOLS.get(name, name)})(?!\w)", text) for name in names):
        return "obscure", f"{'/'.join(names)} not named: {where}"
    return "refused", text


def insane(result: Any) -> str:
    """What no result of finite numbers may be."""
    import jax
    import jax.numpy as jnp

    for leaf in jax.tree.leaves(result):
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating) and not jnp.isfinite(leaf).all():
            return "a result that is not finite"
        if isinstance(leaf, float) and not math.isfinite(leaf):
            return "a number that is not finite"
    return ""


def main() -> None:
    """Answers every line of the input."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import jax

    jax.config.update("jax_traceback_filtering", "off")  # or JAX hides that an error was raised inside of it
    warnings.simplefilter("ignore")
    outcome("relu", {"x": "none"})  # all modules are there now, and no call is blamed for them
    for line in sys.stdin:
        name, kinds = json.loads(line)
        print("begin", flush=True)  # noqa: T201
        start = time.process_time()
        word, why = outcome(name, kinds)
        print(json.dumps([word, why, time.process_time() - start]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
