"""Layer descriptions: small frozen values that say what a layer is; parameters live in a pytree beside them."""

from jcnn.layers.activation import Activation, Elu, Gelu, LeakyRelu, Maxout, Relu, Selu, Sigmoid, Softplus, Tanh
from jcnn.layers.base import DEFAULT, Fans, Layer, Network, Ops, Shape
from jcnn.layers.dense import Dense, Flatten
from jcnn.layers.spatial import AvgPool, Conv, GlobalAvgPool, GlobalMaxPool, MaxPool

__all__ = [
    "DEFAULT",
    "Activation",
    "AvgPool",
    "Conv",
    "Dense",
    "Elu",
    "Fans",
    "Flatten",
    "Gelu",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Layer",
    "LeakyRelu",
    "MaxPool",
    "Maxout",
    "Network",
    "Ops",
    "Relu",
    "Selu",
    "Shape",
    "Sigmoid",
    "Softplus",
    "Tanh",
]
