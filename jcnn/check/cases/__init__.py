"""The cases that candidates and our own operations are tried on."""

from jcnn.check.cases.case import Case

__all__ = ["Case"]
