"""What counts as a change of a booked document: a text of what the books hold, the same for the same content.

The text is hashed with the merchant's key by ``privacy.pseudonyms``, which adds what is personal (VAT number, company):
nothing personal stands here. Left out on purpose, because a change of it is no change of the books: status, payment
state, modified date, invoice number (fixed by the claim), document date (fixed when booked: an order booked unpaid gets
a payment date later), description and quantity (words; the amounts tell), buyer's name and address (the debtor's, not
the document's) and the order of the lines.

The form is pinned by a test: another form would call every booked document changed.
"""

from __future__ import annotations

from sluis.core.invoice import Invoice, InvoiceLine
from sluis.core.money import cents
from sluis.core.rates import tidy

_FORM = "1"


def content(invoice: Invoice) -> str:
    """Return the canonical text of ``invoice``: kind, currency, buyer's country, total in cents, lines (sorted)."""
    head = [
        _FORM,
        invoice.kind.value,
        invoice.currency,
        invoice.buyer.address.country,
        str(cents(invoice.total_with_vat)),
    ]
    return "\n".join(["|".join(head), *sorted(_line(line) for line in invoice.lines)])


def _line(line: InvoiceLine) -> str:
    treatment = line.treatment
    parts = [line.kind.value if line.kind else "rounding", str(cents(line.net)), str(cents(line.vat))]
    return "|".join([*parts, treatment.category.value, str(tidy(treatment.rate)), treatment.country])
