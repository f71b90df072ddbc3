"""What a merchant chooses per integration. Stored as JSON with a version; every run reports the version it used."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, StringConstraints

from sluis.core.frozen import Country, Currency, Frozen
from sluis.core.invoice import VatCategory, VatTreatment
from sluis.core.order import LineKind


def _timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone of the IANA database, e.g. Europe/Amsterdam")
    return name


TimeZone = Annotated[str, AfterValidator(_timezone)]
#: ``*`` or a payment method code of the shop.
PaymentMethod = str


def tax_key(treatment: VatTreatment) -> str:
    """Return the key of a VAT treatment in ``Mapping.tax_rates``: category, rate without needless zeros, country."""
    return f"{treatment.category.value} {treatment.rate.normalize():f} {treatment.country}"


_TAX_KEY = re.compile(
    rf"^({'|'.join(category.value for category in VatCategory)}) (0|[1-9]\d?|100)(\.\d*[1-9])? [A-Z]{{2}}$", re.ASCII
)


def _tax_key(key: str) -> str:
    if not _TAX_KEY.fullmatch(key):
        raise ValueError(
            "a tax rate is named '<category> <rate> <country>', the rate without needless zeros, e.g. 'S 21 NL',"
            " 'S 5.5 FR' or 'G 0 NL'; category is one of " + ", ".join(category.value for category in VatCategory)
        )
    return key


TaxKey = Annotated[str, AfterValidator(_tax_key)]


class Mapping(Frozen):
    """Where things stand in the package: its own ids of tax rates and ledger accounts."""

    tax_rates: dict[TaxKey, str] = Field(
        default_factory=dict, description="'<category> <rate> <country>' (e.g. 'S 21 NL') -> the package's tax rate id"
    )
    revenue: dict[LineKind, str] = Field(
        default_factory=dict,
        description="ledger account id per kind of line; 'goods' is the default of the others, except of 'gift_card'",
    )
    rounding: str | None = Field(default=None, description="ledger account id of the rounding line; default: goods")

    def tax_rate(self, treatment: VatTreatment) -> str | None:
        """Return the package's tax rate id; ``None``: ``tax_rates[tax_key(treatment)]`` must be filled."""
        return self.tax_rates.get(tax_key(treatment)) or None

    def ledger_account(self, kind: LineKind | None) -> str | None:
        """Return the ledger account id for a kind of line (``None``: the rounding line).

        A gift card never falls back on 'goods': what is owed to its holder is no revenue (VAT directive art. 30b).
        """
        if kind is LineKind.GIFT_CARD:
            return self.revenue.get(kind) or None
        own = self.rounding if kind is None else self.revenue.get(kind)
        return own or self.revenue.get(LineKind.GOODS) or None


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
