"""Grading a candidate: the adversarial cases, a verdict, and the mistake by its name."""
