"""Which ledger accounts may be meant for what, by their names (Dutch and English) and kinds.

Names tell little for certain, so everything found is a candidate; who asks takes one only where it is alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from decimal import Decimal

from sluis.core.mapping import OWED
from sluis.core.order import LineKind
from sluis.ports import LedgerAccount


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


ROUNDING = _words(r"afronding|rounding")
_KIND_WORDS = {
    LineKind.GOODS: _words(r"omzet|verkopen|sales|revenue"),
    LineKind.SHIPPING: _words(r"verzend|vracht|shipping|freight"),
    LineKind.FEE: _words(r"betaalkosten|toeslag|\bfees?\b"),
    LineKind.DISCOUNT: _words(r"korting|discount"),
    LineKind.TIP: _words(r"\bfooi(en)?\b|\btips?\b"),
    LineKind.DEPOSIT: _words(r"statiegeld|emballage|container deposit"),
    LineKind.GIFT_CARD: _words(r"cadeau|waardebon|gift ?card|voucher|tegoedbon"),
}
#: Kinds whose lines stand with goods where they have no account of their own.
FALLS_BACK = frozenset(LineKind) - OWED - {LineKind.GOODS}
_UNSORTED = _words(r"ongecategoriseerd|uncategori[sz]ed|te rubriceren")

#: Payment providers by what a shop's method code and an account's name have in common.
_PROVIDERS = {
    name: _words(pattern)
    for name, pattern in {
        "paypal": r"paypal|ppcp",
        "mollie": r"mollie",
        "stripe": r"stripe",
        "klarna": r"klarna",
        "adyen": r"adyen",
        "buckaroo": r"buckaroo",
        "multisafepay": r"multisafepay",
        "pay.nl": r"pay\.?nl|paynl",
        "woopayments": r"woo(commerce)?[_ ]?payments",
        "riverty": r"riverty|afterpay",
        "in3": r"\bin3\b",
        "billink": r"billink",
        "bol": r"\bbol(\.com)?\b",
        "amazon": r"amazon",
    }.items()
}
#: An account for whichever provider.
_ANY_PROVIDER = _words(
    r"betaaldienst|payment (service|provider)|\bpsp\b|tussenrekening|kruispost|clearing|onderweg|in transit|ideal"
)
_BANK = r"\bbank\b|\b(ing|rabo(bank)?|abn|knab|bunq|triodos)\b"
_BY_HAND = (
    (_words(r"^cod$|cash|pin_?$"), _words(r"\bkas\b|cash|contant|rembours")),
    (_words(r"^(bacs|cheque)$|bank_?transfer|overboeking"), _words(_BANK)),
)
_RECEIVABLE = _words(r"debiteur|receivable")
_VAT = _words(r"\b(btw|vat|omzetbelasting)\b")
#: VAT that is got back, and the account of what was declared: never that of sales.
_NOT_OF_SALES = _words(r"inkoop|voorbelasting|te vorderen|input|purchase|aangifte|r/c|rekening-courant|verlegd|invoer")
_OSS = _words(r"\boss\b|[ée][ée]n-?loket|one.?stop")
_HIGH_LOW = ((_words(r"\bhoog\b|\bhigh\b"), Decimal(21)), (_words(r"\blaag\b|\blow\b"), Decimal(9)))
_PERCENT = re.compile(r"(\d{1,2}(?:[.,]\d{1,2})?) ?%")
_COSTS = _words(r"expense|cost")


def of_kind(kind: LineKind, accounts: Iterable[LedgerAccount], revenue_kinds: Collection[str]) -> list[LedgerAccount]:
    """Return the accounts on which lines of this kind may stand; what is owed to somebody is no revenue."""
    active = [account for account in accounts if account.active and not _UNSORTED.search(account.name)]
    wanted = [account for account in active if (account.kind in revenue_kinds) is (kind not in OWED)]
    named = [account for account in wanted if _KIND_WORDS[kind].search(account.name)]
    if kind is not LineKind.GOODS:
        return named
    special = [ROUNDING, *(word for other, word in _KIND_WORDS.items() if other is not LineKind.GOODS)]
    plain = [account for account in wanted if not any(word.search(account.name) for word in special)]
    return plain if len(plain) == 1 else [account for account in named if account in plain] or plain


def for_rounding(accounts: Iterable[LedgerAccount]) -> list[LedgerAccount]:
    """Return the accounts for differences of a cent."""
    return [account for account in accounts if account.active and ROUNDING.search(account.name)]


def for_method(method: str, accounts: Iterable[LedgerAccount], revenue_kinds: Collection[str]) -> list[LedgerAccount]:
    """Return the accounts on which the payments of a shop's method may come in.

    First those named after its provider, else those for providers of any name; cash and bank for what goes by hand.
    """
    usable = [a for a in accounts if a.open and a.kind not in revenue_kinds and not _COSTS.search(a.kind)]
    for codes, names in _BY_HAND:
        if codes.search(method):
            return [account for account in usable if names.search(account.name)]
    own = [words for words in _PROVIDERS.values() if words.search(method)]
    named = [account for account in usable if any(words.search(account.name) for words in own)]
    general = [account for account in usable if _ANY_PROVIDER.search(account.name) and not _of_a_provider(account)]
    return named or general


def for_receivable(accounts: Iterable[LedgerAccount]) -> list[LedgerAccount]:
    """Return the accounts of what customers owe."""
    return [account for account in accounts if account.open and _RECEIVABLE.search(account.name)]


def for_vat(percent: Decimal, country: str, home: str, accounts: Iterable[LedgerAccount]) -> list[LedgerAccount]:
    """Return the accounts on which this VAT may stand: abroad those that name the country or the one stop shop."""
    vat = [
        account
        for account in accounts
        if account.open and _VAT.search(account.name) and not _NOT_OF_SALES.search(account.name)
    ]
    if country != home:
        own = [account for account in vat if re.search(rf"\b{re.escape(country)}\b", account.name)]
        return own or [account for account in vat if _OSS.search(account.name)]
    at_home = [account for account in vat if not _OSS.search(account.name)]
    told = [account for account in at_home if _says(account.name) == percent]
    return told or [account for account in at_home if _says(account.name) is None]


def _of_a_provider(account: LedgerAccount) -> bool:
    return any(words.search(account.name) for words in _PROVIDERS.values())


def _says(name: str) -> Decimal | None:
    """Return the rate that an account's name tells; the Dutch ones also by word."""
    found = _PERCENT.search(name)
    if found:
        return Decimal(found.group(1).replace(",", "."))
    return next((rate for words, rate in _HIGH_LOW if words.search(name)), None)
