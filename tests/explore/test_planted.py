"""A planted bug is found, and the page says so."""

import pytest

from jcnn.explore import planted, words


def test_every_backward_pass_can_be_spoilt() -> None:
    operations = planted.operations()
    assert operations[0] == "conv_backward"
    assert len(operations) == len(set(operations)) >= 15
    assert all(planted.mistakes_of(kind) for kind in operations)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("conv_backward", "dw flipped"), ("relu_backward", "mask by the sign of dy"), ("max_pool_backward", "ties split")],
)
def test_it_is_named(kind: str, name: str) -> None:
    mistake = planted.mistakes_of(kind)[name]
    report = planted.verdict(kind, name)
    assert report.verdict == mistake.verdict
    assert name in report.mistakes
    shown = words.checked(report, kind, name)
    assert f"<strong>{mistake.verdict}</strong> {planted.WORDS[mistake.verdict]}" in shown
    assert mistake.sentence.split(":")[0] in shown
    assert f"Found, by its numbers alone: {', '.join(report.mistakes)}" in shown


def test_what_is_right_is_said_to_be() -> None:
    report = planted.verdict("relu_backward", planted.NONE)
    assert report.verdict == "agrees"
    assert f"All {len(report.rows)} compared arrays agree." in words.checked(report, "relu_backward", planted.NONE)
