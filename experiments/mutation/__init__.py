"""Mechanical mistakes in plain implementations of every operation, to see whether the checker finds them all."""
