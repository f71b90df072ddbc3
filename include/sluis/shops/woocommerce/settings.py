"""What a merchant tells us of his WooCommerce shop, and what WooCommerce's REST API looks like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from sluis.core.frozen import Frozen
from sluis.core.personal import Credential
from sluis.http.address import is_plain_afar, parsed_address

T = TypeVar("T")
#: What an order's fee may be called to be; ``rounding`` is cash rounding, which no VAT law knows.
FeeKind = Literal["fee", "tip", "deposit", "gift_card", "rounding"]
#: What an article may be.
SkuKind = Literal["goods", "fee", "tip", "deposit", "gift_card"]

#: WooCommerce leaves the standard tax class empty.
STANDARD_CLASS = "standard"
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
    "transaction_id",
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
    "refunded_payment",
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

#: Order fields in which a gift card plugin lists the cards that were used, each with its ``amount``; the plugin took
#: them off the order's total. Read in the plugins' public source in November 2026, not tried against a running plugin.
GIFT_CARD_FIELDS = (
    "pw_gift_cards_redeemed",  # PW WooCommerce Gift Cards Pro: pw-gift-cards.php, register_rest_field
    "gift_cards",  # WooCommerce Gift Cards: WC_GC_REST_API_Order_Controller
)
#: Order metadata that holds what was used, as an amount or as amounts by card; source as above.
GIFT_CARD_KEYS = (
    "_ywgc_applied_gift_cards_totals",  # YITH WooCommerce Gift Cards: YITH_YWGC_Cart_Checkout
    "smart_coupons_contribution",  # Smart Coupons (store credit): read in the source of plugins beside it
)
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")


def _field_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_FIELD.fullmatch(name) for name in names):
        raise ValueError("a field's name is letters, digits and _, e.g. gift_cards")
    return names


def _patterns(table: dict[str, T]) -> dict[str, T]:
    if any(not key.rstrip("*").strip() or "*" in key[:-1] for key in table):
        raise ValueError("a key is the whole text, or its beginning with * behind it, e.g. 'BOOK-*'")
    return table


def matching(table: Mapping[str, T], text: str) -> T | None:
    """Return the entry for a text: the one that equals it, else the longest ``beginning*``; capitals do not count."""
    wanted = text.strip().casefold()
    found: tuple[int, T] | None = None
    for key, value in table.items():
        own = key.casefold()
        if own == wanted:
            return value
        if own.endswith("*") and wanted.startswith(own[:-1]) and (found is None or len(own) > found[0]):
            found = (len(own), value)
    return found[1] if found else None


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
    sku_kinds: Annotated[dict[str, SkuKind], AfterValidator(_patterns)] = Field(
        default_factory=dict,
        description="article code, or its beginning with *, -> what its lines are: goods, fee, tip, deposit, gift_card",
    )
    fee_kinds: Annotated[dict[str, FeeKind], AfterValidator(_patterns)] = Field(
        default_factory=dict,
        description="name of a fee, or its beginning with *, -> fee, tip, deposit, gift_card, rounding (cash rounding)",
    )
    category_by_sku: Annotated[dict[str, str], AfterValidator(_patterns)] = Field(
        default_factory=dict,
        description="article code, or its beginning with *, -> product class; else the class is the line's tax class",
    )
    gift_card_fields: Annotated[tuple[str, ...], AfterValidator(_field_names)] = Field(
        default=GIFT_CARD_FIELDS, description="order fields that list used gift cards, each with its amount"
    )
    gift_card_keys: tuple[str, ...] = Field(
        default=GIFT_CARD_KEYS, description="order metadata keys that hold what was paid with gift cards"
    )
    refunds_paid_back: tuple[str, ...] = Field(
        default=(),
        description="payment methods ('*': all) whose refunds are paid back though the shop does not mark them so",
    )
    marketplace_orders: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="order metadata key -> values ('*': any) that mark a sale whose VAT the marketplace owes",
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
        keys = (*self.vat_number_keys, *self.test_payments, *self.number_keys)
        return frozenset((*keys, *self.gift_card_keys, *self.marketplace_orders))

    @property
    def order_fields(self) -> tuple[str, ...]:
        """All fields of an order that are asked for; WordPress ignores those that a shop does not have."""
        return tuple(dict.fromkeys((*ORDER_FIELDS, *self.gift_card_fields)))

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
