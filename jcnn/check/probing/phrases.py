"""How relations, missing terms and factors are said of an output: what is behind them first, then the formula."""

import re
from collections.abc import Callable, Sequence

from jcnn.check.probing.coefficients import Factor
from jcnn.check.probing.conditions import Condition, Explained
from jcnn.check.probing.plans import Plan
from jcnn.check.probing.relations import Relation

_RIGHT = {
    "rows": "r = S·i + a − P",
    "columns": "c = S·j + b − P",
}
_RIGHT_WINDOWS = {"rows": "r from S·i − P on, F pixels", "columns": "c from S·j − P on, F pixels"}


def relation_sentences(relations: Sequence[Relation], arrays: Sequence[str]) -> list[str]:
    """Which number meets which, where that is not right: once where rows and columns differ in the same way.

    Args:
        relations: all that there are to join.
        arrays: whose numbers are multiplied.
    """
    right = _RIGHT_WINDOWS if tuple(arrays) == ("output", "image") else _RIGHT
    wrong = [relation for relation in relations if relation.cost]
    sides = {relation.about: _padding_on(relation.text, right[relation.about]) for relation in wrong if relation.about in right}
    parts = []
    for relation in wrong:
        if relation.about not in right:
            parts.append(f"{relation.about}: {relation.text}")
            continue
        noun = "row" if relation.about == "rows" else "column"
        formula = f"the pixel's {noun} is {relation.text} where {right[relation.about]} is right{_hint(relation.text)}"
        side = sides[relation.about]
        alike = len(sides) == len(right) and len(set(sides.values())) == 1
        if side and not (alike and relation.about == "columns"):
            along = "" if alike else f" along the {relation.about}"
            formula = f"all 2·P of the padding count{along} as if they lay {side}: {formula}"
        parts.append(formula)
    return list(dict.fromkeys(parts))


def _padding_on(text: str, right: str) -> str:
    """On which side all of the padding lies by a formula that is right apart from that."""
    for padding, side in (("", "after the image, none before it"), (" − 2·P", "before the image, none after it")):
        if text == right.replace(" − P", padding):
            return side
    return ""


def _hint(text: str) -> str:
    """What is behind a formula, where it is one of the common ones."""
    hints: tuple[tuple[Callable[[str], bool], str], ...] = (
        (lambda text: "(S + 1)" in text, " (a stride of S + 1)"),
        (lambda text: "− a + F − 1" in text or "− b + F − 1" in text, " (the filter is turned round)"),
    )
    return next((hint for test, hint in hints if test(text)), "")


def missing_sentence(where: Explained, plan: Plan) -> str:
    """Under which conditions terms are there, or are missing."""
    conditions = " and ".join(condition.text for condition in where.conditions)
    if plan.alone:
        return f"{plan.noun} is {'not added' if where.negated else 'added only'} where {conditions}"
    if where.negated:
        return f"terms are missing where {conditions}"
    overwriting = [_overwriting(condition) for condition in where.conditions]
    causes = [condition.cause for condition in where.conditions]
    cause = " and ".join(dict.fromkeys(causes)) if all(causes) else ""
    if any(overwriting):
        one = " and ".join(dict.fromkeys(filter(None, overwriting)))
        cause = f"{one} overwrites what was there before (= where += belongs)"
    return f"{cause}: terms are there only where {conditions}" if cause else f"terms are there only where {conditions}"


def _overwriting(condition: Condition) -> str:
    """What overwrites what was there before it, where such terms are left."""
    if condition.overwritten:
        return "each window"
    noun = condition.text.removeprefix("it is the last ")
    return f"each {noun}" if noun != condition.text else ""


_PLAIN = re.compile(r"[A-Za-z_0-9·²³]+")


def factor_sentence(factor: Factor, plan: Plan) -> str:
    """By what terms are multiplied or divided."""
    done = factor.text
    times = done.removeprefix("multiplied by ")
    if plan.noun and times == "−1":
        said = f"{plan.noun} is subtracted"
    elif plan.noun and plan.alone and _PLAIN.fullmatch(times):
        said = f"{plan.noun} is added {times} times, where once is right"
    elif plan.noun:
        said = f"{plan.noun} is {done}"
    else:
        said = f"every term is {done}" if factor.where is None else f"terms are {done}"
    if factor.where is None:
        return said
    condition = " and ".join(condition.text for condition in factor.where.conditions)
    return f"{said} {'except ' if factor.where.negated else ''}where {condition}"
