"""Puts shops, books, the public registers' stand-ins and the control API behind one port."""

from __future__ import annotations

import re
from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from sluis.sandbox import books, control, ecb, shop, vies
from sluis.sandbox.faults import FaultLayer
from sluis.sandbox.state import State

_NUMBERS = re.compile(r"/\d+(?=/|$|\.)")


class _Suffix:
    """Takes Moneybird's optional ``.json`` off a path of the books, so that each route stands once."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith(books.API) and path.endswith(".json"):
            scope = {**scope, "path": path.removesuffix(".json")}
        await self.app(scope, receive, send)


def create_app(state: State) -> ASGIApp:
    """Return the application. ``state`` stays in the caller's hands: what he changes is seen by the next request."""
    app = FastAPI(title="sluis sandbox", openapi_url=None, docs_url=None, redoc_url=None)
    app.router.redirect_slashes = False
    app.include_router(control.router(state))
    app.include_router(books.router(state))
    app.include_router(shop.router(state))
    app.include_router(vies.router(state))
    app.include_router(ecb.router(state))
    return FaultLayer(_Suffix(app), lambda: state.faults, _counter(state))


def _counter(state: State) -> Callable[[str, str], None]:
    """Count calls per method and path; numbers below the shop or administration read ``{id}``."""

    def count(method: str, path: str) -> None:
        head, tail = path, ""
        parts = path.split("/")
        kept = 5 if path.startswith(books.API) else 3
        if len(parts) > kept:
            head, tail = "/".join(parts[:kept]), "/" + "/".join(parts[kept:])
        if "/customer_id/" in tail:
            tail = tail.partition("/customer_id/")[0] + "/customer_id/{id}"
        with state.lock:
            state.calls[f"{method} {head}{_NUMBERS.sub('/{id}', tail).removesuffix('.json')}"] += 1

    return count
