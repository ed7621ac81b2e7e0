"""A gradient by hand against JAX's, leaf by leaf, in float64."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jcnn.check import bounds, kinks, witnesses
from jcnn.check.cases import Case
from jcnn.check.diagnose import known_mistakes
from jcnn.check.judge import judge
from jcnn.check.kinds import KINDS, Expected, kind_of
from jcnn.check.outcome import Outcome, to_numpy
from jcnn.check.precision import double_precision
from jcnn.check.report import Report, Row, Verdict, Witness, Worst, worst_verdict

Array = np.ndarray
_PROBES = 8


class _Problem(NamedTuple):
    """forward and its arguments, those to differentiate by apart from the rest; all in float64."""

    function: Callable[..., Any]
    args: list[Any]
    names: list[str]
    positions: list[int]


class _Failure(Exception):  # noqa: N818 (what the candidate did wrong, no error of ours)
    """Why the candidate's gradients cannot be compared."""


def compare(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    *args: Any,
    dtype: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Compares a backward pass with what JAX derives from the forward pass, and calls two further witnesses.

        expected = jax.vjp(forward, *args)(dy)        got = backward(dy, *args)        dy random

    An element agrees if it is off by no more than rounding explains: 6n·u times the root mean square of its terms, n the number
    of outputs it sums over at the most (rounding errors of either sign partly cancel, Higham & Mary 2019), the mean square
    measured with random signs for dy; plus what computing the same gradient in float32 loses, times 2⁻²⁹ · 32.

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
        problem = _problem(forward, given, options)
        shape = jax.eval_shape(problem.function, *problem.args)
        if not hasattr(shape, "shape") or not jnp.issubdtype(shape.dtype, jnp.floating):
            raise TypeError(f"forward gives {shape}: expected one floating-point array")
        dy = jnp.asarray(np.random.default_rng([seed, 1]).normal(size=shape.shape), held)
        subject = f"{_name(backward)} against jax.vjp of {_name(forward)}, {held}"
        expected, leaves = _expected(problem, dy.astype(jnp.float64), held, seed)
        try:
            got = _called(backward, dy, given, options, problem, leaves)
        except _Failure as failure:
            sentence = str(failure)
            row = Row("", "bug", leaves[0], np.nan, np.nan, np.nan, np.nan, remark=sentence)
            return Report(subject, "bug", sentence, None, (row,))
        rows, coarsest = [], held
        precisions = tuple(bounds.UNIT)[tuple(bounds.UNIT).index(held) :]
        for name, right, leaf in zip(leaves, expected, got, strict=True):
            if leaf is None:
                rows.append(Row("", "agrees", name, np.nan, np.nan, np.nan, np.nan, remark="not given, not compared"))
                continue
            judged = judge("", name, right, leaf, precisions, whole=True)
            rows.append(judged.row)
            coarsest = max(coarsest, judged.precision, key=precisions.index)
        verdict = worst_verdict([row.verdict for row in rows])
        called = _witnesses(problem, dy.astype(jnp.float64), expected, got, held, seed)
        sentence, names = _diagnosis(verdict, rows, expected, got, coarsest, (forward, dy, given, options))
        return Report(subject, verdict, sentence, _worst(rows, verdict), tuple(rows), names, witnesses=called)


def _rounded(arg: Any, dtype: str) -> Any:
    """Floating-point arrays in `dtype`, of the library they came from; the rest as it is."""

    def change(leaf: Any) -> Any:
        if not hasattr(leaf, "dtype") or not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        return np.array(leaf, jnp.dtype(dtype)) if isinstance(leaf, np.ndarray) else jnp.asarray(leaf, dtype)

    return jax.tree.map(change, arg)


def _is_real(arg: Any) -> bool:
    leaves = jax.tree.leaves(arg)
    return bool(leaves) and all(hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves)


def _problem(forward: Callable[..., Any], given: Sequence[Any], options: dict[str, Any]) -> _Problem:
    positions = [place for place, arg in enumerate(given) if _is_real(arg)]
    if not positions:
        raise TypeError("args hold no floating-point arrays: expected at least one to differentiate by")

    def function(*real: Any) -> Any:
        every = list(given)
        for place, arg in zip(positions, real, strict=True):
            every[place] = arg
        return forward(*every, **options)

    wide = [jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), given[place]) for place in positions]
    return _Problem(function, wide, _argument_names(forward, len(given)), positions)


def _argument_names(function: Callable[..., Any], count: int) -> list[str]:
    try:
        names = [
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}
        ]
    except (TypeError, ValueError):
        names = []
    return [names[place] if place < len(names) else f"argument {place}" for place in range(count)]


def _expected(problem: _Problem, dy: jax.Array, held: str, seed: int) -> tuple[list[Expected], list[str]]:
    """JAX's gradients with their bounds and kinks, flat, and their names."""

    def pull(args: Sequence[Any], dy: jax.Array) -> list[jax.Array]:
        return jax.tree.leaves(jax.vjp(problem.function, *args)[1](dy))

    gradient = jax.jit(pull)
    here = [np.asarray(g) for g in gradient(problem.args, dy)]
    rng = np.random.default_rng([seed, 2])
    squares = [np.zeros(g.shape) for g in here]
    for _ in range(_PROBES):
        signs = jnp.asarray(rng.choice([-1.0, 1.0], dy.shape))
        for square, g in zip(squares, gradient(problem.args, dy * signs), strict=True):
            np.add(square, np.asarray(g) ** 2 / _PROBES, out=square)
    terms = [np.maximum(np.sqrt(square), np.abs(g)) for square, g in zip(squares, here, strict=True)]
    count = 6.0 * dy.size
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), problem.args)
    rough = [np.asarray(g, np.float64) for g in gradient(single, dy.astype(jnp.float32))]
    unsteady = [_finite(np.abs(r - g)) * 32 / bounds.UNIT["float32"] for r, g in zip(rough, here, strict=True)]
    noise = [bounds.bound(t, count, whole=True) + u * bounds.UNIT["float64"] for t, u in zip(terms, unsteady, strict=True)]
    step = 0.0 if held == "float64" else 8 * bounds.UNIT[held]
    spans = kinks.spans(lambda *args: gradient(args, dy), problem.args, here, noise, step, seed)
    expected = []
    for g, t, u, (low, high) in zip(here, terms, unsteady, spans, strict=True):
        smooth = np.where(low < high, 0.0, u)  # float32 may choose the other side of a kink: that says nothing about rounding
        expected.append(Expected(g, t, np.full(g.shape, count), low, high, smooth))
    return expected, _leaf_names(problem)


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)


def _leaf_names(problem: _Problem) -> list[str]:
    names = []
    for place, arg in zip(problem.positions, problem.args, strict=True):
        for path, _ in jax.tree_util.tree_leaves_with_path(arg):
            names.append(f"d{problem.names[place]}{jax.tree_util.keystr(path)}")
    return names


def _called(
    backward: Callable[..., Any],
    dy: jax.Array,
    given: Sequence[Any],
    options: dict[str, Any],
    problem: _Problem,
    leaves: Sequence[str],
) -> list[Array | None]:
    """The candidate's gradients, flat, one for every leaf; None where it gives none."""
    mine = [jax.tree.map(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, arg) for arg in given]
    upstream = np.array(dy) if any(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(given)) else dy
    taken = mine[: _room(backward, len(mine))]
    try:
        output = backward(upstream, *taken, **options)
    except Exception as error:
        lines = str(error).strip().splitlines() or ["(no message)"]
        raise _Failure(f"It raises {type(error).__name__}: {lines[0]}") from error
    for name, before, after in zip(problem.names, given, mine, strict=True):
        pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
        if any(isinstance(one, np.ndarray) and not np.array_equal(one, other, equal_nan=True) for one, other in pairs):
            raise _Failure(f"It changes its argument {name} in place: work on a copy.")
    parts = _parts(output, problem, taken)
    flat: list[Array | None] = []
    for part, arg in zip(parts, problem.args, strict=True):
        wanted = jax.tree.leaves(arg)
        found = [None] * len(wanted) if part is None else jax.tree.leaves(part)
        if len(found) != len(wanted):
            raise _Failure(f"It returns {len(found)} arrays for an argument of {len(wanted)}.")
        for leaf, like in zip(found, wanted, strict=True):
            flat.append(_array(leaves[len(flat)], leaf, like.shape))
    return flat


def _room(backward: Callable[..., Any], count: int) -> int:
    """How many arguments beside dy it takes: a bias that has no say in the gradients may be left out."""
    try:
        parameters = inspect.signature(backward).parameters.values()
    except (TypeError, ValueError):
        return count
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        return count
    return min(count, sum(p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD} for p in parameters) - 1)


def _parts(output: Any, problem: _Problem, taken: Sequence[Any]) -> list[Any]:
    """One gradient for every argument to differentiate by."""
    wanted = len(problem.positions)
    if not isinstance(output, tuple | list):
        return [output, *[None] * (wanted - 1)]
    names = ", ".join(f"d{problem.names[place]}" for place in problem.positions)
    if len(output) == wanted:
        return list(output)
    if len(output) == len(problem.names):
        return [output[place] for place in problem.positions]
    if len(output) == wanted + 1 and len(taken) == wanted:
        return list(output[:wanted])  # the gradient of an optional last argument, a bias, that was not given
    raise _Failure(f"It returns {len(output)} gradients: expected {wanted}, ({names}).")


def _array(name: str, leaf: Any, shape: tuple[int, ...]) -> Array | None:
    if leaf is None:
        return None
    array = to_numpy(leaf)
    if array is None:
        raise _Failure(f"{name} is a {type(leaf).__name__}: expected an array.")
    if array.dtype.kind in "iubc":
        raise _Failure(f"{name} has dtype {array.dtype.name}: expected real floating-point numbers.")
    if array.shape != shape:
        raise _Failure(f"{name} has shape {array.shape}: expected {shape}.")
    return array.astype(np.float64)


def _witnesses(
    problem: _Problem, dy: jax.Array, expected: Sequence[Expected], got: Sequence[Array | None], held: str, seed: int
) -> tuple[Witness, ...]:
    """The adjoint and the Taylor test along a direction that leaves alone what lies at kinks or has no gradient."""
    rng = np.random.default_rng([seed, 3])
    leaves, tree = jax.tree.flatten(problem.args)
    v = [
        np.where((right.low < right.high) | np.full(right.value.shape, leaf is None), 0.0, rng.normal(size=right.value.shape))
        for right, leaf in zip(expected, got, strict=True)
    ]
    g = [np.zeros(right.value.shape) if leaf is None else leaf for right, leaf in zip(expected, got, strict=True)]
    if not all(np.isfinite(leaf).all() for leaf in g):
        return ()
    u = np.asarray(dy)
    direction = [jnp.asarray(a) for a in v]
    forward = jax.jit(lambda *flat: problem.function(*jax.tree.unflatten(tree, flat)))
    try:
        jv = np.asarray(jax.jvp(forward, leaves, direction)[1])
        first = witnesses.adjoint(jv, u, v, g, bounds.UNIT[held])
    except TypeError:
        first = Witness("adjoint test ⟨Jv,u⟩ = ⟨v,Jᵀu⟩", holds=None, found="forward has no forward mode")

    def value(h: float) -> float:
        y = forward(*(leaf + h * a for leaf, a in zip(leaves, direction, strict=True)))
        return float(np.sum(np.asarray(y, np.longdouble) * u))

    slope = sum(float(np.sum(a * b)) for a, b in zip(g, v, strict=True))
    size = float(np.sum(np.abs(np.asarray(forward(*leaves)) * u)))
    return first, witnesses.taylor(value, slope, size, bounds.UNIT[held])


def _diagnosis(
    verdict: Verdict,
    rows: Sequence[Row],
    expected: Sequence[Expected],
    got: Sequence[Array | None],
    precision: str,
    called: tuple[Callable[..., Any], Any, Sequence[Any], dict[str, Any]],
) -> tuple[str | None, tuple[str, ...]]:
    """What is wrong in a sentence, and the names of the known mistakes that give these numbers."""
    if verdict == "agrees":
        return None, ()
    found = _named(rows, got, *called)
    if found:
        return " ".join(dict.fromkeys(f"{leaf}: {m.sentence}" if leaf else m.sentence for leaf, m in found)), tuple(
            dict.fromkeys(mistake.name for _, mistake in found)
        )
    if verdict == "rounding":
        return f"Right as far as {precision} arithmetic goes: somewhere it computes in {precision}.", (
            f"{precision} arithmetic",
        )
    if verdict == "kink":
        return "At ties or zeros it chooses another of the possible gradients; everywhere else it agrees.", ()
    sentences = []
    for row, right, leaf in zip(rows, expected, got, strict=True):
        if row.verdict == "bug" and leaf is not None:
            sentences.append(f"{row.leaf} {_resemblance(right.value, leaf)}.")
    return " ".join(sentences), ()


def _named(
    rows: Sequence[Row],
    got: Sequence[Array | None],
    forward: Callable[..., Any],
    dy: Any,
    given: Sequence[Any],
    options: dict[str, Any],
) -> Any:
    """The catalogue's answer, where forward is an operation of ours."""
    inner = forward
    while isinstance(inner, partial) and not inner.args:
        options, inner = {**inner.keywords, **options}, inner.func
    name = f"{getattr(inner, '__name__', '')}_backward"
    if name not in KINDS or not getattr(inner, "__module__", "").startswith("jcnn."):
        return ()
    kind = kind_of(name)
    options = {key: value for key, value in options.items() if key not in {"formulation", "gradient"}}
    values = [np.asarray(arg, np.float64) if _is_real(arg) else arg for arg in given]
    if name in {"conv_backward", "dense_backward"}:
        values = values[:2]
    names = list(kind.cases[0].args)
    if len(names) != 1 + len(values):
        return ()
    args = dict(zip(names, [np.asarray(dy, np.float64), *values], strict=True))
    case = Case("", args, options, frozenset(), whole=False)
    wrong = [{number for number, row in enumerate(rows) if row.verdict != "agrees"}]
    return known_mistakes(kind, (case,), [Outcome(tuple(got))], [kind.expected(case)], wrong)


def _resemblance(right: Array, got: Array) -> str:
    """What the wrong values look like, as a clause."""
    scale = float(np.abs(right).max(initial=0))

    def same(one: Array, other: Array) -> bool:
        return one.shape == other.shape and bool((np.abs(one - other) <= 1e-6 * scale).all())

    if not np.isfinite(got).all():
        return f"has {int((~np.isfinite(got)).sum())} numbers that are NaN or infinite"
    if not got.any():
        return "is 0 everywhere"
    if same(got, -right):
        return "has the wrong sign"
    factor = float(np.sum(got * right) / np.sum(right * right)) if right.any() else 0.0
    if factor and same(got, factor * right):
        return f"is {factor:.6g} times what it should be, everywhere"
    for axis in range(right.ndim):
        if right.shape[axis] > 1 and same(got, np.flip(right, axis)):
            return f"is turned round along axis {axis}"
    for one in range(right.ndim):
        for other in range(one + 1, right.ndim):
            if same(got, right.swapaxes(one, other)):
                return f"has axes {one} and {other} exchanged"
    off = np.abs(got - right) > 1e-6 * scale
    return f"is wrong in {int(off.sum())} of {off.size} elements"


def _worst(rows: Sequence[Row], verdict: Verdict) -> Worst | None:
    compared = [row for row in rows if row.verdict == verdict and row.worst]
    return max(compared, key=lambda row: row.ulps / max(row.bound, 1e-300)).worst if compared else None


def _name(function: Callable[..., Any]) -> str:
    inner = function.func if isinstance(function, partial) else function
    return getattr(inner, "__name__", type(inner).__name__)
