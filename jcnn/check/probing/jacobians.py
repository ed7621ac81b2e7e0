"""Finds the formula that a candidate computes where that is no sum of products: activations, softmax, losses, whole maps.

The candidate is asked at chosen points. What it gives is compared, number by number, with all formulas that one slip makes of
the right one; the simplest that gives all numbers of all calls is it, or two of them, each on one side of a condition.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.bounds import as_leaves
from jcnn.check.cases import Case
from jcnn.check.operations import kind_of
from jcnn.check.outcome import Outcome
from jcnn.check.probing.calls import probing_calls
from jcnn.check.probing.edits import ONE, ZERO, edits_of
from jcnn.check.probing.formula import Program, Tree, call_values, evaluate, names_in, parse, written
from jcnn.check.probing.grammar import grammar
from jcnn.check.probing.pieces import SIZES, Piece, pieces_of
from jcnn.check.probing.textbook import FORMS, FORMS_OF_OTHERS, Form, Line, inlined
from jcnn.check.report import Finding

Array = np.ndarray
Answer = Callable[[Case], Outcome]

DECLINED = np.zeros(0)
"""In place of an output: the candidate takes no such call."""

OVERFLOWN = np.zeros(0)
"""In place of an output: it raised as numbers were too large, where NumPy gives inf."""

_FEW = 3
_PLAIN_PIECE = 1.5
_CLOSE = 1e-11
_ROUNDING = 3e-14


class Candidate(NamedTuple):
    """A formula that a candidate may compute.

    Attributes:
        tree: the formula; None for one that raises.
        cost: how far from the right one.
        text: the sentence, without the output's name and a full stop.
    """

    tree: Tree | None
    cost: float
    text: str


@dataclass(frozen=True)
class FormulaRule:
    """A formula, or one where a condition holds and another elsewhere."""

    first: "Candidate | FormulaRule"
    piece: Piece | None = None
    second: "Candidate | FormulaRule | None" = None

    def predict(self, case: Case, shape: tuple[int, ...]) -> Array | None:
        """What a candidate gives that follows the rule; None where it raises.

        Args:
            case: the call.
            shape: of the right output.
        """
        mask = np.asarray(True) if self.piece is None else _mask(self.piece, case, shape)
        if mask.all():
            return _predicted(self.first, case, shape)
        if self.second is None or not mask.any():
            return None if self.second is None else _predicted(self.second, case, shape)
        one, other = _predicted(self.first, case, shape), _predicted(self.second, case, shape)
        if one is None or other is None or one.shape != shape or other.shape != shape:
            return None
        return np.where(mask, one, other)

    @property
    def only_raises(self) -> bool:
        """It raises in every call."""
        return self.piece is None and isinstance(self.first, Candidate) and self.first.tree is None

    @property
    def cost(self) -> float:
        """How far-fetched it is."""
        return self.first.cost + (self.second.cost + self.piece.cost if self.piece and self.second else 0)

    @property
    def text(self) -> str:
        """In words."""
        if self.piece is None or self.second is None:
            return self.first.text
        here, there = self.first, self.second
        if here.cost == 0:
            return f"where {self.piece.opposite}, {there.text}; elsewhere it is right"
        if there.cost == 0:
            return f"where {self.piece.text}, {here.text}; elsewhere it is right"
        return f"where {self.piece.text}, {here.text}; where {self.piece.opposite}, {there.text}"

    def said_with(self, problem: str) -> "FormulaRule":
        """With an exception by its name."""
        first, second = (
            one.said_with(problem)
            if isinstance(one, FormulaRule)
            else one._replace(text=problem)
            if one is not None and one.tree is None
            else one
            for one in (self.first, self.second)
        )
        return FormulaRule(first or self.first, self.piece, second)


def _predicted(one: "Candidate | FormulaRule", case: Case, shape: tuple[int, ...]) -> Array | None:
    return one.predict(case, shape) if isinstance(one, FormulaRule) else _value(one.tree, call_values(case), shape)


def _mask(piece: Piece, case: Case, shape: tuple[int, ...]) -> Array:
    held = piece.holds(case, shape)
    return np.asarray(False if held is None else held)


def _value(
    tree: Tree | None, values: dict[str, Any], shape: tuple[int, ...], memo: dict[Tree, Any] | None = None
) -> Array | None:
    """Of a formula, in the output's shape where it is one number; None where it raises."""
    if tree is None:
        return None
    try:
        with np.errstate(all="ignore"):
            return _spread(evaluate(tree, values, memo), shape)
    except Exception:  # noqa: BLE001 (whatever NumPy says of shapes that do not fit)
        return None


def _spread(value: Any, shape: tuple[int, ...]) -> Array | None:
    if value is None or isinstance(value, str):
        return None
    found = np.asarray(value, np.float64)
    return np.broadcast_to(found, shape) if found.ndim == 0 and shape != () else found


def _is_counted(value: Any) -> bool:
    """Whether a value is an array of numbers; a random key is one of bits."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fi"


def _calls(kind: str) -> tuple[Case, ...]:
    """The calls in which one output is read, which `kind` names behind the operation where it is not the first."""
    return probing_calls(kind.partition(" ")[0])


def _forms(kind: str) -> tuple[Form, ...]:
    name, _, leaf = kind.partition(" ")
    return FORMS_OF_OTHERS[name][leaf] if leaf else FORMS[name]


@lru_cache(maxsize=64)
def candidates_of(kind: str) -> tuple[Candidate, ...]:
    """Every formula that one slip makes, the simplest first; the right one is the very first."""
    arguments = {name for case in _calls(kind) for name, value in case.args.items() if _is_counted(value)}
    forms = _forms(kind)
    right = forms[0]
    found: dict[Tree, Candidate] = {}
    name = right[-1].name
    right_tree = inlined(right)
    for number, form in enumerate(forms):
        if number:
            text = (
                f"{name} is computed as {_shown(form)}, which is right only for numbers that do not overflow, round off or tie"
            )
            found.setdefault(inlined(form), Candidate(inlined(form), 0.5 + 0.01 * number, text))
        for edited in edits_of(form, arguments):
            tree = inlined(edited.form)
            cost = edited.cost + 0.01 * number
            if tree not in found or found[tree].cost > cost:
                found[tree] = Candidate(tree, cost, _said(edited.form, edited.line, edited.note, form))
    for tree, text in ((ZERO, "0"), (ONE, "1")):
        found[tree] = Candidate(tree, 1.0, f"{name} is {text}")
    raises = Candidate(None, 1.0, "it raises an exception")
    rest = sorted((one for tree, one in found.items() if tree != right_tree), key=lambda one: one.cost)
    return (Candidate(right_tree, 0.0, "it is right"), raises, *rest)


def _shown(form: Form) -> str:
    return ", ".join(f"{line.name} = {written(line.tree)}" for line in form)


def _said(edited: Form, number: int, note: str, form: Form) -> str:
    if len(edited) > len(form):
        return note
    now, before = edited[number], form[number]
    text = f"{now.name} = {written(now.tree)}, but {written(before.tree)} is right"
    rest = [line for place, line in enumerate(form) if place != number and _worth_showing(line, before, place > number)]
    if rest:
        text += f" (with {', '.join(f'{line.name} = {written(line.tree)}' for line in rest)})"
    return f"{text}: {note}" if note else text


def _worth_showing(line: Line, edited: Line, later: bool) -> bool:
    return line.name in names_in(edited.tree) or (later and edited.name in names_in(line.tree))


class Predicted(NamedTuple):
    """What all formulas give in a call.

    Attributes:
        table: the numbers of those of the right shape.
        fits: which have that shape.
        raised: which raise.
        others: the other arrays, by the formula's number.
    """

    table: Array
    fits: Array
    raised: Array
    others: dict[int, Array]


@lru_cache(maxsize=64)
def _program(kind: str) -> Program:
    return Program([one.tree for one in candidates_of(kind)])


@lru_cache(maxsize=2048)
def _predicted_in(kind: str, call: int) -> Predicted:
    case, right = _calls(kind)[call], right_outputs(kind)[call]
    with np.errstate(all="ignore"):
        outputs = [_spread(output, right.shape) for output in _program(kind).run(call_values(case))]
    fits = np.array([output is not None and output.shape == right.shape for output in outputs])
    table = np.zeros((len(outputs), right.size))
    for number, output in enumerate(outputs):
        if fits[number] and output is not None:
            table[number] = output.reshape(-1)
    others = {n: output for n, output in enumerate(outputs) if output is not None and not fits[n]}
    return Predicted(table, fits, np.array([output is None for output in outputs]), others)


@lru_cache(maxsize=64)
def right_outputs(kind: str) -> tuple[Array, ...]:
    """What the reference gives in every call."""
    name, _, leaf = kind.partition(" ")
    known = kind_of(name)
    number = known.leaves.index(leaf) if leaf else 0
    with np.errstate(all="ignore"):
        outputs = (as_leaves(known.reference(*case.args.values(), **case.options)) for case in _calls(kind))
        return tuple(np.asarray(leaves[number]) for leaves in outputs)


def _tolerance(value: Array, case: Case) -> Array:
    """What rounding explains of a number."""
    sizes = [float(np.abs(a).max(initial=0)) for a in case.args.values() if _is_counted(a)]
    return _CLOSE * np.abs(value) + _ROUNDING * max(1.0, *sizes) ** (2 if "dy" in case.args or "target" in case.args else 1)


def agree(got: Array, predicted: Array, case: Case, *, loosely: bool = False) -> Array:
    """Number by number; infinite and not a number are one, as which of them overflow ends in is chance.

    Args:
        got: what was given.
        predicted: what it may be.
        case: the call.
        loosely: another order of rounding is let pass too.
    """
    with np.errstate(all="ignore"):
        close = np.abs(got - predicted) <= (100 if loosely else 1) * _tolerance(predicted, case)
    return np.where(np.isfinite(predicted), close, ~np.isfinite(got))


def compare(kind: str, outputs: Sequence[Array | None]) -> Array:
    """For every formula and every number of all calls, whether the candidate gave it.

    Args:
        kind: the operation.
        outputs: of every call; None where it raised, `DECLINED` where it takes no such call.
    """
    parts = [_same_in(kind, call, got) for call, got in enumerate(outputs)]
    return np.concatenate(parts, 1)


def _same_in(kind: str, call: int, got: Array | None) -> Array:
    """In one call, for every formula and every number."""
    case, right = _calls(kind)[call], right_outputs(kind)[call]
    table, fits, raised, others = _predicted_in(kind, call)
    if got is None:
        return raised[:, None]
    if got is OVERFLOWN:
        return (raised | (fits & ~np.isfinite(table).all(1)))[:, None]
    if got is DECLINED:
        return np.ones((len(fits), 0), bool)
    if got.shape == right.shape:
        return agree(got.reshape(1, -1), table, case) & fits[:, None]
    part = np.zeros((len(fits), 1), bool)
    for number, output in others.items():
        part[number] = output.shape == got.shape and bool(agree(got, output, case).all())
    return part


def _simplest(kind: str, outputs: Sequence[Array | None]) -> Candidate | None:
    """The simplest formula that gives everything, found call by call, as most fail in the first."""
    left = _same_in(kind, 0, outputs[0]).all(1)
    if len(outputs) > 1:
        left &= _same_in(kind, 1, outputs[1]).all(1)
    for number in np.flatnonzero(left):
        one = candidates_of(kind)[int(number)]
        if all(_gives(one.tree, kind, call, got) for call, got in enumerate(outputs)):
            return one
    return None


def _gives(tree: Tree | None, kind: str, call: int, got: Array | None) -> bool:
    """Whether a formula gives what was got in a call."""
    if got is DECLINED:
        return True
    case, right = _calls(kind)[call], right_outputs(kind)[call]
    value = _value(tree, call_values(case), right.shape)
    if got is None:
        return value is None
    if got is OVERFLOWN:
        return value is None or not np.isfinite(value).all()
    return value is not None and value.shape == got.shape and bool(agree(got, value, case).all())


def find_rule(kind: str, outputs: Sequence[Array | None]) -> FormulaRule | None:
    """The simplest rule by which all numbers come out; None where there is none, or nothing is wrong.

    Args:
        kind: the operation.
        outputs: of every call; None where it raised, `DECLINED` where it takes no such call.
    """
    simplest = _simplest(kind, outputs)
    if simplest is not None and (simplest.cost == 0 or "avg_pool" not in kind):
        return FormulaRule(simplest) if simplest.cost else None
    if (sized := by_sizes(kind, outputs)) is not None:
        return FormulaRule(sized)
    if simplest is not None:
        return FormulaRule(simplest)
    search = _Search(kind, outputs)
    return search.in_two() or _besides(kind, outputs) or search.generated() or search.in_cases()


_MEANS = {"global_avg_pool": ("H", "W"), "mean_squared_error": ("C",)}
"""By what the sum is divided that a mean is made of."""

_ENOUGH, _FEWEST_VALUES = 5, 3
"""In fewer calls, or with fewer values, one quotient of sizes or another fits by chance."""


def by_sizes(kind: str, outputs: Sequence[Array | None]) -> Candidate | None:
    """The right formula, multiplied in every call by one quotient of its sizes.

    Args:
        kind: the operation.
        outputs: of every call; None where it raised, `DECLINED` where it takes no such call.
    """
    cases: list[tuple[dict[str, Any], float]] = []
    for case, right, got in zip(_calls(kind), right_outputs(kind), outputs, strict=True):
        if got is DECLINED:
            continue
        if got is None or got is OVERFLOWN or got.shape != right.shape:
            return None
        there = right != 0
        if there.any():
            ratios = got[there] / right[there]
            if not np.isfinite(ratios).all() or np.ptp(ratios) > _SAME * abs(ratios[0]) or got[~there].any():
                return None
            cases.append((call_values(case), float(ratios[0])))
    values = {round(ratio, 9) for _, ratio in cases}
    if len(cases) < _ENOUGH or len(values) < _FEWEST_VALUES:
        return None
    mean = _MEANS.get(kind.removesuffix("_backward"), ())
    names = ("N", "C", "H", "W") if "H" in mean else ("N", "C", "M")
    for count in range(_MOST_SIZES + 1):
        for below in itertools.combinations_with_replacement(names, count):
            for above in ((), *((name,) for name in names if name not in below)):
                factor = [
                    math.prod(values[n] for n in (*above, *mean)) / math.prod(values[n] for n in below) for values, _ in cases
                ]
                if np.allclose(factor, [ratio for _, ratio in cases], rtol=1e-9, atol=0):
                    return _sized(kind, mean, above, below)
    return None


def _product(values: dict[str, Any], names: Sequence[str]) -> float:
    return math.prod(values[name] for name in names)


_SAME, _MOST_SIZES = 1e-9, 4


def _sized(kind: str, mean: Sequence[str], above: Sequence[str], below: Sequence[str]) -> Candidate:
    """What is said of the right formula times mean · above / below."""
    tree = candidates_of(kind)[0].tree
    for sign, names in (("*", (*above, *mean)), ("/", below)):
        for name in names:
            tree = (sign, tree, ("name", name))
    shown, right = ("·".join(dict.fromkeys(f"{name}{_POWERS[names.count(name)]}" for name in names)) for names in (below, mean))
    if not above and not below:
        text = f"nothing is divided by {right}: it is the sum, not the mean"
    elif not above:
        text = f"everything is divided by {shown}{f' where {right} is right' if right else ''}"
    else:
        text = f"everything is multiplied by {above[0]}{f'/({shown})' if shown else ''}"
        text += f" where 1/({right}) is right" if right else ""
    return Candidate(tree, 1.5, text + (f" (M: {SIZES['M'][3:-1]} together)" if "M" in (*above, *below) else ""))


_POWERS = {1: "", 2: "²", 3: "³", 4: "⁴"}

_SCALES = ("1", "N", "C", "M", "P", "N * C")


def _besides(kind: str, outputs: Sequence[Array | None]) -> FormulaRule | None:
    """A slip, and besides a factor or a constant that everything is multiplied by or added to."""
    got, right = outputs[0], right_outputs(kind)[0]
    if got is None or got.shape != right.shape or got.size < 3:
        return None
    predicted = _predicted_in(kind, 0)
    flat = got.reshape(-1)
    values = call_values(_calls(kind)[0])
    with np.errstate(all="ignore"):
        ratios, differences = flat / predicted.table, flat - predicted.table
        scaled = predicted.fits & (np.ptp(ratios, 1) <= 1e-9 * np.abs(ratios[:, 0]))
        shifted = predicted.fits & (np.ptp(differences, 1) <= 1e-11 * np.abs(flat).max())
    for number in np.flatnonzero(scaled | shifted):
        one = candidates_of(kind)[int(number)]
        if one.tree is None:
            continue
        more: list[tuple[Tree, str]] = []
        if scaled[number]:
            for size in map(parse, _SCALES):
                factor = _few_digits(float(ratios[number, 0]) * float(evaluate(size, values)))
                times: Tree = ("number", factor) if size == ONE else ("/", ("number", factor), size)
                more.append((("*", one.tree, times), f"everything is multiplied by {written(times)}"))
        if shifted[number]:
            constant: Tree = ("number", _few_digits(float(differences[number, 0])))
            more.append((("+", one.tree, constant), f"{written(constant)} is added to every number"))
        for tree, text in more:
            if all(_gives(tree, kind, call, output) for call, output in enumerate(outputs)):
                said = text if one.cost == 0 else f"{one.text}; besides, {text}"
                return FormulaRule(Candidate(tree, one.cost + 1.5, said))
    return None


def _few_digits(number: float) -> float:
    """A number of few digits that is as good as this one."""
    return float(f"{number:.9g}")


class _Search:
    """Rules with conditions."""

    def __init__(self, kind: str, outputs: Sequence[Array | None]) -> None:
        self.candidates, self.same = candidates_of(kind), compare(kind, outputs)
        self.pieces: list[tuple[Piece, Array]] = []
        self.kind = kind
        self.cases = cases = tuple(zip(_calls(kind), right_outputs(kind), outputs, strict=True))
        for piece in pieces_of(kind):
            masks = []
            for case, right, got in cases:
                if got is DECLINED:
                    continue
                special = got is None or got is OVERFLOWN or got.shape != right.shape
                mask = np.asarray(False) if special and not piece.whole else _mask(piece, case, right.shape)
                masks.append(np.broadcast_to(mask, (1,) if special else right.shape).reshape(-1))
            self.pieces.append((piece, np.concatenate(masks)))
        special = [
            np.full(
                1 if got is None or got is OVERFLOWN or got.shape != right.shape else right.size,
                got is None or got is OVERFLOWN or got.shape != right.shape,
            )
            for _, right, got in cases
            if got is not DECLINED
        ]
        self.special = np.concatenate(special)

    def whole(self, mask: Array) -> Candidate | None:
        """The simplest formula that gives all numbers of a mask."""
        found = np.flatnonzero(self.same[:, mask].all(1))
        return self.candidates[int(found[0])] if len(found) else None

    def in_two(self, among: Array | None = None) -> FormulaRule | None:
        """One formula where a condition holds, another where not, among the numbers of a mask."""
        inside = np.ones(self.same.shape[1], bool) if among is None else among
        same, special = self.same[:, inside], self.special[inside].any()
        best: FormulaRule | None = None
        masks = np.array([mask[inside] for _, mask in self.pieces])
        wrong = (~same).astype(np.float32)
        # For every formula and condition the numbers that it does not give, where the condition holds and where not.
        failed_here = wrong @ masks.T.astype(np.float32)
        failed_there = wrong.sum(1, keepdims=True) - failed_here
        for number, (piece, _) in enumerate(self.pieces):
            mask = masks[number]
            # A condition on single numbers says nothing of calls that raise, or give another shape.
            if mask.all() or not mask.any() or (special and not piece.whole):
                continue
            here, there = (np.flatnonzero(failed[:, number] == 0) for failed in (failed_here, failed_there))
            if len(here) and len(there) and self._supported(inside, mask, int(here[0]), int(there[0])):
                rule = FormulaRule(self.candidates[int(here[0])], piece, self.candidates[int(there[0])])
                if best is None or rule.cost < best.cost:
                    best = rule
        return best

    def generated(self) -> FormulaRule | None:
        """A formula of the grammar everywhere, or on one side of a condition where the other side is simple."""
        if self.special.any() or not len(self.special):
            return None
        everywhere = np.ones(len(self.special), bool)
        found = self._of_grammar(everywhere)
        if found is not None:
            return FormulaRule(found)
        for piece, mask in self.pieces:
            if mask.all() or not mask.any() or piece.cost > _PLAIN_PIECE:
                continue
            for side in (mask, ~mask):
                simple = self.whole(side)
                made = self._of_grammar(~side) if simple is not None else None
                if simple is not None and made is not None:
                    return FormulaRule(simple, piece, made) if side is mask else FormulaRule(made, piece, simple)
        return None

    def _of_grammar(self, mask: Array) -> Candidate | None:
        """The simplest formula of the grammar that gives the numbers of a mask."""
        calls, start = [], 0
        for case, right, got in self.cases:
            if got is None or got is DECLINED or got is OVERFLOWN:
                continue
            here = mask[start : start + got.size]
            start += got.size
            if here.any():
                calls.append((case, right, got.reshape(-1)[here], here))
        # The call with the fewest numbers that still tell formulas apart.
        screened = min((call for call in calls if len(call[2]) >= _FEW), key=lambda call: len(call[2]), default=None)
        if screened is None:
            return None
        case, right, got, here = screened

        def agrees(made: Array) -> Array:
            return np.asarray(agree(got, made.reshape(len(made), -1)[:, here], case).all(1))

        for tree in grammar(self.kind, call_values(case), agrees, right.shape):
            if all(
                (value := _value(tree, call_values(case), right.shape)) is not None
                and value.shape == right.shape
                and agree(got, value.reshape(-1)[here], case).all()
                for case, right, got, here in calls
            ):
                line = _forms(self.kind)[0][-1]
                return Candidate(tree, 3.0, f"{line.name} = {written(tree)}, but {written(line.tree)} is right")
        return None

    def _supported(self, inside: Array, mask: Array, here: int, there: int) -> bool:
        """A slip on one side has to show in more than one or two numbers."""
        right = self.same[0, inside]
        return all(
            number == 0 or self.candidates[number].tree is None or np.count_nonzero(~right[side]) >= _FEW
            for number, side in ((here, mask), (there, ~mask))
        )

    def in_cases(self) -> FormulaRule | None:
        """One rule for the calls for which a condition holds, a formula or a rule for the others."""
        best: FormulaRule | None = None
        for piece, mask in self.pieces:
            if not piece.whole or mask.all() or not mask.any():
                continue
            for side in (mask, ~mask):
                simple = self.whole(side)
                rest = self.in_two(~side) if simple is not None else None
                if simple is not None and rest is not None:
                    first, second = (simple, rest) if side is mask else (rest, simple)
                    rule = FormulaRule(first, piece, second)
                    if best is None or rule.cost < best.cost:
                        best = rule
        return best


def explain_formula(kind: str, answer: Answer) -> list[tuple[Finding, FormulaRule | None]]:
    """What is found of a candidate: how its formula differs, with one number worked out.

    Args:
        kind: the operation.
        answer: what the candidate does with a case.
    """
    outcomes = [answer(case) for case in probing_calls(kind)]
    again = answer(probing_calls(kind)[0])
    found = []
    for number, leaf in enumerate(kind_of(kind).leaves):
        if number and leaf not in FORMS_OF_OTHERS.get(kind, {}):
            continue
        one = _explain_output(f"{kind} {leaf}" if number else kind, number, leaf, outcomes, again)
        found += [one] if one is not None else []
    return found


def _explain_output(
    kind: str, number: int, leaf: str, outcomes: Sequence[Outcome], again: Outcome
) -> tuple[Finding, FormulaRule | None] | None:
    """What is found of one output."""
    outputs = [output_of(outcome, number) for outcome in outcomes]
    if sentence := _another_mask(kind, leaf, outputs):
        return Finding(leaf, f"{leaf}: the mask", sentence), None
    if _another(outputs[0], output_of(again, number)):
        sentence = (
            f"{leaf} is another one each time for the same input: something random, something kept from an earlier call, or "
            "memory that was never set (np.empty for np.zeros)."
        )
        return Finding(leaf, leaf, sentence), None
    if lost := _lost(kind, outputs):
        return Finding(leaf, leaf, f"{leaf} is NaN or infinite {lost}, of small numbers too."), None
    rules = ((find_rule(kind, read), where, read) for where, read in _readings(kind, outputs))
    rule, where, outputs = next((one for one in rules if one[0] is not None), (None, "", outputs))
    if rule is None:
        return None
    problem = next((outcome.problem for outcome in outcomes if outcome.raised and outcome.problem), None)
    if problem:
        rule = rule.said_with(f"{problem[0].lower()}{problem[1:].rstrip('.')}")
    named = rule.text.startswith(f"{leaf} ")
    sentence = f"{'' if named else f'{leaf}: '}{rule.text}{where}.{_on_overflow(kind, outputs)}"
    return Finding(leaf, leaf, sentence, _example(kind, leaf, outputs)), rule


_OTHER_FORMS: tuple[Callable[[Case], bool], ...] = (
    lambda case: case.args["labels"].ndim == case.args["logits"].ndim if "logits" in case.args else False,
    lambda case: max(value.ndim for value in case.args.values() if _is_counted(value)) > _VECTORS,
)
"""Labels as distributions, and more axes than of one vector an example: what a candidate need not know."""
_VECTORS = 2


def _without_forms_not_taken(kind: str, outputs: Sequence[Array | None]) -> list[Array | None] | None:
    """With the calls left out whose form the candidate is not written for: it fails in most and is right in none of them."""
    made = list(outputs)
    for form in _OTHER_FORMS:
        concerned = [at for at, case in enumerate(_calls(kind)) if form(case) and outputs[at] is not DECLINED]
        fails = [_fails(kind, place, outputs[place]) for place in concerned]
        right = [_gives(candidates_of(kind)[0].tree, kind, place, outputs[place]) for place in concerned]
        if sum(fails) > len(fails) / 2 and not any(right):
            for place in concerned:
                made[place] = DECLINED
    left = [place for place, got in enumerate(made) if got is not DECLINED]
    if len(left) == len(made) or len(left) < _FEW or any(_fails(kind, place, made[place]) for place in left):
        return None
    return made


def _readings(kind: str, outputs: Sequence[Array | None]) -> Iterator[tuple[str, Sequence[Array | None]]]:
    """The outputs that a rule is read off, and which those are, in words: all, or without those of forms not written for."""
    taken = _without_forms_not_taken(kind, outputs)
    usual = _of_usual_rank(kind, taken or outputs)
    if usual and not usual.right:
        yield usual.where, usual.outputs
    if taken is not None:
        yield "", taken
    yield "", outputs
    if usual and usual.right <= usual.others / 2:
        yield usual.where, usual.outputs


class _UsualRank(NamedTuple):
    """The outputs of calls with as many axes as homework has.

    Attributes:
        outputs: the others count as declined.
        where: which they are, in words.
        others: how many others there are.
        right: in how many of those the candidate is right.
    """

    outputs: list[Array | None]
    where: str
    others: int
    right: int


def _of_usual_rank(kind: str, outputs: Sequence[Array | None]) -> _UsualRank | None:
    """Only what has as many axes as homework has; None where all has, or any number is usual."""
    images = "global_" in kind or "flatten" in kind
    usual = _IMAGE_AXES if images else _VECTORS
    if not images and "soft" not in kind:
        return None
    made = list(outputs)
    ranks = [max(value.ndim for value in case.args.values() if _is_counted(value)) for case in _calls(kind)]
    others = [place for place, rank in enumerate(ranks) if rank != usual and outputs[place] is not DECLINED]
    right = [_gives(candidates_of(kind)[0].tree, kind, place, outputs[place]) for place in others]
    for place in others:
        made[place] = DECLINED
    where = f" (read in the calls with {'two spatial axes' if images else 'two axes'})"
    return _UsualRank(made, where, len(others), sum(right)) if others else None


_IMAGE_AXES = 4


def _fails(kind: str, call: int, got: Array | None) -> bool:
    """Whether it raised in a call, or gave another shape."""
    return got is None or (got is not OVERFLOWN and got is not DECLINED and got.shape != right_outputs(kind)[call].shape)


def _another_mask(kind: str, leaf: str, outputs: Sequence[Array | None]) -> str:
    """Said of a dropout whose every number is 0 or what is kept, but not where the key has it so."""
    if not kind.startswith("dropout"):
        return ""
    elsewhere = False
    for case, right, got in zip(_calls(kind), right_outputs(kind), outputs, strict=True):
        if got is DECLINED:
            continue
        if got is None or got.shape != right.shape:
            return ""
        kept = next(iter(case.args.values())) / (1 - case.options["rate"])
        if not (agree(got, kept, case) | (got == 0)).all() or not (got == 0).any() or (got == 0).all():
            return ""
        elsewhere |= bool(((got == 0) != (right == 0)).any())
    why = (
        "the mask of the forward pass, which the same key draws again" if "backward" in kind else "the mask that the key draws"
    )
    return f"{leaf} is 0 in other places than the key has it: it takes {why}." if elsewhere else ""


_SMALL = 50.0
"""Of numbers up to here no exponential overflows."""
_NEARLY_ALL = 0.9


def _lost(kind: str, outputs: Sequence[Array | None]) -> str:
    """How much is NaN or infinite where nothing overflows, if that is nearly all: no formula is to be read off it."""
    lost = []
    for case, right, got in zip(_calls(kind), right_outputs(kind), outputs, strict=True):
        numbers = [value for value in case.args.values() if _is_counted(value)]
        small = all(float(np.abs(value).max(initial=0)) <= _SMALL for value in numbers)
        if small and got is not None and got is not DECLINED and got is not OVERFLOWN and got.shape == right.shape:
            lost.append(~np.isfinite(got[np.isfinite(right)]))
    together = np.concatenate(lost) if lost else np.zeros(0, bool)
    if not together.size or together.mean() < _NEARLY_ALL:
        return ""
    return "everywhere" if together.all() else f"in {int(together.sum())} of {together.size} places"


def _on_overflow(kind: str, outputs: Sequence[Array | None]) -> str:
    """What to do about it, where all that is wrong is infinite or not a number."""
    wrong = []
    for case, right, got in zip(_calls(kind), right_outputs(kind), outputs, strict=True):
        if got is None or got is DECLINED or got.shape != right.shape:
            continue
        wrong.append(got[~agree(got, right, case)])
    together = np.concatenate(wrong) if wrong else np.zeros(0)
    if not together.size or np.isfinite(together).any():
        return ""
    cure = "subtract the largest logit first" if "softmax" in kind else "use a form whose exponents are never positive"
    return f" It is right until a number overflows (e^x from x = 710 on) or rounds to 0: {cure}."


def output_of(outcome: Outcome, number: int = 0) -> Array | None:
    """The output of that number; None where it raised, or one of the arrays above."""
    if outcome.declined is not None:
        return DECLINED
    if outcome.raised and any(word in (outcome.problem or "") for word in ("OverflowError", "ZeroDivisionError")):
        return OVERFLOWN
    return outcome.leaves[number] if len(outcome.leaves) > number and not outcome.raised else None


def _another(first: Array | None, second: Array | None) -> bool:
    if first is None or second is None or first.shape != second.shape:
        return (first is None) != (second is None)
    return not np.array_equal(first, second, equal_nan=True)


def _example(kind: str, leaf: str, outputs: Sequence[Array | None]) -> str:
    """One number that is wrong, with what went in."""
    for case, right, got in zip(_calls(kind), right_outputs(kind), outputs, strict=True):
        if got is None or got is DECLINED or got is OVERFLOWN or got.shape != right.shape:
            continue
        wrong = np.argwhere(~agree(got, right, case))
        if not len(wrong):
            continue
        at = tuple(map(int, wrong[0]))
        given = ", ".join(_entries(case, at, right.ndim))
        inside = f" ({given})" if given else ""
        return f"{leaf}[{', '.join(map(str, at))}] = {got[at]:.6g}; right is {right[at]:.6g}{inside}"
    return ""


def _entries(case: Case, at: tuple[int, ...], rank: int) -> Iterator[str]:
    for name, value in case.args.items():
        if not isinstance(value, np.ndarray):
            yield f"{name} = {value}"
        elif value.ndim == rank and all(place < size for place, size in zip(at, value.shape, strict=True)):
            yield f"{name}[{', '.join(map(str, at))}] = {value[at]:.6g}"
        elif value.ndim == len(at) - 1:
            yield f"{name}[{', '.join(map(str, at[:-1]))}] = {value[at[:-1]]:.6g}"
    yield from (f"{name} = {value}" for name, value in case.options.items())
