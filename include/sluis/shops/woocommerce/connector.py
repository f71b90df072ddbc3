"""The shop port over WooCommerce: which orders a window holds, with all their refunds, in the fewest calls."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from sluis.core.frozen import Frozen
from sluis.core.order import Order, Unreadable
from sluis.errors import NotAShop
from sluis.http import VendorSession
from sluis.ports import Limiter, Page, ShopFacts, Window
from sluis.shops.reading import WrongField, identity
from sluis.shops.woocommerce.client import (
    CREATED,
    MODIFIED,
    TRASH,
    Row,
    SortKey,
    Span,
    WooCommerceClient,
    row_moment,
)
from sluis.shops.woocommerce.facts import shop_facts
from sluis.shops.woocommerce.mapping import PLATFORM, signature, to_order, to_orphan, unreadable
from sluis.shops.woocommerce.refusals import on_error
from sluis.shops.woocommerce.settings import IDS_PER_CALL, WooCommerceCredentials, WooCommerceSettings

log = logging.getLogger(__name__)

#: Refunds by id, of one order.
Refunds = dict[str, Row]
#: In place of an order's id: the refund names no order.
_NO_ORDER = ""


class WooCommerceShop:
    """Reads one WooCommerce shop; see ``sluis.ports.ShopConnector`` for what it promises."""

    def __init__(self, client: WooCommerceClient, settings: WooCommerceSettings) -> None:
        self._client = client
        self._settings = settings

    def check(self) -> ShopFacts:
        """Ask the shop who it is and what it charges."""
        try:
            return shop_facts(self._client, self._settings)
        except WrongField as wrong:
            raise NotAShop(f"WooCommerce: {wrong.field} is not what WooCommerce answers", code="not_the_api") from None

    def read(self, window: Window, *, by: Literal["modified", "dated"]) -> Iterator[Page]:
        """Yield every order of the window, then those in the bin, then those outside that were refunded inside it.

        ``shop_count`` stands on the pages of the window (the shop's count at the first call, which leaves the bin
        out); pages of binned and of refunded orders have none and count for nothing.
        """
        span = Span.over(window.start, window.end)
        refunds = self._refunds_made_in(span)
        orphans = refunds.pop(_NO_ORDER, {})
        key = MODIFIED if by == "modified" else CREATED
        seen: set[str] = set()
        yield from self._window(span, key, refunds, seen)
        yield from self._binned(span, key, refunds, seen)
        for page in self._by_id(list(refunds), refunds):
            yield page.model_copy(update={"counted": 0})
        if orphans:
            yield Page(documents=tuple(to_orphan(row) for row in orphans.values()), counted=0)

    def fetch(self, order_ids: Sequence[str]) -> Iterator[Page]:
        """Yield these orders with all their refunds, binned ones too; ids the shop does not know are left out."""
        wanted = [order_id for order_id in dict.fromkeys(order_ids) if identity({"id": order_id}) == order_id]
        yield from self._by_id(wanted, {})

    def _window(self, span: Span, key: SortKey, refunds: dict[str, Refunds], seen: set[str]) -> Iterator[Page]:
        shop_count: int | None = None
        counted = 0
        for rows, total in self._client.orders(span, key):
            shop_count = total if shop_count is None else shop_count
            fresh = [row for row in rows if _inside(row, span, key) and _first_time(row, seen)]
            counted += len(fresh)
            documents = tuple(self._document(row, refunds) for row in fresh)
            yield Page(documents=documents, shop_count=shop_count, counted=len(fresh))
        if shop_count is not None and counted < shop_count:
            yield self._withdrawn(span, key, shop_count)

    def _binned(self, span: Span, key: SortKey, refunds: dict[str, Refunds], seen: set[str]) -> Iterator[Page]:
        """Yield the orders in the bin: putting one there raises its modification time (recorded), but hides it."""
        for rows, _ in self._client.orders(span, key, TRASH):
            fresh = [row for row in rows if _inside(row, span, key) and _first_time(row, seen)]
            if fresh:
                yield Page(documents=tuple(self._document(row, refunds) for row in fresh), counted=0)

    def _withdrawn(self, span: Span, key: SortKey, shop_count: int) -> Page:
        """Ask again how many orders there are: one that changed meanwhile left the window and is in the next one."""
        gone = max(0, shop_count - self._client.count(span, key))
        return Page(documents=(), shop_count=shop_count, counted=gone)

    def _by_id(self, order_ids: Sequence[str], refunds: dict[str, Refunds]) -> Iterator[Page]:
        missing = 0
        for start in range(0, len(order_ids), IDS_PER_CALL):
            ids = order_ids[start : start + IDS_PER_CALL]
            rows = self._client.orders_by_id(ids)
            found = {identity(row) for row in rows}
            if binned := [order_id for order_id in ids if order_id not in found]:
                rows += self._client.orders_by_id(binned, TRASH)
            missing += len(ids) - len(rows)
            yield Page(documents=tuple(self._document(row, refunds) for row in rows))
        if missing:
            log.warning("WooCommerce: %d orders that were asked for are not in the shop's list any more", missing)

    def _refunds_made_in(self, span: Span) -> dict[str, Refunds]:
        """Return the refunds made in the span, by order. Empty where the shop has no such list (before 9.0).

        There a refund still raises its order's modification time, so the order itself is in the window.
        """
        found: dict[str, Refunds] = {}
        try:
            for rows, _ in self._client.refunds(span):
                for row in rows:
                    moment = row_moment(row, CREATED.field)
                    if moment is None or span.holds(moment):
                        same_order = found.setdefault(identity(row, "parent_id") or _NO_ORDER, {})
                        same_order[identity(row) or f"without id {len(same_order)}"] = row
        except NotAShop as error:
            if error.code != "no_woocommerce":
                raise
            log.info("WooCommerce: no list of refunds (older than 9.0); refunds are read with their orders")
        return found

    def _document(self, row: Any, refunds: dict[str, Refunds]) -> Order | Unreadable:
        """Map one order with all its refunds: those at hand when they are all there are, else one call for them."""
        if not isinstance(row, dict):
            return unreadable(row, "(the whole order)")
        order_id = identity(row)
        if order_id is None:
            return unreadable(row, "id")
        at_hand = refunds.pop(order_id, {})
        embedded = _embedded_ids(row)
        if embedded is None and "refunds" in row:
            return unreadable(row, "refunds")
        if embedded == set(at_hand):
            return to_order(row, list(at_hand.values()), self._settings)
        # Embedded ids alone are not trusted to be all: WooCommerce #65488 reports versions that embed none.
        return to_order(row, self._client.refunds_of(order_id), self._settings)


def _embedded_ids(row: Row) -> set[str] | None:
    """Return the ids of the refunds that the order names, ``None`` where it names none or in another form."""
    refunds = row.get("refunds")
    if not isinstance(refunds, list):
        return None
    ids = {identity(refund) for refund in refunds}
    return None if None in ids else {order_id for order_id in ids if order_id is not None}


def _inside(row: Any, span: Span, key: SortKey) -> bool:
    """Whether a row belongs to the span; one that cannot be judged does, so that it is not dropped in silence."""
    moment = row_moment(row, key.field)
    return moment is None or span.holds(moment)


def _first_time(row: Any, seen: set[str]) -> bool:
    order_id = identity(row)
    if order_id is None:
        return True
    if order_id in seen:
        return False
    seen.add(order_id)
    return True


class _WooCommerce:
    """The folder's entry; see ``sluis.ports.Connectable``."""

    name = PLATFORM
    settings_model: type[Frozen] = WooCommerceSettings
    credentials_model: type[Frozen] = WooCommerceCredentials

    def limits(self, settings: object) -> Mapping[str, tuple[int, int]]:  # noqa: ARG002 - the port's signature
        """Return nothing: WooCommerce itself has no limit; the host's or a firewall's speaks in its answers."""
        return {}

    def connect(
        self,
        settings: WooCommerceSettings,
        credentials: WooCommerceCredentials,
        mapping: Any,  # noqa: ARG002 - tax rates and ledger accounts are the package's concern
        limiter: Limiter | None,
        **session: Any,
    ) -> WooCommerceShop:
        """Return the connector; ``session`` goes to ``VendorSession`` (time-outs, a clock for tests)."""
        http = VendorSession(
            settings.url,
            vendor="WooCommerce",
            auth=signature(settings, credentials),
            limiter=limiter,
            limiter_key=f"woocommerce {settings.host}",
            on_error=on_error,
            **session,
        )
        return WooCommerceShop(WooCommerceClient(http, settings), settings)


CONNECTOR = _WooCommerce()
