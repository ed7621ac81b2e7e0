"""`jcnn check` as a person meets it."""

import json

import pytest

from tests.commands.running import run


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "relu") == 0
    assert "12 of 12 agree" in capsys.readouterr().out
    assert run("check", "relu", "--json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "agrees"
    assert run("check", "relu_backward") == 0
    assert "8 of 8 agree" in capsys.readouterr().out
    assert run("check", "rleu") == 1
    assert "operations='rleu'" in capsys.readouterr().err
