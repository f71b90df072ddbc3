"""Where things stand in the package: its own ids of tax rates, ledger accounts and clearing accounts."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from sluis.core.frozen import Country, Frozen
from sluis.core.invoice import VatCategory, VatTreatment
from sluis.core.order import LineKind

#: Exemptions whose bookings need a tax rate of their own: margin schemes (second-hand, works of art, antiques).
_OWN_RATE = frozenset({"VATEX-EU-F", "VATEX-EU-I", "VATEX-EU-J"})


def tax_key(treatment: VatTreatment) -> str:
    """Return the key of a VAT treatment in ``Mapping.tax_rates``: category, rate without needless zeros, country.

    Margin goods add their VATEX code, OSS sales from a stock abroad where they leave from (``S 21 NL ex DE``): both
    stand elsewhere in the returns than what else has the same rate.
    """
    key = f"{treatment.category.value} {treatment.rate.normalize():f} {treatment.country}"
    if treatment.dispatched_from:
        return f"{key} ex {treatment.dispatched_from}"
    return f"{key} {treatment.exemption}" if treatment.exemption in _OWN_RATE else key


_TAX_KEY = re.compile(
    rf"^({'|'.join(category.value for category in VatCategory)}) (0|[1-9]\d?|100)(\.\d*[1-9])? [A-Z]{{2}}"
    r"( VATEX-EU-[FIJ]| ex [A-Z]{2})?$",
    re.ASCII,
)


def _tax_key(key: str) -> str:
    if not _TAX_KEY.fullmatch(key):
        raise ValueError(
            "a tax rate is named '<category> <rate> <country>', the rate without needless zeros, e.g. 'S 21 NL',"
            " 'S 5.5 FR' or 'G 0 NL'; category is one of " + ", ".join(category.value for category in VatCategory)
        )
    return key


TaxKey = Annotated[str, AfterValidator(_tax_key)]


class AccountRule(Frozen):
    """An exception to ``Mapping.revenue``: what is left open fits all. The rule with the most conditions wins."""

    account: str = Field(min_length=1)
    kind: LineKind | None = None
    vat_category: VatCategory | None = None
    country: Country | None = Field(default=None, description="whose VAT it is")
    category: str | None = Field(default=None, description="the shop's product class")

    def fits(self, kind: LineKind | None, category: str | None, treatment: VatTreatment | None) -> bool:
        """Whether all conditions hold."""
        return (
            self.kind in (None, kind)
            and self.category in (None, category)
            and (self.vat_category is None or (treatment is not None and treatment.category is self.vat_category))
            and (self.country is None or (treatment is not None and treatment.country == self.country))
        )

    @property
    def weight(self) -> int:
        """How many conditions it names."""
        return sum(c is not None for c in (self.kind, self.vat_category, self.country, self.category))


class Mapping(Frozen):
    """The package's own ids of tax rates and accounts."""

    tax_rates: dict[TaxKey, str] = Field(
        default_factory=dict, description="'<category> <rate> <country>' (e.g. 'S 21 NL') -> the package's tax rate id"
    )
    revenue: dict[LineKind, str] = Field(
        default_factory=dict,
        description="ledger account id per kind of line; 'goods' is the default of the others, except of 'gift_card'"
        " and 'deposit', which are no revenue",
    )
    accounts: tuple[AccountRule, ...] = Field(
        default=(), description="exceptions to 'revenue' by kind, VAT category, country and product class"
    )
    rounding: str | None = Field(default=None, description="ledger account id of the rounding line; default: goods")
    clearing: dict[str, str] = Field(
        default_factory=dict,
        description="account id on which payments come in, per payment method of the shop ('*' for all others)",
    )
    vat_accounts: dict[TaxKey, str] = Field(
        default_factory=dict, description="ledger account id of the VAT itself per tax rate, for journal entries"
    )
    receivable: str | None = Field(
        default=None, description="ledger account id of what customers owe, for journal entries"
    )

    def tax_rate(self, treatment: VatTreatment) -> str | None:
        """Return the package's tax rate id; ``None``: ``tax_rates[tax_key(treatment)]`` must be filled."""
        return self.tax_rates.get(tax_key(treatment)) or None

    def ledger_account(
        self, kind: LineKind | None, category: str | None = None, treatment: VatTreatment | None = None
    ) -> str | None:
        """Return the ledger account id for a line (kind ``None``: rounding); ``None``: it must be filled.

        A gift card or a deposit never falls back on 'goods': what is owed to its holder is no revenue (VAT directive
        art. 30b).
        """
        fitting = [rule for rule in self.accounts if kind is not None and rule.fits(kind, category, treatment)]
        best = max(fitting, key=lambda rule: rule.weight, default=None)
        own = self.rounding if kind is None else self.revenue.get(kind)
        if best is not None and (best.kind is not None or kind not in OWED):
            return best.account
        if kind in OWED:
            return own or None
        return own or self.revenue.get(LineKind.GOODS) or None

    def clearing_account(self, method: str, *, gift_card: bool = False) -> str | None:
        """Return the account on which a payment stands: of its method, for a used gift card the liability's."""
        if gift_card:
            return self.clearing.get("gift_card") or self.revenue.get(LineKind.GIFT_CARD) or None
        return self.clearing.get(method) or self.clearing.get("*") or None


#: Kinds of line that are owed to somebody, never revenue.
OWED = frozenset({LineKind.GIFT_CARD, LineKind.DEPOSIT})
