"""The adversarial cases of what moves no window: dense layers, activations, whole maps, losses."""

from collections.abc import Iterator

import numpy as np

from jcnn.check import formulas
from jcnn.check.cases.case import NO_PIXELS, Case, of_integers, scaled, values_of
from jcnn.geometry import spatial_axes
from jcnn.layers.formula import Formula


def dense_cases(*, backward: bool) -> tuple[Case, ...]:
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
        features |= {"a bias"} if b and not backward else set()
        features |= {"numbers that are not whole"} if values == "normal" else set()
        args = {"dy": dy, "x": x, "w": w} if backward else {"x": x, "w": w, **b}
        found.append(Case(name, args, {}, frozenset(features), values != "normal"))
        if name == "any numbers" and not backward:
            found.append(of_integers(found[-1]))
        if name == "any numbers, more outputs than inputs":
            found += scaled(found[-1], *([name] for name in args))
    return tuple(found)


def _with_zeros(x: np.ndarray) -> np.ndarray:
    """x with zeros along its last column."""
    return np.where(np.arange(x.shape[-1]) == x.shape[-1] - 1, 0.0, x)


def activation_cases(name: str, formula: Formula, *, backward: bool) -> tuple[Case, ...]:
    """The cases of an activation, among them those of its parameter."""
    parameters = formula.parameters
    signs = np.array([-2.0, -1.0, 1.0, 2.0, 3.0])
    found = []
    for title, x, options, features in (
        ("one number", np.array([[2.0]]), {}, set()),
        ("both signs", np.stack([signs, -signs / 4]), {}, {"negative numbers"}),
        ("zero among them", np.array([[-1.0, 0.0, -0.0, 1.0]]), {}, {"zeros"}),
        ("zeros", np.zeros((2, 3)), {}, {"zeros"}),
        ("any numbers", values_of("normal", (3, 4, 2), title_seed := "x" + name), {}, {"more than two axes"}),
        ("any numbers, many", 3 * values_of("normal", (6, 9), title_seed), {}, {"more than one example"}),
        ("large numbers", np.array([[-800.0, -40.0, -20.0, 20.0, 40.0, 800.0]]), {}, {"large numbers"}),
        ("numbers of millions", np.array([[-3e6, -2e6, 2e6, 3e6]]), {}, {"large numbers"}),
        *(
            (title, _with_zeros(values_of("normal", (4, 5), title_seed)), parameter, {"a parameter"})
            for title, parameter in parameters.items()
        ),
    ):
        values = "normal" if title.startswith("any numbers") or title in parameters else "whole"
        dy = {"dy": values_of(values, x.shape, "dy" + title)} if backward else {}
        found.append(Case(title, {**dy, "x": x}, options, frozenset(features), whole=False))
        if title == "any numbers, many":
            # Every backward is linear in dy, functions of straight pieces scale with x.
            found += scaled(found[-1], *([name] for name in (*dy, *(["x"] if formula.straight else []))))
    return tuple(found)


def softmax_cases(*, backward: bool, entropy: bool = False) -> tuple[Case, ...]:
    """The cases of softmax and its logarithm; with labels those of the cross-entropy."""
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
        dy = {"dy": values_of(values, shape, "dy" + title)} if backward else {}
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
    return (*found, *(_entropy_options(backward=backward) if entropy else ()))


def _entropy_options(*, backward: bool) -> Iterator[Case]:
    """The cases of smoothed targets, weighted classes and ignored labels, each by itself and together."""
    smoothed, ignoring = {"label_smoothing": 0.1}, {"ignored_label": 2}
    weights = {"class_weights": np.array([0.5, 2.0, 1.0, 0.0, 3.0])}
    beyond = {"ignored_label": -100}
    for title, shape, options in (
        ("smoothed labels", (6, 5), smoothed),
        ("smoothed labels, as many examples as classes", (5, 5), {"label_smoothing": 0.5}),
        ("weighted classes", (7, 5), weights),
        ("an ignored class", (9, 5), ignoring),
        ("an ignored label that is no class", (8, 5), beyond),
        ("smoothed labels and weighted classes", (6, 5), {**smoothed, **weights}),
        ("smoothed labels, weighted classes and an ignored label", (2, 4, 5), {**smoothed, **weights, **beyond}),
        ("soft labels, smoothed and weighted", (4, 5), {**smoothed, **weights}),
    ):
        logits = 2 * values_of("normal", shape, "logits" + title)
        labels = np.random.default_rng(logits.size).integers(0, shape[-1], shape[:-1])
        if "ignored_label" in options:
            labels.reshape(-1)[::3] = options["ignored_label"]
        features = {option.replace("_", " ") for option in options}
        features |= {"more axes"} if len(shape) > 2 else set()
        if title.startswith("soft"):
            labels = formulas.softmax(values_of("normal", shape, "labels" + title))
            features.add("soft labels")
        dy = {"dy": values_of("normal", shape[:-1], "dy" + title)} if backward else {}
        yield Case(title, {**dy, "logits": logits, "labels": labels}, options, frozenset(features), whole=False)


def squared_cases(*, backward: bool) -> tuple[Case, ...]:
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
        dy = {"dy": values_of("normal" if normal else "whole", shape[:-1], "dy" + title)} if backward else {}
        prediction, target = (values_of(values, shape, part + title) for part in ("prediction", "target"))
        features = {"more than one example"} if shape[0] > 1 else set()
        features |= {"more axes"} if len(shape) > 2 else set()
        found.append(Case(title, {**dy, "prediction": prediction, "target": target}, {}, frozenset(features), whole=False))
    groups = [["dy"]] if backward else []
    return (*found, *scaled(found[-1], *groups, ["prediction", "target"]))


def global_cases(*, largest: bool, backward: bool) -> tuple[Case, ...]:
    """The cases of pooling over whole maps."""
    found = []
    for name, shape, values in (
        ("a single pixel", (1, 1, 1, 1), "distinct"),
        ("2×2 pixels", (1, 2, 2, 1), "distinct"),
        ("one axis", (2, 3, 2), "distinct"),
        ("maps that are not square", (2, 3, 4, 3), "distinct"),
        ("three axes", (2, 2, 3, 2, 2), "normal"),
        ("zeros", (2, 2, 2, 2), "zeros"),
        ("ties", (2, 3, 3, 2), "ties"),
        ("any numbers, one axis", (3, 5, 4), "normal"),
        ("any numbers, a tall map", (2, 5, 3, 4), "normal"),
        ("any numbers, square maps", (3, 3, 3, 3), "normal"),
        ("any numbers, one example", (1, 2, 4, 2), "normal"),
        ("far below 0", (2, 3, 4, 3), "far below 0"),
        ("one large map", (2, 17, 19, 4), "normal"),
    ):
        x = values_of(values, shape, "x" + name)
        normal = values in {"normal", "far below 0"}
        features = {"more than one example"} if shape[0] > 1 else set()
        features |= {spatial_axes(len(shape) - 2)} if len(shape) != 4 else set()
        features |= {"ties"} if values in {"zeros", "ties"} and largest else set()
        features |= {"numbers that are not whole"} if normal else set()
        features |= {"large numbers"} if values == "far below 0" else set()
        dy = values_of("normal" if normal else "whole", (shape[0], shape[-1]), "dy" + name)
        args = {"dy": dy, "x": x} if backward else {"x": x}
        found.append(Case(name, args, {}, frozenset(features), not normal and largest))
        if name == "any numbers, a tall map":
            found += scaled(found[-1], *([name] for name in args))
    return tuple(found)


def maxout_cases(*, backward: bool) -> tuple[Case, ...]:
    """The cases of maxout; maxima stand alone but where they shall tie."""
    found = []
    for title, shape, pieces, values in (
        ("one number", (1, 1), 1, "whole"),
        ("two pieces", (1, 4), 2, "distinct"),
        ("as many pieces as outputs", (3, 9), 3, "distinct"),
        ("all channels in one", (2, 5), 5, "distinct"),
        ("a layer at every pixel", (2, 3, 2, 6), 2, "distinct"),
        ("zeros", (2, 6), 3, "zeros"),
        ("ties", (4, 3, 6), 3, "ties"),
        ("far below 0", (4, 6), 2, "far below 0"),
        ("any numbers", (5, 12), 4, "normal"),
    ):
        x = values_of(values, shape, "x" + title)
        normal = values in {"normal", "far below 0"}
        dy = values_of("normal" if normal else "whole", (*shape[:-1], shape[-1] // pieces), "dy" + title)
        gradient = {"dy": dy} if backward else {}
        features = {"ties"} if values in {"zeros", "ties"} and pieces > 1 else set()
        features |= {"spatial axes before the channels"} if len(shape) > 2 else set()
        features |= {"large numbers"} if values == "far below 0" else set()
        found.append(Case(title, {**gradient, "x": x, "pieces": pieces}, {}, frozenset(features), not normal))
    return (*found, *scaled(found[-1], *([name] for name in (*gradient, "x"))))


def flatten_cases(*, backward: bool) -> tuple[Case, ...]:
    """The cases of flattening."""
    found = []
    for title, shape, values in (
        ("one number", (1, 1), "whole"),
        ("flat already", (2, 3), "whole"),
        ("one axis", (2, 3, 2), "whole"),
        ("maps that are not square", (2, 2, 3, 4), "whole"),
        ("one example", (1, 3, 2, 2), "normal"),
        ("tall maps", (3, 4, 1, 2), "whole"),
        ("three axes", (2, 2, 3, 2, 2), "normal"),
        ("as many examples as pixels", (4, 2, 2, 1), "normal"),
    ):
        x = values_of(values, shape, "x" + title)
        dy = values_of(values, (shape[0], x[0].size), "dy" + title)
        gradient = {"dy": dy} if backward else {}
        features = {"more than one example"} if shape[0] > 1 else set()
        features |= {NO_PIXELS if len(shape) == 2 else spatial_axes(len(shape) - 2)} if len(shape) != 4 else set()
        found.append(Case(title, {**gradient, "x": x}, {}, frozenset(features), values != "normal"))
    return (*found, *scaled(found[-1], *([name] for name in (*gradient, "x"))))
