"""What happens in a shop after its orders were booked: edits, cancellations, refunds by the gateway, late payments.

Orders are chosen that stand in the books whole, the newest first, so that each change is a correction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sluis.core.invoice import DocumentKind
from sluis.core.money import cents
from sluis.core.order import LineKind, Order
from sluis.demo.cast import VOUCHER
from sluis.demo.stage import Actor, Sandbox
from sluis.flows.wiring import Session, open_session
from sluis.ports import Window

#: The standard rate of the Netherlands, in percent.
STANDARD = Decimal(21)
#: What an order looks like that waits for a bank transfer.
_UNPAID = {"status": "on-hold", "payment_method": "bacs", "transaction_id": ""} | {
    f"date_{what}{zone}": None for what in ("paid", "completed") for zone in ("", "_gmt")
}


@dataclass
class Stirred:
    """What was done in one shop. Cents: what the orders were worth that ended, or that are to be booked from now on."""

    done: list[str] = field(default_factory=list)  #: in words, with the order's number
    ended_cents: int = 0
    paid_late_cents: int = 0  #: of orders that were not to be booked before they were paid


def owe(actor: Actor, sandbox: Sandbox) -> None:
    """Let one order of a merchant's shop wait for its payment, before anything is booked."""
    with open_session(actor.merchant, actor.integration) as session:
        order = next(filter(_plain, _orders(session, actor)), None)
    if order is not None:
        path = f"/shops/{actor.part.shop.code}/orders/{order.order_id}"
        sandbox.control("PATCH", path, {"set": _UNPAID, "touch": False})


def stir(actor: Actor, sandbox: Sandbox) -> Stirred:
    """Change up to seven orders of a merchant's shop, each in another way."""
    with open_session(actor.merchant, actor.integration) as session:
        orders = list(_orders(session, actor))
        booked = _booked(session, orders)
    stirred = Stirred()
    whole = [order for order in orders if order.number in booked and _plain(order)]
    for act in (_moved, _more, _voucher, _cancelled, _binned, _given_back):
        order = next((one for one in whole if act is not _moved or _at_full_rate(one)), None)
        if order is not None:
            whole.remove(order)
            act(sandbox, actor.part.shop.code, order, stirred)
    late = next((order for order in orders if order.status == "on-hold"), None)
    if late is not None:
        _do(sandbox, actor.part.shop.code, late, "pay", {})
        stirred.done.append(f"{late.number} paid later")
        stirred.paid_late_cents += 0 if late.number in booked else cents(late.total)
    return stirred


def _orders(session: Session, actor: Actor) -> Iterator[Order]:
    """Yield what can be read of the shop, the newest orders first."""
    now = datetime.now(UTC)
    window = Window(start=now - timedelta(days=min(actor.part.start_days_ago, 45)), end=now)
    read = [one for page in session.shop.read(window, by="dated") for one in page.documents if isinstance(one, Order)]
    yield from sorted(read, key=lambda order: (order.created_at, order.number), reverse=True)


def _booked(session: Session, orders: list[Order]) -> set[str]:
    """Return the numbers of the orders whose one document stands in the books, or waits for its day."""
    found: dict[str, list[bool]] = {}
    for row in session.bookings.of_orders([], [order.number for order in orders]):
        found.setdefault(row.order_number or "", []).append(row.stands and row.kind is DocumentKind.INVOICE)
    return {number for number, standing in found.items() if standing == [True]}


def _plain(order: Order) -> bool:
    """Whether every change fits: completed, sold at home to a consumer for money, nothing given back yet."""
    return (
        order.status == "completed"
        and not order.refunds
        and order.ship_to.country == "NL"
        and not order.buyer.vat_number
        and order.total > 0
        and any(line.kind is LineKind.GOODS and line.net > 0 for line in order.lines)
    )


def _at_full_rate(order: Order) -> bool:
    """Whether all of it is taxed at the standard rate, which Belgium shares: reduced rates differ by article there."""
    return all({vat.rate for vat in line.vat} == {STANDARD} for line in order.lines)


def _line(order: Order) -> str:
    """Return the id of the first line of goods, as the shop's own API calls it."""
    return next(line.line_id for line in order.lines if line.kind is LineKind.GOODS and line.net > 0)


def _more(sandbox: Sandbox, shop: str, order: Order, stirred: Stirred) -> None:
    quantity = int(next(line.quantity for line in order.lines if line.line_id == _line(order)))
    _do(sandbox, shop, order, "edit", {"quantities": {_line(order): quantity + 1}})
    stirred.done.append(f"{order.number} a piece more")


def _voucher(sandbox: Sandbox, shop: str, order: Order, stirred: Stirred) -> None:
    _do(sandbox, shop, order, "edit", {"add": {VOUCHER: 1}})
    stirred.done.append(f"{order.number} a voucher added")


def _moved(sandbox: Sandbox, shop: str, order: Order, stirred: Stirred) -> None:
    _do(sandbox, shop, order, "edit", {"country": "BE", "postcode": "1000"})
    stirred.done.append(f"{order.number} sent to Belgium")


def _cancelled(sandbox: Sandbox, shop: str, order: Order, stirred: Stirred) -> None:
    _do(sandbox, shop, order, "cancel", {})
    stirred.done.append(f"{order.number} cancelled")
    stirred.ended_cents += cents(order.total)


def _binned(sandbox: Sandbox, shop: str, order: Order, stirred: Stirred) -> None:
    _do(sandbox, shop, order, "trash", {})
    stirred.done.append(f"{order.number} binned")
    stirred.ended_cents += cents(order.total)


def _given_back(sandbox: Sandbox, shop: str, order: Order, stirred: Stirred) -> None:
    """A refund of an amount at the gateway, which leaves the order's own date alone."""
    _do(sandbox, shop, order, "refunds", {"amount": str(min(order.total, 1)), "gateway": True, "touch": False})
    stirred.done.append(f"{order.number} refunded by the gateway")


def _do(sandbox: Sandbox, shop: str, order: Order, action: str, body: dict[str, Any]) -> None:
    sandbox.control("POST", f"/shops/{shop}/orders/{order.order_id}/{action}", body)
