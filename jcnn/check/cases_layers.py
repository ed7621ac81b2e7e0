"""The adversarial cases of the fully connected layer, the activations and the losses."""

import numpy as np

from jcnn.check import formulas
from jcnn.check.cases import Case, scaled, values_of


def dense_cases(kind: str) -> tuple[Case, ...]:
    """The cases of the fully connected layer."""
    found = []
    for name, batch, c_in, c_out, bias, values in (
        ("one number", (1,), 1, 1, False, "whole"),
        ("one example", (1,), 3, 2, True, "whole"),
        ("a square matrix", (2,), 3, 3, True, "whole"),
        ("more examples than inputs", (4,), 2, 3, False, "whole"),
        ("a layer at every pixel", (2, 3, 2), 4, 5, True, "whole"),
        ("zeros", (2,), 3, 2, True, "zeros"),
        ("any numbers", (5,), 7, 4, True, "normal"),
        ("any numbers, one example", (1,), 3, 5, False, "normal"),
        ("any numbers, all sizes alike", (4,), 4, 4, True, "normal"),
        ("any numbers, more outputs than inputs", (3,), 2, 6, False, "normal"),
        ("any numbers, at every pixel", (2, 3, 2), 3, 2, True, "normal"),
        ("any numbers, many examples", (33,), 2, 3, True, "normal"),
        ("one large layer", (16,), 200, 30, True, "normal"),
    ):
        x = values_of(values, (*batch, c_in), "x" + name)
        w = values_of("whole" if values == "zeros" else values, (c_in, c_out), "w" + name)
        dy = values_of(values, (*batch, c_out), "dy" + name)
        b = {"b": values_of("normal" if values == "normal" else "whole", (c_out,), "b" + name)} if bias else {}
        features = {"more than one example"} if batch != (1,) else set()
        features |= {"spatial axes before the channels"} if len(batch) > 1 else set()
        features |= {"a bias"} if b and kind == "dense" else set()
        features |= {"numbers that are not whole"} if values == "normal" else set()
        args = {"dy": dy, "x": x, "w": w} if kind.endswith("backward") else {"x": x, "w": w, **b}
        found.append(Case(name, args, {}, frozenset(features), values != "normal"))
        if name == "any numbers, more outputs than inputs":
            found += scaled(found[-1], *([name] for name in args))
    return tuple(found)


def _with_zeros(x: np.ndarray) -> np.ndarray:
    """x with zeros along its last column."""
    return np.where(np.arange(x.shape[-1]) == x.shape[-1] - 1, 0.0, x)


_PARAMETERS = {
    "leaky_relu": ("slope", {"another parameter": 0.2, "a slope above 1": 1.5, "a negative slope": -0.75}),
    "elu": ("alpha", {"another parameter": 0.5, "an alpha above 1": 2.5}),
}
"""The parameter of an activation, and some values of it."""


def activation_cases(kind: str) -> tuple[Case, ...]:
    """The cases of the activations."""
    base = kind.removesuffix("_backward")
    name, parameters = _PARAMETERS.get(base, ("", {}))
    signs = np.array([-2.0, -1.0, 1.0, 2.0, 3.0])
    found = []
    for title, x, options, features in (
        ("one number", np.array([[2.0]]), {}, set()),
        ("both signs", np.stack([signs, -signs / 4]), {}, {"negative numbers"}),
        ("zero among them", np.array([[-1.0, 0.0, -0.0, 1.0]]), {}, {"zeros"}),
        ("zeros", np.zeros((2, 3)), {}, {"zeros"}),
        ("any numbers", values_of("normal", (3, 4, 2), title_seed := "x" + base), {}, {"more than two axes"}),
        ("any numbers, many", 3 * values_of("normal", (6, 9), title_seed), {}, {"more than one example"}),
        ("large numbers", np.array([[-800.0, -40.0, -20.0, 20.0, 40.0, 800.0]]), {}, {"large numbers"}),
        ("numbers of millions", np.array([[-3e6, -2e6, 2e6, 3e6]]), {}, {"large numbers"}),
        *(
            (title, _with_zeros(values_of("normal", (4, 5), title_seed)), {name: value}, {"a parameter"})
            for title, value in parameters.items()
        ),
    ):
        values = "normal" if title.startswith("any numbers") or title in parameters else "whole"
        dy = {"dy": values_of(values, x.shape, "dy" + title)} if kind.endswith("backward") else {}
        found.append(Case(title, {**dy, "x": x}, options, frozenset(features), whole=False))
        if title == "any numbers, many":
            # Every backward is linear in dy, functions of straight pieces scale with x.
            found += scaled(found[-1], *([name] for name in (*dy, *(["x"] if base in {"relu", "leaky_relu"} else []))))
    return tuple(found)


def softmax_cases(kind: str) -> tuple[Case, ...]:
    """The cases of softmax, its logarithm and the cross-entropy."""
    entropy = kind.startswith("softmax_cross_entropy")
    found = []
    for title, x in (
        ("one class", np.array([[2.0]])),
        ("two classes", np.array([[0.0, 1.0]])),
        ("equal logits", np.zeros((2, 4))),
        ("any numbers", values_of("normal", (5, 4), "softmax")),
        ("as many examples as classes", values_of("normal", (3, 3), "softmax")),
        ("more axes", values_of("normal", (2, 3, 4), "softmax")),
        ("maps of logits", values_of("normal", (2, 3, 2, 4), "softmax")),
        ("many classes", values_of("normal", (3, 13), "softmax")),
        ("logits far apart", 4 * values_of("normal", (7, 10), "softmax")),
        ("logits of ±1000", np.array([[1000.0, 0.0, -1000.0], [-1000.0, -1001.0, -1002.0]])),
    ):
        features = frozenset({title} if title not in {"any numbers", "two classes"} else set())
        features |= {"more axes"} if x.ndim > 2 else set()
        shape = x.shape[:-1] if entropy else x.shape
        values = "whole" if title in {"one class", "two classes", "equal logits", "logits of ±1000"} else "normal"
        dy = {"dy": values_of(values, shape, "dy" + title)} if kind.endswith("backward") else {}
        rng = np.random.default_rng(x.size)
        numbers = {"labels": rng.integers(0, x.shape[-1], shape)}
        args = {**dy, "logits": x, **numbers} if entropy else {**dy, "x": x}
        found.append(Case(title, args, {}, features, whole=False))
        if title == "logits far apart":
            found += scaled(found[-1], *([name] for name in dy))
        if entropy and title in {"any numbers", "as many examples as classes", "more axes", "logits far apart"}:
            name = "soft labels" if title == "any numbers" else f"soft labels, {title}"
            soft = formulas.softmax(rng.normal(size=x.shape))
            found.append(Case(name, {**dy, "logits": x, "labels": soft}, {}, features | {"soft labels"}, whole=False))
    return tuple(found)


def squared_cases(kind: str) -> tuple[Case, ...]:
    """The cases of the mean squared error."""
    found = []
    for title, shape, values in (
        ("one number", (1, 1), "whole"),
        ("two examples", (2, 3), "whole"),
        ("as many examples as outputs", (3, 3), "whole"),
        ("zeros", (2, 2), "zeros"),
        ("more axes", (2, 3, 4), "normal"),
        ("any numbers", (5, 7), "normal"),
        ("any numbers, many examples", (24, 3), "normal"),
    ):
        normal = values == "normal"
        dy = {"dy": values_of("normal" if normal else "whole", shape[:-1], "dy" + title)} if kind.endswith("backward") else {}
        prediction, target = (values_of(values, shape, part + title) for part in ("prediction", "target"))
        features = frozenset({"more than one example"} if shape[0] > 1 else set())
        found.append(Case(title, {**dy, "prediction": prediction, "target": target}, {}, features, whole=False))
    groups = [["dy"]] if kind.endswith("backward") else []
    return (*found, *scaled(found[-1], *groups, ["prediction", "target"]))
