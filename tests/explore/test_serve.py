"""The command without a browser: what is missing, which port is taken."""

import socket
import sys

import pytest

from jcnn.commands.main import main
from jcnn.explore import serve


@pytest.mark.parametrize("missing", serve.NEEDED)
def test_what_is_missing_is_said_in_a_line(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit) as end:
        main(["explore", "--no-open-browser"])
    assert end.value.code == 1
    assert capsys.readouterr().err == 'jcnn: the page needs marimo and anywidget: pip install "jcnn[explore]"\n'


def test_a_taken_port() -> None:
    with socket.socket() as other:
        other.bind((serve.HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} cannot be had: .*; give another with --port"):
            serve.bound(port)


def test_any_free_port_in_place_of_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind((serve.HOST, 0))
        other.listen()
        monkeypatch.setattr(serve, "PORT", other.getsockname()[1])
        with serve.bound(0) as place:
            assert place.getsockname()[1] not in (0, serve.PORT)


def test_two_at_once_do_not_share_a_port() -> None:
    with serve.bound(0) as one, serve.bound(0) as other:
        assert one.getsockname() != other.getsockname()
