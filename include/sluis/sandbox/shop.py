"""The sandbox shop's REST API: WooCommerce v3 as recorded, for reading. Writing is done through the control API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sluis.sandbox import wordpress
from sluis.sandbox.auth import Denied
from sluis.sandbox.orderbook import Document, Json
from sluis.sandbox.wordpress import BadParameter, answer, error, fields

if TYPE_CHECKING:
    from sluis.sandbox.state import Shop, State

API = "/shops/{shop}/wp-json/wc/v3"
NOT_FOUND = "<!DOCTYPE html><html><head><title>Pagina niet gevonden</title></head><body>404</body></html>"
GATEWAYS = (
    ("bacs", "Bank transfer", True),
    ("cheque", "Check payments", False),
    ("cod", "Cash on delivery", True),
    ("ideal", "iDEAL", True),
    ("mollie_wc_gateway_ideal", "iDEAL", True),
    ("woocommerce_payments", "WooPayments", True),
)
STATUS_NAMES = {
    "pending": "Pending payment",
    "processing": "Processing",
    "on-hold": "On hold",
    "completed": "Completed",
    "cancelled": "Cancelled",
    "refunded": "Refunded",
    "failed": "Failed",
    "checkout-draft": "Draft",
}
Handler = Callable[[Request, "Shop", str], Response]


def router(state: State) -> APIRouter:
    """Return the routes of all shops."""
    routes = APIRouter()

    def add(path: str, handler: Handler, *, single: bool = False, allow: str = "GET", public: bool = False) -> None:
        async def endpoint(request: Request) -> Response:
            return _guarded(state, request, handler, single=single, allow=allow, public=public)

        routes.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False)

    add("/shops/{shop}/wp-json", _site, public=True)
    add("/shops/{shop}/wp-json/", _site, public=True)
    add(f"{API}/orders", _orders, allow="GET, POST")
    add(f"{API}/orders/statuses", _statuses)
    add(f"{API}/orders/{{order}}", _order, single=True, allow="GET, POST, PUT, PATCH, DELETE")
    add(f"{API}/orders/{{order}}/refunds", _order_refunds, allow="GET, POST")
    add(f"{API}/orders/{{order}}/refunds/{{refund}}", _order_refund, single=True, allow="GET, DELETE")
    add(f"{API}/refunds", _refunds)
    add(f"{API}/settings/{{group}}", _settings)
    add(f"{API}/settings/{{group}}/{{setting}}", _setting, single=True, allow="GET, POST, PUT, PATCH")
    add(f"{API}/taxes", _taxes, allow="GET, POST")
    add(f"{API}/taxes/classes", _tax_classes, allow="GET, POST")
    add(f"{API}/payment_gateways", _gateways)
    add(f"{API}/data/currencies/current", _currency)
    add(f"{API}/reports/orders/totals", _totals)
    routes.add_api_route(
        "/shops/{shop}/{rest:path}", _fallback(state), methods=["GET", "POST", "PUT", "PATCH", "DELETE"]
    )
    return routes


def _guarded(state: State, request: Request, handler: Handler, *, single: bool, allow: str, public: bool) -> Response:
    shop = state.shops.get(request.path_params["shop"])
    if shop is None:
        return HTMLResponse(NOT_FOUND, 404)
    site = state.site(shop, request)
    try:
        if not public:
            shop.gate.check(request, single=single)
        response = handler(request, shop, site)
    except Denied as denied:
        return answer(error(denied.status, denied.code, denied.message), site, status=denied.status)
    except BadParameter as bad:
        response = answer(bad.body(), site, status=400)
    response.headers["Allow"] = allow
    return response


def _fallback(state: State) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        shop = state.shops.get(request.path_params["shop"])
        if shop is None or not request.path_params["rest"].startswith("wp-json"):
            return HTMLResponse(NOT_FOUND, 404)
        site = state.site(shop, request)
        if request.method != "GET" and "/wp-json/wc/v3/" in request.url.path:
            try:
                shop.gate.check(request, write=True)
            except Denied as denied:
                return answer(error(denied.status, denied.code, denied.message), site, status=denied.status)
        message = "No route was found matching the URL and request method."
        return answer(error(404, "rest_no_route", message), site, status=404)

    return endpoint


# ----------------------------------------------------------------------------------------------- orders and refunds


def _documents(request: Request, shop: Shop, site: str, *, refunds: bool) -> Response:
    query = wordpress.parse_query(request, refunds=refunds)
    found = shop.book.find(query, refunds=refunds)
    return _page(request, shop, site, found, listed=refunds)


def _page(request: Request, shop: Shop, site: str, found: list[Document], *, listed: bool) -> Response:
    query = wordpress.parse_query(request, refunds=True)
    first = query.offset if query.offset is not None else (query.page - 1) * query.per_page
    part = found[first : first + query.per_page]
    headers = wordpress.page_headers(request, site + request.url.path.partition(shop.path)[2], query, len(found))
    dp = wordpress.decimals(request)
    if "_fields" in request.query_params:
        bodies = [fields(request, shop.book.body(document, site, dp=dp, listed=listed)) for document in part]
        return answer(bodies, site, headers=headers)
    texts = (shop.book.text(document, site, dp=dp, listed=listed) for document in part)
    return answer(f"[{','.join(texts)}]", site, headers=headers)


def _orders(request: Request, shop: Shop, site: str) -> Response:
    return _documents(request, shop, site, refunds=False)


def _refunds(request: Request, shop: Shop, site: str) -> Response:
    return _documents(request, shop, site, refunds=True)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else -1


def _order(request: Request, shop: Shop, site: str) -> Response:
    document = shop.book.orders.get(_number(request.path_params["order"]))
    if document is None:
        return answer(error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID."), site, status=404)
    return answer(fields(request, shop.book.body(document, site, dp=wordpress.decimals(request))), site)


def _order_refunds(request: Request, shop: Shop, site: str) -> Response:
    """An unknown order has an empty list, not a 404 (recorded)."""
    found = list(shop.book.by_parent.get(_number(request.path_params["order"]), []))
    found.sort(key=lambda document: (document.created, document.id), reverse=True)
    return _page(request, shop, site, found, listed=False)


def _order_refund(request: Request, shop: Shop, site: str) -> Response:
    document = shop.book.refunds.get(_number(request.path_params["refund"]))
    if document is None or document.parent != _number(request.path_params["order"]):
        refusal = error(404, "woocommerce_rest_invalid_order_refund_id", "Invalid order refund ID.")
        return answer(refusal, site, status=404)

    return answer(fields(request, shop.book.body(document, site, dp=wordpress.decimals(request))), site)


# ------------------------------------------------------------------------------------------------------ about itself


def _site(request: Request, shop: Shop, site: str) -> Response:
    offset = shop.clock().astimezone(shop.book.zone).utcoffset()
    hours = offset.total_seconds() / 3600 if offset else 0
    body: Json = {
        "name": shop.config.name,
        "description": "",
        "url": site,
        "home": site,
        "gmt_offset": int(hours) if hours == int(hours) else hours,
        "timezone_string": shop.config.timezone,
        "namespaces": ["wp/v2", "wc/v3"],
    }
    return answer(fields(request, body), site)


def _statuses(_: Request, __: Shop, site: str) -> Response:
    return answer([{"slug": slug, "name": name} for slug, name in STATUS_NAMES.items()], site)


def _settings(request: Request, shop: Shop, site: str) -> Response:
    group = request.path_params["group"]
    if group not in {"general", "tax"}:
        message = "Invalid setting group."
        return answer(error(404, "rest_setting_setting_group_invalid", message), site, status=404)
    listed = wordpress.settings(group, shop.config, f"{site}/wp-json/wc/v3")
    return answer([fields(request, entry) for entry in listed], site)


def _setting(request: Request, shop: Shop, site: str) -> Response:
    group, name = request.path_params["group"], request.path_params["setting"]
    listed = wordpress.settings(group, shop.config, f"{site}/wp-json/wc/v3") if group in {"general", "tax"} else []
    entry = next((entry for entry in listed if entry["id"] == name), None)
    if entry is None:
        return answer(error(404, "rest_setting_setting_invalid", "Invalid setting."), site, status=404)
    return answer({**entry, "group_id": group}, site)


def _cut(request: Request, shop: Shop, site: str, entries: list[Json]) -> Response:
    query = wordpress.parse_query(request, refunds=True)
    first = (query.page - 1) * query.per_page
    headers = wordpress.page_headers(request, site + request.url.path.partition(shop.path)[2], query, len(entries))
    part = entries[first : first + query.per_page]
    return answer([fields(request, entry) for entry in part], site, headers=headers)


def _taxes(request: Request, shop: Shop, site: str) -> Response:
    return _cut(request, shop, site, [wordpress.tax_row(row, f"{site}/wp-json/wc/v3") for row in shop.rows])


def _tax_classes(request: Request, shop: Shop, site: str) -> Response:
    names = {"standard": "Standard rate", "reduced-rate": "Reduced rate", "zero-rate": "Zero rate"}
    links = {"collection": [{"href": f"{site}/wp-json/wc/v3/taxes/classes"}]}
    return _cut(request, shop, site, [{"slug": slug, "name": name, "_links": links} for slug, name in names.items()])


def _gateways(request: Request, _: Shop, site: str) -> Response:
    listed: list[Json] = [{"id": code, "title": title, "enabled": on} for code, title, on in GATEWAYS]
    headers = {"X-WP-Total": str(len(listed)), "X-WP-TotalPages": "1"}
    return answer([fields(request, entry) for entry in listed], site, headers=headers)


def _currency(_: Request, shop: Shop, site: str) -> Response:
    code = shop.config.currency
    return answer({"code": code, "name": code, "symbol": code}, site)


def _totals(_: Request, shop: Shop, site: str) -> Response:
    counts = shop.status_counts()
    return answer([{"slug": slug, "name": n, "total": counts.get(slug, 0)} for slug, n in STATUS_NAMES.items()], site)
