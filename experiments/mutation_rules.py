"""Does the checker say which mistake was made?

Claim: of mutants that give wrong numbers (`experiments/mutation/`, one slip each) probing states a rule for most, and the rule
is the mutation made: evaluated on drawn calls, which it has not seen, it gives what the mutant gives.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from experiments.mutation.draws import draw
from experiments.mutation.jobs import Job, run_jobs
from experiments.mutation.mutants import Mutant, compiled
from experiments.mutation.scores import STUDENTS, limited, refusing, verdict_in
from experiments.mutation.student import RESTRICTIONS, Student
from jcnn.check.cases import Case
from jcnn.check.operations import kind_of
from jcnn.check.outcome import Outcome, call
from jcnn.check.probing.collect import read_terms
from jcnn.check.probing.explain import Explanation, explain_candidate
from jcnn.check.probing.geometries import Geometry
from jcnn.check.probing.jacobians import OVERFLOWN, FormulaRule, agree, output_of
from jcnn.check.probing.plans import PLANS
from jcnn.check.probing.rules import Rule
from jcnn.check.probing.shapes import ShapeRule
from jcnn.check.probing.textbook import FORMS


class Stated(NamedTuple):
    """What is said of a mutant.

    Attributes:
        student: the implementation's name.
        kind: the operation.
        mutant: the mistake.
        problem: what is wrong whatever the values, such as an argument changed in place; None where nothing is.
        rules: what is found.
        holds: the rules give the mutant's outputs in drawn calls; None where none can be evaluated.
    """

    student: str
    kind: str
    mutant: Mutant
    problem: str | None
    rules: tuple[str, ...]
    holds: bool | None


@dataclass(frozen=True)
class Experiment:
    """Which mutants, and how a rule is tried."""

    kinds: tuple[str, ...] = (*PLANS, *FORMS)
    """Operations, as `grade` takes them."""
    draws: int = 60
    """Drawn calls in which a rule is held against the mutant."""
    every: int = 1
    """Only every so many-th mutant of an implementation."""
    workers: int = os.cpu_count() or 1
    """Processes."""
    show: bool = True
    """List the mutants of which nothing is said, or something wrong."""


def run(config: Experiment) -> list[Stated]:
    """Asks for the rules of all mutants that give wrong numbers."""
    return run_jobs(_state, config.kinds, draws=config.draws, every=config.every, workers=config.workers)


def _state(job: Job) -> list[Stated]:
    number, mutants, draws = job
    return list(state(STUDENTS[number], mutants, draws))


def state(student: Student, mutants: Sequence[Mutant], draws: int) -> Iterator[Stated]:
    """What is said of each mutant whose verdict is "bug".

    Args:
        student: whose mutants they are.
        mutants: from `mutants_of(student.function)`.
        draws: in how many drawn calls a rule is tried.
    """
    kind = kind_of(student.kind)
    for mutant in mutants:
        function = compiled(mutant.source, student.function)
        if verdict_in(student, function, RESTRICTIONS[-1]) != "bug":
            continue
        answer = _answering(student, function)
        explained = explain_candidate(kind.name, answer)
        outcomes = [answer(case) for case in kind.cases]
        problems = [outcome.problem for outcome in outcomes if outcome.problem and not outcome.raised]
        raised = [outcome.problem for outcome in outcomes if outcome.raised]
        if not explained and raised and kind.name in PLANS:
            # Where it gives no wrong numbers in any call by which it is probed, what it raises is what is said.
            problems += raised
        holds = rule_holds(student, answer, explained, draws)
        rules = tuple(explanation.finding.rule for explanation in explained)
        yield Stated(student.name, kind.name, mutant, problems[0] if problems else None, rules, holds)


def _answering(student: Student, function: Callable[..., Any]) -> Callable[[Case], Outcome]:
    candidate = refusing(student, function)

    def answer(case: Case) -> Outcome:
        with limited():
            return call(candidate, kind_of(student.kind), case)

    return answer


def rule_holds(
    student: Student, answer: Callable[[Case], Outcome], explained: Sequence[Explanation], draws: int
) -> bool | None:
    """Whether the rules give what the mutant gives in calls that are drawn; None where there is no rule to evaluate."""
    if student.kind in PLANS:
        return terms_follow(student, answer, explained, max(draws // 8, 4))
    formulas = [one.rule for one in explained if isinstance(one.rule, FormulaRule)]
    if not formulas:
        return None
    (rule,) = formulas
    kind = kind_of(student.kind)
    rng = np.random.default_rng(5)
    for _ in range(draws):
        args, options = draw(rng, student, RESTRICTIONS[-1])
        case = Case("drawn", args, options, frozenset(), whole=False)
        with np.errstate(all="ignore"):
            right = np.asarray(kind.reference(*args.values(), **options))
        outcome = answer(case)
        got = output_of(outcome)
        predicted = rule.predict(case, right.shape)
        if got is OVERFLOWN:
            if predicted is not None and np.isfinite(predicted).all():
                return False
        elif got is None or predicted is None:
            if (got is None) != (predicted is None):
                return False
        elif got.shape != predicted.shape or not agree(got, predicted, case, loosely=True).all():
            return False
    return True


def terms_follow(
    student: Student, answer: Callable[[Case], Outcome], explained: Sequence[Explanation], calls: int
) -> bool | None:
    """Whether the rules give the terms that the mutant adds in geometries that are drawn; None where none can be evaluated."""
    stated = [one for one in explained if isinstance(one.rule, Rule | ShapeRule)]
    if not stated:
        return None
    geometries = [_drawn(np.random.default_rng(number)) for number in range(calls)]
    for plan in PLANS[student.kind]:
        found = read_terms(student.kind, answer, plan, seconds=60, geometries=geometries)
        for one in stated:
            for geometry, shape, right in found.shapes.get(one.finding.leaf, []) if one.plan is plan else []:
                if not isinstance(one.rule, ShapeRule) or one.rule.shape(geometry, right) != shape:
                    return False
        for leaf, several in found.terms.items():
            mine = [one.rule for one in explained if one.plan is plan and one.finding.leaf == leaf]
            rules = [rule for rule in mine if isinstance(rule, Rule)]
            if mine and not rules:
                continue
            for terms in several:
                predicted = rules[0].coefficients(terms) if rules else terms.right
                if predicted is None or not np.allclose(predicted, terms.got, rtol=1e-9, atol=1e-12):
                    return False
    return True


def _drawn(rng: np.random.Generator) -> Geometry:
    """A small geometry with whole strides and paddings, of which none was seen before."""
    while True:
        height, width, high, wide, stride, padding, examples, inputs, outputs = map(
            int, rng.integers((3, 3, 1, 1, 1, 0, 1, 1, 1), (9, 9, 5, 5, 4, 3, 3, 3, 3))
        )
        geometry = Geometry(height, width, (high, wide), stride, padding, examples, inputs, outputs)
        small = geometry.rows * geometry.columns * examples * outputs <= _MOST_CALLS
        if geometry.rows > 0 and geometry.columns > 0 and small:
            return geometry


_MOST_CALLS = 40


HEADER = ("operation", "wrong mutants", "said", "rule", "rule holds", "part")


def rows(found: Sequence[Stated]) -> list[tuple[str, ...]]:
    """A line an operation: wrong mutants, of how many something is said, a rule is stated, and the rule is the mutation."""
    lines = []
    kinds = dict.fromkeys(entry.kind for entry in found)
    for kind in (*kinds, ""):
        mine = [entry for entry in found if kind in {"", entry.kind}]
        said = sum(bool(entry.rules or entry.problem) for entry in mine)
        rules = sum(entry.holds is not None for entry in mine)
        held = sum(right(entry) for entry in mine)
        lines.append(
            (kind or "all", *(f"{n:,}" for n in (len(mine), said, rules, held)), f"{100 * held / max(len(mine), 1):.1f} %")
        )
    return lines


def right(entry: Stated) -> bool:
    """The rule is the mutation; or the values are right and what is wrong with them is said."""
    return bool(entry.holds) or (entry.holds is None and not entry.rules and entry.problem is not None)


def details(found: Sequence[Stated]) -> list[str]:
    """The mutants of which nothing, or something wrong, is said."""
    lines = []
    for entry in found:
        if not right(entry):
            said = " ".join([*entry.rules, entry.problem or ""])
            lines.append(f"{entry.student}: {entry.mutant.before}  →  {entry.mutant.after}   {entry.holds} {said}")
    return lines


def check(found: Sequence[Stated], least: float = 0.8) -> None:
    """Raises AssertionError where the claim does not hold."""
    held = Counter(right(entry) for entry in found)
    if held[True] < least * len(found):
        raise AssertionError(f"the rule is the mutation in {held[True]} of {len(found)}: expected {least:.0%}")


def main(config: Experiment) -> None:
    """Runs, shows, checks."""
    found = run(config)
    table = Table(*HEADER, show_edge=False)
    for line in rows(found):
        table.add_row(*line)
    console = Console(width=250)
    if config.show:
        console.print("\n".join(details(found)), markup=False, highlight=False)
    console.print(table)
    check(found)


if __name__ == "__main__":
    main(tyro.cli(Experiment))
