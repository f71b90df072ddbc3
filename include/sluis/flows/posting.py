"""In which form a document goes to the books, and the two calls that every form has: send it, look it up.

``invoice``: a sales invoice on a debtor. ``journal_entry``: one entry per document. ``held``: accounted for here, and
posted by ``flows.summaries`` in the one entry of its day. A settled consumer sale without an invoice needs no debtor,
so none is made for it.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from sluis.core import journals, reasons
from sluis.core.invoice import Invoice
from sluis.core.settings import IntegrationSettings
from sluis.errors import Defect, Refused
from sluis.flows.wiring import Session
from sluis.ports import Booked

BookedAs = Literal["invoice", "journal_entry", "held"]


def form_of(invoice: Invoice, settings: IntegrationSettings, of: BookedAs | None = None) -> BookedAs:
    """Return as what a document is booked; ``of``: as what the sale stands that a refund belongs to.

    By day, what must be booked singly is an invoice and no journal entry: the package makes its list of intra-Community
    sales and its open items from invoices. A refund takes the form of its sale, so that it takes back what stands
    where it stands, also when the setting changed since; the refund of a held sale that is not paid back yet is
    somebody's open item and so an invoice. (A reversal takes the form of what it reverses, whatever it holds.)
    """
    modes: dict[str, BookedAs] = {"invoice": "invoice", "journal_entry": "journal_entry", "daily": "held"}
    form = of or modes[settings.booking_mode]
    return "invoice" if form == "held" and journals.singly(invoice) else form


def with_payments(settings: IntegrationSettings) -> bool:
    """Whether entries hold what was paid. By day always: what corrects a document of a day goes on where that began."""
    return settings.register_payments or settings.booking_mode == "daily"


def needs_debtor(invoice: Invoice, settings: IntegrationSettings, form: BookedAs) -> bool:
    """Whether a debtor must be there before the document is sent."""
    if form == "journal_entry":
        return journals.singly(_counted(invoice, settings))
    return form == "invoice"


def missing(invoice: Invoice, settings: IntegrationSettings, form: BookedAs) -> str | None:
    """Name the setting without which the document cannot stand in a journal entry; invoices ask the connector."""
    return None if form == "invoice" else journals.missing(_counted(invoice, settings, form), settings.mapping)


def send(session: Session, invoice: Invoice, debtor_id: str | None, form: BookedAs | None = None) -> Booked:
    """Create the document in the books, as ``form`` (default: by the settings). One call; raises as the package does.

    ``Refused`` names the setting that an entry lacks, ``Defect`` is for a document that is held: it has no entry of its
    own.
    """
    settings = session.integration.settings
    form = form or form_of(invoice, settings)
    if form == "held":
        raise Defect(f"document {invoice.invoice_number} is held for its day, not sent", code="held")
    if (setting := missing(invoice, settings, form)) is not None:
        raise Refused(f"{setting} is not filled", code=reasons.MAPPING_MISSING, field=setting)
    if form == "journal_entry":
        return session.package.post(journals.entry_of(_counted(invoice, settings), settings.mapping, debtor_id))
    if debtor_id is None:
        raise Defect(f"document {invoice.invoice_number} has no debtor", code="no_debtor")
    return session.package.book(invoice, debtor_id)


def find(  # noqa: PLR0917 - the port's own arguments, with the form before them
    session: Session, form: BookedAs, reference: str, total: Decimal, on: date, debtor_id: str | None
) -> Booked | None:
    """Look up what was sent: an entry by its reference, an invoice by reference and signed total too; or ``None``."""
    if form == "invoice":
        return session.package.find(reference, total, on, debtor_id)
    return session.package.find_entry(reference, on)


def _counted(invoice: Invoice, settings: IntegrationSettings, form: BookedAs = "journal_entry") -> Invoice:
    """Without payments an entry of its own leaves all open; a day has its clearing accounts always."""
    if with_payments(settings) or form == "held":
        return invoice
    return invoice.model_copy(update={"payments": ()})
