"""The page as strangers meet it: other pages, other names of this machine, no token, too many, too much."""

import http.client
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import IO, Any, NamedTuple

import pytest

from jcnn.explore import serve

pytest.importorskip("marimo", reason="marimo is not installed")

PATIENCE = 60
SESSIONS = 2

SERVER = f"""
import sys, threading, uvicorn
from jcnn.explore import serve

def count_kernels():
    for _ in sys.stdin:
        print(sum("launch_kernel" in thread.name for thread in threading.enumerate()), flush=True)

sys.setswitchinterval(1e-5)  # threads get in each other's way as they do on a busy machine
with serve.bound(0) as place:
    port = place.getsockname()[1]
    print(port, flush=True)
    threading.Thread(target=count_kernels, daemon=True).start()
    uvicorn.Server(serve.settings(port, sys.argv[1], sessions={SESSIONS}, linger=1)).run([place])
"""
"""The page as the command serves it, but without the network it trains; tells how many kernels there are when asked."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


class Served(NamedTuple):
    port: int
    token: str
    asked: IO[str]
    told: IO[str]

    def kernels(self) -> int:
        print(file=self.asked, flush=True)
        return int(self.told.readline())

    def open(self, name: str) -> Any:
        """A session, as the page's own script opens it."""
        from websockets.sync.client import connect

        address = f"ws://{serve.HOST}:{self.port}/{self.token}/ws?session_id={name}"
        return connect(
            address, additional_headers={"Origin": f"http://{serve.HOST}:{self.port}"}, max_size=None, max_queue=None
        )

    def answer(self, path: str, headers: dict[str, str], method: str = "GET") -> Answer:
        """The answer to a request with these headers in place of, or beside, a browser's; a WebSocket's too."""
        sent = {"Host": f"{serve.HOST}:{self.port}", **headers}
        with closing(http.client.HTTPConnection(serve.HOST, self.port, timeout=PATIENCE)) as connection:
            connection.putrequest(method, path.replace("TOKEN", self.token), skip_host=True)
            for name, value in sent.items():
                connection.putheader(name, value.replace("PORT", str(self.port)))
            connection.endheaders()
            got = connection.getresponse()
            return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read().decode())


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """The real page behind its guard, served by a process of its own: marimo's threads outlive it."""
    token = secrets.token_urlsafe()
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, token], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:  # fmt: skip
        try:
            assert server.stdin
            assert server.stdout
            page = Served(int(server.stdout.readline()), token, server.stdin, server.stdout)
            wait_until(lambda: answers(page))
            yield page
        finally:
            server.kill()


def answers(page: Served) -> bool:
    with suppress(ConnectionRefusedError):
        return page.answer("/", {}).status == 403
    return False


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


SOCKET: dict[str, str] = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
STRANGERS = [
    pytest.param("/TOKEN/", {"Origin": "http://evil.example"}, 403, id="foreign origin"),
    pytest.param("/TOKEN/", {"Origin": "null"}, 403, id="origin of a sandboxed frame"),
    pytest.param("/TOKEN/", {"Origin": ""}, 403, id="empty origin"),
    pytest.param("/TOKEN/", {"Origin": "https://127.0.0.1:PORT"}, 403, id="origin of another scheme"),
    pytest.param("/TOKEN/", {"Origin": "http://127.0.0.1:1"}, 403, id="origin of another port"),
    pytest.param("/TOKEN/", {"Origin": "http://127.0.0.1"}, 403, id="origin without the port"),
    pytest.param("/TOKEN/", {"Origin": "http://localhost:PORT"}, 403, id="origin of the other name"),
    pytest.param("/TOKEN/", {"Origin": "http://127.0.0.1:PORT.evil.example"}, 403, id="origin that begins like ours"),
    pytest.param("/TOKEN/", {"Host": "evil.example:PORT"}, 421, id="foreign host"),
    pytest.param("/TOKEN/", {"Host": "evil.example:PORT", "Origin": "http://evil.example:PORT"}, 421, id="rebound name"),
    pytest.param("/TOKEN/", {"Host": "127.0.0.1"}, 421, id="host without the port"),
    pytest.param("/TOKEN/", {"Host": "127.0.0.1:1"}, 421, id="host of another port"),
    pytest.param("/TOKEN/", {"Host": "127.0.0.1:PORT", "X-Forwarded-Host": "x", "host": "evil.example"}, 400, id="two hosts"),
    pytest.param("/", {}, 403, id="no token"),
    pytest.param("//TOKEN/", {}, 403, id="token in another place"),
    pytest.param("/?access_token=TOKEN", {}, 403, id="token in the query"),
    pytest.param("/WRONG/", {}, 403, id="wrong token"),
    pytest.param("/TOKENx/", {}, 403, id="token and more"),
    pytest.param("/%C3%A9/", {}, 403, id="no ASCII"),
]


@pytest.mark.parametrize(("path", "headers", "status"), STRANGERS)
@pytest.mark.parametrize("place", ["", "ws?session_id=s_stranger"], ids=["page", "session"])
def test_strangers_are_refused(served: Served, path: str, headers: dict[str, str], status: int, place: str) -> None:
    base, mark, query = path.partition("?")
    path = base + place + ("&" if mark and "?" in place else mark) + query
    answer = served.answer(path, (SOCKET if place else {}) | headers)
    assert answer.status == status
    assert served.kernels() == 0


@pytest.mark.parametrize("place", ["ws_sync?session_id=s_x", "terminal/ws", "lsp/pylsp"])
def test_there_is_one_kind_of_stream(served: Served, place: str) -> None:
    assert served.answer(f"/TOKEN/{place}", SOCKET).status == 404
    assert served.kernels() == 0


@pytest.mark.parametrize("place", ["api/kernel/set_ui_element_value", "sse?session_id=s_stranger", "api/status", "health"])
@pytest.mark.parametrize("token", ["", "/WRONG"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_nothing_answers_without_the_token(served: Served, method: str, token: str, place: str) -> None:
    assert served.answer(f"{token}/{place}", {}, method).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no origin"),
        pytest.param({"Origin": "http://127.0.0.1:PORT"}, id="own origin"),
        pytest.param({"Host": "localhost:PORT", "Origin": "http://localhost:PORT"}, id="the other name"),
    ],
)
def test_the_reader_comes_in(served: Served, headers: dict[str, str]) -> None:
    answer = served.answer("/TOKEN/", headers)
    assert answer.status == 200
    assert "<html" in answer.text
    assert [name for name in answer.headers if name.startswith("access-control-")] == []
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_sessions_are_few_and_their_memory_is_freed(served: Served) -> None:
    from websockets.exceptions import InvalidStatus

    first, second = served.open("s_first1"), served.open("s_second")
    with first, second:
        assert first.recv()
        assert second.recv()
        assert served.kernels() == SESSIONS
        with pytest.raises(InvalidStatus) as refused:
            served.open("s_third1")
        assert refused.value.response.status_code == 429
        answer = served.answer("/TOKEN/", {})
        assert answer.status == 429
        assert f"{SESSIONS} pages are open already" in answer.text
        assert served.answer("/TOKEN/manifest.json", {}).status == 200  # those that are open go on
    wait_until(lambda: served.kernels() == 0)
    wait_until(lambda: served.answer("/TOKEN/", {}).status == 200)
    with served.open("s_fourth") as fourth:
        assert fourth.recv()
    wait_until(lambda: served.kernels() == 0)


def test_what_is_sent_is_bounded(served: Served) -> None:
    from websockets.exceptions import ConnectionClosed

    place = "/TOKEN/api/kernel/set_ui_element_value"
    assert served.answer(place, {"Content-Length": str(serve.LARGEST + 1)}, "POST").status == 413
    assert served.answer(place, {"Transfer-Encoding": "chunked"}, "POST").status == 413
    with served.open("s_verbose") as session:
        session.send("x" * (serve.LARGEST + 1))
        with pytest.raises(ConnectionClosed) as closed:
            for _ in iter(lambda: session.recv(timeout=PATIENCE), None):
                pass
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009  # message too big
