"""Speaks WooCommerce's REST API v3 and walks its lists so that no row can be lost while the shop changes them.

Page numbers lose rows: when a row of page 1 is changed it moves to the end, everything behind it moves up, and the row
that slid from page 2 to page 1 is never seen. So a list is walked by its sort key: each call asks for the first page of
what has the last seen second or a later one, in rising order. A change can only move a row to a later second, which is
still to come or belongs to the next window. Where one second holds more rows than a page (bulk edits, imports), that
second is read by id, from its last page to its first: rows can only leave it, and then the others slide towards pages
that are still to be read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sluis.errors import Defect, NotAShop, RetryLater
from sluis.http import TOO_LARGE, Answer, VendorSession
from sluis.shops.reading import Reader, WrongField, identity
from sluis.shops.woocommerce.settings import (
    IDS_PER_CALL,
    PER_PAGE,
    REFUND_FIELDS,
    WooCommerceSettings,
)

API = "/wp-json/wc/v3"
#: Every status but those of the bin; and the bin itself (WooCommerce 3.6 and later: woocommerce #21595).
ANY, TRASH = "any", "trash"
_SECOND = timedelta(seconds=1)

Row = dict[str, Any]


@dataclass(frozen=True)
class SortKey:
    """By what a list is walked: the parameters that bound it, the value of ``orderby``, and the rows' field."""

    after: str
    before: str
    orderby: str
    field: str


MODIFIED = SortKey("modified_after", "modified_before", "modified", "date_modified_gmt")
CREATED = SortKey("after", "before", "date", "date_created_gmt")


@dataclass(frozen=True)
class Span:
    """Whole seconds, UTC: from ``first`` up to, not including, ``end``. WooCommerce's times have no smaller part."""

    first: datetime
    end: datetime

    @classmethod
    def over(cls, start: datetime, end: datetime) -> Span:
        """Return the seconds inside a half-open window."""
        return cls(_whole_second_from(start), _whole_second_from(end))

    def holds(self, moment: datetime) -> bool:
        """Whether a row's second lies inside."""
        return self.first <= moment < self.end


class WooCommerceClient:
    """The calls that the connector makes; all of them read. Raises the errors of ``VendorSession``.

    Where a page passes the session's cap on an answer, pages become smaller until one fits: only a single order (or
    the refunds of one) that passes it alone is an error.
    """

    def __init__(self, session: VendorSession, settings: WooCommerceSettings) -> None:
        self._session = session
        self._order_fields = {"_fields": ",".join(settings.order_fields), **settings.wanted_metadata}
        self._per_page = PER_PAGE

    def get(self, path: str, params: dict[str, Any] | None = None, *, accept: Sequence[int] = ()) -> Answer:
        """Read a resource of the API (``settings/general``)."""
        return self._session.get(f"{API}/{path}", params, accept=accept)

    def site(self) -> Answer:
        """Read WordPress's own index: zone and API names."""
        fields = "url,home,gmt_offset,timezone_string,namespaces"
        return self._session.get("/wp-json/", {"_fields": fields})

    def rows(self, path: str, params: dict[str, Any]) -> tuple[list[Row], int]:
        """Read one page of a list; returns its rows and how many the whole query has, by the shop's own count."""
        answer = self.get(path, {"dp": 2, **params})
        if not isinstance(answer.body, list):
            raise NotAShop(f"WooCommerce: GET {path}: the answer is no list", code="not_the_api")
        total = answer.number("X-WP-Total")
        if total is None:
            raise NotAShop(
                f"WooCommerce: GET {path}: the header X-WP-Total is missing, so nothing can prove that a list is"
                " complete; something between the shop and us (a cache, a security plugin) takes it away",
                code="no_total",
            )
        return answer.body, total

    def count(self, span: Span, key: SortKey) -> int:
        """Return how many orders the shop has in the span."""
        params = {**_bounds(key, span.first, span.end), "status": ANY, "per_page": 1, "_fields": "id"}
        return self.rows("orders", params)[1]

    def orders(self, span: Span, key: SortKey, status: str = ANY) -> Iterator[tuple[list[Row], int]]:
        """Walk the orders of a span: rows (a row may come twice) and the shop's count at that call.

        ``TRASH``: the orders in the bin, which ``ANY`` leaves out.
        """
        return self._walk("orders", {"status": status, **self._order_fields}, span, key)

    def refunds(self, span: Span) -> Iterator[tuple[list[Row], int]]:
        """Walk the refunds made in a span, of all orders (WooCommerce 9.0 and later)."""
        return self._walk("refunds", {"_fields": ",".join(REFUND_FIELDS)}, span, CREATED)

    def has_refund_list(self) -> bool:
        """Whether the shop has the list of refunds of all orders: from WooCommerce 9.0 on."""
        answer = self.get("refunds", {"per_page": 1, "_fields": "id"}, accept=(404,))
        return answer.status != 404

    def orders_by_id(self, ids: Sequence[str], status: str = ANY) -> list[Row]:
        """Read orders by id; those the shop does not list under this status (any more) are left out."""
        if not 0 < len(ids) <= IDS_PER_CALL:
            raise Defect(f"orders_by_id takes 1 to {IDS_PER_CALL} ids, not {len(ids)}")
        params = {"include": ",".join(ids), "status": status, "per_page": PER_PAGE, **self._order_fields}
        try:
            return self.rows("orders", {**params, "orderby": "id", "order": "asc"})[0]
        except Defect as error:
            if error.code != TOO_LARGE or len(ids) == 1:
                raise
        half = len(ids) // 2
        return self.orders_by_id(ids[:half], status) + self.orders_by_id(ids[half:], status)

    def refunds_of(self, order_id: str) -> list[Row]:
        """Read all refunds of one order."""
        params = {"_fields": ",".join(REFUND_FIELDS), "orderby": "id", "order": "asc"}
        found: dict[str, Row] = {}
        page, pages = 1, 1
        while page <= pages:
            query = {**params, "per_page": self._per_page, "page": page}
            try:
                rows, total = self.rows(f"orders/{order_id}/refunds", query)
            except Defect as error:
                self._shrink(error)
                page, pages = 1, 1
                continue
            pages = math.ceil(total / self._per_page)
            # A row without an id is kept under a key of its own: the mapping says which field is wrong.
            found.update((identity(row) or f"page {page} row {place}", row) for place, row in enumerate(rows))
            page += 1
        return list(found.values())

    def _walk(self, path: str, params: dict[str, Any], span: Span, key: SortKey) -> Iterator[tuple[list[Row], int]]:
        low = span.first
        while low < span.end:
            sort = {"orderby": key.orderby, "order": "asc", "per_page": self._per_page}
            try:
                rows, total = self.rows(path, {**params, **_bounds(key, low, span.end), **sort})
            except Defect as error:
                self._shrink(error)
                continue
            yield rows, total
            if len(rows) >= total:
                return
            last = _last_second(rows, key, path)
            if last > low:
                low = last
                continue
            yield from self._one_second(path, params, low, key)
            low += _SECOND

    def _one_second(
        self, path: str, params: dict[str, Any], second: datetime, key: SortKey
    ) -> Iterator[tuple[list[Row], int]]:
        """Walk a second that holds more rows than a page, backwards; once more when rows came in meanwhile."""
        sort = {"orderby": "id", "order": "asc"}
        query: dict[str, Any] = {**params, **_bounds(key, second, second + _SECOND), **sort}
        total = self.rows(path, {**query, "per_page": 1, "page": 1, "_fields": "id"})[1]
        while True:
            now, size = total, self._per_page
            for page in range(math.ceil(total / size), 0, -1):
                try:
                    rows, now = self.rows(path, {**query, "per_page": size, "page": page})
                except Defect as error:
                    self._shrink(error)
                    break
                yield rows, now
            if size == self._per_page and now <= total:
                return
            total = now

    def _shrink(self, error: Defect) -> None:
        """Halve the pages after an answer that was too large; raises where that cannot help."""
        if error.code != TOO_LARGE or self._per_page == 1:
            raise error
        self._per_page //= 2


def row_moment(row: Any, field: str) -> datetime | None:
    """Return the moment in a field of a row; ``None`` where it cannot be read."""
    try:
        return Reader(row).moment(field)
    except WrongField:
        return None


def _whole_second_from(moment: datetime) -> datetime:
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=0) + (_SECOND if moment.microsecond else timedelta(0))


def _bounds(key: SortKey, first: datetime, end: datetime) -> dict[str, str]:
    """Both of WooCommerce's bounds leave out their own second; with ``dates_are_gmt`` a ``Z`` would find nothing."""
    return {key.after: _stamp(first - _SECOND), key.before: _stamp(end), "dates_are_gmt": "true"}


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def _last_second(rows: Sequence[Any], key: SortKey, path: str) -> datetime:
    """Return the sort key of the last row; the walk is only safe over rows that rise."""
    moments = [moment for row in rows if (moment := row_moment(row, key.field)) is not None]
    if not moments:
        raise RetryLater(
            f"WooCommerce: GET {path}: the shop counts more rows than it gave, and gave none with {key.field}",
            code="answer_inconsistent",
        )
    if moments != sorted(moments):
        raise Defect(
            f"WooCommerce: GET {path}: the rows do not rise by {key.field}; a plugin changes the list's order, so a row"
            " could be lost",
            code="unsorted_list",
        )
    return moments[-1]
