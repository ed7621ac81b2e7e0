"""Trained networks out of jcnn and in: PyTorch, safetensors, ONNX, StableHLO, modules of Flax and Equinox.

The libraries that this needs are extras; each function says which one it misses.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jcnn.exchange.errors import ExchangeError

if TYPE_CHECKING:
    from jcnn.exchange.equinox_module import from_equinox as from_equinox
    from jcnn.exchange.equinox_module import to_equinox as to_equinox
    from jcnn.exchange.flax_module import from_nnx as from_nnx
    from jcnn.exchange.flax_module import to_nnx as to_nnx
    from jcnn.exchange.onnx_file import to_onnx as to_onnx
    from jcnn.exchange.safetensors_file import load_safetensors as load_safetensors
    from jcnn.exchange.safetensors_file import save_safetensors as save_safetensors
    from jcnn.exchange.stablehlo import to_stablehlo as to_stablehlo
    from jcnn.exchange.torch_file import from_torch as from_torch
    from jcnn.exchange.torch_file import save_torch as save_torch
    from jcnn.exchange.torch_file import to_torch as to_torch
    from jcnn.exchange.torch_file import torch_module as torch_module
    from jcnn.exchange.torch_file import torch_source as torch_source

FUNCTIONS = {
    "from_equinox": "equinox_module",
    "from_nnx": "flax_module",
    "from_torch": "torch_file",
    "load_safetensors": "safetensors_file",
    "save_safetensors": "safetensors_file",
    "save_torch": "torch_file",
    "to_equinox": "equinox_module",
    "to_nnx": "flax_module",
    "to_onnx": "onnx_file",
    "to_stablehlo": "stablehlo",
    "to_torch": "torch_file",
    "torch_module": "torch_file",
    "torch_source": "torch_file",
}
"""Every function and its file, which is loaded when one of them is first asked for."""


def __getattr__(name: str) -> Any:
    if name in FUNCTIONS:
        return getattr(importlib.import_module(f"jcnn.exchange.{FUNCTIONS[name]}"), name)
    raise AttributeError(f"module 'jcnn.exchange' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *FUNCTIONS})


__all__ = [
    "ExchangeError",
    "from_equinox",
    "from_nnx",
    "from_torch",
    "load_safetensors",
    "save_safetensors",
    "save_torch",
    "to_equinox",
    "to_nnx",
    "to_onnx",
    "to_stablehlo",
    "to_torch",
    "torch_module",
    "torch_source",
]
