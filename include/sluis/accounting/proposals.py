"""Proposes where things stand in an administration, from its own tax rates and ledger accounts.

A proposal is for a person to accept. Only what a single candidate answers is filled in; where several fit, or none,
the candidates are listed and the setting stays empty: a wrong tax rate is worse than a question.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Literal

from sluis.accounting import proposed_accounts as accounts
from sluis.core.frozen import Frozen
from sluis.core.invoice import VatCategory
from sluis.core.order import LineKind
from sluis.core.settings import Mapping
from sluis.errors import NotConfigured
from sluis.ports import LedgerAccount, PackageFacts, TaxRate

#: Margin schemes are exempt sales of a kind of their own.
_MARGIN = "margin"
#: Words in the name of a tax rate (Dutch and English) that tell one treatment of 0 % from another.
_WORDS: dict[VatCategory | str, re.Pattern[str]] = {
    _MARGIN: re.compile(r"\bmarge|\bmargin", re.IGNORECASE),
    VatCategory.REVERSE_CHARGE: re.compile(r"verleg|reverse", re.IGNORECASE),
    VatCategory.EXEMPT: re.compile(r"vrijgesteld|vrijstelling|\bkor\b|exempt", re.IGNORECASE),
    VatCategory.INTRA_COMMUNITY: re.compile(r"\bicp?\b|intra|binnen (de )?eu|within (the )?eu", re.IGNORECASE),
    VatCategory.EXPORT: re.compile(r"buiten (de )?eu|export|outside (the )?eu|non-eu", re.IGNORECASE),
    VatCategory.OUT_OF_SCOPE: re.compile(r"geen btw|buiten (de )?heffing|no vat|out of scope", re.IGNORECASE),
}
_VAT_WORDS = re.compile(r"\b(btw|vat)\b", re.IGNORECASE)


class Candidate(Frozen):
    """Something of the administration that may be meant."""

    id: str
    name: str


class Proposal(Frozen):
    """One setting. ``value`` is filled for ``found`` only; ``mapped`` had a valid value already."""

    setting: str  #: e.g. ``mapping.tax_rates['S 21 NL']``
    outcome: Literal["found", "ambiguous", "nothing", "mapped", "gone"]
    value: str | None = None
    candidates: tuple[Candidate, ...] = ()


class Proposed(Frozen):
    """``mapping`` is the present one with what was found put in; the proposals say why, one per setting."""

    mapping: Mapping
    proposals: tuple[Proposal, ...]

    @property
    def open(self) -> tuple[Proposal, ...]:
        """What a person must still fill."""
        return tuple(item for item in self.proposals if item.outcome in {"ambiguous", "nothing", "gone"})


def propose_mapping(
    facts: PackageFacts,
    tax_keys: Iterable[str],
    *,
    kinds: Collection[LineKind] = (LineKind.GOODS,),
    present: Mapping | None = None,
    revenue_kinds: Collection[str] = ("revenue",),
    methods: Collection[str] = (),
    vat_keys: Iterable[str] = (),
    receivable: bool = False,
) -> Proposed:
    """Propose tax rates for these keys (``core.settings.tax_key``) and ledger accounts for these kinds of line.

    ``methods`` are the shop's payment methods that need a clearing account; ``vat_keys`` and ``receivable`` are for
    journal entries. ``revenue_kinds`` are the package's words for accounts of revenue; what is owed to a customer (gift
    cards, deposits) is proposed another one. An id of ``present`` that the administration does not have (any more) is
    reported as ``gone`` and left in place. Raises ``NotConfigured`` for a key of another form.
    """
    present = present or Mapping()
    rates, rate_items = _tax_rates(facts, sorted(set(tax_keys)), present)
    revenue, account_items = _revenue(facts, sorted(set(kinds)), present, revenue_kinds)
    rounding, rounding_items = _rounding(facts, present)
    clearing, clearing_items = _clearing(facts, sorted(set(methods)), present, revenue_kinds)
    vat, vat_items = _vat_accounts(facts, sorted(set(vat_keys)), present)
    owed, owed_items = _receivable(facts, present) if receivable else (present.receivable, [])
    filled = {
        "tax_rates": rates, "revenue": revenue, "rounding": rounding, "clearing": clearing, "vat_accounts": vat,
        "receivable": owed,
    }  # fmt: skip
    items = (*rate_items, *account_items, *rounding_items, *clearing_items, *vat_items, *owed_items)
    return Proposed(mapping=present.model_copy(update=filled), proposals=items)


def _tax_rates(facts: PackageFacts, keys: Sequence[str], present: Mapping) -> tuple[dict[str, str], list[Proposal]]:
    usable = {rate.id for rate in facts.tax_rates if rate.active}
    chosen, items = dict(present.tax_rates), list[Proposal]()
    for key in keys:
        found, sure = _rates_for(key, facts)
        item = _proposal(f"mapping.tax_rates['{key}']", chosen.get(key), usable, _candidates(found), sure=sure)
        items.append(item)
        if item.value:
            chosen[key] = item.value
    return chosen, items


def _revenue(
    facts: PackageFacts, kinds: Sequence[LineKind], present: Mapping, revenue_kinds: Collection[str]
) -> tuple[dict[LineKind, str], list[Proposal]]:
    usable = {account.id for account in facts.ledger_accounts if account.active}
    chosen, items = dict(present.revenue), list[Proposal]()
    for kind in kinds:
        found = accounts.of_kind(kind, facts.ledger_accounts, revenue_kinds)
        if not found and kind in accounts.FALLS_BACK and kind not in chosen:
            continue  # these fall back on the account of goods
        item = _proposal(f"mapping.revenue['{kind.value}']", chosen.get(kind), usable, _candidates(found))
        items.append(item)
        if item.value:
            chosen[kind] = item.value
    return chosen, items


def _rounding(facts: PackageFacts, present: Mapping) -> tuple[str | None, list[Proposal]]:
    usable = {account.id for account in facts.ledger_accounts if account.active}
    found = accounts.for_rounding(facts.ledger_accounts)
    if not found and not present.rounding:
        return None, []  # it falls back on the account of goods
    item = _proposal("mapping.rounding", present.rounding, usable, _candidates(found))
    return item.value or present.rounding, [item]


def _clearing(
    facts: PackageFacts, methods: Sequence[str], present: Mapping, revenue_kinds: Collection[str]
) -> tuple[dict[str, str], list[Proposal]]:
    chosen, items = dict(present.clearing), list[Proposal]()
    for method in methods:
        if method not in chosen and chosen.get("*"):
            continue  # a person named an account for all others
        found = accounts.for_method(method, facts.ledger_accounts, revenue_kinds)
        item = _proposal(f"mapping.clearing['{method}']", chosen.get(method), _open(facts), _candidates(found))
        items.append(item)
        if item.value:
            chosen[method] = item.value
    return chosen, items


def _vat_accounts(facts: PackageFacts, keys: Sequence[str], present: Mapping) -> tuple[dict[str, str], list[Proposal]]:
    chosen, items = dict(present.vat_accounts), list[Proposal]()
    for key in keys:
        _, percent, country, _ = _parts(key)
        found = accounts.for_vat(percent, country, facts.country, facts.ledger_accounts)
        item = _proposal(f"mapping.vat_accounts['{key}']", chosen.get(key), _open(facts), _candidates(found))
        items.append(item)
        if item.value:
            chosen[key] = item.value
    return chosen, items


def _receivable(facts: PackageFacts, present: Mapping) -> tuple[str | None, list[Proposal]]:
    found = accounts.for_receivable(facts.ledger_accounts)
    item = _proposal("mapping.receivable", present.receivable, _open(facts), _candidates(found))
    return item.value or present.receivable, [item]


def _open(facts: PackageFacts) -> set[str]:
    return {account.id for account in facts.ledger_accounts if account.open}


def _candidates(found: Iterable[TaxRate | LedgerAccount]) -> tuple[Candidate, ...]:
    return tuple(Candidate(id=item.id, name=item.name) for item in found)


def _proposal(
    setting: str, present: str | None, usable: Collection[str], fitting: tuple[Candidate, ...], *, sure: bool = True
) -> Proposal:
    if present:
        return (
            Proposal(setting=setting, outcome="mapped")
            if present in usable
            else Proposal(setting=setting, outcome="gone", candidates=fitting)
        )
    if len(fitting) == 1 and sure:
        return Proposal(setting=setting, outcome="found", value=fitting[0].id, candidates=fitting)
    return Proposal(setting=setting, outcome="ambiguous" if fitting else "nothing", candidates=fitting)


# ------------------------------------------------------------------------------------------------------- tax rates


def _rates_for(key: str, facts: PackageFacts) -> tuple[list[TaxRate], bool]:
    """Return the rates that may be meant, and whether a single one of them may be taken without asking."""
    category, percent, country, margin = _parts(key)
    abroad = margin.startswith("ex ")  # an OSS sale from a stock abroad is never one of the home return
    countries = {None, country} if country == facts.country and not abroad else {country}
    same = [
        rate
        for rate in facts.tax_rates
        if rate.active and (rate.percent or Decimal(0)) == percent and rate.country in countries
    ]
    sure = True
    if percent == 0:
        same, sure = _zero_rates(_MARGIN if margin and not abroad else category, same)
    named = [rate for rate in same if _VAT_WORDS.search(rate.name)]
    return (named if len(named) == 1 else same), sure


def _zero_rates(category: VatCategory | str, rates: Sequence[TaxRate]) -> tuple[list[TaxRate], bool]:
    """Of the rates of 0 %, those whose name says this treatment; the plain zero rate is what no word tells apart.

    Where no name says it, all are candidates and none is taken: a plain 0 % is no answer to an export, because the
    VAT return has a box of its own for each.
    """
    own = _WORDS.get(category)
    if own is None:
        return [rate for rate in rates if not any(word.search(rate.name) for word in _WORDS.values())], True
    named = [rate for rate in rates if own.search(rate.name)]
    others = [word for other, word in _WORDS.items() if other is not category]
    plain = [rate for rate in named if not any(word.search(rate.name) for word in others)]
    return (plain or named or list(rates)), bool(plain)


def _parts(key: str) -> tuple[VatCategory, Decimal, str, str]:
    """Take a key apart: category, rate, country, and what else it says (``VATEX-EU-F``, ``ex DE``)."""
    try:
        category, percent, country, *exemption = key.split(" ")
        return VatCategory(category), Decimal(percent), country, " ".join(exemption)
    except (ValueError, InvalidOperation):
        raise NotConfigured(f"the key {key!r} of mapping.tax_rates is not like 'S 21 NL'") from None
