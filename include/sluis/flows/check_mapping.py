"""Every gap in the mapping before the first order: tax rates, ledger accounts, clearing accounts, what entries need.

``missing`` is what orders at home need at once, or what no document can be booked without; what only some orders need
is a warning that names the setting: those wait for it, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from sluis.core.mapping import OWED, Mapping, tax_key
from sluis.core.order import LineKind
from sluis.core.settings import IntegrationSettings
from sluis.flows.findings import Finding, Needed, gap, missing, ok, warning
from sluis.ports import Form, LedgerAccount, PackageFacts, ShopFacts

_HOW = "fill it, or use --apply-mapping where a proposal stands below"


def mapping_findings(
    settings: IntegrationSettings, needs: Iterable[Needed], shop: ShopFacts | None, package: PackageFacts | None
) -> Iterator[Finding]:
    """Say what is mapped, and whether to what exists, is in use and fits. Without ``package`` ids are not judged."""
    if package is not None and not package.needs_mapping:
        yield ok("mapping", "this package needs no mapping: its documents carry their VAT themselves")
        return
    wanted = tuple(needs)
    yield from _tax_rates(settings.mapping, wanted, package)
    yield from _revenue(settings.mapping, shop, package)
    yield from _rules(settings.mapping, shop, package)
    yield from _clearing(settings, shop, package)
    if settings.booking_mode != "invoice":
        yield from _entries(settings.mapping, wanted, package)


def form_findings(settings: IntegrationSettings, forms: Collection[Form]) -> Iterator[Finding]:
    """Say what the settings want and the package cannot hold."""
    if settings.booking_mode != "invoice" and Form.JOURNAL_ENTRY not in forms:
        yield missing(
            "mode_not_possible",
            f"booking_mode is {settings.booking_mode}, but this package takes no journal entries: set it to 'invoice'",
        )
    if settings.booking_mode != "journal_entry" and Form.INVOICE not in forms:
        yield missing(
            "mode_not_possible",
            f"booking_mode is {settings.booking_mode}, but this package takes no invoices: set it to 'journal_entry'",
        )
    if settings.register_payments and Form.PAYMENT not in forms:
        yield warning(
            "payments_not_possible", "this package registers no payments: none are (register_payments: false says so)"
        )


def clearing_needed(settings: IntegrationSettings) -> bool:
    """Whether payments stand on accounts of their own: where they are registered, and in every entry of a day."""
    return settings.register_payments or settings.booking_mode == "daily"


# ------------------------------------------------------------------------------------------------------- tax rates


def _tax_rates(mapping: Mapping, needs: Iterable[Needed], package: PackageFacts | None) -> Iterator[Finding]:
    rates = {rate.id: rate for rate in package.tax_rates} if package else None
    for need in needs:
        key, mapped = tax_key(need.treatment), mapping.tax_rate(need.treatment)
        where = f"mapping.tax_rates['{key}']"
        if mapped is None:
            yield gap(need.certain, "tax_rate_missing", f"{where} is empty ({need.why}): {_HOW}")
        elif rates is not None and (mapped not in rates or not rates[mapped].active):
            yield missing("tax_rate_gone", f"{where} names {mapped}, which is not (any more) in the administration")
        elif rates is not None and rates[mapped].percent not in (None, need.treatment.rate):
            yield missing("tax_rate_differs", f"{where} names {mapped}, which is {rates[mapped].percent} % there")
        elif rates is not None and rates[mapped].country not in (None, need.treatment.country):
            there = rates[mapped].country
            yield missing("tax_rate_differs", f"{where} names {mapped}, which is a rate of {there} there")
        else:
            yield ok("tax_rate", f"{where} is {mapped}")


# -------------------------------------------------------------------------------------------------- ledger accounts


def _revenue(mapping: Mapping, shop: ShopFacts | None, package: PackageFacts | None) -> Iterator[Finding]:
    if mapping.ledger_account(LineKind.GOODS) is None:
        yield missing(
            "ledger_account_missing",
            "mapping.revenue['goods'] is empty: name the account of turnover"
            " (`sluis integration set`; candidates stand in the proposal)",
        )
    traits = set(shop.traits) if shop else set()
    for kind in LineKind:
        where = f"mapping.revenue['{kind.value}']"
        if kind.value not in traits or kind in mapping.revenue:
            continue
        if kind in OWED and mapping.ledger_account(kind) is None:
            name = kind.value.replace("_", " ")
            yield missing(
                "ledger_account_missing", f"{where} is empty, and a {name} is owed to its holder, not earned: {_HOW}"
            )
        elif kind is LineKind.TIP:
            yield warning(
                "ledger_account_default", f"{where} is empty: tips stand with turnover; a tip for staff is none"
            )
    if "rounding" in traits and not mapping.rounding:
        yield warning("ledger_account_default", "mapping.rounding is empty: cash rounding stands with turnover")
    named = {f"mapping.revenue['{kind.value}']": account for kind, account in mapping.revenue.items()}
    if mapping.rounding:
        named["mapping.rounding"] = mapping.rounding
    for where, account in named.items():
        yield _account(where, account, package, for_sales=True)


def _rules(mapping: Mapping, shop: ShopFacts | None, package: PackageFacts | None) -> Iterator[Finding]:
    for place, rule in enumerate(mapping.accounts):
        where = f"mapping.accounts[{place}]"
        yield _account(where, rule.account, package, for_sales=True)
        if shop is not None and shop.categories and rule.category and rule.category not in shop.categories:
            known = ", ".join(shop.categories)
            yield warning(
                "category_unknown", f"{where} is for the class {rule.category}, which no line carries; known: {known}"
            )
        if rule.kind is None and not (rule.vat_category or rule.country or rule.category):
            yield warning("rule_without_condition", f"{where} has no condition: it stands for all but mapping.revenue")


# ------------------------------------------------------------------------------------------------ payments, entries


def _clearing(settings: IntegrationSettings, shop: ShopFacts | None, package: PackageFacts | None) -> Iterator[Finding]:
    mapping = settings.mapping
    for method, account in mapping.clearing.items():
        yield _account(f"mapping.clearing['{method}']", account, package, for_sales=False)
    if not clearing_needed(settings):
        return
    # An invoice is booked without it and stays open; an entry of paid sales cannot be made.
    certain = settings.booking_mode != "invoice"
    methods = shop.payment_methods if shop else ()
    for method in methods or (() if mapping.clearing.get("*") else ("*",)):
        if mapping.clearing_account(method) is None:
            text = f"mapping.clearing['{method}'] is empty: payments by it are not registered"
            yield gap(certain, "clearing_account_missing", f"{text}; {_HOW}")
    strange = sorted(set(mapping.clearing) - set(methods) - {"*", "gift_card"}) if methods else []
    if strange:
        named = ", ".join(strange)
        yield warning("payment_method_unknown", f"mapping.clearing names {named}; the shop has no such method (now)")
    if shop is not None and "gift_card" in shop.traits and mapping.clearing_account("", gift_card=True) is None:
        yield gap(
            certain, "clearing_account_missing", f"mapping.clearing['gift_card'] is empty (used gift cards): {_HOW}"
        )


def _entries(mapping: Mapping, needs: Iterable[Needed], package: PackageFacts | None) -> Iterator[Finding]:
    """What journal entries need besides: an account of what customers owe, and one of the VAT per rate."""
    if mapping.receivable:
        yield _account("mapping.receivable", mapping.receivable, package, for_sales=False)
    else:
        yield missing("receivable_missing", f"mapping.receivable is empty, and journal entries need it: {_HOW}")
    for need in needs:
        key = tax_key(need.treatment)
        where, account = f"mapping.vat_accounts['{key}']", mapping.vat_accounts.get(key)
        if not need.treatment.rate:
            continue
        if account:
            yield _account(where, account, package, for_sales=False)
        else:
            text = f"{where} is empty ({need.why}), and journal entries book the VAT there: {_HOW}"
            yield gap(need.certain, "vat_account_missing", text)


def _account(where: str, account: str, package: PackageFacts | None, *, for_sales: bool) -> Finding:
    usable: Callable[[LedgerAccount], bool] = (lambda a: a.active) if for_sales else (lambda a: a.open)
    if package is None or any(a.id == account and usable(a) for a in package.ledger_accounts):
        return ok("ledger_account", f"{where} is {account}")
    what = "which sales cannot be booked on" if for_sales else "which is not in use (any more) in the administration"
    return missing("ledger_account_gone", f"{where} names {account}, {what}")
