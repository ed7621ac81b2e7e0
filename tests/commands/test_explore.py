"""`jcnn explore`: which ports there are."""

import pytest

from jcnn import endings
from tests.commands.running import run


@pytest.mark.parametrize("port", ["80000", "65536", "-1"])
def test_a_number_that_no_port_has_is_wrong_usage(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explore", "--port", port) == endings.USAGE
    assert capsys.readouterr().err == f"jcnn: port={port}: expected 1 to 65535, or 0 for one that is free\n"
