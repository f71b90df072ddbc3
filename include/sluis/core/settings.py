"""What a merchant chooses per integration. Stored as JSON with a version; every run reports the version it used."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, StringConstraints

from sluis.core.frozen import Country, Currency, Frozen
from sluis.core.mapping import Mapping, tax_key


def _timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone of the IANA database, e.g. Europe/Amsterdam")
    return name


TimeZone = Annotated[str, AfterValidator(_timezone)]
#: ``*`` or a payment method code of the shop.
PaymentMethod = str

Supply = Literal["goods", "services", "electronic"]

__all__ = ["IntegrationSettings", "Mapping", "Supply", "tax_key"]


class IntegrationSettings(Frozen):
    """The bookkeeping choices of one integration (one shop tied to one administration)."""

    start_date: date = Field(description="documents dated earlier (shop's local date) are never booked")
    timezone: TimeZone = Field(default="Europe/Amsterdam", description="the shop's time zone: it makes the dates")
    home_country: Country = Field(default="NL", description="where the merchant is established and sells from")
    currency: Currency = Field(default="EUR", description="currency of the books")
    interval_minutes: int = Field(default=60, ge=5, le=1440, description="how often the shop is read")
    overlap_minutes: int = Field(default=10, ge=1, le=1440, description="how far a window reaches back")
    trigger_statuses: dict[PaymentMethod, tuple[str, ...]] = Field(
        default_factory=lambda: {"*": ("processing", "completed"), "cod": ("completed",)},
        description="statuses that make an order bookable, per payment method ('*' for all others)",
    )
    require_paid: dict[PaymentMethod, bool] = Field(
        default_factory=lambda: {"*": False},
        description="whether an order must carry a payment date to be booked, per payment method ('*' for all others)",
    )
    document_date: Literal["paid", "order", "completed"] = Field(
        default="paid", description="which date the invoice gets; 'paid' falls back to the order's date when unpaid"
    )
    reference_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]{0,12}$")] = Field(
        default="", description="stands before the order number in the books, so that two shops cannot collide"
    )
    vat_scheme: Literal["regular", "kor"] = Field(
        default="regular", description="'kor': small business exemption (Wet OB art. 25), no VAT is charged"
    )
    eu_consumers: Literal["home_vat", "oss"] = Field(
        default="oss",
        description="'home_vat': under the EUR 10,000 threshold (VAT directive art. 59c); 'oss': destination VAT",
    )
    oss_from: date | None = Field(
        default=None,
        description="with eu_consumers 'home_vat': from this day on destination VAT is due (the threshold was crossed)",
    )
    registrations: tuple[Country, ...] = Field(
        default=(), description="other countries where the merchant has a VAT registration of his own: no OSS there"
    )
    ships_from: Country | None = Field(
        default=None, description="where the goods leave from, where that is not the home country (a stock abroad)"
    )
    kor_until: date | None = Field(
        default=None, description="with vat_scheme 'kor': the last day of the exemption (the threshold was crossed)"
    )
    eu_kor: tuple[Country, ...] = Field(
        default=(), description="other member states whose small business exemption covers sales there (EU-KOR)"
    )
    supplies: Supply = Field(default="goods", description="what the shop sells: order lines do not say")
    supplies_by_category: dict[str, Supply] = Field(
        default_factory=dict, description="exceptions to 'supplies', per product class of the shop"
    )
    margin_categories: dict[str, Literal["F", "I", "J"]] = Field(
        default_factory=dict,
        description="product classes sold under the margin scheme: F second-hand, I works of art, J antiques",
    )
    reverse_charge_categories: tuple[str, ...] = Field(
        default=(), description="product classes under domestic reverse charge (Wet OB art. 12(5))"
    )
    zero_rate_categories: tuple[str, ...] = Field(
        default=(), description="product classes that the destination taxes at 0 %, e.g. books in Ireland"
    )
    gift_cards: Literal["multi_purpose", "single_purpose"] = Field(
        default="multi_purpose", description="'single_purpose': a voucher whose VAT is known when it is sold"
    )
    vat_number: str = Field(default="", max_length=20, description="the merchant's own VAT number, named to VIES")
    vat_number_check: Literal["vies", "off"] = Field(
        default="vies", description="whether numbers of EU business buyers are looked up before VAT is left out"
    )
    vat_number_unverified: Literal["wait", "quarantine", "book"] = Field(
        default="wait", description="what to do while the register does not answer"
    )
    foreign_currency: Literal["convert", "quarantine"] = Field(
        default="convert", description="'convert': orders in another currency are booked at the ECB's reference rate"
    )
    amount_refunds: Literal["pro_rata", "highest_rate", "lowest_rate", "quarantine"] = Field(
        default="pro_rata", description="which VAT a refund without lines takes back"
    )
    earlier_refunds: Literal["book", "quarantine"] = Field(
        default="book",
        description="refunds of orders that were sold before the start date, or too long ago to be booked by sluis",
    )
    changed_orders: Literal["correct", "quarantine"] = Field(
        default="correct", description="an order changed after it was booked: credit note and new invoice, or a person"
    )
    cancelled_orders: Literal["credit", "quarantine"] = Field(
        default="credit", description="an order cancelled or binned after it was booked: credit note, or a person"
    )
    booking_mode: Literal["invoice", "journal_entry", "daily"] = Field(
        default="invoice",
        description="one invoice per order, one journal entry per order, or one journal entry per day",
    )
    debtor_mode: Literal["per_customer", "collective_consumers"] = Field(
        default="per_customer", description="'collective_consumers': one debtor for all consumers"
    )
    register_payments: bool = Field(
        default=True,
        description="whether a paid order is registered as paid, on the account of mapping.clearing; without effect in"
        " booking_mode 'daily', whose entry balances on the clearing accounts",
    )
    books_closed_until: date | None = Field(default=None, description="last day of the books that is closed or filed")
    closed_period: Literal["quarantine", "first_open_day"] = Field(
        default="quarantine", description="what to do with a document dated in a closed period"
    )
    untaxed_lines: Literal["quarantine", "exempt"] = Field(
        default="quarantine",
        description="'exempt': domestic lines without a VAT row are exempt supplies (Wet OB art. 11)",
    )
    filter_countries: tuple[Country, ...] = Field(
        default=(), description="only orders delivered there; empty: all. Other orders belong to another integration"
    )
    filter_currencies: tuple[Currency, ...] = Field(default=(), description="only these currencies; empty: all")
    debtors_before_start: bool = Field(
        default=False, description="the administration had contacts of its own before go-live: match before creating"
    )
    mapping: Mapping = Mapping()
    shop: dict[str, Any] = Field(default_factory=dict, description="the shop connector's own settings")
    package: dict[str, Any] = Field(default_factory=dict, description="the package connector's own settings")

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.timezone)
