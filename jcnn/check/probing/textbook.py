"""The right formulas of what is no sum of products, line by line, in the forms in which textbooks and students write them."""

from typing import NamedTuple

from jcnn.check.probing.formula import Tree, parse


class Line(NamedTuple):
    """name = tree."""

    name: str
    tree: Tree


Form = tuple[Line, ...]
"""Lines, the last of which is the output."""


def inlined(lines: Form) -> Tree:
    """One tree for all lines: names that a line gives are replaced by what it says."""
    given: dict[str, Tree] = {}
    for line in lines:
        given[line.name] = _with(line.tree, given)
    return given[lines[-1].name]


def _with(tree: Tree, given: dict[str, Tree]) -> Tree:
    if tree[0] == "name":
        return given.get(tree[1], tree)
    if tree[0] == "number":
        return tree
    return (tree[0], *(_with(part, given) for part in tree[1:]))


def form(*lines: str) -> Form:
    """From lines such as `"p = e / sum(e, classes)"`."""
    pairs = [line.split(" = ", 1) for line in lines]
    return tuple(Line(name, parse(text)) for name, text in pairs)


_SHIFTED = ("m = max(x, classes)", "e = exp(x - m)")
_P = (*_SHIFTED, "p = e / sum(e, classes)")
_LOGITS = ("m = max(logits, classes)", "e = exp(logits - m)", "p = e / sum(e, classes)")
_PLAIN = ("e = exp(x)", "p = e / sum(e, classes)")
_PLAIN_LOGITS = ("e = exp(logits)", "p = e / sum(e, classes)")
_T = "t = onehot(labels, logits)"


def _moments(axes: str) -> tuple[str, ...]:
    """The lines of mean and variance over these axes."""
    return (f"m = mean(x, {axes})", "d = x - m", f"v = mean(d ** 2, {axes})")


def _dx(axes: str) -> tuple[Form, ...]:
    """The gradient of a normalisation over these axes, in one formula and along the three paths."""
    normal = (*_moments(axes), "s = sqrt(v + epsilon)", "n = d / s", "g = dy * scale")
    size = "M" if axes == "examples_and_pixels" else "C"
    return (
        form(*normal, f"dx = (g - mean(g, {axes}) - n * mean(g * n, {axes})) / s"),
        form(
            *normal,
            f"dv = sum(g * d, {axes}) * -0.5 / s ** 3",
            f"dm = -sum(g / s, {axes})",
            f"dx = g / s + dm / {size} + dv * 2 * d / {size}",
        ),
    )


_OVER_BATCH, _OVER_CHANNELS = _moments("examples_and_pixels"), _moments("classes")
_SCALED = ("s = sqrt(v + epsilon)", "n = d / s", "dscale = total(dy * n, examples_and_pixels)")
_MOVED = (form("doffset = total(dy, examples_and_pixels)"),)

FORMS: dict[str, tuple[Form, ...]] = {
    "relu": (form("y = max2(x, 0)"), form("y = where(x > 0, x, 0)"), form("y = x * (x > 0)")),
    "relu_backward": (form("dx = dy * (x > 0)"), form("dx = where(x <= 0, 0, dy)")),
    "leaky_relu": (
        form("y = where(x > 0, x, slope * x)"),
        form("y = max2(x, 0) + slope * min2(x, 0)"),
    ),
    "leaky_relu_backward": (
        form("dx = dy * where(x > 0, 1, slope)"),
        form("dx = where(x <= 0, dy * slope, dy)"),
    ),
    "elu": (
        form("y = where(x > 0, x, alpha * (exp(min2(x, 0)) - 1))"),
        form("y = where(x < 0, alpha * expm1(x), x)"),
        form("y = max2(x, 0) + alpha * (exp(min2(x, 0)) - 1)"),
    ),
    "elu_backward": (
        form("dx = dy * where(x > 0, 1, alpha * exp(min2(x, 0)))"),
        form("dx = dy * where(x <= 0, alpha * exp(x), 1)"),
    ),
    "selu": (
        form("y = lambda_selu * where(x > 0, x, alpha_selu * expm1(min2(x, 0)))"),
        form("y = lambda_selu * max2(x, 0) + lambda_selu * alpha_selu * (exp(min2(x, 0)) - 1)"),
        form("y = lambda_selu * where(x > 0, x, alpha_selu * (exp(x) - 1))"),
    ),
    "selu_backward": (
        form("dx = dy * lambda_selu * where(x > 0, 1, alpha_selu * exp(min2(x, 0)))"),
        form("dx = dy * lambda_selu * where(x <= 0, alpha_selu * exp(x), 1)"),
        form("dx = where(x <= 0, lambda_selu * dy * alpha_selu * exp(x), lambda_selu * dy)"),
    ),
    "sigmoid": (
        form("y = 1 / (1 + exp(-x))"),
        form("y = 1 / (1 + exp(-clip(x, -700, 700)))"),
        form("y = (tanh(x / 2) + 1) / 2"),
        form("y = where(x >= 0, 1 / (1 + exp(-x)), exp(x) / (1 + exp(x)))"),
        form("s = exp(-abs(x))", "y = where(x >= 0, 1, s) / (1 + s)"),
        form("y = sigma(x)"),
    ),
    "sigmoid_backward": (
        form("y = sigma(x)", "dx = dy * y * (1 - y)"),
        form("y = 1 / (1 + exp(-clip(x, -700, 700)))", "dx = dy * y * (1 - y)"),
        form("y = 1 / (1 + exp(-x))", "dx = dy * y * (1 - y)"),
        form("s = exp(-abs(x))", "dx = dy * s / (1 + s) ** 2"),
    ),
    "tanh": (
        form("y = tanh(x)"),
        form("s = exp(-2 * abs(x))", "y = sign(x) * (1 - s) / (1 + s)"),
        form("y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))"),
        form("y = 2 * sigma(2 * x) - 1"),
    ),
    "tanh_backward": (
        form("y = tanh(x)", "dx = dy * (1 - y ** 2)"),
        form("dx = dy / cosh(clip(x, -300, 300)) ** 2"),
        form("y = tanh(x)", "dx = dy * (1 - y) * (1 + y)"),
    ),
    "gelu": (
        form("y = x * (1 + erf(x / sqrt(2))) / 2"),
        form("y = 0.5 * x * erfc(-x / sqrt(2))"),
        form("y = x * Phi(x)"),
    ),
    "gelu_backward": (
        form(
            "c = 0.5 * (1 + erf(x / sqrt(2)))",
            "d = exp(-0.5 * x ** 2) / sqrt(2 * 3.141592653589793)",
            "dx = dy * (c + x * d)",
        ),
        form(
            "c = erfc(-x / sqrt(2)) / 2",
            "d = exp(-x * x / 2) / sqrt(2 * 3.141592653589793)",
            "dx = dy * (c + x * d)",
        ),
        form("dx = dy * (Phi(x) + x * phi(x))"),
    ),
    "softplus": (
        form("y = max2(x, 0) + log1p(exp(-abs(x)))"),
        form("y = log(exp(x - max2(x, 0)) + exp(0 - max2(x, 0))) + max2(x, 0)"),
        form("y = log(1 + exp(x))"),
    ),
    "softplus_backward": (
        form("dx = dy * sigma(x)"),
        form("dx = dy / (1 + exp(-clip(x, -700, 700)))"),
        form("dx = dy / (1 + exp(-x))"),
        form("dx = dy * (0.5 + 0.5 * tanh(0.5 * x))"),
    ),
    "softmax": (
        form(*_SHIFTED, "y = e / sum(e, classes)"),
        form("e = exp(x)", "y = e / sum(e, classes)"),
        form("m = max(x, classes)", "y = exp(x - m) / sum(exp(x - m), classes)"),
    ),
    "softmax_backward": (
        form(*_P, "dx = p * (dy - sum(dy * p, classes))"),
        form(*_PLAIN, "dx = p * (dy - sum(dy * p, classes))"),
        form(*_P, "dx = p * dy - p * sum(p * dy, classes)"),
    ),
    "log_softmax": (
        form("m = max(x, classes)", "z = x - m", "y = z - log(sum(exp(z), classes))"),
        form("m = max(x, classes)", "y = x - m - log(sum(exp(x - m), classes))"),
        form("y = x - log(sum(exp(x), classes))"),
        form(*_P, "y = log(p)"),
    ),
    "log_softmax_backward": (
        form(*_P, "dx = dy - p * sum(dy, classes)"),
        form(*_PLAIN, "dx = dy - p * sum(dy, classes)"),
        form(*_SHIFTED, "dx = dy - e / sum(e, classes) * sum(dy, classes)"),
    ),
    "softmax_cross_entropy": (
        form(
            _T,
            "m = max(logits, classes)",
            "z = logits - m",
            "q = z - log(sum(exp(z), classes))",
            "y = -total(t * q, classes)",
        ),
        form(
            _T,
            "m = max(logits, classes)",
            "s = m + log(sum(exp(logits - m), classes))",
            "y = total(t * (s - logits), classes)",
        ),
        form(_T, "q = logits - log(sum(exp(logits), classes))", "y = -total(t * q, classes)"),
        form(
            "m = max(logits, classes)",
            "q = logits - m - log(sum(exp(logits - m), classes))",
            "y = -at_label(q, labels)",
        ),
        form(_T, *_LOGITS, "y = -total(t * log(p), classes)"),
    ),
    "softmax_cross_entropy_backward": (
        form(_T, *_LOGITS, "dlogits = column(dy) * (p - t)"),
        form(_T, *_PLAIN_LOGITS, "dlogits = column(dy) * (p - t)"),
    ),
    "mean_squared_error": (
        form("d = prediction - target", "y = average(d ** 2, classes)"),
        form("d = prediction - target", "y = total(d * d, classes) / C"),
    ),
    "mean_squared_error_backward": (form("d = prediction - target", "dprediction = 2 * column(dy) * d / C"),),
    "maxout": (form("y = largest(groups(x, pieces), classes)"), form("y = largest(strided_groups(x, pieces), classes)")),
    "maxout_backward": (
        form("g = groups(x, pieces)", "dx = ungrouped(first_max(g, classes) * column(dy))"),
        form("g = groups(x, pieces)", "dx = ungrouped(equal(g, max(g, classes)) * column(dy))"),
        form("g = strided_groups(x, pieces)", "dx = strided_ungrouped(first_max(g, classes) * column(dy))"),
    ),
    "global_max_pool": (form("y = largest(x, pixels)"),),
    "global_max_pool_backward": (
        form("dx = maps(dy, x) * first_max(x, pixels)"),
        form("dx = maps(dy, x) * equal(x, max(x, pixels))"),
    ),
    "global_avg_pool": (
        form("y = average(x, pixels)"),
        form("y = total(x, pixels) / (H * W)"),
        form("y = total(x, pixels) / P"),
    ),
    "global_avg_pool_backward": (
        form("dx = maps(dy, x) / P + 0 * x"),
        form("dx = maps(dy, x) / (H * W) + 0 * x"),
    ),
    "dropout": (form("y = x * keep / (1 - rate)"),),
    "dropout_backward": (form("dx = dy * keep / (1 - rate)"),),
    "batch_norm": (form(*_OVER_BATCH, "y = scale * d / sqrt(v + epsilon) + offset"),),
    "batch_norm_backward": _dx("examples_and_pixels"),
    "batch_norm_evaluation": (form("d = x - mean", "s = sqrt(variance + epsilon)", "y = scale * d / s + offset"),),
    "batch_norm_evaluation_backward": (form("s = sqrt(variance + epsilon)", "dx = dy * scale / s"),),
    "layer_norm": (form(*_OVER_CHANNELS, "y = scale * d / sqrt(v + epsilon) + offset"),),
    "layer_norm_backward": _dx("classes"),
    "flatten": (form("y = flat(x)"),),
    "flatten_backward": (form("dx = as_x(dy, x)"),),
}
"""By the operation; the first form is right, so are the others where nothing overflows or ties and, for maps, with two axes."""

FORMS_OF_OTHERS: dict[str, dict[str, tuple[Form, ...]]] = {
    "batch_norm_backward": {"dscale": (form(*_OVER_BATCH, *_SCALED),), "doffset": _MOVED},
    "layer_norm_backward": {"dscale": (form(*_OVER_CHANNELS, *_SCALED),), "doffset": _MOVED},
    "batch_norm_evaluation_backward": {
        "dscale": (form("n = (x - mean) / sqrt(variance + epsilon)", "dscale = total(dy * n, examples_and_pixels)"),),
        "doffset": _MOVED,
        "dmean": (form("s = sqrt(variance + epsilon)", "dmean = -total(dy * scale / s, examples_and_pixels)"),),
        "dvariance": (
            form(
                "s = sqrt(variance + epsilon)",
                "d = x - mean",
                "dvariance = total(dy * scale * d, examples_and_pixels) * -0.5 / s ** 3",
            ),
        ),
    },
}
"""By the operation and one of its outputs but the first, whose forms are those of `FORMS`."""
