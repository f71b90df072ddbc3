"""Which VAT treatments the orders of a shop will get: asked of the core's own decision, for imagined orders.

Imagined are: every VAT rate of the shop at home and abroad, each product class that the settings treat apart, a
business elsewhere in the EU, a delivery outside it, and whatever the shop's own settings say that it sells (gift cards,
tips, deposits, sales of a marketplace).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation

from sluis.core import reasons, territory, vat
from sluis.core.invoice import VatCategory, VatScheme, VatTreatment
from sluis.core.order import LineKind
from sluis.core.rates import RATES, known
from sluis.core.settings import IntegrationSettings, tax_key
from sluis.errors import Refused
from sluis.flows.findings import Finding, Needed, missing, warning
from sluis.ports import ShopFacts

#: Any country outside the EU: an export is decided the same for all of them.
_ABROAD = "US"
#: A shop's warning that its key may not read the tax rates: then those of the law are taken.
_TAXES_HIDDEN = "taxes_not_readable"


@dataclass(frozen=True)
class _Imagined:
    """A line of an order that may come."""

    country: str
    rate: str | None  #: in percent; ``None``: no VAT row
    why: str
    certain: bool = False
    told: bool = False  #: whether it is said where such orders would wait for a person
    kind: LineKind = LineKind.GOODS
    number: vat.NumberState = "none"
    category: str | None = None
    business: bool = False
    marketplace: bool = False


def needed(settings: IntegrationSettings, facts: ShopFacts, today: date) -> Iterator[Needed | Finding]:
    """Yield the VAT treatments that this shop's orders will get, and findings for rates that wait for a person."""
    domestic = [rate for country, rate, _ in facts.tax_rates if country in ("", settings.home_country)]
    kor = settings.vat_scheme == "kor"
    if kor and any(_percent(rate) for rate in domestic):
        yield warning("shop_charges_vat_under_kor", "vat_scheme is kor, yet the shop charges VAT: such orders wait")
    if not kor and not domestic and _TAXES_HIDDEN not in facts.warnings:
        yield missing("shop_charges_no_vat", "the shop has no VAT rate of the home country: fill its tax settings")
    seen: set[str] = set()
    waiting: dict[str, list[str]] = {}
    for order in sorted(_imagined(settings, facts, today), key=lambda order: not order.certain):
        answer = _decided(settings, order, today)
        if not isinstance(answer, VatTreatment):
            if order.told:
                waiting.setdefault(answer, []).append(f"{order.rate or 0} % in {order.country}")
        elif tax_key(answer) not in seen:
            seen.add(tax_key(answer))
            yield Needed(treatment=answer, why=order.why, certain=order.certain)
    if not kor:
        for code, charges in waiting.items():
            named = ", ".join(dict.fromkeys(charges))
            yield warning(code, f"the shop may charge {named}; such orders wait: {reasons.explain(code)}")
    if "rounding" in facts.traits and (nothing := _rounding(settings)) and tax_key(nothing) not in seen:
        yield Needed(treatment=nothing, why="cash rounding", certain=False)


def _imagined(settings: IntegrationSettings, facts: ShopFacts, today: date) -> Iterator[_Imagined]:
    home = settings.home_country
    yield from _of_shop(settings, facts, today)
    if settings.vat_scheme == "kor" or settings.untaxed_lines == "exempt":
        yield _Imagined(home, None, "lines without VAT are exempt", certain=True)
    classes = (None, *_classes(settings))
    for category in classes:
        about = f" of the class {category}" if category else ""
        yield from _abroad(settings, facts, category, about)
        if category is not None:
            for rate in _home_rates(settings, facts, today):
                yield _Imagined(home, rate, f"sales{about}", category=category)
            for number in _NUMBERS:
                yield _Imagined(home, None, f"untaxed sales{about}", category=category, number=number)
    for trait in facts.traits:
        if trait in set(LineKind):
            yield _Imagined(home, None, f"the shop sells: {trait.replace('_', ' ')}", kind=LineKind(trait))
        elif trait == "marketplace":
            yield _Imagined(home, None, "sales whose VAT a marketplace owes", marketplace=True)


_NUMBERS: tuple[vat.NumberState, ...] = ("none", "valid")


def _of_shop(settings: IntegrationSettings, facts: ShopFacts, today: date) -> Iterator[_Imagined]:
    """What the shop's own tax table charges; where the key may not read it, what the law has at home."""
    home = settings.home_country
    for country, rate, _ in facts.tax_rates:
        where = country or home
        # A shop has rows of 0 % in every country for its zero class: abroad they say nothing.
        told = where == home or bool(_percent(rate))
        why = f"the shop charges {rate} % in {country or 'every country'}"
        yield _Imagined(where, rate, why, certain=where == home, told=told)
    if not facts.tax_rates and _TAXES_HIDDEN in facts.warnings:
        for rate in _by_law(home, today):
            why = f"the law has {rate} % (the shop's key may not read its tax rates)"
            yield _Imagined(home, rate, why, certain=True, told=True)


def _abroad(settings: IntegrationSettings, facts: ShopFacts, category: str | None, about: str) -> Iterator[_Imagined]:
    """A business elsewhere in the EU, a consumer there under each of the shop's rates, and somebody outside the EU."""
    elsewhere = [c for c, _, _ in facts.tax_rates if c in territory.EU and c != settings.home_country]
    other = next(iter(elsewhere), next(c for c in ("BE", "NL") if c != settings.home_country))
    with_number = f"businesses elsewhere in the EU with a VAT number{about}"
    yield _Imagined(other, None, with_number, number="valid", category=category)
    for business in (False, True):
        why = f"orders delivered outside the EU{about}"
        yield _Imagined(_ABROAD, None, why, category=category, business=business)
    if category is not None:
        for country, rate, _ in facts.tax_rates:
            if country and country != settings.home_country:
                yield _Imagined(country, rate, f"the shop charges {rate} % in {country}{about}", category=category)


def _classes(settings: IntegrationSettings) -> list[str]:
    apart = {
        *settings.supplies_by_category,
        *settings.margin_categories,
        *settings.reverse_charge_categories,
        *settings.zero_rate_categories,
    }
    return sorted(apart)


def _home_rates(settings: IntegrationSettings, facts: ShopFacts, today: date) -> list[str]:
    rates = [rate for country, rate, _ in facts.tax_rates if country in ("", settings.home_country)]
    return rates or list(_by_law(settings.home_country, today))


def _by_law(home: str, today: date) -> Iterator[str]:
    for rate in RATES:
        if rate.country == home and rate.percent and known(home, rate.percent, today) and rate.until is None:
            yield str(rate.percent)


def _decided(settings: IntegrationSettings, order: _Imagined, on: date) -> VatTreatment | str:
    """Ask the core what it makes of a line; a text is the code under which it would wait for a person."""
    known = vat.assume(settings, on, order.country, order.number)
    facts = replace(known, marketplace=order.marketplace, business=order.business or known.business)
    rate = None if order.rate is None else _percent(order.rate)
    try:
        return vat.decide(facts, vat.Charge(order.kind, Decimal(100), rate, "vat", order.category)).treatment
    except Refused as refused:
        return refused.code


def _rounding(settings: IntegrationSettings) -> VatTreatment:
    """Cash rounding lies outside VAT; a package may want a tax rate for it all the same."""
    return VatTreatment(
        category=VatCategory.OUT_OF_SCOPE, rate=Decimal(0), country=settings.home_country, scheme=VatScheme.NONE
    )


def _percent(rate: str) -> Decimal:
    try:
        return Decimal(rate)
    except InvalidOperation:
        return Decimal(-1)  # no law knows it: the core sends it to a person
