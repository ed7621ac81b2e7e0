"""A gradient by hand against JAX's, leaf by leaf, in float64, with witnesses against both."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jcnn.check import bounds
from jcnn.check.comparing.adjoint_and_taylor_tests import witnesses_of
from jcnn.check.comparing.autodiff import miscompiled, random_directions, try_autodiff
from jcnn.check.comparing.candidate_gradients import Failure, gradients_of
from jcnn.check.comparing.derivation import Problem, leaf_names, make_problem
from jcnn.check.comparing.directional_derivatives import function_of
from jcnn.check.comparing.error_direction import direction
from jcnn.check.comparing.explain import explained
from jcnn.check.comparing.own_operations import Known, known_call
from jcnn.check.judge import judge
from jcnn.check.precision import double_precision
from jcnn.check.report import Report, Row, Verdict, Witness, Worst, worst_verdict


def compare(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    *args: Any,
    dtype: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Compares a backward pass with what JAX derives from the forward pass, and calls further witnesses, against JAX as well.

        expected = jax.vjp(forward, *args)(dy)        got = backward(dy, *args)        dy random

    An element agrees if it is off by no more than rounding explains: 6n·u times the root mean square of its terms, n the number
    of outputs it sums over at the most (rounding errors of either sign partly cancel, Higham & Mary 2019), the mean square
    measured with random signs for dy; plus what computing the same gradient in float32 loses, times 2⁻²⁹ · 32. Even errors so
    small are no rounding where they all point the same way: along the gradient itself, or to one side.

    JAX's gradient is a witness, not the judge: where the definition (for operations of ours), forward mode or differences speak
    against it, `autodiff` of the report is "wrong", they take its place, and the diagnosis says who is right.

    Args:
        forward: y = forward(*args, **options), a JAX function with one array for a result.
        backward: the gradients, backward(dy, *args, **options): a tuple with one for every floating-point argument (or one for
            every argument, None where there is none), or an array, the gradient by the first of them. It may be NumPy, is
            called eagerly, and gets only as many arguments as it takes.
        *args: arrays, or pytrees of arrays; whatever is no floating-point array is passed on as it is.
        dtype: what backward computes in; its arguments are rounded to it and the bounds are its own. None: float64.
        seed: decides dy and the directions of the witnesses.
        **options: keyword arguments of both.

    Returns:
        The report; `worst` names its leaf as `"d"` and the argument's name.

    Raises:
        TypeError: there is nothing to differentiate by, or forward gives no floating-point array; and whatever forward raises.
        ValueError: unknown dtype.

    Source: Higham & Mary 2019, "A new approach to probabilistic rounding error analysis".
    """
    held = dtype or "float64"
    if held not in bounds.UNIT:
        raise ValueError(f"dtype={dtype!r}: expected one of {', '.join(bounds.UNIT)}")
    with double_precision():
        given = [_rounded(arg, held) for arg in args]
        problem = make_problem(forward, given, options)
        shape = jax.eval_shape(problem.function, *problem.args)
        if not hasattr(shape, "shape") or not jnp.issubdtype(shape.dtype, jnp.floating):
            raise TypeError(f"forward gives {shape}: expected one floating-point array")
        dy = jnp.asarray(np.random.default_rng([seed, 1]).normal(size=shape.shape), held)
        subject = f"{_name(backward)} against jax.vjp of {_name(forward)}, {held}"
        leaves = leaf_names(problem)
        try:
            got = gradients_of(backward, dy, given, options, problem, leaves)
        except Failure as failure:
            sentence = str(failure)
            row = Row("", "bug", leaves[0], np.nan, np.nan, np.nan, np.nan, remark=sentence)
            return Report(subject, "bug", sentence, None, (row,))
        known = known_call(forward, dy, given, options)
        against = miscompiled(problem)
        # A program that the compiler gets wrong is no reference: then every operation is run by itself.
        with jax.disable_jit() if against else nullcontext():
            return _held_against(problem, subject, dy, known, got, held, seed, against)


def _held_against(
    problem: Problem,
    subject: str,
    dy: jax.Array,
    known: Known | None,
    got: Sequence[np.ndarray | None],
    held: str,
    seed: int,
    against: tuple[Witness, ...],
) -> Report:
    """The report on gradients that have the right shapes."""
    upstream = dy.astype(jnp.float64)
    function = function_of(problem.function, problem.args, upstream)
    trial = try_autodiff(problem, function, upstream, known, held, seed)
    if against:
        trial = trial._replace(wrong=f"under jax.jit {against[0].found}", against=(*against, *trial.against))
    rows, coarsest = [], held
    precisions = tuple(bounds.UNIT)[tuple(bounds.UNIT).index(held) :]
    for name, right, leaf in zip(leaf_names(problem), trial.expected, got, strict=True):
        if leaf is None:
            rows.append(Row("", "agrees", name, np.nan, np.nan, np.nan, np.nan, remark="not given, not compared"))
            continue
        judged = judge("", name, right, leaf, precisions, whole=True)
        row = judged.row
        if row.verdict in {"agrees", "rounding"} and (pointing := direction(name, right, leaf, precisions)):
            row = row._replace(verdict="bug", remark=pointing)
        rows.append(row)
        coarsest = max(coarsest, judged.precision, key=precisions.index)
    verdict = worst_verdict([row.verdict for row in rows])
    absent = [number for number, leaf in enumerate(got) if leaf is None]
    directions = random_directions(trial.expected, absent, seed)
    called = witnesses_of(function, directions, trial.expected, got, held)
    sentence, names = explained(verdict, rows, trial, got, coarsest, known)
    return Report(
        subject,
        verdict,
        sentence,
        _worst(rows, verdict),
        tuple(rows),
        names,
        witnesses=(*called, *trial.against),
        autodiff="wrong" if trial.wrong else "right",
    )


def _rounded(arg: Any, dtype: str) -> Any:
    """Floating-point arrays in `dtype`, of the library they came from; the rest as it is."""

    def change(leaf: Any) -> Any:
        if not hasattr(leaf, "dtype") or not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        return np.array(leaf, jnp.dtype(dtype)) if isinstance(leaf, np.ndarray) else jnp.asarray(leaf, dtype)

    return jax.tree.map(change, arg)


def _worst(rows: Sequence[Row], verdict: Verdict) -> Worst | None:
    compared = [row for row in rows if row.verdict == verdict and row.worst]
    return max(compared, key=lambda row: row.ulps / max(row.bound, 1e-300)).worst if compared else None


def _name(function: Callable[..., Any]) -> str:
    inner = function.func if isinstance(function, partial) else function
    return getattr(inner, "__name__", type(inner).__name__)
