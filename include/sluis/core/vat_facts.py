"""What the VAT decision looks at: the facts of an order, what was charged on a line, and the two put together.

Postcode and VAT number are personal; :func:`facts` is the one place that opens them, and keeps only what they tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from sluis.core import rates, territory, vat_numbers
from sluis.core.evidence import NO_EVIDENCE, Evidence
from sluis.core.invoice import VatScheme
from sluis.core.order import LineKind, Order
from sluis.core.settings import IntegrationSettings, Supply
from sluis.core.territory import Place

#: ``unverified``: well-formed and nobody has said whether it is valid; ``assumed``: the same, and the merchant chose
#: to go on as if it were (``vat_number_unverified: book``).
NumberState = Literal["none", "valid", "invalid", "unverified", "assumed"]
#: A VAT number's letters -> ISO code.
_COUNTRY = {"EL": "GR"}
#: Letters of one stop shop registrations: no business customer has one (VAT directive art. 362, 369q).
_OSS_LETTERS = frozenset({"EU", "IM"})


@dataclass(frozen=True)
class Item:
    """How the settings class a product: goods or services, and schemes of its own."""

    supply: Supply = "goods"
    margin: str = ""  #: VATEX letter of its margin scheme
    reverse_charge: bool = False
    zero_rate: bool = False  #: the merchant says that its destination taxes it at 0 %


@dataclass(frozen=True)
class Facts:
    """What the decision rests on; nothing in it identifies a person."""

    home: str  #: where the merchant is established
    origin: str  #: where goods leave from
    place: Place | None  #: where it goes; ``None``: the shop's country is empty or no country
    on: date  #: the day whose rates count
    number: NumberState = "none"
    number_country: str | None = None  #: the member state (or ``XI``) of a well-formed number
    business: bool = False  #: the buyer gave a company's name or some number, European or not
    foreign_currency: bool = False
    compound: bool = False
    marketplace: bool = False  #: a marketplace owes the VAT
    kor: bool = False
    eu_kor: frozenset[str] = frozenset()
    oss: bool = False  #: VAT of the destination is due on sales to consumers elsewhere in the EU
    registrations: frozenset[str] = frozenset()
    untaxed_exempt: bool = False
    multi_purpose: bool = True  #: what a gift card is
    items: Mapping[str, Item] = field(default_factory=dict)  #: per product class, where it differs
    default_item: Item = Item()
    accessory: Item = Item()  #: what shipping, fees and discounts follow


@dataclass(frozen=True)
class Charge:
    """What the shop charged on one line, or on the part of a line under one rate."""

    kind: LineKind
    net: Decimal
    rate: Decimal | None  #: percent; ``None``: the shop had no VAT row
    field: str  #: where it stands, e.g. ``lines[2].vat``
    category: str | None = None  #: the shop's product class

    @property
    def untaxed(self) -> bool:
        """No VAT was charged: no row, or one of 0 %."""
        return not self.rate


@dataclass(frozen=True)
class Case:
    """One line of a document with what is known of the document: what a row of the table looks at.

    Terms: *base* is where the supply is made from (goods: where they leave from; services: home); a sale goes *across*
    when it goes to another member state than the base; *due* is the country whose VAT is due to a consumer.
    """

    facts: Facts
    charge: Charge

    @property
    def item(self) -> Item:
        """Goods or services, margin scheme: of the product, or of the products it follows (VD art. 78(b), 79)."""
        if self.charge.kind in (LineKind.GOODS, LineKind.GIFT_CARD):
            return self.facts.items.get(self.charge.category or "", self.facts.default_item)
        return self.facts.accessory

    @property
    def services(self) -> bool:
        """Services of any kind, not goods."""
        return self.item.supply != "goods"

    @property
    def base(self) -> str:
        """Where the supply is made from: VAT directive art. 32 (goods), 45 (services)."""
        return self.facts.home if self.services else self.facts.origin

    @property
    def destination(self) -> str:
        """Country whose VAT territory it goes to; Northern Ireland is ``XI`` for goods and ``GB`` for services."""
        country = self.facts.place.country if self.facts.place else ""
        return "GB" if self.services and country == "XI" else country

    @property
    def inside(self) -> bool:
        """It stays in the EU's VAT territory."""
        where = self.facts.place
        return where is not None and (where.services_inside if self.services else where.goods_inside)

    @property
    def domestic(self) -> bool:
        """It stays in the country it is made from."""
        return self.inside and self.destination == self.base

    @property
    def across(self) -> bool:
        """It goes to another member state (or Northern Ireland)."""
        return self.inside and self.destination != self.base

    @property
    def number_valid(self) -> bool:
        """The buyer has a VAT number that is valid, or taken for it by the merchant's choice."""
        return self.facts.number in ("valid", "assumed")

    @property
    def number_elsewhere(self) -> bool:
        """A valid number of another member state than the base: VAT directive art. 138(1)(b), 196."""
        return self.number_valid and self.facts.number_country != self.base

    @property
    def destination_due(self) -> bool:
        """VAT of the destination is due to a consumer: distance sales of goods (VD art. 33), electronic services (58).

        The EUR 10,000 threshold (art. 59c) is for sales from the one state of establishment, and nobody needs it who
        is registered where it goes.
        """
        if not self.across or self.number_valid or self.item.supply == "services" or self.item.margin:
            return False
        chosen = self.facts.oss or self.destination in self.facts.registrations
        return chosen or (not self.services and self.facts.origin != self.facts.home)

    @property
    def due(self) -> str:
        """The country whose VAT is due where VAT is charged."""
        return self.destination if self.destination_due else self.base

    @property
    def scheme(self) -> VatScheme:
        """In which return that VAT goes: a registration of his own goes before the one stop shop."""
        if self.due in self.facts.registrations:
            return VatScheme.LOCAL
        if self.destination_due and (self.facts.oss or self.due != self.facts.home):
            return VatScheme.OSS
        return VatScheme.HOME if self.due == self.facts.home else VatScheme.LOCAL

    def rate_of(self, country: str, *, special: bool = True) -> bool:
        """Whether the rate charged is one of ``country`` that day; ``special``: at this very place."""
        rate, where = self.charge.rate, self.facts.place
        if rate is None:
            return False
        part = where.rates if special and where is not None and where.country == country else ""
        return rates.known(part or country, rate, self.facts.on)


def facts(order: Order, settings: IntegrationSettings, on: date, evidence: Evidence = NO_EVIDENCE) -> Facts:
    """Gather what the decision rests on. ``on`` is the document date of the *order*, also for its refunds."""
    address = territory.delivered_to(order)
    country = territory.normalise(address.country)
    place = territory.place(country, address.postcode.reveal()) if country else None
    number = order.buyer.vat_number.reveal()
    parts = vat_numbers.parts(number, place.country if place else "")
    letters = parts[0] if parts and parts[0] not in _OSS_LETTERS else None
    rows = [*order.vat, *(row for line in order.lines for row in line.vat)]
    return replace(
        _of_settings(settings, on, place),
        accessory=_followed(order, settings),
        number=_number_state(number, letters, settings, evidence),
        number_country=_COUNTRY.get(letters, letters) if letters else None,
        business=bool(number.strip() or order.buyer.company),
        foreign_currency=order.currency != settings.currency and settings.foreign_currency == "quarantine",
        compound=any(row.compound for row in rows),
        marketplace=order.marketplace_liable,
    )


def assume(settings: IntegrationSettings, on: date, country: str, number: NumberState = "none") -> Facts:
    """Return the facts of an imagined order to an ordinary place of ``country``, from a buyer of that country."""
    code = territory.normalise(country)
    place = territory.place(code, "") if code else None
    known = place.country if place and number != "none" else None
    return replace(_of_settings(settings, on, place), number=number, number_country=known)


def _of_settings(settings: IntegrationSettings, on: date, place: Place | None) -> Facts:
    """Return what the settings tell on the day ``on``; nothing is known of a buyer."""
    classes = {
        *settings.supplies_by_category,
        *settings.margin_categories,
        *settings.reverse_charge_categories,
        *settings.zero_rate_categories,
    }
    crossed = settings.oss_from is not None and on >= settings.oss_from
    return Facts(
        home=settings.home_country,
        origin=settings.ships_from or settings.home_country,
        place=place,
        on=on,
        kor=settings.vat_scheme == "kor" and (settings.kor_until is None or on <= settings.kor_until),
        eu_kor=frozenset(settings.eu_kor),
        oss=settings.eu_consumers == "oss" or crossed,
        registrations=frozenset(settings.registrations) - {settings.home_country},
        untaxed_exempt=settings.untaxed_lines == "exempt",
        multi_purpose=settings.gift_cards == "multi_purpose",
        items={name: _item(settings, name) for name in classes},
        default_item=_item(settings, None),
        accessory=_item(settings, None),
    )


def _item(settings: IntegrationSettings, category: str | None) -> Item:
    name = category or ""
    return Item(
        supply=settings.supplies_by_category.get(name, settings.supplies),
        margin=settings.margin_categories.get(name, ""),
        reverse_charge=name in settings.reverse_charge_categories,
        zero_rate=name in settings.zero_rate_categories,
    )


def _followed(order: Order, settings: IntegrationSettings) -> Item:
    """What shipping and fees follow: the products where they are all alike, else plain goods if there are any."""
    items = {_item(settings, line.category) for line in order.lines if line.kind is LineKind.GOODS}
    if len(items) == 1:
        return items.pop()
    supplies = {item.supply for item in items} or {settings.supplies}
    return Item(supply=next(supply for supply in ("goods", "services", "electronic") if supply in supplies))


def _number_state(number: str, letters: str | None, settings: IntegrationSettings, evidence: Evidence) -> NumberState:
    if letters is None:
        return "invalid" if number.strip() else "none"
    if settings.vat_number_check == "off":
        return "valid"
    state = evidence.vat_check.state if evidence.vat_check else "unverified"
    return "assumed" if state == "unverified" and settings.vat_number_unverified == "book" else state
