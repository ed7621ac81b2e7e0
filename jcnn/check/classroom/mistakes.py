"""The mistakes of one submission in a few words each, the same words for the same mistake, so that a class's can be counted."""

import re

from jcnn.check.report import Finding, Report

_UNNAMED = "wrong, by no known mistake"

_BEHAVIOUR = {
    "cannot be imported": "cannot be imported",
    "while it is imported": "cannot be imported",
    "has no function": "the function is missing",
    "it is written in the style": "written in another style",
    "It is written for the layout": "written for another layout",
    "By its names it takes": "arguments in another order",
    "takes longer than": "takes too long",
    "forks": "starts processes",
    "sends more than it was asked for": "answers unasked",
    "ends its process": "ends the process",
    "is ended by": "crashes",
    "has shape": "wrong shape",
    "It returns": "wrong number of outputs",
    " Expected: ": "another signature",
    "NaN or infinite": "NaN or infinite",
}
"""What a diagnosis without a known mistake has in common with others, by words that it holds."""

_OVERWRITTEN = "= for +="

_COUNTED_AS = {"windows overwrite each other": _OVERWRITTEN}
"""Known mistakes that differ only in what is written over: the order of the loops."""


def mistakes_of(report: Report) -> tuple[str, ...]:
    """Each mistake in a few words: those of the catalogue by name, other rules as they are stated, else how it fails."""
    if report.verdict != "bug":
        return ()
    diagnosis = report.diagnosis or ""
    known = [_COUNTED_AS.get(name, name) for name in report.mistakes]
    rules = [_in_few_words(finding) for finding in report.findings if finding.rule in diagnosis]
    named = tuple(dict.fromkeys([*known, *rules]))
    if named:
        return named
    if report.repair:
        return (
            f"`{report.repair.after}` for `{report.repair.before}`"
            if report.repair.after
            else f"`{report.repair.before}` too much",
        )
    if raised := re.search(r"It raises (\w{1,40})", diagnosis):
        return (f"raises {raised[1]}",)
    return (next((name for words, name in _BEHAVIOUR.items() if words in diagnosis), _UNNAMED),)


def _in_few_words(finding: Finding) -> str:
    """The rule without what differs between submissions of the same mistake: the output's name, and the sizes of a call."""
    if "= where += belongs" in finding.rule:
        return _OVERWRITTEN
    rule = finding.rule.removeprefix(f"{finding.leaf}: ").rstrip(".")
    shape = re.match(r"\w+ has shape .*? is right \([^)]*\)(?:: )?", rule)
    if shape is None:
        return rule
    return f"shape of {finding.leaf}: {rule[shape.end() :]}" if rule[shape.end() :] else f"wrong shape of {finding.leaf}"
