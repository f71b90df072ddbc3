"""What a merchant tells us of his WooCommerce shop, and what WooCommerce's REST API looks like."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from sluis.core.frozen import Frozen
from sluis.core.personal import Credential
from sluis.http.address import is_plain_afar, parsed_address

#: Rows per answer; WooCommerce refuses more (error rest_invalid_param).
PER_PAGE = 100
#: Ids per ``include``; as many as fit one answer.
IDS_PER_CALL = 100

#: The fields we ask for: no IP address, browser, note, order key or telephone number leaves the shop. WordPress (5.3
#: and later, by its source) also takes the fields of an object (``billing.email``), but not those of a list's items:
#: lines come whole, and of them too the mapping keeps only what it names.
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
    "billing.first_name",
    "billing.last_name",
    "billing.company",
    "billing.address_1",
    "billing.address_2",
    "billing.postcode",
    "billing.city",
    "billing.country",
    "billing.email",
    "shipping.country",
    "shipping.postcode",
    "payment_method",
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
    parts = parsed_address(value)
    path = parts.path.split("/wp-json", 1)[0].rstrip("/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


class WooCommerceSettings(Frozen):
    """One WooCommerce shop."""

    allow_plain_http: bool = Field(
        default=False,
        description="true: read a shop on the internet over http:// too; anyone on the way can read its orders",
    )
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

    @field_validator("url")
    @classmethod
    def _encrypted(cls, url: str, info: ValidationInfo) -> str:
        if is_plain_afar(url) and info.data.get("allow_plain_http") is not True:
            raise ValueError(
                "must be https://: names would travel readable; allow_plain_http: true makes that your choice"
            )
        return url

    @cached_property
    def metadata_keys(self) -> frozenset[str]:
        """All metadata keys of an order that are read."""
        return frozenset((*self.vat_number_keys, *self.test_payments, *self.number_keys))

    @property
    def wanted_metadata(self) -> dict[str, str]:
        """The parameter that asks for these keys only; older versions ignore it and send all metadata.

        WordPress takes the list apart at commas and spaces: with such a character in a key all metadata is asked for.
        """
        keys = sorted(self.metadata_keys)
        fits = all(re.fullmatch(r"[^\s,]+", key) for key in keys)
        return {"include_meta": ",".join(keys)} if keys and fits else {}

    @property
    def host(self) -> str:
        """Who is asked: the limiter is shared per host."""
        return urlsplit(self.url).netloc


class WooCommerceCredentials(Frozen):
    """A REST API key of the shop (WooCommerce > Settings > Advanced > REST API); read-only is enough."""

    consumer_key: Credential = Field(description="begins with ck_")
    consumer_secret: Credential = Field(description="begins with cs_")
