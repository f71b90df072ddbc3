"""A journal entry: what goes to the books instead of an invoice, per order or per day. Debit equals credit."""

from __future__ import annotations

from datetime import date

from pydantic import model_validator

from sluis.core.frozen import Currency, Frozen
from sluis.core.invoice import VatTreatment, total
from sluis.core.money import ZERO, Amount


class JournalLine(Frozen):
    """One side of an entry: exactly one of ``debit`` and ``credit`` is above zero."""

    account: str  #: the package's id of the ledger account
    debit: Amount = ZERO
    credit: Amount = ZERO
    description: str  #: words of ours only: no name, no product
    treatment: VatTreatment | None = None  #: on revenue: the VAT it belongs to; on a VAT account: whose VAT it is
    is_vat: bool = False  #: the amount *is* VAT
    debtor_id: str | None = None  #: on the receivable of a single order


class JournalEntry(Frozen):
    """A balanced entry under a reference that is unique in the administration."""

    reference: str
    issue_date: date
    currency: Currency
    lines: tuple[JournalLine, ...]
    total_with_vat: Amount  #: signed: what the documents in it add up to
    total_vat: Amount  #: signed

    @model_validator(mode="after")
    def _balanced(self) -> JournalEntry:
        if any((line.debit > 0) == (line.credit > 0) or min(line.debit, line.credit) < 0 for line in self.lines):
            raise ValueError("every line is either debit or credit, above zero")
        if total(line.debit for line in self.lines) != total(line.credit for line in self.lines):
            raise ValueError("debit is not credit")
        return self
