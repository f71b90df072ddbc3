"""``integration check`` for WooCommerce: who the shop is, what it charges, and what is odd about it.

A read-only key of a shop manager may read everything here; where a key may read orders only, what is missing becomes
a warning and the newest order speaks for the settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sluis.errors import NotAShop
from sluis.ports import ShopFacts
from sluis.shops.reading import Reader, WrongField, plain_text
from sluis.shops.woocommerce.client import Row, WooCommerceClient
from sluis.shops.woocommerce.settings import PER_PAGE, STANDARD_CLASS, WooCommerceSettings

_NOT_ALLOWED = (401, 403)
_NAMESPACE = "wc/v3"


def shop_facts(client: WooCommerceClient, settings: WooCommerceSettings) -> ShopFacts:
    """Ask the shop. Raises as the client does; ``NotAShop`` where WordPress runs without WooCommerce."""
    site = _object(client.site().body, "/wp-json/")
    if not _is_woocommerce(site):
        raise NotAShop(
            "WooCommerce: WordPress answers, but without WooCommerce's API (wc/v3): is the plugin active?",
            code="no_woocommerce",
        )
    newest, orders = _newest_order(client)
    general, tax = _setting_values(client, "general"), _setting_values(client, "tax")
    rates, methods = _tax_rates(client), _payment_methods(client)
    return ShopFacts(
        version=newest.text("version", "") or "unknown",
        currency=(general or {}).get("woocommerce_currency") or newest.text("currency", ""),
        timezone=_timezone(site),
        prices_include_vat=_prices_include_vat(tax, newest),
        orders=orders,
        tax_rates=rates or (),
        payment_methods=methods or (),
        statuses=_statuses(client),
        categories=_categories(client, settings),
        traits=_traits(settings),
        warnings=tuple(
            code
            for code, holds in (
                ("plain_http", settings.url.startswith("http://")),
                ("no_orders_yet", orders == 0),
                ("settings_not_readable", general is None or tax is None),
                ("taxes_not_readable", rates is None),
                ("payment_methods_not_readable", methods is None),
                ("rounds_at_subtotal", (tax or {}).get("woocommerce_tax_round_at_subtotal") == "yes"),
                ("timezone_is_an_offset", not site.text("timezone_string", "")),
                ("no_refund_list", not client.has_refund_list()),
            )
            if holds
        ),
    )


def _object(body: Any, where: str) -> Reader:
    try:
        return Reader(body)
    except WrongField:
        raise NotAShop(f"WooCommerce: GET {where}: the answer is not WordPress's", code="not_the_api") from None


def _is_woocommerce(site: Reader) -> bool:
    """Whether the index names WooCommerce's API; an index that names nothing (a security plugin) is given a chance."""
    names = site.value("namespaces") if site.has("namespaces") else None
    return not isinstance(names, list) or _NAMESPACE in names


def _newest_order(client: WooCommerceClient) -> tuple[Reader, int]:
    fields = "id,version,currency,prices_include_tax"
    query = {"per_page": 1, "status": "any", "_fields": fields, "orderby": "id", "order": "desc"}
    rows, total = client.rows("orders", query)
    return Reader(rows[0] if rows else {}), total


def _setting_values(client: WooCommerceClient, group: str) -> dict[str, str] | None:
    answer = client.get(f"settings/{group}", accept=_NOT_ALLOWED)
    if answer.status in _NOT_ALLOWED or not isinstance(answer.body, list):
        return None
    values = {}
    for entry in answer.body:
        if isinstance(entry, dict) and isinstance(entry.get("value"), str):
            values[str(entry.get("id"))] = entry["value"]
    return values


def _prices_include_vat(tax: dict[str, str] | None, newest: Reader) -> bool:
    if tax is not None and "woocommerce_prices_include_tax" in tax:
        return tax["woocommerce_prices_include_tax"] == "yes"
    return newest.flag("prices_include_tax", default=True)


def _timezone(site: Reader) -> str:
    """Return the shop's zone; WordPress may also stand at a bare offset, which knows no summer time."""
    name = site.text("timezone_string", "")
    if name:
        return name
    offset = site.number("gmt_offset") if site.has("gmt_offset") else Decimal(0)
    return f"UTC{offset.normalize():+f}"


def _tax_rates(client: WooCommerceClient) -> tuple[tuple[str, str, str], ...] | None:
    found: dict[str, tuple[str, str, str]] = {}
    page, total = 1, 1
    while (page - 1) * PER_PAGE < total:
        answer = client.get("taxes", {"per_page": PER_PAGE, "page": page}, accept=_NOT_ALLOWED)
        if answer.status in _NOT_ALLOWED or not isinstance(answer.body, list):
            return None
        total = answer.number("X-WP-Total") or 0
        found.update(_rates_of(answer.body))
        page += 1
    return tuple(sorted(set(found.values())))


def _rates_of(rows: list[Row]) -> Iterator[tuple[str, tuple[str, str, str]]]:
    for row in map(Reader, rows):
        percent = f"{row.number('rate').normalize():f}"
        yield row.identifier("id"), (row.text("country", ""), percent, plain_text(row.text("name", "")))


def _payment_methods(client: WooCommerceClient) -> tuple[str, ...] | None:
    answer = client.get("payment_gateways", {"_fields": "id,enabled"}, accept=_NOT_ALLOWED)
    if answer.status in _NOT_ALLOWED or not isinstance(answer.body, list):
        return None
    rows = (row for row in answer.body if isinstance(row, dict))
    return tuple(sorted(str(row["id"]) for row in rows if row.get("enabled") is True))


def _categories(client: WooCommerceClient, settings: WooCommerceSettings) -> tuple[str, ...]:
    """Return the classes that lines may carry: tax classes, and those that the settings name by article code."""
    answer = client.get("taxes/classes", accept=(*_NOT_ALLOWED, 404))
    if answer.status != 200 or not isinstance(answer.body, list):
        return ()
    slugs = {str(row["slug"]) for row in answer.body if isinstance(row, dict) and "slug" in row}
    return tuple(sorted(slugs | {STANDARD_CLASS} | set(settings.category_by_sku.values())))


def _traits(settings: WooCommerceSettings) -> tuple[str, ...]:
    named: set[str] = {*settings.sku_kinds.values(), *settings.fee_kinds.values()}
    named |= {"gift_card"} if settings.gift_card_skus else set()
    named |= {"marketplace"} if settings.marketplace_orders else set()
    return tuple(sorted(named - {"goods", "fee"}))


def _statuses(client: WooCommerceClient) -> tuple[str, ...]:
    """Return the statuses an order can have; older versions have no such list."""
    answer = client.get("orders/statuses", accept=(*_NOT_ALLOWED, 404))
    if answer.status != 200 or not isinstance(answer.body, list):
        return ()
    return tuple(str(row["slug"]) for row in answer.body if isinstance(row, dict) and "slug" in row)
