"""How WordPress' REST API reads parameters and writes answers: validation errors, paging headers, settings lists.

Bodies and headers as recorded in shared/recordings/woocommerce-10.0.2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from sluis.sandbox.config import ShopConfig
from sluis.sandbox.orderbook import Json, Query, is_date
from sluis.sandbox.pricing import TaxRow

STATUSES = (
    "any", "trash", "auto-draft", "pending", "processing", "on-hold", "completed", "cancelled", "refunded",
    "failed", "checkout-draft",
)  # fmt: skip
ORDER_BY = ("date", "id", "include", "title", "slug", "modified")
DATES = ("after", "before", "modified_after", "modified_before")
TRUE = frozenset({"true", "1", "True", "TRUE"})


class BadParameter(Exception):
    """A parameter that WordPress refuses with status 400."""

    def __init__(self, name: str, code: str, message: str) -> None:
        super().__init__(name)
        self.name, self.code, self.message = name, code, message

    def body(self) -> Json:
        """Return the recorded form of the refusal."""
        detail = {"code": self.code, "message": self.message, "data": None}
        data = {"status": 400, "params": {self.name: self.message}, "details": {self.name: detail}}
        return {"code": "rest_invalid_param", "message": f"Invalid parameter(s): {self.name}", "data": data}


def error(status: int, code: str, message: str) -> Json:
    """Return an error body of WordPress."""
    return {"code": code, "message": message, "data": {"status": status}}


def answer(body: Any, site: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer. ``body`` may be JSON text already."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    given = {"Link": f'<{site}/wp-json/>; rel="https://api.w.org/"', **(headers or {})}
    return Response(text, status, given, media_type="application/json; charset=UTF-8")


# ------------------------------------------------------------------------------------------------------- parameters


def parse_query(request: Request, *, refunds: bool = False) -> Query:
    """Read and validate the parameters of a list. Raises ``BadParameter``; unknown ones are ignored, as there."""
    given = request.query_params
    statuses = tuple(part for part in given.get("status", "any").split(",") if part)
    if not refunds:
        for index, status in enumerate(statuses):
            _one_of(f"status[{index}]", status, STATUSES, "status")
    for name in DATES:
        if name in given and not is_date(given[name]):
            raise BadParameter(name, "rest_invalid_date", "Invalid date.")
    order, orderby = given.get("order", "desc"), given.get("orderby", "date")
    _one_of("order", order, ("asc", "desc"))
    _one_of("orderby", orderby, ORDER_BY)
    return Query(
        page=_integer(given, "page", 1, least=1),
        per_page=_integer(given, "per_page", 10, least=1, most=100),
        offset=_integer(given, "offset", 0, least=0) if "offset" in given else None,
        order=order,
        orderby=orderby,
        status=statuses,
        include=_ids(given, "include"),
        exclude=_ids(given, "exclude"),
        parents=_ids(given, "parent_id") or _ids(given, "parent"),
        customer=_integer(given, "customer", 0) if "customer" in given else None,
        search=given.get("search", ""),
        dates_are_gmt=given.get("dates_are_gmt", "") in TRUE,
        **{name: given.get(name) for name in DATES},
    )


def _one_of(shown: str, value: str, allowed: Sequence[str], name: str | None = None) -> None:
    if value not in allowed:
        listed = f"{', '.join(allowed[:-1])}, and {allowed[-1]}" if len(allowed) > 2 else " and ".join(allowed)
        raise BadParameter(name or shown, "rest_not_in_enum", f"{shown} is not one of {listed}.")


def _integer(
    given: Mapping[str, str], name: str, default: int, *, least: int | None = None, most: int | None = None
) -> int:
    text = given.get(name, str(default)).strip()
    if not text.lstrip("-").isdigit():
        raise BadParameter(name, "rest_invalid_type", f"{name} is not of type integer.")
    value = int(text)
    if most is not None and least is not None and not least <= value <= most:
        message = f"{name} must be between {least} (inclusive) and {most} (inclusive)"
        raise BadParameter(name, "rest_out_of_bounds", message)
    if least is not None and value < least:
        raise BadParameter(name, "rest_out_of_bounds", f"{name} must be greater than or equal to {least}")
    return value


def _ids(given: Mapping[str, str], name: str) -> tuple[int, ...]:
    texts = [part.strip() for part in given.get(name, "").split(",") if part.strip()]
    for index, text in enumerate(texts):
        if not text.isdigit():
            raise BadParameter(name, "rest_invalid_type", f"{name}[{index}] is not of type integer.")
    return tuple(int(text) for text in texts)


def decimals(request: Request) -> int:
    """Return ``dp``, 2 where it is not given."""
    return _integer(request.query_params, "dp", 2, least=0)


def fields(request: Request, body: Json) -> Json:
    """Keep the fields that ``_fields`` names, also inside objects (``billing.email``), and metadata by its keys.

    As WordPress does: of a list's items no single fields can be had. ``include_meta`` is WooCommerce's, for the
    order's own metadata.
    """
    keys = set(re.split(r"[\s,]+", request.query_params.get("include_meta", ""))) - {""}
    if keys and isinstance(body.get("meta_data"), list):
        body = {**body, "meta_data": [entry for entry in body["meta_data"] if entry["key"] in keys]}
    wanted = [name.strip() for name in request.query_params.get("_fields", "").split(",") if name.strip()]
    return _kept(body, wanted) if wanted else body


def _kept(body: Json, wanted: Sequence[str]) -> Json:
    whole = {name for name in wanted if "." not in name}
    parts: dict[str, list[str]] = {}
    for name in wanted:
        top, _, rest = name.partition(".")
        if rest and top not in whole:
            parts.setdefault(top, []).append(rest)
    kept: Json = {}
    for key, value in body.items():
        if key in whole:
            kept[key] = value
        elif key in parts:
            kept[key] = (
                _kept(value, parts[key]) if isinstance(value, dict) else [] if isinstance(value, list) else value
            )
    return kept


def page_headers(request: Request, address: str, query: Query, total: int) -> dict[str, str]:
    """Return the paging headers. Past the end the shop says that there is nothing at all (recorded)."""
    pages = -(-total // query.per_page)
    if query.page > pages and query.page > 1:
        total = pages = 0
    links = []
    if query.page > 1:
        links.append((min(query.page - 1, pages), "prev"))
    if query.page < pages:
        links.append((query.page + 1, "next"))
    headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(pages)}
    if links:
        headers["Link"] = ", ".join(f'<{_page_address(request, address, page)}>; rel="{rel}"' for page, rel in links)
    return headers


def _page_address(request: Request, address: str, page: int) -> str:
    """The caller's own parameters with another page; ``status=any`` is left out, true reads 1 (recorded)."""
    pairs: dict[str, str] = {}
    for name, value in request.query_params.items():
        if name.startswith("oauth_") or (name, value) == ("status", "any"):
            continue
        pairs[name] = "1" if name == "dates_are_gmt" and value in TRUE else value
    pairs["page"] = str(page)
    return f"{address}?{urlencode(pairs)}"


# ----------------------------------------------------------------------------------------------------- fixed answers


def settings(group: str, config: ShopConfig, api: str) -> list[Json]:
    """Return the settings of a group (``general`` or ``tax``): the ids of the real shop with this shop's values."""
    values = {"general": _general, "tax": _tax}[group](config)
    result = []
    for name, value in values.items():
        own = f"{api}/settings/{group}/woocommerce_{name}"
        links = {
            "self": [{"href": own, "targetHints": {"allow": ["GET", "POST", "PUT", "PATCH"]}}],
            "collection": [{"href": f"{api}/settings/{group}"}],
        }
        label = name.replace("_", " ").capitalize()
        result.append(
            {
                "id": f"woocommerce_{name}",
                "label": label,
                "description": "",
                "type": "text",
                "default": "",
                "tip": label,
                "value": value,
                "_links": links,
            }
        )
    return result


def _general(config: ShopConfig) -> dict[str, str]:
    return {
        "store_address": "Havenkade 1",
        "store_address_2": "",
        "store_city": "Utrecht",
        "default_country": config.country,
        "store_postcode": "3500 AA",
        "allowed_countries": "all",
        "all_except_countries": "",
        "specific_allowed_countries": "",
        "ship_to_countries": "",
        "specific_ship_to_countries": "",
        "default_customer_address": "base",
        "calc_taxes": "yes",
        "enable_coupons": "yes",
        "calc_discounts_sequentially": "no",
        "currency": config.currency,
        "currency_pos": "left",
        "price_thousand_sep": ".",
        "price_decimal_sep": ",",
        "price_num_decimals": "2",
    }


def _tax(config: ShopConfig) -> dict[str, str]:
    return {
        "prices_include_tax": "yes" if config.prices_include_vat else "no",
        "tax_based_on": "shipping",
        "shipping_tax_class": "inherit",
        "tax_round_at_subtotal": "no",
        "tax_classes": "",
        "tax_display_shop": "incl",
        "tax_display_cart": "incl",
        "price_display_suffix": "",
        "tax_total_display": "itemized",
    }


def tax_row(row: TaxRow, api: str) -> Json:
    """Return a row of ``/taxes``."""
    own = {
        "href": f"{api}/taxes/{row.id}",
        "targetHints": {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
    }
    return {
        "id": row.id,
        "country": row.country,
        "state": "",
        "postcode": "",
        "city": "",
        "rate": f"{row.percent:.4f}",
        "name": row.label,
        "priority": 1,
        "compound": False,
        "shipping": True,
        "order": 1,
        "class": row.tax_class,
        "postcodes": [],
        "cities": [],
        "_links": {"self": [own], "collection": [{"href": f"{api}/taxes"}]},
    }
