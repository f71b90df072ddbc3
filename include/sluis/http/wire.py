"""Knows whether a request left this machine, which decides whether a failed write may be repeated.

urllib3's exceptions do not tell a TLS failure while connecting from one while reading, so the connection itself marks
the moment between "connected" and "first byte sent".
"""

from __future__ import annotations

import threading
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_state = threading.local()


def expect() -> None:
    """Forget the last request of this thread."""
    _state.sent = False


def was_sent() -> bool:
    """Whether a byte of the last request of this thread may have reached the other side."""
    return bool(getattr(_state, "sent", True))


class _Http(HTTPConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.is_closed:
            self.connect()
        _state.sent = True
        super().request(*args, **kwargs)


class _Https(HTTPSConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.is_closed:
            self.connect()
        _state.sent = True
        super().request(*args, **kwargs)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class MarkingAdapter(HTTPAdapter):
    """An adapter without retries of its own whose connections mark what was sent."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
