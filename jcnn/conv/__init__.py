"""Convolution: one operation, one contract; each formulation in a file of its own, all ways in one table, `ways`."""

from jcnn.conv.matrix import conv_matrix
from jcnn.conv.operation import conv, conv_backward, convolve
from jcnn.conv.plan import Plan, plan
from jcnn.conv.transpose import conv_transpose, conv_transpose_backward

__all__ = ["Plan", "conv", "conv_backward", "conv_matrix", "conv_transpose", "conv_transpose_backward", "convolve", "plan"]
