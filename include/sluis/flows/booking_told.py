"""How a document is told: its outcome in other words, by what the books hold of it."""

from __future__ import annotations

from sluis.core import reasons
from sluis.core.invoice import DocumentOutcome, Invoice, Result
from sluis.errors import Refused
from sluis.store.bookings import Booking


def told_as(
    document: DocumentOutcome,
    result: Result,
    reason: str | None,
    field: str | None = None,
    external_id: str | None = None,
) -> DocumentOutcome:
    """Return the outcome with another result, reason and place in the books."""
    update = {"result": result, "reason": reason, "field": field, "external_id": external_id}
    return document.model_copy(update=update)


def not_before(credit_note: Invoice, sale: Booking | None) -> Invoice:
    """Date a credit note that is booked anew like the replacement it is on: what was before is settled."""
    if sale is None or sale.issue_date <= credit_note.issue_date:
        return credit_note
    own = credit_note.original_date or credit_note.issue_date
    return credit_note.model_copy(update={"issue_date": sale.issue_date, "original_date": own})


def as_it_stands(document: DocumentOutcome, row: Booking) -> DocumentOutcome:
    """Return the outcome under the number and id that the books hold."""
    return document.model_copy(update={"reference": row.reference, "external_id": row.external_id})


def reason_of(error: Refused) -> str:
    """Return the reason of a refusal; a package's own codes are one reason."""
    return error.code if error.code in reasons.REASONS else reasons.REFUSED_BY_PACKAGE
