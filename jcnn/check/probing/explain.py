"""From what a candidate adds to sentences on how its formula differs from the right one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.outcome import Outcome
from jcnn.check.patience import Patience
from jcnn.check.probing import shapes
from jcnn.check.probing.claims import Claim, is_scaled, is_zero
from jcnn.check.probing.coefficients import explain_factors
from jcnn.check.probing.collect import Answer, Readings, read_terms
from jcnn.check.probing.conditions import Condition, explain
from jcnn.check.probing.defaults import explain_default
from jcnn.check.probing.expressions import sizes_along
from jcnn.check.probing.first_questions import ask_first_questions
from jcnn.check.probing.geometries import OF_EACH_AXIS
from jcnn.check.probing.jacobians import FormulaRule, explain_formula
from jcnn.check.probing.maximum import explain_start
from jcnn.check.probing.phrases import factor_sentence, missing_sentence, relation_sentences
from jcnn.check.probing.plans import PLANS, Plan, Read
from jcnn.check.probing.rearrangements import Rearrangement, find_rearrangement
from jcnn.check.probing.relations import IN_MEMORY, OUTPUT_CHANNELS, Relation, choices_for, simplest, simplest_windows
from jcnn.check.probing.rules import Rule, usual_coefficients
from jcnn.check.probing.spaces import Terms
from jcnn.check.probing.summed import explain_sum
from jcnn.check.probing.textbook import FORMS
from jcnn.check.probing.winners import find_windows_and_winner
from jcnn.check.probing.worked import in_words, what_is_the_matter, work_out
from jcnn.check.report import Finding

Array = np.ndarray

SECONDS = 12.0
"""So long a candidate is probed."""


class Explanation(NamedTuple):
    """What is found of one output.

    Attributes:
        finding: in words.
        rule: from which its terms, its numbers or its shape follow; None where nothing does.
        plan: how the output was probed, where it is a sum of products.
        claim: what is said of every call, where that can be held against others.
    """

    finding: Finding
    rule: Rule | FormulaRule | shapes.ShapeRule | None = None
    plan: Plan | None = None
    claim: Claim | None = None


Holds = Callable[[str, Claim], bool]
"""Whether nothing that is known of an output contradicts a claim."""


def find_differences(
    kind: str, answer: Answer, *, seconds: float = SECONDS, holds: Holds = lambda _, __: True
) -> tuple[Finding, ...]:
    """Probes a candidate and explains how its formula differs from the right one; nothing where no rule is found.

    Args:
        kind: the operation.
        answer: what the candidate does with a case.
        seconds: so long it is probed; what it is asked later is not answered.
        holds: what other calls say of a claim; a sentence that they contradict is not said.
    """
    found = explain_candidate(kind, _within(seconds, answer))
    # That it raises in every call, and what, is told from the cases.
    told = [one for one in found if not (isinstance(one.rule, FormulaRule) and one.rule.only_raises)]
    told = [one.finding for one in told if one.claim is None or holds(one.finding.leaf, one.claim)]
    return tuple(dict.fromkeys(told))


def _within(seconds: float, answer: Answer) -> Answer:
    patience = Patience(answer)

    def asked(case: Case) -> Outcome:
        if patience.ends(seconds):
            return Outcome(declined="not asked any more, since it is slow", asked=False)
        return patience.answer(case)

    return asked


def explain_candidate(kind: str, answer: Answer) -> list[Explanation]:
    """The same, with the rules: by the products it adds, or by its formula where that is no sum of products."""
    if (default := explain_default(kind, answer)) is not None:
        return [Explanation(Finding("", "the default of an option", f"{default[0].upper()}{default[1:]}."))]
    if kind in FORMS:
        return [Explanation(finding, rule) for finding, rule in explain_formula(kind, answer)]
    plans = PLANS.get(kind, ())
    return _together([one._replace(plan=plan) for plan in plans for one in explain_outputs(kind, answer, plan)])


def _together(found: list[Explanation]) -> list[Explanation]:
    """What holds of all terms of an output is said once."""
    said = {(one.finding.leaf, one.finding.rule): one for one in reversed(found)}
    found = [one for one in found if said[one.finding.leaf, one.finding.rule] is one]
    factors = [one.rule.factor for one in found if isinstance(one.rule, Rule) and one.rule == Rule(factor=one.rule.factor)]
    leaves = {one.finding.leaf for one in found}
    texts = {factor.text for factor in factors if factor is not None and factor.where is None}
    if len(factors) < _SEVERAL or len(factors) != len(found) or len(leaves) > 1 or len(texts) > 1 or None in factors:
        return found
    (leaf,), (text,) = leaves, texts
    return [found[0]._replace(finding=found[0].finding._replace(rule=f"{leaf}: every term is {text}."))]


_SEVERAL = 2


def explain_outputs(kind: str, answer: Answer, plan: Plan) -> list[Explanation]:
    """The same for one plan, with the rules."""
    if kind == "max_pool" and (start := explain_start(kind, answer, plan)) is not None:
        (leaf,) = plan.reads
        return [Explanation(Finding(leaf, f"{leaf}: where the maximum starts", f"{leaf}: {start}."))]
    answered = ask_first_questions(kind, answer, plan)
    found = [Explanation(Finding(one.leaf, one.leaf, one.sentence), claim=one.claim) for one in answered]
    without = {one.leaf for one in answered if not one.linear}
    if "" in without:
        return found
    if without >= set(plan.reads):
        return found
    summed = {leaf: explain_sum(kind, answer, plan, leaf) for leaf, read in plan.reads.items() if _is_bias(read, plan)}
    for leaf, sentence in summed.items():
        if sentence is not None and leaf not in without:
            found.append(Explanation(Finding(leaf, f"{leaf}: over which axes it is summed", sentence)))
            without |= {leaf}
    readings = read_terms(kind, answer, plan)
    found += _of_readings(kind, plan, readings, without)
    if not found and plan.spatial:
        readings = read_terms(kind, answer, plan, geometries=OF_EACH_AXIS, beside=readings)
        found = _of_readings(kind, plan, readings, without)
    return found


def _is_bias(read: Read, plan: Plan) -> bool:
    """Whether an output is a bias's gradient, the sum of what is probed."""
    return read.array == "bias" and read.of is None and plan.hot is not None


def _of_readings(kind: str, plan: Plan, readings: Readings, without: set[str]) -> list[Explanation]:
    explained = [_of_leaf(leaf, read.array, kind, plan, readings) for leaf, read in plan.reads.items() if leaf not in without]
    return [one for several in explained for one in several]


def _of_leaf(leaf: str, array: str, kind: str, plan: Plan, readings: Readings) -> list[Explanation]:
    observed = readings.shapes.get(leaf, [])
    if observed:
        right = [(one.geometry, one.space.shape_of(array), one.space.shape_of(array)) for one in readings.terms[leaf]]
        everywhere = [*observed, *right] if plan.spatial or array == "bias" else observed
        sentence, formula = shapes.explain_shape(leaf, array, everywhere)
        return [Explanation(Finding(leaf, f"{leaf}: its shape", sentence), formula)]
    terms = readings.terms[leaf]
    if not terms or all(one.agree for one in terms) or readings.unread.get(leaf):
        # A rule has to hold in every call, also in those whose numbers are no few terms.
        return []
    explained = _explained(leaf, terms, plan, largest="max_pool" in kind)
    if explained is None:
        return []
    worked = work_out(leaf, terms, plan)
    finding = explained.finding._replace(example=in_words(worked), about=what_is_the_matter(leaf, terms), worked=worked)
    return [explained._replace(finding=finding)]


def _explained(leaf: str, terms: Sequence[Terms], plan: Plan, *, largest: bool) -> Explanation | None:
    """The simplest rule that gives all terms."""
    present = [one.got != 0 for one in terms]
    if not any(mask.any() for mask in present):
        if plan.noun:
            return Explanation(Finding(leaf, leaf, f"{leaf}: {plan.noun} is missing."), Rule(nothing=True))
        return Explanation(Finding(leaf, leaf, f"{leaf} is 0 everywhere."), Rule(nothing=True), claim=is_zero)
    if all(np.array_equal(one.got != 0, one.right != 0) for one in terms):
        # Every product is there: only by what it is multiplied can differ.
        ratios = [np.divide(one.got, one.right, out=np.ones_like(one.got), where=one.right != 0) for one in terms]
        factor = explain_factors(terms, present, ratios)
        if factor is not None:
            finding = Finding(leaf, f"{leaf}: a factor", f"{leaf}: {factor_sentence(factor, plan)}.")
            seen = np.concatenate([ratio[mask] for ratio, mask in zip(ratios, present, strict=True)])
            # A factor that hangs on sizes is 1 in some calls; a number is not.
            number = factor.where is None and np.ptp(seen) <= 1e-8 * abs(seen[0])
            return Explanation(finding, Rule(factor=factor), claim=is_scaled if number and not plan.noun else None)
    # Of pixels that are moved a maximum chooses others: what it adds is not what is right, moved.
    movable = [
        array for array in terms[0].space.arrays if array == plan.reads[leaf].array or plan.hot is not None or not largest
    ]
    how = _by_winner if largest else _by_relations
    return (
        _by_order(leaf, terms, plan, movable, _TURNED)
        or how(leaf, terms, present, plan)
        or _by_order(leaf, terms, plan, movable, _POURED)
    )


def _by_order(leaf: str, terms: Sequence[Terms], plan: Plan, arrays: Sequence[str], most: int) -> Explanation | None:
    moved = find_rearrangement(terms, arrays, plan.reads[leaf].array, most)
    return None if moved is None else _moved(leaf, moved, plan)


_TURNED, _POURED = 1, 6
"""How far-fetched another order may be that is said before, and after, which number meets which."""


def _moved(leaf: str, moved: Rearrangement, plan: Plan) -> Explanation:
    names = {of: name for name, of in plan.arguments.items()}
    result = plan.reads[leaf].array
    name = leaf if moved.array == result else names.get(moved.array, leaf)
    done = "is returned" if moved.array == result else "is used"
    of = "" if name == leaf else f"{leaf}: "
    finding = Finding(leaf, f"{leaf}: the order of numbers", f"{of}{name} {done} {moved.text}.")
    return Explanation(finding, Rule(moved=moved))


def _by_winner(leaf: str, terms: Sequence[Terms], present: Sequence[Array], plan: Plan) -> Explanation | None:
    chosen = find_windows_and_winner(terms)
    if chosen is None:
        return None
    parts = relation_sentences(chosen.relations, ("output", "image"))
    if chosen.winner.cost:
        taken = chosen.winner.text
        misplaced = taken.startswith("the largest pixel")
        parts.append(f"what counts is {taken}" + ("" if misplaced else ", where the largest pixel of the window is right"))
    rule = Rule(chosen.relations, chosen.winner)
    collisions = [
        Condition(
            f"no {which} window takes the same pixel",
            1,
            partial(_alone, rule, later=which == "later"),
            overwritten=which == "later",
        )
        for which in ("later", "earlier")
    ]
    return _with_the_rest(leaf, terms, present, plan, rule, parts, [*collisions, _ZEROS_WIN, _POSITIVE])


def _hangs_over_and_is_negative(terms: Terms) -> Array:
    """Where the window reaches over the border and its pixel is below 0."""
    at = terms.space.at
    if terms.pixels is None:
        return np.zeros_like(at["i"], bool)
    over = np.zeros_like(at["i"], bool)
    for axis, output in ((0, "i"), (1, "j")):
        sizes = sizes_along(terms.geometry, axis)
        start = sizes["S"] * at[output] - sizes["P"]
        over |= (start < 0) | (start + sizes["F"] > sizes["H"])
    return over & (terms.pixels[at["n2"], at["r"], at["c"], at["m"]] < 0)


_ZEROS_WIN = Condition(
    "the window reaches over the border and all its pixels are negative: a padding of 0 wins there, which must never win",
    1,
    _hangs_over_and_is_negative,
)


def _is_positive(terms: Terms) -> Array:
    at = terms.space.at
    if terms.pixels is None:
        return np.ones_like(at["i"], bool)
    return terms.pixels[at["n2"], at["r"], at["c"], at["m"]] > 0


_POSITIVE = Condition(
    "the pixel is above 0", 1, _is_positive, cause="the search for the maximum starts at 0, so that negative pixels never win"
)


def _alone(rule: Rule, terms: Terms, *, later: bool) -> Array:
    """Where no later (or earlier) output takes the product's pixel."""
    mask = rule.present(terms)
    at, size = terms.space.at, terms.space.size
    output = at["i"] * size["j"] + at["j"]
    pixel = np.ravel_multi_index(tuple(at[name] for name in ("n2", "r", "c", "m")), terms.space.shape_of("image"))
    count = int(np.prod(terms.space.shape_of("image")))
    best = np.full(count, -1 if later else np.iinfo(np.int64).max)
    (np.maximum if later else np.minimum).at(best, pixel[mask], output[mask])
    return output == best[pixel]


def _by_relations(leaf: str, terms: Sequence[Terms], present: Sequence[Array], plan: Plan) -> Explanation | None:
    arrays = terms[0].space.arrays
    relations = tuple(_simplest(choices, terms, present) for choices in choices_for(arrays))
    found = tuple(relation for relation in relations if relation is not None)
    if len(found) < len(relations):
        return _by_memory(leaf, terms, present) or _by_conditions(leaf, terms, present, plan)
    return _with_the_rest(leaf, terms, present, plan, Rule(found), relation_sentences(found, arrays))


def _by_memory(leaf: str, terms: Sequence[Terms], present: Sequence[Array]) -> Explanation | None:
    """Windows that are a view with the strides of another array."""
    if set(terms[0].space.arrays) != {"output", "image", "filter"}:
        return None
    outputs = simplest(OUTPUT_CHANNELS, terms, present)
    if outputs is None:
        return None
    for relation in IN_MEMORY:
        rule = Rule((relation, outputs))
        if all(_gives(rule, one) for one in terms):
            return Explanation(Finding(leaf, f"{leaf}: which numbers meet", f"{leaf}: {relation.text}."), rule)
    return None


def _simplest(choices: Sequence[Relation], terms: Sequence[Terms], present: Sequence[Array]) -> Relation | None:
    windows = terms[0].space.arrays == ("output", "image") and choices[0].about in {"rows", "columns"}
    return (simplest_windows if windows else simplest)(choices, terms, present)


def _by_conditions(leaf: str, terms: Sequence[Terms], present: Sequence[Array], plan: Plan) -> Explanation | None:
    """Right terms, but for some that are missing and others that do not belong there."""
    right = [one.right != 0 for one in terms]
    common = [here & mask for here, mask in zip(right, present, strict=True)]
    extra = [mask & ~here for here, mask in zip(right, present, strict=True)]
    parts = []
    if any(np.any(here & ~mask) for here, mask in zip(right, common, strict=True)):
        where = explain(terms, right, common)
        if where is None:
            return None
        parts.append(missing_sentence(where, plan))
    relations = [simplest(choices, terms, extra) for choices in choices_for(terms[0].space.arrays)]
    if any(relation is None for relation in relations):
        return None
    named = relation_sentences([relation for relation in relations if relation is not None], terms[0].space.arrays)
    if not named:
        return None
    others = [np.logical_and.reduce([r.holds(one) for r in relations if r is not None]) for one in terms]
    if not all(np.array_equal(mask, one | two) for mask, one, two in zip(present, common, others, strict=True)):
        return None
    parts.append("besides the right terms there are others, for which " + " and ".join(named))
    return Explanation(Finding(leaf, f"{leaf}: some terms", f"{leaf}: {'; '.join(parts)}."))


def _with_the_rest(
    leaf: str,
    terms: Sequence[Terms],
    present: Sequence[Array],
    plan: Plan,
    rule: Rule,
    parts: list[str],
    more: Sequence[Condition] = (),
) -> Explanation | None:
    """Adds which of the products that follow from the relations are missing, and by what the others are multiplied."""
    parts = list(parts)
    where = leaf if not parts else f"{leaf}: which numbers meet"
    masks = [rule.present(one) for one in terms]
    if not all(np.array_equal(mask, here) for mask, here in zip(masks, present, strict=True)):
        missing = explain(terms, masks, [mask & here for mask, here in zip(masks, present, strict=True)], more)
        if missing is None:
            return None
        parts.append(missing_sentence(missing, plan))
        rule = replace(rule, there=missing)
        where = f"{leaf}: which terms are added"
    ratios = [np.where(here, one.got / usual_coefficients(one), 1.0) for one, here in zip(terms, present, strict=True)]
    mean = replace(rule, averaged=True)
    if parts and rule.winner is None and all(_gives(mean, one) for one in terms):
        return Explanation(Finding(leaf, where, f"{leaf}: {'; '.join(parts)}."), mean)
    if any(np.any(~np.isclose(ratio[here], 1, rtol=1e-8)) for ratio, here in zip(ratios, present, strict=True)):
        factor = explain_factors(terms, present, ratios)
        if factor is None:
            return None
        parts.append(factor_sentence(factor, plan))
        rule = replace(rule, factor=factor)
    return Explanation(Finding(leaf, where, f"{leaf}: {'; '.join(parts)}."), rule) if parts else None


def _gives(rule: Rule, terms: Terms) -> bool:
    coefficients = rule.coefficients(terms)
    return coefficients is not None and bool(np.allclose(coefficients, terms.got, rtol=1e-9, atol=1e-12))
