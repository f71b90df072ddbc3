"""What counts as a change of a booked document: a text of what the books hold, the same for the same content.

The text is hashed with the merchant's key by ``privacy.pseudonyms``, which adds what is personal (VAT number, company):
nothing personal stands here. Left out on purpose, because a change of it is no change of the books: status, payments,
modified date, invoice number (fixed by the claim), document date (fixed when booked: an order booked unpaid gets a
payment date later), evidence and the shop's own currency (the converted amounts tell), description and quantity (words;
the amounts tell), product class (a merchant's own order of things), buyer's name and address (the debtor's, not the
document's; where documents carry them, as UBL files do, ``privacy.pseudonyms`` adds them) and the order of the lines.

The form is pinned by a test: another form would call every booked document changed.
"""

from __future__ import annotations

from sluis.core.invoice import Invoice, InvoiceLine
from sluis.core.money import cents
from sluis.core.rates import tidy

_FORM = "1"


def content(invoice: Invoice) -> str:
    """Return the canonical text of ``invoice``: what stands above its lines, then the lines, sorted.

    First kind, part, currency, countries of buyer and delivery, what is owed and its cash rounding in cents.
    """
    head = [
        _FORM,
        invoice.kind.value,
        invoice.part,
        invoice.currency,
        invoice.buyer.address.country,
        invoice.ship_to_country,
        str(cents(invoice.owed)),
        str(cents(invoice.rounding_amount)),
    ]
    return "\n".join(["|".join(head), *sorted(_line(line) for line in invoice.lines)])


def _line(line: InvoiceLine) -> str:
    treatment = line.treatment
    parts = [line.kind.value if line.kind else "rounding", str(cents(line.net)), str(cents(line.vat))]
    vat = [treatment.category.value, str(tidy(treatment.rate)), treatment.country, treatment.scheme.value]
    return "|".join(
        [*parts, *vat, treatment.exemption or "", "services" if treatment.services else "", treatment.dispatched_from]
    )
