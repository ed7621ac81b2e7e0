"""The adversarial cases of what only picks or renames features: maxout and flattening."""

from jcnn.check.cases import Case, scaled, values_of


def maxout_cases(kind: str) -> tuple[Case, ...]:
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
        gradient = {"dy": dy} if kind.endswith("backward") else {}
        features = {"ties"} if values in {"zeros", "ties"} and pieces > 1 else set()
        features |= {"spatial axes before the channels"} if len(shape) > 2 else set()
        features |= {"large numbers"} if values == "far below 0" else set()
        found.append(Case(title, {**gradient, "x": x, "pieces": pieces}, {}, frozenset(features), not normal))
    return (*found, *scaled(found[-1], *([name] for name in (*gradient, "x"))))


def flatten_cases(kind: str) -> tuple[Case, ...]:
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
        gradient = {"dy": dy} if kind.endswith("backward") else {}
        features = frozenset({"more than one example"} if shape[0] > 1 else set())
        found.append(Case(title, {**gradient, "x": x}, {}, features, values != "normal"))
    return (*found, *scaled(found[-1], *([name] for name in (*gradient, "x"))))
