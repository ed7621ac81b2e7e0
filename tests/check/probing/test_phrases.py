"""What is wrong with one term is said of that term; the cause comes before the formula."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jcnn.check.probing.explain import find_differences
from jcnn.definition import sums
from tests.check.probing.test_explain import answering

Array = np.ndarray
Sizes = dict[str, int]


def rules_of(
    bias: Callable[[Sizes], float] = lambda _: 1, products: Callable[[Sizes], float] = lambda _: 1, before: float = 1
) -> list[str]:
    """Of a convolution whose terms are scaled, and of whose padding 2P a part comes before."""

    def conv(x: Array, w: Array, b: Array | None = None, stride: int = 1, padding: int = 0) -> Array:
        sizes = {"N": len(x), "C": x.shape[-1], "FH": w.shape[0], "FW": w.shape[1]}
        first = round(before * padding)
        side = (first, 2 * padding - first)
        y = products(sizes) * sums.conv(x, w, stride=stride, padding=(side, side))
        return y if b is None else y + bias(sizes) * b

    return [finding.rule for finding in find_differences("conv", answering(conv, "conv"))]


SCALED: dict[str, tuple[dict[str, Any], str]] = {
    "bias in every channel": ({"bias": lambda s: s["C"]}, "y: the bias is added C_in times, where once is right."),
    "bias in every tap": ({"bias": lambda s: s["FH"] * s["FW"]}, "y: the bias is added FH·FW times, where once is right."),
    "bias twice": ({"bias": lambda _: 2}, "y: the bias is added 2 times, where once is right."),
    "bias subtracted": ({"bias": lambda _: -1}, "y: the bias is subtracted."),
    "bias missing": ({"bias": lambda _: 0}, "y: the bias is missing."),
    "mean of the bias": ({"bias": lambda s: 1 / s["N"]}, "y: the bias is divided by N."),
    "products halved": ({"products": lambda _: 0.5}, "y: every product of x and w is divided by 2."),
    "products by an odd number": ({"products": lambda _: 1.234567}, "y: every product of x and w is multiplied by 1.234567."),
    "both": ({"bias": lambda s: 1 / s["N"], "products": lambda s: 1 / s["N"]}, "y: every term is divided by N."),
}


@pytest.mark.parametrize("name", SCALED)
def test_what_is_wrong_with_one_term_is_said_of_that_term(name: str) -> None:
    change, sentence = SCALED[name]
    assert rules_of(**change) == [sentence]


@pytest.mark.parametrize(("before", "side"), [(0, "after the image, none before it"), (2, "before the image, none after it")])
def test_all_padding_on_one_side_is_said_before_the_formulas(before: float, side: str) -> None:
    (rule,) = rules_of(before=before)
    assert rule.startswith(f"y: all 2·P of the padding count as if they lay {side}: the pixel's row is ")
    assert rule.count("of the padding count") == 1
