"""What documents are called in the books once retention emptied their number: made again, and held against its hash.

A number follows from the order's (``DESIGN.md`` section 5), and the row keeps a keyed hash of the one it was given. So
a credit note on an order of long ago still names its invoice. A number that does not fit the hash (another prefix than
today's, a former connector's own numbering) is not guessed: then the row has none, and a person books.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sluis.core.invoice import DocumentKind, Invoice, invoice_id
from sluis.core.invoice import DocumentOutcome as Outcome
from sluis.core.reversal import reversal_id
from sluis.core.sale import SUFFIXES
from sluis.flows.wiring import Session
from sluis.store.bookings import Booking

Key = tuple[DocumentKind, bytes]
#: How many replacements of an invoice, and credit notes on one, are looked through.
_REVISIONS = 10
_REFUNDS = 20


@dataclass(frozen=True)
class _Place:
    """What a document is in its order."""

    order_id: str
    role: Literal["sale", "reversal", "refund"]
    part: str
    tails: tuple[str, ...] = ()  #: of a credit note: what stands behind its invoice's number


@dataclass
class Names:
    """The numbers that the documents of the orders at hand may have."""

    session: Session
    _places: dict[Key, _Place] = field(default_factory=dict)
    _numbers: dict[str, dict[str, None]] = field(default_factory=dict)  # of the main document, by order; in order

    def note(self, documents: Iterable[Invoice | Outcome]) -> None:
        """Note what the shop says of these documents, and nothing else."""
        self._places, self._numbers = {}, {}
        for document in documents:
            prefix = self.session.integration.settings.reference_prefix
            numbers = self._numbers.setdefault(document.order_id, {})
            if isinstance(document, Invoice) and not document.part:
                credit = document.kind is DocumentKind.CREDIT_NOTE
                numbers[(document.preceding_invoice if credit else document.invoice_number) or ""] = None
            numbers |= dict.fromkeys((prefix + document.order_number, document.order_number))
            for part in {"", document.part}:
                name = invoice_id(document.order_id, part)
                self._put(DocumentKind.INVOICE, name, _Place(document.order_id, "sale", part))
                self._put(DocumentKind.CREDIT_NOTE, reversal_id(name), _Place(document.order_id, "reversal", part))
            if document.kind is DocumentKind.CREDIT_NOTE:
                refund = _Place(document.order_id, "refund", document.part, _tails(document))
                self._put(document.kind, document.document_id, refund)

    def order_of(self, key: Key) -> str | None:
        """Return the id of the order that a document belongs to, ``None`` where the shop does not name it."""
        place = self._places.get(key)
        return place.order_id if place is not None else None

    def restored(self, row: Booking) -> Booking:
        """Return a row with its number, as far as that can be made again; any other row as it is."""
        if row.reference is not None or (place := self._places.get(row.key)) is None:
            return row
        for name in self._candidates(place, row.revision):
            if row.reference_key in (None, self.session.reference_key(name)):
                return row.model_copy(update={"reference": name})
        return row

    def _candidates(self, place: _Place, revision: int) -> Iterator[str]:
        if place.role == "refund":
            for of in range(_REVISIONS):
                yield from (name + tail for name in self._sale(place, of) for tail in place.tails)
        else:
            yield from (name + ("-C" if place.role == "reversal" else "") for name in self._sale(place, revision))

    def _sale(self, place: _Place, revision: int) -> Sequence[str]:
        part = f"-{SUFFIXES[place.part]}" if place.part else ""
        again = f"-R{revision}" if revision else ""
        return [f"{number}{part}{again}" for number in self._numbers[place.order_id] if number]

    def _put(self, kind: DocumentKind, document_id: str, place: _Place) -> None:
        key = self.session.pseudonyms.document_key(self.session.integration.code, kind, document_id)
        self._places[kind, key] = place


def _tails(credit_note: Invoice | Outcome) -> tuple[str, ...]:
    """Return what may stand behind the invoice's number: what the core says, else every number it may have."""
    if isinstance(credit_note, Invoice) and credit_note.preceding_invoice:
        return (credit_note.invoice_number.removeprefix(credit_note.preceding_invoice),)
    return tuple(f"-C{number}" for number in range(1, _REFUNDS))
