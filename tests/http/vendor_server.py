"""A scripted vendor on 127.0.0.1: each request takes the next answer of a list; broken ones are really broken."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Vendor:
    """The running server. ``answers`` is consumed from the front; the last one stays."""

    url: str
    answers: list[Script] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Script:
    return raw_answer(json.dumps(body).encode(), status, {"Content-Type": "application/json", **(headers or {})})


def raw_answer(body: bytes, status: int = 200, headers: dict[str, str] | None = None, *, promise: int = 0) -> Script:
    """``promise``: how many bytes more the Content-Length names than come."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) + promise))
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()
        if promise:
            hang_up(handler)

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without another word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def silence(seconds: float) -> Script:
    """Answer nothing for so long, or until the client hangs up."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.connection.settimeout(seconds)
        with suppress(OSError):
            handler.connection.recv(1)

    return answer


@contextmanager
def serve() -> Iterator[Vendor]:
    vendor: Vendor

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            vendor.seen.append(Seen(self.command, self.path, dict(self.headers), body))
            answer = vendor.answers.pop(0) if len(vendor.answers) > 1 else vendor.answers[0]
            answer(self)

        do_GET = do_POST = do_PATCH = _take  # noqa: N815 - the names that http.server calls

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    vendor = Vendor(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
