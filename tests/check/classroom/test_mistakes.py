"""The same mistake, however it was written, is counted under the same words."""

from typing import Any

import numpy as np
import pytest

from jcnn.check.classroom.mistakes import mistakes_of
from jcnn.check.grading.grade import grade

WINDOWS = """
    for i in range(OH):
        for j in range(OW):
            here = np.s_[:, i*S:i*S+FH, j*S:j*S+FW]
            dxp[here] += np.einsum('nk,abck->nabc', dy[:, i, j], w)
            dw += np.einsum('nabc,nk->abck', xp[here], dy[:, i, j])
"""
FILTERS = """
    for n in range(N):
        for k in range(K):
            for i in range(OH):
                for j in range(OW):
                    here = np.s_[n, i*S:i*S+FH, j*S:j*S+FW]
                    dxp[here] += dy[n, i, j, k] * w[..., k]
                    dw[..., k] += xp[here] * dy[n, i, j, k]
"""
TAPS = """
    for a in range(FH):
        for b in range(FW):
            here = np.s_[:, a:a+S*(OH-1)+1:S, b:b+S*(OW-1)+1:S]
            dxp[here] += dy @ w[a, b].T
            dw[a, b] = np.einsum('nijc,nijk->ck', xp[here], dy)
"""
CUT = "dxp[:, P:P+H, P:P+W]"


def candidate(loops: str, dx: str = CUT) -> Any:
    source = f"""
def conv_backward(dy, x, w, stride=1, padding=0):
    (N, H, W, C), (FH, FW, _, K), S, P = x.shape, w.shape, stride, padding
    (OH, OW), xp = dy.shape[1:3], np.pad(x, ((0, 0), (P, P), (P, P), (0, 0)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
{loops}
    return {dx}, dw, dy.sum((0, 1, 2))
"""
    names: dict[str, Any] = {"np": np}
    exec(source, names)  # noqa: S102 (our own text)
    return names["conv_backward"]


@pytest.mark.parametrize("loops", [WINDOWS, FILTERS, TAPS], ids=["windows", "filters", "taps"])
def test_who_overwrites_is_counted_as_one_mistake(loops: str) -> None:
    overwriting = loops.replace("dxp[here] +=", "dxp[here] =")
    assert mistakes_of(grade(candidate(overwriting), "conv_backward")) == ("= for +=",)


@pytest.mark.parametrize("loops", [WINDOWS, TAPS], ids=["windows", "taps"])
def test_a_wrong_shape_is_counted_without_the_sizes_of_a_call(loops: str) -> None:
    (mistake,) = mistakes_of(grade(candidate(loops, "dxp[:, P:-P, P:-P]"), "conv_backward"))
    assert mistake.startswith("shape of dx: the number of rows is 0 where P = 0")


def test_the_same_rule_in_two_outputs_is_one_mistake() -> None:
    without_stride = WINDOWS.replace("i*S:i*S+FH", "i:i+FH")
    (mistake,) = mistakes_of(grade(candidate(without_stride), "conv_backward"))
    assert mistake == "the pixel's row is r = i + a − P where r = S·i + a − P is right"
