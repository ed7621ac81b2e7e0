"""Grading a class: a folder of submissions, a score for each, and adapters for the tools that courses grade with."""
