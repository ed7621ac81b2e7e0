"""Convolution: one operation, one contract; each formulation in a file of its own, the backward rule beside them."""

from jcnn.conv.matrix import conv_matrix
from jcnn.conv.operation import conv, conv_backward, convolve
from jcnn.conv.transpose import conv_transpose, conv_transpose_backward

__all__ = ["conv", "conv_backward", "conv_matrix", "conv_transpose", "conv_transpose_backward", "convolve"]
