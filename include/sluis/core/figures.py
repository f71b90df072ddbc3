"""What the store keeps of a booked document's content: sums per kind of line, product category and VAT treatment.

Enough to reverse the document on the same ledger accounts, to add days up, and to reconcile per rate and country; no
line, no description, no person. Signed: negative on a credit note. Whole cents of the document's currency.
"""

from __future__ import annotations

from collections.abc import Iterable

from sluis.core.frozen import Frozen
from sluis.core.invoice import Invoice, VatTreatment
from sluis.core.money import cents
from sluis.core.order import LineKind


class Figure(Frozen):
    """One sum. ``kind`` ``None``: rounding."""

    kind: LineKind | None
    category: str | None  #: the shop's product class
    treatment: VatTreatment | None  #: ``None``: cash rounding, which no VAT law knows
    net_cents: int
    vat_cents: int
    lines: int = 1  #: how many lines it adds up: a package that computes VAT itself may be a cent off for each


Figures = tuple[Figure, ...]


def figures_of(invoice: Invoice) -> Figures:
    """Return the signed sums of a document, in a fixed order; cash rounding is one with ``treatment`` ``None``."""
    sign = invoice.kind.sign
    found = [
        Figure(
            kind=line.kind,
            category=line.category,
            treatment=line.treatment,
            net_cents=sign * cents(line.net),
            vat_cents=sign * cents(line.vat),
        )
        for line in invoice.lines
    ]
    if invoice.rounding_amount:
        rounding = sign * cents(invoice.rounding_amount)
        found.append(Figure(kind=None, category=None, treatment=None, net_cents=rounding, vat_cents=0))
    return add_up(found)


def add_up(figures: Iterable[Figure]) -> Figures:
    """Add figures of the same kind, category and treatment; the result does not depend on their order."""
    sums: dict[str, Figure] = {}
    for figure in figures:
        treatment = figure.treatment.model_dump_json() if figure.treatment else ""
        key = f"{figure.kind or ''}|{figure.category or ''}|{treatment}"
        known = sums.get(key)
        sums[key] = (
            figure
            if known is None
            else known.model_copy(
                update={
                    "net_cents": known.net_cents + figure.net_cents,
                    "vat_cents": known.vat_cents + figure.vat_cents,
                    "lines": known.lines + figure.lines,
                }
            )
        )
    return tuple(sums[key] for key in sorted(sums))


def negated(figures: Iterable[Figure]) -> Figures:
    """Return what takes the figures back."""
    return tuple(f.model_copy(update={"net_cents": -f.net_cents, "vat_cents": -f.vat_cents}) for f in figures)
