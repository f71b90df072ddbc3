"""The VAT decision: one table, read from top to bottom for each line of a document; the first row that fits decides.

Nothing is recomputed: the decision says under which category, rate and country the amounts belong that the shop
charged, or why a person has to look. Every case of EU webshop VAT comes here: one that is not supported yet has a row
that sends it to quarantine under its own code, and supporting it means replacing that row's outcome.

Postcode and VAT number are personal; :func:`facts` is the one place that opens them, and keeps only what they tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from stdnum.eu import vat as eu_vat

from sluis.core import rates, reasons, territory
from sluis.core.invoice import VatCategory, VatTreatment
from sluis.core.order import LineKind, Order
from sluis.core.settings import IntegrationSettings
from sluis.errors import Refused

NumberState = Literal["none", "valid", "invalid"]


@dataclass(frozen=True)
class Facts:
    """What the decision rests on; nothing in it identifies a person."""

    home: str
    destination: str | None  #: ``None``: the shop's country is empty or no country
    special_territory: bool
    vat_number: NumberState  #: by format and check digits; nobody was asked
    on: date  #: the day whose rates count
    foreign_currency: bool
    compound: bool
    kor: bool
    eu_home_vat: bool
    untaxed_exempt: bool

    @property
    def domestic(self) -> bool:
        """Delivered where the merchant is established."""
        return self.destination == self.home

    @property
    def elsewhere_in_eu(self) -> bool:
        """Delivered to another member state."""
        return self.destination in territory.EU and not self.domestic

    @property
    def outside_eu(self) -> bool:
        """Delivered outside the EU."""
        return self.destination not in territory.EU and not self.domestic


@dataclass(frozen=True)
class Charge:
    """What the shop charged on one line, or on the part of a line under one rate."""

    kind: LineKind
    net: Decimal
    rate: Decimal | None  #: percent; ``None``: the shop had no VAT row
    field: str  #: where it stands, e.g. ``lines[2].vat``

    @property
    def untaxed(self) -> bool:
        """No VAT was charged: no row, or one of 0 %."""
        return not self.rate


@dataclass(frozen=True)
class Refusal:
    """The outcome of a row that needs a person. ``field`` ``None``: the line's own VAT."""

    code: str
    field: str | None = None


@dataclass(frozen=True)
class Case:
    """One line of a document with what is known of the document: what a row of the table looks at."""

    facts: Facts
    charge: Charge


Treat = Callable[[Case], VatTreatment]


@dataclass(frozen=True)
class Rule:
    """A row of the table: its id (in logs), the law it stands on, when it fits, and what it makes of the line."""

    id: str
    law: str
    when: Callable[[Case], bool]
    outcome: Treat | Refusal
    warning: str | None = None


def _standard(case: Case) -> VatTreatment:
    """S at the home rate charged, or Z where that is 0 %."""
    rate = case.charge.rate or Decimal(0)
    category = VatCategory.STANDARD if rate else VatCategory.ZERO
    return VatTreatment(category=category, rate=rates.tidy(rate), country=case.facts.home)


def _exempt(case: Case) -> VatTreatment:
    """E: no VAT on the document at all, in the merchant's own country."""
    return VatTreatment(category=VatCategory.EXEMPT, rate=Decimal(0), country=case.facts.home)


def _export(case: Case) -> VatTreatment:
    """G: 0 % because the goods leave the EU; the country is the seller's."""
    return VatTreatment(category=VatCategory.EXPORT, rate=Decimal(0), country=case.facts.home)


def _home_rate(case: Case) -> bool:
    rate = case.charge.rate
    return rate is not None and rates.known(case.facts.home, rate, case.facts.on)


def _kor(case: Case) -> bool:
    """The exemption covers what is supplied from home: not the sales that owe another country's VAT or are B2B."""
    facts = case.facts
    own = facts.elsewhere_in_eu and facts.eu_home_vat and facts.vat_number != "valid"
    return facts.kor and (facts.domestic or facts.outside_eu or own)


TABLE: tuple[Rule, ...] = (
    # ---- what no rule can judge
    Rule(
        "currency-foreign",
        "VAT directive art. 91(2), 230: VAT is stated in the currency of the books",
        lambda case: case.facts.foreign_currency,
        Refusal(reasons.CURRENCY_NOT_SUPPORTED, "currency"),
    ),
    Rule(
        "tax-compound",
        "VAT directive art. 78: VAT is never counted on VAT",
        lambda case: case.facts.compound,
        Refusal(reasons.VAT_COMPOUND_TAX, "vat"),
    ),
    Rule(
        "destination-unknown",
        "VAT directive art. 31-33: the place of delivery decides",
        lambda case: case.facts.destination is None,
        Refusal(reasons.COUNTRY_MISSING, "ship_to.country"),
    ),
    Rule(
        "home-unknown",
        "the rate table has no row of the merchant's country",
        lambda case: not rates.covered(case.facts.home),
        Refusal(reasons.VAT_HOME_NOT_SUPPORTED, "settings.home_country"),
    ),
    Rule(
        "special-territory",
        "VAT directive art. 6, 7; Windsor Framework (Northern Ireland)",
        lambda case: case.facts.special_territory,
        Refusal(reasons.VAT_SPECIAL_TERRITORY, "ship_to.postcode"),
    ),
    Rule(
        "voucher",
        "VAT directive art. 30a, 30b, 73a: a multi-purpose voucher is taxed when it is used",
        lambda case: case.charge.kind is LineKind.GIFT_CARD,
        Refusal(reasons.VAT_VOUCHER_NOT_SUPPORTED),
    ),
    # ---- the small business scheme
    Rule("nl-kor", "Wet OB art. 25; VAT directive art. 284", lambda case: _kor(case) and case.charge.untaxed, _exempt),
    Rule(
        "nl-kor-charged",
        "Wet OB art. 25, 37: VAT stated by an exempt business is owed",
        _kor,
        Refusal(reasons.VAT_CHARGED_UNDER_KOR),
    ),
    # ---- at home
    Rule(
        "nl-exempt",
        "Wet OB art. 11; VAT directive art. 132, 135",
        lambda case: case.facts.domestic and case.charge.rate is None and case.facts.untaxed_exempt,
        _exempt,
    ),
    Rule(
        "nl-untaxed",
        "Wet OB art. 9, 11: no VAT row says neither taxed at 0 % nor exempt",
        lambda case: case.facts.domestic and case.charge.rate is None,
        Refusal(reasons.UNTAXED_LINE),
    ),
    Rule(
        "nl-domestic",
        "Wet OB art. 9, Tabel I and II; VAT directive art. 96-98",
        lambda case: case.facts.domestic and _home_rate(case),
        _standard,
    ),
    Rule(
        "nl-rate-unknown",
        "Wet OB art. 9: the rates of the day",
        lambda case: case.facts.domestic,
        Refusal(reasons.VAT_RATE_UNKNOWN),
    ),
    # ---- outside the EU
    Rule(
        "nl-export",
        "Wet OB Tabel II a.2; VAT directive art. 146",
        lambda case: case.facts.outside_eu and case.charge.untaxed,
        _export,
    ),
    Rule(
        "nl-export-charged",
        "Wet OB art. 37; VAT directive art. 203: VAT charged too high is owed as charged",
        lambda case: case.facts.outside_eu and _home_rate(case),
        _standard,
        warning=reasons.VAT_CHARGED_TOO_HIGH,
    ),
    Rule(
        "export-foreign-rate",
        "Wet OB art. 37 speaks of Dutch VAT only",
        lambda case: case.facts.outside_eu,
        Refusal(reasons.VAT_FOREIGN_RATE),
    ),
    # ---- elsewhere in the EU
    Rule(
        "eu-business",
        "VAT directive art. 138, 44, 196: intra-Community supply, reverse charge",
        lambda case: case.facts.vat_number == "valid",
        Refusal(reasons.VAT_INTRA_COMMUNITY_NOT_SUPPORTED, "buyer.vat_number"),
    ),
    Rule(
        "eu-number-invalid",
        "VAT directive art. 138(1)(b): no valid number, no 0 %",
        lambda case: case.facts.vat_number == "invalid" and case.charge.untaxed,
        Refusal(reasons.VAT_NUMBER_INVALID, "buyer.vat_number"),
    ),
    Rule(
        "eu-oss",
        "VAT directive art. 33, 369a-369k; Wet OB art. 5a, 28q: VAT of the destination",
        lambda case: not case.facts.eu_home_vat,
        Refusal(reasons.VAT_OSS_NOT_SUPPORTED, "ship_to.country"),
    ),
    Rule(
        "eu-home-vat-low",
        "VAT directive art. 59c: home VAT is due",
        lambda case: case.charge.untaxed and bool(case.charge.net),
        Refusal(reasons.VAT_CHARGED_TOO_LOW),
    ),
    Rule(
        "eu-home-vat",
        "VAT directive art. 59c; Wet OB art. 6i: under EUR 10,000 a year",
        lambda case: case.charge.rate is None or _home_rate(case),
        _standard,
    ),
    Rule(
        "eu-home-vat-foreign-rate",
        "VAT directive art. 59c: home rates, not those of the destination",
        lambda _: True,
        Refusal(reasons.VAT_FOREIGN_RATE),
    ),
)


@dataclass(frozen=True)
class Verdict:
    """What the table made of one line."""

    treatment: VatTreatment
    rule: str
    warning: str | None


def facts(order: Order, settings: IntegrationSettings, on: date) -> Facts:
    """Gather what the decision rests on. ``on`` is the document date of the *order*, also for its refunds."""
    address = territory.delivered_to(order)
    destination = territory.normalise(address.country)
    rows = [*order.vat, *(row for line in order.lines for row in line.vat)]
    return Facts(
        home=settings.home_country,
        destination=destination,
        special_territory=destination is not None and territory.special(destination, address.postcode.reveal()),
        vat_number=_number_state(order.buyer.vat_number.reveal(), destination),
        on=on,
        foreign_currency=order.currency != settings.currency,
        compound=any(row.compound for row in rows),
        kor=settings.vat_scheme == "kor",
        eu_home_vat=settings.eu_consumers == "home_vat",
        untaxed_exempt=settings.untaxed_lines == "exempt",
    )


def decide(facts: Facts, charge: Charge) -> Verdict:
    """Return the treatment of one line; raises ``Refused`` with code and field where a person has to decide."""
    case = Case(facts, charge)
    rule = next(rule for rule in TABLE if rule.when(case))
    if isinstance(rule.outcome, Refusal):
        field = rule.outcome.field or charge.field
        raise Refused(f"VAT rule {rule.id}: {reasons.explain(rule.outcome.code)}", code=rule.outcome.code, field=field)
    return Verdict(rule.outcome(case), rule.id, rule.warning)


def _number_state(number: str, destination: str | None) -> NumberState:
    """Judge a VAT number offline. One without a country in front is tried with that of the destination."""
    if not number.strip():
        return "none"
    prefix = {"GR": "EL"}.get(destination or "", destination or "")
    return "valid" if eu_vat.is_valid(number) or eu_vat.is_valid(prefix + number) else "invalid"
