"""JAX's primitives on small arrays by NumPy: a candidate written in JAX is graded without compiling a program for every shape.

Imports NumPy only, and JAX where the candidate has imported it: the process in which a candidate runs alone loads this package
without the package around it (`grading/candidate_process.py`).
"""
