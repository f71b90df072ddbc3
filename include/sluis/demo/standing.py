"""What sluis says stands in a merchant's books, and what the books count themselves: equal in documents and cents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sluis.core.money import ZERO, cents
from sluis.flows.summaries import NOTHING
from sluis.flows.wiring import Session
from sluis.store.database import rows

#: Ledger accounts of the sandbox's chart on which an entry puts what was sold: revenue, VAT, vouchers and deposits.
_SOLD = ("8", "15", "18")


@dataclass(frozen=True)
class Sum:
    """Documents and their signed euro cents with VAT."""

    documents: int = 0
    cents: int = 0


@dataclass(frozen=True)
class Books:
    """What is in the books, counted by the books or by sluis."""

    invoices: Sum = Sum()  #: credit notes, reversals and parts among them
    entries: Sum = Sum()  #: journal entries
    payments: Sum = Sum()  #: registered on invoices, less what was paid back

    @property
    def cents(self) -> int:
        """What all documents come to, with VAT."""
        return self.invoices.cents + self.entries.cents


@dataclass(frozen=True)
class Standing:
    """What sluis' own rows say of one integration."""

    books: Books = Books()
    days: Sum = Sum()  #: the posted entries of days, which are among ``books.entries``
    singly: Sum = Sum()  #: entries of one document each, which are the others of them
    in_entries: Sum = Sum()  #: the documents that the posted entries of days hold
    waiting: Sum = Sum()  #: accounted for, posted when their day is over
    quarantined: Sum = Sum()
    reasons: tuple[str, ...] = ()  #: of what is quarantined
    reversals: Sum = Sum()  #: of the documents above: credit notes that take an invoice back
    replacements: Sum = Sum()
    parts: Sum = Sum()  #: further documents of one order: a voucher sold together with goods

    @property
    def cents(self) -> int:
        """What the shop's documents come to that are booked or wait for their day, corrections included."""
        return self.books.invoices.cents + self.singly.cents + self.in_entries.cents + self.waiting.cents


_ROWS = """select case when kind = 'day_summary' then 'days' when summary_key is not null then 'in_entries'
        when state = 'held' then 'waiting' when form = 'invoice' then 'invoices' else 'singly' end as place,
    case when kind = 'credit_note' and reference ~ '-C$' then 'reversal' when reference ~ '-R[0-9]+$'
        then 'replacement' when reference ~ '-V[0-9]+' then 'part' else '' end as made,
    count(*)::int as documents, coalesce(sum(total_cents), 0)::bigint as cents
    from sluis.booking where merchant_code = %(merchant)s and integration_code = %(code)s
    and state in ('booked', 'held') and external_id is distinct from %(nothing)s group by 1, 2"""
_PAID = """select count(*)::int as documents, coalesce(sum(amount_cents), 0)::bigint as cents from sluis.payment
    where merchant_code = %(merchant)s and integration_code = %(code)s and state = 'booked'"""


def standing(session: Session) -> Standing:
    """Add up an integration's own rows."""
    where = {"merchant": session.integration.merchant, "code": session.integration.code, "nothing": NOTHING}
    found = rows(session.conn, _ROWS, where)
    paid = rows(session.conn, _PAID, where)[0]
    waits = session.quarantine.summary()

    def of(column: str, value: str) -> Sum:
        chosen = [row for row in found if row[column] == value]
        return Sum(sum(row["documents"] for row in chosen), sum(int(row["cents"]) for row in chosen))

    days, singly = of("place", "days"), of("place", "singly")
    entries = Sum(days.documents + singly.documents, days.cents + singly.cents)
    return Standing(
        books=Books(of("place", "invoices"), entries, Sum(paid["documents"], int(paid["cents"]))),
        days=days,
        singly=singly,
        in_entries=of("place", "in_entries"),
        waiting=of("place", "waiting"),
        quarantined=Sum(sum(one.documents for one in waits), sum(one.total_cents for one in waits)),
        reasons=tuple(sorted({one.reason for one in waits})),
        reversals=of("made", "reversal"),
        replacements=of("made", "replacement"),
        parts=of("made", "part"),
    )


def counted(administration: Mapping[str, Any]) -> Books:
    """Return what a sandbox administration counts itself.

    An entry's lines balance, so that all accounts together hold the payments on invoices, and those of what is sold
    hold what the entries come to. (No merchant of the demo books by entry and takes gift cards: they would lower it.)
    """
    balances = {code: Decimal(amount) for code, amount in administration["accounts"].items()}
    sold = sum((amount for code, amount in balances.items() if code.startswith(_SOLD)), ZERO)
    entries = int(administration["journal_entries"])
    return Books(
        invoices=Sum(administration["invoices"], administration["invoices_cents"]),
        entries=Sum(entries, -cents(sold) if entries else 0),
        payments=Sum(administration["payments"], cents(sum(balances.values(), ZERO))),
    )
