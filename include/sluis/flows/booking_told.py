"""How a document is told: its outcome in other words, by what the books hold of it."""

from __future__ import annotations

from sluis.core import reasons
from sluis.core.invoice import DocumentOutcome, Invoice, Result
from sluis.core.invoicing import outcome
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
    called = row.reference or document.reference
    return document.model_copy(update={"reference": called, "external_id": row.external_id})


def expired(invoice: Invoice, row: Booking, *, same: bool) -> DocumentOutcome | None:
    """Return what becomes of a document whose row retention has emptied; ``None``: nothing is to be done about it.

    Nobody can take back what it was booked on, nor post what it was held with: a person does.
    """
    if not row.emptied or (same and not row.waits_for_summary):
        return None
    reason = reasons.HELD_EXPIRED if row.waits_for_summary else reasons.BOOKED_FIGURES_EXPIRED
    return outcome(invoice, Result.QUARANTINED, reason=reason, field="figures", external_id=row.external_id)


def reason_of(error: Refused) -> str:
    """Return the reason of a refusal; a package's own codes are one reason."""
    return error.code if error.code in reasons.REASONS else reasons.REFUSED_BY_PACKAGE
