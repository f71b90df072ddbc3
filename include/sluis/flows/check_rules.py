"""The rules of ``integration check``: pure judgements over settings and what both sides say of themselves.

Which VAT treatments an integration needs is asked of the core's own decision, for every rate that the shop may charge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import combinations
from typing import Literal

from sluis.core import reasons, territory, vat
from sluis.core.bookable import oldest_bookable
from sluis.core.frozen import Frozen
from sluis.core.invoice import VatTreatment
from sluis.core.order import LineKind
from sluis.core.rates import RATES, known
from sluis.core.settings import IntegrationSettings, tax_key
from sluis.errors import Refused
from sluis.flows.identity import shop_key
from sluis.ports import PackageFacts, ShopFacts
from sluis.store.integrations import Integration

Level = Literal["ok", "warning", "missing"]
#: Any country outside the EU: an export is decided the same for all of them.
_ABROAD = "US"
#: A shop's warning that its key may not read the tax rates: then those of the law are taken.
_TAXES_HIDDEN = "taxes_not_readable"


class Finding(Frozen):
    """One thing that was looked at. ``missing`` keeps an integration from going live; ``message`` says what to do."""

    level: Level
    code: str
    message: str


class Needed(Frozen):
    """A VAT treatment that orders of this shop get. ``certain``: the shop charges it; else it may come."""

    treatment: VatTreatment
    why: str
    certain: bool


def shop_findings(settings: IntegrationSettings, facts: ShopFacts) -> Iterator[Finding]:
    """Compare the shop with the settings: currency, time zone, statuses, payment methods, tax settings."""
    yield _ok("shop_answers", f"the shop answers ({facts.version}) and shows {_count(facts.orders)}")
    if facts.orders == 0:
        yield _warning("no_orders", "the key sees no order: a new shop, or the key's user may not read orders")
    yield from _same("currency_shop", "the shop's currency", facts.currency, settings.currency, "currency")
    yield from _same("timezone_shop", "the shop's time zone", facts.timezone, settings.timezone, "timezone")
    offered, used = set(facts.statuses), {s for statuses in settings.trigger_statuses.values() for s in statuses}
    if offered and (strange := sorted(used - offered)):
        yield _missing("status_unknown", f"trigger_statuses names {', '.join(strange)}, which the shop does not have")
    methods = set(facts.payment_methods)
    named = {m for choice in (settings.trigger_statuses, settings.require_paid) for m in choice} - {"*", "cod"}
    if methods and (strange := sorted(named - methods)):
        yield _warning("payment_method_unknown", f"the settings name {', '.join(strange)}; the shop has no such method")
    for code in facts.warnings:
        yield _warning(code, f"the shop warns: {code.replace('_', ' ')}")


def package_findings(settings: IntegrationSettings, facts: PackageFacts) -> Iterator[Finding]:
    """Compare the administration with the settings: currency, country, contacts of before."""
    yield _ok("package_answers", f"the administration {facts.administration} answers")
    yield from _same("currency_books", "the administration's currency", facts.currency, settings.currency, "currency")
    if facts.country and facts.country != settings.home_country:
        yield _warning(
            "country_differs",
            f"the administration is in {facts.country}, home_country is {settings.home_country}: set the right one",
        )
    if facts.has_debtors and not settings.debtors_before_start:
        yield _warning(
            "debtors_before_start",
            "the administration has contacts of its own: set debtors_before_start, or customers get a second one",
        )
    for code in facts.warnings:
        yield _warning(code, f"the administration warns: {code.replace('_', ' ')}")


def date_findings(settings: IntegrationSettings, today: date) -> Iterator[Finding]:
    """Judge the start date against the age beyond which nothing is booked by itself."""
    if settings.start_date < oldest_bookable(today):
        yield _warning("start_date_old", "documents of more than 23 months ago are never booked by themselves")
    else:
        yield _ok("start_date", f"documents dated from {settings.start_date} on are booked")


def needed(settings: IntegrationSettings, facts: ShopFacts, today: date) -> Iterator[Needed | Finding]:
    """Yield the VAT treatments that this shop's orders will get, and findings for rates that wait for a person."""
    domestic = [rate for country, rate, _ in facts.tax_rates if country in ("", settings.home_country)]
    if settings.vat_scheme == "kor" and any(_percent(rate) for rate in domestic):
        yield _warning("shop_charges_vat_under_kor", "vat_scheme is kor, yet the shop charges VAT: such orders wait")
    if settings.vat_scheme != "kor" and not domestic and _TAXES_HIDDEN not in facts.warnings:
        yield _missing("shop_charges_no_vat", "the shop has no VAT rate of the home country: fill its tax settings")
    seen: set[str] = set()
    waiting: dict[str, list[str]] = {}
    for country, rate, why in _charges(settings, facts, today):
        answer = _decided(settings, country, None if rate is None else _percent(rate), today)
        if not isinstance(answer, VatTreatment):
            waiting.setdefault(answer, []).append(f"{rate or 0} % in {country}")
        elif tax_key(answer) not in seen:
            seen.add(tax_key(answer))
            yield Needed(treatment=answer, why=why, certain=True)
    if settings.vat_scheme != "kor":
        for code, charges in waiting.items():
            yield _warning(code, f"the shop may charge {', '.join(charges)}; such orders wait: {reasons.explain(code)}")
    export = _decided(settings, _ABROAD, None, today)
    if isinstance(export, VatTreatment) and tax_key(export) not in seen:
        yield Needed(treatment=export, why="orders delivered outside the EU", certain=False)


def mapping_findings(
    settings: IntegrationSettings, needs: Iterable[Needed], facts: PackageFacts | None
) -> Iterator[Finding]:
    """Say which tax rates and ledger accounts are mapped, and whether to what exists, is active and fits."""
    rates = {rate.id: rate for rate in facts.tax_rates} if facts else None
    for need in needs:
        key, mapped = tax_key(need.treatment), settings.mapping.tax_rate(need.treatment)
        where = f"mapping.tax_rates['{key}']"
        if mapped is None:
            text = f"{where} is empty ({need.why}): fill it, or use --apply-mapping where a proposal stands below"
            yield _missing("tax_rate_missing", text) if need.certain else _warning("tax_rate_missing", text)
        elif rates is not None and (mapped not in rates or not rates[mapped].active):
            yield _missing("tax_rate_gone", f"{where} names {mapped}, which is not (any more) in the administration")
        elif rates is not None and rates[mapped].percent not in (None, need.treatment.rate):
            yield _missing("tax_rate_differs", f"{where} names {mapped}, which is {rates[mapped].percent} % there")
        else:
            yield _ok("tax_rate", f"{where} is {mapped}")
    yield from _ledger_findings(settings, facts)


def _ledger_findings(settings: IntegrationSettings, facts: PackageFacts | None) -> Iterator[Finding]:
    accounts = {account.id: account for account in facts.ledger_accounts} if facts else None
    mapped = {f"mapping.revenue['{kind.value}']": account for kind, account in settings.mapping.revenue.items()}
    if settings.mapping.rounding:
        mapped["mapping.rounding"] = settings.mapping.rounding
    if settings.mapping.ledger_account(LineKind.GOODS) is None:
        yield _missing(
            "ledger_account_missing",
            "mapping.revenue['goods'] is empty: name the account of turnover"
            " (`sluis integration set`; candidates stand in the proposal)",
        )
    for where, account in mapped.items():
        if accounts is not None and (account not in accounts or not accounts[account].active):
            yield _missing("ledger_account_gone", f"{where} names {account}, which sales cannot be booked on")
        else:
            yield _ok("ledger_account", f"{where} is {account}")


def reference_findings(this: Integration, all_integrations: Sequence[Integration]) -> Iterator[Finding]:
    """References cannot collide: no prefix in one administration is the beginning of another, the empty one of all."""
    others = [i for i in all_integrations if i.administration_key == this.administration_key and _another(this, i)]
    mine = this.settings.reference_prefix
    clashing = [o for o in others if _begins(mine, o.settings.reference_prefix)]
    for other in clashing:
        theirs = other.settings.reference_prefix
        yield _missing(
            "reference_collision",
            f"{other.merchant}/{other.code} books into the same administration with prefix '{theirs}' and this one with"
            f" '{mine}': give both a reference_prefix that is not the beginning of the other's",
        )
    if not clashing:
        alone = "alone in its administration" if not others else f"beside {len(others)} other(s) in its administration"
        yield _ok("references", f"references cannot collide: prefix '{mine}', {alone}")


def filter_findings(this: Integration, all_integrations: Sequence[Integration], facts: ShopFacts) -> Iterator[Finding]:
    """Integrations that share a shop have disjoint filters, and together they leave no order of the shop out."""
    siblings = [i for i in all_integrations if i.merchant == this.merchant and shop_key(i) == shop_key(this)]
    group = [this, *(i for i in siblings if _another(this, i))]
    overlap = False
    for one, other in combinations(group, 2):
        if this in (one, other) and _overlap(one.settings, other.settings):
            overlap = True
            code = other.code if one is this else one.code
            yield _missing(
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
        yield _missing("filters_gap", f"no integration books the shop's orders of {named}: widen a filter, or add one")
    elif gaps:
        yield _warning("filters_gap", f"orders to {len(gaps)} countries where the shop has no VAT rate are not booked")
    elif not overlap:
        yield _ok("filters", f"each order of the shop belongs to exactly one integration (of {len(group)})")


def _charges(settings: IntegrationSettings, facts: ShopFacts, today: date) -> list[tuple[str, str | None, str]]:
    """Return what the shop may charge: country, rate in percent (``None``: no VAT row), and how that is known."""
    asked: list[tuple[str, str | None, str]] = [
        (country or settings.home_country, rate, f"the shop charges {rate} % in {country or 'every country'}")
        for country, rate, _ in facts.tax_rates
    ]
    if not facts.tax_rates and _TAXES_HIDDEN in facts.warnings:
        asked += _by_law(settings, today)
    if settings.vat_scheme == "kor" or settings.untaxed_lines == "exempt":
        asked.append((settings.home_country, None, "lines without VAT are exempt"))
    return asked


def _by_law(settings: IntegrationSettings, today: date) -> Iterator[tuple[str, str | None, str]]:
    home = settings.home_country
    for rate in RATES:
        if rate.country == home and rate.percent and known(home, rate.percent, today) and rate.until is None:
            yield home, str(rate.percent), f"the law has {rate.percent} % (the shop's key may not read its tax rates)"


def _decided(settings: IntegrationSettings, country: str, rate: Decimal | None, on: date) -> VatTreatment | str:
    """Ask the core what it makes of a line of goods; a text is the code under which it would wait for a person."""
    facts = vat.assume(settings, on, country)
    try:
        return vat.decide(facts, vat.Charge(LineKind.GOODS, Decimal(100), rate, "vat")).treatment
    except Refused as refused:
        return refused.code


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


def _percent(rate: str) -> Decimal:
    try:
        return Decimal(rate)
    except InvalidOperation:
        return Decimal(-1)  # no law knows it: the core sends it to a person


def _same(code: str, what: str, theirs: str, ours: str, setting: str) -> Iterator[Finding]:
    if theirs == ours:
        yield _ok(code, f"{what} is {ours}")
    elif theirs:
        yield _missing(code, f"{what} is {theirs}, the setting {setting} is {ours}: make them the same")
    else:
        yield _warning(code, f"{what} is not told: make sure that it is {ours}, as the setting {setting} says")


def _count(orders: int | None) -> str:
    return "orders" if orders is None else f"{orders} orders"


def _ok(code: str, message: str) -> Finding:
    return Finding(level="ok", code=code, message=message)


def _warning(code: str, message: str) -> Finding:
    return Finding(level="warning", code=code, message=message)


def _missing(code: str, message: str) -> Finding:
    return Finding(level="missing", code=code, message=message)
