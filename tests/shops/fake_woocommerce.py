"""A small WooCommerce on 127.0.0.1: lists, bounds that leave out their second, and no order among equals.

It checks OAuth 1.0a the way WooCommerce does (written from RFC 5849, not with the library that signs). MySQL gives rows
of one second in any order from call to call; here they are shuffled on purpose.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from sluis.ports import ShopConnector
from sluis.shops.woocommerce import CONNECTOR
from tests.contracts.shop_contract import Fault

KEY, SECRET = "ck_1234567890", "cs_CANARY_secret"  # invented
Answer = tuple[int, Any, dict[str, str]]
SETTINGS = {
    "general": [{"id": "woocommerce_currency", "value": "EUR"}],
    "tax": [
        {"id": "woocommerce_prices_include_tax", "value": "yes"},
        {"id": "woocommerce_tax_round_at_subtotal", "value": "no"},
    ],
}
INDEX = {"timezone_string": "Europe/Amsterdam", "gmt_offset": 1, "namespaces": ["wp/v2", "wc/v3"]}


class FakeWooCommerce:
    """Implements ``tests.contracts.shop_contract.ShopUnderTest`` for WooCommerce."""

    page_size = 100

    def __init__(self) -> None:
        self.calls = 0
        self.orders: dict[int, dict[str, Any]] = {}
        self.refunds: dict[int, dict[str, Any]] = {}
        self.log: list[tuple[str, dict[str, str]]] = []
        self.overrides: dict[str, Answer] = {}  #: path below /wc/v3 -> answer
        self.url = ""
        self.connector: ShopConnector
        self._ids = iter(range(100, 10**9))
        self._random = random.Random(7)
        self._faults: list[Fault | None] = []
        self._before: Callable[[int], None] = lambda call: None
        self._calls_before = 0

    # -------------------------------------------------------------------------------------- what a test does to it

    def add(self, *, modified: datetime, created: datetime | None = None, **more: Any) -> str:
        order_id = next(self._ids)
        self.orders[order_id] = order_json(order_id, created or modified, modified) | more
        return str(order_id)

    def touch(self, order_id: str, modified: datetime) -> None:
        self.orders[int(order_id)]["date_modified_gmt"] = stamp(modified)

    def refund(self, order_id: str, at: datetime, *, touch: bool) -> str:
        refund_id = next(self._ids)
        order = self.orders[int(order_id)]
        self.refunds[refund_id] = refund_json(refund_id, order, at, next(self._ids))
        order["refunds"].append({"id": refund_id, "reason": "CANARY reason", "total": "-1.21"})
        if touch:
            order["date_modified_gmt"] = stamp(at)
        return str(refund_id)

    def bin(self, order_id: str, at: datetime) -> None:
        """Put an order into the bin: recorded to raise its modification time."""
        self.orders[int(order_id)] |= {"status": "trash", "date_modified_gmt": stamp(at)}

    def remove(self, order_id: str) -> None:
        del self.orders[int(order_id)]

    def before_each_call(self, action: Callable[[int], None]) -> None:
        self._before, self._calls_before = action, self.calls

    def fail(self, *faults: Fault | None) -> None:
        self._faults = list(faults)

    # ------------------------------------------------------------------------------------------------- how it answers

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/wp-json/":
            return 200, INDEX, {}
        if not path.startswith("/wp-json/wc/v3/"):
            return no_route()
        resource = path.removeprefix("/wp-json/wc/v3/")
        if resource in self.overrides:
            return self.overrides[resource]
        return self._resource(resource.split("/"), query)

    def _resource(self, parts: list[str], query: dict[str, str]) -> Answer:
        match parts:
            case ["orders"]:
                return self._list([o for o in self.orders.values() if listed(o, query.get("status", "any"))], query)
            case ["refunds"]:
                return self._list(list(self.refunds.values()), query)
            case ["orders", number, "refunds"]:
                mine = [{**r, "parent_id": None} for r in self.refunds.values() if r["parent_id"] == int(number)]
                return self._list(mine, query)
            case ["settings", group]:
                return 200, SETTINGS[group], {}
            case ["taxes"]:
                row = {"id": 1, "country": "NL", "rate": "21.0000", "name": "BTW 21%"}
                return self._list([row], query)
            case ["taxes", "classes"]:
                return 200, [{"slug": "standard"}, {"slug": "reduced-rate"}], {}
            case ["payment_gateways"]:
                return self._list([{"id": "ideal", "enabled": True}, {"id": "cod", "enabled": False}], query)
            case ["orders", "statuses"]:
                return 200, [{"slug": "processing"}, {"slug": "completed"}], {}
        return no_route()

    def _list(self, rows: list[dict[str, Any]], query: dict[str, str]) -> Answer:
        for bound in ("after", "before", "modified_after", "modified_before"):
            if bound in query:
                rows = [row for row in rows if within(row, bound, query)]
        if "include" in query:
            wanted = {int(text) for text in query["include"].split(",")}
            rows = [row for row in rows if row["id"] in wanted]
        self._random.shuffle(rows)
        field = {"modified": "date_modified_gmt", "date": "date_created_gmt"}.get(query.get("orderby", "date"), "id")
        rows.sort(key=lambda row: row.get(field, 0), reverse=query.get("order", "desc") == "desc")
        size, page = int(query.get("per_page", 10)), int(query.get("page", 1))
        if not 1 <= size <= 100:
            return 400, {"code": "rest_invalid_param", "data": {"params": {"per_page": "out of bounds"}}}, {}
        shown = rows[(page - 1) * size : page * size]
        body = [trimmed(row, query) for row in shown]
        total = str(len(rows)) if shown or not rows else "0"  # beyond the end the real shop says 0
        return 200, body, {"X-WP-Total": total, "X-WP-TotalPages": str(-(-len(rows) // size))}

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        self.calls += 1
        target = urlsplit(handler.path)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        self.log.append((target.path, query))
        self._before(self.calls - self._calls_before)
        fault = (self._faults.pop(0) if len(self._faults) > 1 else self._faults[0]) if self._faults else None
        if fault is not None:
            misbehave(handler, fault)
            return
        if target.path != "/wp-json/" and not signed(self.url + target.path, query):
            send(handler, 401, {"code": "woocommerce_rest_authentication_error", "message": "CANARY"}, {})
            return
        send(handler, *self.answer(target.path, query))


def trimmed(row: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
    """Leave what ``_fields`` names, also inside objects, and the metadata that ``include_meta`` names."""
    names = set(query["_fields"].split(",")) if "_fields" in query else set(row)
    keys = query["include_meta"].split(",") if "include_meta" in query else None
    shown: dict[str, Any] = {}
    for field, value in row.items():
        inside = {name.partition(".")[2] for name in names if name.startswith(f"{field}.")}
        if field in names:
            shown[field] = value
        elif inside:
            shown[field] = {k: v for k, v in value.items() if k in inside} if isinstance(value, dict) else value
    if keys is not None and isinstance(shown.get("meta_data"), list):
        shown["meta_data"] = [entry for entry in shown["meta_data"] if entry["key"] in keys]
    return shown


def listed(order: dict[str, Any], status: str) -> bool:
    """``any`` leaves the bin out."""
    return order["status"] != "trash" if status == "any" else order["status"] == status


def within(row: dict[str, Any], bound: str, query: dict[str, str]) -> bool:
    """Both bounds leave out their own second; without ``dates_are_gmt``, or with a ``Z`` beside it, nothing fits."""
    field = "date_modified_gmt" if bound.startswith("modified") else "date_created_gmt"
    if query.get("dates_are_gmt") != "true" or query[bound].endswith("Z"):
        return False
    return row[field] > query[bound] if bound.endswith("after") else row[field] < query[bound]


def signed(url: str, query: dict[str, str]) -> bool:
    """Check a one-legged OAuth 1.0a signature in the query (RFC 5849, 3.4)."""
    given = query.get("oauth_signature", "")
    rest = sorted((quote(k, safe="~"), quote(v, safe="~")) for k, v in query.items() if k != "oauth_signature")
    base = "&".join(quote(text, safe="~") for text in ("GET", url, "&".join(f"{k}={v}" for k, v in rest)))
    digest = hmac.new(f"{SECRET}&".encode(), base.encode(), hashlib.sha256).digest()
    return query.get("oauth_consumer_key") == KEY and given == base64.b64encode(digest).decode()


def no_route() -> Answer:
    return 404, {"code": "rest_no_route", "message": "No route was found", "data": {"status": 404}}, {}


def send(handler: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str]) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(raw))}.items():
        handler.send_header(name, value)
    if handler.close_connection:
        handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(raw)


def misbehave(handler: BaseHTTPRequestHandler, fault: Fault) -> None:
    """Answer wrongly, and close the connection after it.

    ``send`` says so: a client that is not told might use the connection again in the moment before it closes, and
    meet a second fault that nobody asked for.
    """
    handler.close_connection = True
    match fault:
        case Fault.RATE_LIMITED:
            send(handler, 429, {}, {"Retry-After": str(int(time.time()) + 600)})
        case Fault.SERVER_ERROR:
            send(handler, 500, {"code": "internal_server_error"}, {})
        case Fault.REFUSED:
            send(handler, 401, {"code": "woocommerce_rest_authentication_error"}, {})
        case Fault.TRUNCATED:
            send(handler, 200, b'[{"id": 1, "billing": {"first_name": "CANARY', {"X-WP-Total": "1"})
        case Fault.SILENT:
            handler.connection.settimeout(5)
            handler.connection.recv(1)  # returns as soon as the client gives up
        case Fault.HTML_FIRST:
            send(handler, 200, b"<br />\n<b>Warning</b>: CANARY in /plugin.php\n[]", {"X-WP-Total": "0"})
        case Fault.HTML_ONLY:
            send(handler, 200, b"<!DOCTYPE html><html><body>CANARY</body></html>", {})


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def order_json(order_id: int, created: datetime, modified: datetime) -> dict[str, Any]:
    """An order of one article of 10.00 net at 21 %, with more fields than anybody asked for."""
    address = {
        "first_name": "Noor",
        "last_name": "Voorbeeld",
        "company": "",
        "address_1": "Dijk 1",
        "address_2": "achter",
        "city": "Spaarndam",
        "state": "",
        "postcode": "1234 AB",
        "country": "NL",
    }
    return {
        "id": order_id,
        "number": f"W{order_id}",
        "status": "completed",
        "currency": "EUR",
        "version": "10.0.2",
        "prices_include_tax": True,
        "date_created_gmt": stamp(created),
        "date_modified_gmt": stamp(modified),
        "date_paid_gmt": stamp(created),
        "date_completed_gmt": None,
        "total": "12.10",
        "total_tax": "2.10",
        "customer_id": 7,
        "customer_ip_address": "192.0.2.1",
        "customer_note": "CANARY note",
        "billing": {**address, "email": "noor@example.com", "phone": "0000000000"},
        "shipping": address,
        "payment_method": "ideal",
        "transaction_id": "tr_FAKE1",
        "created_via": "checkout",
        "meta_data": [],
        "line_items": [line_json(order_id + 10**9, "10.00", "2.10")],
        "shipping_lines": [],
        "fee_lines": [],
        "tax_lines": [tax_line("2.10")],
        "refunds": [],
    }


def line_json(line_id: int, net: str, vat: str, quantity: int = 1, name: str = "Mok") -> dict[str, Any]:
    return {
        "id": line_id,
        "name": name,
        "quantity": quantity,
        "tax_class": "",
        "total": net,
        "total_tax": vat,
        "taxes": [{"id": 1, "total": vat, "subtotal": vat}],
        "meta_data": [],
        "sku": "MOK",
        "price": 99.99,
    }


def tax_line(amount: str) -> dict[str, Any]:
    return {"rate_id": 1, "rate_percent": 21, "compound": False, "tax_total": amount, "shipping_tax_total": "0.00"}


def refund_json(refund_id: int, order: dict[str, Any], at: datetime, line_id: int) -> dict[str, Any]:
    line = line_json(line_id, "-1.00", "-0.21", quantity=-1)
    line["meta_data"] = [{"key": "_refunded_item_id", "value": str(order["line_items"][0]["id"])}]
    return {
        "id": refund_id,
        "parent_id": order["id"],
        "date_created_gmt": stamp(at),
        "amount": "1.21",
        "reason": "CANARY reason",
        "line_items": [line],
        "shipping_lines": [],
        "fee_lines": [],
        "tax_lines": [tax_line("-0.21")],
    }


@contextmanager
def serve(**session: Any) -> Iterator[FakeWooCommerce]:
    """Run the shop with a connector that does not really sleep."""
    shop = FakeWooCommerce()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            shop.handle(self)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shop.url = f"http://127.0.0.1:{server.server_address[1]}"
    settings = CONNECTOR.settings_model.model_validate({"url": shop.url})
    credentials = CONNECTOR.credentials_model.model_validate({"consumer_key": KEY, "consumer_secret": SECRET})
    options: dict[str, Any] = {"sleep": lambda seconds: None, "read_timeout": 2.0, **session}
    shop.connector = CONNECTOR.connect(settings, credentials, None, None, **options)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
