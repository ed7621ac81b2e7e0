"""What a candidate is expected to be: its signature, its arguments with their shapes, and code to start from."""

from typing import NamedTuple

from jcnn.check.cases.case import INTEGERS, OTHER_FORMS
from jcnn.check.operations import Kind
from jcnn.check.styles.calling import Call
from jcnn.check.styles.cs231n import names_of
from jcnn.check.styles.layouts import axes_of
from jcnn.check.styles.options import SYNONYMS
from jcnn.geometry import choice

_IMAGE, _VECTORS = "N, H, W, C_in", "N, C_in"
_OUTPUT = "N, H_out, W_out, C_out"
_FILTER = "FH, FW, C_in, C_out"
_SAME = "any shape"

_CONVOLUTION = {"x": _IMAGE, "y": _OUTPUT, "w": _FILTER, "b": "C_out"}
_POOLING = {"x": "N, H, W, C", "y": "N, H_out, W_out, C"}
_NORMALISED = {"x": "N, H, W, C", "y": "N, H, W, C", **dict.fromkeys(("scale", "offset", "mean", "variance"), "C")}
_GLOBAL = {"x": "N, H, W, C", "y": "N, C"}
_SHAPES: dict[str, dict[str, str]] = {
    "conv": _CONVOLUTION,
    "convolve": _CONVOLUTION,
    "conv_transpose": {**_CONVOLUTION, "b": "C_in"},
    "locally_connected": {**_CONVOLUTION, "w": "H_out, W_out, FH, FW, C_in, C_out", "b": "H_out, W_out, C_out"},
    "dense": {"x": _VECTORS, "y": "N, C_out", "w": "C_in, C_out", "b": "C_out"},
    "flatten": {"x": "N, H, W, C", "y": "N, H·W·C"},
    "maxout": {"x": "N, C", "y": "N, C/pieces"},
    "max_pool": _POOLING,
    "avg_pool": _POOLING,
    "global_max_pool": _GLOBAL,
    "global_avg_pool": _GLOBAL,
    **dict.fromkeys(("batch_norm", "batch_norm_evaluation", "layer_norm", "group_norm"), _NORMALISED),
    "upsample": _POOLING,
    "softmax": {"x": "N, C", "y": "N, C"},
    "log_softmax": {"x": "N, C", "y": "N, C"},
    "softmax_cross_entropy": {"logits": "N, C", "labels": "N", "y": "N"},
    "mean_squared_error": {"prediction": "N, M", "target": "N, M", "y": "N"},
}
_AFFINE = {**_SHAPES["dense"], "x": "N, d_1, …, d_k", "w": "D, C_out"}
"""The fully connected layer of CS231n flattens every example."""
_MEANINGS = {
    "x": "the input",
    "y": "the output",
    "w": "the filters",
    "b": "the biases",
    "window": "how large the window is, one number or one for each axis",
    "pieces": "how many numbers compete for each output",
    "logits": "the scores of the classes",
    "labels": "the numbers of the right classes",
    "prediction": "what was predicted",
    "target": "what is right",
    "scale": "γ, one number for each channel",
    "offset": "β, one number for each channel",
    "mean": "of the training, one number for each channel",
    "variance": "of the training, one number for each channel",
    "key": "of the mask: jcnn.dropout_mask(x, key, rate=…, spatial=…) is True where a number is kept",
    "factor": "how many times as large, one number or one for each axis",
}
_OPTIONS = {
    "stride": ("1", "how far the window moves, one number or one for each axis"),
    "padding": ("0", "zeros on every side, one number or one for each axis"),
    "dilation": ("1", "how far apart the taps of a filter are"),
    "groups": ("1", "channels in groups of their own"),
    "rounding": ('"floor"', "what becomes of a last window that does not fit"),
    "count_padding": ("False", "whether an average counts the padding"),
    "output_size": ("None", "rows and columns of the result"),
    "output_padding": ("0", "rows and columns more of the result"),
    "epsilon": ("1e-05", "what is added to the variance"),
    "axes": ('"channels"', 'what has statistics of its own: "channels", every pixel; "all", every example'),
    "rate": ("", "the share of numbers that are dropped"),
    "spatial": ("False", "whether channels are dropped as a whole"),
    "method": ('"nearest"', '"nearest" or "linear"'),
    "label_smoothing": ("0.0", "the share of the target that is spread over all classes"),
    "class_weights": ("None", "what the loss of each class counts, (C,)"),
    "ignored_label": ("None", "a label whose loss is 0"),
}


_OF_POOLING = {
    "stride": ("None", f"{_OPTIONS['stride'][1]}; None: the size of the window"),
    "padding": ("0", "pixels added on every side, which never win or count"),
}


_ARRAYS = "It gets NumPy arrays in float64 and returns arrays of NumPy, JAX or PyTorch, or lists."
_LEFT_OUT = (
    "Options that it lacks, and forms of one for which it raises NotImplementedError, such as a number for each axis, are left "
    "out; one number it has to take wherever it has a parameter for it."
)


class Argument(NamedTuple):
    """An argument or output.

    Attributes:
        name: in the style.
        shape: in the layout, in letters; "" where it is no array.
        meaning: in words.
    """

    name: str
    shape: str
    meaning: str


class Expected(NamedTuple):
    """What is expected.

    Attributes:
        signature: in one line.
        arguments: what goes in.
        outputs: what comes out.
        notes: what else there is to know.
        start: code to start from.
    """

    signature: str
    arguments: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    notes: tuple[str, ...]
    start: str

    def __str__(self) -> str:
        """All of it as text."""
        widths = [max(len(entry[place]) for entry in (*self.arguments, *self.outputs)) for place in (0, 1)]
        lines = [self.signature, ""]
        for title, entries in (("takes", self.arguments), ("returns", self.outputs)):
            lines.append(f"{title}:")
            lines += [
                f"  {entry.name.ljust(widths[0])}  {entry.shape.ljust(widths[1])}  {entry.meaning}".rstrip()
                for entry in entries
            ]
        return "\n".join([*lines, "", *self.notes, *([""] if self.notes else []), "for example:", "", self.start])


def call_of(kind: Kind, layout: str, style: str) -> Call:
    """How a candidate is called."""
    longest = max((case.args for case in kind.cases), key=len)
    return Call(kind.name, tuple(longest), kind.leaves, layout, style)


def expected(kind: Kind, layout: str, style: str) -> Expected:
    """What a candidate of a kind is expected to be, in a layout and style."""
    form = call_of(kind, layout, style)
    return _EXPECTED[choice("style", style, _EXPECTED)](kind, form)


def _argument(form: Call, name: str, theirs: str | None = None) -> Argument:
    """An argument or output of jcnn's, as it is in the layout."""
    of = name.removeprefix("d") if name.startswith("d") and name != "dilation" else name
    shapes = _AFFINE if _is_affine(form) else _SHAPES.get(form.operation, {"x": _SAME, "y": _SAME})
    said = "the weights" if of == "w" and form.operation == "dense" else _MEANINGS[of]
    meaning = said if of == name else f"the gradient with respect to {of}, {said}"
    if of not in shapes:
        return Argument(theirs or name, "", meaning)
    letters = shapes[of].split(", ")
    order = axes_of(form.layout, form.operation).order(of, len(letters))
    listed = [letters[place] for place in order] if order else letters
    text = ", ".join(listed)
    return Argument(theirs or name, text if text == _SAME else f"({text}{',' if len(listed) == 1 else ''})", meaning)


def _is_affine(form: Call) -> bool:
    return form.style == "cs231n" and form.operation == "dense"


def _other_forms(kind: Kind) -> list[str]:
    """What candidates are given beside what is said, in sentences."""
    features = frozenset().union(*(case.features for case in kind.cases))
    found = []
    if features & OTHER_FORMS:
        found.append(
            "Arrays of other numbers of axes than these, or probabilities as labels, are left out where it is right for none."
        )
    if INTEGERS in features:
        found.append("An image may also be an array of integers.")
    return found


def _options_of(kind: Kind) -> list[str]:
    used = {name for case in kind.cases for name in case.options}
    return [name for name in _OPTIONS if name in used]


def _result(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _of_jcnn(kind: Kind, form: Call) -> Expected:
    options = _options_of(kind)
    parameters = sorted({name for case in kind.cases for name in case.options} - set(options))
    meant = {**_OPTIONS, **(_OF_POOLING if "window" in form.arguments else {})}
    values = {name: meant[name][0] for name in options}
    listed = [f"{name}=None" if name == "b" else name for name in form.arguments]
    given = [name if name in kind.required else f"{name}={value}" for name, value in values.items()]
    by_name = [*given, *(f"{name}=…" for name in parameters)]
    inside = ", ".join([*listed, *(["*", *by_name] if by_name else [])])
    others = {name: f"; also {' or '.join(SYNONYMS[name][:2])}" for name in options if name in SYNONYMS}
    arguments = [
        *(_argument(form, name) for name in form.arguments),
        *(Argument(name, "", f"{meant[name][1]}{others.get(name, '')}") for name in options),
    ]
    notes = (_ARRAYS, *([_LEFT_OUT] if set(options) - kind.required else []), *_other_forms(kind))
    usual = [name for name in options if name in {"stride", "padding"} or name in kind.required]
    few = [*listed, *(name if name in kind.required else f"{name}={values[name]}" for name in usual)]
    start = f"def {kind.name}({', '.join(few)}):\n    ...\n    return {', '.join(form.leaves)}"
    outputs = tuple(_argument(form, name) for name in form.leaves)
    return Expected(f"{kind.name}({inside}) -> {_result(form.leaves)}", tuple(arguments), outputs, notes, start)


def _of_cs231n(kind: Kind, form: Call) -> Expected:
    names = names_of(form.operation)
    flattened = "D = d_1 · … · d_k: every example is flattened. A function for an x of shape (N, D) alone is graded with that."
    notes = (*([flattened] if _is_affine(form) else []), *_other_forms(kind))
    arrays = [name for name in form.inputs if name != "window"]
    if names.loss:
        scores, labels = arrays
        text = f"{names.forward}(x, y) -> (loss, dx)"
        arguments = (_argument(form, scores, "x"), _argument(form, labels, "y"))
        outputs = (Argument("loss", "", "the mean over the examples"), _argument(form, f"d{scores}", "dx"))
        start = f"def {names.forward}(x, y):\n    ...\n    return loss, dx"
        return Expected(text, arguments, outputs, notes, start)
    passed = [*arrays, *([names.parameters] if names.parameters else [])]
    keys = [*(["pool_height", "pool_width"] if "window" in form.inputs else []), *names.keys.values(), *names.fixed]
    dictionary = f"{{{', '.join(repr(key) + ': …' for key in keys)}}}"
    options = [Argument(names.parameters, "", f"the dictionary {dictionary}")] if keys else []
    forward = f"{names.forward}({', '.join(passed)})"
    cache = passed[0] if len(passed) == 1 else f"({', '.join(passed)})"
    if not form.backward:
        outputs = (_argument(form, form.leaves[0], "out"), Argument("cache", "", "what the backward pass needs"))
        start = f"def {forward}:\n    ...\n    cache = {cache}\n    return out, cache"
        arguments = (*(_argument(form, name) for name in arrays), *options)
        return Expected(f"{forward} -> (out, cache)", arguments, outputs, notes, start)
    result = ", ".join(form.leaves)
    given = Argument("cache", "", f"what {forward} of the same file returns beside out; where there is none, {cache}")
    start = f"def {names.backward}(dout, cache):\n    {cache.strip('()')} = cache\n    ...\n    return {result}"
    return Expected(
        f"{names.backward}(dout, cache) -> {_result(form.leaves)}",
        (_argument(form, form.arguments[0], "dout"), given),
        tuple(_argument(form, name) for name in form.leaves),
        (
            *(f"{shown.name}: {shown.shape or shown.meaning}" for shown in (*(_argument(form, n) for n in arrays), *options)),
            *notes,
        ),
        start,
    )


def _of_torch(kind: Kind, form: Call) -> Expected:
    options = [name for name in ("stride", "padding") if name in _options_of(kind)]
    meant = {**_OPTIONS, **(_OF_POOLING if "window" in form.inputs else {})}
    defaults = {name: meant[name][0] for name in options}
    passed = ", ".join([*(f"{n}=None" if n == "b" else n for n in form.inputs), *(f"{n}={v}" for n, v in defaults.items())])
    gradients = [f"d{name}" if f"d{name}" in _leaves_of_backward(form) else "None" for name in (*form.inputs, *options)]
    out = ("x",) if form.operation == "conv_transpose" else ("y",)
    title = "".join(part.capitalize() for part in form.operation.split("_"))
    start = (
        f"class {title}(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, {passed}):\n        ...\n"
        f"        return {out[0]}\n\n    @staticmethod\n    def backward(ctx, d{out[0]}):\n        ...\n"
        f"        return {', '.join(gradients)}"
    )
    arguments = [_argument(form, name) for name in form.inputs]
    arguments += [Argument(name, "", meant[name][1]) for name in options]
    outputs = [_argument(form, name) for name in form.leaves]
    notes = ["It gets tensors in float64."]
    notes += ["The gradients are what autograd takes from its own backward."] if form.backward else []
    return Expected(
        f"a torch.autograd.Function with forward(ctx, {passed}) -> {out[0]} and backward(ctx, d{out[0]}), or a function that "
        f"applies one",
        tuple(arguments),
        tuple(outputs),
        tuple(notes),
        start,
    )


def _leaves_of_backward(form: Call) -> tuple[str, ...]:
    return (
        form.leaves
        if form.backward
        else tuple(f"d{name}" for name in form.inputs if name not in {"window", "pieces", "labels"})
    )


_EXPECTED = {"jcnn": _of_jcnn, "cs231n": _of_cs231n, "torch": _of_torch}
