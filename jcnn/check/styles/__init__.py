"""Candidates that are called otherwise than jcnn's operations: in another layout, with a course's signature, through PyTorch.

What adapts a candidate, `adapt.py` and what it imports, runs in the candidate's process, which has NumPy only. There this
package is loaded by its path, hence the relative imports. `wording.py` and `expected.py` are the grader's own.
"""
