"""Matplotlib imported whatever MPLBACKEND says: figures of ours are files, and need none of the backends that show windows."""

import os
import sys
from contextlib import suppress

if "matplotlib" in sys.modules or "MPLBACKEND" not in os.environ:
    import matplotlib as mpl
else:
    asked = os.environ.pop("MPLBACKEND")
    try:
        import matplotlib as mpl
    finally:
        os.environ["MPLBACKEND"] = asked
    with suppress(ValueError):  # a backend that this Matplotlib does not know, on which its import alone would fail
        mpl.rcParams["backend"] = asked

__all__ = ["mpl"]
