"""The same weights for frameworks that put channels first."""

import math

import numpy as np

from experiments.benchmarks.cases import Step


def filters_channels_first(w: np.ndarray) -> np.ndarray:
    """(F, F, C_in, C_out) → (C_out, C_in, F, F)."""
    return np.ascontiguousarray(w.transpose(3, 2, 0, 1))


def params_channels_first(case: Step, params: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """Filters as above, dense weights as (outputs, inputs), and those behind a flatten for inputs in the order C, H, W."""
    converted, flattened = [], None
    for (layer, shape, _), own in zip(case.trace(), params, strict=True):
        if layer.kind == "flatten":
            flattened = shape
        if layer.kind == "conv":
            own = {**own, "w": filters_channels_first(own["w"])}  # noqa: PLW2901
        if layer.kind == "dense":
            w = own["w"]
            if flattened is not None:
                w = w.reshape(*flattened, -1).transpose(2, 0, 1, 3).reshape(math.prod(flattened), -1)
                flattened = None
            own = {**own, "w": np.ascontiguousarray(w.T)}  # noqa: PLW2901
        converted.append(own)
    return converted
