"""Journal entries between sluis and Moneybird: general journal documents.

Moneybird keeps no totals of such a document and answers no tax rate with its lines, so what an entry adds up to is read
back from our own words on its lines: one with VAT treatment ends in its key (``Sales S 21 NL``), and one that *is* VAT
begins with ``VAT``. What was paid and what is owed carries no key. The first line bears our mark, since there is no
field for a source.
"""

from __future__ import annotations

import re
from typing import Any

from sluis.accounting.moneybird.client import text
from sluis.accounting.moneybird.mapping import amount, cleaned, day
from sluis.accounting.moneybird.settings import LONGEST_TEXT, MARK, VENDOR
from sluis.core.invoice import VatCategory
from sluis.core.journal import JournalEntry, JournalLine
from sluis.core.mapping import Mapping, tax_key
from sluis.core.money import ZERO
from sluis.errors import Defect, NotConfigured
from sluis.ports import Booked

Json = dict[str, Any]

_CATEGORIES = "|".join(category.value for category in VatCategory)
_KEYED = re.compile(rf"(?:^| )(?:{_CATEGORIES}) \d+(?:\.\d+)? [A-Z]{{2}}(?: VATEX-EU-[A-Z])?$")
_VAT = "VAT "
_ID = re.compile(r"^\d+$")
#: What can stand in a filter term as it is: a comma would end the term, and a space may be squeezed.
_PLAIN = re.compile(r"^[A-Za-z0-9._/-]+$")


def entry_payload(entry: JournalEntry, mapping: Mapping) -> Json:
    """Return a general journal document. Raises ``NotConfigured`` for an account or tax rate that is not mapped."""
    lines = [_line(line, mapping, first=number == 0) for number, line in enumerate(entry.lines)]
    return {
        "reference": entry.reference,
        "date": entry.issue_date.isoformat(),
        "general_journal_document_entries_attributes": lines,
    }


def _line(line: JournalLine, mapping: Mapping, *, first: bool) -> Json:
    if not _ID.fullmatch(line.account):
        raise _unmapped("the account of a journal line")
    room = LONGEST_TEXT - (len(MARK) + 1) * first
    sent: Json = {
        "ledger_account_id": line.account,
        "debit": f"{line.debit:.2f}",
        "credit": f"{line.credit:.2f}",
        "description": (f"{MARK} " if first else "") + _words(line)[-room:].strip(),
    }
    if line.treatment is not None:
        rate = mapping.tax_rate(line.treatment)
        if not _ID.fullmatch(rate or ""):
            raise _unmapped(f"mapping.tax_rates['{tax_key(line.treatment)}']")
        sent["tax_rate_id"] = rate
    if line.debtor_id is not None:
        sent["contact_id"] = line.debtor_id
    return sent


def _words(line: JournalLine) -> str:
    """Return a line's description in the form that :func:`read` understands."""
    words = cleaned(line.description)
    if line.treatment is None:
        return f"{words} -" if _KEYED.search(words) else words
    key = tax_key(line.treatment)
    if line.is_vat:
        return f"{_VAT}{key}"
    words = words if words.endswith(key) else f"{words} {key}".strip()
    return words if not words.startswith(_VAT) else f"On {words}"


def _unmapped(setting: str) -> NotConfigured:
    return NotConfigured(
        f"{VENDOR}: {setting} is not filled with an id; see 'sluis integration check'", code="mapping_missing"
    )


def read(row: Json) -> Booked:
    """Read a general journal document; its totals are those of our own lines, zero for an entry of others.

    An entry with a debtor on any of its lines is that debtor's. Moneybird has no other currency here than the books'.
    """
    total = vat = ZERO
    debtor = None
    for line in lines_of(row):
        words = str(line.get("description") or "").removeprefix(MARK).strip()
        credit = amount(line, "credit") - amount(line, "debit")
        debtor = debtor or line.get("contact_id")
        if _KEYED.search(words):
            total += credit
            vat += credit if words.startswith(_VAT) else ZERO
    return Booked(
        external_id=text(row, "id"),
        reference=str(row.get("reference") or ""),
        issue_date=day(row, "date"),
        currency="EUR",
        total_with_vat=total,
        total_vat=vat,
        debtor_id=None if debtor is None else str(debtor),
        ours=made_by_us(row),
    )


def posted(entry: JournalEntry, row: Json) -> Booked:
    """Read the answer to an entry that was sent. ``Defect`` where what stands is not what was sent, to the cent."""
    sent = sorted((line.account, line.debit, line.credit) for line in entry.lines)
    stands = [
        (text(item, "ledger_account_id"), amount(item, "debit"), amount(item, "credit")) for item in lines_of(row)
    ]
    if sorted(stands) != sent:
        raise Defect(f"{VENDOR}: the lines of an answer are not those of the entry", code="odd_answer")
    return read(row)


def made_by_us(row: Json) -> bool:
    """Whether sluis made this entry."""
    return any(str(line.get("description") or "").startswith(MARK) for line in lines_of(row))


def lines_of(row: Json) -> list[Json]:
    """Return the lines of a document; ``Defect`` where it has none to read."""
    lines = row.get("general_journal_document_entries")
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise Defect(f"{VENDOR}: a journal document of an answer has no lines", code="odd_answer")
    return lines


def term(reference: str) -> str | None:
    """Return a reference as a filter can ask for it; ``None``: the whole period must be read."""
    return reference if _PLAIN.fullmatch(reference) else None
