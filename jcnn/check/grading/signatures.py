"""What is expected of a candidate: its arguments, their shapes and its outputs, in a few lines."""

import inspect

from jcnn.check.grading.styles import STYLES
from jcnn.check.operations import kind_of

_SHAPES = {
    "NHWC": {
        "image": "(N, H, W, C)",
        "output": "(N, OH, OW, C_out)",
        "filter": "(FH, FW, C_in, C_out)",
        "of_images": "(N, H, W, C_in)",
    },
    "NCHW": {
        "image": "(N, C, H, W)",
        "output": "(N, C_out, OH, OW)",
        "filter": "(C_out, C_in, FH, FW)",
        "of_images": "(N, C_in, H, W)",
    },
}


def expected_signature(kind: str, layout: str | None = None, style: str = "jcnn") -> str:
    """The function that `grade` expects, in words and as the beginning of a file.

    Args:
        kind: as in `grade`.
        layout: as in `grade`.
        style: as in `grade`.

    Raises:
        ValueError: no such operation, layout or style.
    """
    known = kind_of(kind)
    chosen = STYLES[style]
    layout = layout or chosen.layout
    if chosen.expected is not None:
        if kind not in chosen.expected:
            raise ValueError(f"{kind} has no form in the style {style}: expected one of {', '.join(chosen.expected)}")
        return chosen.expected[kind]
    if style == "torch":
        return _of_torch(kind)
    first = known.cases[0]
    options = list(dict.fromkeys(name for case in known.cases for name in case.options))
    needed = known.required
    arguments = ", ".join([*first.args, *(["b=None"] if any("b" in case.args for case in known.cases) else [])])
    listed = (name if name in needed else f"{name}={_default(kind, name)}" for name in options)
    given = f", *, {', '.join(listed)}" if options else ""
    outputs = known.leaves[0] if len(known.leaves) == 1 else f"({', '.join(known.leaves)})"
    shapes = _SHAPES[layout]
    meanings = [f"  {name}: {_meaning(name, kind, shapes, first.args[name])}" for name in first.args]
    lines = [
        f"def {kind}({arguments}{given}):  # returns {outputs}",
        *meanings,
        *(["  stride: None is the size of the window"] if "pool" in kind and "stride" in options else []),
        "It gets NumPy float64 arrays and returns arrays of NumPy, JAX or PyTorch.",
        *(_OF_OPTIONS if not needed >= set(options) else ()),
    ]
    return "\n".join(lines)


_OF_OPTIONS = (
    "Options may be left out of its signature, or raise NotImplementedError; stride and padding are whole numbers, or one for",
    "each axis where it takes that.",
)
_DEFAULTS = {
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": 1,
    "rounding": "floor",
    "epsilon": 1e-5,
    "axes": "channels",
    "spatial": False,
    "method": "nearest",
    "label_smoothing": 0.0,
}


def _default(kind: str, option: str) -> str:
    """Of a pooling the stride is that of the window where none is given."""
    return "None" if "pool" in kind and option == "stride" else repr(_DEFAULTS.get(option))


def _meaning(name: str, kind: str, shapes: dict[str, str], value: object) -> str:
    images = kind_of(kind).of_images
    output = shapes["of_images" if "_norm" in kind else "output"] if images else "in the shape of the output"
    channels = "one number for each channel, (C,)"
    described = {
        "scale": f"γ, {channels}",
        "offset": f"β, {channels}",
        "mean": f"of the training, {channels}",
        "variance": f"of the training, {channels}",
        "key": "of the mask: jcnn.dropout_mask(x, key, rate=…, spatial=…) is True where a value is kept",
        "factor": "how many times as large, a whole number or one for each axis",
        "x": f"the input, {shapes['of_images'] if images else '(N, …)'}",
        "y": f"the input, {shapes['output']}",
        "dx": f"the gradient of the output, {shapes['image']}",
        "dy": f"the gradient of the output, {output}",
        "w": f"the weights, {shapes['filter'] if images else '(inputs, outputs)'}",
        "b": "the bias, (C_out,)",
        "window": "the size of the window, a whole number or (FH, FW)",
        "labels": "class numbers (N,), or distributions (N, C)",
        "logits": "(N, C)",
    }
    return described.get(name, f"a {type(value).__name__}")


def _of_torch(kind: str) -> str:
    base = kind.removesuffix("_backward")
    return inspect.cleandoc(
        f"""
        class {base.title().replace("_", "")}(torch.autograd.Function):  # graded as {kind}
            @staticmethod
            def forward(ctx, x, w, b, stride, padding): ...  # those of the parameters that it has, under these names
            @staticmethod
            def backward(ctx, dy): ...  # the gradients in the order of forward's parameters, None for what has none
        Images are (N, C, H, W), filters (C_out, C_in, FH, FW); it is used by its apply, in float64.
        """
    )
