"""Checks run in float64 at highest precision, whatever the caller has set, and set nothing themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def double_precision() -> Iterator[None]:
    """Within it JAX computes in float64 with exact products; on leaving it all is as before."""
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield
