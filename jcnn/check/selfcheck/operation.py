"""One of our own operations on given cases: forward, autodiff and manual gradient, in any dtype."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jcnn
from jcnn.check.bounds import Expected, as_leaves
from jcnn.check.cases import Case
from jcnn.check.judge import judge
from jcnn.check.operations import OPERATIONS, kind_of
from jcnn.check.precision import double_precision
from jcnn.check.report import Row, Verdict, worst_verdict
from jcnn.conv import plan

FACTORS = {"fft": 16.0, "winograd": 64.0}
"""How much more than a plain sum a formulation may amplify rounding."""

_NO_NUMBER = float("nan")


class Cell(NamedTuple):
    """One operation, computed in one way.

    Attributes:
        operation: its name.
        formulation: the algorithm, `""` where there is only one.
        gradient: `""` for the forward pass, `"autodiff"` or `"manual"`.
        dtype: what it computed in.
        cases: how many cases it took.
        skipped: how many it refused, as Winograd a stride.
        verdict: the worst.
        error: the largest absolute error against float64.
        relative: the largest error as a part of what rounding in this dtype explains.
        remark: where the worst is, if it is bad.
    """

    operation: str
    formulation: str
    gradient: str
    dtype: str
    cases: int
    skipped: int
    verdict: Verdict
    error: float
    relative: float
    remark: str = ""


def check_cases(
    operation: str, formulation: str, dtype: str, cases: Sequence[Case], options: dict[str, str] | None = None
) -> Iterator[Cell]:
    """The forward pass and both gradients of one of our operations in one dtype, compiled as one program.

    Args:
        operation: its name.
        formulation: one of `jcnn.conv` for conv, else `""`.
        dtype: what to compute in.
        cases: arguments of the operation.
        options: of the compiler, as `jax.jit` takes them.

    Yields:
        A cell for the forward pass and each gradient.
    """
    cases = [_held(case, dtype, operation) for case in cases]
    with double_precision(), jax.numpy_dtype_promotion("standard"):
        inputs = [_inputs(operation, case, dtype) for case in cases]
        programs = [_program(operation, formulation, case, given) for case, given in zip(cases, inputs, strict=True)]
        taken = [entry for entry in zip(cases, programs, inputs, strict=True) if entry[1]]
        refused = len(cases) - len(taken)

        def every(given: list[Any]) -> list[Any]:
            return [program(one) for (_, program, _), one in zip(taken, given, strict=True) if program]

        # Given as arguments: on constants the compiler would compute, not the kernels it chooses.
        results = jax.device_get(jax.jit(every, compiler_options=options)([given for *_, given in taken]))
    gradients: dict[str, list[tuple[Case, tuple[Any, ...]]]] = {}
    for (case, *_), result in zip(taken, results, strict=True):
        for gradient, leaves in result.items():
            gradients.setdefault(gradient, []).append((case, leaves))
    if not taken:
        yield Cell(operation, formulation, "", dtype, 0, refused, "agrees", _NO_NUMBER, _NO_NUMBER)
    for gradient, entries in gradients.items():
        rows = [row for case, leaves in entries for row in _rows(operation, formulation, gradient, case, leaves, dtype)]
        worst = max(rows, key=lambda row: (row.verdict == "bug", row.ulps / max(row.bound, 1e-300)))
        part = max((row.ulps / row.bound for row in rows if row.bound), default=0.0)
        bad = "" if worst.verdict == "agrees" else f"{worst.case}: {worst.remark or worst.worst}"
        error = max(row.error for row in rows)
        verdict = worst_verdict([row.verdict for row in rows])
        yield Cell(operation, formulation, gradient, dtype, len(entries), refused, verdict, error, part, bad)


def _held(case: Case, dtype: str, operation: str) -> Case:
    """The case with its numbers rounded to `dtype`, and a bias where the operation has one."""

    def hold(value: Any) -> Any:
        floating = isinstance(value, np.ndarray) and value.dtype == np.float64
        return value.astype(jnp.dtype(dtype)).astype(np.float64) if floating else value

    args = {name: hold(value) for name, value in case.args.items()}
    bias = OPERATIONS[operation].bias
    if bias and "b" not in args:
        args["b"] = np.zeros(bias(case))
    return case._replace(args=args)


def _inputs(operation: str, case: Case, dtype: str) -> dict[str, Any]:
    """What is computed with, `dtype` where it is real; sizes of windows are no input."""
    values = {"dy": _upstream(operation, case), **case.args}
    return {
        name: jnp.asarray(value, dtype) if _floating(value) else jnp.asarray(value)
        for name, value in values.items()
        if isinstance(value, np.ndarray)
    }


def _program(
    operation: str, formulation: str, case: Case, inputs: dict[str, Any]
) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    """A function that computes the case in all ways; None where the formulation refuses it."""
    row = OPERATIONS[operation]
    public = row.public or operation
    function = getattr(jcnn, public)
    dtype = inputs["dy"].dtype
    given = {name: jnp.asarray(value, dtype) if _floating(value) else value for name, value in case.options.items()}
    options = {**given, **({"formulation": formulation} if formulation else {})}
    count = len(row.backward.leaves)

    def run(inputs: dict[str, Any]) -> dict[str, Any]:
        # Labels are inputs too, but a window's size is static.
        values = {name: inputs.get(name, value) for name, value in case.args.items()}
        found: dict[str, Any] = {"": (function(*values.values(), **options),)}
        args, rest = list(values.values())[:count], list(values.values())[count:]
        found["autodiff"] = jax.vjp(lambda *args: function(*args, *rest, **options), *args)[1](inputs["dy"])
        if row.by_rule:
            ruled = partial(function, **options, gradient="manual")
            found["manual"] = jax.vjp(lambda *args: ruled(*args, *rest), *args)[1](inputs["dy"])
        else:
            seen = [value for name, value in values.items() if name != "b"]
            kept = {name: value for name, value in options.items() if name not in row.forward_only}
            found["manual"] = as_leaves(getattr(jcnn, f"{public}_backward")(inputs["dy"], *seen, **kept))
        return found

    try:
        jax.eval_shape(run, inputs)
    except (ValueError, TypeError):
        if not formulation or formulation == "lax":
            raise
        return None
    return run


def _floating(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.float64


def _upstream(operation: str, case: Case) -> np.ndarray:
    """dy, small whole numbers, so that every dtype holds them."""
    shape = np.shape(OPERATIONS[operation].forward.reference(*case.args.values(), **case.options))
    return np.random.default_rng([len(shape), *shape]).integers(-4, 5, shape).astype(np.float64)


def _rows(operation: str, formulation: str, gradient: str, case: Case, leaves: Sequence[Any], dtype: str) -> list[Row]:
    """Every output of one case against the reference."""
    if gradient:
        kind = kind_of(f"{operation}_backward")
        seen = {name: value for name, value in case.args.items() if name != "b"}
        case = case._replace(args={"dy": _upstream(operation, case), **seen})
    else:
        kind = kind_of(operation)
    if formulation == "auto" and dtype == "float32" and _filters_minimally(case):
        formulation = "winograd"
    factor = FACTORS.get(formulation, 1.0)
    rows = []
    for name, right, leaf in zip(kind.leaves, kind.expected(case), leaves, strict=True):
        if factor > 1:
            right = right._replace(terms=np.maximum(right.terms, _norms(name, case.args)))  # noqa: PLW2901
        rows.append(_row(case.name, name, right, np.asarray(leaf), dtype, kind.linear, factor))
    return rows


def _filters_minimally(case: Case) -> bool:
    """Whether `"auto"` may take minimal filtering for such a convolution in float32, in any of its passes."""
    shapes = (np.shape(case.args[name]) for name in ("x", "w"))
    chosen = plan(*shapes, **case.options)
    return "winograd" in (chosen.forward.way, chosen.dx.way, chosen.dw.way)


def _norms(leaf: str, args: dict[str, Any]) -> float:
    """‖a‖₂‖b‖₂ of the two arrays an output is made of: a transform spreads every rounding over all positions."""
    made_of = {"y": ("x", "w"), "dx": ("dy", "w"), "dw": ("dy", "x")}.get(leaf, ())
    return float(np.prod([np.linalg.norm(args[name].ravel()) for name in made_of])) if made_of else 0.0


def _row(case: str, leaf: str, right: Expected, got: np.ndarray, dtype: str, whole: bool, factor: float) -> Row:
    if got.dtype.name != dtype or got.shape != right.value.shape:
        remark = f"{leaf} is {got.dtype.name} of shape {got.shape}: expected {dtype}, {right.value.shape}"
        return Row(case, "bug", leaf, _NO_NUMBER, _NO_NUMBER, _NO_NUMBER, _NO_NUMBER, remark=remark)
    return judge(case, leaf, right, got.astype(np.float64), (dtype,), whole=whole, factor=factor).row
