"""Candidates in the style of PyTorch: functions of its autograd, whose own backward is graded."""

from pathlib import Path

import pytest

from jcnn.check import grade_file

pytest.importorskip("torch", reason="PyTorch is not installed here; `make test-peers` installs it")

SOURCE = """
import torch

class Relu(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x.clamp(min=0)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, dy):
        x, = ctx.saved_tensors
        return dy * (x > 0)

class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy @ w.T, x.flatten(0, -2).T @ dy.flatten(0, -2)

class Few(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        return x @ w + b

    @staticmethod
    def backward(ctx, dy):
        return dy, dy

class Conv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b, stride=1, padding=0):
        ctx.save_for_backward(x, w)
        ctx.options = {"stride": stride, "padding": padding}
        return torch.nn.functional.conv2d(x, w, b, **ctx.options)

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        dx = torch.nn.grad.conv2d_input(x.shape, w, dy, **ctx.options)
        dw = torch.nn.grad.conv2d_weight(x, w.shape, dy, **ctx.options)
        return dx, dw, dy.sum((0, 2, 3)), None, None

class FirstExample(Conv):
    @staticmethod
    def backward(ctx, dy):
        dx, dw, db, *nothing = Conv.backward(ctx, dy)
        return dx, dw, dy[0].sum((1, 2)), *nothing

class InAnotherOrder(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, stride, padding, input, bias=None):
        return Conv.forward(ctx, input, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx, dy):
        dx, dw, db, *nothing = Conv.backward(ctx, dy)
        return dw, *nothing, dx, db

def conv(x, weight, bias, pad, strides):
    return Conv.apply(x, weight, bias, strides, pad)

class Module(torch.nn.Module):
    pass
"""


@pytest.mark.parametrize(
    ("name", "kind", "verdict", "said"),
    [
        pytest.param("Conv", "conv_backward", "agrees", "", id="right"),
        pytest.param("FirstExample", "conv_backward", "bug", "first example", id="a mistake"),
        pytest.param("conv", "conv_backward", "agrees", "", id="a function that applies one"),
        pytest.param("InAnotherOrder", "conv_backward", "agrees", "", id="another order"),
        pytest.param("conv", "conv", "agrees", "", id="the forward alone"),
        pytest.param("Relu", "relu_backward", "agrees", "", id="a context of its own"),
        pytest.param("Linear", "dense_backward", "agrees", "", id="no bias"),
        pytest.param("Few", "dense_backward", "bug", "returned an incorrect number of gradients", id="too few gradients"),
        pytest.param(
            "Relu", "dense_backward", "bug", "Relu takes 1 parameter (x). Expected: a torch.autograd.Fun", id="parameters"
        ),
        pytest.param(
            "Module", "relu_backward", "bug", "Module is a class, but no torch.autograd.Function. Expected", id="a module"
        ),
    ],
)
def test_of_a_file(tmp_path: Path, name: str, kind: str, verdict: str, said: str) -> None:
    (tmp_path / "homework.py").write_text(SOURCE)
    report = grade_file(f"{tmp_path}/homework.py:{name}", kind, style="torch")
    assert report.verdict == verdict, report
    assert said in (report.diagnosis or "")
    assert bool(report.rows) == ("Expected: " not in (report.diagnosis or ""))
    assert any(reason.startswith("db (it takes no bias)") for reason in report.left_out) == (name == "Linear")
    if kind.endswith("_backward") and report.rows:
        assert [witness.holds for witness in report.witnesses] == [True]
