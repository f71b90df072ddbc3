"""Journal entries made of documents: one per order, or one per day over all orders that need no debtor of their own.

A document that must be seen on its own debtor is always booked singly: intra-Community and reverse-charge sales and
buyers with a VAT number (the recapitulative statement is made per VAT number: VAT directive art. 264, Wet OB art. 37a)
and whatever is not settled in full (an open item is somebody's). Amounts of figures and of ``Paid`` are signed cents,
negative on a credit note; an entry has them as debit or credit above zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from sluis.core.figures import Figures, figures_of
from sluis.core.frozen import Currency, Frozen
from sluis.core.invoice import Invoice, VatCategory, VatTreatment
from sluis.core.journal import JournalEntry, JournalLine
from sluis.core.mapping import OWED, Mapping, tax_key
from sluis.core.money import ZERO, cents, from_cents
from sluis.core.order import LineKind, Payment
from sluis.errors import Defect, NotConfigured

#: Sales that the recapitulative statement (ICP) lists per buyer.
_LISTED = frozenset({VatCategory.INTRA_COMMUNITY, VatCategory.REVERSE_CHARGE})


class Paid(Frozen):
    """What was paid by one method, signed: negative where it was paid back."""

    method: str  #: the shop's code
    gift_card: bool = False
    cents: int


class Member(Frozen):
    """One document of a day's entry, as the store keeps it: no number, no person. Cents are signed."""

    figures: Figures
    paid: tuple[Paid, ...]
    total_cents: int  #: with VAT, without cash rounding
    vat_cents: int
    currency: Currency


def singly(invoice: Invoice) -> bool:
    """Whether a document is booked on its own debtor, also where a day's orders are booked together."""
    return listed(invoice) or open_cents(invoice) != 0


def listed(invoice: Invoice) -> bool:
    """Whether a document counts per buyer: in the recapitulative statement, or because he has a VAT number."""
    return any(line.treatment.category in _LISTED for line in invoice.lines) or bool(invoice.buyer.vat_number)


def paid_of(invoice: Invoice) -> tuple[Paid, ...]:
    """Return what was paid on a document (back, on a credit note: negative) per method, in a fixed order."""
    sign = invoice.kind.sign
    each = [Paid(method=p.method, gift_card=p.gift_card, cents=sign * cents(p.amount)) for p in invoice.payments]
    return paid_together([each])


def paid_together(documents: Iterable[Iterable[Paid]]) -> tuple[Paid, ...]:
    """Add up what was paid on several documents, per method."""
    sums: dict[tuple[str, bool], int] = {}
    for paid in documents:
        for part in paid:
            key = (part.method, part.gift_card)
            sums[key] = sums.get(key, 0) + part.cents
    return tuple(Paid(method=m, gift_card=g, cents=n) for (m, g), n in sorted(sums.items()) if n)


def open_cents(invoice: Invoice) -> int:
    """Return what is still to be paid, signed cents: what is owed less what was paid."""
    return invoice.kind.sign * cents(invoice.owed) - sum(paid.cents for paid in paid_of(invoice))


def entry_of(invoice: Invoice, mapping: Mapping, debtor_id: str | None) -> JournalEntry:
    """Return the entry of one document; with a debtor its open amount and its revenue stand on him.

    Debit what was paid (clearing accounts) and what is open (the receivable), credit revenue and VAT; a credit note
    the other way round. Where its own date lies in a closed period, the lines of money name it. Raises
    ``NotConfigured`` naming the setting that must be filled.
    """
    rows = list(_rows(figures_of(invoice), paid_of(invoice), mapping, debtor_id))
    if (dated := invoice.original_date) is not None:
        moved = f" (dated {dated.isoformat()}, its period is closed)"
        rows = [row if row.treatment else replace(row, description=row.description + moved) for row in rows]
    return JournalEntry(
        reference=invoice.invoice_number,
        issue_date=invoice.issue_date,
        currency=invoice.currency,
        lines=_lines(rows),
        total_with_vat=invoice.kind.sign * invoice.total_with_vat,
        total_vat=invoice.kind.sign * invoice.total_vat,
    )


def late(
    payments: Iterable[Payment], counted: Iterable[Paid], sign: int, *, corrected: bool = False
) -> Iterator[tuple[Payment, str]]:
    """Yield what was paid beyond what the books count for the document, oldest first, each with a name of its own.

    ``counted``: per method, signed as the document (``sign``). A payment that grew is late with the rest of it; not
    where the document was ``corrected``: it grew with the order's total, and the payment of before keeps its amount
    and its method.
    """
    left: dict[tuple[str, bool], int] = {}
    for part in counted:
        key = ("" if corrected else part.method, part.gift_card)
        left[key] = left.get(key, 0) + sign * part.cents
    for payment in sorted(payments, key=lambda p: (p.paid_at, p.payment_id)):
        key = ("" if corrected else payment.method, payment.gift_card)
        amount = cents(payment.amount)
        known = min(max(left.get(key, 0), 0), amount)
        left[key] = left.get(key, 0) - known
        if amount > known and not (corrected and known):
            rest = payment.model_copy(update={"amount": from_cents(amount - known)})
            yield rest, f"{payment.payment_id}/{known}"


def payment_entry(
    reference: str, on: date, currency: Currency, paid: Paid, mapping: Mapping, *, debtor_id: str | None
) -> JournalEntry:
    """Return the entry of what was paid (negative: back) on a document that stands as an entry: it settles the debtor.

    Raises ``NotConfigured`` naming the setting that must be filled.
    """
    settled = _Row(mapping.receivable or None, "mapping.receivable", "Receivable", paid.cents, debtor_id=debtor_id)
    return JournalEntry(
        reference=reference,
        issue_date=on,
        currency=currency,
        lines=_lines([_payment(paid, mapping), settled]),
        total_with_vat=ZERO,
        total_vat=ZERO,
    )


def payment_missing(paid: Paid, mapping: Mapping) -> str | None:
    """Name the setting without which :func:`payment_entry` cannot be made; ``None``: all is mapped."""
    if _payment(paid, mapping).account is None:
        return _payment(paid, mapping).setting
    return None if mapping.receivable else "mapping.receivable"


def summary_of(
    reference: str, issue_date: date, currency: Currency, members: Iterable[Member], mapping: Mapping
) -> JournalEntry:
    """Return the one entry of a day: per VAT treatment, account and payment method, with nobody's name in it.

    Its lines are empty where everything nets to zero. Raises ``NotConfigured`` naming the setting that must be filled,
    ``Defect`` when a member is not settled in full, does not agree with its own figures or is in another currency.
    """
    rows: list[_Row] = []
    total = vat = 0
    for member in members:
        _sound(member, currency)
        rows += _rows(member.figures, member.paid, mapping, None)
        total += member.total_cents
        vat += member.vat_cents
    return JournalEntry(
        reference=reference,
        issue_date=issue_date,
        currency=currency,
        lines=_lines(rows),
        total_with_vat=from_cents(total),
        total_vat=from_cents(vat),
    )


def missing(invoice: Invoice, mapping: Mapping) -> str | None:
    """Name the first setting without which a document cannot stand in a journal entry; ``None``: all is mapped."""
    rows = _rows(figures_of(invoice), paid_of(invoice), mapping, None)
    return next((row.setting for row in rows if row.account is None), None)


def day_missing(members: Iterable[Member], mapping: Mapping) -> str | None:
    """Name the first setting without which a day's entry cannot be posted; ``None``: all is mapped."""
    rows = (row for member in members for row in _rows(member.figures, member.paid, mapping, None))
    return next((row.setting for row in rows if row.account is None), None)


@dataclass(frozen=True)
class _Row:
    """One amount on its way to an account. ``setting`` is what must be filled where ``account`` is ``None``."""

    account: str | None
    setting: str
    description: str
    cents: int  #: credit above zero, debit below
    treatment: VatTreatment | None = None
    is_vat: bool = False
    debtor_id: str | None = None


def _rows(figures: Figures, paid: Iterable[Paid], mapping: Mapping, debtor_id: str | None) -> Iterator[_Row]:
    """Yield every amount of a document that is not zero: what was paid, what is open, revenue and VAT."""
    received = 0
    for part in paid:
        received += part.cents
        yield _payment(part, mapping)
    due = sum(f.net_cents + f.vat_cents for f in figures) - received
    if due:
        yield _Row(mapping.receivable or None, "mapping.receivable", "Receivable", -due, debtor_id=debtor_id)
    for figure in figures:
        treatment = figure.treatment
        if figure.net_cents:
            account = mapping.ledger_account(figure.kind, figure.category, treatment)
            words = _words(figure.kind, treatment)
            setting = _ledger_setting(figure.kind)
            yield _Row(account, setting, words, figure.net_cents, treatment, debtor_id=debtor_id)
        if figure.vat_cents and treatment is not None:
            key = tax_key(treatment)
            account, setting = mapping.vat_accounts.get(key) or None, f"mapping.vat_accounts['{key}']"
            yield _Row(account, setting, f"VAT {key}", figure.vat_cents, treatment, is_vat=True)


def _payment(paid: Paid, mapping: Mapping) -> _Row:
    account = mapping.clearing_account(paid.method, gift_card=paid.gift_card)
    key = "gift_card" if paid.gift_card else paid.method or "*"
    words = "Gift cards used" if paid.gift_card else f"Payments {paid.method}".rstrip()
    return _Row(account, f"mapping.clearing['{key}']", words, -paid.cents)


def _words(kind: LineKind | None, treatment: VatTreatment | None) -> str:
    if treatment is None:
        return "Cash rounding"
    what = {None: "Rounding", LineKind.GIFT_CARD: "Gift cards sold", LineKind.DEPOSIT: "Deposits"}.get(kind, "Sales")
    return f"{what} {tax_key(treatment)}"


def _ledger_setting(kind: LineKind | None) -> str:
    return f"mapping.revenue['{kind.value if kind in OWED and kind else 'goods'}']"


def _lines(rows: Iterable[_Row]) -> tuple[JournalLine, ...]:
    """Add rows up per account, words, treatment and debtor; what nets to zero is left out. The order is fixed."""
    sums: dict[tuple[str, str, str, bool, str], tuple[_Row, int]] = {}
    for row in rows:
        if row.account is None:
            raise NotConfigured(
                f"{row.setting} is not filled: journal entries need it (`sluis integration set`)",
                code="mapping_missing",
            )
        treatment = row.treatment.model_dump_json() if row.treatment else ""
        key = (row.account, row.description, treatment, row.is_vat, row.debtor_id or "")
        sums[key] = (row, sums.get(key, (row, 0))[1] + row.cents)
    places = sorted((key for key in sums if sums[key][1]), key=lambda key: (sums[key][1] > 0, key[3], key))
    return tuple(_line(*sums[key]) for key in places)


def _line(row: _Row, amount: int) -> JournalLine:
    return JournalLine(
        account=row.account or "",
        debit=from_cents(max(-amount, 0)),
        credit=from_cents(max(amount, 0)),
        description=row.description,
        treatment=row.treatment,
        is_vat=row.is_vat,
        debtor_id=row.debtor_id,
    )


def _sound(member: Member, currency: Currency) -> None:
    """A member stands in its day as it was accounted for: settled, to the cent, in the currency of the books."""
    owed = sum(f.net_cents + f.vat_cents for f in member.figures)
    taxed = [f for f in member.figures if f.treatment is not None]
    agrees = (sum(f.net_cents + f.vat_cents for f in taxed), sum(f.vat_cents for f in taxed)) == (
        member.total_cents, member.vat_cents,
    )  # fmt: skip
    if member.currency != currency or not agrees or owed != sum(paid.cents for paid in member.paid):
        raise Defect(
            f"a document of the day does not add up (owed {owed}, paid {sum(p.cents for p in member.paid)},"
            f" total {member.total_cents} {member.currency} cents)",
            code="summary_member",
        )
