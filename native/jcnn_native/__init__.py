"""Convolutions by oneDNN for JAX on the CPU: three functions on float32 arrays, channels last, registered with XLA's FFI."""

from jcnn_native.calls import filter_gradient, forward, input_gradient

__all__ = ["filter_gradient", "forward", "input_gradient"]
