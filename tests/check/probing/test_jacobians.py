"""Probing of what is no sum of products: the formula that a candidate computes is found, and holds in other calls."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jcnn.check import formulas, grade
from jcnn.check.bounds import as_leaves
from jcnn.check.cases import Case
from jcnn.check.operations import kind_of
from jcnn.check.outcome import Outcome, call
from jcnn.check.probing.calls import probing_calls
from jcnn.check.probing.explain import find_differences
from jcnn.check.probing.formula import call_values, evaluate
from jcnn.check.probing.jacobians import (
    DECLINED,
    FormulaRule,
    agree,
    candidates_of,
    explain_formula,
    find_rule,
    output_of,
    right_outputs,
)
from jcnn.check.probing.textbook import FORMS, FORMS_OF_OTHERS, inlined
from tests.draws import DRAWS

Array = np.ndarray


def _answering(candidate: Callable[..., Any], kind: str) -> Callable[[Case], Outcome]:
    return lambda case: call(candidate, kind_of(kind), case)


def _rule_of(candidate: Callable[..., Any], kind: str) -> tuple[str, str, FormulaRule | None]:
    ((finding, rule),) = explain_formula(kind, _answering(candidate, kind))
    return finding.rule, finding.example, rule


def _holds_elsewhere(rule: FormulaRule, candidate: Callable[..., Any], kind: str) -> bool:
    """Whether the rule gives what the candidate gives in the cases of grading, which probing has not seen."""
    for case in kind_of(kind).cases:
        got = output_of(call(candidate, kind_of(kind), case))
        with np.errstate(all="ignore"):
            right = np.asarray(as_leaves(kind_of(kind).reference(*case.args.values(), **case.options))[0])
            predicted = rule.predict(case, right.shape)
        if got is DECLINED:
            continue
        if got is None or predicted is None:
            if (got is None) != (predicted is None):
                return False
        elif got.shape != predicted.shape or not agree(got, predicted, case, loosely=True).all():
            return False
    return True


@pytest.mark.parametrize("kind", FORMS)
def test_first_form_is_right_in_every_call(kind: str) -> None:
    for case, right in zip(probing_calls(kind), right_outputs(kind), strict=True):
        with np.errstate(all="ignore"):
            value = np.asarray(evaluate(inlined(FORMS[kind][0]), call_values(case)))
        assert value.shape == right.shape
        assert agree(value, right, case).all(), case.name


@pytest.mark.parametrize(("kind", "leaf"), [(kind, leaf) for kind, leaves in FORMS_OF_OTHERS.items() for leaf in leaves])
def test_first_form_of_every_other_output_is_right(kind: str, leaf: str) -> None:
    number = kind_of(kind).leaves.index(leaf)
    for case in probing_calls(kind):
        right = kind_of(kind).reference(*case.args.values(), **case.options)[number]
        value = np.asarray(evaluate(inlined(FORMS_OF_OTHERS[kind][leaf][0]), call_values(case)))
        assert agree(right, value, case).all(), case.name


@pytest.mark.parametrize("kind", FORMS)
def test_nothing_is_said_of_a_right_function(kind: str) -> None:
    assert find_differences(kind, _answering(kind_of(kind).reference, kind)) == ()


def _computing(rule: FormulaRule, kind: str) -> Callable[..., Any]:
    """A candidate that follows a rule."""
    names = list(kind_of(kind).cases[0].args)

    def candidate(*args: Any, **options: Any) -> Any:
        case = Case("", dict(zip(names, args, strict=True)), options, frozenset(), whole=False)
        with np.errstate(all="ignore"):
            right = as_leaves(kind_of(kind).reference(*args, **options))
            found = rule.predict(case, np.shape(right[0]))
        if found is None:
            raise ValueError("shapes do not fit")
        return (found, *right[1:]) if len(right) > 1 else found

    return candidate


def test_slips_are_found_as_formulas_that_hold_in_calls_probing_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    missed, kinds = [], sorted(FORMS)
    for number in range(2 * DRAWS):
        kind = kinds[number % len(kinds)]
        slip = candidates_of(kind)[rng.integers(1, len(candidates_of(kind)))]
        candidate = _computing(FormulaRule(slip), kind)
        outputs = [output_of(call(candidate, kind_of(kind), case)) for case in probing_calls(kind)]
        rule = find_rule(kind, outputs)
        if rule is None:
            # Some slips make no difference, such as another number that is subtracted from all logits.
            pairs = zip(outputs, right_outputs(kind), probing_calls(kind), strict=True)
            assert all(got is not None and agree(got, right, case).all() for got, right, case in pairs), slip.text
        elif not _holds_elsewhere(rule, candidate, kind):
            missed.append((kind, slip.text, rule.text))
    # Which of several roundings of x it was, a mask of the largest tells only where numbers are that close.
    assert len(missed) <= 0.03 * 2 * DRAWS, missed


def _softmax(x: Array, axis: int = -1) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _one_hot(logits: Array, labels: Array) -> Array:
    return formulas.targets(logits, labels)


CANDIDATES: dict[str, tuple[str, Callable[..., Any], tuple[str, ...]]] = {
    "x for σ(x)": ("sigmoid_backward", lambda dy, x: dy * x * (1 - x), ("y = x", "σ is missing")),
    "derivative at dy": ("relu_backward", lambda dy, x: dy * (dy > 0), ("dy > 0", "x > 0")),
    "another threshold": ("leaky_relu", lambda x, slope=0.01: np.where(x > 1, x, slope * x), ("x > 1", "x > 0")),
    "right on one side": (
        "elu_backward",
        lambda dy, x, alpha=1.0: dy * np.where(x > 0, 1, np.exp(np.minimum(x, 0)) - 1 + alpha),
        ("x ≤ 0", "α + e^x − 1", "elsewhere it is right"),
    ),
    "only the diagonal": ("softmax_backward", lambda dy, x: dy * _softmax(x) * (1 - _softmax(x)), ("p·(dy − dy·p)",)),
    "p for its Jacobian": ("softmax_backward", lambda dy, x: dy * _softmax(x), ("dx = p·dy", "Σ")),
    "axis 0": (
        "softmax_backward",
        lambda dy, x: _softmax(x, 0) * (dy - (_softmax(x, 0) * dy).sum(0, keepdims=True)),
        ("over the examples",),
    ),
    "mean over the batch": (
        "softmax_cross_entropy_backward",
        lambda dy, logits, labels: dy[..., None] * (_softmax(logits) - _one_hot(logits, labels)) / len(logits),
        ("number of examples",),
    ),
    "twice, and over the batch": (
        "softmax_cross_entropy_backward",
        lambda dy, logits, labels: 2 * dy[..., None] * (_softmax(logits) - _one_hot(logits, labels)) / len(logits),
        ("2 / N",),
    ),
    "N for C": (
        "mean_squared_error_backward",
        lambda dy, prediction, target: 2 * dy[..., None] * (prediction - target) / len(prediction),
        ("N", "C"),
    ),
    "two faults": ("sigmoid_backward", lambda dy, x: dy * x * (1 - x) + 0.001, ("y = x", "0.001 is added")),
    "rounded": ("tanh", lambda x: np.round(np.tanh(x), 3), ("rounded to 3 digits",)),
    "last example left out": (
        "mean_squared_error",
        lambda prediction, target: np.where(
            np.arange(len(prediction)).reshape(-1, *[1] * (prediction.ndim - 2)) == len(prediction) - 1,
            0,
            ((prediction - target) ** 2).mean(-1),
        ),
        ("last example", "0"),
    ),
    "last of the largest": (
        "global_max_pool_backward",
        lambda dy, x: formulas.global_max_pool_backward(dy, -x),
        ("largest", "−x"),
    ),
    "pieces apart": (
        "maxout",
        lambda x, pieces: x.reshape(*x.shape[:-1], pieces, -1).max(-2),
        ("apart",),
    ),
    "sign of ε": (
        "batch_norm_evaluation",
        lambda x, scale, offset, mean, variance, epsilon=1e-5: scale * (x - mean) / np.sqrt(variance - epsilon) + offset,
        ("s = √(variance + −epsilon)", "sign"),
    ),
    "variance of the examples alone": (
        "batch_norm",
        lambda x, scale, offset, epsilon=1e-5: (
            scale * (x - x.mean((0, 1, 2))) / np.sqrt(((x - x.mean((0, 1, 2))) ** 2).mean(0) + epsilon) + offset
        ),
        ("over examples)", "over examples and pixels) is right"),
    ),
    "column-major": ("flatten", lambda x: x.reshape(len(x), -1, order="F"), ("column-major",)),
}


@pytest.mark.parametrize(("kind", "candidate", "words"), CANDIDATES.values(), ids=list(CANDIDATES))
def test_rule_names_the_difference_and_holds_elsewhere(
    kind: str, candidate: Callable[..., Any], words: tuple[str, ...]
) -> None:
    sentence, example, rule = _rule_of(candidate, kind)
    assert rule is not None
    assert all(word in sentence for word in words), sentence
    assert "right is" in example
    assert _holds_elsewhere(rule, candidate, kind)


@pytest.mark.parametrize("bound", [-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("kind", ["softplus_backward", "gelu_backward", "tanh_backward"])
def test_side_of_a_bound_on_which_it_is_wrong_is_said(kind: str, bound: float) -> None:
    right = kind_of(kind).reference

    def candidate(dy: Array, x: Array) -> Array:
        return np.where(x > bound, right(dy, x), 0.0)

    sentence, _, rule = _rule_of(candidate, kind)
    assert f"x ≤ {bound:g}".replace("-", "−") in sentence
    assert rule is not None
    assert _holds_elsewhere(rule, candidate, kind)


def test_what_overflows_is_said_with_the_step_that_is_missing() -> None:
    def candidate(dy: Array, x: Array) -> Array:
        p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
        return p * (dy - (p * dy).sum(-1, keepdims=True))

    sentence, _, rule = _rule_of(candidate, "softmax_backward")
    assert "e^x" in sentence
    assert "overflow" in sentence
    assert rule is not None
    assert _holds_elsewhere(rule, candidate, "softmax_backward")


def test_calls_that_raise_as_they_may_are_left_out_and_never_told_by_single_numbers() -> None:
    def candidate(logits: Array, labels: Array) -> Array:
        if labels.shape == logits.shape:
            raise TypeError("labels must be class numbers")
        return 2 * formulas.softmax_cross_entropy(logits, labels)

    sentence, _, rule = _rule_of(candidate, "softmax_cross_entropy")
    assert "multiplied by 2" in sentence
    assert "where" not in sentence
    assert rule is not None


def test_another_answer_each_time_is_said_first() -> None:
    rng = np.random.default_rng(0)
    sentence, _, rule = _rule_of(lambda x: np.maximum(x, 0) * (rng.random(x.shape) > 0.5), "relu")
    assert "another one each time" in sentence
    assert rule is None


BATCH = "batch_norm_backward"


def _batch_norm_backward(slip: str) -> Callable[..., Any]:
    """With x̂ squared where it should not be, in one output or another."""

    def candidate(dy: Array, x: Array, scale: Array, offset: Array, epsilon: float = 1e-5) -> tuple[Array, Array, Array]:
        del offset
        axes = (0, 1, 2)
        root = np.sqrt(x.var(axes) + epsilon)
        normal, g = (x - x.mean(axes)) / root, dy * scale
        powers = {leaf: 2 if leaf == slip else 1 for leaf in ("dx", "dscale")}
        dx = (g - g.mean(axes) - normal * (g * normal ** powers["dx"]).mean(axes)) / root
        return dx, (dy * normal ** powers["dscale"]).sum(axes), dy.sum(axes)

    return candidate


@pytest.mark.parametrize(
    ("leaf", "words"), [("dx", "n·mean(g·n² over examples and pixels)"), ("dscale", "Σ(dy·n² over examples and pixels)")]
)
def test_every_output_of_a_normalisation_is_read(leaf: str, words: str) -> None:
    """Slips that no catalogue has."""
    report = grade(_batch_norm_backward(leaf), BATCH)
    assert (report.verdict, report.mistakes) == ("bug", ())
    assert [finding.leaf for finding in report.findings] == [leaf]
    assert words in (report.diagnosis or "")


def test_a_mask_that_is_drawn_anew_on_the_way_back_is_named() -> None:
    rng = np.random.default_rng(0)

    def candidate(dy: Array, x: Array, key: Array, rate: float, spatial: bool = False) -> Array:
        return dy * (rng.random(dy.shape) >= rate) / (1 - rate)

    report = grade(candidate, "dropout_backward")
    assert report.verdict == "bug"
    assert "the mask of the forward pass" in (report.diagnosis or "")


def test_what_no_rule_explains_is_not_explained() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=64)

    def candidate(x: Array) -> Array:
        return np.tanh(x) + noise[: x.size % 64 + 1].sum() * np.sin(x * x)

    assert explain_formula("tanh", _answering(candidate, "tanh")) == []


def test_grade_says_the_rule_where_the_catalogue_has_no_name() -> None:
    report = grade(lambda dy, x, alpha=1.0: dy * np.where(x > 0, 1, np.exp(np.minimum(x, 0)) - 1 + alpha), "elu_backward")
    assert report.mistakes == ()
    assert report.diagnosis is not None
    assert "α + e^x − 1" in report.diagnosis
    assert report.findings[0].leaf == "dx"


_OF_VECTORS: dict[str, tuple[Callable[[Array], Array], str]] = {
    "shifted by the largest of the batch": (
        lambda z: np.exp(z - z.max(0)) / np.exp(z - z.max(0)).sum(1, keepdims=True),
        "m = max(logits over examples), but max(logits over the last axis) is right",
    ),
    "shifted and divided over everything": (
        lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(),
        "sums and maxima run over everything",
    ),
    "shifted and divided over the batch": (
        lambda z: np.exp(z - z.max(0)) / np.exp(z - z.max(0)).sum(0),
        "sums and maxima run over the examples",
    ),
    "divided over everything": (
        lambda z: np.exp(z - z.max(1, keepdims=True)) / np.exp(z - z.max(1, keepdims=True)).sum(),
        "p = e / Σ(e over everything), but e / Σ(e over the last axis) is right",
    ),
    "divided over the batch": (
        lambda z: np.exp(z - z.max(1, keepdims=True)) / np.exp(z - z.max(1, keepdims=True)).sum(0),
        "p = e / Σ(e over examples), but e / Σ(e over the last axis) is right",
    ),
}


@pytest.mark.parametrize("name", _OF_VECTORS)
def test_a_formula_is_found_of_what_takes_class_numbers_of_vectors_alone(name: str) -> None:
    probabilities, words = _OF_VECTORS[name]

    def backward(dy: Array, logits: Array, labels: Array) -> Array:
        p = probabilities(logits)
        p[np.arange(len(labels)), labels] -= 1
        return p * dy[:, None]

    sentence, _, _ = _rule_of(backward, "softmax_cross_entropy_backward")
    assert words in sentence


SIZED: tuple[tuple[str, Callable[..., Array], str], ...] = (
    (
        "global_avg_pool_backward",
        lambda dy, x: np.ones(x.shape) * dy[:, None, None] / (x.shape[0] * x.shape[1]),
        "divided by N·H where H·W is right",
    ),
    ("global_avg_pool", lambda x: x.sum((1, 2)) / (x.shape[2] * x.shape[3]), "divided by C·W where H·W is right"),
    ("global_avg_pool", lambda x: x.sum((1, 2)) / x.size, "divided by N·C·H·W where H·W is right"),
)


@pytest.mark.parametrize(("kind", "candidate", "words"), SIZED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_mean_by_other_sizes_is_said_by_what_is_divided(kind: str, candidate: Callable[..., Array], words: str) -> None:
    (finding,) = find_differences(kind, _answering(candidate, kind))
    assert words in finding.rule


def _softmax_over(x: Array, shifted: int, summed: int, *, below: bool = True) -> Array:
    """With the largest of one axis and the sum over another, written for two axes."""
    m = x.max(shifted, keepdims=True)
    return np.exp(x - m) / np.exp(x - m if below else x).sum(summed, keepdims=True)


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (lambda x: _softmax_over(x, 1, 0), "Σ(e over examples)"),
        (lambda x: _softmax_over(x, 0, 1), "max(x over examples)"),
        (lambda x: _softmax_over(x, 1, 1, below=False), "the largest, m, is not subtracted here"),
    ],
    ids=["sum over examples", "largest over examples", "shifted above alone"],
)
def test_a_shift_and_a_sum_over_different_axes_are_said(candidate: Callable[[Array], Array], words: str) -> None:
    (finding,) = find_differences("softmax", _answering(candidate, "softmax"))
    assert words in finding.rule
    assert "(read in the calls with two axes)" in finding.rule


@pytest.mark.parametrize(("step", "words"), [(-1, "counted from 1: the class label − 1"), (1, "the class label + 1 counts")])
def test_labels_that_count_from_another_number_are_said(step: int, words: str) -> None:
    def loss(logits: Array, labels: Array) -> Array:
        z = logits - logits.max(1, keepdims=True)
        q = z - np.log(np.exp(z).sum(1, keepdims=True))
        return -q[np.arange(len(q)), (labels + step) % q.shape[1]]

    (finding,) = find_differences("softmax_cross_entropy", _answering(loss, "softmax_cross_entropy"))
    assert words in finding.rule
