"""Who may use the page: whoever has the printed address. No other page's scripts, no other name of this machine."""

import asyncio
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

STREAMS = ("ws", "sse")
"""Where marimo opens a session for who connects."""

HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",  # no other page frames this one
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Lets requests and WebSockets through to the page if they come from the printed address, a few at a time.

    The first part of every path is the token. A cookie would be weaker: browsers send it to every server of a machine, whatever
    the port.
    """

    def __init__(
        self, page: ASGIApp, *, names: tuple[str, ...], port: int, token: str, sessions: int, linger: float, largest: int
    ) -> None:
        """Guards `page`.

        Args:
            page: an ASGI application, mounted at "/TOKEN".
            names: of this machine, as browsers may call it.
            port: where it is served.
            token: what the first part of a path must be.
            sessions: how many may be open at once.
            linger: seconds for which a closed session still counts, since its memory is freed only then.
            largest: bytes that a request may send.
        """
        self._page, self._token = page, token
        self._hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())
        self._sessions, self._linger, self._largest = sessions, linger, largest
        self._taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers itself, or lets the page answer."""
        if scope["type"] not in ("http", "websocket"):
            await self._page(scope, receive, send)
        elif refusal := self._refusal(scope):
            await _refuse(refusal, scope, receive, send)
        elif _parts(scope)[1] in STREAMS:
            await self._session(scope, receive, send)
        else:
            await self._page(scope, receive, _hardened(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """What is said to who may not come in; None: come in."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        token, place = _parts(scope)
        size = headers.get("content-length", "0")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            # A name of someone else's that leads here (DNS rebinding) makes their page and this one the same origin.
            return _said(421, "this page is served to the address that `jcnn explore` printed, under no other name")
        if origins and origins != [f"http://{hosts[0]}"]:
            return _said(403, "this page answers to no other page")
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            return _said(403, "open the whole address that `jcnn explore` printed: the long word in it is the key")
        if scope["type"] == "websocket" and place not in STREAMS:
            return _said(404, "this page has no other stream")  # marimo has, for editors; nobody counts those
        if "transfer-encoding" in headers or not size.isdecimal() or int(size) > self._largest:
            return _said(413, f"expected a request of at most {self._largest:,} bytes that says its size")
        if self._taken >= self._sessions and place in ("", *STREAMS):
            return _said(429, f"{self._sessions} pages are open already: close one, and reload in {self._linger:g} seconds")
        return None

    async def _session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts what is open, and what was until a moment ago."""
        self._taken += 1
        try:
            await self._page(scope, receive, _hardened(send))
        finally:
            asyncio.get_running_loop().call_later(self._linger, self._leave)

    def _leave(self) -> None:
        self._taken -= 1


def _parts(scope: Scope) -> tuple[str, str]:
    """The first two parts of the path, empty where there are none: the token, and the place within the page."""
    _, token, place, *_ = f"{scope['path']}//".split("/")
    return token, place


def _said(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status, HEADERS)


async def _refuse(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(refusal)
    else:
        await refusal(scope, receive, send)


def _hardened(send: Send) -> Send:
    """Sends the page's answers without leave for other origins (marimo gives it to all), and with our headers."""

    async def hardened(message: Message) -> None:
        if message["type"].endswith("response.start"):
            headers = MutableHeaders(raw=list(message["headers"]))
            for name in [name for name in headers if name.startswith("access-control-")]:
                del headers[name]
            headers.update(HEADERS)
            message = {**message, "headers": headers.raw}
        await send(message)

    return hardened
