"""The server of the page: on this machine only, until Ctrl-C."""

import asyncio
import errno
import importlib.util
import os
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

HOST, PORT = "127.0.0.1", 2718
NEEDED = ("anywidget", "marimo")


def open_page(port: int, *, browser: bool, tell: Callable[[str], None]) -> NoReturn:
    """Serves the page until Ctrl-C, which ends the process with code 0.

    Args:
        port: where; 0: 2718, or a free one if that is taken.
        browser: open a browser at it.
        tell: is told the address, once it answers.

    Raises:
        ValueError: the optional packages are missing.
        OSError: the port is taken or not allowed.
    """
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


def bound(port: int) -> socket.socket:
    """A socket of this machine at the port, or at any free one if 0 and the usual one is taken."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind((HOST, port or PORT))
    except OSError as error:
        if port or error.errno != errno.EADDRINUSE:
            place.close()
            raise OSError(error.errno, f"port {port or PORT} cannot be had: {error.strerror}") from error
        place.bind((HOST, 0))
    return place


def _serve(place: socket.socket, browser: bool, tell: Callable[[str], None]) -> None:
    import marimo
    import uvicorn
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from jcnn.explore.trained import trained

    address = f"http://{HOST}:{place.getsockname()[1]}"
    page = marimo.create_asgi_app(quiet=True).with_app(path="", root=str(Path(__file__).with_name("app.py"))).build()
    # Names of other machines that lead here (DNS rebinding) are refused.
    page = TrustedHostMiddleware(page, [HOST, "localhost"])

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
    Server(uvicorn.Config(page, log_level="error", timeout_graceful_shutdown=1)).run([place])
