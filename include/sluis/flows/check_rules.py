"""The rules of ``integration check`` over both sides: what shop and administration say, references and filters.

Beside it: ``check_needs`` (which VAT treatments come), ``check_mapping`` (gaps), ``check_settings`` (contradictions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from sluis.core import territory
from sluis.core.settings import IntegrationSettings
from sluis.flows.findings import Finding, missing, ok, warning
from sluis.flows.identity import is_folder, shop_key
from sluis.ports import PackageFacts, ShopFacts
from sluis.store.integrations import Integration


def shop_findings(settings: IntegrationSettings, facts: ShopFacts) -> Iterator[Finding]:
    """Compare the shop with the settings: currency, time zone, statuses, payment methods, tax settings."""
    yield ok("shop_answers", f"the shop answers ({facts.version}) and shows {_count(facts.orders)}")
    if facts.orders == 0:
        yield warning("no_orders", "the key sees no order: a new shop, or the key's user may not read orders")
    yield from _same("currency_shop", "the shop's currency", facts.currency, settings.currency, "currency")
    yield from _same("timezone_shop", "the shop's time zone", facts.timezone, settings.timezone, "timezone")
    offered, used = set(facts.statuses), {s for statuses in settings.trigger_statuses.values() for s in statuses}
    if offered and (strange := sorted(used - offered)):
        yield missing("status_unknown", f"trigger_statuses names {', '.join(strange)}, which the shop does not have")
    methods = set(facts.payment_methods)
    named = {m for choice in (settings.trigger_statuses, settings.require_paid) for m in choice} - {"*", "cod"}
    if methods and (strange := sorted(named - methods)):
        yield warning("payment_method_unknown", f"the settings name {', '.join(strange)}; the shop has no such method")
    for code in facts.warnings:
        yield warning(code, f"the shop warns: {code.replace('_', ' ')}")


def package_findings(settings: IntegrationSettings, facts: PackageFacts) -> Iterator[Finding]:
    """Compare the administration with the settings: currency, country, contacts of before."""
    yield ok("package_answers", f"the administration {facts.administration} answers")
    yield from _same("currency_books", "the administration's currency", facts.currency, settings.currency, "currency")
    if facts.country and facts.country != settings.home_country:
        yield warning(
            "country_differs",
            f"the administration is in {facts.country}, home_country is {settings.home_country}: set the right one",
        )
    if facts.has_debtors and not settings.debtors_before_start:
        yield warning(
            "debtors_before_start",
            "the administration has contacts of its own: set debtors_before_start, or customers get a second one",
        )
    for code in facts.warnings:
        yield warning(code, f"the administration warns: {code.replace('_', ' ')}")


def reference_findings(this: Integration, all_integrations: Sequence[Integration]) -> Iterator[Finding]:
    """References cannot collide: no prefix in one administration is the beginning of another, the empty one of all."""
    others = [i for i in all_integrations if i.administration_key == this.administration_key and _another(this, i)]
    mine = this.settings.reference_prefix
    clashing = [o for o in others if _begins(mine, o.settings.reference_prefix)]
    strangers = [other for other in others if other.merchant != this.merchant]
    if strangers and is_folder(this):
        yield missing(
            "folder_of_another_merchant",
            "another merchant's files go to the same folder, and each would read them all: give package.target another",
        )
    for other in clashing:
        if other in strangers:  # whose code and prefix are none of this merchant's business
            yield missing(
                "reference_collision",
                f"another merchant books into the same administration, and '{mine}' does not tell the numbers apart:"
                " give this integration another reference_prefix",
            )
            continue
        theirs = other.settings.reference_prefix
        yield missing(
            "reference_collision",
            f"{other.merchant}/{other.code} books into the same administration with prefix '{theirs}' and this one with"
            f" '{mine}': give both a reference_prefix that is not the beginning of the other's",
        )
    if not clashing:
        alone = "alone in its administration" if not others else f"beside {len(others)} other(s) in its administration"
        yield ok("references", f"references cannot collide: prefix '{mine}', {alone}")


def filter_findings(this: Integration, all_integrations: Sequence[Integration], facts: ShopFacts) -> Iterator[Finding]:
    """Integrations that share a shop have disjoint filters, and together they leave no order of the shop out."""
    siblings = [i for i in all_integrations if i.merchant == this.merchant and shop_key(i) == shop_key(this)]
    group = [this, *(i for i in siblings if _another(this, i))]
    overlap = False
    for one, other in combinations(group, 2):
        if this in (one, other) and _overlap(one.settings, other.settings):
            overlap = True
            code = other.code if one is this else one.code
            yield missing(
                "filters_overlap",
                f"this integration and {code} both book orders of one shop: give them filter_countries or"
                " filter_currencies that have nothing in common",
            )
    gaps = sorted({(country, currency) for country, currency in _sold(group, facts)
                   if not any(_takes(i.settings, country, currency) for i in group)})  # fmt: skip
    certain = {country or this.settings.home_country for country, _, _ in facts.tax_rates} | {
        this.settings.home_country
    }
    sure = [gap for gap in gaps if gap[0] in certain]
    if sure:
        named = ", ".join(f"{country} in {currency}" for country, currency in sure[:5])
        yield missing("filters_gap", f"no integration books the shop's orders of {named}: widen a filter, or add one")
    elif gaps:
        yield warning("filters_gap", f"orders to {len(gaps)} countries where the shop has no VAT rate are not booked")
    elif not overlap:
        yield ok("filters", f"each order of the shop belongs to exactly one integration (of {len(group)})")


def _sold(group: Sequence[Integration], facts: ShopFacts) -> Iterator[tuple[str, str]]:
    """Where and in what the shop can sell: every country; its own currency, and those that a filter speaks of."""
    currencies = {facts.currency} | {c for i in group for c in i.settings.filter_currencies}
    if all(not i.settings.filter_countries for i in group):
        countries = {i.settings.home_country for i in group}
    else:
        countries = set(territory.COUNTRIES)
    return ((country, currency) for country in countries for currency in currencies)


def _takes(settings: IntegrationSettings, country: str, currency: str) -> bool:
    in_countries = not settings.filter_countries or country in settings.filter_countries
    return in_countries and (not settings.filter_currencies or currency in settings.filter_currencies)


def _overlap(one: IntegrationSettings, other: IntegrationSettings) -> bool:
    return _meet(one.filter_countries, other.filter_countries) and _meet(one.filter_currencies, other.filter_currencies)


def _meet(one: Sequence[str], other: Sequence[str]) -> bool:
    return not one or not other or bool(set(one) & set(other))


def _begins(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _another(this: Integration, other: Integration) -> bool:
    return (other.merchant, other.code) != (this.merchant, this.code) and other.state.value != "ended"


def _same(code: str, what: str, theirs: str, ours: str, setting: str) -> Iterator[Finding]:
    if theirs == ours:
        yield ok(code, f"{what} is {ours}")
    elif theirs:
        yield missing(code, f"{what} is {theirs}, the setting {setting} is {ours}: make them the same")
    else:
        yield warning(code, f"{what} is not told: make sure that it is {ours}, as the setting {setting} says")


def _count(orders: int | None) -> str:
    return "orders" if orders is None else f"{orders} orders"
