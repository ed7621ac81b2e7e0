"""Loads oneDNN and the handlers, and tells XLA of them."""

import ctypes
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import jax

TARGETS = ("jcnn_native_forward", "jcnn_native_input_gradient", "jcnn_native_filter_gradient")
ONEDNN = "onednn-cpu-gomp"


def register() -> None:
    """Registers the handlers for the CPU.

    Raises:
        ImportError: oneDNN or the handlers cannot be loaded.
    """
    try:
        # Once loaded by its path, oneDNN is found by its name when the handlers ask for it, wherever it is installed.
        ctypes.CDLL(str(onednn()))
        library = ctypes.CDLL(str(Path(__file__).with_name("libjcnn_native.so")))
    except OSError as error:
        raise ImportError(f"jcnn_native: {error}") from error
    for name in TARGETS:
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")


def onednn() -> Path:
    """The file of oneDNN's library in the installed package.

    Raises:
        ImportError: it is not installed.
    """
    try:
        files = distribution(ONEDNN).files or []
    except PackageNotFoundError:
        raise ImportError(f"jcnn_native: {ONEDNN} is not installed") from None
    for file in files:
        if file.name == "libdnnl.so.3":
            return Path(str(file.locate())).resolve()
    raise ImportError(f"jcnn_native: {ONEDNN} has no libdnnl.so.3")
