"""The orders and refunds of one sandbox shop, with the filters, sorting and paging of WooCommerce's REST API.

The store is in memory and safe for several threads. Documents are kept as WooCommerce would show them with six
decimals; what is shown is made once per document and kept, so that a page of a large shop costs next to nothing.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from threading import RLock
from typing import Any
from zoneinfo import ZoneInfo

from sluis.core.money import round_cents

Json = dict[str, Any]

#: Fields that hold an amount: only these follow ``dp``.
AMOUNTS = frozenset({
    "subtotal", "subtotal_tax", "total", "total_tax", "discount_total", "discount_tax", "shipping_total",
    "shipping_tax", "cart_tax", "tax_total", "shipping_tax_total",
})  # fmt: skip
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}(:?\d{2})?)?$")
HIDDEN = frozenset({"trash", "auto-draft"})


def shown(value: Any, dp: int = 2) -> Any:
    """Return a document with its amounts in ``dp`` decimals (half up, as ``wc_format_decimal``)."""
    if isinstance(value, dict):
        return {key: _amount(item, dp) if key in AMOUNTS else shown(item, dp) for key, item in value.items()}
    return [shown(item, dp) for item in value] if isinstance(value, list) else value


def _amount(value: Any, dp: int) -> Any:
    if not isinstance(value, str) or not value:
        return shown(value, dp)
    return f"{Decimal(value).quantize(Decimal(1).scaleb(-dp), ROUND_HALF_UP):f}"


def worth(order: Json) -> Decimal:
    """Return what an order sold: its total, and what gift cards took off that."""
    cards = (Decimal(card["amount"]) for card in order.get("pw_gift_cards_redeemed", []))
    return sum(cards, Decimal(order["total"]))


def is_date(text: str) -> bool:
    """Say whether WordPress would take this as a date (a date without a time it refuses)."""
    if not _DATE.match(text):
        return False
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def moment(text: str) -> datetime:
    """Read a ``*_gmt`` field of an order."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Document:
    """An order or a refund. ``raw`` is the document without links; ``parent`` is 0 for an order."""

    raw: Json
    created: datetime
    modified: datetime
    parent: int = 0
    texts: dict[tuple[str, int, bool], str] = field(default_factory=dict)

    @property
    def id(self) -> int:
        """The shop's id: orders and refunds share one number space."""
        return int(self.raw["id"])


@dataclass(frozen=True)
class Query:
    """The parameters of a list, after validation. Dates are the caller's own text."""

    page: int = 1
    per_page: int = 10
    offset: int | None = None
    order: str = "desc"
    orderby: str = "date"
    status: tuple[str, ...] = ("any",)
    include: tuple[int, ...] = ()
    exclude: tuple[int, ...] = ()
    parents: tuple[int, ...] = ()
    customer: int | None = None
    search: str = ""
    after: str | None = None
    before: str | None = None
    modified_after: str | None = None
    modified_before: str | None = None
    dates_are_gmt: bool = False


class OrderBook:
    """Orders and refunds of one shop."""

    def __init__(self, timezone: str) -> None:
        self.zone = ZoneInfo(timezone)
        self.lock = RLock()
        self.orders: dict[int, Document] = {}
        self.refunds: dict[int, Document] = {}
        self.by_parent: dict[int, list[Document]] = {}
        self._last_id = 100
        self._sorted: dict[tuple[bool, str], list[Document]] = {}

    # -------------------------------------------------------------------------------------------------- writing

    def next_id(self, count: int = 1) -> int:
        """Return the first of ``count`` fresh ids (orders, refunds and their lines share them)."""
        with self.lock:
            first = self._last_id + 1
            self._last_id += count
            return first

    def put(self, raw: Json) -> Document:
        """Store an order as given (new or changed). The dates come from its own ``_gmt`` fields."""
        with self.lock:
            clean = {key: value for key, value in raw.items() if key != "_links"}
            document = Document(clean, moment(clean["date_created_gmt"]), moment(clean["date_modified_gmt"]))
            self.orders[document.id] = document
            self._last_id = max(self._last_id, document.id)
            self._sorted.clear()
            return document

    def put_refund(self, order_id: int, raw: Json, *, touch: bool = True) -> Document:
        """Store a refund and name it in its order.

        ``touch`` does what the real shop does besides: it raises the order's ``date_modified`` to the refund's moment,
        and an order of which all is paid back gets the status ``refunded``.
        """
        with self.lock:
            parent = self.orders[order_id]
            clean = {key: value for key, value in raw.items() if key not in {"_links", "parent_id"}}
            created = moment(clean["date_created_gmt"])
            document = Document(clean, created, created, order_id)
            self.refunds[document.id] = document
            self.by_parent.setdefault(order_id, []).append(document)
            self._last_id = max(self._last_id, document.id)
            self._sorted.clear()
            named = [entry["id"] for entry in parent.raw["refunds"]]
            changes: Json = {}
            if document.id not in named:
                entry = {"id": document.id, "reason": clean["reason"], "total": f"-{clean['amount']}"}
                changes["refunds"] = [entry, *parent.raw["refunds"]]
            back = sum(Decimal(refund.raw["amount"]) for refund in self.by_parent[order_id])
            if touch and back >= round_cents(Decimal(parent.raw["total"])):
                changes["status"] = "refunded"
            self.change(order_id, changes, at=max(created, parent.modified) if touch else None)
            return document

    def change(self, order_id: int, changes: Json, *, at: datetime | None = None) -> Document:
        """Change fields of an order; ``at`` becomes its ``date_modified``, ``None`` leaves that alone."""
        with self.lock:
            raw = {**copy.deepcopy(self.orders[order_id].raw), **changes}
            if at is not None:
                raw |= self.dates("date_modified", at)
            return self.put(raw)

    def delete(self, order_id: int) -> None:
        """Delete an order for good, with its refunds: no list and no id shows it any more."""
        with self.lock:
            del self.orders[order_id]
            for refund in self.by_parent.pop(order_id, []):
                del self.refunds[refund.id]
            self._sorted.clear()

    def dates(self, name: str, at: datetime | None) -> Json:
        """Return a date field in both of WooCommerce's spellings: the shop's own time, and UTC."""
        if at is None:
            return {name: None, f"{name}_gmt": None}
        whole = at.replace(microsecond=0)
        local = whole.astimezone(self.zone).replace(tzinfo=None)
        return {name: local.isoformat(), f"{name}_gmt": whole.astimezone(UTC).replace(tzinfo=None).isoformat()}

    # -------------------------------------------------------------------------------------------------- reading

    def find(self, query: Query, *, refunds: bool = False) -> list[Document]:
        """Return everything that fits, sorted; the page is cut by the caller."""
        with self.lock:
            found: Iterable[Document] = self._in_order(refunds, query.orderby)
            for test in self._tests(query, refunds):
                found = filter(test, found)
            result = list(found)
        if query.orderby == "include" and query.include:
            place = {order_id: index for index, order_id in enumerate(query.include)}
            return sorted(result, key=lambda document: place[document.id])
        return result if query.order == "asc" else result[::-1]

    def _in_order(self, refunds: bool, orderby: str) -> list[Document]:
        kept = self._sorted.get((refunds, orderby))
        if kept is None:
            keys: dict[str, Callable[[Document], Any]] = {
                "date": lambda document: (document.created, document.id),
                "modified": lambda document: (document.modified, document.id),
            }
            everything = self.refunds if refunds else self.orders
            kept = sorted(everything.values(), key=keys.get(orderby, lambda document: document.id))
            self._sorted[refunds, orderby] = kept
        return kept

    def _tests(self, query: Query, refunds: bool) -> list[Callable[[Document], bool]]:
        tests: list[Callable[[Document], bool]] = []
        if not refunds:
            tests.append(_status_test(query.status))
        if query.include:
            tests.append(lambda document: document.id in query.include)
        if query.exclude:
            tests.append(lambda document: document.id not in query.exclude)
        if query.parents:
            tests.append(lambda document: document.parent in query.parents)
        if query.customer is not None:
            tests.append(lambda document: document.raw.get("customer_id") == query.customer)
        if query.search:
            tests.append(lambda document: query.search == str(document.id) or _mentions(document, query.search))
        for name, sooner, modified in (
            ("after", False, False),
            ("before", True, False),
            ("modified_after", False, True),
            ("modified_before", True, True),
        ):
            text = getattr(query, name)
            if text is not None:
                tests.append(self._date_test(text, gmt=query.dates_are_gmt, before=sooner, modified=modified))
        return tests

    def _date_test(self, text: str, *, gmt: bool, before: bool, modified: bool) -> Callable[[Document], bool]:
        """Both bounds exclude their own second. With ``dates_are_gmt`` a suffix (``Z``) makes that nothing is found."""
        bound = datetime.fromisoformat(text.upper())
        if gmt and bound.tzinfo is not None:
            return lambda _: False
        if gmt:
            bound = bound.replace(tzinfo=UTC)
        local = (bound.astimezone(self.zone) if bound.tzinfo and not gmt else bound).replace(tzinfo=None)

        def holds(document: Document) -> bool:
            at = document.modified if modified else document.created
            mine, other = (at, bound) if gmt else (at.astimezone(self.zone).replace(tzinfo=None), local)
            return mine < other if before else mine > other

        return holds

    def body(self, document: Document, base: str, *, dp: int = 2, listed: bool = False) -> Json:
        """Return a document as the API shows it; ``listed``: as ``/refunds`` does, which adds ``parent_id``."""
        body: Json = shown(document.raw, dp)
        if listed:
            body = {"id": body["id"], "parent_id": document.parent, **body}
        return {**body, "_links": _links(document, f"{base}/wp-json/wc/v3")}

    def text(self, document: Document, base: str, *, dp: int = 2, listed: bool = False) -> str:
        """Return the same as JSON, made once: a change makes a new ``Document``."""
        key = (base, dp, listed)
        if key not in document.texts:
            body = self.body(document, base, dp=dp, listed=listed)
            document.texts[key] = json.dumps(body, ensure_ascii=False)
        return document.texts[key]


def _status_test(statuses: tuple[str, ...]) -> Callable[[Document], bool]:
    if "any" in statuses:
        return lambda document: document.raw["status"] not in HIDDEN
    return lambda document: document.raw["status"] in statuses


def _mentions(document: Document, text: str) -> bool:
    billing = document.raw.get("billing", {})
    return any(text.lower() in str(billing.get(key, "")).lower() for key in ("first_name", "last_name", "email"))


def _links(document: Document, api: str) -> Json:
    if document.parent:
        up = f"{api}/orders/{document.parent}"
        allow = ["GET", "DELETE"]
        own = {"href": f"{up}/refunds/{document.id}", "targetHints": {"allow": allow}}
        return {"self": [own], "collection": [{"href": f"{up}/refunds"}], "up": [{"href": up}]}
    own = {
        "href": f"{api}/orders/{document.id}",
        "targetHints": {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
    }
    templates = {"embeddable": True, "href": f"{api}/orders/{document.id}/actions/email_templates"}
    links: Json = {"self": [own], "collection": [{"href": f"{api}/orders"}], "email_templates": [templates]}
    if document.raw.get("customer_id"):
        links["customer"] = [{"href": f"{api}/customers/{document.raw['customer_id']}"}]
    return links
