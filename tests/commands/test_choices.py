"""Options that are one of a few words."""

import pytest

from jcnn.commands.main import main


def said(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[object, str]:
    with pytest.raises(SystemExit) as end:
        main(["grade", "nowhere.py:relu", "--as", "relu", *options])
    told = capsys.readouterr()
    return end.value.code, " ".join((told.out + told.err).replace("│", " ").split())


@pytest.mark.parametrize(
    ("option", "word", "listed"),
    [
        ("--hint", "4", "'4' is none of 1, 2 and 3"),
        ("--layout", "NWHC", "'NWHC' is none of NHWC and NCHW"),
        ("--style", "cs", "'cs' is none of jcnn, cs231n and torch"),
    ],
)
def test_another_word_is_refused_and_those_there_are_listed_in_order(
    option: str, word: str, listed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, option, word)
    assert code == 2
    assert f"Error parsing {option}: {listed}" in text


@pytest.mark.parametrize("options", [("--layout", "nchw"), ("--layout", "NCHW"), ("--style", "Torch"), ("--hint", "2")])
def test_capitals_do_not_matter(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing then is the file."""
    code, text = said(capsys, *options)
    assert code == 1
    assert "nowhere.py" in text


@pytest.mark.parametrize(
    ("kind", "meant"), [("conw", "conv"), ("Conv_Backward", "conv_backward"), ("maxpool", "max_pool"), ("soft_max", "softmax")]
)
def test_the_operation_that_was_meant_is_named(kind: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, text = said(capsys, "--as", kind)
    assert text.endswith(f"did you mean {meant}?")
