"""The journal entries (general journal documents) of one sandbox administration, checked as Moneybird's API does.

Invented where its OpenAPI file (v2-20260821) is silent: that debit must equal credit, and how a locked period is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sluis.core.money import ZERO
from sluis.sandbox.chart import Chart
from sluis.sandbox.contacts import Contacts
from sluis.sandbox.moneybird import Invalid, Json, money, plain, symbolic, unprocessable

ENTRY_FIELDS = frozenset({"reference", "date", "journal_type", "general_journal_document_entries_attributes"})
LINE_FIELDS = frozenset({
    "id", "ledger_account_id", "tax_rate_id", "description", "debit", "credit", "project_id", "row_order", "_destroy",
    "contact_id",
})  # fmt: skip


@dataclass
class Memorial(Contacts):
    """The journal entries, and the chart that they share with the invoices."""

    entries: dict[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chart = Chart(self.config.id, self.now())

    def open_day(self, given: Json, name: str) -> date:
        """Return the day of a document (today where none is given). Raises ``Invalid`` (422) in a locked period."""
        day = day_of(given, name) or self.clock().date()
        locked = self.config.period_locked_until
        if locked and day.isoformat() <= locked:
            raise unprocessable(**{name: ("is in a locked period", "locked_period")})
        return day

    def create_entry(self, given: Json) -> Json:
        """Create a general journal document. Raises ``Invalid`` (400, 422)."""
        unknown = sorted(set(given) - ENTRY_FIELDS)
        if unknown:
            raise symbolic(400, f"Unknown parameter: {unknown[0]}", {"general_journal_document": {unknown[0]: "x"}})
        day = self.open_day(given, "date")
        lines = given.get("general_journal_document_entries_attributes") or []
        lines = list(lines.values()) if isinstance(lines, dict) else lines
        if not lines:
            raise unprocessable(general_journal_document_entries=("can't be blank", "blank"))
        with self.lock:
            made = [self._line(line, number) for number, line in enumerate(lines)]
            if sum((Decimal(line["debit"]) - Decimal(line["credit"]) for line in made), ZERO) != ZERO:
                raise unprocessable(base=("debit and credit are not equal", "unbalanced"))
            entry = {
                "id": self._id(),
                "administration_id": int(self.config.id),
                "reference": given.get("reference"),
                "date": day.isoformat(),
                "journal_type": None,
                **self._stamps(),
                "general_journal_document_entries": made,
                "notes": [],
                "attachments": [],
                "events": [self._event("document_saved")],
            }
            self.entries[entry["id"]] = entry
        return entry

    def _line(self, given: Json, number: int) -> Json:
        unknown = sorted(set(given) - LINE_FIELDS)
        if unknown:
            raise symbolic(400, f"Unknown parameter: {unknown[0]}", {"general_journal_document": {unknown[0]: "x"}})
        account = self.chart.any_account(given.get("ledger_account_id"))
        if account is None:
            raise unprocessable(general_journal_document_entries__ledger_account_id=("is not found", "invalid"))
        if given.get("tax_rate_id") and self.chart.sales_rate(given["tax_rate_id"]) is None:
            raise unprocessable(general_journal_document_entries__tax_rate_id=("is not found", "invalid"))
        contact_id = given.get("contact_id")
        if contact_id and str(contact_id) not in self.contacts:
            raise unprocessable(general_journal_document_entries__contact_id=("is not found", "invalid"))
        now = self.now()
        return {
            "id": self._id(),
            "administration_id": int(self.config.id),
            "ledger_account_id": account["id"],
            "project_id": None,
            "contact_id": str(contact_id) if contact_id else None,
            "debit": plain(money(given.get("debit") or 0, "general_journal_document_entries__debit")),
            "credit": plain(money(given.get("credit") or 0, "general_journal_document_entries__credit")),
            "row_order": given.get("row_order", number),
            "created_at": now,
            "updated_at": now,
            "description": given.get("description"),
        }

    def entry(self, entry_id: str) -> Json:
        """Return a journal entry by id. Raises ``Invalid`` (404)."""
        if entry_id not in self.entries:
            raise _not_found()
        return self.entries[entry_id]

    def delete_entry(self, entry_id: str) -> None:
        """Delete a journal entry, as a bookkeeper may do by hand. Raises ``Invalid`` (404)."""
        with self.lock:
            if self.entries.pop(entry_id, None) is None:
                raise _not_found()

    def list_entries(self, start: date, end: date, terms: Json) -> list[Json]:
        """Return the journal entries of a period (both days included) that fit the other terms, newest first."""
        first, last = start.isoformat(), end.isoformat()
        with self.lock:
            found = [entry for entry in self.entries.values() if first <= entry["date"] <= last]
        if "reference" in terms:
            found = [entry for entry in found if entry["reference"] == terms["reference"]]
        for name in ("contact_id", "ledger_account_id"):
            if name in terms:
                found = [entry for entry in found if any(line[name] == terms[name] for line in _lines(entry))]
        return sorted(found, key=lambda entry: (entry["date"], entry["id"]), reverse=True)

    def entered(self, account_id: str) -> Decimal:
        """Return what the journal entries leave on a ledger account: debit less credit."""
        lines = [line for entry in self.entries.values() for line in _lines(entry)]
        return sum(
            (Decimal(row["debit"]) - Decimal(row["credit"]) for row in lines if row["ledger_account_id"] == account_id),
            ZERO,
        )


def _lines(entry: Json) -> list[Json]:
    lines: list[Json] = entry["general_journal_document_entries"]
    return lines


def _not_found() -> Invalid:
    return symbolic(404, "record not found", {"id": "not_found"})


def day_of(given: Json, name: str) -> date | None:
    """Return a day of a request, ``None`` where there is none. Raises ``Invalid`` (422)."""
    if not given.get(name):
        return None
    try:
        return date.fromisoformat(str(given[name])[:10])
    except ValueError:
        raise unprocessable(**{name: ("is not a valid date", "is not a valid date")}) from None
