"""The server of the page: on this machine only, until Ctrl-C."""

import asyncio
import errno
import importlib.util
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import uvicorn

HOST, PORT = "127.0.0.1", 2718
NEEDED = ("anywidget", "marimo")

SESSIONS = 8
"""Pages that may be open at once: each has a kernel of its own."""

LINGER = 3
"""Seconds for which the kernel of a closed page is kept, in case its connection comes back."""

LARGEST = 2**20
"""Bytes of one request or message; a sheet full of strokes takes a tenth of it."""


def open_page(port: int, *, browser: bool, tell: Callable[[str], None]) -> NoReturn:
    """Serves the page until Ctrl-C, which ends the process with code 0.

    Args:
        port: where; 0: 2718, or a free one if that is taken.
        browser: open a browser at it.
        tell: is told the address, once it answers; the token in it is said nowhere else.

    Raises:
        ValueError: no port, or the optional packages are missing.
        OSError: the port is taken or not allowed.
    """
    check_port(port)
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise ValueError('the page needs marimo and anywidget: pip install "jcnn[explore]"')
    place = bound(port)
    with tempfile.TemporaryDirectory(prefix="jcnn-explore-", ignore_cleanup_errors=True) as folder:
        # What threads are still writing when the end comes goes with it.
        tempfile.tempdir = folder
        with suppress(KeyboardInterrupt):
            _serve(place, browser, tell)
    # marimo's threads wait for more to do and XLA's may be at work: an orderly exit would wait for them, or abort.
    sys.stdout.flush()
    os._exit(0)


def check_port(port: int) -> None:
    """Raises ValueError for a number that no port can have."""
    if not 0 <= port <= 65535:
        raise ValueError(f"port={port}: expected 1 to 65535, or 0 for one that is free")


def bound(port: int) -> socket.socket:
    """A socket of this machine at the port, or at any free one if 0 and the usual one is taken."""
    try:
        return _listening(port or PORT)
    except OSError as error:
        if port or error.errno != errno.EADDRINUSE:
            why = f"port {port or PORT} cannot be had: {error.strerror}; give another with --port, or none for one that is free"
            raise OSError(error.errno, why) from error
    return _listening(0)


def _listening(port: int) -> socket.socket:
    place = socket.socket()
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind((HOST, port))
        place.listen()  # until somebody listens, several may be bound to one port
    except OSError:
        place.close()
        raise
    return place


def settings(port: int, token: str, *, sessions: int = SESSIONS, linger: int = LINGER) -> "uvicorn.Config":
    """The page at http://127.0.0.1:PORT/TOKEN/, nothing anywhere else, and nothing written down.

    Args:
        port: where it will be served.
        token: the secret part of its address.
        sessions: how many may be open at once.
        linger: seconds after which a closed one's memory is freed.
    """
    import marimo
    import uvicorn

    from jcnn.explore.guard import Guard
    from jcnn.explore.parsing import parse_one_at_a_time

    parse_one_at_a_time()
    root = str(Path(__file__).with_name("app.py"))
    page = marimo.create_asgi_app(quiet=True, session_ttl=linger).with_app(path=f"/{token}", root=root).build()
    guard = Guard(page, names=(HOST, "localhost"), port=port, token=token, sessions=sessions, linger=linger, largest=LARGEST)
    return uvicorn.Config(
        guard, log_level="error", access_log=False, proxy_headers=False, ws_max_size=LARGEST, timeout_graceful_shutdown=1
    )


def _serve(place: socket.socket, browser: bool, tell: Callable[[str], None]) -> None:
    import uvicorn

    from jcnn.explore.trained import trained

    port, token = place.getsockname()[1], secrets.token_urlsafe(32)
    address = f"http://{HOST}:{port}/{token}/"

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            # marimo's own handler, meant for its own server, would keep Ctrl-C to itself.
            with suppress(NotImplementedError):  # Windows
                asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, self.handle_exit)
            tell(f"explore at {address} (Ctrl-C ends)")
            if browser:
                webbrowser.open(address)

    # The network is trained while the reader looks at the first sections.
    threading.Thread(target=trained, daemon=True).start()
    Server(settings(port, token)).run([place])
