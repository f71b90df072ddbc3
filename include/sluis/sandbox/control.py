"""The control API: faults, changes in the shop, a fresh start, counts. For this machine only, with a token."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Request
from pydantic import Field

from sluis.core.frozen import Frozen, Moment
from sluis.core.money import Amount
from sluis.errors import SluisError
from sluis.sandbox import vies
from sluis.sandbox.drafting import make_refund
from sluis.sandbox.edits import Action, Edit, acted, edited, stir
from sluis.sandbox.faults import Fault
from sluis.sandbox.moneybird import Invalid
from sluis.sandbox.orderbook import Json, OrderBook
from sluis.sandbox.orders import Generator
from sluis.sandbox.state import Shop, State

LOOPBACK = frozenset({"127.0.0.1", "::1"})


class NewOrders(Frozen):
    """Orders to add: so many invented ones, or WooCommerce's own JSON."""

    generate: int = 0
    orders: tuple[dict[str, Any], ...] = ()


class Change(Frozen):
    """Fields of an order to change; ``touch`` raises ``date_modified`` to ``at`` or to now."""

    set: dict[str, Any] = Field(default_factory=dict)
    touch: bool = True
    at: Moment | None = None


class NewRefund(Frozen):
    """A refund by line (line id -> quantity) or of an amount."""

    lines: dict[int, int] | None = None
    amount: Amount | None = None
    shipping: bool = False
    reason: str = ""
    gateway: bool = False  #: the gateway paid it back (``refunded_payment``)
    touch: bool = True  #: whether the order's ``date_modified`` follows, which gateways do not always see to
    at: Moment | None = None


class When(Frozen):
    """When something happens, now by default; ``touch`` raises ``date_modified``."""

    touch: bool = True
    at: Moment | None = None


class NewEdit(Edit):
    """An edit and when it is made."""

    at: Moment | None = None


class Stirring(Frozen):
    """How many completed orders are to be changed, each in another way."""

    count: int = Field(default=5, ge=1)
    at: Moment | None = None


class Limit(Frozen):
    """Calls per token and five minutes; ``None``: no limit."""

    limit: int | None = None


def router(state: State) -> APIRouter:
    """Return the routes below ``/_sandbox``."""

    def guard(request: Request) -> None:
        if request.client is None or request.client.host not in LOOPBACK:
            raise HTTPException(403, "the sandbox is controlled from this machine only")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), state.config.control_token.encode()):
            raise HTTPException(401, "the control token is missing or wrong")

    routes = APIRouter(prefix="/_sandbox", dependencies=[Depends(guard)])
    routes.include_router(_counts_and_faults(state))
    routes.include_router(_shops(state))
    routes.include_router(_edits(state))
    routes.include_router(_books(state))
    routes.include_router(vies.control(state))
    return routes


def _counts_and_faults(state: State) -> APIRouter:
    routes = APIRouter()

    @routes.get("/stats")
    async def stats(request: Request) -> dict[str, Any]:
        """Counts of everything; ``?<shop>=<start>/<end>`` counts apart what that shop changed in this interval."""
        try:
            windows = {code: _interval(text) for code, text in request.query_params.items()}
        except ValueError:
            raise HTTPException(400, "an interval is two moments in ISO 8601, with offset, a slash between") from None
        return state.stats(windows)

    @routes.post("/reset")
    async def reset() -> dict[str, Any]:
        state.reset()
        return state.stats()

    @routes.post("/faults", status_code=201)
    async def add_fault(fault: Annotated[Fault, Body()]) -> dict[str, int]:
        state.faults.add(fault)
        return {"faults_left": state.faults.left()}

    @routes.delete("/faults")
    async def clear_faults() -> dict[str, int]:
        state.faults.clear()
        return {"faults_left": 0}

    @routes.put("/limit")
    async def set_limit(limit: Annotated[Limit, Body()]) -> Limit:
        state.limiter.limit = limit.limit
        state.limiter.windows.clear()
        return limit

    return routes


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment


def _shop_of(state: State, code: str) -> Shop:
    if code not in state.shops:
        raise HTTPException(404, "no such shop")
    return state.shops[code]


def _book_of(state: State, code: str, order_id: int) -> OrderBook:
    book = _shop_of(state, code).book
    if order_id not in book.orders:
        raise HTTPException(404, "no such order")
    return book


def _shops(state: State) -> APIRouter:
    routes = APIRouter(prefix="/shops/{code}/orders")

    @routes.post("", status_code=201)
    async def add_orders(code: str, new: Annotated[NewOrders, Body()]) -> dict[str, list[int]]:
        return {"ids": add_to(_shop_of(state, code), state, new)}

    @routes.patch("/{order_id}")
    async def change_order(code: str, order_id: int, change: Annotated[Change, Body()]) -> Json:
        at = (change.at or state.now()) if change.touch else None
        return _book_of(state, code, order_id).change(order_id, change.set, at=at).raw

    @routes.delete("/{order_id}", status_code=204)
    async def delete_order(code: str, order_id: int) -> None:
        _book_of(state, code, order_id).delete(order_id)

    @routes.post("/{order_id}/refunds", status_code=201)
    async def refund_order(code: str, order_id: int, new: Annotated[NewRefund, Body()]) -> Json:
        return _refund(_book_of(state, code, order_id), order_id, new, new.at or state.now())

    return routes


def _edits(state: State) -> APIRouter:
    routes = APIRouter(prefix="/shops/{code}/orders")

    @routes.post("/stir")
    async def stir_orders(code: str, wanted: Annotated[Stirring, Body()]) -> dict[str, list[int]]:
        shop = _shop_of(state, code)
        return {"ids": stir(shop.book, shop.config, wanted.at or state.now(), wanted.count)}

    @routes.post("/{order_id}/edit")
    async def edit_order(code: str, order_id: int, edit: Annotated[NewEdit, Body()]) -> Json:
        book, config = _book_of(state, code, order_id), _shop_of(state, code).config
        return _changed(book, order_id, lambda order: edited(book, config, order, edit), edit.at or state.now())

    @routes.post("/{order_id}/{action}")
    async def act(code: str, order_id: int, action: Action, when: Annotated[When, Body()]) -> Json:
        book, at = _book_of(state, code, order_id), when.at or state.now()
        return _changed(book, order_id, lambda order: acted(book, order, action, at), at if when.touch else None)

    return routes


def _changed(book: OrderBook, order_id: int, change: Callable[[Json], Json], at: datetime | None) -> Json:
    try:
        return book.change(order_id, change(book.orders[order_id].raw), at=at).raw
    except SluisError as error:
        raise HTTPException(422, str(error)) from None


def _refund(book: OrderBook, order_id: int, new: NewRefund, at: datetime) -> Json:
    order = book.orders[order_id].raw
    try:
        refund = make_refund(
            book, order, at, lines=new.lines, amount=new.amount, shipping=new.shipping, reason=new.reason,
            paid_back=new.gateway,
        )  # fmt: skip
    except SluisError as error:
        raise HTTPException(422, str(error)) from None
    return book.put_refund(order_id, refund, touch=new.touch).raw


def _books(state: State) -> APIRouter:
    routes = APIRouter(prefix="/books/{administration}")

    @routes.post("/contacts", status_code=201)
    async def add_contact(administration: str, contact: Annotated[dict[str, Any], Body()]) -> Json:
        return _in_books(state, administration, "contact", contact)

    @routes.post("/external_sales_invoices", status_code=201)
    async def add_invoice(administration: str, invoice: Annotated[dict[str, Any], Body()]) -> Json:
        return _in_books(state, administration, "invoice", invoice)

    return routes


def _interval(text: str) -> tuple[datetime, datetime]:
    start, end = text.split("/")
    return _moment(start), _moment(end)


def _in_books(state: State, administration: str, what: str, given: Json) -> Json:
    """Book by hand, as a bookkeeper or a former connector did: no call is counted."""
    if administration not in state.books:
        raise HTTPException(404, "no such administration")
    ledger = state.books[administration]
    try:
        return ledger.create_contact(given) if what == "contact" else ledger.create_invoice(given)
    except Invalid as invalid:
        raise HTTPException(invalid.status, invalid.body) from None


def add_to(shop: Shop, state: State, new: NewOrders) -> list[int]:
    """Add orders to a shop and return their ids; generated ones are dated as of this moment, processing and paid."""
    ids = [shop.book.put(raw).id for raw in new.orders]
    generator = Generator(shop.config, (state.config.seed, len(shop.book.orders)), state.clock())
    ids += [generator.fresh(shop.book).id for _ in range(new.generate)]
    return ids
