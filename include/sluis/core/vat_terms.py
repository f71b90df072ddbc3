"""The words of the decision table: conditions with the text an accountant reads, and the kinds of outcome.

``docs/reference/vat.md`` prints the texts of the same objects that decide, so that page and decision cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sluis.core import rates
from sluis.core.invoice import VatCategory, VatScheme, VatTreatment
from sluis.core.order import LineKind
from sluis.core.territory import MEMBERS
from sluis.core.vat_facts import Case

#: Under which heading of the table a condition stands.
Column = Literal["seller", "sold", "buyer", "where", "charged"]


@dataclass(frozen=True)
class Condition:
    """One word of the table: what an accountant reads, and how it is judged."""

    column: Column
    text: str
    holds: Callable[[Case], bool]


@dataclass(frozen=True)
class Refusal:
    """The outcome of a row that needs a person. ``field`` ``None``: the line's own VAT."""

    code: str
    field: str | None = None


@dataclass(frozen=True)
class Booked:
    """The outcome of a row that books: how the treatment is made, and where it stands in the Dutch return.

    ``category`` ``None``: S at the rate charged, Z where that is 0 %. ``whose``: whose VAT it is. ``scheme`` ``None``:
    as the country says (home return, one stop shop, or a registration of his own). The one stop shop's return tells
    goods and services apart (VD art. 369g), so the treatment does there; elsewhere only where ``services`` says so.
    """

    category: VatCategory | None
    whose: Literal["home", "base", "due", "destination"]
    box: str  #: where a Dutch merchant declares it
    scheme: VatScheme | None = None
    exemption: str | None = None
    reason: str = ""  #: BT-120 of category E
    services: bool = False

    def treatment(self, case: Case) -> VatTreatment:
        """Return the VAT treatment of a line this outcome is for."""
        rate = (case.charge.rate or Decimal(0)) if self.category is None else Decimal(0)
        charged = VatCategory.STANDARD if rate else VatCategory.ZERO
        country = {
            "home": case.facts.home,
            "base": case.base,
            "due": case.due,
            "destination": case.destination,
        }[self.whose]
        scheme = self.scheme or case.scheme
        return VatTreatment(
            category=self.category or charged,
            rate=rates.tidy(rate),
            country=country,
            scheme=scheme,
            exemption=self.exemption,
            services=self.services or (scheme is VatScheme.OSS and case.services),
            dispatched_from=_dispatched_from(case, scheme),
        )


def _dispatched_from(case: Case, scheme: VatScheme) -> str:
    stock_abroad = scheme is VatScheme.OSS and not case.services and case.facts.origin != case.facts.home
    return case.facts.origin if stock_abroad else ""


@dataclass(frozen=True)
class Rule:
    """A row of the table: its id (stands in the log), the law, when it fits, and what it makes of the line."""

    id: str
    cases: str  #: numbers of the cases in the list of EU webshop VAT it belongs to
    law: str
    when: tuple[Condition, ...]
    outcome: Booked | Refusal
    warning: str | None = None

    def fits(self, case: Case) -> bool:
        """Whether every condition holds."""
        return all(condition.holds(case) for condition in self.when)


#: VAT of the country the supply is made from, as charged.
SELLER_RATE = Booked(None, "base", "1a (high), 1b (low), 1e (0 %); abroad: the local return")


def _kor(case: Case) -> bool:
    """The exemption covers what is supplied at home: not what owes another country's VAT, nor what is outside scope.

    Goods to a business elsewhere are covered: an exempt seller has no intra-Community supply (VD art. 139(1)).
    """
    if not case.facts.kor or case.base != case.facts.home or case.destination_due:
        return False
    if not case.services or case.domestic:
        return True
    if case.across:
        return not case.number_elsewhere
    return case.item.supply == "services" and not case.facts.business


# ---------------------------------------------------------------------------------------------------------- seller
FOREIGN_CURRENCY = Condition("seller", "does not convert foreign money", lambda c: c.facts.foreign_currency)
NOT_IN_EU = Condition("seller", "is established outside the EU", lambda c: c.facts.home not in MEMBERS)
STOCK_OUTSIDE = Condition(
    "seller", "sends from a stock outside the EU", lambda c: not c.services and c.base not in {*MEMBERS, "XI"}
)
UNREGISTERED_STOCK = Condition(
    "seller",
    "sends from a stock in another country, has no registration there",
    lambda c: c.base not in {c.facts.home, *c.facts.registrations, *c.facts.eu_kor},
)
MARKETPLACE = Condition("seller", "sells over a marketplace that owes the VAT", lambda c: c.facts.marketplace)
KOR = Condition("seller", "is exempt at home (KOR), and the place of supply is home", _kor)
EU_KOR = Condition("seller", "is exempt where the VAT is due (EU-KOR)", lambda c: c.due in c.facts.eu_kor)
EXEMPT_LINES = Condition(
    "seller", "says that lines without VAT are exempt (untaxed_lines)", lambda c: c.facts.untaxed_exempt
)
FROM_ABROAD = Condition("seller", "sends from a stock in another member state", lambda c: c.base != c.facts.home)
REGISTERED_THERE = Condition(
    "seller", "has a VAT registration at the destination", lambda c: c.destination in c.facts.registrations
)
NO_SCHEME = Condition(
    "seller",
    "has neither one stop shop nor a registration there",
    lambda c: not c.facts.oss and c.due not in {c.facts.home, *c.facts.registrations},
)

# ------------------------------------------------------------------------------------------------------------ sold
VOUCHER = Condition(
    "sold",
    "a gift card (multi-purpose)",
    lambda c: c.charge.kind is LineKind.GIFT_CARD and c.facts.multi_purpose,
)
GOODS = Condition("sold", "goods", lambda c: not c.services)
SERVICES = Condition("sold", "services of any kind", lambda c: c.services)
ELECTRONIC = Condition("sold", "electronic services", lambda c: c.item.supply == "electronic")
GENERAL = Condition("sold", "services, not electronic", lambda c: c.item.supply == "services")
TIP = Condition("sold", "a tip", lambda c: c.charge.kind is LineKind.TIP)
DEPOSIT = Condition("sold", "a deposit on packaging", lambda c: c.charge.kind is LineKind.DEPOSIT)
MARGIN = Condition("sold", "goods under the margin scheme", lambda c: bool(c.item.margin))
SECOND_HAND = Condition("sold", "second-hand goods (margin)", lambda c: c.item.margin == "F")
ART = Condition("sold", "works of art (margin)", lambda c: c.item.margin == "I")
ANTIQUES = Condition("sold", "antiques (margin)", lambda c: c.item.margin == "J")
ZERO_RATED = Condition(
    "sold", "a class that its destination taxes at 0 % (zero_rate_categories)", lambda c: c.item.zero_rate
)
REVERSED = Condition("sold", "what domestic reverse charge is for", lambda c: c.item.reverse_charge)

# ----------------------------------------------------------------------------------------------------------- buyer
NUMBER_ELSEWHERE = Condition("buyer", "valid VAT number of another member state (or XI)", lambda c: c.number_elsewhere)
NUMBER_HOME = Condition(
    "buyer",
    "valid VAT number of the seller's country",
    lambda c: c.number_valid and c.facts.number_country == c.base,
)
NUMBER_INVALID = Condition("buyer", "VAT number that is not valid", lambda c: c.facts.number == "invalid")
BUSINESS = Condition("buyer", "gave a company name or a number", lambda c: c.facts.business)
NO_RIGHT_NUMBER = Condition("buyer", "no valid VAT number of another member state", lambda c: not c.number_elsewhere)

# ----------------------------------------------------------------------------------------------------------- where
NOWHERE = Condition("where", "country empty or unknown", lambda c: c.facts.place is None)
DOMESTIC = Condition("where", "stays in the country", lambda c: c.domestic)
ACROSS = Condition("where", "to another member state (goods: or Northern Ireland)", lambda c: c.across)
INSIDE = Condition("where", "stays in the EU", lambda c: c.inside)
OUTSIDE = Condition("where", "out of the EU's VAT territory", lambda c: not c.inside)
DESTINATION_DUE = Condition(
    "where", "to a consumer elsewhere in the EU, VAT of the destination due", lambda c: c.destination_due
)
HOME_DUE = Condition(
    "where", "to another member state, VAT of the seller's country due", lambda c: c.across and not c.destination_due
)

# --------------------------------------------------------------------------------------------------------- charged
COMPOUND = Condition("charged", "a tax counted on another tax", lambda c: c.facts.compound)
UNTAXED = Condition("charged", "no VAT", lambda c: c.charge.untaxed)
CHARGED = Condition("charged", "VAT", lambda c: not c.charge.untaxed)
NO_ROW = Condition("charged", "no VAT row", lambda c: c.charge.rate is None)
NOTHING = Condition("charged", "no VAT on an amount of nothing", lambda c: c.charge.untaxed and not c.charge.net)
BASE_RATE = Condition("charged", "a rate of the seller's country", lambda c: c.rate_of(c.base))
SOMETHING = Condition("charged", "on an amount", lambda c: bool(c.charge.net))
BASE_RATE_OR_NOTHING = Condition(
    "charged",
    "a rate of the seller's country, or no row on an amount of nothing",
    lambda c: c.charge.rate is None or c.rate_of(c.base),
)
BASE_RATE_ONLY = Condition(
    "charged",
    "VAT of the seller's country, not also a rate of the destination",
    lambda c: not c.charge.untaxed and c.rate_of(c.base) and not (c.facts.oss and c.rate_of(c.destination)),
)
DUE_RATE = Condition("charged", "a rate of that very place", lambda c: not c.charge.untaxed and c.rate_of(c.due))
DUE_ZERO = Condition("charged", "0 %, a rate of that country", lambda c: c.charge.rate == 0 and c.rate_of(c.due))
MAINLAND_RATE = Condition(
    "charged",
    "a rate of the mainland, in a region with lower ones",
    lambda c: not c.charge.untaxed and c.rate_of(c.due, special=False),
)
DESTINATION_RATE = Condition(
    "charged", "a rate of the destination", lambda c: not c.charge.untaxed and c.rate_of(c.destination)
)
