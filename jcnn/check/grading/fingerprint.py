"""Whether what candidates are given and compared with is still what it was: known by a number that tells nothing of it."""

from collections.abc import Iterable
from hashlib import sha256

import numpy as np

from jcnn.check.operations import Kind, expected_of


def fingerprint(kinds: Iterable[Kind]) -> bytes:
    """Another one wherever any number of the cases, or of what is right, is another one."""
    digest = sha256()
    for kind in kinds:
        for case, outputs in zip(kind.cases, expected_of(kind), strict=True):
            given = [value for value in case.args.values() if isinstance(value, np.ndarray)]
            right = [
                array for output in outputs for array in (output.value, output.terms, output.length, output.low, output.high)
            ]
            for array in (*given, *right):
                digest.update(repr((array.shape, array.dtype)).encode())
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()
