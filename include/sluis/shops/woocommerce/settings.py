"""What a merchant tells us of his WooCommerce shop, and what WooCommerce's REST API looks like."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from sluis.core.frozen import Frozen
from sluis.core.personal import Personal

#: Rows per answer; WooCommerce refuses more (error rest_invalid_param).
PER_PAGE = 100
#: Ids per ``include``; as many as fit one answer.
IDS_PER_CALL = 100

#: The fields we ask for, and so the only ones that leave the shop: no IP address, browser, note or order key.
ORDER_FIELDS = (
    "id",
    "number",
    "status",
    "currency",
    "prices_include_tax",
    "date_created_gmt",
    "date_modified_gmt",
    "date_paid_gmt",
    "date_completed_gmt",
    "total",
    "total_tax",
    "customer_id",
    "billing",
    "shipping",
    "payment_method",
    "created_via",
    "meta_data",
    "line_items",
    "shipping_lines",
    "fee_lines",
    "tax_lines",
    "refunds",
)
REFUND_FIELDS = (
    "id",
    "parent_id",
    "date_created_gmt",
    "amount",
    "line_items",
    "shipping_lines",
    "fee_lines",
    "tax_lines",
)

#: Where plugins keep the buyer's VAT number, first found wins. Seen in recordings of a shop (2 to 6) and in the manual
#: of a peer (1 to 3: docs.extensiontree.com/woocommerce-moneybird/faqs); the last one is from memory.
VAT_NUMBER_KEYS = (
    "_vat_number",
    "vat_number",
    "_billing_vat_number",
    "billing_vat_number",
    "_billing_eu_vat_number",
    "billing_eu_vat_number",
    "_billing_vat",
)

#: How a payment plugin marks an order that was paid in its test mode: metadata key -> values. Read in the plugins'
#: public source in November 2026, not tried against a running plugin.
TEST_PAYMENTS: dict[str, tuple[str, ...]] = {
    "_mollie_payment_mode": ("test",),  # Mollie Payments for WooCommerce
    "_wcpay_mode": ("test",),  # WooPayments
    "_ppcp_paypal_payment_mode": ("sandbox",),  # PayPal Payments
    "_wc_stripe_mode": ("test",),  # Payment Plugins for Stripe; WooCommerce's own Stripe plugin leaves no mark we know
    "_buckaroo_order_in_test_mode": ("1",),  # Buckaroo
}


def _address(value: str) -> str:
    """Return the shop's base address without a trailing slash or ``/wp-json...``."""
    parts = urlsplit(value.strip())
    if parts.scheme not in {"http", "https"}:
        raise ValueError("must begin with https:// (or http://)")
    if not parts.hostname or parts.username or parts.password:
        raise ValueError("must name a host, and no user or password")
    if parts.query or parts.fragment:
        raise ValueError("must be the shop's front page, without ? or #")
    try:
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        raise ValueError("has a port that is no number") from None
    path = parts.path.split("/wp-json", 1)[0].rstrip("/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


class WooCommerceSettings(Frozen):
    """One WooCommerce shop."""

    url: Annotated[str, AfterValidator(_address)] = Field(description="address of the shop's front page, with https://")
    vat_number_keys: tuple[str, ...] = Field(
        default=VAT_NUMBER_KEYS, description="order metadata keys that may hold the buyer's VAT number, in this order"
    )
    test_payments: dict[str, tuple[str, ...]] = Field(
        default=TEST_PAYMENTS, description="order metadata key -> values that mark a payment in a gateway's test mode"
    )
    number_keys: tuple[str, ...] = Field(
        default=(),
        description="order metadata keys that hold the number an invoice plugin gave; none: the shop's order number",
    )
    gift_card_skus: tuple[str, ...] = Field(
        default=(), description="article codes (SKU) of gift cards that are sold: their lines are a liability, no sale"
    )

    @cached_property
    def metadata_keys(self) -> frozenset[str]:
        """All metadata keys of an order that are read."""
        return frozenset((*self.vat_number_keys, *self.test_payments, *self.number_keys))

    @property
    def host(self) -> str:
        """Who is asked: the limiter is shared per host."""
        return urlsplit(self.url).netloc


class WooCommerceCredentials(Frozen):
    """A REST API key of the shop (WooCommerce > Settings > Advanced > REST API); read-only is enough."""

    consumer_key: Personal = Field(description="begins with ck_")
    consumer_secret: Personal = Field(description="begins with cs_")
