"""Faults that can be switched on per request, and the layer that plays them.

A fault fits requests by method and path pattern, lets some pass first (``skip``) and strikes a number of times. What
happens before the application saw the request and what after it has done its work are told apart, because that is
what a booking protocol must survive.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from threading import RLock
from typing import Any, Literal

from pydantic import Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluis.core.frozen import Frozen

Kind = Literal[
    "status",  # answered at once with another status: nothing was done
    "hang",  # never answered, nothing was done
    "reset",  # connection cut, nothing was done
    "status_after",  # done, but answered with another status (500 unless told)
    "hang_after",  # done, but never answered
    "reset_after",  # done, but the connection is cut
    "twice",  # delivered two times (a proxy that repeats), the answer is the second one
    "twice_reset",  # delivered two times, and the connection is cut
    "answer_twice",  # done once, but the answer stands two times on the connection
    "truncated",  # done, half of the body
    "html",  # done, a warning in HTML stands before the JSON
    "wrong_json",  # done, JSON of another shape
    "slow",  # done and answered well, after some seconds
]
WARNING = (
    "<br />\n<b>Warning</b>:  Undefined variable $x in <b>/srv/wp-content/plugins/x/x.php</b> on line <b>7</b><br />\n"
)


class Fault(Frozen):
    """One fault. ``path`` is a pattern of ``fnmatch`` over the whole path, e.g. ``*/external_sales_invoices``."""

    kind: Kind
    method: str = "*"
    path: str = "*"
    times: int = Field(default=1, ge=1)
    skip: int = Field(default=0, ge=0)
    seconds: float = Field(default=30.0, ge=0, le=600)
    status: int = Field(default=500, ge=400, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None


class Faults:
    """The faults that wait for their request. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._waiting: list[list[Any]] = []  # [fault, to let pass, times left]

    def add(self, fault: Fault | None = None, /, **values: Any) -> None:
        """Switch a fault on: ``add(kind="hang_after", method="POST", path="*/external_sales_invoices")``."""
        chosen = fault or Fault(**values)
        with self._lock:
            self._waiting.append([chosen, chosen.skip, chosen.times])

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._waiting.clear()

    def left(self) -> int:
        """Return how many times faults will still strike."""
        with self._lock:
            return sum(entry[2] for entry in self._waiting)

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that strikes this request, and count it."""
        with self._lock:
            for entry in self._waiting:
                fault: Fault = entry[0]
                if fault.method not in ("*", method) or not fnmatchcase(path, fault.path):
                    continue
                if entry[1]:
                    entry[1] -= 1
                    continue
                entry[2] -= 1
                self._waiting = [kept for kept in self._waiting if kept[2]]
                return fault
        return None


class _Answer:
    """What the application answered, kept instead of sent."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


class FaultLayer:
    """ASGI middleware: plays the faults and counts the calls. ``counted`` is told method and path of each."""

    def __init__(self, app: ASGIApp, faults: Callable[[], Faults], counted: Callable[[str, str], None]) -> None:
        self.app, self.faults, self.counted = app, faults, counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or strike it."""
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self.app(scope, receive, send)
            return
        self.counted(scope["method"], scope["path"])
        fault = self.faults().take(scope["method"], scope["path"])
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await self._strike(fault, scope, receive, send)

    async def _strike(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind == "status":
            await _respond(send, fault.status, _fault_headers(fault), _fault_body(fault))
            return
        body = await _read(receive)
        answer = _Answer()
        if fault.kind not in {"hang", "reset"}:
            for _ in range(2 if fault.kind.startswith("twice") else 1):
                answer = _Answer()
                await self.app(scope, _again(body, receive), answer.send)
        if fault.kind in {"hang", "hang_after", "slow"}:
            await _wait(fault.seconds, send)
        if fault.kind in {"hang", "hang_after", "reset", "reset_after", "twice_reset"}:
            await _cut(receive, send)
        else:
            await _spoil(fault, answer, send)


async def _spoil(fault: Fault, answer: _Answer, send: Send) -> None:
    """Send the application's answer the way the fault wants it."""
    headers = [(name, value) for name, value in answer.headers if name.lower() != b"content-length"]
    if fault.kind == "status_after":
        await _respond(send, fault.status, _fault_headers(fault), _fault_body(fault))
    elif fault.kind == "html":
        text = (fault.body or WARNING).encode() + answer.body
        await _respond(send, answer.status, headers, text)
    elif fault.kind == "wrong_json":
        await _respond(send, answer.status, headers, (fault.body or '{"ok": true}').encode())
    elif fault.kind == "truncated":
        length = str(len(answer.body)).encode()
        start = {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [*headers, (b"content-length", length)],
        }
        await send(start)
        await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
    else:
        await _respond(send, answer.status, headers, answer.body)
        if fault.kind == "answer_twice":
            _write_again(send, answer.status, headers, answer.body)


def _fault_headers(fault: Fault) -> list[tuple[bytes, bytes]]:
    given = {"content-type": "application/json", **{name.lower(): value for name, value in fault.headers.items()}}
    return [(name.encode(), value.encode()) for name, value in given.items()]


def _fault_body(fault: Fault) -> bytes:
    return (fault.body if fault.body is not None else json.dumps({"error": "Internal server error"})).encode()


async def _respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that hands the body out once more."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


async def _wait(seconds: float, send: Send) -> None:
    """Wait; a server that stops meanwhile cuts the connection, so that a hanging request gets no answer at all."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        transport = _transport(send)
        if transport is not None:
            transport.abort()
        raise


def _transport(send: Send) -> Any:
    """Return the connection itself, for which ASGI has no word: uvicorn's, to whose cycle ``send`` belongs."""
    return getattr(getattr(send, "__self__", None), "transport", None)


async def _cut(receive: Receive, send: Send) -> None:
    """Cut the connection without an answer."""
    transport = _transport(send)
    if transport is None:
        raise ConnectionResetError("the sandbox cut the connection")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _write_again(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    transport = _transport(send)
    if transport is not None:
        lines = [f"HTTP/1.1 {status} Again".encode(), *(name + b": " + value for name, value in headers)]
        lines += [b"content-length: " + str(len(body)).encode(), b"", body]
        transport.write(b"\r\n".join(lines))
