"""Comparing a gradient by hand with what JAX derives, with witnesses against both."""
