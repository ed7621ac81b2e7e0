"""The names that others give to options, and what is given where an option must be."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

SYNONYMS: dict[str, tuple[str, ...]] = {
    "stride": ("strides", "s", "S", "step", "pool_stride"),
    "padding": ("pad", "pads", "p", "P", "paddings", "pad_size"),
    "dilation": ("dilations", "dilation_rate", "rate"),
    "groups": ("group", "num_groups", "feature_group_count", "G"),
    "epsilon": ("eps",),
    "rate": ("p", "drop_rate"),
    "window": ("size", "pool_size", "kernel_size", "window_size", "ksize", "kernel", "pool", "k", "F"),
}
"""Other names of an option, or of the window of a pooling."""

BIASES = ("b", "bias", "biases")
"""Names of a bias that stands elsewhere than after the weights."""

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "dy": ("dout", "d_out", "dY", "grad", "grad_out", "grad_output", "gradient", "upstream", "dz", "dZ"),
    "x": ("X", "input", "inputs", "inp", "image", "images", "A_prev"),
    "w": ("W", "weight", "weights", "kernel", "kernels", "filter", "filters"),
    "b": BIASES,
    "window": SYNONYMS["window"],
}
"""Other names of arguments."""


def meant_by(name: str, arguments: Sequence[str]) -> str | None:
    """The argument, one of some, that a parameter is by its name; None where it is none by that."""
    return next((argument for argument in arguments if name == argument or name in ARGUMENTS.get(argument, ())), None)


_NOTHING = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "rounding": "floor", "count_padding": False, "epsilon": 1e-5}

_CONVOLUTION = ("stride", "padding", "dilation", "groups")
_POOLING = ("stride", "padding", "dilation", "window")
_RENAMED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("conv", "convolve", "conv_transpose", "locally_connected"), _CONVOLUTION),
    **dict.fromkeys(("max_pool", "avg_pool"), _POOLING),
    **dict.fromkeys(("batch_norm", "batch_norm_evaluation", "layer_norm"), ("epsilon",)),
    "group_norm": ("epsilon", "groups"),
    "dropout": ("rate",),
}
"""By operation what may have other names; what is not here moves no window, and there p is no padding."""


def names_taken(parameters: Iterable[inspect.Parameter], operation: str) -> dict[str, str]:
    """For every option the name of the parameter that takes it: its own if there is one, else one of the synonyms."""
    there = [parameter.name for parameter in parameters]
    found = {name: name for name in _NOTHING if name in there}
    for option in _RENAMED.get(operation, ()):
        names = (option, *SYNONYMS[option])
        taken = next((name for name in names if name in there and name not in found.values()), None)
        if taken:
            found[option] = taken
    return found


def left_at_default(option: str, arguments: dict[str, Any]) -> Any:
    """What an option is where it is not given: the stride of a pooling is its window."""
    return arguments["window"] if option == "stride" and "window" in arguments else _NOTHING.get(option)


def is_option(name: str, operation: str) -> bool:
    """Whether a parameter is called as an option is, by any name."""
    others = [SYNONYMS[option] for option in _RENAMED.get(operation, ()) if option != "window"]
    return name in _NOTHING or any(name in names for names in others)
